"""Measure how the heights of hips and hands and the inclination of the trunk change: direction, repetitions, peak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics.fact_lines import times
from vimonet.motion.kinematics.preparation import PELVIS, SIDES, WRIST, Array, Body, find_peaks, runs, smooth

_LEAST = {"hips": 0.2, "hand": 0.35}  # leg lengths of range: a bent knee; a forearm
_BEND = 25.0  # degrees of range of the trunk: a nod of the body, more than any stride
_AWAY = 0.35  # share of the range: the way that is gone first
_TOP = 0.15  # share of the range below the peak that still belongs to it
_EDGE = 0.2  # s at both ends whose mean is the height there


@dataclass(frozen=True, slots=True)
class Course:
    """Describe how the height of hips or a hand, or the inclination of the trunk, changes over a recording.

    Attributes:
        part: 'hips', 'trunk', 'left hand' or 'right hand'.
        low, high: least and greatest height over the floor, m; of the trunk its inclination from upright, degrees.
        first: direction of the first movement, 'up' or 'down' (of the trunk 'up': more inclined); None if the part does
            not leave a third of its range.
        net: level at the end against the start: 'up', 'down', 'back' (within a quarter of the range), or None between.
        times: number of peaks; a peak is a lowest point of the hips, a greatest inclination, a highest point of a hand.
        peak_start, peak_end: time span around the highest peak, within 15 % of the range of it, s.
    """

    part: str
    low: float
    high: float
    first: str | None
    net: str | None
    times: int
    peak_start: float
    peak_end: float

    @property
    def peak(self) -> float:
        """Middle of the time span of the highest peak, s."""
        return (self.peak_start + self.peak_end) / 2.0

    @property
    def at_peak(self) -> str:
        """How the part is at its peak: 'lowest', 'most bent' or 'highest'."""
        return {"hips": "lowest", "trunk": "most bent"}.get(self.part, "highest")

    def way(self) -> str:
        """Say the course: "down, then up", "up and down 5 times", "up"; "" where it is not clear."""
        if self.times > 1:
            return f"{'down and up' if self.first == 'down' else 'up and down'} {self.times} times"
        if self.net in ("up", "down"):
            return self.net
        if self.net == "back" and self.first:
            return f"{self.first}, then {'down' if self.first == 'up' else 'up'}"
        return ""

    def line(self, duration: float) -> str:
        """Write the course as one readable line, with the class of its time in a recording of `duration` s."""
        told = [times(self.times)] if self.part == "trunk" else [self.way().replace(",", "")]
        if self.times == 1:
            span = self.peak_start, self.peak_end, duration
            third, half = c.third_of(*span), half_of(*span)
            told.append(f"{self.at_peak} at {self.peak:.1f} s")
            told.append({None: "", "middle": "in the middle"}.get(third, f"at the {third}"))
            told.append(f"{half} half" if half else "")
        return f"{'trunk bends' if self.part == 'trunk' else self.part}: {', '.join(filter(None, told))}"


def half_of(start: float, end: float, duration: float) -> str | None:
    """Name the half of a recording in which an event happens: 'first' or 'second', else None (all in s)."""
    if not c.LONG_CLIP.decide(duration) or c.BRIEF_EVENT.decide((end - start) / duration) is not False:
        return None
    middle = (start + end) / 2.0 / duration
    return ("first" if middle < 0.5 else "second") if c.NEAR_THIRD.decide(abs(middle - 0.5)) else None


def courses(body: Body, legs: bool) -> tuple[Course, ...]:
    """Measure how the heights of hips and hands and the inclination of the trunk change.

    Args:
        body: recording as `preparation.prepare` returns it; in 2D, heights are those in the picture.
        legs: True for 3D with both legs tracked; else the hips are left out, as their height over the floor is unknown.

    Returns:
        One course for each part whose range is large enough (module constants).
    """
    found = []
    if legs:
        found.append(_course("hips", body.joints[:, PELVIS, 1] - body.floor, _LEAST["hips"] * body.leg, body, -1.0))
    found.append(_course("trunk", body.tilt, _BEND, body, 1.0))
    for side in SIDES:
        if body.seen[f"{side} arm"]:
            height = body.joints[:, WRIST[side], 1] - body.floor
            found.append(_course(f"{side} hand", height, _LEAST["hand"] * body.leg, body, 1.0))
    return tuple(course for course in found if course is not None)


def _course(part: str, x: Array, least: float, body: Body, sign: float) -> Course | None:
    """Measure one course; None if it stays within `least`. The peak is the lowest point if `sign` is -1."""
    x = smooth(x, 0.1, body.fps)
    low, high = float(x.min()), float(x.max())
    if high - low < least:
        return None
    share = (x - low) / (high - low)
    edge = max(1, round(_EDGE * body.fps))
    start, end = float(share[:edge].mean()), float(share[-edge:].mean())
    away = np.flatnonzero(np.abs(share - start) > _AWAY)
    change = end - start
    toward = share if sign > 0 else 1.0 - share
    inside = np.concatenate(([0.0], toward, [0.0]))  # a peak at an end counts
    peaks, _ = find_peaks(inside, prominence=0.5, distance=max(1, round(0.2 * body.fps)))
    top = int(np.argmax(toward))
    a, b = next((a, b) for a, b in runs(toward > 1.0 - _TOP) if a <= top < b)
    return Course(
        part,
        low,
        high,
        ("up" if share[away[0]] > start else "down") if len(away) else None,
        "back" if abs(change) < 0.25 else None if abs(change) < 0.6 else "up" if change > 0 else "down",
        len(peaks),
        a / body.fps,
        b / body.fps,
    )
