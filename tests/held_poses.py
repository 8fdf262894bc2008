"""Movements whose arms, legs or trunk are put where a test wants them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vimonet.motion import Motion

SHOULDER, ELBOW, WRIST = {"left": 16, "right": 17}, {"left": 18, "right": 19}, {"left": 20, "right": 21}
HEAD = 15
LEFT, FORWARD, UP = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])


def with_joints(motion: Motion, joints: NDArray[np.floating]) -> Motion:
    """The motion with other joints."""
    return replace(motion, joints=joints.astype(np.float32))


def hand_at(motion: Motion, side: str, joint: int, start: int = 10, end: int = 30) -> Motion:
    """Put a hand 8 cm off a joint between two frames; the elbow goes half of the way."""
    joints = np.array(motion.joints, dtype=np.float64)
    span = slice(start, end)
    joints[span, WRIST[side]] = joints[span, joint] + np.array([0.0, 0.0, 0.08])
    joints[span, ELBOW[side]] = 0.5 * (joints[span, SHOULDER[side]] + joints[span, WRIST[side]])
    return with_joints(motion, joints)


def arms_along(motion: Motion, **ways: NDArray[np.floating]) -> Motion:
    """Stretch arms straight along directions of a body that faces +Z: `arms_along(motion, left=LEFT, right=-LEFT)`."""
    joints = np.array(motion.joints, dtype=np.float64)
    for side, way in ways.items():
        chain = SHOULDER[side], ELBOW[side], WRIST[side]
        upper, lower = (np.linalg.norm(motion.joints[0, b] - motion.joints[0, a]) for a, b in pairwise(chain))
        joints[:, ELBOW[side]] = joints[:, SHOULDER[side]] + way * upper
        joints[:, WRIST[side]] = joints[:, ELBOW[side]] + way * lower
    return with_joints(motion, joints)
