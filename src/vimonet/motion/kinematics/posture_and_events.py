"""Classify the posture over time and detect jumps and falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.limbs import knee_flexion
from vimonet.motion.kinematics.preparation import (
    ANKLE,
    MASS,
    NECK,
    PELVIS,
    Array,
    Body,
    cross,
    gradient,
    norm,
    ramp,
    rank,
    runs,
    smooth,
    unit,
)

LABELS = (
    *("standing", "bending", "sitting", "crouching", "kneeling", "on all fours", "lying", "upside down"),
    *("airborne", "hanging", "climbing"),
)
LONGEST_FLIGHT = 1.1  # s; a longer one would need a rise of 1.5 m
MIN_TIME = 0.25
FALL_SPEED = 1.3  # least peak speed of the dropping pelvis, leg lengths/s
FALL_END = 0.45  # greatest final height of the pelvis, share of its standing height
FALL_DROP = 0.35  # least drop of the pelvis, share of its standing height


@dataclass(frozen=True, slots=True)
class Posture:
    """Describe one interval of a posture.

    Attributes:
        label: one of `LABELS`.
        start: s.
        end: s.
        certainty: mean lead of this posture's score over the next, 0..1; under 0.3 it is near a threshold.
        detail: for lying 'face up', 'face down', 'on the left side' or 'on the right side'; else ''.
    """

    label: str
    start: float
    end: float
    certainty: float
    detail: str = ""


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
    """Describe one fall, a fast drop of the pelvis that ends low.

    Attributes:
        start, end: interval of the drop, s.
        drop: height lost, m.
        speed: greatest downward speed of the pelvis, m/s.
    """

    start: float
    end: float
    drop: float
    speed: float


def posture_scores(body: Body) -> Array:
    """Score each posture of the first eight LABELS per frame, 0..1 [T, 8], before smoothing.

    Scores use the height of the pelvis above the floor as a share of its standing height (p), the inclination of the
    trunk (t, degrees from upright), knee flexion, the height of knees, wrists and ankles in leg lengths, and the
    horizontal distance of the centre of mass from the feet (s, leg lengths), which tells sitting from crouching.

    - standing: p > .78, t < 45            - bending: p > .65, t > 45
    - sitting: t < 55 and either thighs over 44 degrees from hanging, s > .17, p < .9 and knees off the floor, or p <
      .27 (on the floor)
    - crouching: p < .78, knee flexion > 47, s < .17
    - kneeling: a knee below .25 leg lengths with its shank level, t < 55 or both wrists over .3, p > .25
    - on all fours: t > 50, .3 < p < .8 (.16 with the shoulders over .3 while pelvis and hands move), wrists below .3
    - lying: t > 60, p < .4
    - upside down: t > 110 and ankles above the pelvis
    """
    j, leg = body.joints, body.leg
    p = (j[:, PELVIS, 1] - body.floor) / body.stand
    t = body.tilt
    flexion = knee_flexion(j)
    knee_flexion_mean = 0.5 * (flexion["left"] + flexion["right"])
    height = (j[..., 1] - body.floor) / leg
    knee = np.minimum(height[:, 4], height[:, 5])
    shank_level = np.stack([1.0 - np.abs(unit(j[:, k] - j[:, a])[:, 1]) for k, a in ((4, 7), (5, 8))], axis=1)
    kneels = np.maximum(
        np.minimum(ramp(height[:, 4], 0.32, 0.2), ramp(shank_level[:, 0], 0.2, 0.5)),
        np.minimum(ramp(height[:, 5], 0.32, 0.2), ramp(shank_level[:, 1], 0.2, 0.5)),
    )
    wrists = np.minimum(height[:, 20], height[:, 21])
    s = _off_balance(j) / leg
    upright = ramp(t, 65.0, 45.0)
    low = ramp(p, 0.85, 0.71)
    thighs = np.stack([-unit(j[:, k] - j[:, h])[:, 1] for k, h in ((4, 1), (5, 2))]).mean(axis=0)
    level = ramp(np.degrees(np.arccos(np.clip(thighs, -1.0, 1.0))), 38.0, 50.0)
    inverted = np.minimum(ramp(t, 100.0, 120.0), ramp(np.minimum(height[:, 7], height[:, 8]) - height[:, 0], -0.2, 0.1))
    chair = np.minimum.reduce([ramp(p, 0.94, 0.86), level, ramp(s, 0.12, 0.22), ramp(knee, 0.2, 0.32)])
    standing = np.minimum.reduce([1.0 - low, ramp(t, 55.0, 35.0), 1.0 - chair])
    bending = np.minimum.reduce([ramp(p, 0.58, 0.72), ramp(t, 35.0, 55.0), 1.0 - inverted])
    ground = ramp(p, 0.33, 0.22)
    sitting = np.minimum(upright, np.maximum(chair, ground))
    crouching = np.minimum.reduce(
        [
            low,
            ramp(knee_flexion_mean, 35.0, 60.0),
            ramp(s, 0.22, 0.12),
            ramp(p, 0.15, 0.27),
            ramp(t, 90.0, 70.0),
            1.0 - kneels,
        ]
    )
    hands_up = np.minimum(ramp(wrists, 0.22, 0.38), ramp(t, 90.0, 70.0))  # a bow on the knees is no crawl
    kneeling = np.minimum.reduce([kneels, np.maximum(upright, hands_up), ramp(p, 0.2, 0.3), 1.0 - ground])
    shoulders = np.minimum(height[:, 16], height[:, 17])
    pace = smooth(body.pace[:, [PELVIS, 20, 21]], 0.5, body.fps) / leg
    crawls = np.minimum(ramp(pace[:, 0], 0.1, 0.25), ramp(pace[:, 1:].mean(axis=1), 0.2, 0.5))
    low_crawl = np.minimum.reduce([ramp(p, 0.13, 0.2), ramp(shoulders, 0.25, 0.33), crawls])
    hips_up = np.maximum(ramp(p, 0.25, 0.37), low_crawl)
    fours = np.minimum.reduce(
        [ramp(t, 42.0, 58.0), hips_up, ramp(p, 0.86, 0.74), ramp(wrists, 0.38, 0.22), 1.0 - inverted]
    )
    lying = np.minimum.reduce([ramp(t, 50.0, 70.0), ramp(p, 0.48, 0.33), 1.0 - fours])
    return np.stack([standing, bending, sitting, crouching, kneeling, fours, lying, inverted], axis=1)


def _off_balance(joints: Array) -> Array:
    """Measure the horizontal distance, m [T], of the centre of mass from the line between the feet."""
    mass = np.einsum("tji,j->ti", joints[:, :, [0, 2]], MASS)
    left = joints[:, [7, 10]].mean(axis=1)[:, [0, 2]]
    right = joints[:, [8, 11]].mean(axis=1)[:, [0, 2]]
    line = right - left
    along = np.clip(
        np.einsum("ti,ti->t", mass - left, line) / np.maximum(np.einsum("ti,ti->t", line, line), 1e-9), 0.0, 1.0
    )
    return norm(mass - left - along[:, None] * line)


def postures(
    body: Body, airborne: NDArray[np.bool_], held: dict[str, NDArray[np.bool_]] | None = None
) -> tuple[Posture, ...]:
    """Find the postures over time: smooth the scores (sigma 0.15 s), take the best per frame, absorb brief intervals.

    Args:
        body: prepared recording.
        airborne: [T] in flight, from :func:`jumps`.
        held: frames off the ground by name of their posture, from `off_ground.carried`.
    """
    scores = smooth(posture_scores(body), 0.15, body.fps)
    label = np.argmax(scores, axis=1)
    top2 = np.partition(scores, -2, axis=1)[:, -2:]
    lead = top2[:, 1] - top2[:, 0]
    label = _absorb(label, scores, lead, body.fps)
    label = np.where(airborne, LABELS.index("airborne"), label)
    for name, frames in (held or {}).items():
        label[frames] = LABELS.index(name)
    out = []
    edges = np.flatnonzero(np.diff(label)) + 1
    for a, b in zip([0, *edges.tolist()], [*edges.tolist(), len(label)], strict=True):
        name = LABELS[label[a]]
        certainty = 1.0 if name in ("airborne", "hanging", "climbing") else float(lead[a:b].mean())
        out.append(
            Posture(name, a / body.fps, b / body.fps, certainty, _lie(body.joints[a:b]) if name == "lying" else "")
        )
    return tuple(out)


def _absorb(label: NDArray[np.intp], scores: Array, lead: Array, fps: float) -> NDArray[np.intp]:
    """Give brief or doubtful intervals to the neighbour that scores higher over them, the weakest first.

    An interval stays if it lasts 0.25 s and its lead adds up to 0.12 s, so that a posture near a threshold must last
    longer than a clear one.
    """
    label = label.copy()
    total = np.concatenate(([0.0], np.cumsum(lead)))
    while True:
        edges = np.concatenate(([0], np.flatnonzero(np.diff(label)) + 1, [len(label)]))
        if len(edges) <= 2:
            return label
        weight = np.minimum((total[edges[1:]] - total[edges[:-1]]) / (0.12 * fps), np.diff(edges) / (MIN_TIME * fps))
        k = int(np.argmin(weight))
        if weight[k] >= 1.0:
            return label
        a, b = int(edges[k]), int(edges[k + 1])
        around = ([int(label[a - 1])] if a > 0 else []) + ([int(label[b])] if b < len(label) else [])
        label[a:b] = max(around, key=lambda i: float(scores[a:b, i].mean()))


def _lie(joints: Array) -> str:
    """Classify how a body lies by the directions of its chest and its left side."""
    up = unit(joints[:, NECK] - joints[:, PELVIS])
    left = unit(unit(joints[:, 1] - joints[:, 2]) + unit(joints[:, 16] - joints[:, 17]))
    chest, side = float(cross(left, up)[:, 1].mean()), float(left[:, 1].mean())
    if abs(chest) >= abs(side):
        return "face up" if chest > 0 else "face down"
    return "on the right side" if side > 0 else "on the left side"


def ankle_over_floor(body: Body) -> dict[str, float]:
    """Measure the greatest height of each ankle above the floor, m."""
    return {side: float(body.joints[:, i, 1].max() - body.floor) for side, i in ANKLE.items()}


def one_leg_time(body: Body) -> float:
    """Measure the longest time in s on one leg: one foot down, the other ankle 0.25 leg lengths higher, pelvis high."""
    ankles = body.joints[:, [ANKLE["left"], ANKLE["right"]], 1]
    lifted = np.abs(ankles[:, 0] - ankles[:, 1]) > 0.25 * body.leg
    planted = ankles.min(axis=1) - body.floor < 0.25 * body.leg
    high = body.joints[:, PELVIS, 1] - body.floor > 0.8 * body.stand
    return max((b - a for a, b in runs(lifted & planted & high)), default=0) / body.fps


def jumps(body: Body) -> tuple[tuple[Jump, ...], NDArray[np.bool_]]:
    """Find the jumps, and their flight frames, bool [T].

    In flight, both feet are more than 0.07 leg lengths above the ground under them for 0.1 to 1.1 s, one of them at
    least 0.1, while the pelvis rises by 0.05 leg lengths; or the pelvis is more than 0.1 leg lengths above its standing
    height with both feet 0.025 off the ground. A flight is a jump, not a running stride, if the feet leave or land
    together (within 0.1 s), if the foot that left last lands first (a hop), or if the pelvis rises by 0.2 leg lengths.
    """
    fps, leg = body.fps, body.leg
    clear = body.clear / leg
    both = clear.min(axis=1)
    pelvis = body.joints[:, PELVIS, 1]
    airborne = np.zeros(body.frames, dtype=bool)
    out: list[Jump] = []
    if not (body.seen["left leg"] and body.seen["right leg"]):
        return (), airborne
    p = (pelvis - body.floor) / body.stand
    tilt = body.tilt
    rest = max(rank(pelvis, 0.5), body.floor + 0.97 * body.stand)
    # Depth sensors pull the feet to their fitted floor; a pelvis higher than the legs reach still shows the flight.
    high = (pelvis - rest > 0.1 * leg) & (both > 0.025)
    found = runs(both > 0.07)
    found += [(a, b) for a, b in runs(high) if not any(c < b and a < d for c, d in found)]
    for a, b in sorted(found):
        if (
            not 0.1 <= (b - a) / fps <= LONGEST_FLIGHT
            or a == 0
            or b == body.frames
            or (both[a:b].max() < 0.1 and not high[a:b].any())
        ):
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


def _edge(clear: Array, i: int, step: int) -> list[int]:
    """Find the frame at which each foot, in the air at frame i, leaves (step -1) or meets (step 1) the ground."""
    out = []
    for foot in (0, 1):
        k = i
        while 0 <= k + step < len(clear) and clear[k + step, foot] > 0.07:
            k += step
        out.append(k)
    return out


def falls(body: Body) -> tuple[tuple[Fall, ...], float]:
    """Find the falls, and the greatest downward speed of the pelvis, m/s.

    In a fall the pelvis drops by at least 0.35 of its standing height, at over 1.3 leg lengths/s at its peak, and stays
    under 0.45 of its standing height for 0.5 s or to the end of the recording; it goes under 0.3, or the trunk inclines
    over 50 degrees. Sitting on a chair ends higher, crouching keeps the trunk up, lying down with control is slower.
    """
    fps = body.fps
    height = smooth(body.joints[:, PELVIS, 1], 0.08, fps)
    down = -gradient(height) * fps
    p = (height - body.floor) / body.stand
    out = []
    tilt = body.tilt
    stay = max(1, round(0.5 * fps))
    for a, b in runs(down > 0.15 * body.leg):
        drop = float(height[a] - height[b - 1])
        fastest = float(down[a:b].max())
        after = slice(b - 1, b - 1 + stay)
        # A low pelvis over the feet is a crouch: a fall ends on the ground or with the trunk inclined.
        low = bool((p[after] < FALL_END).all()) and (float(p[after].min()) < 0.3 or float(tilt[after].max()) > 50.0)
        if low and drop > FALL_DROP * body.stand and fastest > FALL_SPEED * body.leg:
            out.append(Fall(a / fps, b / fps, drop, fastest))
    return tuple(out), max(0.0, float(down.max()))
