from __future__ import annotations

import numpy as np
import pytest

from vimonet.utils import statistics
from vimonet.utils.statistics import (
    bootstrap_interval,
    bootstrap_statistic,
    expected_calibration_error,
    macro_f1,
    paired_test,
)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        level = rng.beta(6, 3, size=40)  # recordings differ: items of one are not independent
        values = np.concatenate([rng.random(5) < p for p in level])
        low, high = bootstrap_interval(values, np.repeat(np.arange(40), 5), seed=trial, n=300)
        hits += low <= 6 / 9 <= high
    assert 0.89 <= hits / 200 <= 0.99


def test_interval_resamples_recordings_not_items() -> None:
    values = np.repeat([0.0, 1.0] * 10, 50)
    by_recording = bootstrap_interval(values, np.repeat(np.arange(20), 50))
    by_item = bootstrap_interval(values, np.arange(1000))
    assert by_recording.high - by_recording.low > 5 * (by_item.high - by_item.low)


def test_perfect_scores_do_not_claim_certainty() -> None:
    low, high = bootstrap_interval([1.0] * 30, list(range(10)) * 3)
    assert high == 1.0 and low == pytest.approx(0.025 ** (1 / 10))
    low, high = bootstrap_interval([0.0] * 10, range(10))
    assert low == 0.0 and high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_one_recording_gives_no_interval() -> None:
    assert np.isnan(bootstrap_interval([1, 0, 1], ["a", "a", "a"])).all()
    assert np.isnan(bootstrap_interval([], [])).all()


def test_balanced_interval_surrounds_balanced_accuracy() -> None:
    truth = ["common"] * 90 + ["rare"] * 10
    right = np.array([1] * 90 + [0] * 8 + [1] * 2)
    low, high = bootstrap_interval(right, range(100), classes=truth)
    assert low < 0.6 < high < 0.85  # the plain accuracy is .92


def test_bootstrap_is_repeatable_and_agrees_with_the_general_one() -> None:
    values, groups = np.random.default_rng(1).random(60), np.arange(60) // 3
    first = bootstrap_interval(values, groups, seed=4, n=400)
    assert first == bootstrap_interval(values, groups, seed=4, n=400)
    assert first != bootstrap_interval(values, groups, seed=5, n=400)
    general = bootstrap_statistic(lambda chosen: values[chosen].mean(), groups, seed=4, n=400)
    np.testing.assert_allclose(first, general)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        bootstrap_interval([1, 0], ["a"])
    with pytest.raises(ValueError, match="one length"):
        paired_test([1], [1], ["a", "b"])


def test_macro_f1() -> None:
    # a: 1 hit, 2 true, 1 said -> 2/3; b: 1 hit, 1 true, 2 said -> 2/3.
    assert macro_f1(["a", "a", "b"], ["a", "b", "b"]) == pytest.approx(2 / 3)
    # An answer outside the list is a miss and nobody's false alarm.
    assert macro_f1(["a", "b"], ["a", "z"]) == pytest.approx(0.5)
    assert macro_f1(["a"], ["a"], labels=["a", "never"]) == 0.5


def test_resampled_macro_f1_of_all_items_is_macro_f1() -> None:
    rng = np.random.default_rng(2)
    truth, said = (list(rng.choice(["a", "b", "c"], 50)) for _ in range(2))
    said[:5] = ["z"] * 5
    assert statistics.resampled_macro_f1(truth, said, ["a", "b", "c"])(np.arange(50)) == pytest.approx(
        macro_f1(truth, said)
    )


def test_calibration_by_hand() -> None:
    result = expected_calibration_error([0.95, 0.95, 0.55, 0.55], [1, 1, 1, 0])
    assert result.ece == pytest.approx(0.5 * 0.05 + 0.5 * 0.05)
    assert result.brier == pytest.approx((2 * 0.05**2 + 0.45**2 + 0.55**2) / 4)
    assert [(b.n, b.accuracy) for b in result.bins if b.n] == [(2, 0.5), (2, 1.0)]
    assert sum(b.n for b in expected_calibration_error([0.0, 0.1, 1.0], [0, 0, 1]).bins) == 3


def test_calibrated_and_overconfident() -> None:
    rng = np.random.default_rng(0)
    stated = rng.random(20_000)
    right = rng.random(20_000) < stated
    assert expected_calibration_error(stated, right).ece < 0.02
    assert expected_calibration_error(np.ones(100), np.arange(100) < 60).ece == pytest.approx(0.4)
    ece = statistics.resampled_ece(stated, right.astype(float))
    assert ece(np.arange(20_000)) == pytest.approx(expected_calibration_error(stated, right).ece)


@pytest.mark.parametrize("confidence", [[1.2], [-0.1], [float("nan")]])
def test_confidence_outside_its_range_is_refused(confidence: list[float]) -> None:
    with pytest.raises(ValueError, match="within"):
        expected_calibration_error(confidence, [1])


def test_paired_test_exact() -> None:
    # Five recordings, all in favour: 2 of 32 sign patterns are as extreme.
    result = paired_test([1] * 5, [0] * 5, range(5))
    assert result.p_value == pytest.approx(2 / 32)
    assert result.difference == 1 and result.recordings == 5
    same = paired_test([1, 0], [1, 0], range(2))
    assert same.p_value == 1 and same.difference == 0 and np.isnan(same.interval.low)


def test_paired_test_knows_clusters_and_chance() -> None:
    rng = np.random.default_rng(3)
    assert paired_test([1] * 40, [0] * 40, [0] * 40).p_value == 1  # one recording proves nothing
    assert paired_test(rng.random(200) < 0.9, rng.random(200) < 0.5, range(200)).p_value < 0.001
    values = [paired_test(rng.random(40) < 0.5, rng.random(40) < 0.5, range(40), n=400).p_value for _ in range(60)]
    assert np.mean(np.array(values) < 0.05) < 0.16


def test_mean_and_spread() -> None:
    result = statistics.mean_and_spread([0.8, 0.9, 1.0])
    assert result["mean"] == pytest.approx(0.9) and result["std"] == pytest.approx(0.1) and result["seeds"] == 3
    assert statistics.mean_and_spread([0.5])["std"] is None
