"""Define the 22-joint skeleton: names, tree, mirror pairs, adult proportions, retargeting, and forward kinematics.

Order and tree are those of SMPL's body joints without the hands, as HumanML3D uses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

JOINT_NAMES: Final[tuple[str, ...]] = (
    *("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle"),
    *("right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
)
INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(JOINT_NAMES)}
PARENTS: Final[tuple[int, ...]] = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
LEFT_RIGHT: Final[tuple[tuple[int, int], ...]] = tuple(
    zip((1, 4, 7, 10, 13, 16, 18, 20), (2, 5, 8, 11, 14, 17, 19, 21), strict=True)
)
MIRROR: Final[NDArray[np.intp]] = np.array(
    [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20], dtype=np.intp
)
"""Permutation that exchanges left and right joints."""

CANONICAL_OFFSETS: Final[NDArray[np.float32]] = np.array(
    [
        [0.0, 0.0, 0.0],  # pelvis
        [0.09, -0.07, 0.0],  # left hip
        [-0.09, -0.07, 0.0],
        [0.0, 0.11, -0.01],  # spine1
        [0.0, -0.41, 0.0],  # left knee
        [0.0, -0.41, 0.0],
        [0.0, 0.13, 0.0],  # spine2
        [0.0, -0.41, -0.02],  # left ankle
        [0.0, -0.41, -0.02],
        [0.0, 0.06, 0.0],  # spine3
        [0.02, -0.06, 0.13],  # left foot (ball)
        [-0.02, -0.06, 0.13],
        [0.0, 0.21, -0.02],  # neck
        [0.08, 0.11, -0.02],  # left collar
        [-0.08, 0.11, -0.02],
        [0.0, 0.10, 0.03],  # head
        [0.10, 0.04, 0.0],  # left shoulder
        [-0.10, 0.04, 0.0],
        [0.27, 0.0, 0.0],  # left elbow
        [-0.27, 0.0, 0.0],
        [0.25, 0.0, 0.0],  # left wrist
        [-0.25, 0.0, 0.0],
    ],
    dtype=np.float32,
)
"""[22, 3] metres from parent to joint in a T-pose facing +Z, rounded proportions of an adult of about 1.7 m."""

CANONICAL_LENGTHS: Final[NDArray[np.float32]] = np.linalg.norm(CANONICAL_OFFSETS, axis=1).astype(np.float32)
LEG_LENGTH: Final[float] = float(CANONICAL_LENGTHS[[4, 7]].sum())
"""Hip to ankle along the canonical leg, metres."""

T_POSE: Final[NDArray[np.float32]] = np.zeros((22, 3), dtype=np.float32)
"""[22, 3] the canonical T-pose with the pelvis at the origin."""
for _joint, _parent in enumerate(PARENTS):
    if _parent >= 0:
        T_POSE[_joint] = T_POSE[_parent] + CANONICAL_OFFSETS[_joint]
T_POSE.setflags(write=False)
CANONICAL_OFFSETS.setflags(write=False)


def leg_length(joints: NDArray[np.floating]) -> NDArray[np.floating]:
    """Measure the median over time of hip-knee-ankle length, m, mean of both legs: [..., T, 22, 3] -> [...]."""
    upper = np.linalg.norm(joints[..., [4, 5], :] - joints[..., [1, 2], :], axis=-1)
    lower = np.linalg.norm(joints[..., [7, 8], :] - joints[..., [4, 5], :], axis=-1)
    return np.median((upper + lower).mean(axis=-1), axis=-1)


_DEGENERATE = 0.02  # metres: a shorter source bone has no direction worth keeping
_CHILDREN = np.arange(1, 22)
_PARENT_OF = np.array(PARENTS[1:])


def retarget(joints: NDArray[np.floating], *, floor: float | None = 0.0) -> NDArray[np.float32]:
    """Retarget a 3D movement to the canonical proportions, which removes the sensor and the actor's size as cues.

    Limbs, spine, neck and feet keep their directions. The pelvis and the shoulder girdle are placed as rigid parts,
    from the line between the hips (shoulders) and the spine, because the position of hip and shoulder joints depends on
    the sensor. A bone without length (feet collapsed on the ankles) takes its rest direction. The root's path is scaled
    by the ratio of leg lengths about its first position on the ground. The function is idempotent.

    Args:
        joints: [..., T, 22, 3] metres, Y up, finite.
        floor: new height of the floor (5th percentile over time of the lowest joint), m; None keeps the scaled height.

    Returns:
        float32 of the same shape whose bone lengths are ``CANONICAL_LENGTHS``.
    """
    source = np.asarray(joints, dtype=np.float32)
    return place(source[..., 0, :], *canonical_offsets(source), floor)


def canonical_offsets(source: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rescale the bones of joints [..., T, 22, 3] to the canonical skeleton; also return leg lengths [..., T], m."""
    bones = np.empty_like(source)
    bones[..., 0, :] = 0.0
    np.subtract(source[..., 1:, :], source.take(_PARENT_OF, axis=-2), out=bones[..., 1:, :])
    lengths = norm(bones)
    directions = bones / np.maximum(lengths, 1e-8)[..., None]
    short = lengths < _DEGENERATE

    trunk = _unit(source[..., 12, :] - source[..., 0, :], np.array([0, 1, 0], dtype=np.float32))
    for joint in (3, 6, 9, 12, 15):  # an interpolated spine may have joints on top of each other
        _replace(directions, joint, short, trunk if joint != 15 else directions[..., 12, :])
    pelvis = _frame(source[..., 1, :] - source[..., 2, :], directions[..., 3, :])
    chest = _frame(source[..., 16, :] - source[..., 17, :], directions[..., 12, :])
    down = -pelvis[..., 1]
    for joint in (4, 5):
        _replace(directions, joint, short, down)
    for joint in (7, 8, 20, 21):
        _replace(directions, joint, short, directions[..., PARENTS[joint], :])
    for joint in (18, 19):
        _replace(directions, joint, short, -chest[..., 1])
    if short[..., 10:12].any():
        for foot, ankle in ((10, 7), (11, 8)):
            shin = directions[..., ankle, :]
            forward = pelvis[..., 2] - np.einsum("...c,...c->...", pelvis[..., 2], shin)[..., None] * shin
            rest = 0.9 * _unit(forward, pelvis[..., 2]) + 0.4 * shin
            _replace(directions, foot, short, _unit(rest, rest))

    offsets = directions * CANONICAL_LENGTHS[:, None]
    offsets[..., 1:3, :] = _turned(pelvis, CANONICAL_OFFSETS[1:3])
    offsets[..., 13:15, :] = _turned(chest, CANONICAL_OFFSETS[13:15])
    offsets[..., 16:18, :] = _turned(chest, CANONICAL_OFFSETS[16:18])

    return offsets, 0.5 * lengths[..., [4, 5, 7, 8]].sum(axis=-1)


def place(
    root: NDArray[np.float32], offsets: NDArray[np.float32], legs: NDArray[np.float32], floor: float | None = 0.0
) -> NDArray[np.float32]:
    """Place `canonical_offsets` of clips on their root's path [..., T, 3], m, scaled by their legs; see `retarget`."""
    scale = LEG_LENGTH / np.clip(np.median(legs, axis=-1), 0.05, 10.0)
    anchor = root[..., :1, :] * np.array([1, 0, 1], dtype=np.float32)
    columns = np.ascontiguousarray(offsets.reshape(-1, 66).T).reshape(22, 3, -1)  # time last: long inner loops
    columns[0] = (anchor + (root - anchor) * scale[..., None, None].astype(np.float32)).reshape(-1, 3).T
    for joint, parent in enumerate(PARENTS):  # offsets become positions, parents first
        if parent >= 0:
            columns[joint] += columns[parent]
    placed = np.ascontiguousarray(columns.reshape(66, -1).T).reshape(offsets.shape)
    if floor is not None:
        placed[..., 1] += (floor - floor_height(placed))[..., None, None]
    return placed


def _turned(frames: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rotate points [K, 3] by rotation matrices [..., 3, 3] -> [..., K, 3], in one product of matrices."""
    turned = (frames.reshape(-1, 3) @ points.T).reshape(*frames.shape[:-1], len(points))
    return turned.swapaxes(-1, -2)


def floor_height(joints: NDArray[np.floating], percentile: float = 5.0) -> NDArray[np.floating]:
    """Estimate the height of the floor, m: a low percentile over time of the lowest joint, [..., T, 22, 3] -> [...]."""
    lowest = joints[..., 1].min(axis=-1)
    rank = int(percentile / 100 * (lowest.shape[-1] - 1))
    return np.partition(lowest, rank, axis=-1)[..., rank]


def _unit(vectors: NDArray[np.float32], fallback: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.sqrt(np.einsum("...c,...c->...", vectors, vectors))[..., None]
    return np.where(norms > 1e-4, vectors / np.maximum(norms, 1e-8), fallback).astype(np.float32)


def _replace(
    directions: NDArray[np.float32], joint: int, short: NDArray[np.bool_], fallback: NDArray[np.float32]
) -> None:
    where = short[..., joint]
    if where.any():
        directions[..., joint, :] = np.where(where[..., None], fallback, directions[..., joint, :])


def _frame(lateral: NDArray[np.float32], up: NDArray[np.float32]) -> NDArray[np.float32]:
    """Build a right-handed frame with columns x (left), y (up), z (forward) from a left-right line and a rough up."""
    left = _unit(lateral, np.array([1, 0, 0], dtype=np.float32))
    forward = cross(left, up)
    # In a glitch the line may lie along the spine; then any perpendicular is used.
    spare = cross(left, np.array([0, 1, 0], dtype=np.float32) + 0.01)
    forward = _unit(forward, _unit(spare, np.array([0, 0, 1], dtype=np.float32)))
    return np.stack([left, cross(forward, left), forward], axis=-1)


def cross(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Compute the cross product of vectors in the last axis (several times faster than numpy.cross)."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def norm(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """Compute the length of vectors in the last axis (several times faster than numpy.linalg.norm on axes of three)."""
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))


def extent(points: NDArray[Any]) -> NDArray[Any]:
    """Measure the extent of points along each axis, [T, J, 3] -> [T, 3] (several times faster than numpy.ptp)."""
    columns = np.ascontiguousarray(points.transpose(2, 1, 0))  # time last: long inner loops
    return np.asarray((columns.max(axis=1) - columns.min(axis=1)).T)


def whole(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where a mask holds in all coordinates: [..., C] -> [...] (several times faster than numpy.all)."""
    held = mask[..., 0]
    for axis in range(1, mask.shape[-1]):
        held = held & mask[..., axis]
    return held


def median(x: NDArray[Any]) -> float:
    """Return the median of finite x [T], of an even number the mean of the middle two, without numpy's overhead."""
    k = len(x) // 2
    if len(x) % 2:
        return float(np.partition(x, k)[k])
    middle = np.partition(x, (k - 1, k))
    return float(0.5 * (middle[k - 1] + middle[k]))


def percentile(x: NDArray[Any], percent: float) -> float:
    """Return the percentile of finite x [T] as numpy does, to the bit, without its overhead."""
    at = (len(x) - 1) * (percent / 100)
    low, high = int(at), min(int(at) + 1, len(x) - 1)
    a, b = np.partition(x, (low, high))[[low, high]]
    share, step = at - low, b - a
    return float(a + step * share if share < 0.5 else b - step * (1 - share))


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
    cosines, sines = np.cos(angles), np.sin(angles)
    out = np.ascontiguousarray(axis_matrices(axes[0], angles[0]).transpose(1, 2, 0))  # time last: long inner loops
    for axis, c, s in zip(axes[1:], cosines[1:], sines[1:], strict=True):
        i, j = (axis + 1) % 3, (axis + 2) % 3  # the two columns that a rotation about the axis mixes
        mixed = c * out[:, i] + s * out[:, j]
        out[:, j] = c * out[:, j] - s * out[:, i]
        out[:, i] = mixed
    return out.transpose(2, 0, 1)


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
    # With time last, every operation below runs over long contiguous rows.
    offsets = np.ascontiguousarray(local.transpose(1, 2, 0))
    positions = np.empty_like(offsets)
    turned: list[NDArray[np.float64] | None] = []
    for joint, parent in enumerate(parents):
        above = turned[parent] if parent >= 0 else None
        moved = offsets[joint]
        if above is not None:
            moved = above[:, 0] * moved[0] + above[:, 1] * moved[1] + above[:, 2] * moved[2]
        positions[joint] = moved + positions[parent] if parent >= 0 else moved
        rotation = rotations[joint]
        if rotation is None:
            turned.append(above)
            continue
        own = np.ascontiguousarray(rotation.transpose(1, 2, 0))
        if above is not None:
            own = above[:, 0, None] * own[0] + above[:, 1, None] * own[1] + above[:, 2, None] * own[2]
        turned.append(own)
    return np.ascontiguousarray(positions.transpose(2, 0, 1))
