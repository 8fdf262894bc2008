"""Place the points of a stream as 22 joints: layout, unit and axes are found on its first people, then kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.joint_completion import complete
from vimonet.motion.io.keypoints import from_points
from vimonet.motion.io.plausibility import on_the_floor
from vimonet.motion.io.readers import usable
from vimonet.motion.io.recording_to_motion import detect_mirroring
from vimonet.motion.io.units_and_axes import detect_unit, detect_up, parse_unit, parse_up, to_y_up
from vimonet.motion.joint_names import family_of, map_joints
from vimonet.utils.errors import InputError
from vimonet.watch.readings import PoseReading
from vimonet.watch.stream import PersonId

FIRST: Final = 10
"""People whose points decide layout, unit and axes of a stream."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Hold one person as 22 joints: id of the source or None, joints float32 [22, 3], confidence float32 [22]."""

    id: PersonId | None
    joints: NDArray[np.float32]
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class _Decision:
    names: tuple[str, ...]
    dimensions: int
    widest: float  # confidence that counts as 1
    fractions: bool
    scale: float = 1.0
    up: str = "Y"
    mirrored: bool = False
    held: bool = False


@lru_cache(maxsize=64)
def _mapping(names: tuple[str, ...]) -> dict[str, int]:
    return map_joints(names)


@dataclass
class Placer:
    """Place people as 22 joints.

    Args:
        name: the source, for messages.
        unit, up: of 3D coordinates; None to find out.
        size: width and height of the picture, for coordinates that are fractions of it.

    Attributes:
        said: what was found, in a phrase; empty until then.
        unreadable: people left out because their points are not those of the first.
    """

    name: str
    unit: str | None = None
    up: str | None = None
    size: tuple[int, int] | None = None
    said: str = ""
    unreadable: int = 0
    _about: dict[str, Any] = field(default_factory=dict)
    _names: tuple[str, ...] | None = None
    _told: tuple[str, ...] | None = None
    _decision: _Decision | None = None
    _kept: list[PoseReading] = field(default_factory=list)

    @property
    def dimensions(self) -> int:
        """2 or 3, as decided."""
        return self._decision.dimensions if self._decision else 2

    def place(self, reading: PoseReading, *, last: bool = False) -> list[tuple[PoseReading, list[Placed]]]:
        """Place the people of a reading, together with those of earlier ones that waited for a decision.

        Args:
            reading: the next.
            last: whether to decide now.

        Raises:
            InputError: the points are no known layout, or no person.
        """
        reading = self._in_one_order(reading)
        self._about |= {key: value for key, value in reading.about.items() if key != "names"}
        if "size" in reading.about:
            self.size = reading.about["size"]
        if self._decision is not None:
            return [(reading, self._placed(reading))]
        self._kept.append(reading)
        points = [person.points for kept in self._kept for person in kept.people]
        if not points and len(self._kept) < FIRST and not last:
            return []
        if points and (len(points) >= FIRST or last):
            self._decide(points)
        elif points:
            return []
        ready, self._kept = self._kept, []
        return [(one, self._placed(one)) for one in ready]

    def _in_one_order(self, reading: PoseReading) -> PoseReading:
        """Put points that come under names into one order: senders leave out what is hidden, in any order of keys."""
        self._told = told = reading.about.get("names", self._told)
        if told is None or not reading.people:
            return reading
        if self._names is None:
            self._names = told
        if not set(told) <= set(self._names):
            self._names = (*self._names, *(name for name in told if name not in self._names))
        if told == self._names:
            return reading
        places = [self._names.index(name) for name in told]
        people = []
        for person in reading.people:
            if len(person.points) == len(told):
                points = np.full((len(self._names), person.points.shape[1]), np.nan)
                points[places] = person.points
                person = person._replace(points=points)
            people.append(person)
        return reading._replace(people=tuple(people))

    def _decide(self, every: list[NDArray[np.float64]]) -> None:
        if self._names is not None:  # joints that came later
            every = [_longer(points, len(self._names)) for points in every]
        shapes = [points.shape for points in every]
        shape = max(set(shapes), key=shapes.count)
        stack = np.stack([points for points in every if points.shape == shape])
        names, size = self._names, self.size
        dimensions = self._about.get("dimensions")
        if names is not None and len(names) != shape[0]:
            names = None
        recording = from_points(
            stack, self.name, fps=30.0, names=names, dimensions=dimensions, image_size=None if size is None else size
        )
        flat = recording.dimensions == 2
        column = stack[..., -1] if shape[1] == 4 or (shape[1] == 3 and flat) else np.ones(1)
        top = float(np.nanmax(np.where(usable(column), column, np.nan), initial=0.0))
        widest = 1.0 if top <= 1.0 else 2.0 if top <= 2.0 else top
        seen = recording.positions[..., :2][recording.confidence > 0] if recording.confidence is not None else stack
        fractions = flat and bool(np.percentile(np.abs(seen), 95) <= 2.0 or recording.fractions)
        self._decision = _Decision(recording.names, recording.dimensions, widest, fractions)
        layout = family_of(recording.names)
        if flat:
            unit = "pixels" if not fractions else "fractions of the picture"
            where = "" if size is None else f" of {size[0]} x {size[1]}"
            self.said = f"{layout}, 2D, {unit}{where}"
            if fractions and size is None:
                self.said += " (square assumed; --size 1920x1080 tells its size)"
            return
        placed = [self._joints(points) for points in stack]
        joints = np.stack([one[0] for one in placed])
        confidence = np.stack([one[1] for one in placed])
        told_unit, told_up = self.unit or self._about.get("unit"), self.up or self._about.get("up")
        scale, words = 1.0, ""
        if told_unit is not None:
            scale, words = parse_unit(told_unit), f"unit {told_unit}"
        else:
            found = detect_unit(joints, confidence, layout, self.name)
            scale, words = found.metres, f"unit {found.text}"
        joints = joints * np.float32(scale)
        up = parse_up(told_up) if told_up is not None else detect_up(joints, confidence, None)[0]
        joints = to_y_up(joints, up)
        named = _mapping(recording.names)
        mirrored, _ = detect_mirroring(joints, confidence, toes={"left_foot", "right_foot"} <= named.keys())
        notes: list[str] = []
        on_the_floor(joints, notes)
        self._decision = _Decision(
            recording.names, 3, widest, False, scale, up, mirrored, bool(notes) and len(joints) > 1
        )
        self.said = f"{layout}, 3D, {words}, up {up.lower()}"
        self.said += ", left-handed" * self._decision.mirrored + ", pelvis held at the origin" * self._decision.held

    def _placed(self, reading: PoseReading) -> list[Placed]:
        if self._decision is None:
            return []
        placed = []
        for person in reading.people:
            try:
                joints, confidence = self._joints(person.points)
            except (InputError, ValueError, IndexError):
                self.unreadable += 1
                continue
            if (confidence > 0).sum() >= 3:
                placed.append(Placed(person.id, joints, confidence))
        return placed

    def _joints(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Place one person, points [K, 2..4]."""
        decision = self._decision
        assert decision is not None
        names = self._names or decision.names
        if len(names) != len(points):
            names = decision.names
        if len(names) > len(points):
            raise ValueError("fewer points than names")
        flat = decision.dimensions == 2
        width = points.shape[1]
        values = np.zeros((1, len(points), 3))
        values[0, :, : min(width, 2 if flat else 3)] = points[:, : 2 if flat else 3]
        weights = np.ones(len(points))
        if width == 4 or (width == 3 and flat):
            weights = np.clip(np.nan_to_num(points[:, -1]) / decision.widest, 0.0, 1.0)
        empty = (values[0, :, : 2 if flat else 3] == 0).all(axis=1)
        if not flat and decision.held:
            empty[:] = False
        weights = np.where(empty | ~usable(values[0]).all(axis=1), 0.0, weights)
        if decision.fractions:
            wide, high = self.size or (1, 1)
            values *= np.array([wide, high, 1.0]) if self.size else 1.0
        joints, confidence, _ = complete(
            values,
            _mapping(tuple(names)),
            weights[None].astype(np.float32),
            partial=True,
            dimensions=decision.dimensions,
        )
        assert confidence is not None
        placed = joints[0]
        if flat:
            placed[:, 2] = 0.0
        else:
            placed = to_y_up(placed * np.float32(decision.scale), decision.up)
            if decision.mirrored:
                placed = placed * np.array([-1, 1, 1], dtype=np.float32)
            if decision.held:
                placed = placed - np.array([0, placed[confidence[0] > 0][:, 1].min(initial=np.inf), 0], np.float32)
        return np.ascontiguousarray(placed, dtype=np.float32), confidence[0]


def _longer(points: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Add unseen points up to a number."""
    missing = max(0, count - len(points))
    return np.concatenate([points, np.full((missing, points.shape[1]), np.nan)])
