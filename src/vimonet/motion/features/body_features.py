"""Compute body features, the inputs of nano in place of HumanML3D's 263 numbers.

Notable choices:

- the path and heading since the first frame stand beside the velocities, so that a single frame shows displacement and
  turn, which a network would otherwise have to integrate;
- only joints that every sensor measures: many recorders interpolate spine, collars and toes, from which a model would
  learn the sensor; bone lengths are unified for the same reason;
- a channel per joint says whether it was seen, so that a missing limb is not a limb at the pelvis;
- facing uses hips and shoulders in their anatomical order and no half angles, unlike HumanML3D.

The 2D variant has the same parts without depth, facing and floor, which a camera does not show.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.trajectory import headings
from vimonet.motion.skeleton import JOINT_NAMES, canonical_offsets, place, retarget

FPS = 20.0
BODY_JOINTS = [
    JOINT_NAMES.index(name)
    for name in (
        *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "neck", "head"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    )
]
_PELVIS = 0
_J = len(BODY_JOINTS)
ROOT_DIM = 11
BODY_DIM = ROOT_DIM + 3 * _J + 3 * _J + (_J + 1)
KEYPOINT_ROOT_DIM = 5
KEYPOINT_DIM = KEYPOINT_ROOT_DIM + 2 * _J + 2 * _J + (_J + 1)


def body_features(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None = None, dimensions: int = 3
) -> NDArray[np.float32]:
    """Compute the body features of one clip, or of clips of one length together.

    Args:
        joints: [T, 22, 3] or [N, T, 22, 3] metres, Y up, 20 frames/s, any position and heading.
        confidence: [T, 22] or [N, T, 22] in 0..1, 0 for a joint that was not seen; None when all were.
        dimensions: 3, or 2 for 2D keypoints (z ignored).

    Returns:
        [T, BODY_DIM] float32, or [T, KEYPOINT_DIM] for 2D; with N before them for several clips. In 3D, per frame:
        pelvis height (m), its velocity up, forward and to the left (m/s), turning rate (rad/s), path since the first
        frame forward and to the left (m, in the first frame's facing), heading since the first frame (sin, cos, rad /
        pi), time (s / 10); 14 joints relative to the pelvis in the current facing (m); their velocities (m/s); seen
        flags of pelvis and joints.
    """
    if joints.ndim == 3:
        return body_features(joints[None], None if confidence is None else confidence[None], dimensions)[0]
    return _features(joints if dimensions == 2 else retarget(joints), confidence, dimensions)


def window_features(
    joints: NDArray[np.float32], seen: NDArray[np.float32] | None, dimensions: int, bounds: Sequence[tuple[int, int]]
) -> list[NDArray[np.float32]]:
    """Compute the `body_features` of windows (start, end) of a recording, rescaling its bones once."""
    bones = canonical_offsets(joints) if dimensions == 3 else None
    out: dict[tuple[int, int], NDArray[np.float32]] = {}
    for length in {end - start for start, end in bounds}:
        same = [pair for pair in bounds if pair[1] - pair[0] == length]
        at = np.array([start for start, _ in same])[:, None] + np.arange(length)
        clips = joints[at] if bones is None else place(joints[at, 0], bones[0][at], bones[1][at])
        out.update(zip(same, _features(clips, None if seen is None else seen[at], dimensions), strict=True))
    return [out[pair] for pair in bounds]


def _features(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, dimensions: int
) -> NDArray[np.float32]:
    """Compute the features of clips [N, T, 22, 3] whose 3D joints are retargeted."""
    seen = np.ones(joints.shape[:3], np.float32) if confidence is None else (confidence > 0.2).astype(np.float32)
    features = _keypoint(joints, seen) if dimensions == 2 else _body(joints, seen)
    np.nan_to_num(features, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return features.clip(-20, 20, out=features)


def body_joints(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decode joint positions from 3D body features: [..., T, BODY_DIM] -> [..., T, 15, 3] metres, pelvis first.

    In the first frame's facing, Y up, the pelvis starting above the origin.
    """
    height, forward, left = features[..., 0], features[..., 5], features[..., 6]
    sin, cos = features[..., 7], features[..., 8]
    local = features[..., ROOT_DIM : ROOT_DIM + 3 * _J].reshape(*features.shape[:-1], _J, 3)
    root = np.stack([left, height, forward], axis=-1)
    x = cos[..., None] * local[..., 0] + sin[..., None] * local[..., 2]
    z = -sin[..., None] * local[..., 0] + cos[..., None] * local[..., 2]
    moved = np.stack([x, local[..., 1], z], axis=-1) + root[..., None, :]
    return np.concatenate([root[..., None, :], moved], axis=-2)


def _velocity(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the backward difference per second along time [N, T, ...]; the first frame repeats the second."""
    step = np.zeros_like(x)
    np.subtract(x[:, 1:], x[:, :-1], out=step[:, 1:])
    step[:, :1] = step[:, 1:2] if x.shape[1] > 1 else 0.0
    return step * np.float32(FPS)


def _body(joints: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    angle = headings(joints, FPS).astype(np.float32)
    root = joints[:, :, _PELVIS]
    sin, cos = np.sin(angle), np.cos(angle)

    first_sin, first_cos = sin[:, :1], cos[:, :1]
    path = root - root[:, :1]
    path_forward = first_sin * path[..., 0] + first_cos * path[..., 2]
    path_left = first_cos * path[..., 0] - first_sin * path[..., 2]
    step = _velocity(root)
    turned = angle - angle[:, :1]
    ahead, left = sin * step[..., 0] + cos * step[..., 2], cos * step[..., 0] - sin * step[..., 2]
    speeds = step[..., 1], ahead, left, _velocity(angle)
    heading = np.sin(turned), np.cos(turned), turned / np.pi
    root_part = np.stack([root[..., 1], *speeds, path_forward, path_left, *heading, _time(joints)], axis=-1)

    local = joints[:, :, BODY_JOINTS]
    local -= root[:, :, None]
    x, z = local[..., 0].copy(), local[..., 2].copy()
    sin, cos = sin[..., None], cos[..., None]
    local[..., 0] = cos * x - sin * z
    local[..., 2] = sin * x + cos * z
    return _assemble(root_part, local, seen)


def _time(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the time of each frame of clips [N, T, ...], in units of 10 s: [N, T]."""
    return np.broadcast_to((np.arange(joints.shape[1]) / (10 * FPS)).astype(np.float32), joints.shape[:2])


def _keypoint(joints: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = joints[..., :2].astype(np.float32)
    root = flat[:, :, _PELVIS].copy()
    index = np.arange(joints.shape[1])
    for one, clear in zip(root, seen[:, :, _PELVIS] > 0, strict=True):
        if clear.any() and not clear.all():
            one[:] = np.stack([np.interp(index, index[clear], one[clear, k]) for k in range(2)], axis=-1)
    path = root - root[:, :1]
    root_part = np.concatenate([_velocity(root), path, _time(joints)[..., None]], axis=-1)
    return _assemble(root_part, flat[:, :, BODY_JOINTS] - root[:, :, None], seen)


def _assemble(root: NDArray[np.float32], local: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Join root part [N, T, R], local positions [N, T, 14, d], seen [N, T, 22] to [N, T, R + 28 d + 15].

    Unseen joints are zero.
    """
    mask = seen[:, :, BODY_JOINTS]
    velocity = _velocity(local)
    if not mask.all():
        # A velocity needs both of its frames to be seen.
        velocity *= (mask * np.concatenate([mask[:, :1], mask[:, :-1]], axis=1))[..., None]
        local = local * mask[..., None]
    flags = np.concatenate([seen[:, :, :1], mask], axis=2)
    parts = [root, local.reshape(*local.shape[:2], -1), velocity.reshape(*local.shape[:2], -1), flags]
    return np.concatenate(parts, axis=-1)
