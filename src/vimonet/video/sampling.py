"""Which frames of a clip are looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError


def key_frames(
    frames: int, count: int = 8, *, fps: float | None = None, start: float | None = None, end: float | None = None
) -> NDArray[np.int64]:
    """Indices of ``count`` frames spread evenly from the first to the last: ``floor(i * (frames - 1) / (count - 1))``.

    This is the sampling of LanguageBind, Video-LLaVA and MotionLLM (``linspace(0, frames - 1, 8, dtype=int)``), with
    their rounding of ``start`` and ``end``. A clip shorter than ``count`` repeats frames; a single one is the middle.

    Args:
        frames: frames of the clip.
        count: how many are wanted.
        fps: frames/s, needed with ``start`` or ``end``.
        start, end: seconds; the stretch that is sampled.

    Returns:
        int64 [count], never falling.

    Raises:
        InputError: nothing to sample, or an empty stretch.
    """
    if frames < 1 or count < 1:
        raise InputError(f"cannot take {count} of {frames} frames; both must be at least 1.")
    first, last = 0, frames - 1
    if start is not None or end is not None:
        if fps is None or fps <= 0:
            raise InputError("a start or end in seconds needs the frame rate; give fps.")
        first = round((start or 0.0) * fps)
        last = last if end is None else min(round(end * fps), last)
        if first < 0 or first > last:
            raise InputError(f"a stretch from {start or 0:g} s holds none of {frames} frames at {fps:g} frames/s.")
    if count == 1:
        return np.array([(first + last) // 2], dtype=np.int64)
    return first + np.arange(count, dtype=np.int64) * (last - first) // (count - 1)


def middles(frames: int, count: int) -> NDArray[np.int64]:
    """Indices of the middle frame of each of ``count`` equal parts, which together cover all of a clip's time.

    Args:
        frames: frames of the clip.
        count: how many are wanted; a shorter clip gives each of its frames once.

    Returns:
        int64 [at most count], rising.

    Raises:
        InputError: nothing to sample.
    """
    if frames < 1 or count < 1:
        raise InputError(f"cannot take {count} of {frames} frames; both must be at least 1.")
    wanted = ((np.arange(count) + 0.5) * (frames / count)).astype(np.int64)
    return np.unique(np.minimum(wanted, frames - 1))


def times_at_rate(start: float, end: float, rate: float) -> NDArray[np.float64]:
    """Times start, start + 1/rate, ... before ``end``, in seconds; at least one.

    Raises:
        InputError: the rate is not positive.
    """
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"rate is {rate}; expected a positive number of frames per second.")
    return start + np.arange(max(1, int(np.ceil((end - start) * rate - 1e-6)))) / rate


def nearest_earlier(times: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the frame that is on the screen at each wanted time: the last one not after it.

    Args:
        times: seconds at which each frame appears, rising, [N].
        wanted: seconds, [M].
    """
    return np.clip(np.searchsorted(times, wanted + 1e-6, side="right") - 1, 0, len(times) - 1).astype(np.int64)
