"""Find the excursions of a signal away from a level and back, and where it turns back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.preparation import Array, find_peaks, median

MIN_PERIOD = 0.25  # s: faster ones are shaking, at the limit of 20 frames/s
EDGE = 0.1  # share of its size at which an excursion begins and ends


def excursions(x: Array, level: float, fps: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Find how often a signal [T] rises by at least `level` and comes back.

    Returns:
        Frames of the tops [P], first and last frame of each excursion [P, 2], and its size [P].
    """
    peaks, _ = find_tops(x, level, fps)
    spans = np.array(spans_of(x.tolist(), peaks.tolist()), dtype=np.intp).reshape(-1, 2)
    return peaks, spans, x[peaks] - np.minimum(x[spans[:, 0]], x[spans[:, 1]])


def find_tops(x: Array, level: float, fps: float) -> tuple[NDArray[np.intp], Array]:
    """Find the peaks of a signal, the recording's ends excepted, and their prominences."""
    low = float(x.min())
    distance = max(1, round(MIN_PERIOD * fps))
    peaks, drops = find_peaks(np.concatenate(([low], x, [low])), prominence=level, distance=distance)
    inside = (peaks > 2) & (peaks < len(x) - 1)
    return peaks[inside] - 1, drops[inside]


def spans_of(x: list[float], peaks: list[int]) -> list[tuple[int, int]]:
    """Find the frames between which each excursion leaves its lowest level and is back, to a tenth of its size.

    Rest before and after does not belong to it.
    """
    if not peaks:
        return []
    gap = round(median(np.diff(peaks))) if len(peaks) > 1 else len(x)
    bounds = [max(0, peaks[0] - gap), *peaks, min(len(x) - 1, peaks[-1] + gap)]
    lows = [min(x[a : b + 1]) for a, b in pairwise(bounds)]
    out = []
    for peak, before, after in zip(peaks, lows[:-1], lows[1:], strict=True):
        start = end = peak
        level = before + EDGE * (x[peak] - before)
        while x[start] > level:
            start -= 1
        level = after + EDGE * (x[peak] - after)
        while x[end] > level:
            end += 1
        out.append((start, end))
    return out


def reversals(x: list[float], least: float) -> list[int]:
    """Find the frames at which a signal turns back by at least `least`, tops and dips in turn, its start excepted."""
    out, sense, high, low = [], 0, 0, 0
    for i, value in enumerate(x):
        if value > x[high]:
            high = i
        if value < x[low]:
            low = i
        if sense >= 0 and x[high] - value >= least:
            out.append(high)
            sense, low = -1, i
        elif sense <= 0 and value - x[low] >= least:
            out.append(low)
            sense, high = 1, i
    return out[1:] if out and out[0] == 0 else out


def ratios(values: Sequence[float]) -> list[float]:
    """Compute the smaller to the larger of each two neighbours, 0..1 [n - 1]."""
    return [ratio(a, b) for a, b in pairwise(values)]


def ratio(a: float, b: float) -> float:
    """Return the smaller of two positive values as a share of the larger one."""
    return min(a, b) / max(a, b, 1e-9)
