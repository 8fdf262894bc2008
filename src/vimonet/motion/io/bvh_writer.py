"""Write a motion as BVH: rotations solved from joints; a motion of constant bone lengths comes back exactly."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.motion import Motion
from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS
from vimonet.utils.files import whole_file

_NAMES = (
    *("Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine1", "LeftFoot", "RightFoot", "Spine2"),
    *("LeftToe", "RightToe", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm", "RightArm"),
    *("LeftForeArm", "RightForeArm", "LeftHand", "RightHand"),
)
_CHILDREN = [[j for j in range(22) if PARENTS[j] == i] for i in range(22)]
_ENDS = {10: (0.0, 0.0, 4.0), 11: (0.0, 0.0, 4.0), 15: (0.0, 14.0, 2.0), 20: (8.0, 0.0, 0.0), 21: (-8.0, 0.0, 0.0)}

Array = NDArray[np.float64]


def rest_offsets(joints: Array) -> Array:
    """Measure T-pose offsets [22, 3] with the mean bone lengths of a motion [T, 22, 3], m.

    If a joint carries several bones (pelvis, chest), their shape is that of the motion, rotated to the T-pose, which a
    rotation can then reproduce.
    """
    rest = np.asarray(CANONICAL_OFFSETS, dtype=np.float64).copy()
    bones = joints[:, 1:] - joints[:, list(PARENTS[1:])]
    lengths = np.sqrt((bones**2).sum(-1)).mean(axis=0)
    rest[1:] *= (lengths / np.sqrt((rest[1:] ** 2).sum(-1)))[:, None]
    for children in _CHILDREN:
        if len(children) < 2:
            continue
        turned = np.zeros((len(children), 3))
        shape = joints[:, children] - joints[:, [PARENTS[children[0]]]]
        turn = _align(rest[children], shape)
        turned = np.einsum("tji,tkj->ki", turn, shape) / len(joints)
        rest[children] = turned * (lengths[np.array(children) - 1] / np.sqrt((turned**2).sum(-1)))[:, None]
    return rest


def rotations(joints: Array, rest: Array) -> Array:
    """Solve the world rotations [T, 22, 3, 3] that take rest offsets to bones; an end joint has its parent's."""
    out = np.zeros((len(joints), 22, 3, 3))
    for j, children in enumerate(_CHILDREN):
        parent = out[:, PARENTS[j]] if j else np.broadcast_to(np.eye(3), (len(joints), 3, 3))
        if not children:
            out[:, j] = parent
        elif len(children) == 1:
            now = np.einsum("tij,j->ti", parent, rest[children[0]])
            out[:, j] = _swing(now, joints[:, children[0]] - joints[:, j]) @ parent
        else:
            out[:, j] = _align(rest[children], joints[:, children] - joints[:, [j]])
    return out


def _swing(a: Array, b: Array) -> Array:
    """Find the smallest rotation [T, 3, 3] that takes the direction of a to that of b."""
    a, b = (v / np.maximum(np.sqrt((v**2).sum(-1, keepdims=True)), 1e-9) for v in (a, b))
    v, c = np.cross(a, b), (a * b).sum(-1)
    k = np.zeros((len(a), 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    k -= np.transpose(k, (0, 2, 1))
    return np.eye(3) + k + k @ k / np.maximum(1.0 + c, 1e-6)[:, None, None]


def _align(rest: Array, shape: Array) -> Array:
    """Find the rotation [T, 3, 3] that best takes rest vectors [K, 3] to [T, K, 3] (Kabsch 1976)."""
    u, _, vt = np.linalg.svd(np.einsum("ki,tkj->tij", rest, shape))
    flip = np.tile(np.eye(3), (len(shape), 1, 1))
    flip[:, 2, 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    return np.transpose(u @ flip @ vt, (0, 2, 1))


def euler_zyx(matrix: Array) -> Array:
    """Convert matrices to degrees [..., 3] about Z, Y, X, unwrapped over time (axis 0)."""
    y = np.arcsin(np.clip(-matrix[..., 2, 0], -1.0, 1.0))
    z = np.arctan2(matrix[..., 1, 0], matrix[..., 0, 0])
    x = np.arctan2(matrix[..., 2, 1], matrix[..., 2, 2])
    return np.degrees(np.unwrap(np.stack([z, y, x], axis=-1), axis=0))


def write_bvh(motion: Motion, path: str | os.PathLike[str]) -> Path:
    """Write a motion as BVH in centimetres, Y up: 22 joints, six channels on the root, Z-Y-X rotations elsewhere.

    Bone lengths are the mean over time; a motion of constant bone lengths is reproduced to a tenth of a millimetre.
    """
    joints = motion.joints.astype(np.float64)
    rest = rest_offsets(joints)
    world = rotations(joints, rest)
    local = world.copy()
    for j in range(1, 22):
        local[:, j] = np.transpose(world[:, PARENTS[j]], (0, 2, 1)) @ world[:, j]
    angles = euler_zyx(local)
    order: list[int] = []
    lines = ["HIERARCHY"]

    def node(j: int, depth: int) -> None:
        tab = "\t" * depth
        order.append(j)
        offset = np.zeros(3) if j == 0 else 100.0 * rest[j]
        turn = "Zrotation Yrotation Xrotation"
        channels = f"6 Xposition Yposition Zposition {turn}" if j == 0 else f"3 {turn}"
        lines.extend([f"{tab}{'ROOT' if j == 0 else 'JOINT'} {_NAMES[j]}", f"{tab}{{"])
        lines.extend([f"{tab}\tOFFSET {offset[0]:.4f} {offset[1]:.4f} {offset[2]:.4f}", f"{tab}\tCHANNELS {channels}"])
        for child in _CHILDREN[j]:
            node(child, depth + 1)
        if j in _ENDS:
            end = "{:.4f} {:.4f} {:.4f}".format(*_ENDS[j])
            lines.extend([f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {end}", f"{tab}\t}}"])
        lines.append(f"{tab}}}")

    node(0, 0)
    lines += ["MOTION", f"Frames: {len(joints)}", f"Frame Time: {1.0 / motion.fps:.7f}"]
    values = np.concatenate([100.0 * joints[:, 0], angles[:, order].reshape(len(joints), -1)], axis=1)
    lines += [" ".join(f"{v:.3f}" for v in row) for row in values]
    path = Path(path)
    with whole_file(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path
