"""Run a watch: source -> pictures or poses -> people -> detectors -> events.

watch = Watch(source_of("rtsp://camera/stream"), detectors=[...])
for event in watch.events():
    print(event.text)
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.pose.tracking import PoseEstimator
from vimonet.watch.feed import BACKOFF, Arrival, Change, Feed
from vimonet.watch.look import Span
from vimonet.watch.placing import Placer
from vimonet.watch.presence import Presence
from vimonet.watch.readings import Picture, PoseReading, SeenPerson, Source, SourceOptions
from vimonet.watch.source_health import RisingClock, SourceHealth
from vimonet.watch.stream import Detector, Event, PersonId, PoseFrame

STALL: Final = 3.0
"""Seconds without anything from a source that should give frames all the time, after which it counts as lost."""
POSE_EVERY: Final = 0.045
"""Least seconds of the source's clock between two poses of a live source: 12.5 a second of 25 frames, 15 of 30, 20 of
20. Frames between them are looked at for the camera's health alone; events are measured at 20 frames/s in between."""
_TURN: Final = 0.2  # s, for one wait
_LAGS: Final = 4096  # newest delays that are kept


@dataclass
class Summary:
    """Hold what a watch did.

    Attributes:
        given: frames that the source gave.
        looked_at: those that were looked at.
        estimated: pictures among them in which people were looked for; see `POSE_EVERY`.
        dropped: those that were dropped because newer ones had come.
        late: those that came out of order.
        unreadable: messages and people that could not be read.
        people: how many came into view.
        seconds: between the first and the last frame, of the source's clock.
        events: {kind: how often it began}.
        lags: newest delays from the arrival of a frame with people looked for to the end of its detectors, s.
    """

    given: int = 0
    looked_at: int = 0
    estimated: int = 0
    dropped: int = 0
    late: int = 0
    unreadable: int = 0
    people: int = 0
    seconds: float = 0.0
    events: Counter[str] = field(default_factory=Counter)
    lags: deque[float] = field(default_factory=lambda: deque(maxlen=_LAGS))

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.events.items())) or "no events"
        parts = [f"{self.looked_at} of {self.given} frames looked at over {self.seconds:.1f} s"]
        parts += [f"{self.dropped} dropped"] * (self.dropped > 0) + [f"{self.late} late"] * (self.late > 0)
        parts += [f"{self.unreadable} unreadable"] * (self.unreadable > 0)
        return ", ".join(parts) + f"; {self.people} {'person' if self.people == 1 else 'people'}; {kinds}"


class Watch:
    """Watch a source.

    Args:
        source: not open yet.
        detectors: get the frames of every person in view.
        options: what the user says of the source.
        estimator: builds the pose estimator of a source of pictures; None for `estimator_of`.
        speed: plays a film at so many times its speed, dropping frames as a camera would; None: every frame.
        wait: whether to wait for a source that is not there at the start.
        stall: seconds without a frame after which the source counts as lost.
        backoff: shortest and longest wait before a lost source is opened again, s.
        on_frame: get every frame of every person (live skeletons).
        on_picture: get (time, picture) of every picture that shows something new.
        stay: whether to wait for `stop` after the source's end, for events that are told from outside.
        say: gets remarks for the user, one sentence each.
        pose_every: least seconds between two poses of a source of pictures; None: `POSE_EVERY` if the source is live or
            played at a speed, otherwise every frame.
    """

    def __init__(
        self,
        source: Source,
        detectors: Sequence[Detector] = (),
        *,
        options: SourceOptions | None = None,
        estimator: Callable[[], PoseEstimator] | None = None,
        speed: float | None = None,
        wait: bool = False,
        stall: float = STALL,
        backoff: tuple[float, float] = BACKOFF,
        on_frame: Sequence[Callable[[PoseFrame], None]] = (),
        on_picture: Sequence[Callable[[float, NDArray[np.uint8]], None]] = (),
        stay: bool = False,
        say: Callable[[str], None] = lambda text: None,
        pose_every: float | None = None,
    ) -> None:
        options = options or SourceOptions()
        self.source, self.detectors, self.summary = source, detectors, Summary()
        self.on_frame, self.on_picture, self.say = on_frame, on_picture, say
        self.presence, self.ended = Presence(), False
        self._stay = stay
        self._told: deque[Event] = deque()
        self._build = estimator
        self._estimator: PoseEstimator | None = None
        self._feed = Feed(source, speed=speed, wait=wait, backoff=backoff)
        self._pose_every = (POSE_EVERY if self._feed.newest_wins else 0.0) if pose_every is None else pose_every
        self._pose_due = -np.inf
        self._clock = RisingClock(source.live, anchored=source.live and source.pictures)
        self._health = SourceHealth()
        self._lost = Span("source_lost")
        self._placer = Placer(source.name, options.unit, options.up, options.size)
        self._stall = stall if source.live or source.endless else None
        self._newest = time.monotonic()
        self._first: float | None = None
        self._stopped = threading.Event()
        self._said = False

    @property
    def clock(self) -> float | None:
        """Time of the newest frame, s of the source's clock; None before the first."""
        return self._clock.latest

    @property
    def now(self) -> float:
        """Time of the source's clock at this moment, s; that of the newest frame where the clock does not run on."""
        return self._clock.now(time.monotonic())

    def so_far(self) -> Summary:
        """Sum up what has been done until now; any thread may ask."""
        summary, messages = self.summary, getattr(self.source, "messages", self.source)
        summary.given, summary.dropped, summary.late = self._feed.given, self._feed.dropped, self._clock.late
        summary.unreadable = self._placer.unreadable + getattr(messages, "bad", 0)
        summary.people = self.presence.entered
        if self._first is not None and self._clock.latest is not None:
            summary.seconds = self._clock.latest - self._first
        return summary

    def tell(self, event: Event) -> None:
        """Take an event from outside, which `events` yields soon; any thread may tell."""
        self._told.append(event)

    def stop(self) -> None:
        """End the watch soon; what lasts is ended first."""
        self._stopped.set()

    def events(self) -> Iterator[Event]:
        """Watch until the source ends or `stop` is called, and yield events as they happen.

        Raises:
            InputError: the source cannot be watched, or no pose estimator is installed.
        """
        if self.source.pictures:
            self._estimator = self._new_estimator()
        self._newest = time.monotonic()
        self._feed.start()
        try:
            while not self._stopped.is_set():
                item = self._feed.get(_TURN)
                if isinstance(item, Change) and item.kind == "ended":
                    break
                for event in self._turn(item):
                    yield self._counted(event)
                yield from self._outside()
            for event in self._finish():
                yield self._counted(event)
            self.ended = True
            while self._stay and not self._stopped.wait(_TURN):
                yield from self._outside()
            yield from self._outside()
        finally:
            self._feed.stop()
            if self._estimator is not None:
                self._estimator.close()
            self.so_far()

    def _outside(self) -> Iterator[Event]:
        while self._told:
            yield self._counted(self._told.popleft())

    def _turn(self, item: Arrival | Change | None) -> list[Event]:
        if isinstance(item, Change):
            if item.kind == "back":
                return []  # the frame that comes with it says so
            return self._interrupt(self._clock.now(item.at), item.text)
        if item is None:
            silent = time.monotonic() - self._newest
            if self._stall is not None and silent > self._stall:
                return self._interrupt(self._clock.now(self._newest), f"nothing comes for {self._stall:g} s")
            return []
        estimated = self.summary.estimated
        events = self._arrived(item)
        if not self.source.pictures or self.summary.estimated > estimated:
            self.summary.lags.append(time.monotonic() - item.at)
        return events

    def _arrived(self, item: Arrival) -> list[Event]:
        reading = item.reading
        self._newest = item.at
        before = self._clock.latest
        now, events = self._clock.take(reading.time, item.at, time.time() - (time.monotonic() - item.at))
        if now is None:
            return events
        if self._first is None:
            self._first = now
        silent = 0.0 if before is None else now - before
        if events:  # the clock jumped
            events += self._everybody_gone(before or now)
            self._health.forget()
        elif not self._feed.newest_wins and silent > max(self._stall or STALL, STALL):
            text = f"the source has no frames for {silent:.0f} s"
            events += self._interrupt(before or now, text)
        events += self._lost.over(now, "the source is back, after {seconds}")
        events += self._health.count(item.number, self._feed.dropped, now)
        if isinstance(reading, Picture):
            return events + self._look(reading.image, now)
        new, found = self._health.poses(reading.people, now)
        events += found
        if self._health.blind:
            return events + self._everybody_gone(now)
        return events + (self._follow(reading._replace(time=now), last=False) if new else [])

    def _look(self, image: NDArray[np.uint8], now: float) -> list[Event]:
        """Look at a picture, unless it shows nothing new."""
        new, events = self._health.picture(image, now)
        if self._health.blind:
            return events + self._everybody_gone(now)
        if not new:
            return events
        if any(event.kind == "size_changed" for event in events):
            events += self._everybody_gone(now)
            assert self._estimator is not None
            self._estimator.close()
            self._estimator = self._new_estimator()  # it follows people by places in the picture
        for tap in self.on_picture:
            tap(now, image)
        if now < self._pose_due:
            self.summary.looked_at += 1
            return events
        self._pose_due = now + self._pose_every
        self.summary.estimated += 1
        assert self._estimator is not None
        people = tuple(
            SeenPerson(np.column_stack([person.points, person.confidence])) for person in self._estimator.people(image)
        )
        names, size = LAYOUTS[self._estimator.layout], (image.shape[1], image.shape[0])
        reading = PoseReading(now, people, {"names": names, "dimensions": 2, "size": size})
        return events + self._follow(reading, last=True)

    def _follow(self, reading: PoseReading, *, last: bool) -> list[Event]:
        """Follow the people of a moment, and let the detectors see them."""
        events: list[Event] = []
        self.summary.looked_at += 1
        for one, placed in self._placer.place(reading, last=last):
            assert one.time is not None
            frames, gone, found = self.presence.see(placed, one.time, self._placer.size, self._placer.dimensions)
            events += found + self._gone(gone, one.time)
            for frame in frames:
                for tap in self.on_frame:
                    tap(frame)
                for detector in self.detectors:
                    events += detector.push(frame)
        if self._placer.said and not self._said and not self.source.pictures:
            self._said = True
            self.say(f"poses of {self.source.name}: {self._placer.said}")
        return events

    def _interrupt(self, now: float, text: str) -> list[Event]:
        """Report that the source is lost."""
        events = self._everybody_gone(now) + self._lost.begin(now, None, text)
        self._health.forget()
        return events

    def _everybody_gone(self, now: float) -> list[Event]:
        return self._gone(self.presence.interrupt(now), now)

    def _gone(self, people: Sequence[PersonId], now: float) -> list[Event]:
        return [event for person in people for detector in self.detectors for event in detector.gone(person, now)]

    def _finish(self) -> list[Event]:
        """End what lasts, at the source's end."""
        now = self._clock.latest or 0.0
        events = self._follow(PoseReading(now, ()), last=True) if not self.source.pictures and not self._said else []
        events += self._everybody_gone(now) + self._health.over(now)
        return events + self.presence.nobody.over(now, "the watch ended")

    def _new_estimator(self) -> PoseEstimator:
        from vimonet.motion.pose import estimator_of

        return (self._build or estimator_of)()

    def _counted(self, event: Event) -> Event:
        if event.end is None or event.end == event.time:
            self.summary.events[event.kind] += 1
        return event
