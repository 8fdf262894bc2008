from __future__ import annotations

import numpy as np
import pytest

from vimonet.motion.motion import exact_fps, resample, resampled_length
from vimonet.utils.errors import InputError


def wave(hertz: float, fps: float, seconds: float = 4.0) -> np.ndarray:
    time = np.arange(round(seconds * fps) + 1) / fps
    return np.sin(2 * np.pi * hertz * time)[:, None]


@pytest.mark.parametrize("fps", [20, 40, 60, 100, 120, 240])
@pytest.mark.parametrize("frames", [1, 2, 5, 6, 7, 343])
def test_whole_ratio_is_exact_decimation(fps: int, frames: int) -> None:
    values = np.arange(frames * 3, dtype=np.float32).reshape(frames, 1, 3)
    result, _ = resample(values, fps)
    np.testing.assert_array_equal(result, values[:: fps // 20])
    assert len(result) == resampled_length(frames, fps)


@pytest.mark.parametrize("fps", [12.5, 15, 24, 25, 29.97, 30, 50, 59.94, 90])
def test_slow_movement_survives_at_the_right_times(fps: float) -> None:
    result, _ = resample(wave(1.0, fps), fps)
    time = np.arange(len(result)) / 20
    inner = slice(8, -8)
    np.testing.assert_allclose(result[inner, 0], np.sin(2 * np.pi * time)[inner], atol=0.03)
    assert abs(len(result) - 81) <= 1


def test_fast_jitter_is_filtered_not_folded() -> None:
    fast = wave(14.0, 30)  # folds to 6 Hz when sampled at 20
    filtered, _ = resample(fast, 30)
    folded = np.interp(np.arange(len(filtered)) * 1.5, np.arange(len(fast)), fast[:, 0])
    assert filtered[8:-8].std() < 0.25 * folded[8:-8].std()


@pytest.mark.parametrize("fps", [15, 30, 50])
def test_straight_lines_and_rest_are_kept_to_the_edge(fps: float) -> None:
    time = np.arange(60) / fps
    result, _ = resample(np.stack([time, np.full(60, 3.0)], axis=1), fps)
    np.testing.assert_allclose(result[:, 0], np.arange(len(result)) / 20, atol=0.02)
    np.testing.assert_allclose(result[:, 1], 3.0, atol=1e-6)


def test_long_recordings_do_not_drift() -> None:
    assert resampled_length(30 * 3600 + 1, 30) == 20 * 3600 + 1
    result, _ = resample(np.arange(30 * 3600 + 1, dtype=np.float64)[:, None], 30)
    assert result[-1, 0] == pytest.approx(30 * 3600, abs=0.05)


def test_confidence_comes_from_the_nearest_frame() -> None:
    confidence = np.array([[0.0], [1.0], [0.0], [1.0]])
    _, weights = resample(np.zeros((4, 1, 3)), 15, confidence=confidence)
    assert weights is not None
    np.testing.assert_array_equal(weights[:, 0], [0, 1, 0, 0, 1])
    _, weights = resample(np.zeros((4, 1, 3)), 40, confidence=confidence)
    assert weights is not None
    np.testing.assert_array_equal(weights[:, 0], [0, 0])


@pytest.mark.parametrize(
    ("printed", "fps"), [(0.0083333, 120), (0.00833333, 120), (0.033333, 30), (0.0333333, 30), (0.05, 20)]
)
def test_printed_frame_times_mean_whole_rates(printed: float, fps: float) -> None:
    assert exact_fps(printed) == fps


def test_ntsc_and_odd_rates_are_kept() -> None:
    assert exact_fps(1 / 29.97) == pytest.approx(29.97, abs=0.001)
    assert exact_fps(1 / 27.5) == pytest.approx(27.5)


@pytest.mark.parametrize("fps", [0, -30, float("nan"), float("inf"), "fast"])
def test_refuses_rates(fps: object) -> None:
    with pytest.raises(InputError, match="fps"):
        resample(np.zeros((4, 3)), fps)  # type: ignore[arg-type]


def test_refuses_nothing() -> None:
    with pytest.raises(InputError, match="no frame"):
        resample(np.zeros((0, 3)), 30)
