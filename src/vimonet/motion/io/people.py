"""Follow people through the frames of a detector's file, by its own track numbers or by nearness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError

_REACH: Final = 0.5  # of a body's size: farther from where a person should be is another person
_REACH_GROWS: Final = 0.1  # of a body's size, per frame unseen
_FORGOTTEN: Final = 300  # frames unseen
_LISTED: Final = 8  # people named in a note
_SPEED_KEPT: Final = 0.7  # of the speed so far, against that of the newest frame


class Person(NamedTuple):
    """Hold one person of one frame.

    Attributes:
        points: [K, 2..4].
        track: number by which the file tracks the person, or None.
        openpose: whether the points stand under OpenPose's own key, which fixes their order.
    """

    points: NDArray[np.float64]
    track: int | None = None
    openpose: bool = False


@dataclass
class _Track:
    """Hold where a person was last seen, and how the person moved, per frame."""

    last: NDArray[np.float64]
    speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    gap: int = 1

    def distance(self, points: NDArray[np.float64]) -> float:
        """Measure how far off points [K, 2..4] are, in shares of the reach; 1 and more is another person."""
        off = np.linalg.norm(points[:, :2] - self.last[:, :2] - self.gap * self.speed, axis=1)
        off = off[np.isfinite(off)]
        reach = _size(self.last) * (_REACH + _REACH_GROWS * self.gap)
        return float(np.median(off)) / reach if len(off) and reach > 0 else float("inf")

    def see(self, points: NDArray[np.float64]) -> None:
        """Move to where the person is now."""
        moved = (points[:, :2] - self.last[:, :2]) / self.gap
        moved = moved[np.isfinite(moved).all(axis=1)]
        if len(moved):
            self.speed = _SPEED_KEPT * self.speed + (1 - _SPEED_KEPT) * np.median(moved, axis=0)
        self.last, self.gap = points, 1


def follow(
    people: list[list[Person]], name: str, notes: list[str], wanted: int | None = None
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """Follow one person, the wanted one or the first in the first frame with people.

    Args:
        people: the persons of each frame.
        name: for messages.
        notes: receives who was followed, of several.
        wanted: number of the person: the file's track number, or, without these, 1 for the first who appears ...

    Returns:
        Points [T, K, 2..4], NaN in gaps, and {number of a person: frames with that person}.

    Raises:
        InputError: no frame holds a person, or not the wanted one.
    """
    shapes = [person.points.shape for persons in people for person in persons]
    if not shapes:
        raise InputError(f"{name}: no frame holds a person; expected keypoints in at least one.")
    shape = max(set(shapes), key=shapes.count)
    alike = [[person for person in persons if person.points.shape == shape] for persons in people]
    tracked = all(person.track is not None for persons in alike for person in persons)
    if not tracked and max(len(persons) for persons in alike) > 1:
        alike = number_people(alike)
    elif not tracked:
        alike = [[person._replace(track=1) for person in persons] for persons in alike]
    seen = Counter(person.track for persons in alike for person in persons if person.track is not None)
    first = next(person.track for persons in alike for person in persons)
    how = "by the file's track numbers" if tracked else "told apart by nearness"
    chosen = choose_person(seen, first or 0, how, name, notes, wanted)
    out = np.full((len(people), *shape), np.nan)
    for index, persons in enumerate(alike):
        own = next((person for person in persons if person.track == chosen), None)
        if own is not None:
            out[index] = own.points
    return out, {str(number): seen[number] for number in sorted(seen)}


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
    """Give the persons of each frame numbers from 1: each goes on where its speed leads, or is new."""
    tracks: list[_Track] = []
    numbered = []
    for persons in people:
        pairs = [
            (track.distance(person.points), t, p)
            for t, track in enumerate(tracks)
            if track.gap <= _FORGOTTEN
            for p, person in enumerate(persons)
        ]
        given: dict[int, int] = {}
        for distance, t, p in sorted(pairs):
            if distance < 1 and p not in given and t not in given.values():
                given[p] = t
        for t, track in enumerate(tracks):
            track.gap += t not in given.values()
        for p, person in enumerate(persons):
            if p in given:
                tracks[given[p]].see(person.points)
            else:
                given[p] = len(tracks)
                tracks.append(_Track(person.points))
        numbered.append([person._replace(track=given[p] + 1) for p, person in enumerate(persons)])
    return numbered


def _size(points: NDArray[np.float64]) -> float:
    """Measure the longer side of the box around a person's seen points."""
    seen = points[np.isfinite(points[:, :2]).all(axis=1) & (points[:, :2] != 0).any(axis=1), :2]
    return float(np.ptp(seen, axis=0).max()) if len(seen) else 0.0
