"""Measure the limbs: activity, raised hands, trunk inclination, knee flexion, foot contact and steps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.preparation import (
    ANKLE,
    END_JOINT,
    HIP,
    KNEE,
    LIMBS,
    PELVIS,
    SHOULDER,
    SIDES,
    WRIST,
    Array,
    Body,
    find_peaks,
    hysteresis,
    lowest_around,
    norm,
    unit,
)

RAISE_ENTER, RAISE_STAY, RAISE_TIME = 0.1, 0.0, 0.25  # wrist above shoulder in arm lengths; s


@dataclass(frozen=True, slots=True)
class Raise:
    """Describe one raise of a hand.

    Attributes:
        side: 'left' or 'right'.
        start: s.
        end: s.
        height: greatest height of the wrist above its shoulder, m.
        above_head: whether the wrist rises above the head joint.
    """

    side: str
    start: float
    end: float
    height: float
    above_head: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Describe one foot strike: time, s, and side."""

    time: float
    side: str


def own_frame(body: Body, angle: Array) -> Array:
    """Express joints [T, 22, 3] in the body's own frame: origin at the pelvis, facing +Z, +X to its left."""
    local = body.joints - body.joints[:, PELVIS : PELVIS + 1]
    sin, cos = np.sin(angle)[:, None], np.cos(angle)[:, None]
    return np.stack(
        [local[..., 0] * cos - local[..., 2] * sin, local[..., 1], local[..., 0] * sin + local[..., 2] * cos], axis=-1
    )


def limb_activity(own_pace: Array) -> dict[str, float]:
    """Average the speed of each limb's end joint (wrists, ankles, head), given all in the body's own frame, [T, 22]."""
    ends = own_pace[:, [END_JOINT[limb] for limb in LIMBS]].mean(axis=0)
    return {limb: float(v) for limb, v in zip(LIMBS, ends, strict=True)}


def raised_hands(body: Body) -> tuple[Raise, ...]:
    """Find the intervals in which a wrist is above its shoulder, sorted by start.

    The wrist rises more than 0.1 arm lengths (about 5 cm) above the shoulder and stays above it for at least 0.25 s,
    with the trunk within 50 degrees of upright (reaching up when lying is not raising).
    """
    joints, fps = body.joints, body.fps
    upright = body.tilt < 50.0
    out = []
    for side in SIDES:
        if not body.seen[f"{side} arm"]:
            continue
        height = joints[:, WRIST[side], 1] - joints[:, SHOULDER[side], 1]
        over = np.where(upright, height / body.arm, -1.0)
        for a, b in hysteresis(over, RAISE_ENTER, RAISE_STAY):
            if b - a >= RAISE_TIME * fps:
                head = bool((joints[a:b, WRIST[side], 1] > joints[a:b, 15, 1]).any())
                out.append(Raise(side, a / fps, b / fps, float(height[a:b].max()), head))
    return tuple(sorted(out, key=lambda r: (r.start, r.side)))


def arm_asymmetry(body: Body, local: Array) -> float:
    """Measure how far the left wrist is from the mirrored right one, seen from the shoulders: mean, arm lengths.

    It is near 0 when both arms do the same at the same time, and large when they alternate, as in walking.
    """
    left = local[:, WRIST["left"]] - local[:, SHOULDER["left"]]
    right = local[:, WRIST["right"]] - local[:, SHOULDER["right"]]
    return float(norm(left - right * np.array([-1.0, 1.0, 1.0])).mean() / body.arm)


def knee_flexion(joints: Array) -> dict[str, Array]:
    """Measure the flexion of each knee, degrees [T]: 0 is a straight leg."""
    out = {}
    for side in SIDES:
        thigh, shank = (
            unit(joints[:, KNEE[side]] - joints[:, HIP[side]]),
            unit(joints[:, ANKLE[side]] - joints[:, KNEE[side]]),
        )
        out[side] = np.degrees(np.arccos(np.clip(np.einsum("ti,ti->t", thigh, shank), -1.0, 1.0)))
    return out


def contacts(body: Body) -> NDArray[np.bool_]:
    """Detect foot contact [T, 4]: left ankle, left foot, right ankle, right foot (the order of HumanML3D).

    A joint is in contact if it is within 0.08 leg lengths of its lowest height within a second and slower than 0.45
    m/s (scaled by leg length / 0.85 m).
    """
    ids = [7, 10, 8, 11]
    height = body.joints[:, ids, 1]
    height = height - lowest_around(height, round(body.fps))
    slow = body.pace[:, ids] < 0.45 * body.leg / 0.85
    return (height < 0.08 * body.leg) & slow


def steps(body: Body, airborne: NDArray[np.bool_]) -> tuple[Step, ...]:
    """Find the steps: each swing of a foot, at the time of its foot strike.

    A swing is a peak of the ankle's speed (at least 0.4 m/s for a leg of 0.85 m) in which the foot moves 0.12 leg
    lengths over the ground or lifts by 0.05, toes included; peaks with the foot in the air between them are one swing.
    A foot above 0.6 leg lengths (0.4 if it comes down where it was) is a kick; landing from a jump (`airborne` [T])
    and both feet at once are hops. A body with its pelvis under half its standing height makes no steps, and a swing
    that the end of the recording cuts off has no strike.
    """
    fps, leg = body.fps, body.leg
    out = []
    clear = body.clear / leg
    pelvis = (body.joints[:, PELVIS, 1] - body.floor) / body.stand
    on_feet = (pelvis > 0.5) & (body.tilt < 75.0)
    landing = np.convolve(airborne, np.ones(round(0.25 * fps) + 1))[: body.frames] > 0
    for i, side in enumerate(SIDES):
        if not body.seen[f"{side} leg"]:
            continue
        ankle = body.joints[:, ANKLE[side]]
        pace = body.pace[:, ANKLE[side]] * 0.85 / leg
        lift = (ankle[:, 1] - lowest_around(ankle[:, 1], round(fps))) / leg
        peaks, _ = find_peaks(np.concatenate(([0.0], pace, [0.0])), height=0.4, prominence=0.3)
        swings: list[list[int]] = []
        for peak in peaks - 1:
            if swings:
                between = lift[swings[-1][1] : peak + 1]
                top = max(lift[swings[-1][0] : peak + 1].max(), 1e-6)
                if between.min() > max(0.25 * top, 0.06) or (peak - swings[-1][1] < 0.15 * fps):
                    swings[-1][1] = int(peak)
                    continue
            swings.append([int(peak), int(peak)])
        for first, last in swings:
            a, b = _foot_of_peak(pace, first, -1), _foot_of_peak(pace, last, 1)
            moved = float(norm(ankle[b, [0, 2]] - ankle[a, [0, 2]])) / leg
            top = float(lift[a : b + 1].max())
            raised = top > 0.6 or (top > 0.4 and moved < 0.12)
            cut = b == body.frames - 1 and pace[b] > 0.5 * pace[last]
            swung = moved >= 0.12 or clear[a : b + 1, i].max() >= 0.05
            if swung and not cut and not raised and on_feet[b] and not landing[b]:
                out.append(Step(b / fps, side))
    out.sort(key=lambda s: (s.time, s.side))
    hops = {
        k
        for i, (one, two) in enumerate(pairwise(out))
        if one.side != two.side and two.time - one.time < 0.11
        for k in (i, i + 1)
    }
    return tuple(step for i, step in enumerate(out) if i not in hops)


def _foot_of_peak(x: Array, peak: int, step: int) -> int:
    """Go from a peak (step 1 or -1) to where the signal falls below a quarter of it or rises again."""
    i = peak
    while 0 <= i + step < len(x) and x[i + step] <= x[i] and x[i] > 0.25 * x[peak]:
        i += step
    return i
