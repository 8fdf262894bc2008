"""Smoothing, minima and peaks are scipy's to the last bit, without its import."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.signal import find_peaks as scipys_peaks

from vimonet.motion.kinematics.preparation import find_peaks, lowest_around, smooth


@pytest.mark.parametrize("frames", [1, 2, 7, 60, 333])
@pytest.mark.parametrize("seconds", [0.0, 0.075, 0.15, 0.4])
def test_smoothing_and_minima(frames: int, seconds: float) -> None:
    x = np.random.default_rng(frames).normal(size=(frames, 3, 2))
    wanted = gaussian_filter1d(x, max(seconds * 20.0, 1e-3), axis=0, mode="nearest", truncate=3.0)
    assert np.array_equal(smooth(x, seconds, 20.0), wanted)
    assert np.array_equal(lowest_around(x, 20), minimum_filter1d(x, 41, axis=0, mode="nearest"))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("conditions", [{"height": 0.4}, {"distance": 5}, {"distance": 12}, {}])
def test_peaks(seed: int, conditions: dict[str, float]) -> None:
    x = np.random.default_rng(seed).normal(size=3 + 11 * seed)
    if seed % 2:
        x = np.round(x, 1)  # level tops
    if "distance" in conditions:
        x = x + np.linspace(0.0, 1e-3, len(x))  # of two equal peaks either may stay
    peaks, drops = find_peaks(x, prominence=0.3, **conditions)
    wanted, info = scipys_peaks(x, prominence=0.3, **conditions)
    assert np.array_equal(peaks, wanted) and np.array_equal(drops, info["prominences"])
