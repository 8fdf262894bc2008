"""Write a motion as BVH: rotations solved from joint positions, which come back within a millimetre."""

from __future__ import annotations

import os
from collections.abc import Iterable
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
_LEADS = (3, 12)  # lower spine and neck: these point up in a T-pose, however a source places hips and collars
_LEAD = 3.0
_LOOSE = 0.0005  # m
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
        lead = np.where(np.isin(children, _LEADS), _LEAD, 1.0)[:, None]
        turn = _align(_unit(rest[children]) * lead, _unit(shape) * lead)
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
    a, b = _unit(a), _unit(b)
    v, c = np.cross(a, b), (a * b).sum(-1)
    k = np.zeros((len(a), 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    k -= np.transpose(k, (0, 2, 1))
    return np.eye(3) + k + k @ k / np.maximum(1.0 + c, 1e-6)[:, None, None]


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.maximum(np.sqrt((vectors**2).sum(-1, keepdims=True)), 1e-9))


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
    """Write a motion as BVH in centimetres, Y up, of constant bone lengths: their mean over time.

    A motion of constant bone lengths is reproduced to a tenth of a millimetre.
    """
    path = Path(path)
    with whole_file(path) as part:
        part.write_text(bvh_text(motion, rigid=True)[0], encoding="ascii")
    return path


def bvh_text(
    motion: Motion, *, turn: Array | None = None, scale: float = 100.0, rigid: bool = False
) -> tuple[str, list[str]]:
    """Write a motion as the text of a BVH: 22 joints in a T-pose, six channels on the root, Z-Y-X rotations elsewhere.

    A bone's rotation about its own axis cannot be told from joint positions: each bone takes the smallest rotation from
    its parent's. Joints that move against their parent's bones by more than `_LOOSE` (bones that change their length,
    joints that a skeleton of 22 leaves out) have position channels too, which replace their offset, as Blender reads
    them: every joint then comes back where it was.

    Args:
        motion: 3D.
        turn: rotation [3, 3] from Y up to the axes of the file.
        scale: units of the file per metre.
        rigid: no position channels below the root: bone lengths are their mean over time.

    Returns:
        The text, and notes on what the file does not hold.
    """
    joints = motion.joints.astype(np.float64)
    rest = rest_offsets(joints)
    world = rotations(joints, rest)
    places, loose, off = _places(joints, rest, world, rigid=rigid)
    ends = {j: np.array(end) * scale / 100.0 for j, end in _ENDS.items()}
    if turn is not None:  # the rest pose stands along the axis that is up, as the movement does
        joints, rest, places = joints @ turn.T, rest @ turn.T, places @ turn.T
        world = turn @ world @ turn.T
        ends = {j: turn @ end for j, end in ends.items()}
    local = world.copy()
    for j in range(1, 22):
        local[:, j] = np.transpose(world[:, PARENTS[j]], (0, 2, 1)) @ world[:, j]
    angles = euler_zyx(local)
    columns = [scale * joints[:, 0], angles[:, 0]]
    lines = ["HIERARCHY"]
    digits = max(3, 5 - round(np.log10(scale)))  # of a length: at least a hundredth of a millimetre

    def row(values: Iterable[float]) -> str:
        return " ".join(f"{value:.{digits + 1}f}" for value in values)

    def node(j: int, depth: int) -> None:
        tab = "\t" * depth
        channels = "Zrotation Yrotation Xrotation"
        if j in (0, *loose):
            channels = f"Xposition Yposition Zposition {channels}"
        lines.extend([f"{tab}{'ROOT' if j == 0 else 'JOINT'} {_NAMES[j]}", f"{tab}{{"])
        lines.append(f"{tab}\tOFFSET {row(np.zeros(3) if j == 0 else scale * rest[j])}")
        lines.append(f"{tab}\tCHANNELS {len(channels.split())} {channels}")
        if j:
            columns.extend([scale * places[:, j]] if j in loose else [])
            columns.append(angles[:, j])
        for child in _CHILDREN[j]:
            node(child, depth + 1)
        if j in ends:
            lines.extend([f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {row(ends[j])}", f"{tab}\t}}"])
        lines.append(f"{tab}}}")

    node(0, 0)
    lines += ["MOTION", f"Frames: {len(joints)}", f"Frame Time: {1.0 / motion.fps:.7f}"]
    lines += [" ".join(f"{v:.{digits}f}" for v in frame) for frame in np.concatenate(columns, axis=1).tolist()]
    notes = ["a bone's rotation about its own axis is not in joint positions: the smallest is taken"]
    if loose:
        names = ", ".join(_NAMES[j] for j in sorted(loose))
        notes.append(f"position channels on {names}, which move against their parent by up to {1000 * off:.0f} mm")
    elif off > _LOOSE:
        notes.append(f"bone lengths are their mean: joints lie up to {1000 * off:.0f} mm from the recording's")
    return "\n".join(lines) + "\n", notes


def _places(joints: Array, rest: Array, world: Array, *, rigid: bool) -> tuple[Array, set[int], float]:
    """Find where joints [T, 22, 3] lie in their parent's frame, which need position channels, and by how much, m."""
    placed, local = joints.copy(), np.zeros_like(joints)
    loose: set[int] = set()
    farthest = 0.0
    for j in range(1, 22):
        above = world[:, PARENTS[j]]
        local[:, j] = np.einsum("tji,tj->ti", above, joints[:, j] - placed[:, PARENTS[j]])
        stiff = placed[:, PARENTS[j]] + np.einsum("tij,j->ti", above, rest[j])
        off = float(np.sqrt(((stiff - joints[:, j]) ** 2).sum(-1)).max())
        farthest = max(farthest, off)
        if rigid or off <= _LOOSE:
            placed[:, j] = stiff
        else:
            loose.add(j)
    return local, loose, farthest
