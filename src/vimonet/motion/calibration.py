"""Find calibration poses: a T-pose, an A-pose or an N-pose held still, as motion capture takes begin."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

STILL: Final = 0.15  # m/s of the fastest limb: holds a pose
HELD: Final = 0.4  # s
SINKING: Final = {"T-pose": (-0.35, 0.35), "A-pose": (0.35, 0.95)}
"""Pose -> sines between which straight arms sink below the level."""
_BENT, _BENT_LOOSE = 0.05, 0.15  # path over the elbow beyond the straight way, as a share of it
_LOOSER = 0.1  # of the sines, for a pose that may be meant


@dataclass(frozen=True, slots=True)
class HeldPose:
    """Describe a calibration pose that is held.

    Attributes:
        name: 'T-pose', 'A-pose' or 'N-pose' (arms along the body; at the start only, where it precedes a movement).
        start, end: s.
        sure: False where arms are so bent or so low that it may be another pose.
    """

    name: str
    start: float
    end: float
    sure: bool


def held_poses(joints: NDArray[np.floating], rate: float) -> tuple[HeldPose, ...]:
    """Find the calibration poses of joints [T, 22, 3], m, that are held for 0.4 s or more, in order of time.

    Legs are straight, arms straight, hands and feet slower than 0.15 m/s. Arms of a T-pose sink by less than 20 degrees
    below the level, those of an A-pose by less than 70.
    """
    found: list[HeldPose] = []
    moved = np.linalg.norm(np.diff(joints[:, [7, 8, 20, 21]], axis=0), axis=2).max(axis=1)
    if len(moved) == 0 or float(moved.min()) * rate >= STILL:
        return ()  # never still
    for name, sinking in SINKING.items():
        loose = _runs(pose_frames(joints, rate, (sinking[0] - _LOOSER, sinking[1] + _LOOSER), _BENT_LOOSE), HELD * rate)
        sure = _runs(pose_frames(joints, rate, sinking), HELD * rate)
        found += [HeldPose(name, a / rate, b / rate, True) for a, b in sure]
        found += [
            HeldPose(name, a / rate, b / rate, False)
            for a, b in loose
            if not any(first < b and a < last for first, last in sure)
        ]
    hanging = pose_frames(joints, rate, (0.9, 1.01), aside=-1.0)
    end = int(np.argmin(np.append(hanging, False)))
    if 2 * HELD * rate <= end < len(joints):
        found.append(HeldPose("N-pose", 0.0, end / rate, True))
    return tuple(sorted(found, key=lambda pose: (pose.start, not pose.sure)))


def pose_frames(
    joints: NDArray[np.floating],
    rate: float,
    sinking: tuple[float, float],
    bent: float = _BENT,
    aside: float = 0.3,
) -> NDArray[np.bool_]:
    """Tell the frames [T] of a still pose on straight legs with straight arms that sink by such a sine.

    Args:
        joints: [T, 22, 3] m.
        rate: frames per second.
        sinking: least and greatest sine of the arms below the level.
        bent: greatest detour of the elbow as a share of the way from shoulder to wrist.
        aside: least cosine between an arm and the line of the shoulders.
    """
    limbs = joints[:, [7, 8, 20, 21]]
    good = np.linalg.norm(np.diff(limbs, axis=0, prepend=limbs[:1]), axis=2).max(axis=1) * rate < STILL
    trunk = joints[:, 12] - joints[:, 0]
    lateral = joints[:, 16] - joints[:, 17]
    for shoulder, elbow, wrist, sign in ((16, 18, 20, 1.0), (17, 19, 21, -1.0)):
        arm = joints[:, wrist] - joints[:, shoulder]
        reach = np.linalg.norm(arm, axis=1)
        way = np.linalg.norm(joints[:, elbow] - joints[:, shoulder], axis=1)
        way = way + np.linalg.norm(joints[:, wrist] - joints[:, elbow], axis=1)
        down = -_cosine(arm, trunk)
        good &= (way - reach < bent * reach) & (sinking[0] <= down) & (down < sinking[1])
        good &= sign * _cosine(arm, lateral) > aside
    for hip, ankle in ((1, 7), (2, 8)):
        good &= _cosine(joints[:, ankle] - joints[:, hip], -trunk) > 0.9
    return np.asarray(good)


def _runs(mask: NDArray[np.bool_], least: float) -> list[tuple[int, int]]:
    edges = [0, *(np.flatnonzero(np.diff(mask)) + 1).tolist(), len(mask)]
    return [(a, b) for a, b in pairwise(edges) if b > a and mask[a] and b - a >= least]


def _cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    return (a * b).sum(axis=1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-9)
