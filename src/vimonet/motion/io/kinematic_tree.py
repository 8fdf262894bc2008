"""Compute forward kinematics and select frames for BVH, ASF/AMC and AMASS."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.motion import FPS


def axis_matrices(axis: int, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Build rotations by ``angles`` [T] (radians) about axis 0, 1 or 2: [T, 3, 3]."""
    c, s = np.cos(angles), np.sin(angles)
    out = np.zeros((*angles.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = c
    out[..., i, j], out[..., j, i] = -s, s
    return out


def euler_matrices(axes: Sequence[int], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Build intrinsic rotations R(axes[0]) R(axes[1]) ... of angles [len(axes), T] in radians: [T, 3, 3]."""
    out = axis_matrices(axes[0], angles[0])
    for axis, angle in zip(axes[1:], angles[1:], strict=True):
        out = out @ axis_matrices(axis, angle)
    return out


def rotation_vectors(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert axis-angle [..., 3] to matrices [..., 3, 3] (Rodrigues); the zero vector is the identity."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    safe = np.maximum(angle, 1e-12)
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape[:-1], 3, 3)
    # sin(a)/a and (1-cos(a))/a^2 by series near zero, where the quotients lose their digits.
    small = angle < 1e-4
    first = np.where(small, 1 - angle**2 / 6, np.sin(angle) / safe)
    second = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(angle)) / safe**2)
    return np.eye(3) + first * cross + second * (cross @ cross)


def forward_kinematics(
    parents: Sequence[int], local: NDArray[np.float64], rotations: Sequence[NDArray[np.float64] | None]
) -> NDArray[np.float64]:
    """Compute the positions of all joints, frames vectorised, joints in turn.

    Args:
        parents: parent of each joint, before it; -1 for a root.
        local: [T, J, 3] translation of each joint in its parent's frame.
        rotations: per joint [T, 3, 3] in its parent's frame, or None for none.

    Returns:
        [T, J, 3].
    """
    positions = np.empty_like(local)
    turned: list[NDArray[np.float64] | None] = []
    for joint, parent in enumerate(parents):
        above = turned[parent] if parent >= 0 else None
        moved = local[:, joint] if above is None else np.einsum("tij,tj->ti", above, local[:, joint])
        positions[:, joint] = moved + (positions[:, parent] if parent >= 0 else 0.0)
        own = rotations[joint]
        turned.append(above if own is None else own if above is None else above @ own)
    return positions


def thin_out(
    rows: NDArray[np.float64],
    rate: float,
    positions_of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    mapping: dict[str, int],
    notes: list[str],
) -> tuple[NDArray[np.float64], float]:
    """Drop a T-pose first frame, then keep every n-th frame when the rate is n x 20.

    Returns:
        the rows left and their rate.
    """
    if len(rows) >= 3 and starts_in_t_pose(positions_of(rows[:12]), mapping):
        rows = rows[1:]
        notes.append("first frame dropped: a T-pose that the movement jumps from")
    step = round(rate / FPS)
    if step > 1 and abs(rate / FPS - step) < 1e-6 * step:
        return rows[::step], FPS
    return rows, rate


def starts_in_t_pose(positions: NDArray[np.float64], mapping: dict[str, int]) -> bool:
    """Tell whether frame 0 is a T-pose and far from frame 1, seen against how far the following frames are apart.

    Args:
        positions: [T, J, 3] of the first few frames.
        mapping: {22-joint name: index}.
    """
    at = {joint: positions[:, index] for joint, index in mapping.items()}
    trunk = (at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"])[0] / 2
    size = float(np.linalg.norm(trunk))
    if size < 1e-9:
        return False
    up = trunk / size
    lateral = (at["left_shoulder"] - at["right_shoulder"])[0]
    lateral = lateral / max(float(np.linalg.norm(lateral)), 1e-9)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = (at[f"{side}_wrist"] - at[f"{side}_shoulder"])[0]
        leg = (at[f"{side}_ankle"] - at[f"{side}_hip"])[0]
        if sign * float(arm @ lateral) < 0.9 * np.linalg.norm(arm) or float(-leg @ up) < 0.85 * np.linalg.norm(leg):
            return False
    limbs = np.stack([at[j] for j in ("left_wrist", "right_wrist", "left_ankle", "right_ankle")], axis=1)
    centre = (at["left_hip"] + at["right_hip"])[:, None] / 2
    jumps = np.linalg.norm(np.diff(limbs - centre, axis=0), axis=2).max(axis=1)
    return bool(jumps[0] > 0.3 * size and jumps[0] > 5 * np.median(jumps[1:]))
