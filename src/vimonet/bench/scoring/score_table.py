"""Hold the answers of a run, make scores of them, and write scores as text.

A *score* is ``{"value", "low", "high", "n", "recordings"}``: a number, its 95 % interval over recordings, the items
and the recordings behind it; bounds are None where they cannot be known (one recording).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench.tasks import item_score, rule_of
from vimonet.utils import statistics

if TYPE_CHECKING:
    from vimonet.bench.judge import Verdict
    from vimonet.bench.predictions import Prediction
    from vimonet.bench.scoring.caption_scores import Similarity
    from vimonet.retrieval.text_motion_encoder import TextMotionEncoder
    from vimonet.vimos.types import Item

ALL = "all"
MODEL = "model"
"""Name of the model under test among the systems, which answers under the condition ``motion``."""
BLIND = ("blind", "question_only")
"""Systems without motion: the model itself, and one trained on questions alone."""
SYSTEM_NAMES = {"blind": "model, blind", "question_only": "question-only model", "nearest": "nearest clip"}
"""Names of systems in tables, where they differ."""

_CHANGED = ("mirrored", "reversed")
"""Conditions with another right answer, which are reported separately."""

Row = Mapping[str, Any]
Score = dict[str, Any]
Answers = Mapping[str, str]
"""Answers of one system by item id, without unanswered items."""


@dataclass(frozen=True)
class Section:
    """Define one section of a report: its rows and their Markdown.

    Attributes:
        name: key in ``report.json``.
        heading, note: heading and note of its Markdown.
        rows: function from a run to rows.
        table: function from rows to Markdown.
    """

    name: str
    heading: str
    note: str
    rows: Callable[[RunAnswers], list[dict[str, Any]]]
    table: Callable[[Sequence[Row]], str]


@dataclass(frozen=True)
class RunAnswers:
    """Hold the items of one run, the answers of all systems, and the settings of resampling.

    Attributes:
        items: all items.
        predictions: the model's answers by condition and item id.
        baselines: answers of ``majority``, ``nearest`` and ``question_only`` by item id.
        seed: seed of every resampling.
        samples: resamples per interval.
        labels: action labels of the training items by source.
        order: kinds in the order of the report; others follow alphabetically.
        contradictions: by item id, whether the model's answer contradicts a measurement; None for unchecked.
        truths: the same for the right answers, which tests the measurements.
        verdicts: by item id, a judge's verdict on the model's answer, or None.
        encoder: text-motion encoder of the retrieval section, or None.
        similarity: sentence embeddings that also score captions, or None.
    """

    items: Sequence[Item]
    predictions: Mapping[str, Mapping[str, Prediction]]
    baselines: Mapping[str, Answers] = field(default_factory=dict)
    seed: int = 0
    samples: int = 2000
    labels: Mapping[str, Iterable[str]] = field(default_factory=dict)
    order: Sequence[str] = ()
    contradictions: Mapping[str, bool | None] = field(default_factory=dict)
    truths: Mapping[str, bool | None] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict | None] = field(default_factory=dict)
    encoder: TextMotionEncoder | None = None
    similarity: Similarity | None = None

    @cached_property
    def systems(self) -> dict[str, Answers]:
        """Collect answers by system: the model, its controls with the same right answer, the baselines."""
        asked = {
            MODEL if name == "motion" else name: {k: p.text for k, p in predicted.items()}
            for name, predicted in self.predictions.items()
            if name not in _CHANGED
        }
        return asked | dict(self.baselines)

    @property
    def predicted(self) -> Mapping[str, Prediction]:
        """Return the model's predictions on the unchanged motions."""
        return self.predictions["motion"]

    @property
    def sources(self) -> list[str]:
        """List the corpora of the items, in alphabetical order."""
        return sorted({item.source for item in self.items})

    def kinds(self, items: Sequence[Item]) -> list[str]:
        """List the kinds of items, in the order of the report."""
        rank = {kind: k for k, kind in enumerate(self.order)}
        return sorted({item.kind for item in items}, key=lambda kind: (rank.get(kind, len(rank)), kind))

    def mean(self, values: Any, items: Sequence[Item], classes: Sequence[str] | None = None) -> Score:
        """Compute the mean of a value per item with its interval; with `classes`, the mean over class means."""
        numbers = np.asarray(values, dtype=np.float64)
        groups = recordings_of(items)
        if not len(numbers):
            return as_score(float("nan"), statistics.Interval(float("nan"), float("nan")), 0, 0)
        if classes is None:
            value = float(numbers.mean())
        else:
            value = float(np.mean([numbers[[c == name for c in classes]].mean() for name in sorted(set(classes))]))
        interval = statistics.bootstrap_interval(numbers, groups, self.seed, self.samples, classes=classes)
        return as_score(value, interval, len(numbers), len(set(groups)))

    def above(self, items: Sequence[Item], other: str) -> Score:
        """Test the difference of the model's and another system's scores on items that both answered."""
        a, b = self.systems[MODEL], self.systems[other]
        both = [item for item in items if item.id in a and item.id in b]
        own = [item_score(item, a[item.id]) for item in both]
        others = [item_score(item, b[item.id]) for item in both]
        test = statistics.paired_test(own, others, recordings_of(both), self.seed, 2000)
        score = as_score(test.difference, test.interval, len(both), test.recordings)
        return {**score, "p_value": test.p_value}

    def groups(
        self, keep: Callable[[Item], bool], *, kinds: bool = True, together: bool = True
    ) -> Iterator[tuple[str, str, list[Item]]]:
        """Yield (source, kind, items) for several sources together, each source, and each of its kinds.

        Args:
            keep: filter of the items.
            kinds: yield the kinds of each source too.
            together: yield all sources together too.
        """
        kept = [item for item in self.items if keep(item)]
        names = sorted({item.source for item in kept})
        if together and len(names) > 1:
            yield ALL, ALL, kept
        for source in names:
            own = [item for item in kept if item.source == source]
            yield source, ALL, own
            for kind in self.kinds(own) if kinds else ():
                yield source, kind, [item for item in own if item.kind == kind]


def is_caption(item: Item) -> bool:
    """Tell whether an item asks for a caption, which scores only as part of a set."""
    return rule_of(item).format == "caption"


def recordings_of(items: Sequence[Item]) -> list[tuple[str, str]]:
    """List the recording of each item, the unit of every resampling."""
    return [(item.source, item.recording) for item in items]


def larger_blind(systems: Mapping[str, Any], measure: str) -> str | None:
    """Name the blind system with the larger score, or None."""
    names = [name for name in BLIND if name in systems]
    return max(names, key=lambda name: _number_of(systems[name][measure])) if names else None


def as_score(value: float, interval: statistics.Interval, n: int, recordings: int) -> Score:
    """Make a score of a number, its interval, n and the number of recordings, with None for non-finite numbers."""
    numbers = {"value": value, "low": interval.low, "high": interval.high}
    return {**{key: known(number) for key, number in numbers.items()}, "n": n, "recordings": recordings}


def known(number: float) -> float | None:
    """Return the number, or None if it is not finite."""
    return number if isinstance(number, int) else float(number) if np.isfinite(number) else None


# ------------------------------- text


def show(score: Row | None, digits: int = 2) -> str:
    """Write a score: ``.93 (.90-.95)``, ``.93 ± .01`` over seeds, or a dash."""
    if score is None:
        return "–"
    if "mean" in score:
        if score["mean"] is None:
            return "–"
        spread = "" if score["std"] is None else f" ± {_written(score['std'], digits)}"
        return _written(score["mean"], digits) + spread
    if score.get("value") is None:
        return "–"
    bounds = ""
    if score.get("low") is not None and score.get("high") is not None:
        low, high = _written(score["low"], digits), _written(score["high"], digits)
        bounds = f" ({low}–{high})" if score["low"] >= 0 else f" ({low} to {high})"
    return _written(score["value"], digits) + bounds


def value(score: Row | None, digits: int = 2) -> str:
    """Write a score without its interval."""
    number = None if score is None else score.get("mean", score.get("value"))
    return "–" if number is None else _written(number, digits)


def _written(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _number_of(score: Row) -> float:
    return float(score.get("mean", score.get("value")) or 0.0)
