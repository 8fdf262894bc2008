"""A watch with a page, over a source that the test steers: poses when it says so, unplugged when it says so."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from research.vimos_open.synthesis import generate
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.watch.alarms import Alarm, Alarms
from vimonet.watch.detectors import detectors_for
from vimonet.watch.loop import Watch
from vimonet.watch.page_sink import PAGE_RULES, PageSettings, PageSink
from vimonet.watch.readings import PoseReading, SeenPerson, SourceLost
from vimonet.watch.stream import Event

STILL = 0.002  # m by which a sensor's joints wander


class Steered:
    """Gives the readings that are put into it; `unplug` and `plug` it."""

    name, live, pictures, endless = "bedroom <camera>", True, False, True

    def __init__(self) -> None:
        self.waiting: queue.Queue[PoseReading] = queue.Queue()
        self.plugged = threading.Event()
        self.plugged.set()
        self.clock = time.time()
        self.shown: tuple[Any, ...] = ()
        self.random = np.random.default_rng(0)

    def open(self) -> None:
        if not self.plugged.is_set():
            raise SourceLost("nobody answers")

    def read(self) -> PoseReading | None:
        if not self.plugged.is_set():
            raise SourceLost("the cable is out")
        with contextlib.suppress(queue.Empty):
            return self.waiting.get(timeout=0.05)
        if self.shown:  # whoever was shown last stays as they are
            self._put(self.shown, 0.05)
        return None

    def close(self) -> None:
        pass

    def show(self, *people: np.ndarray | tuple[np.ndarray, Any], step: float = 0.05) -> None:
        """Give people, joints [22, 3] in metres, each with its id or a number."""
        self.shown = people
        self._put(people, step)

    def _put(self, people: tuple[Any, ...], step: float) -> None:
        self.clock += step
        listed = []
        for number, one in enumerate(people, 1):
            joints, name = one if isinstance(one, tuple) else (one, number)
            listed.append(SeenPerson(joints + self.random.normal(0, STILL, joints.shape), name))
        about = {"names": JOINT_NAMES, "dimensions": 3, "unit": "m", "up": "Y"}
        self.waiting.put(PoseReading(self.clock, tuple(listed), about))

    def play(self, motion: np.ndarray, faster: float = 4.0, name: Any = 1) -> None:
        """Give a movement [T, 22, 3] of one person, 20 frames/s of the source's clock."""
        for joints in motion:
            self.show((joints, name))
            time.sleep(0.05 / faster)


class Kept:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.alarms: list[Alarm] = []

    def send(self, alarm: Alarm) -> None:
        self.alarms.append(alarm)

    def close(self) -> None:
        pass


class LiveWatch:
    """A running watch with its page."""

    def __init__(self, settings: PageSettings) -> None:
        self.source, self.kept, self.events = Steered(), Kept(), list[Event]()
        rules = PAGE_RULES[:1]  # falls
        self.page = PageSink(settings, rules)
        self.alarms = Alarms(rules, {"page": self.page, "kept": self.kept})
        detectors = [*detectors_for(None), self.page]
        self.watch = Watch(
            self.source, detectors, stall=1.0, backoff=(0.1, 0.2), on_frame=[self.alarms.frame], stay=True
        )
        self.url = self.page.start(self.watch)
        self.port = int(self.url.rstrip("/").rsplit(":", 1)[1])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for event in self.watch.events():
            self.page.event(event)
            self.alarms.event(event)
            self.events.append(event)

    def fall(self, person: int) -> None:
        """Report a fall as a detector would."""
        self.watch.tell(Event("fall", self.watch.now + person, None, person, {}, f"person {person} falls"))

    def stop(self) -> None:
        self.watch.stop()
        self._thread.join(10)
        self.alarms.close()

    def call(self, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            body = answer.read()
            kind = {key.lower(): value for key, value in answer.getheaders()}
            return answer.status, kind, json.loads(body) if "json" in kind["content-type"] else body.decode()
        finally:
            connection.close()

    def acknowledge(self, id: str) -> tuple[int, Any]:
        status, _, body = self.call("POST", f"/v1/watch/events/{id}/acknowledge")
        return status, body


class Stream:
    """A client of the live stream."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.connection.request("GET", "/v1/watch/live", headers=headers or {})
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while line := self.answer.readline():
            if line.startswith(b"data: "):
                yield json.loads(line[6:])

    def until(self, done: Callable[[dict[str, Any]], Any], seconds: float = 10.0) -> Any:
        """Read on until a message has what is looked for; returns it."""
        end = time.monotonic() + seconds
        for news in self:
            if found := done(news):
                return found
            assert time.monotonic() < end, "it did not come"
        raise AssertionError("the stream ended")

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@contextlib.contextmanager
def live_watch(**settings: Any) -> Iterator[LiveWatch]:
    there = LiveWatch(PageSettings(port=0, **settings))
    try:
        yield there
    finally:
        there.stop()


@functools.cache
def standing() -> np.ndarray:
    """[22, 3] m, upright."""
    return generate("stand", seed=3)[0].joints[0]


def falling(hold: int = 40) -> np.ndarray:
    """[T, 22, 3] m: upright, falls, lies still for `hold` frames."""
    joints = generate("fall", seed=5, direction="left")[0].joints
    return np.concatenate([np.repeat(joints[:1], 20, 0), joints, np.repeat(joints[-1:], hold, 0)])
