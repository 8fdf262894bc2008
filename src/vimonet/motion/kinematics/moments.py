"""Measure moments: pauses, the fastest one, getting up, take-offs, landings, ends of falls, the last repetition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vimonet.motion.kinematics.fact_lines import lasting
from vimonet.motion.kinematics.limbs import knee_flexion
from vimonet.motion.kinematics.posture_and_events import Fall, Jump, Posture
from vimonet.motion.kinematics.preparation import (
    HEAD,
    NECK,
    PELVIS,
    Array,
    Body,
    find_peaks,
    gradient,
    norm,
    runs,
    smooth,
    speed,
)
from vimonet.motion.kinematics.repetitions import Repetitions
from vimonet.motion.kinematics.trajectory import relative_angle

MOVERS = {"pelvis": PELVIS, "head": HEAD, "left foot": 7, "right foot": 8, "left hand": 20, "right hand": 21}
LOW = ("sitting", "kneeling", "lying", "on all fours")
STILL, MOVING = 0.15, 0.3  # m/s of the fastest joint


@dataclass(frozen=True, slots=True)
class Flight:
    """Describe how a jump begins and ends.

    Attributes:
        takes_off: foot that leaves the ground last: 'left', 'right', or 'both' within 0.1 s.
        lands: foot that meets the ground first, in the same words.
        knee: greatest flexion of a knee within 0.5 s of the landing, degrees.
    """

    takes_off: str
    lands: str
    knee: float


@dataclass(frozen=True, slots=True)
class Landing:
    """Describe how a fall ends.

    Attributes:
        angle: direction in which the neck goes, degrees from the facing before the fall, positive to the left.
        distance: how far it goes over the ground, m.
        head_height: least height of the head joint over the floor until 0.6 s after the fall, m.
        head_speed: greatest downward speed of the head in the 0.3 s before it is down, m/s.
        up_again: time at which the first 0.4 s of standing after it begin, s, or None.
    """

    angle: float
    distance: float
    head_height: float
    head_speed: float
    up_again: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """Compare the last repetition with the first one.

    Attributes:
        size: ratio of their ranges of movement.
        time: ratio of their durations.
        unevenness: standard deviation of all durations as a share of their mean.
    """

    size: float
    time: float
    unevenness: float


@dataclass(frozen=True, slots=True)
class Moments:
    """Hold moments of a recording.

    Attributes:
        pauses: stretches of 0.4 s or more in which no joint is faster than 0.15 m/s, between two of movement, s.
        longest_calm: longest stretch in which no joint is faster than 0.3 m/s, first and last ones too, s.
        fastest: name of the joint with the highest speed: 'pelvis', 'head', 'left foot' ... 'right hand'.
        fastest_time: time of that peak, s.
        fastest_speed: m/s.
        next_speed: highest speed of any joint more than 0.8 s from it, m/s.
        pelvis_time: time of the highest horizontal speed of the pelvis, s.
        rises: start and end of each getting up, from the rise of the pelvis to the first upright stand, s.
        flights: one for each jump.
        landings: one for each fall.
        trend: last against first of four or more slow repetitions; None for fewer.
    """

    pauses: tuple[tuple[float, float], ...]
    longest_calm: float
    fastest: str
    fastest_time: float
    fastest_speed: float
    next_speed: float
    pelvis_time: float
    rises: tuple[tuple[float, float], ...]
    flights: tuple[Flight, ...]
    landings: tuple[Landing, ...]
    trend: Trend | None

    def lines(self) -> list[str]:
        """Return readable facts with units."""
        out = [f"pause: {lasting(a, b)}" for a, b in self.pauses]
        out.append(f"fastest: {self.fastest} at {self.fastest_time:.1f} s, {self.fastest_speed:.1f} m/s")
        out += [f"gets up: {lasting(a, b)}" for a, b in self.rises]
        out += [f"jump off {f.takes_off}, lands on {f.lands}, knees bend {f.knee:.0f} degrees" for f in self.flights]
        for landing in self.landings:
            up = "not up again" if landing.up_again is None else f"up again at {landing.up_again:.1f} s"
            head = f"head down to {max(landing.head_height, 0.0):.2f} m at {landing.head_speed:.1f} m/s"
            out.append(f"fall goes {landing.angle:+.0f} degrees (+ = left, 0 = forward), {head}, {up}")
        if self.trend is not None:
            size, time, spread = self.trend.size, self.trend.time, self.trend.unevenness
            out.append(
                f"last repetition: {size:.0%} of the first's size, {time:.0%} of its time, tempo varies {spread:.0%}"
            )
        return out


def moments(
    body: Body,
    angle: Array,
    local: Array,
    ground: Array,
    jumps: tuple[Jump, ...],
    falls: tuple[Fall, ...],
    postures: tuple[Posture, ...],
    again: Repetitions | None,
) -> Moments:
    """Measure the moments of a recording with both legs seen; see :class:`Moments`.

    Args:
        body: prepared recording.
        angle: heading [T], rad.
        local: joints [T, 22, 3], m, in the body's own frame.
        ground: path of the pelvis, see `trajectory.ground_track`.
        jumps, falls, postures: events found before.
        again: repetitions found before.
    """
    fps = body.fps
    paces = body.pace[:, list(MOVERS.values())]
    peak = paces.max(axis=1)
    moving = peak > MOVING
    pauses = []
    for a, b in runs(peak < STILL):
        if b - a >= 0.4 * fps and moving[:a].sum() > 0.3 * fps and moving[b:].sum() > 0.3 * fps:
            pauses.append((a / fps, b / fps))
    top, joint = (int(i) for i in np.unravel_index(int(np.argmax(paces)), paces.shape))
    far = np.abs(np.arange(body.frames) - top) > 0.8 * fps
    flat = speed(ground, fps)
    return Moments(
        pauses=tuple(pauses),
        longest_calm=max((b - a for a, b in runs(~moving)), default=0) / fps,
        fastest=list(MOVERS)[joint],
        fastest_time=top / fps,
        fastest_speed=float(paces[top, joint]),
        next_speed=float(peak[far].max()) if far.any() else 0.0,
        pelvis_time=int(np.argmax(flat)) / fps,
        rises=_rises(body, postures),
        flights=tuple(_flights(body, jumps)),
        landings=tuple(_landing(body, angle, fall, postures) for fall in falls),
        trend=_trend(body, local, again),
    )


def _rises(body: Body, postures: tuple[Posture, ...]) -> tuple[tuple[float, float], ...]:
    """Find each rise from a low posture to standing: from when the pelvis begins to rise until it has stopped."""
    fps, found = body.fps, []
    height = smooth((body.joints[:, PELVIS, 1] - body.floor) / body.stand, 0.1, fps)
    pace = gradient(height) * fps
    for k in range(1, len(postures)):
        if postures[k].label != "standing" or postures[k].end - postures[k].start < 0.3:
            continue
        before = k - 1
        while before >= 0 and postures[before].label in ("bending", "crouching"):
            before -= 1
        if before < 0 or postures[before].label not in LOW:
            continue  # a squat is no getting up
        # The posture changes on the way: go back to where the pelvis began to rise, and on to where it has risen.
        a = b = min(round(postures[k].start * fps), body.frames - 1)
        first = round(postures[before].start * fps)
        quiet = max(1, round(0.2 * fps))
        while a > first and (pace[max(a - quiet, 0) : a + 1] > 0.05).any():
            a -= 1
        last = round(postures[k].end * fps) - 1
        while b < last and pace[b] > 0.08:
            b += 1
        if a > 0:  # else it began before the recording
            found.append((a / fps, b / fps))
    return tuple(found)


def _flights(body: Body, jumps: tuple[Jump, ...]) -> list[Flight]:
    if not jumps:
        return []
    clear = body.clear / body.leg
    knees = knee_flexion(body.joints)
    out = []
    for jump in jumps:
        a, b = round(jump.start * body.fps), min(round(jump.end * body.fps), body.frames)
        off, on = _edges(clear, a, -1), _edges(clear, b - 1, 1)
        near = 0.1 * body.fps
        takes_off = "both" if abs(off[0] - off[1]) < near else "left" if off[0] > off[1] else "right"
        lands = "both" if abs(on[0] - on[1]) < near else "left" if on[0] < on[1] else "right"
        after = slice(b - 1, b + round(0.5 * body.fps))
        out.append(Flight(takes_off, lands, float(max(knees["left"][after].max(), knees["right"][after].max()))))
    return out


def _edges(clear: Array, frame: int, step: int) -> tuple[int, int]:
    """Find the frame at which each foot, in the air at `frame`, leaves (step -1) or meets (step 1) the ground."""
    ends = []
    for foot in (0, 1):
        k = frame
        while 0 <= k + step < len(clear) and clear[k + step, foot] > 0.07:
            k += step
        ends.append(k)
    return ends[0], ends[1]


def _landing(body: Body, angle: Array, fall: Fall, postures: tuple[Posture, ...]) -> Landing:
    fps = body.fps
    a, b = round(fall.start * fps), min(round((fall.end + 0.6) * fps), body.frames)
    before = max(a - round(0.3 * fps), 0)
    way = (body.joints[b - 1, NECK] - body.joints[before, NECK])[[0, 2]]
    head = body.joints[a:b, HEAD, 1] - body.floor
    lowest = int(np.argmax(head < head.min() + 0.08))  # the first time that it is down
    down = -gradient(body.joints[:, HEAD, 1])[max(a + lowest - round(0.3 * fps), 0) : a + lowest + 1] * fps
    up = next(
        (p.start for p in postures if p.label == "standing" and p.start > fall.start and p.end - p.start > 0.4), None
    )
    return Landing(
        relative_angle(way, float(angle[before])), float(norm(way)), float(head.min()), max(0.0, float(down.max())), up
    )


def _trend(body: Body, local: Array, again: Repetitions | None) -> Trend | None:
    """Compare the first and the last of four or more slow repetitions, by the path of the limb that repeats."""
    if again is None or again.count < 4 or again.fast or again.limb.endswith("legs"):
        return None
    a, b = round(again.start * body.fps), round(again.end * body.fps)
    if again.limb == "whole body":
        x = body.joints[a:b, PELVIS, 1]
    elif again.limb == "trunk":
        x = body.tilt[a:b]
    else:
        side = "right" if again.limb.startswith("right") else "left"
        end, root = (20 if side == "left" else 21, 16 if side == "left" else 17)
        if "leg" in again.limb:
            end, root = (7, 1) if side == "left" else (8, 2)
        reach = local[a:b, end] - local[a:b, root]
        reach = reach - reach.mean(axis=0)
        x = reach @ np.linalg.eigh(reach.T @ reach)[1][:, -1]
    size = float(x.max() - x.min())
    distance = max(1, round(0.55 * again.period * body.fps))
    tops, dips = (find_peaks(sign * x, prominence=0.4 * size, distance=distance)[0] for sign in (1.0, -1.0))
    best = tops if len(tops) >= len(dips) else dips
    if len(best) < 4 or abs(len(best) - again.count) > 1:
        return None
    times = np.diff(best)
    return Trend(
        float(np.ptp(x[best[-2] : best[-1]])) / max(float(np.ptp(x[best[0] : best[1]])), 1e-6),
        float(times[-1] / times[0]),
        float(times.std() / times.mean()),
    )
