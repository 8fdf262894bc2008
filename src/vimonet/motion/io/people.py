"""Follow people through the frames of a detector's file, by its own track numbers or by nearness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.skeleton import whole
from vimonet.utils.errors import InputError

_REACH: Final = 0.5  # of a body's size: farther from where a person should be is another person
_REACH_GROWS: Final = 0.1  # of a body's size, per frame unseen
_FARTHEST_REACH: Final = 2.0  # of a body's size
_GOES_ON: Final = 20  # frames for which a person who is not seen goes on at the speed so far
_FORGOTTEN: Final = 300  # frames unseen
_LISTED: Final = 8  # people named in a note
_SPEED_KEPT: Final = 0.7  # of the speed so far, against that of the newest frame
_FRACTIONS: Final = 1.5  # coordinates up to it are shares of the picture
_AT_ENDS: Final = 5  # sightings that tell where a person begins, and where ends
_MOST_TRACKED: Final = 0.5  # share of people with a number, from which the numbers count


class Person(NamedTuple):
    """Hold one person of one frame.

    Attributes:
        points: [K, 2..4].
        track: number by which the file tracks the person, or None.
        openpose: OpenPose's own key of the points, which fixes their order and dimensions; "" under any other.
    """

    points: NDArray[np.float64]
    track: int | None = None
    openpose: str = ""


@dataclass
class _Track:
    """Hold where a person was last seen, and how the person moved, per frame."""

    last: NDArray[np.float64]
    speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    gap: int = 1

    def distance(self, points: NDArray[np.float64]) -> float:
        """Measure how far off points [K, 2..4] are, in shares of the reach; 1 and more is another person."""
        off = np.linalg.norm(points[:, :2] - self.last[:, :2] - min(self.gap, _GOES_ON) * self.speed, axis=1)
        off = off[np.isfinite(off)]
        reach = _size(self.last) * min(_REACH + _REACH_GROWS * self.gap, _FARTHEST_REACH)
        return float(np.median(off)) / reach if len(off) and reach > 0 else float("inf")

    def see(self, points: NDArray[np.float64]) -> None:
        """Move to where the person is now."""
        moved = (points[:, :2] - self.last[:, :2]) / self.gap
        moved = moved[np.isfinite(moved).all(axis=1)]
        if len(moved):
            self.speed = _SPEED_KEPT * self.speed + (1 - _SPEED_KEPT) * np.median(moved, axis=0)
        self.last, self.gap = points, 1


@dataclass
class Sighting:
    """Hold when and where a person is seen.

    Attributes:
        frames: number of frames that show the person.
        first, last: numbers of the first and the last of them, from 0.
        start, end: horizontal place in the first and in the last few of them, in the unit of the points; None if not
            known.
    """

    frames: int
    first: int
    last: int
    start: float | None = None
    end: float | None = None


def describe_people(
    people: Mapping[int, Sighting], frames: int, chosen: int, *, width: float | None = None, picture: bool = True
) -> dict[str, Any]:
    """Describe who is in a recording, for its details: ``person``, the one read, and ``people``, everyone.

    Args:
        people: everyone, by number.
        frames: length of the recording.
        chosen: number of the person who is read.
        width: width of the picture, in the unit of the sightings; None for the part that people are seen in.
        picture: whether places are those of a picture.

    Returns:
        ``people`` has, by number, the ``frames`` of a person, their ``share`` of the recording, the ``first`` and the
        ``last`` frame, and the ``place``: "left", "middle" or "right" of the picture, or "left to right".
    """
    known = [place for one in people.values() for place in (one.start, one.end) if place is not None]
    fractions = bool(known) and max(known) <= _FRACTIONS
    left, right = 0.0, 1.0 if fractions else width or 0.0
    if width is None and not fractions:
        left, right = (min(known), max(known)) if len(people) > 1 and known else (0.0, 0.0)

    def third(place: float) -> str:
        return ("left", "middle", "right")[int(np.clip(3 * (place - left) / (right - left), 0, 2))]

    told: dict[str, Any] = {}
    for number in sorted(people):
        one = people[number]
        entry: dict[str, Any] = {"frames": one.frames, "share": round(one.frames / max(frames, 1), 3)}
        entry |= {"first": one.first, "last": one.last}
        if picture and right > left and one.start is not None and one.end is not None:
            places = dict.fromkeys((third(one.start), third(one.end)))
            entry["place"] = " to ".join(places)
        told[str(number)] = entry
    return {"person": chosen, "people": told}


class Tracked(NamedTuple):
    """Hold the people of a recording, told apart.

    Attributes:
        frames: persons of each frame, all with a number.
        everyone: when and where each is seen, by number.
        first: number of the first person of the first frame that shows one.
        how: how they were told apart, for a note.
        shape: shape of a person's points.
        flat: whether the points are those of a picture, by OpenPose's key.
    """

    frames: list[list[Person]]
    everyone: dict[int, Sighting]
    first: int
    how: str
    shape: tuple[int, ...]
    flat: bool = False

    def follow(self, name: str, notes: list[str], wanted: int | None = None) -> tuple[NDArray[np.float64], int]:
        """Follow one person, the wanted one or the first.

        Args:
            name: for messages.
            notes: receives who was followed, of several.
            wanted: number of the person: the file's track number, or, without these, 1 for the first who appears ...

        Returns:
            Points [T, K, 2..4], NaN in gaps, and the person's number.

        Raises:
            InputError: nobody has that number.
        """
        seen = {number: one.frames for number, one in self.everyone.items()}
        chosen = choose_person(seen, self.first, self.how, name, notes, wanted)
        own = {
            index: person.points
            for index, persons in enumerate(self.frames)
            for person in reversed(persons)  # of two with one number, the first
            if person.track == chosen
        }
        out = np.full((len(self.frames), *self.shape), np.nan)
        out[list(own)] = np.concatenate(list(own.values())).reshape(-1, *self.shape)
        return out, chosen


def track_people(people: list[list[Person]], name: str) -> Tracked:
    """Tell the people of a recording apart, by the numbers that the file gives them, else by nearness.

    Args:
        people: the persons of each frame.
        name: for messages.

    Raises:
        InputError: no frame holds a person.
    """
    shapes = Counter(person.points.shape for persons in people for person in persons)
    if not shapes:
        raise InputError(f"{name}: no frame holds a person; expected keypoints in at least one.")
    shape = max(shapes, key=lambda one: shapes[one])
    alike = people
    if len(shapes) > 1:
        alike = [[person for person in persons if person.points.shape == shape] for persons in people]
    numbers = [person.track is not None for persons in alike for person in persons]
    tracked = sum(numbers) >= _MOST_TRACKED * len(numbers)
    alone = not tracked and max(len(persons) for persons in alike) == 1
    if not tracked:
        track = 1 if alone else None
        alike = [[Person(person.points, track, person.openpose) for person in persons] for persons in alike]
    if not alone and not (tracked and all(numbers)):
        alike = number_people(alike)
    how = "by the file's track numbers" if tracked else "told apart by nearness"
    if tracked and not all(numbers):
        how += f" ({numbers.count(False)} sightings without one by nearness)"
    first = next(person.track for persons in alike for person in persons)
    flat = any(person.openpose.endswith("2d") for persons in alike for person in persons)
    return Tracked(alike, _sightings(alike), first or 0, how, shape, flat)


def _sightings(people: list[list[Person]]) -> dict[int, Sighting]:
    """Tell when and where each numbered person is seen."""
    frames: dict[int, list[tuple[int, NDArray[np.float64]]]] = {}
    for index, persons in enumerate(people):
        for person in persons:
            if person.track is not None:
                frames.setdefault(person.track, []).append((index, person.points))
    return {number: _sighting(one) for number, one in frames.items()}


def sighting(points: NDArray[np.float64]) -> Sighting:
    """Tell when and where a person is seen, whose points are [T, K, 2..4], NaN in frames without the person."""
    seen = np.flatnonzero(whole(np.isfinite(points[..., :2])).any(axis=1)).tolist()
    return _sighting([(index, points[index]) for index in seen])


def _sighting(seen: list[tuple[int, NDArray[np.float64]]]) -> Sighting:
    start, end = (
        [x for _, points in part if (x := _middle(points)) is not None] for part in (seen[:_AT_ENDS], seen[-_AT_ENDS:])
    )
    places = [float(np.median(part)) if part else None for part in (start, end)]
    return Sighting(len(seen), seen[0][0], seen[-1][0], *places)


def _middle(points: NDArray[np.float64]) -> float | None:
    """Return the horizontal middle of a person's seen points [K, 2..4], or None."""
    seen = points[np.isfinite(points[:, :2]).all(axis=1) & (points[:, :2] != 0).any(axis=1), 0]
    return float(seen.min() + seen.max()) / 2 if len(seen) else None


def choose_person(
    seen: Mapping[int, int], first: int, how: str, name: str, notes: list[str], wanted: int | None
) -> int:
    """Choose the wanted person of a file, or the first, and say of how many.

    Args:
        seen: {number of a person: frames with that person}.
        first: number of the person to take if none is wanted.
        how: where the numbers come from, for the note.
        name: for messages.
        notes: receives who was taken, of several.
        wanted: the number that the user gave.

    Raises:
        InputError: nobody has the wanted number.
    """
    listed = ", ".join(f"{number} ({seen[number]} frames)" for number in sorted(seen)[:_LISTED])
    listed += " ..." if len(seen) > _LISTED else ""
    if wanted is not None and wanted not in seen:
        raise InputError(f"{name}: there is no person {wanted}; the file has {listed}.")
    chosen = first if wanted is None else wanted
    if len(seen) > 1:
        more = "" if wanted is not None else "; --person takes another"
        notes.append(f"{len(seen)} people {how}, {listed}: person {chosen} is read{more}")
    return chosen


def number_people(people: list[list[Person]]) -> list[list[Person]]:
    """Give the persons of each frame numbers: those that they have, else where their speed leads, else the next."""
    tracks: dict[int, _Track] = {}
    renamed: dict[int, int] = {}
    following = own = 1 + max((person.track or 0 for persons in people for person in persons), default=0)
    numbered = []
    for persons in people:
        given: dict[int, int] = {}
        for p, person in enumerate(persons):
            if person.track is not None and person.track not in given.values():
                given[p] = person.track
                if person.track not in tracks:  # the file may give a number some frames after a person appeared
                    before = [(one.distance(person.points), t) for t, one in tracks.items() if t >= own]
                    distance, t = min(before, default=(1.0, 0))
                    if distance < 1:
                        tracks[person.track], renamed[t] = tracks.pop(t), person.track
        pairs = [
            (track.distance(person.points), t, p)
            for t, track in tracks.items()
            if track.gap <= _FORGOTTEN and t not in given.values()
            for p, person in enumerate(persons)
            if p not in given
        ]
        for distance, t, p in sorted(pairs):
            if distance < 1 and p not in given and t not in given.values():
                given[p] = t
        for t, track in tracks.items():
            track.gap += t not in given.values()
        for p, person in enumerate(persons):
            if p not in given:
                given[p], following = following, following + 1
            if given[p] in tracks:
                tracks[given[p]].see(person.points)
            else:
                tracks[given[p]] = _Track(person.points)
        numbered.append([person._replace(track=given[p]) for p, person in enumerate(persons)])
    return [[one._replace(track=renamed.get(one.track or 0, one.track)) for one in persons] for persons in numbered]


def _size(points: NDArray[np.float64]) -> float:
    """Measure the longer side of the box around a person's seen points."""
    seen = points[np.isfinite(points[:, :2]).all(axis=1) & (points[:, :2] != 0).any(axis=1), :2]
    return float(np.ptp(seen, axis=0).max()) if len(seen) else 0.0
