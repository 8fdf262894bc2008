"""Estimate uncertainty and summary statistics of clustered items: several questions about one recording.

Items of one recording are not independent, so intervals and tests resample **recordings**, never single items.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Interval(NamedTuple):
    """Hold the bounds of a confidence interval; NaN for no items or a single recording."""

    low: float
    high: float


class PairedTest(NamedTuple):
    """Hold the outcome of `paired_test`: mean difference a - b, its interval, two-sided p-value, recordings."""

    difference: float
    interval: Interval
    p_value: float
    recordings: int


@dataclass(frozen=True)
class ReliabilityBin:
    """Hold one bin of a reliability diagram: bounds, items, their mean confidence and accuracy (NaN when empty)."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Hold the expected calibration error, the Brier score (mean squared error of the confidence), and the bins."""

    ece: float
    brier: float
    n: int
    bins: tuple[ReliabilityBin, ...]


def cluster_weights(
    groups: Sequence[Hashable], seed: int = 0, n: int = 2000
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw ``n`` cluster bootstrap samples: recordings with replacement, each with all its items.

    Returns:
        The group index of each item [N], and how often each group is drawn in each sample [n, G].
    """
    _, index = np.unique(np.array([repr(group) for group in groups]), return_inverse=True)
    count = int(index.max()) + 1 if index.size else 0
    if count == 0:
        return index.astype(np.int64), np.zeros((n, 0), dtype=np.int64)
    return index.astype(np.int64), _draws(count, seed, n)


@lru_cache(maxsize=4)  # all systems of a score row share their samples
def _draws(count: int, seed: int, n: int) -> NDArray[np.int64]:
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=n)
    drawn.flags.writeable = False
    return drawn


def bootstrap_interval(
    values: ArrayLike,
    groups: Sequence[Hashable],
    seed: int = 0,
    n: int = 2000,
    *,
    level: float = 0.95,
    classes: Sequence[Hashable] | None = None,
) -> Interval:
    """Estimate the percentile interval of a mean by a cluster bootstrap over recordings.

    The method is Efron's (1979), with clusters (Davison and Hinkley 1997). If all values are 0 or all are 1, the
    bootstrap has no spread, and the exact binomial (Clopper-Pearson) bound for that many recordings is returned.

    Args:
        values: [N] scores per item, for instance 1 for right and 0 for wrong.
        groups: [N] the recording of each item.
        seed: seed of the resampling.
        n: number of resamples.
        level: coverage.
        classes: [N] true classes; if given, the statistic is balanced accuracy: the mean over classes of the mean
            within a class.

    Raises:
        ValueError: lengths differ.
    """
    scores = np.asarray(values, dtype=np.float64)
    if len(scores) != len(groups) or (classes is not None and len(classes) != len(scores)):
        raise ValueError("values, groups and classes must be of one length")
    index, weights = cluster_weights(groups, seed, n)
    clusters = weights.shape[1]
    if clusters < 2:
        return Interval(float("nan"), float("nan"))
    if np.all(scores == scores[0]) and scores[0] in (0.0, 1.0):
        bound = ((1 - level) / 2) ** (1 / clusters)
        return Interval(bound, 1.0) if scores[0] == 1.0 else Interval(0.0, 1.0 - bound)
    if classes is None:
        label = np.zeros(len(scores), dtype=np.int64)
    else:
        _, label = np.unique(np.array([repr(c) for c in classes]), return_inverse=True)
    shape = (clusters, int(label.max()) + 1)
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (index, label), scores)
    np.add.at(counts, (index, label), 1.0)
    drawn = weights @ counts
    with np.errstate(invalid="ignore", divide="ignore"):
        per_class = (weights @ sums) / drawn  # a class that was not drawn is left out of that resample
    return percentiles(np.nanmean(per_class, axis=1), level)


def percentiles(draws: NDArray[np.float64], level: float = 0.95) -> Interval:
    """Return the central ``level`` interval of resampled statistics; NaN for none."""
    draws = draws[np.isfinite(draws)]
    if not draws.size:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def bootstrap_statistic(
    statistic: Callable[[NDArray[np.int64]], float],
    groups: Sequence[Hashable],
    seed: int = 0,
    n: int = 500,
    *,
    level: float = 0.95,
) -> Interval:
    """Bootstrap any statistic of a set of items (macro F1, precision ...) over recordings.

    Args:
        statistic: maps indices of items, with repetitions, to a value.
        groups: [N] the recording of each item.
        seed: seed of the resampling.
        n: number of resamples.
        level: coverage.
    """
    index, weights = cluster_weights(groups, seed, n)
    if weights.shape[1] < 2:
        return Interval(float("nan"), float("nan"))
    items = np.arange(len(index))
    return percentiles(np.array([statistic(np.repeat(items, draw[index])) for draw in weights]), level)


def resampled_gap(values: NDArray[Any], marked: NDArray[Any], strata: NDArray[Any]) -> Callable[[NDArray[Any]], float]:
    """Build a statistic for `bootstrap_statistic`: mean over strata of the marked minus the unmarked mean."""

    def gap(chosen: NDArray[Any]) -> float:
        drawn, mark, stratum = values[chosen], marked[chosen], strata[chosen]
        gaps = []
        for k in np.unique(stratum):
            a, b = drawn[(stratum == k) & mark], drawn[(stratum == k) & ~mark]
            if a.size and b.size:
                gaps.append(a.mean() - b.mean())
        return float(np.mean(gaps)) if gaps else float("nan")

    return gap


def resampled_ece(stated: NDArray[Any], right: NDArray[Any], bins: int = 10) -> Callable[[NDArray[Any]], float]:
    """Build a statistic for `bootstrap_statistic`: the expected calibration error of the chosen items."""
    place = _bin_of(stated, bins)
    excess = right - stated

    def ece(chosen: NDArray[Any]) -> float:
        return float(np.abs(np.bincount(place[chosen], weights=excess[chosen], minlength=bins)).sum() / len(chosen))

    return ece


def resampled_macro_f1(
    truth: Sequence[Hashable], predicted: Sequence[Hashable], labels: Sequence[Hashable]
) -> Callable[[NDArray[Any]], float]:
    """Build a statistic for `bootstrap_statistic`: macro F1 of the chosen items over the labels among them.

    Raises:
        KeyError: a true label is not among ``labels``.
    """
    number = {name: k for k, name in enumerate(labels)}
    size = len(number)
    true_index = np.array([number[name] for name in truth], dtype=np.int64)
    predicted_index = np.array([number.get(name, size) for name in predicted], dtype=np.int64)

    def f1(chosen: NDArray[Any]) -> float:
        true, guess = true_index[chosen], predicted_index[chosen]
        hits = np.bincount(true[true == guess], minlength=size)
        occurs = np.bincount(true, minlength=size)
        both = occurs + np.bincount(guess, minlength=size + 1)[:size]
        return float((2 * hits[occurs > 0] / both[occurs > 0]).mean())

    return f1


def _bin_of(stated: NDArray[Any], bins: int) -> NDArray[np.int64]:
    return np.clip(np.ceil(stated * bins).astype(np.int64) - 1, 0, bins - 1)


def macro_f1(
    truth: Sequence[Hashable], predicted: Sequence[Hashable], labels: Sequence[Hashable] | None = None
) -> float:
    """Compute the unweighted mean F1 over labels; a label with no hit, miss or false alarm scores 0.

    Args:
        truth: true labels.
        predicted: predicted labels; one outside ``labels`` is a miss of the true label and no false alarm.
        labels: labels to average over; those in ``truth`` by default.
    """
    if len(truth) != len(predicted):
        raise ValueError("truth and predictions must be of one length")
    names = list(dict.fromkeys(truth if labels is None else labels))
    hits = dict.fromkeys(names, 0)
    seen = dict.fromkeys(names, 0)
    guessed = dict.fromkeys(names, 0)
    for answer, guess in zip(truth, predicted, strict=True):
        if answer in seen:
            seen[answer] += 1
            hits[answer] += answer == guess
        if guess in guessed:
            guessed[guess] += 1
    scores = [2 * hits[name] / (seen[name] + guessed[name]) if seen[name] + guessed[name] else 0.0 for name in names]
    return float(np.mean(scores)) if scores else float("nan")


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> Calibration:
    """Compute the expected calibration error over equal-width bins (Guo et al., arXiv 1706.04599).

    Args:
        confidence: [N] in 0..1.
        correct: [N] 1 where the answer is right.
        bins: number of bins; (low, high], the first includes 0.

    Raises:
        ValueError: lengths differ or a confidence lies outside 0..1 or is not finite.
    """
    stated, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if stated.shape != right.shape:
        raise ValueError("confidence and correct must be of one length")
    if stated.size and not (np.isfinite(stated).all() and stated.min() >= 0 and stated.max() <= 1):
        raise ValueError("confidence must be finite and within 0..1")
    place = _bin_of(stated, bins)
    rows = []
    for k in range(bins):
        inside = place == k
        count = int(inside.sum())
        means = (float(stated[inside].mean()), float(right[inside].mean())) if count else (float("nan"), float("nan"))
        rows.append(ReliabilityBin(k / bins, (k + 1) / bins, count, *means))
    total = len(stated)
    ece = sum(r.n * abs(r.accuracy - r.confidence) for r in rows if r.n) / total if total else float("nan")
    brier = float(((stated - right) ** 2).mean()) if total else float("nan")
    return Calibration(float(ece), brier, total, tuple(rows))


def paired_test(a: ArrayLike, b: ArrayLike, groups: Sequence[Hashable], seed: int = 0, n: int = 10_000) -> PairedTest:
    """Test whether two systems score alike on the same items: two-sided sign flips of whole recordings.

    The test enumerates all flips of up to 12 recordings that differ; otherwise it draws ``n`` random flips and
    p = (1 + hits) / (1 + n).

    Args:
        a: [N] scores of the first system.
        b: [N] scores of the second on the same items.
        groups: [N] the recording of each item.
        seed: seed of flips and interval.
        n: number of random flips.
    """
    delta = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    if len(delta) != len(groups):
        raise ValueError("both systems' scores and the groups must be of one length")
    index, _ = cluster_weights(groups, seed, 1)
    totals = np.bincount(index, weights=delta) if index.size else np.zeros(0)
    recordings = len(totals)
    if not recordings:
        return PairedTest(float("nan"), Interval(float("nan"), float("nan")), float("nan"), 0)
    moving = totals[totals != 0]
    observed = abs(moving.sum()) - 1e-12
    if not moving.size:
        p_value = 1.0
    elif len(moving) <= 12:
        flips = np.array(list(product((-1.0, 1.0), repeat=len(moving))))
        p_value = float((np.abs(flips @ moving) >= observed).mean())
    else:
        rng = np.random.default_rng(seed)
        hits, left = 0, n
        while left > 0:  # in chunks: thousands of recordings times n flips do not fit into memory
            size = min(left, max(1, 2_000_000 // len(moving)))
            hits += int((np.abs((rng.integers(0, 2, (size, len(moving))) * 2.0 - 1.0) @ moving) >= observed).sum())
            left -= size
        p_value = (1 + hits) / (1 + n)
    # If no recording differs, the bootstrap has no spread and would claim certainty.
    interval = bootstrap_interval(delta, groups, seed) if moving.size else Interval(float("nan"), float("nan"))
    return PairedTest(float(delta.mean()), interval, p_value, recordings)


def mean_and_spread(values: Sequence[float]) -> dict[str, Any]:
    """Summarise values over seeds: mean, sample standard deviation (None for one value), minimum and maximum."""
    array = np.asarray([value for value in values if value is not None and np.isfinite(value)], dtype=np.float64)
    if not array.size:
        return {"mean": None, "std": None, "min": None, "max": None, "seeds": 0}
    spread = float(array.std(ddof=1)) if array.size > 1 else None
    return {
        "mean": float(array.mean()),
        "std": spread,
        "min": float(array.min()),
        "max": float(array.max()),
        "seeds": int(array.size),
    }
