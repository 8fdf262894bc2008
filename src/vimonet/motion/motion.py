"""Define `Motion`, the common representation of movement, and resample recordings in time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vimonet.motion.calibration import HELD
from vimonet.motion.skeleton import JOINT_NAMES, MIRROR, extent, median, norm, whole
from vimonet.utils.errors import InputError

FPS = 20.0
"""Frames per second of every loaded motion (the rate of HumanML3D)."""
FARTHEST = 10_000.0
"""Largest coordinate, m (of a picture: where a torso is 0.5 m); studios, streets and stadiums are smaller."""
_MAX_FPS = 10_000.0


def check_fps(fps: float, name: str = "motion") -> float:
    """Return ``fps`` as a float; InputError unless it is a positive, finite, plausible rate."""
    try:
        rate = float(fps)
    except (TypeError, ValueError):
        raise InputError(f"{name}: fps is {fps!r}; expected a number of frames per second.") from None
    if not (np.isfinite(rate) and 0.1 <= rate <= _MAX_FPS):
        raise InputError(f"{name}: fps is {fps}; expected between 0.1 and {_MAX_FPS:g} frames per second.")
    return rate


def exact_fps(frame_time: float) -> float:
    """Round the rate of a printed frame time: 1/.0083333 is 120, not 120.00048, and 1/.033333 is 30.

    Files print frame times with few digits, which would make long recordings drift. The nearest whole rate (or NTSC
    rate, whole * 1000 / 1001) is returned if it agrees within 0.05 %.
    """
    rate = 1.0 / frame_time
    for candidate in (round(rate), round(rate * 1001 / 1000) * 1000 / 1001):
        if candidate > 0 and abs(rate - candidate) <= 5e-4 * candidate:
            return float(candidate)
    return rate


def resampled_length(frames: int, source_fps: float, target_fps: float = 20.0) -> int:
    """Count the frames at the target rate: those at times 0, 1/target, ... not after the last source frame."""
    # The tolerance keeps the last frame in spite of rounding.
    return int(np.floor((frames - 1) * target_fps / source_fps + 1e-6)) + 1


def resample(
    positions: ArrayLike, source_fps: float, target_fps: float = 20.0, *, confidence: ArrayLike | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Resample [T, ...] positions in time; frame 0 stays frame 0 and frame k lies at k/target seconds.

    - A whole ratio (120 -> 20) takes every n-th frame unchanged.
    - Any other ratio, down (30 -> 20) or up (15 -> 20), evaluates a Lanczos-windowed sinc at the exact times. Going
      down, its cut-off is the new Nyquist rate, which filters faster jitter instead of aliasing it.

    Args:
        positions: [T, ...] numbers, finite.
        source_fps: frames per second of ``positions``.
        target_fps: frames per second wanted.
        confidence: [T, J]; taken from the nearest source frame.

    Returns:
        float32 [T', ...] and float32 [T', J] or None.

    Raises:
        InputError: a rate that is not positive, or no frame.
    """
    source_fps, target_fps = check_fps(source_fps), check_fps(target_fps)
    values = np.asarray(positions)
    if values.ndim == 0 or values.shape[0] == 0:
        raise InputError("motion: there is no frame to resample; at least one is needed.")
    weights = None if confidence is None else np.asarray(confidence, dtype=np.float32)
    ratio = source_fps / target_fps
    step = round(ratio)
    if step >= 1 and abs(ratio - step) < 1e-6 * step:
        return (
            np.ascontiguousarray(values[::step], dtype=np.float32),
            None if weights is None else np.ascontiguousarray(weights[::step]),
        )
    length = values.shape[0]
    times = np.arange(resampled_length(length, source_fps, target_fps)) * ratio
    fraction = Fraction(ratio).limit_denominator(1000)
    if abs(float(fraction) - ratio) < 1e-9 * ratio:  # exact times for 3/2, 5/4, ... however long the recording
        times = np.arange(len(times)) * fraction.numerator / fraction.denominator
    times = np.minimum(times, length - 1)
    out = _sinc_interpolate(values.reshape(length, -1).astype(np.float64), times, max(1.0, ratio))
    nearest = np.minimum(np.floor(times + 0.5).astype(np.intp), length - 1)
    return (
        out.reshape(len(times), *values.shape[1:]).astype(np.float32),
        None if weights is None else np.ascontiguousarray(weights[nearest]),
    )


def _sinc_interpolate(flat: NDArray[np.float64], times: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Interpolate values [T, C] at fractional frames ``times``, low-passed to 1/width of the band (Lanczos kernel)."""
    lobes = 3
    length = len(flat)
    if length == 1:
        return np.repeat(flat, len(times), axis=0)
    radius = int(np.ceil(lobes * width))
    # Point reflection about the end frames continues the movement at the edges.
    reach = np.arange(1, radius + 1)
    head = 2 * flat[0] - flat[np.minimum(reach[::-1], length - 1)]
    tail = 2 * flat[-1] - flat[np.maximum(length - 1 - reach, 0)]
    padded = np.concatenate([head, flat, tail])
    base = np.floor(times).astype(np.intp)
    taps = np.arange(1 - radius, radius + 1)
    x = (times - base)[:, None] - taps
    weights = np.sinc(x / width) * np.sinc(x / (lobes * width)) * (np.abs(x) < lobes * width)
    weights /= weights.sum(axis=1, keepdims=True)
    out = np.zeros((len(times), flat.shape[1]))
    for column, tap in enumerate(taps):
        out += weights[:, column, None] * padded[np.minimum(base + tap + radius, len(padded) - 1)]
    return out


def thin_out(
    rows: NDArray[np.float64],
    rate: float,
    positions_of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    mapping: dict[str, int],
    notes: list[str],
    target_fps: float | None = FPS,
) -> tuple[NDArray[np.float64], float]:
    """Drop a T-pose first frame, then keep every n-th frame when the rate is n times the target; None keeps all.

    Returns:
        the joints [T, J, 3] of the rows left, and their rate.
    """
    step = 1 if target_fps is None else round(rate / target_fps)
    if target_fps is not None and step > 1 and abs(rate / target_fps - step) < 1e-6 * step:
        kept_rate = target_fps
    else:
        step, kept_rate = 1, rate
    joints = positions_of(rows[::step])
    few = int(HELD * rate)  # longer ones are calibration poses, which are kept
    posed = 0
    if len(rows) >= 3 and in_t_pose(joints[0], mapping):
        posed = leading_t_pose(positions_of(rows[: few + 12]), mapping)
    if 0 < posed <= max(1, few):
        joints = positions_of(rows[posed::step])
        some = "first frame" if posed == 1 else f"first {posed} frames"
        notes.append(f"{some} dropped: a T-pose that the movement jumps from")
    return joints, kept_rate


def in_t_pose(positions: NDArray[np.float64], mapping: dict[str, int]) -> bool:
    """Tell whether a body [J, 3] holds both arms out to the sides and both legs straight down."""
    at = {joint: positions[index] for joint, index in mapping.items()}
    size, up = _trunk(at)
    lateral = at["left_shoulder"] - at["right_shoulder"]
    lateral = lateral / max(float(np.linalg.norm(lateral)), 1e-9)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = at[f"{side}_wrist"] - at[f"{side}_shoulder"]
        leg = at[f"{side}_ankle"] - at[f"{side}_hip"]
        if sign * float(arm @ lateral) < 0.9 * np.linalg.norm(arm) or float(-leg @ up) < 0.85 * np.linalg.norm(leg):
            return False
    return size > 1e-9


def leading_t_pose(positions: NDArray[np.float64], mapping: dict[str, int]) -> int:
    """Count the frames of a T-pose at the start from which the body jumps farther than in the frames after it.

    Args:
        positions: [T, J, 3] of the first frames, of which the first is a T-pose.
        mapping: {22-joint name: index}.
    """
    at = {joint: positions[:, index] for joint, index in mapping.items()}
    size, _ = _trunk({joint: places[0] for joint, places in at.items()})
    limbs = np.stack([at[j] for j in ("left_wrist", "right_wrist", "left_ankle", "right_ankle")], axis=1)
    limbs = limbs - (at["left_hip"] + at["right_hip"])[:, None] / 2
    held = int(np.argmin(np.append(norm(limbs - limbs[0]).max(axis=1) < 0.02 * size, False)))
    jumps = norm(np.diff(limbs, axis=0)).max(axis=1)[held - 1 : held + 10]
    return held if len(jumps) > 1 and jumps[0] > 0.3 * size and jumps[0] > 5 * np.median(jumps[1:]) else 0


def _trunk(at: dict[str, NDArray[np.float64]]) -> tuple[float, NDArray[np.float64]]:
    """Measure the trunk of a pose: its length, and its direction from the hips to the shoulders [3]."""
    trunk = (at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]) / 2
    size = float(np.linalg.norm(trunk))
    return size, trunk / max(size, 1e-9)


# Diagonal of a body's bounding box, m: from a curled-up toddler to a giant with a raised arm.
_PLAUSIBLE_SIZE = (0.25, 4.5)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Hold one moving body on the 22-joint skeleton.

    Attributes:
        joints: float32 [T, 22, 3], metres, Y up, right-handed; +X is the body's left when it faces +Z.
        fps: frames per second; 20 after loading, unless another rate was asked for.
        name: name of the recording (the file's stem).
        source: format of the source (``bvh``, ``asf/amc``, ``amass``, ``humanml3d``, ``joints``, ``coco17`` ...).
        source_fps: frames per second of the source.
        confidence: float32 [T, 22] in 0..1, 0 for a joint that was not seen; None when every joint was seen.
        dimensions: 3, or 2 for keypoints of an image: then z = 0, y is up and the median visible torso
            (pelvis to neck) measures 0.5.
        notes: findings and changes of loading, one phrase each (a dropped T-pose frame, interpolated joints ...).
        details: facts about the source for `recording_info` (skeleton family, unit, up axis, frame count ...).

    Raises:
        InputError: wrong shape, no frame, a value that is not finite at a seen joint, or a body of an impossible size.
    """

    joints: NDArray[np.float32]
    fps: float = FPS
    name: str = "motion"
    source: str = "array"
    source_fps: float = FPS
    confidence: NDArray[np.float32] | None = None
    dimensions: int = 3
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate the arrays, and give unseen joints a finite position."""
        joints = np.ascontiguousarray(_as_float32(self.joints, self.name, "joints"))
        if joints.ndim != 3 or joints.shape[1:] != (len(JOINT_NAMES), 3):
            raise InputError(f"{self.name}: joints have shape {list(joints.shape)}; expected [frames, 22, 3].")
        if joints.shape[0] == 0:
            raise InputError(f"{self.name}: the recording has no frames; at least one is needed.")
        if self.dimensions not in (2, 3):
            raise InputError(f"{self.name}: dimensions is {self.dimensions}; expected 2 or 3.")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"{self.name}: fps is {self.fps}; expected a positive number of frames per second.")
        confidence = self.confidence
        if confidence is not None:
            confidence = np.ascontiguousarray(_as_float32(confidence, self.name, "confidence"))
            if confidence.shape != joints.shape[:2]:
                raise InputError(
                    f"{self.name}: confidence has shape {list(confidence.shape)}; expected {list(joints.shape[:2])}, "
                    "one value per frame and joint."
                )
            confidence = np.clip(np.nan_to_num(confidence, nan=0.0), 0.0, 1.0)
        finite = whole(np.abs(joints) <= FARTHEST)
        seen = None if confidence is None or (confidence > 0).all() else confidence > 0
        if not (finite if seen is None else finite[seen]).all():
            frame, joint = np.argwhere(~finite if seen is None else seen & ~finite)[0]
            far = float(np.abs(joints[frame, joint]).max())
            wrong = f"{far / 1000:.3g} km from the origin" if np.isfinite(far) else "not a finite number"
            raise InputError(
                f"{self.name}: the {JOINT_NAMES[joint].replace('_', ' ')} is {wrong} in frame {frame + 1} "
                f"of {joints.shape[0]}; every seen joint needs three finite coordinates, metres."
            )
        if not finite.all():
            joints = fill_unseen(joints, finite)
        _check_size(joints, seen, self.name)
        object.__setattr__(self, "joints", joints)
        object.__setattr__(self, "confidence", confidence)

    def __len__(self) -> int:
        return self.frames

    def __repr__(self) -> str:
        return f"Motion({self.name!r}, {self.frames} frames, {self.duration:.2f} s, {self.dimensions}D, {self.source})"

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.joints.shape[0])

    @property
    def duration(self) -> float:
        """Duration, s: frames / fps."""
        return self.frames / self.fps

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Whether each joint was seen, bool [T, 22]."""
        if self.confidence is None:
            return np.ones(self.joints.shape[:2], dtype=bool)
        return self.confidence > 0

    def window(self, start: int, end: int) -> Motion:
        """Cut out frames ``start`` to ``end`` (exclusive) as a motion; bounds are clipped to the recording.

        Raises:
            InputError: the window holds no frame.
        """
        start, end = max(0, int(start)), min(self.frames, int(end))
        if end <= start:
            raise InputError(f"{self.name}: the window {start}..{end} holds no frame of {self.frames}.")
        confidence = None if self.confidence is None else self.confidence[start:end]
        return replace(self, joints=self.joints[start:end], confidence=confidence)

    def mirrored(self) -> Motion:
        """Mirror the movement: x negated, left and right joints exchanged."""
        joints = self.joints[:, MIRROR] * np.array([-1, 1, 1], dtype=np.float32)
        confidence = None if self.confidence is None else self.confidence[:, MIRROR]
        return replace(self, joints=joints, confidence=confidence)

    def named(self, name: str) -> Motion:
        """Return the same movement under another name."""
        twin = copy.copy(self)  # not checked again
        object.__setattr__(twin, "name", name)
        return twin


def fill_unseen(joints: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give unseen joints a plausible, finite position.

    Unseen spans are interpolated linearly in time and held at the ends. A joint never seen takes the position of its
    parent (the pelvis: the mean of the seen joints, else the origin).

    Args:
        joints: [T, 22, 3]; values where ``seen`` is False are ignored.
        seen: bool [T, 22].

    Returns:
        float32 [T, 22, 3], finite wherever a seen value was finite.
    """
    from vimonet.motion.skeleton import PARENTS

    filled = np.array(joints, dtype=np.float32)
    time = np.arange(filled.shape[0])
    for joint in np.flatnonzero(~seen.all(axis=0)):
        where = seen[:, joint]
        if where.any():
            for axis in range(3):
                filled[:, joint, axis] = np.interp(time, time[where], filled[where, joint, axis])
        elif joint == 0:
            hips = [j for j in (1, 2) if seen[:, j].any()]
            others = hips or [j for j in range(1, filled.shape[1]) if seen[:, j].any()]
            if not others:
                filled[:, 0] = 0.0
            else:
                values = np.where(seen[:, others, None], filled[:, others], 0.0).sum(axis=(0, 1))
                filled[:, 0] = values / max(1, int(seen[:, others].sum()))
        else:
            filled[:, joint] = filled[:, PARENTS[joint]]
    return filled


def _as_float32(array: ArrayLike, name: str, what: str) -> NDArray[np.float32]:
    try:
        values = np.asarray(array)
        if values.dtype == object or values.dtype.kind in "USOVcmM":
            raise TypeError
        with np.errstate(over="ignore"):  # a value beyond float32 becomes inf, which the finite check then names
            return values.astype(np.float32, copy=False)
    except (TypeError, ValueError):
        raise InputError(f"{name}: {what} are not an array of numbers; expected a regular numeric array.") from None


def _check_size(joints: NDArray[np.float32], seen: NDArray[np.bool_] | None, name: str) -> None:
    """Refuse coordinates that cannot be metres, which a wrong unit would cause silently."""
    if seen is None:
        spread = extent(joints)
    else:
        most = seen.sum(axis=1) >= 6
        if not most.any():
            return
        values, mask = np.ascontiguousarray(joints[most].transpose(2, 1, 0)), np.ascontiguousarray(seen[most].T)
        spread = (np.where(mask, values, -np.inf).max(axis=1) - np.where(mask, values, np.inf).min(axis=1)).T
    size = median(norm(spread.astype(np.float64)))
    if not _PLAUSIBLE_SIZE[0] <= size <= _PLAUSIBLE_SIZE[1]:
        raise InputError(
            f"{name}: the body measures {size:.3g} m across, which no body does; give coordinates in metres, "
            "or load with unit= ('m', 'cm', 'mm', 'inch' or metres per unit)."
        )
