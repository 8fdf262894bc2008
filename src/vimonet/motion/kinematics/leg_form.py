"""Measure how legs are placed and bent: stance, depth of a squat, knees against feet, hands that help to rise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics import held_categories as h
from vimonet.motion.kinematics.joint_angles import over_segment
from vimonet.motion.kinematics.preparation import (
    ANKLE,
    FOOT,
    HIP,
    KNEE,
    PELVIS,
    SIDES,
    WRIST,
    Array,
    Body,
    median,
    norm,
    rank,
)


@dataclass(frozen=True, slots=True)
class LegPose:
    """Hold the usual place of the legs: medians over the recording.

    Attributes:
        knees: side -> flexion, degrees.
        apart: ankles sideways, leg lengths; negative where they cross.
        ahead: left ankle before the right one, leg lengths.
    """

    knees: dict[str, float]
    apart: float
    ahead: float


@dataclass(frozen=True, slots=True)
class DeepBend:
    """Hold what is measured at the deepest bend of both knees at once.

    Attributes:
        time: s.
        knees: side -> flexion, degrees.
        depth: height of the hips over the knees, thigh lengths; 0 is a level thigh.
        inward: side -> knee inside the line of hip and ankle, leg lengths; negative is outward.
        past_toes: side -> knee before the ball of its foot, leg lengths.
        trunk: lean of the trunk forward, degrees.
    """

    time: float
    knees: dict[str, float]
    depth: float
    inward: dict[str, float]
    past_toes: dict[str, float]
    trunk: float


def leg_pose(body: Body, local: Array, angles: Array) -> LegPose:
    """Measure the usual place of the legs: see :class:`LegPose`."""
    gap = (local[:, ANKLE["left"]] - local[:, ANKLE["right"]]) / body.leg
    knees = {side: rank(angles[:, i], 0.5) for i, side in enumerate(SIDES)}
    return LegPose(knees, rank(gap[:, 0], 0.5), rank(gap[:, 2], 0.5))


def deep_bend(body: Body, local: Array, angles: Array, lean: Array) -> DeepBend | None:
    """Measure the deepest bend of both knees with the feet down: see :class:`DeepBend`; None if they never bend deep.

    The frame is that in which the less bent knee is bent most, with both ankles within 0.25 leg lengths of the floor,
    and the trunk above level.
    """
    both = angles[:, :2].min(axis=1)
    ankles = body.joints[:, [ANKLE["left"], ANKLE["right"]], 1].max(axis=1) - body.floor
    on_feet = (ankles < 0.25 * body.leg) & (np.abs(lean) < 75.0)
    if not on_feet.any():
        return None
    at = int(np.argmax(np.where(on_feet, both, -1.0)))
    if h.KNEES_DEEP.decide(float(both[at])) is not True:
        return None
    pose = local[at]
    depth = []
    inward, past = {}, {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hip, knee, ankle, foot = (pose[part[side]] for part in (HIP, KNEE, ANKLE, FOOT))
        depth.append(float((hip[1] - knee[1]) / max(float(norm(hip - knee)), 1e-6)))
        share = float(np.clip((hip[1] - knee[1]) / max(float(hip[1] - ankle[1]), 1e-6), 0.0, 1.0))
        inward[side] = float(sign * ((1.0 - share) * hip[0] + share * ankle[0] - knee[0])) / body.leg
        past[side] = float(knee[2] - foot[2]) / body.leg
    knees = {side: float(angles[at, i]) for i, side in enumerate(SIDES)}
    return DeepBend(at / body.fps, knees, sum(depth) / 2, inward, past, float(lean[at]))


def hands_in_rise(body: Body) -> float | None:
    """Measure how near a wrist comes to the thighs from above, or to the floor, while the body rises.

    Returns:
        Distance of the nearer wrist, arm lengths: its median over the first half of a rise, the least of all rises;
        None if the body never rises from below `GOES_LOW.yes` to above `GOES_LOW.no`.
    """
    joints = body.joints
    height = (joints[:, PELVIS, 1] - body.floor) / body.stand
    low, up = height < c.GOES_LOW.yes, height > c.GOES_LOW.no
    if not (low.any() and up.any()):
        return None
    starts = np.flatnonzero(low[:-1] & ~low[1:])
    gaps = []
    for start in starts:
        ends = np.flatnonzero(up[start:])
        if len(ends) == 0 or low[start + 1 : start + int(ends[0])].any():
            continue
        part = slice(int(start), int(start) + max(2, int(ends[0]) // 2))
        near = [
            np.minimum(
                np.minimum.reduce(
                    [over_segment(joints[part, WRIST[s]], joints[part, HIP[k]], joints[part, KNEE[k]]) for k in SIDES]
                ),
                joints[part, WRIST[s], 1] - body.floor,
            )
            for s in SIDES
        ]
        gaps.append(median(np.minimum(*near)) / body.arm)
    return min(gaps, default=None)
