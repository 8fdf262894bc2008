"""Define what passes between the parts of a watch: a person's joints at a moment, and events.

The loop calls ``push`` with the frames of every person in rising order of time, and ``gone`` where a person's frames
end: out of view, camera lost, picture black or frozen, source at its end. A detector therefore never sees time going
back, and never takes a picture that stands still for a person who does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

PersonId = str | int
"""Number that the watch gives a person, or the number or name that the source carries."""


@dataclass(frozen=True, slots=True, eq=False)
class PoseFrame:
    """Hold the joints of one person at one moment.

    Attributes:
        time: seconds of the source's clock: since its start for a file, since 1970 for a camera.
        person: who it is.
        joints: float32 [22, 3] in the order of ``motion.skeleton.JOINT_NAMES``. 3D: metres, Y up, right-handed. 2D:
            pixels of the picture (x, y, 0), y down.
        confidence: float32 [22] in 0..1; 0 for a joint that is not seen, whose place is then a guess.
        size: width and height of the picture, pixels; None for 3D, or where it is not known.
        dimensions: 2 or 3.
    """

    time: float
    person: PersonId
    joints: NDArray[np.float32]
    confidence: NDArray[np.float32]
    size: tuple[int, int] | None = None
    dimensions: int = 2

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Whether each joint is seen, bool [22]."""
        return self.confidence > 0

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the seen joints in x and y: pixels in 2D; metres in 3D, where top > bottom."""
        points = self.joints[self.seen] if self.seen.any() else self.joints
        low, high = points.min(axis=0), points.max(axis=0)
        top, bottom = (low[1], high[1]) if self.dimensions == 2 else (high[1], low[1])
        return float(low[0]), float(top), float(high[0]), float(bottom)


def new_id() -> str:
    """Make an id that no other event has."""
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class Event:
    """Hold something that happened, or began to.

    An event that lasts is reported when it begins, with no end, and again under the same id when it is over: an alarm
    is then cleared.

    Attributes:
        kind: ``fall``, ``enters``, ``camera_lost`` ...
        time: its start, seconds of the source's clock.
        end: its end; None while it lasts.
        person: who; None for what concerns the source.
        value: what was measured, JSON-ready, units in the keys (``seconds``, ``height_m``).
        text: a sentence for people.
        id: the same in every report of this event.
    """

    kind: str
    time: float
    end: float | None = None
    person: PersonId | None = None
    value: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    id: str = field(default_factory=new_id)

    def to_dict(self) -> dict[str, Any]:
        """Make a JSON-ready dict, times to a millisecond."""
        return {
            "event": self.kind,
            "time": round(self.time, 3),
            "end": None if self.end is None else round(self.end, 3),
            "person": self.person,
            "value": self.value,
            "text": self.text,
            "id": self.id,
        }


class Detector(Protocol):
    """Find events in the frames of people, who are told apart by ``PoseFrame.person``."""

    def push(self, frame: PoseFrame) -> Sequence[Event]:
        """Take the next frame of one person; return the events that begin or end with it."""
        ...

    def gone(self, person: PersonId, time: float) -> Sequence[Event]:
        """Forget a person whose frames end at ``time``, and return the events that end with them.

        The person may come back under the same id.
        """
        ...
