"""Count an exercise as it is done: an event for every repetition, with its depth and the tempo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from vimonet.motion.kinematics.exercises import canonical, count_exercise
from vimonet.utils.errors import InputError
from vimonet.watch.pose_window import PoseWindow
from vimonet.watch.stream import Event, PersonId, PoseFrame

_SECONDS: Final = 20.0  # that are counted over: rests and sizes are those of the last repetitions
_EVERY: Final = 0.5
_SETTLED: Final = 0.4  # s after its end from which a repetition is not drawn out or split any more
_APART: Final = 0.3  # s by which the same repetition may shift from one window to the next


class Repetitions:
    """Detect the repetitions of an exercise.

    Args:
        exercise: a name that `vimonet count` takes, or nothing for whatever repeats.

    Raises:
        InputError: an unknown exercise.
    """

    def __init__(self, exercise: str = "") -> None:
        self.asked, self.exercise = exercise, canonical(exercise or None)
        self._people: dict[PersonId, _Counted] = {}

    def push(self, frame: PoseFrame) -> Sequence[Event]:
        """Take the next frame of one person."""
        person = self._people.setdefault(frame.person, _Counted())
        person.window.push(frame)
        if frame.time < person.due or person.window.duration < 1.0:
            return ()
        person.due = frame.time + _EVERY
        return self._new(frame.person, person, frame.time - _SETTLED)

    def gone(self, person: PersonId, time: float) -> Sequence[Event]:
        """Count what was done last."""
        counted = self._people.pop(person, None)
        return self._new(person, counted, time) if counted and counted.window.duration >= 1.0 else ()

    def _new(self, person: PersonId, counted: _Counted, until: float) -> list[Event]:
        try:
            found = count_exercise(counted.window.motion(), self.exercise)
        except InputError:  # too little of the body is seen
            return []
        events = []
        for one in found.repetitions:
            start, end = counted.window.start + one.start, counted.window.start + one.end
            if end > until or start < counted.until - _APART:
                continue
            counted.count, counted.until = counted.count + 1, end
            value = {"exercise": self.asked or self.exercise, "count": counted.count, "seconds": round(end - start, 2)}
            if one.depth is not None:
                value |= {"depth": round(one.depth, 3), "unit": found.unit}
            if found.tempo is not None:
                value["tempo_per_minute"] = round(found.tempo, 1)
            text = f"person {person}: {self.exercise} number {counted.count}"
            events.append(Event("repetition", start, end, person, value, text))
        return events


class _Counted:
    def __init__(self) -> None:
        self.window = PoseWindow(_SECONDS)
        self.due = self.until = -np.inf
        self.count = 0
