"""Things that happen at a moment: jumps and falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.limbs import clearance, trunk_inclination
from vimonet.motion.kinematics.preparation import PELVIS, Array, Body, rank, runs, smooth

FALL_SPEED = 1.3  # leg lengths/s the pelvis must reach on the way down
FALL_END = 0.45  # share of its standing height under which the pelvis ends
FALL_DROP = 0.35  # share of its standing height it loses


@dataclass(frozen=True, slots=True)
class Jump:
    """Both feet in the air.

    Attributes:
        start: take-off, s.
        end: landing, s.
        height: rise of the pelvis over its height at take-off and landing, m.
    """

    start: float
    end: float
    height: float


@dataclass(frozen=True, slots=True)
class Fall:
    """A fast drop of the pelvis that ends low.

    Attributes:
        start: begin of the drop, s.
        end: its end, s.
        drop: height lost, m.
        speed: greatest downward speed of the pelvis, m/s.
    """

    start: float
    end: float
    drop: float
    speed: float


def jumps(body: Body) -> tuple[tuple[Jump, ...], NDArray[np.bool_]]:
    """Jumps and the frames [T] spent in the air in them.

    Flight: both feet more than 0.07 leg lengths above the ground under them for at least 0.1 s, one of them at least
        0.1, while the pelvis
    rises by 0.05 leg lengths; or the pelvis more than 0.1 leg lengths above its standing height with both feet off by
    0.025. It is a jump, not a running stride, when the feet leave or land together (within 0.1 s), when the foot that
    left last lands first (a hop), or when the pelvis rises by 0.2 leg lengths (a leap).
    """
    fps, leg = body.fps, body.leg
    clear = clearance(body) / leg
    both = clear.min(axis=1)
    pelvis = body.joints[:, PELVIS, 1]
    airborne = np.zeros(body.frames, dtype=bool)
    out: list[Jump] = []
    if not (body.seen["left leg"] and body.seen["right leg"]):
        return (), airborne
    p = (pelvis - body.floor) / body.stand
    tilt = trunk_inclination(body.joints)
    rest = max(rank(pelvis, 0.5), body.floor + 0.97 * body.stand)
    # Depth sensors pull the feet to the floor they have fitted; a pelvis higher than legs reach gives the flight away.
    high = (pelvis - rest > 0.1 * leg) & (both > 0.025)
    found = runs(both > 0.07)
    found += [(a, b) for a, b in runs(high) if not any(c < b and a < d for c, d in found)]
    for a, b in sorted(found):
        if b - a < 0.1 * fps or a == 0 or b == body.frames or (both[a:b].max() < 0.1 and not high[a:b].any()):
            continue
        rise = float(pelvis[a:b].max() - max(pelvis[max(a - 1, 0)], pelvis[min(b, body.frames - 1)]))
        if rise < 0.05 * leg or (p[a:b].max() < 0.75 and tilt[a:b].max() < 80):
            continue
        off, on = _edge(clear, a, -1), _edge(clear, b - 1, 1)
        together = min(abs(off[0] - off[1]), abs(on[0] - on[1])) <= 0.1 * fps
        hop = (off[0] > off[1]) == (on[0] < on[1])
        if together or hop or rise >= 0.2 * leg or high[a:b].all():
            airborne[a:b] = True
            out.append(Jump(a / fps, b / fps, rise))
    return tuple(out), airborne


def _edge(clear: Array, i: int, way: int) -> list[int]:
    """Frame at which each foot, in the air at frame i, leaves (way -1) or meets (way 1) the ground."""
    out = []
    for foot in (0, 1):
        k = i
        while 0 <= k + way < len(clear) and clear[k + way, foot] > 0.07:
            k += way
        out.append(k)
    return out


def falls(body: Body) -> tuple[tuple[Fall, ...], float]:
    """Falls, and the greatest downward speed of the pelvis in m/s (how near anything came to one).

    A fall: the pelvis drops by at least 0.35 of its standing height, faster than 1.3 leg lengths/s at its fastest,
    and stays under 0.45 of its standing height for 0.5 s or to the end of the recording, under 0.3 at some time of it
    or with the trunk tipped over 50 degrees. Sitting on a chair ends higher, crouching keeps the trunk up, lying down
    with control is slower.
    """
    fps = body.fps
    height = smooth(body.joints[:, PELVIS, 1], 0.08, fps)
    down = -np.gradient(height) * fps if body.frames > 1 else np.zeros(1)
    p = (height - body.floor) / body.stand
    out = []
    tilt = trunk_inclination(body.joints)
    stay = max(1, round(0.5 * fps))
    for a, b in runs(down > 0.15 * body.leg):
        drop = float(height[a] - height[b - 1])
        fastest = float(down[a:b].max())
        after = slice(b - 1, b - 1 + stay)
        # Down on the feet is a crouch: a fall ends on the ground or with the trunk tipped over.
        low = bool((p[after] < FALL_END).all()) and (float(p[after].min()) < 0.3 or float(tilt[after].max()) > 50.0)
        if low and drop > FALL_DROP * body.stand and fastest > FALL_SPEED * body.leg:
            out.append(Fall(a / fps, b / fps, drop, fastest))
    return tuple(out), max(0.0, float(down.max()))
