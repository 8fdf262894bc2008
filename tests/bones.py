"""Measure the bones of a body."""

from __future__ import annotations

import numpy as np

from vimonet.motion.skeleton import PARENTS


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    """Distance of each joint from its parent, [..., 22]; 0 for the pelvis."""
    lengths = np.zeros(joints.shape[:-1], dtype=joints.dtype)
    lengths[..., 1:] = np.linalg.norm(joints[..., 1:, :] - joints[..., list(PARENTS[1:]), :], axis=-1)
    return lengths
