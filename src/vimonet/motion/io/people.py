"""Follow people through the frames of a detector's file, by its own track numbers or by nearness."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError

_REACH: Final = 0.5  # of a body's size: farther from where a person should be is another person
_REACH_GROWS: Final = 0.1  # of a body's size, per frame unseen
_FORGOTTEN: Final = 300  # frames unseen
_SPEED_KEPT: Final = 0.7  # of the speed so far, against that of the newest frame


class Person(NamedTuple):
    """Hold one person of one frame: points [K, 2..4], and the number by which the file tracks the person, or None."""

    points: NDArray[np.float64]
    track: int | None = None


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


def follow(people: list[list[Person]], name: str, notes: list[str]) -> NDArray[np.float64]:
    """Follow one person, the first in the first frame with people: [T, K, 2..4], NaN in gaps.

    Args:
        people: the persons of each frame.
        name: for messages.
        notes: receives who was followed, of several.

    Raises:
        InputError: no frame holds a person.
    """
    shapes = [person.points.shape for persons in people for person in persons]
    if not shapes:
        raise InputError(f"{name}: no frame holds a person; expected keypoints in at least one.")
    shape = max(set(shapes), key=shapes.count)
    alike = [[person for person in persons if person.points.shape == shape] for persons in people]
    most = max(len(persons) for persons in alike)
    tracks = sorted({person.track for persons in alike for person in persons if person.track is not None})
    tracked = all(person.track is not None for persons in alike for person in persons)
    first = next(persons[0] for persons in alike if persons)
    if tracked and len(tracks) > 1:
        listed = ", ".join(str(track) for track in tracks[:8]) + (" ..." if len(tracks) > 8 else "")
        notes.append(f"{len(tracks)} people by the file's track numbers ({listed}): number {first.track} is followed")
    elif most > 1:
        notes.append(f"up to {most} people in a frame: the first one is followed by nearness")
        alike = number_people(alike)
        first = next(persons[0] for persons in alike if persons)
    else:
        first = first._replace(track=None)
    out = np.full((len(people), *shape), np.nan)
    for index, persons in enumerate(alike):
        own = next((person for person in persons if first.track in (None, person.track)), None)
        if own is not None:
            out[index] = own.points
    return out


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
