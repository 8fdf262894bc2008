"""Turn events into alarms by the rules, and hand them to the sinks without ever holding up the watch."""

from __future__ import annotations

import datetime
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from vimonet.motion.kinematics.exercises import ANY
from vimonet.watch.look import within
from vimonet.watch.rules import Rule, fill_message
from vimonet.watch.stream import Event, PersonId, PoseFrame

_WALL_CLOCK: Final = 1e8
"""Times of a source above this are seconds since 1970; those below count from the start of a film."""
_WAITING: Final = 10_000
"""Alarms that wait for slow sinks; beyond it the oldest are dropped, and that is said."""
ACKNOWLEDGED: Final = "acknowledged"
"""Event that somebody has seen an alarm: value holds its ``of`` (id), ``event`` and ``rules`` (names)."""
_PEOPLE: Final = 256
"""People whose newest place is kept; somebody who is lost with the source is not said to leave."""


@dataclass(frozen=True)
class Alarm:
    """Hold what a sink is told.

    Attributes:
        rule: the rule that it follows from; None for a plain event (sinks that log everything).
        event: what happened.
        message: a sentence for people.
        over: whether the alarm is over: the person is up again, the hand is down.
    """

    rule: Rule | None
    event: Event
    message: str
    over: bool = False

    @property
    def acknowledges(self) -> bool:
        """Whether it only tells that somebody has seen an earlier alarm."""
        return self.event.kind == ACKNOWLEDGED

    def to_dict(self) -> dict[str, Any]:
        """Make a JSON-ready dict."""
        name = self.rule.name if self.rule else ""
        return {"rule": name, "message": self.message, "over": self.over, **self.event.to_dict()}


class Sink(Protocol):
    """Tell somebody of an alarm."""

    def send(self, alarm: Alarm) -> None:
        """Deliver an alarm; called in a thread of the sink's own."""
        ...

    def close(self) -> None:
        """Deliver what can be delivered at once, and let go."""
        ...


class Delivery:
    """Run one sink in a thread of its own, so that a slow receiver holds up neither the watch nor another sink."""

    def __init__(self, name: str, sink: Sink, say: Callable[[str], None]) -> None:
        self.name, self.sink, self.say = name, sink, say
        self._queue: queue.Queue[Alarm | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name=f"sink-{name}", daemon=True)
        self._thread.start()

    def put(self, alarm: Alarm) -> None:
        """Hand over an alarm without waiting."""
        try:
            self._queue.put_nowait(alarm)
        except queue.Full:
            self.say(f"sink {self.name}: {_WAITING} alarms wait; one is dropped.")

    def close(self, seconds: float = 5.0) -> None:
        """Deliver what waits, for so long at most."""
        self._queue.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive() and (left := self._queue.qsize()):  # the end mark counts for the one being sent
            self.say(f"sink {self.name}: it is too slow; {left} of its alarms did not reach it in time.")
        self.sink.close()

    def _run(self) -> None:
        while (alarm := self._queue.get()) is not None:
            try:
                self.sink.send(alarm)
            except Exception as error:  # a sink that fails must not end the others
                self.say(f"sink {self.name}: {type(error).__name__}: {error}")


@dataclass
class _Open:
    """Hold an event that lasts, for one rule."""

    event: Event
    raised: bool = False


@dataclass
class Alarms:
    """Apply the rules to events.

    Args:
        rules: the rules.
        sinks: name -> sink; each runs in its own thread.
        live: whether the source's clock runs on between its frames.
        say: gets remarks for the user.
        now: the time of day, for quiet hours of a film.
    """

    rules: Sequence[Rule]
    sinks: Mapping[str, Sink]
    live: bool = True
    say: Callable[[str], None] = lambda text: None
    now: Callable[[], datetime.datetime] = datetime.datetime.now
    raised: int = 0
    _frames: dict[PersonId, PoseFrame] = field(default_factory=dict)
    _open: dict[tuple[int, str], _Open] = field(default_factory=dict)
    _last: dict[int, float] = field(default_factory=dict)
    _time: float = float("-inf")
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._deliveries = {name: Delivery(name, sink, self.say) for name, sink in self.sinks.items()}
        self._lock = threading.RLock()
        self._closed = threading.Event()
        if self.live:
            threading.Thread(target=self._clock, name="alarms", daemon=True).start()

    def frame(self, frame: PoseFrame) -> None:
        """Take note of where a person is, and of the time."""
        with self._lock:
            self._frames.pop(frame.person, None)  # the newest is last
            self._frames[frame.person] = frame
            if len(self._frames) > _PEOPLE:
                del self._frames[next(iter(self._frames))]
            self.tick(frame.time)

    def event(self, event: Event) -> list[Alarm]:
        """Apply the rules to an event; return the alarms that it raises or ends."""
        with self._lock:
            alarms = self.tick(event.time if event.end is None else event.end)
            for index, rule in enumerate(self.rules):
                if event.kind == ACKNOWLEDGED and rule.name in event.value["rules"]:
                    alarms.append(self._send(rule, event, over=False))
                elif self._concerns(rule, event):
                    alarms += self._apply(index, rule, event)
            if event.kind == "leaves" and event.person is not None:
                self._frames.pop(event.person, None)
            return alarms

    def tick(self, time_now: float) -> list[Alarm]:
        """Let the source's clock advance; return the alarms of events that have now lasted long enough."""
        with self._lock:
            if time_now > self._time:
                self._time, self._at = time_now, time.monotonic()
            alarms = []
            for (index, _), held in list(self._open.items()):
                rule = self.rules[index]
                if not held.raised and self._time - held.event.time >= rule.duration:
                    alarms += self._raise(index, rule, held)
            return alarms

    def close(self) -> None:
        """Deliver what waits and let the sinks go."""
        self._closed.set()
        for delivery in self._deliveries.values():
            delivery.close()

    def _clock(self) -> None:
        while not self._closed.wait(0.5):
            with self._lock:
                if self._open and self._at:
                    now = self._time + time.monotonic() - self._at
                    for (index, _), held in list(self._open.items()):
                        if not held.raised and now - held.event.time >= self.rules[index].duration:
                            self._raise(index, self.rules[index], held)

    def _concerns(self, rule: Rule, event: Event) -> bool:
        if rule.event != event.kind:
            return False
        value = event.value
        if rule.side and value.get("side") != rule.side:
            return False
        if rule.event == "out_of_bed":
            return bool(value.get("bed") == rule.name)
        if rule.sentence and value.get("sentence") != rule.sentence:
            return False
        # A rule without an exercise has its own count, of whatever repeats.
        return rule.event != "repetition" or value.get("exercise") == (rule.exercise or ANY)

    def _apply(self, index: int, rule: Rule, event: Event) -> list[Alarm]:
        key = (index, event.id)
        held = self._open.get(key)
        if event.end is None:
            if held is None and self._inside(rule, event):
                held = self._open[key] = _Open(event)
                if rule.duration <= 0:
                    return self._raise(index, rule, held)
            return []
        if held is not None:
            del self._open[key]
            held.event = event
            if held.raised:
                return [self._send(rule, event, over=True)]
            if event.end - event.time >= rule.duration:
                return self._raise(index, rule, held)
            return []
        # Something that is over when it is reported: a person enters, one more repetition.
        at_once = event.end - event.time >= rule.duration and self._inside(rule, event)
        return self._raise(index, rule, _Open(event)) if at_once else []

    def _inside(self, rule: Rule, event: Event) -> bool:
        if rule.zone is None or rule.event == "out_of_bed":
            return True
        frame = self._frames.get(event.person) if event.person is not None else None
        return frame is not None and bool(within(frame, rule.zone))

    def _raise(self, index: int, rule: Rule, held: _Open) -> list[Alarm]:
        cools = index in self._last and self._time - self._last[index] < rule.cool_down
        if cools or rule.quiet_at(self._clock_of(held.event).time()):
            held.raised = False
            self._open.pop((index, held.event.id), None)
            return []
        held.raised = True
        self._last[index] = self._time
        self.raised += 1
        return [self._send(rule, held.event, over=False)]

    def _clock_of(self, event: Event) -> datetime.datetime:
        """Return the time of day of an event: its own if the source tells it, else that of the watch."""
        return datetime.datetime.fromtimestamp(event.time) if event.time > _WALL_CLOCK else self.now()

    def _send(self, rule: Rule, event: Event, *, over: bool) -> Alarm:
        when = self._clock_of(event).strftime("%H:%M:%S") if event.time > _WALL_CLOCK else f"{event.time:.1f} s"
        person = "" if event.person is None else str(event.person)
        fields = {"text": event.text, "person": person, "time": when, "rule": rule.name, "event": event.kind}
        own = rule.message if event.kind != ACKNOWLEDGED else ""
        template = "{rule}: over, {text}" if over else own or "{rule}: {text} ({time})"
        alarm = Alarm(rule, event, fill_message(template, fields), over)
        for name, delivery in self._deliveries.items():
            if not rule.sinks or name in rule.sinks:
                delivery.put(alarm)
        return alarm
