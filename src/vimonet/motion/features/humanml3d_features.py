"""Compute HumanML3D's 263 numbers per frame and decode them (Guo et al., CVPR 2022), vectorised.

The results equal those of the published preparation code, including its peculiarities, on which weights trained on
HumanML3D depend: the facing is computed with the hips exchanged, smoothed with a Gaussian of 20 frames and set to
identity in frame 0; the yaw velocity is half the angle and has the wrong sign where the facing passes -z. Inputs for
which that code gives NaN (a facing of exactly -z, a bone exactly opposed to its axis, a clip of three frames) give
numbers here.

Layout of a frame: 0 root yaw velocity (half angle), 1:3 root velocity x, z in the body's frame, 3 root height, 4:67
local positions of joints 1..21, 67:193 their 6D rotations, 193:259 velocities of 22 joints in the body's frame,
259:263 contact of left ankle, left foot, right ankle, right foot.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vimonet.utils.errors import InputError

Array = NDArray[np.float32]

HUMANML3D_DIM = 263
_FOOT_THRESHOLD = np.float32(0.002)  # squared displacement per frame, m^2, below which a foot is in contact

_PARENTS = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19])
# The format's rest direction of the bone that ends at each joint: axis (0 x, 1 y, 2 z) and sign; the root has none.
_AXIS = np.array([1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 1, 0, 0, 2, 1, 1, 1, 1, 1, 1])
_SIGN = np.array([0, 1, -1, 1, -1, -1, 1, -1, -1, 1, 1, 1, 1, 1, -1, 1, -1, -1, -1, -1, -1, -1], dtype=np.float32)
# Joints so ordered that the rotation before joint i of this list is that of joint i - 5; the first five follow the root
# (the arms too: a peculiarity of the format). Joints with axis x lie at 1:5, with axis z at 18:21.
_CHAIN = np.array([3, 14, 13, 2, 1, 6, 17, 16, 5, 4, 9, 19, 18, 8, 7, 12, 21, 20, 11, 10, 15])
_X_AXIS, _Z_AXIS = slice(1, 5), slice(18, 21)
# A rotation about another axis is the one about y with its coordinates turned: rows and columns of the 3 x 3 matrix.
_TO_X = np.array([[(3 * ((r + 1) % 3)) + (c + 1) % 3 for c in range(3)] for r in range(3)]).ravel()
_TO_Z = np.array([[(3 * ((r + 2) % 3)) + (c + 2) % 3 for c in range(3)] for r in range(3)]).ravel()
# Rows of directions [21 * 3] that are, for the bones of _CHAIN, the coordinates before, along and after their axis.
_CHAIN_ROWS = tuple((_CHAIN - 1) * 3 + (_AXIS[_CHAIN] + shift) % 3 for shift in (-1, 0, 1))
_FEET = np.array([7, 10, 8, 11])
_TREE_LEVELS = (
    (slice(1, 4), slice(0, 1)),
    (slice(4, 7), slice(1, 4)),
    (slice(7, 10), slice(4, 7)),
    (slice(10, 13), slice(7, 10)),
    (slice(13, 15), slice(9, 10)),
    (slice(15, 18), slice(12, 15)),
    (slice(18, 20), slice(16, 18)),
    (slice(20, 22), slice(18, 20)),
)
_SIGMA = 20.0
_RADIUS = 80
_DENSE_FRAMES = 1024
_CHUNK_FRAMES = 800
_TINY = np.float32(1e-12)


def humanml3d_features(joints: ArrayLike, target_offsets: ArrayLike | None = None, *, canonical: bool = True) -> Array:
    """Compute HumanML3D features of joints.

    Args:
        joints: [..., T, 22, 3] metres, Y up, at 20 frames/s, T >= 2.
        target_offsets: [22, 3] skeleton to retarget every clip to (see `bone_offsets`); None keeps the skeleton of the
            clip. Weights trained on HumanML3D expect that of its clip 000021.
        canonical: apply `canonicalise` first, as HumanML3D does.

    Returns:
        float32 [..., T - 1, 263].

    Raises:
        InputError: a wrong shape or fewer than two frames.
    """
    clips, leading = _as_clips(joints)
    lengths = None if target_offsets is None else _bone_lengths(target_offsets)
    count, frames = clips.shape[:2]
    out = np.empty((count, frames - 1, HUMANML3D_DIM), np.float32)
    step = max(1, _CHUNK_FRAMES // frames)  # a chunk fits into the processor's cache
    for i in range(0, count, step):
        planes = _planes(clips[i : i + step])
        directions = _place(planes, lengths, canonical)
        _write_features(planes, directions, out[i : i + step])
    return out.reshape(*leading, frames - 1, HUMANML3D_DIM)


def humanml3d_joints(features: ArrayLike) -> Array:
    """Decode features [..., T, 263] to joints, float32 [..., T, 22, 3] m, from local positions and the root's path.

    The first frame stands at x = z = 0 and keeps its facing. A wrong shape raises InputError.
    """
    values = np.asarray(features, dtype=np.float32)
    if values.ndim < 2 or values.shape[-1] != HUMANML3D_DIM:
        raise InputError(f"HumanML3D features must have the shape [..., T, 263]; these have {list(values.shape)}.")
    clips = values.reshape(-1, *values.shape[-2:])
    joints = np.empty((*clips.shape[:2], 22, 3), np.float32)
    step = max(1, _CHUNK_FRAMES // max(1, clips.shape[1]))
    for i in range(0, len(clips), step):
        _write_joints(clips[i : i + step], joints[i : i + step])
    return joints.reshape(*values.shape[:-1], 22, 3)


def canonicalise(joints: ArrayLike, target_offsets: ArrayLike | None = None) -> Array:
    """Bring clips to HumanML3D's frame: lowest point at y = 0, root of frame 0 at x = z = 0, frame 0 facing +z.

    With ``target_offsets`` [22, 3] bones keep their directions and take those lengths, and the root's path is scaled by
    the ratio of the legs. joints [..., T, 22, 3] -> float32 of the same shape. Raises InputError for a wrong shape.
    """
    clips, leading = _as_clips(joints, fewest=1)
    planes = _planes(clips)
    _place(planes, None if target_offsets is None else _bone_lengths(target_offsets), True)
    return np.ascontiguousarray(planes.transpose(2, 3, 0, 1)).reshape(*leading, *clips.shape[1:])


def bone_offsets(joints: ArrayLike) -> Array:
    """Measure a skeleton from a pose [22, 3], as HumanML3D writes it: rest axis of each bone times its length."""
    pose = np.asarray(joints, dtype=np.float32)
    if pose.shape != (22, 3):
        raise InputError(f"a pose must have the shape [22, 3]; this one has {list(pose.shape)}.")
    offsets = np.zeros((22, 3), np.float32)
    offsets[np.arange(22), _AXIS] = _SIGN * np.linalg.norm(pose - pose[_PARENTS], axis=-1)
    return offsets


def _as_clips(joints: ArrayLike, fewest: int = 2) -> tuple[Array, tuple[int, ...]]:
    """Reshape joints to [B, T, 22, 3], and return the leading shape."""
    values = np.asarray(joints, dtype=np.float32)
    if values.ndim < 3 or values.shape[-2:] != (22, 3):
        raise InputError(f"joints must have the shape [..., T, 22, 3]; these have {list(values.shape)}.")
    if values.shape[-3] < fewest:
        raise InputError(f"the clip has {values.shape[-3]} frames; HumanML3D features need at least {fewest}.")
    return values.reshape(-1, *values.shape[-3:]), values.shape[:-3]


def _bone_lengths(offsets: ArrayLike) -> Array:
    values = np.asarray(offsets, dtype=np.float32)
    if values.shape != (22, 3):
        raise InputError(f"target_offsets must have the shape [22, 3]; these have {list(values.shape)}.")
    return np.linalg.norm(values[1:], axis=-1)


def _planes(clips: Array) -> Array:
    """Copy [B, T, 22, 3] to [22, 3, B, T]: every operation then runs along contiguous time."""
    count, frames = clips.shape[:2]
    return np.ascontiguousarray(clips.reshape(count * frames, 66).T).reshape(22, 3, count, frames)


def _write_joints(values: Array, out: Array) -> None:
    """Write joints: values [B, T, 263] -> out [B, T, 22, 3]."""
    angle = np.zeros(values.shape[:-1])
    np.cumsum(values[..., :-1, 0], axis=-1, dtype=np.float64, out=angle[..., 1:])
    angle *= 2.0
    cos, sin = np.cos(angle), np.sin(angle)
    # Velocity t -> t + 1 is stored at t, in the body's frame of t + 1; turned back by the inverse yaw.
    vx, vz = values[..., :-1, 1], values[..., :-1, 2]
    root = np.zeros((*values.shape[:-1], 3), np.float32)
    root[..., 1:, 0] = np.cumsum(cos[..., 1:] * vx - sin[..., 1:] * vz, axis=-1)
    root[..., 1:, 2] = np.cumsum(sin[..., 1:] * vx + cos[..., 1:] * vz, axis=-1)
    root[..., 1] = values[..., 3]
    cos32, sin32 = cos.astype(np.float32)[..., None], sin.astype(np.float32)[..., None]
    x, z = values[..., 4:67:3].copy(), values[..., 6:67:3].copy()
    _turn(x, z, cos32, -sin32, x, z)
    out[..., 0, :] = root
    np.add(x, root[..., :1], out=out[..., 1:, 0])
    out[..., 1:, 1] = values[..., 5:67:3]
    np.add(z, root[..., 2:], out=out[..., 1:, 2])


def _place(planes: Array, lengths: Array | None, canonical: bool) -> Array:
    """Retarget and place clips, in place, and return the directions of their bones.

    planes [22, 3, B, T]; lengths [21] of bones 1..21, or None to keep them; canonical: floor, origin and facing of
    frame 0. Returns unit vectors [21, 3, B, T] of bones 1..21, times the sign of their rest axis, so that a bone at
    rest points along +axis. They are computed from the input: differences of the placed joints have fewer digits, and
    a bone nearly opposed to its axis multiplies the error.
    """
    bones = planes[1:] - planes[_PARENTS[1:]]
    norm = np.sqrt(_squares(bones))
    missing = norm < _TINY
    signs = _SIGN[1:, None, None]
    directions = (
        bones * (signs / np.where(missing, 1.0, norm) if (broken := bool(missing.any())) else signs / norm)[:, None]
    )
    if broken:  # a bone of no length has no direction: take its rest direction
        joint, clip, frame = np.nonzero(missing)
        directions[joint, :, clip, frame] = np.eye(3, dtype=np.float32)[_AXIS[joint + 1]]
    if lengths is not None:
        scale = (lengths[4] + lengths[7]) / np.maximum(norm[4, :, 0] + norm[7, :, 0], _TINY)
        planes[0] *= scale[:, None]
        reach = (_SIGN[1:] * lengths)[:, None, None]
    else:
        reach = norm * signs
    if canonical:
        first = (directions[..., 0] * reach[:, None, :, 0]).astype(np.float64)
        # Hips and shoulders of frame 0; bone i ends at joint i + 1.
        facing = _unit(*_forward(first[1] - first[0] + first[13] + first[16] - first[12] - first[15]))
        cos, sin = (value[:, None] for value in _full_yaw(*_half_yaw(*facing)))
        planes[0, ::2] -= planes[0, ::2, :, :1].copy()
        _turn(planes[0, 0], planes[0, 2], cos, sin, planes[0, 0], planes[0, 2])
        _turn(directions[:, 0], directions[:, 2], cos, sin, directions[:, 0], directions[:, 2])
    if canonical or lengths is not None:
        np.multiply(directions, reach[:, None], out=bones)
        for children, parents in _TREE_LEVELS:
            np.add(planes[parents], bones[children.start - 1 : children.stop - 1], out=planes[children])
    if canonical:
        planes[:, 1] -= planes[:, 1].min(axis=(0, 2))[:, None]
    return directions


def _write_features(planes: Array, directions: Array, out: Array) -> None:
    """Write features: planes [22, 3, B, T] and directions [21, 3, B, T] of :func:`_place` -> out [B, T - 1, 263]."""
    count, frames = planes.shape[2:]
    rows = np.empty((HUMANML3D_DIM, count, frames), np.float32)  # the last frame stays unfinished and is dropped

    # The format's hips are exchanged here, not in the facing of frame 0.
    across = planes[1].astype(np.float64) - planes[2] + planes[17] - planes[16]
    cos_half, sin_half = _half_yaw(*_unit(*_smooth(np.stack(_forward(across)))))
    cos_half[:, 0], sin_half[:, 0] = 1.0, 0.0
    cos, sin = _full_yaw(cos_half, sin_half)

    turn = sin_half[:, 1:] * cos_half[:, :-1] - cos_half[:, 1:] * sin_half[:, :-1]
    rows[0, :, :-1] = np.arcsin(np.clip(turn, -1.0, 1.0))
    moved = planes[..., 1:] - planes[..., :-1]
    _turn(moved[0, 0], moved[0, 2], cos[:, 1:], sin[:, 1:], rows[1, :, :-1], rows[2, :, :-1])
    rows[3] = planes[0, 1]

    local = rows[4:67].reshape(21, 3, count, frames)
    _turn(planes[1:, 0] - planes[0, 0], planes[1:, 2] - planes[0, 2], cos, sin, local[:, 0], local[:, 2])
    local[:, 1] = planes[1:, 1]
    _write_rotations(directions, cos, sin, rows[67:193].reshape(21, 2, 3, count, frames))
    velocity = rows[193:259].reshape(22, 3, count, frames)[..., :-1]
    _turn(moved[:, 0], moved[:, 2], cos[:, :-1], sin[:, :-1], velocity[:, 0], velocity[:, 2])
    velocity[:, 1] = moved[:, 1]
    np.less(_squares(moved[_FEET]), _FOOT_THRESHOLD, out=rows[259:263, :, :-1])
    out[...] = rows[..., :-1].transpose(1, 2, 0)


def _write_rotations(directions: Array, cos: Array, sin: Array, out: Array) -> None:
    """Write local 6D rotations: directions [21, 3, B, T], yaw of the root [B, T] -> out [21, 2 columns, 3, B, T].

    The rotation that takes the axis y to the unit vector (a, b, c) by the shortest way is, with k = 1 / (1 + b), [[1
    - k a^2, a, -k a c], [-a, b, -c], [-k a c, c, 1 - k c^2]]. Bones with another axis are read with turned
    coordinates.
    """
    shape = directions.shape[2:]
    flat = directions.reshape(63, *shape)
    turn = np.empty((9, 21, *shape), np.float32)
    a, b, c = turn[1], turn[4], turn[7]
    for rows, target in zip(_CHAIN_ROWS, (a, b, c), strict=True):
        np.take(flat, rows, axis=0, out=target, mode="clip")
    aa, cc, k = a * a, c * c, b + 1.0
    if b.min() < -0.3:
        # 1 + b loses its digits towards -1; (a^2 + c^2) / (1 - b) is the same number. Exactly opposed: half a turn.
        side = aa + cc
        opposed = side < 1e-24
        if opposed.any():
            a[opposed], c[opposed], aa[opposed], cc[opposed], side[opposed] = 1e-12, 0.0, 1e-24, 0.0, 1e-24
        np.divide(side, 1.0 - b, out=k, where=b < 0.0)
    np.divide(1.0, k, out=k)
    aa *= k
    np.subtract(1.0, aa, out=turn[0])
    cc *= k
    np.subtract(1.0, cc, out=turn[8])
    k *= a
    k *= c
    np.negative(k, out=turn[2])
    np.negative(k, out=turn[6])
    np.negative(a, out=turn[3])
    np.negative(c, out=turn[5])
    turn[:, _X_AXIS] = turn[_TO_X, _X_AXIS]
    turn[:, _Z_AXIS] = turn[_TO_Z, _Z_AXIS]
    turn = turn.reshape(3, 3, 21, *shape)

    local = np.empty((2, 3, 21, *shape), np.float32)
    _turn(turn[0, :2, :5], turn[2, :2, :5], cos, -sin, local[:, 0, :5], local[:, 2, :5])
    local[:, 1, :5] = turn[1, :2, :5]
    before, after, later = turn[:, :, :16], turn[:, :2, None, 5:], local[:, :, 5:]
    np.multiply(before[0], after[0], out=later)
    product = before[1] * after[1]
    later += product
    np.multiply(before[2], after[2], out=product)
    later += product
    out[_CHAIN - 1] = local.transpose(2, 0, 1, *range(3, local.ndim))


def _squares(vectors: Array) -> Array:
    """Square lengths: [J, 3, ...] -> [J, ...]."""
    return vectors[:, 0] ** 2 + vectors[:, 1] ** 2 + vectors[:, 2] ** 2


def _turn(x: Array, z: Array, cos: Array, sin: Array, out_x: Array, out_z: Array) -> None:
    """Rotate (x, z) about y by the angle of (cos, sin); outputs may be the inputs."""
    turned = sin * z
    turned += cos * x
    across = sin * x
    np.multiply(cos, z, out=out_z)
    out_z -= across
    out_x[...] = turned


def _forward(across: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Compute the facing (x, z) from a vector [3, ...] to the body's left; shorter than 1 where it is not level."""
    x, y, z = across
    length = np.sqrt(x * x + y * y + z * z)
    np.maximum(length, _TINY, out=length)
    return z / length, -x / length


def _unit(x: NDArray[Any], z: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scale to length 1; a vector of no length faces +z."""
    length = np.sqrt(x * x + z * z)
    if length.min() > _TINY:
        return x / length, z / length
    known = length > _TINY
    length[~known] = 1.0
    return np.where(known, x / length, 0.0), np.where(known, z / length, 1.0)


def _half_yaw(forward_x: NDArray[Any], forward_z: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Compute cosine (>= 0) and sine of half the yaw that takes the facing to +z; facing exactly -z: half a turn."""
    sin_half, cos_half = _unit(-forward_x, 1.0 + forward_z)
    opposite = (forward_x == 0.0) & (forward_z < 0.0)
    if opposite.any():
        cos_half[opposite], sin_half[opposite] = 0.0, 1.0
    return cos_half, sin_half


def _full_yaw(cos_half: NDArray[Any], sin_half: NDArray[Any]) -> tuple[Array, Array]:
    cos = cos_half * cos_half - sin_half * sin_half
    return cos.astype(np.float32), (2.0 * cos_half * sin_half).astype(np.float32)


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth along the last axis: a Gaussian of sigma 20 frames, cut at 80, edges held."""
    frames = values.shape[-1]
    if frames <= _DENSE_FRAMES:
        return values @ _smoothing_matrix(frames)
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(values, _SIGMA, axis=-1, mode="nearest")


@lru_cache(maxsize=64)
def _smoothing_matrix(frames: int) -> NDArray[np.float64]:
    """Build the [T, T] matrix that filters a row vector from the right; held edges fold onto the end frames."""
    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    source = np.clip(np.arange(frames)[:, None] + np.arange(-_RADIUS, _RADIUS + 1), 0, frames - 1)
    matrix = np.zeros((frames, frames))
    np.add.at(matrix, (source, np.broadcast_to(np.arange(frames)[:, None], source.shape)), weights)
    matrix.setflags(write=False)
    return matrix
