"""Hold what the page of a watch shows: people in view, health of the source, events and which are acknowledged.

The watch writes into it, in the time of a list's append; the page's own thread makes of it what it sends.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vimonet.watch.alarms import ACKNOWLEDGED, Alarm
from vimonet.watch.look import Look
from vimonet.watch.pose_window import PoseWindow
from vimonet.watch.stream import Event, PersonId, PoseFrame

if TYPE_CHECKING:
    from vimonet.watch.loop import Watch

KEPT: Final = 500
"""Events that are kept; beyond it the oldest goes, an alarm that nobody has acknowledged last."""
TROUBLES: Final = ("source_lost", "picture_black", "picture_frozen", "behind")
"""Lasting events in which the source shows nothing, or less than it should."""
_LOOKED_BACK: Final = 1.5  # s of frames that tell how a person is held now
_FRAMES: Final = 60  # that are kept for it
_LOOK_EVERY: Final = 0.4  # s
_LOOKS: Final = 2  # people looked at in one turn, so that a crowd does not slow the page
_RATE_OVER: Final = 5.0  # s over which frames/s are counted
_BODY: Final = 1.35  # m of trunk and leg, by which a body in a picture is given its thickness
_LONGEST: Final = 200  # signs of a text or an id that is shown


@dataclass
class Entry:
    """Hold an event of the list.

    Attributes:
        event: as last reported.
        text: what was said when it began.
        number: order in which it came.
        change: number of its latest change.
        rules: names of the rules that made it an alarm.
        message: the rule's own message, if it has one.
        acknowledged: when somebody acknowledged it, seconds since 1970.
    """

    event: Event
    text: str
    number: int
    change: int = 0
    rules: tuple[str, ...] = ()
    message: str = ""
    acknowledged: float | None = None

    @property
    def open(self) -> bool:
        """Whether it is an alarm that nobody has acknowledged."""
        return bool(self.rules) and self.acknowledged is None

    def to_dict(self) -> dict[str, Any]:
        """Make a JSON-ready dict."""
        event = self.event
        return {
            "id": event.id,
            "number": self.number,
            "event": event.kind,
            "time": _round(event.time),
            "end": None if event.end is None else _round(event.end),
            "person": None if event.person is None else _shown(event.person),
            "text": _shown(self.text),
            "over": "" if event.text == self.text else _shown(event.text),
            "rules": [_shown(name) for name in self.rules],
            "message": _shown(self.message),
            "acknowledged": self.acknowledged,
        }


@dataclass
class _Seen:
    """Hold a person in view."""

    frames: deque[PoseFrame] = field(default_factory=lambda: deque(maxlen=_FRAMES))
    posture: str = ""
    metre: float = 0.0
    looked: float = -np.inf


@dataclass
class Told:
    """Hold what one page has been sent."""

    frame: str = ""
    source: str = ""
    change: int = 0


class LiveState:
    """Hold the state of a watch. It is a detector that finds nothing, and is told of every event and alarm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._people: dict[PersonId, _Seen] = {}
        self._entries: dict[str, Entry] = {}
        self._change = self._number = 0
        self._watch: Watch | None = None
        self._counts: deque[tuple[float, int, int, int]] = deque()
        self._frame, self._source = (0.0, ""), (0.0, "")

    def attach(self, watch: Watch) -> None:
        """Show this watch."""
        self._watch = watch

    @property
    def change(self) -> int:
        """Number of the latest change of an event."""
        return self._change

    def entries(self) -> list[dict[str, Any]]:
        """List every event, JSON-ready, in the order of their coming."""
        with self._lock:
            return [entry.to_dict() for entry in self._entries.values()]

    def restore(self, entries: Sequence[Entry]) -> None:
        """Take the events of an earlier watch."""
        with self._lock:
            for entry in entries:
                self._number += 1
                self._entries[entry.event.id], entry.number = entry, self._number
                self._touch(entry)

    def push(self, frame: PoseFrame) -> Sequence[Event]:
        """Take the next frame of one person."""
        with self._lock:
            seen = self._people.get(frame.person)
            if seen is None:
                seen = self._people[frame.person] = _Seen()
            seen.frames.append(frame)
        return ()

    def gone(self, person: PersonId, time: float) -> Sequence[Event]:
        """Forget a person whose frames end."""
        with self._lock:
            self._people.pop(person, None)
        return ()

    def event(self, event: Event) -> None:
        """Take an event as it is reported, also when it is over."""
        if event.kind != ACKNOWLEDGED:
            with self._lock:
                self._entry(event).event = event

    def alarm(self, alarm: Alarm) -> None:
        """Take an alarm: its event has to be acknowledged, once more if that was done before."""
        if alarm.acknowledges or alarm.over or alarm.rule is None:
            return
        with self._lock:
            entry = self._entry(alarm.event)
            entry.rules = tuple(dict.fromkeys((*entry.rules, alarm.rule.name)))
            entry.message = alarm.message if alarm.rule.message else entry.message
            entry.acknowledged = None

    def acknowledge(self, id: str) -> dict[str, Any] | None:
        """Acknowledge an event; who comes second changes nothing. Returns the entry; None for an unknown id."""
        with self._lock:
            entry = self._entries.get(id)
            if entry is None:
                return None
            if entry.acknowledged is not None:
                return entry.to_dict()
            entry.acknowledged = round(time.time(), 3)
            self._touch(entry)
            event, said, rules, found = entry.event, entry.text, entry.rules, entry.to_dict()
        if self._watch is not None:
            now, value = self._watch.now, {"of": event.id, "event": event.kind, "rules": list(rules)}
            text = f"acknowledged: {said or event.kind}"
            self._watch.tell(Event(ACKNOWLEDGED, now, now, event.person, value, text))
        return found

    def news(self, told: Told) -> dict[str, str]:
        """Write what a page has not been sent yet: {key: JSON}; empty if there is nothing new."""
        with self._lock:
            entries = self._entries.values() if self._change > told.change else ()
            fresh = [entry.to_dict() for entry in entries if entry.change > told.change]
            told.change = self._change
        found = {"entries": compact_json(fresh)} if fresh else {}
        for key, text in (("source", self._source_now()), ("frame", self._frame_now())):
            if text != getattr(told, key):
                setattr(told, key, text)
                found[key] = text
        return found

    def _entry(self, event: Event) -> Entry:
        entry = self._entries.get(event.id)
        if entry is None:
            self._number += 1
            entry = self._entries[event.id] = Entry(event, event.text, self._number)
            if len(self._entries) > KEPT:
                older = list(self._entries)[:-1]
                del self._entries[next((id for id in older if not self._entries[id].open), older[0])]
        self._touch(entry)
        return entry

    def _touch(self, entry: Entry) -> None:
        self._change += 1
        entry.change = self._change

    def _frame_now(self, every: float = 0.02) -> str:
        """Write the people in view; pages that ask within `every` s share it."""
        at, text = self._frame
        if time.monotonic() - at < every and text:
            return text
        with self._lock:
            people = [(person, seen, seen.frames[-1], _interval(seen.frames)) for person, seen in self._people.items()]
            lasting: dict[PersonId | None, list[str]] = {}
            for entry in self._entries.values():
                if entry.event.end is None and entry.event.person is not None:
                    lasting.setdefault(entry.event.person, []).append(entry.event.kind)
        clock = self._watch.clock if self._watch is not None else None
        self._look_at([(seen, frame) for _, seen, frame, _ in people])
        shown = []
        for person, seen, frame, interval in people:
            unseen = 0.0 if clock is None else clock - frame.time
            joints = np.clip(np.nan_to_num(frame.joints), -1e6, 1e6)[:, : frame.dimensions]
            shown.append(
                {
                    "id": _shown(person),
                    "joints": np.round(joints.astype(float), 1 if frame.dimensions == 2 else 3).ravel().tolist(),
                    "seen": int((frame.seen.astype(np.int64) << np.arange(len(frame.seen))).sum()),
                    "metre": round(seen.metre, 1),
                    "posture": seen.posture,
                    "unseen": int(unseen) if unseen > max(1.0, 3 * interval) else None,
                    "events": lasting.get(person, []),
                }
            )
        newest = max((frame for _, _, frame, _ in people), key=lambda frame: frame.time, default=None)
        place = {} if newest is None else {"dimensions": newest.dimensions, "size": newest.size}
        text = compact_json({**place, "people": shown})
        self._frame = (time.monotonic(), text)
        return text

    def _look_at(self, people: list[tuple[_Seen, PoseFrame]]) -> None:
        """Find how people are held now: those first who were looked at longest ago."""
        at = time.monotonic()
        due = sorted((one for one in people if at - one[0].looked > _LOOK_EVERY), key=lambda one: one[0].looked)
        for seen, _ in due[:_LOOKS]:
            seen.looked = at
            window = PoseWindow(_LOOKED_BACK)
            with self._lock:
                frames = list(seen.frames)
            for frame in frames:
                window.push(frame)
            look = Look.of(window)
            seen.posture = look.posture
            if look.flat and look.scale[0] > 1e-3:
                seen.metre = max(look.scale[0] / _BODY, 0.97 * seen.metre)  # who bends down is no smaller

    def _source_now(self) -> str:
        """Write how the source is, once a second."""
        at, text = self._source
        if time.monotonic() - at < 1.0 and text:
            return text
        with self._lock:
            lasting = [
                one.event for one in self._entries.values() if one.event.end is None and one.event.person is None
            ]
        troubles = [
            {"event": event.kind, "text": _shown(event.text), "time": _round(event.time)}
            for event in lasting
            if event.kind in TROUBLES
        ]
        found: dict[str, Any] = {"troubles": troubles}
        watch = self._watch
        if watch is not None:
            done, now = watch.so_far(), time.monotonic()
            self._counts.append((now, done.given, done.looked_at, done.dropped))
            while now - self._counts[0][0] > _RATE_OVER:
                self._counts.popleft()
            begun, given, looked, dropped = self._counts[0]
            seconds = max(now - begun, 1e-6)
            found |= {
                "state": "ended" if watch.ended else "waiting" if watch.clock is None else "watching",
                "fps": round((done.given - given) / seconds, 1) if seconds > 0.5 else None,
                "looked": round((done.looked_at - looked) / seconds, 1) if seconds > 0.5 else None,
                "dropped": round((done.dropped - dropped) / max(1, done.given - given), 3),
                "clock": None if watch.clock is None else _round(watch.now),
            }
        text = compact_json(found)
        self._source = (time.monotonic(), text)
        return text


def _interval(frames: Sequence[PoseFrame]) -> float:
    """Compute the seconds between the two newest frames of a person."""
    return frames[-1].time - frames[-2].time if len(frames) > 1 else 0.0


def compact_json(value: Any) -> str:
    """Write JSON without spaces, in ASCII."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _round(seconds: float) -> float:
    return round(float(seconds), 3) if np.isfinite(seconds) else 0.0


def _shown(value: object) -> str:
    return str(value)[:_LONGEST]
