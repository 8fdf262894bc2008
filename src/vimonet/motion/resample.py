"""Change the frame rate by decimation for whole ratios, by low-pass filter and interpolation otherwise."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vimonet.motion.motion import FPS
from vimonet.utils.errors import InputError

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
    positions: ArrayLike,
    source_fps: float,
    target_fps: float = 20.0,
    *,
    confidence: ArrayLike | None = None,
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
