"""Find raised and waving hands: a call for help, or a robot's cue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics.limbs import RAISE_ENTER, RAISE_STAY
from vimonet.motion.kinematics.preparation import ELBOW, SHOULDER, WRIST, norm, rank, smooth
from vimonet.motion.motion import FPS
from vimonet.watch.look import Check, Look, Span
from vimonet.watch.stream import Event

_WAVE_TIME: Final = 2.5
"""Seconds in which swings are counted: two of a slow wave."""


@dataclass
class RaisedHand(Check):
    """Find a hand that is held above its shoulder: a call for help, or a robot's cue."""

    side: str
    span: Span = field(default_factory=lambda: Span("raised_hand"))

    def look(self, look: Look) -> Iterator[Event]:
        """Measure how high the wrist is."""
        over = hand_height(look, self.side)
        held = max(1, round(c.RAISE_HELD.yes * FPS))
        if len(over) < held or look.lies:
            yield from self.span.over(look.end)
        elif self.span.event is None and (over[-held:] > RAISE_ENTER).all():
            text = f"person {look.person} raises the {self.side} hand"
            yield from self.span.begin(look.end - (held - 1) / FPS, look.person, text, side=self.side)
        elif (over[-held:] < RAISE_STAY).all():
            yield from self.span.over(look.end, f"person {look.person} lowers the {self.side} hand")


@dataclass
class Waving(Check):
    """Find a hand that swings from side to side over its elbow."""

    side: str
    span: Span = field(default_factory=lambda: Span("waving"))

    def look(self, look: Look) -> Iterator[Event]:
        """Count the swings of the last seconds."""
        swings = self._swings(look)
        if swings >= c.WAVES.yes:
            text = f"person {look.person} waves the {self.side} hand"
            start = max(look.start, look.end - _WAVE_TIME)
            yield from self.span.begin(start, look.person, text, side=self.side)
        elif swings < c.WAVES.no:
            yield from self.span.over(look.end, f"person {look.person} stops waving the {self.side} hand")

    def _swings(self, look: Look) -> int:
        rows = slice(max(0, len(look.joints) - round(_WAVE_TIME * FPS)), None)
        wrist, elbow, shoulder = (k[self.side] for k in (WRIST, ELBOW, SHOULDER))
        if look.seen[rows][:, [wrist, elbow, shoulder]].all(axis=1).mean() < 0.8:
            return 0
        hand = (look.joints[rows, wrist] - look.joints[rows, shoulder]).astype(np.float64)
        lower = (look.joints[rows, wrist, 1] > look.joints[rows, elbow, 1]).mean() < 0.7
        if len(hand) < FPS or lower or look.lies:
            return 0
        level = smooth(hand[:, [0, 2]], 0.05, FPS)
        fast = level - smooth(level, 0.5, FPS)
        _, axes = np.linalg.eigh(fast.T @ fast)
        x = fast @ axes[:, -1]
        turn = np.flatnonzero(np.diff(np.sign(np.diff(x)))) + 1
        large = np.abs(np.diff(x[turn])) > c.WAVE_SWING.yes * arm_length(look, self.side)
        times = np.diff(turn)[large]
        # A wave swings evenly; hands that work or talk do not.
        even = len(times) > 0 and times.max() <= c.WAVE_EVEN.yes * times.min()
        return len(times) if even else 0


def arm_length(look: Look, side: str) -> float:
    """Measure the arm from shoulder over elbow to wrist: in a picture the greatest length that is seen."""
    shoulder, elbow, wrist = (look.joints[:, k[side]] for k in (SHOULDER, ELBOW, WRIST))
    return max(rank(norm(elbow - shoulder) + norm(wrist - elbow), 0.9), 1e-6)


def hand_height(look: Look, side: str) -> NDArray[np.floating]:
    """Measure the height of a wrist over its shoulder, arm lengths [T]; -1 where either is not seen."""
    shoulder, wrist = SHOULDER[side], WRIST[side]
    over = (look.joints[:, wrist, 1] - look.joints[:, shoulder, 1]) / arm_length(look, side)
    return np.where(look.seen[:, [shoulder, wrist]].all(axis=1), over, -1.0)
