"""A small world to watch: scripted sources, drawn people, and an estimator that sees them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.pose.tracking import Person
from vimonet.watch import Event, PoseFrame
from vimonet.watch.readings import Picture, PoseReading, SeenPerson, SourceEnded

SIZE = (320, 180)
RED, GREEN = (255, 0, 0), (0, 255, 0)
# A standing person in a box of 1 x 1, COCO's 17 points.
STANDING = np.array(
    [
        *((0.5, 0.05), (0.55, 0.0), (0.45, 0.0), (0.6, 0.05), (0.4, 0.05)),
        *((0.8, 0.2), (0.2, 0.2), (0.95, 0.4), (0.05, 0.4), (1.0, 0.55), (0.0, 0.55)),
        *((0.7, 0.55), (0.3, 0.55), (0.7, 0.78), (0.3, 0.78), (0.7, 1.0), (0.3, 1.0)),
    ]
)


def view(*people: tuple[tuple[int, int, int], int, int], noise: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 [H, W, 3]: a textured room with coloured boxes of people, (colour, left, top), and a number as noise."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[...] = (
        60 + 20 * ((np.arange(width)[None, :, None] // 8 + np.arange(height)[:, None, None] // 8) % 2)
    ) + noise % 7
    for colour, left, top in people:
        image[max(0, top) : top + 90, max(0, left) : left + 30] = colour
    return image


class BoxEstimator:
    """Sees a person in every red or green box."""

    name, layout = "boxes", "coco17"

    def __init__(self, delay: float = 0.0) -> None:
        self.delay, self.closed = delay, False

    def people(self, image: np.ndarray) -> list[Person]:
        time.sleep(self.delay)
        found = []
        for colour in (RED, GREEN):
            near = (np.abs(image[::4, ::4].astype(np.int16) - np.array(colour, np.int16)) < 60).all(axis=2)
            rows, columns = (4 * places for places in np.nonzero(near))
            if len(rows) > 5:
                low = np.array([columns.min(), rows.min()])
                box = np.array([columns.max(), rows.max()]) - low
                found.append(Person(low + STANDING * box, np.full(17, 0.9)))
        return found

    def close(self) -> None:
        self.closed = True


class Scripted:
    """Gives what a script yields; a callable in it is called, an exception raised, a number slept for."""

    def __init__(
        self, script: Callable[[], Iterable[Any]], *, live: bool = False, pictures: bool = True, name: str = "scripted"
    ) -> None:
        self.script, self.live, self.pictures, self.endless, self.name = script, live, pictures, live, name
        self.opened = self.closed = 0
        self._steps: Iterator[Any] | None = None

    def open(self) -> None:
        self.opened += 1
        if self._steps is None:
            self._steps = iter(self.script())

    def read(self) -> Picture | PoseReading | None:
        assert self._steps is not None
        for step in self._steps:
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, float):
                time.sleep(step)
                continue
            return step
        raise SourceEnded

    def close(self) -> None:
        self.closed += 1


class Recorder:
    """A detector that keeps what it gets."""

    def __init__(self) -> None:
        self.frames: list[PoseFrame] = []
        self.left: list[tuple[Any, float]] = []

    def push(self, frame: PoseFrame) -> list[Event]:
        self.frames.append(frame)
        return []

    def gone(self, person: Any, time: float) -> list[Event]:
        self.left.append((person, time))
        return []


def standing_at(
    left: float, top: float = 40.0, wide: float = 60.0, high: float = 180.0, wobble: float = 0.0
) -> np.ndarray:
    """[17, 3] pixels and confidence of a standing person."""
    points = STANDING * (wide, high) + (left, top + wobble)
    return np.column_stack([points, np.full(17, 0.9)])


def seen(time: float | None, *people: np.ndarray | tuple[np.ndarray, Any], **about: Any) -> PoseReading:
    """A reading of people, each points or (points, id)."""
    listed = [SeenPerson(*one) if isinstance(one, tuple) else SeenPerson(one) for one in people]
    return PoseReading(time, tuple(listed), {"names": LAYOUTS["coco17"], "size": (640, 360), **about})


def message(time: float | None, *people: np.ndarray, ids: Iterable[Any] = ()) -> bytes:
    """A line of keypoint JSON."""
    given = [*ids, *([None] * len(people))]
    listed = [
        {"keypoints": np.round(points, 2).tolist(), **({} if name is None else {"id": name})}
        for points, name in zip(people, given, strict=False)
    ]
    value = {"people": listed, "width": 640, "height": 360, **({} if time is None else {"time": time})}
    return json.dumps(value).encode()


def kinds(events: Iterable[Event]) -> list[str]:
    """Kinds of events as they begin, those that end with a + behind."""
    return [event.kind + "+" * (event.end is not None and event.end > event.time) for event in events]


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that nobody listens at."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
