"""Change the frame rate: exact decimation where it is exact, low-pass and interpolation otherwise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

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

    A file prints its frame time with a few digits; taken literally, each 6th frame of a long recording would
    drift. The nearest whole rate (or NTSC rate, whole*1000/1001) is taken when it agrees within 0.05 %.
    """
    rate = 1.0 / frame_time
    for candidate in (round(rate), round(rate * 1001 / 1000) * 1000 / 1001):
        if candidate > 0 and abs(rate - candidate) <= 5e-4 * candidate:
            return float(candidate)
    return rate


def resampled_length(frames: int, source_fps: float, target_fps: float = 20.0) -> int:
    """Count the frames at the target rate: those at times 0, 1/target, ... not after the last source frame."""
    # The tolerance keeps the last frame when its time is whole but for rounding.
    return int(np.floor((frames - 1) * target_fps / source_fps + 1e-6)) + 1


def resample(
    positions: ArrayLike,
    source_fps: float,
    target_fps: float = 20.0,
    *,
    confidence: ArrayLike | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Resample [T, ...] positions in time; frame 0 stays frame 0 and frame k lies at k/target seconds.

    - The ratio is a whole number (120 -> 20): every n-th frame, untouched.
    - Any other ratio, down (30 -> 20) or up (15 -> 20): Lanczos-windowed sinc evaluated at the exact times. Going
      down, its cut-off is the new Nyquist rate, so faster jitter is filtered rather than folded.

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
    # Point reflection about the end frames: a body that moves on neither stops short nor turns back at the edge.
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
