"""What every system said to the items of a run, in groups, as scores.

A *score* is ``{"value", "low", "high", "n", "recordings"}``: a number, its 95 % interval over recordings, the items
and the recordings behind it; bounds are None where they cannot be known (one recording).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench.controls import MOTION
from vimonet.bench.predictions import Prediction
from vimonet.bench.scoring.answer_formats import rule_of
from vimonet.utils import statistics

if TYPE_CHECKING:
    from vimonet.vimos.types import Item

ALL = "all"
CHANGED = ("mirrored", "reversed")
"""Conditions under which another answer is right: reported apart."""
Score = dict[str, Any]
Answers = Mapping[str, str]
"""Answers of one system by item id; an item it does not answer is absent."""


class Systems:
    """The items of one run and what every system said to them: grouping, means and intervals.

    Args:
        items: everything asked.
        predictions: by condition, by item id.
        baselines: answers of ``majority``, ``nearest`` and ``question_only`` by item id.
        seed: of every resampling.
        samples: resamples of an interval.
        labels: by source, action labels known beside those of the items (of the training items).
        order: kinds in the order of the report; those it does not name follow in alphabetical order.
    """

    def __init__(
        self,
        items: Sequence[Item],
        predictions: Mapping[str, Mapping[str, Prediction]],
        baselines: Mapping[str, Answers],
        seed: int = 0,
        samples: int = 2000,
        labels: Mapping[str, Iterable[str]] | None = None,
        order: Sequence[str] = (),
    ) -> None:
        self._items = list(items)
        self._rank = {kind: k for k, kind in enumerate(order)}
        self._predictions = predictions
        self._seed = seed
        self._samples = samples
        self._labels = labels or {}
        self._systems: dict[str, Answers] = {
            "model" if name == MOTION else name: {k: p.text for k, p in said.items()}
            for name, said in predictions.items()
            if name not in CHANGED
        }
        self._systems |= baselines
        self._sources = sorted({item.source for item in items})

    def _kinds(self, items: Sequence[Item]) -> list[str]:
        return sorted({item.kind for item in items}, key=lambda kind: (self._rank.get(kind, len(self._rank)), kind))

    def _mean(self, values: Any, items: Sequence[Item], classes: Sequence[str] | None = None) -> Score:
        numbers = np.asarray(values, dtype=np.float64)
        groups = recordings_of(items)
        if not len(numbers):
            return as_score(float("nan"), statistics.Interval(float("nan"), float("nan")), 0, 0)
        if classes is None:
            value = float(numbers.mean())
        else:
            value = float(np.mean([numbers[[c == name for c in classes]].mean() for name in sorted(set(classes))]))
        interval = statistics.bootstrap_interval(numbers, groups, self._seed, self._samples, classes=classes)
        return as_score(value, interval, len(numbers), len(set(groups)))

    def _groups(
        self, keep: Callable[[Item], bool], *, kinds: bool = True, together: bool = True
    ) -> Iterable[tuple[str, str, list[Item]]]:
        """(source, kind, items) per source, per kind of it where asked for, and over all sources when there are
        several."""
        kept = [item for item in self._items if keep(item)]
        names = sorted({item.source for item in kept})
        if together and len(names) > 1:
            yield ALL, ALL, kept
        for source in names:
            own = [item for item in kept if item.source == source]
            yield source, ALL, own
            for kind in self._kinds(own) if kinds else ():
                yield source, kind, [item for item in own if item.kind == kind]


def is_caption(item: Item) -> bool:
    """Whether an item asks for a caption, which is scored over the whole set."""
    return rule_of(item).format == "caption"


def as_score(value: float, interval: statistics.Interval, n: int, recordings: int) -> Score:
    """A score of a number, its interval and the counts behind it; what is not finite becomes None."""
    numbers = {"value": value, "low": interval.low, "high": interval.high}
    return {**{key: known(number) for key, number in numbers.items()}, "n": n, "recordings": recordings}


def recordings_of(items: Sequence[Item]) -> list[tuple[str, str]]:
    """The recording of each item, the unit of every resampling."""
    return [(item.source, item.recording) for item in items]


def known(number: float) -> float | None:
    """The number, None where it is not finite."""
    return number if isinstance(number, int) else float(number) if np.isfinite(number) else None
