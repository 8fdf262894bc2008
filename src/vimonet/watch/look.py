"""Look at the last seconds of one person: posture now, places of joints, zones; spans that begin and end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics.falling import body_length
from vimonet.motion.kinematics.preparation import VISIBLE, norm, rank
from vimonet.motion.motion import FPS
from vimonet.watch.pose_window import PoseWindow
from vimonet.watch.stream import Event, PersonId, PoseFrame


@dataclass(frozen=True, eq=False)
class Look:
    """Hold the last seconds of one person.

    Attributes:
        person: who.
        start, end: times of the first and last frame, s.
        joints: [T, 22, 3] at 20 frames/s, Y up, in the units of the source.
        seen: [T, 22].
        confidence: [T, 22].
        flat: whether the joints are those of a picture.
        frame: the newest frame.
    """

    person: PersonId
    start: float
    end: float
    joints: NDArray[np.float32]
    seen: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    flat: bool
    frame: PoseFrame

    @classmethod
    def of(cls, window: PoseWindow) -> Look:
        """Look at a window."""
        joints, confidence = window.arrays()
        flat = window.frames[-1].dimensions == 2
        if flat:
            joints = joints * np.array([1, -1, 1], np.float32)
        last = window.frames[-1]
        return cls(last.person, window.start, window.end, joints, confidence > VISIBLE, confidence, flat, last)

    @cached_property
    def scale(self) -> tuple[float, bool]:
        """Length of trunk and leg, and whether a leg is seen: `body_length`."""
        return body_length(self.joints, self.seen, self.flat)

    def place(self, joint: int, seconds: float = 0.5, before: float = 0.0) -> NDArray[np.floating] | None:
        """Compute the median place [3] of a joint over `seconds`, which end `before` s before now; None if unseen."""
        end = len(self.joints) - round(before * FPS)
        rows = slice(max(0, end - max(1, round(seconds * FPS))), max(end, 0))
        seen = self.seen[rows, joint]
        return np.median(self.joints[rows, joint][seen], axis=0) if seen.any() else None

    @cached_property
    def trunk(self) -> float | None:
        """Vertical share of the trunk now: 1 upright, 0 level; None if it is not seen."""
        neck, pelvis = self.place(12), self.place(0)
        if neck is None or pelvis is None:
            return None
        length = rank(norm(self.joints[:, 12] - self.joints[:, 0]), 0.9 if self.flat else 0.5)
        return float((neck[1] - pelvis[1]) / max(length, 1e-6))

    @cached_property
    def height(self) -> float | None:
        """Height of the neck over the lower ankle now, in body lengths; None if either is not seen."""
        neck, feet = self.place(12), [p for p in (self.place(7), self.place(8)) if p is not None]
        return None if neck is None or not feet else float(neck[1] - min(p[1] for p in feet)) / self.scale[0]

    @property
    def upright(self) -> bool:
        """Whether the person stands or sits up."""
        return self.trunk is not None and bool(c.UP_AGAIN.decide(self.trunk)) and not self.lies

    @property
    def lies(self) -> bool:
        """Whether the person lies."""
        level = self.trunk is not None and c.LYING_TRUNK.decide(self.trunk) is True
        return level and (self.height is None or c.LYING_HEIGHT.decide(self.height) is True)

    @property
    def posture(self) -> str:
        """Name how the person is held now, from the trunk and the height of the hips; empty where it is not clear."""
        if self.lies:
            return "lying"
        hips, feet = self.place(0), [p for p in (self.place(7), self.place(8)) if p is not None]
        high = None
        if hips is not None and feet and (neck := self.place(12)) is not None:
            torso = max(float(norm(neck - hips)), rank(norm(self.joints[:, 12] - self.joints[:, 0]), 0.9), 1e-6)
            high = c.STANDING_HEIGHT.decide(float(hips[1] - min(p[1] for p in feet)) / torso)
        upright = c.UP_AGAIN.decide(self.trunk)
        if high:
            return "standing" if upright else "bending" if upright is False else ""
        return "sitting or kneeling" if upright and high is False else ""


class Check(Protocol):
    """Find one kind of event of one person."""

    span: Span

    def look(self, look: Look) -> Iterator[Event]:
        """Look at the last seconds; yield events that begin or end."""
        ...

    def gone(self, time: float) -> Iterator[Event]:
        """Yield the end of the event that lasts, because the person is out of view."""
        yield from self.span.over(time)


@dataclass
class Span:
    """Report a state once when it begins and, under the same id, when it is over."""

    kind: str
    event: Event | None = None

    def begin(self, time: float, person: PersonId | None, text: str, **value: Any) -> list[Event]:
        """Begin, unless the state lasts."""
        if self.event is not None:
            return []
        self.event = Event(self.kind, time, None, person, value, text)
        return [self.event]

    def over(self, time: float, text: str = "") -> list[Event]:
        """End, if the state lasts; ``{seconds}`` in the text is its length."""
        if self.event is None:
            return []
        begun, self.event = self.event, None
        seconds = max(0.0, time - begun.time)
        said = text.replace("{seconds}", f"{seconds:.0f} s") or f"{begun.text} (over after {seconds:.0f} s)"
        value = {**begun.value, "seconds": round(seconds, 1)}
        return [replace(begun, end=max(time, begun.time), value=value, text=said)]


def within(frame: PoseFrame, zone: tuple[float, float, float, float]) -> bool | None:
    """Test whether the middle of the hips is in a zone; None if it is not seen, or the picture's size is not known."""
    hips = [j for j in (0, 1, 2) if frame.confidence[j] > VISIBLE] or list(np.flatnonzero(frame.seen))
    if not hips:
        return None
    x, y, z = (float(v) for v in frame.joints[hips].mean(axis=0))
    if frame.dimensions == 2:
        if frame.size is None:
            return None
        x, y = x / frame.size[0], y / frame.size[1]
    else:
        y = z
    left, top, right, bottom = zone
    return left <= x <= right and top <= y <= bottom
