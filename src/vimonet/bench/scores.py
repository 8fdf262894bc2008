"""From predictions to figures: every figure is a score with its interval and its count.

A *score* is ``{"value", "low", "high", "n", "recordings"}``: a number, its 95 % interval over recordings, the items
and the recordings behind it; bounds are None where they cannot be known (one recording).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench import metrics, statistics
from vimonet.bench.caption_retrieval import references_of
from vimonet.bench.controls import MOTION
from vimonet.bench.formats import EXACT, item_score, rule_of, topic_of
from vimonet.bench.predictions import Prediction
from vimonet.bench.words import has_side, mirror_text

if TYPE_CHECKING:
    from vimonet.bench.similarity import Similarity
    from vimonet.vimos.schema import Item

RECOGNITION = "recognition"
YES_NO = "yes_no"
ALL = "all"
BASELINES = ("majority", "nearest")
BLIND = ("blind", "question_only")
"""Systems that see no movement: the model itself, and one trained on questions alone."""
CHANGED = ("mirrored", "reversed")
"""Conditions under which another answer is right: reported apart."""
Score = dict[str, Any]
Answers = Mapping[str, str]
"""Answers of one system by item id; an item it does not answer is absent."""


class Scorer:
    """Scores of the items of one run.

    Args:
        items: everything asked.
        predictions: by condition, by item id.
        baselines: answers of ``majority``, ``nearest`` and ``question_only`` by item id.
        seed: of every resampling.
        samples: resamples of an interval.
        labels: by source, action labels known beside those of the items (of the training items).
        order: kinds in the order of the report; those it does not name follow in alphabetical order.

    Attributes:
        similarity: measures captions by sentence embeddings too; None: it is not measured.
    """

    similarity: Similarity | None = None

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

    def all(self) -> dict[str, Any]:
        """Every section of a report."""
        return {
            "cells": self.cells(),
            "wording": self.wording(),
            "mirrored": self.mirrored(),
            "yes_no": self.yes_no(),
            "abstention": self.abstention(),
            "calibration": self.calibration(),
            "captions": self.captions(),
            "recognition": self.recognition(),
        }

    # ------------------------------------------------------------ exact match

    def cells(self) -> list[dict[str, Any]]:
        """Per source and kind, then per wording and per question form: every system's scores on the same items.

        A cell: ``source, kind, form, wording, n, recordings, systems {name: {score, exact_match, balanced_accuracy,
        within_one, iou_hit}}, blind {system, the larger of the blind scores}, above_blind {value, low, high,
        p_value}``. ``score`` is the item's own rule; balanced accuracy is of it. Captions have their own section.
        """
        found = []
        every = [item for item in self._items if not is_caption(item)]
        if len({item.source for item in every}) > 1:
            found.append(self._cell(every, ALL, ALL, ALL, ALL))
            for kind in self._kinds(every):
                found.append(self._cell([item for item in every if item.kind == kind], ALL, kind, ALL, ALL))
        for source in self._sources:
            asked = [item for item in every if item.source == source]
            if asked:
                found.append(self._cell(asked, source, ALL, ALL, ALL))
            for kind in self._kinds(asked):
                own = [item for item in asked if item.kind == kind]
                found.append(self._cell(own, source, kind, ALL, ALL))
                wordings = sorted({item.wording for item in own})
                forms = sorted({item.form for item in own})
                for wording in wordings if len(wordings) > 1 else ():
                    part = [item for item in own if item.wording == wording]
                    found.append(self._cell(part, source, kind, ALL, wording))
                for form in forms if len(forms) > 1 else ():
                    part = [item for item in own if item.form == form]
                    found.append(self._cell(part, source, kind, form, ALL))
        return found

    def _cell(self, items: list[Item], source: str, kind: str, form: str, wording: str) -> dict[str, Any]:
        answered_by = [item.answer for item in items if not metrics.is_abstention(item.answer)]
        counted = bool(answered_by) and all(metrics.count_in(answer) is not None for answer in answered_by)
        systems = {}
        for name, answers in self._systems.items():
            if not (answered := [item for item in items if item.id in answers]):
                continue
            right = [item_score(item, answers[item.id]) for item in answered]
            classes = [metrics.canonical(item.answer) for item in answered]
            rows = {"score": self._mean(right, answered)}
            if all(rule_of(item) == EXACT for item in answered):
                rows["exact_match"] = rows["score"]
            else:
                exact = [metrics.exact_match(answers[item.id], item.answer) for item in answered]
                rows["exact_match"] = self._mean(exact, answered)
            rows["balanced_accuracy"] = self._mean(right, answered, classes)
            if counted:
                near = [metrics.within_one(answers[item.id], item.answer) for item in answered]
                rows["within_one"] = self._mean(near, answered)
            if all(rule_of(item).format == "span" for item in answered):
                hits = [value >= rule_of(item).threshold for value, item in zip(right, answered, strict=True)]
                rows["iou_hit"] = self._mean(hits, answered)
            systems[name] = rows
        cell: dict[str, Any] = {
            "source": source,
            "kind": kind,
            "form": form,
            "wording": wording,
            "n": len(items),
            "recordings": len({item.recording for item in items}),
            "answers": len({metrics.canonical(item.answer) for item in items}),
            "systems": systems,
        }
        blind = [name for name in BLIND if name in systems]
        if blind:
            larger = max(blind, key=lambda name: systems[name]["score"]["value"])
            cell["blind"] = {"system": larger, **systems[larger]["score"]}
            cell["above_blind"] = self._above(items, larger)
        return cell

    def _above(self, items: list[Item], other: str) -> dict[str, Any]:
        a, b = self._systems["model"], self._systems[other]
        both = [item for item in items if item.id in a and item.id in b]
        own = [item_score(item, a[item.id]) for item in both]
        others = [item_score(item, b[item.id]) for item in both]
        test = statistics.paired_test(own, others, _recordings(both), self._seed, 2000)
        score = _score(test.difference, test.interval, len(both), test.recordings)
        return {**score, "p_value": test.p_value}

    def wording(self) -> list[dict[str, Any]]:
        """How much lower exact match is for wordings never seen in training: per source and kind, and per source over
        kinds.

        ``gap`` is unseen minus seen; over kinds it is the mean of the kinds' gaps, so that the mix of kinds does not
        show.
        """
        said, found = self._systems["model"], []
        for source in self._sources:
            kinds = self._kinds([item for item in self._items if item.source == source and not is_caption(item)])
            parts: dict[str, list[Item]] = {}
            for kind in kinds:
                own = [item for item in self._items if item.source == source and item.kind == kind and item.id in said]
                if len({item.wording for item in own} & {"seen", "unseen"}) == 2:
                    parts[kind] = own
            if len(parts) > 1:
                parts[ALL] = [item for own in list(parts.values()) for item in own]
            for kind, own in parts.items():
                right = np.array([item_score(item, said[item.id]) for item in own], dtype=float)
                unseen = np.array([item.wording == "unseen" for item in own])
                _, strata = np.unique([item.kind for item in own], return_inverse=True)
                gap = statistics.resampled_gap(right, unseen, strata)
                groups = _recordings(own)
                interval = statistics.bootstrap_statistic(gap, groups, self._seed, 500)
                row = {"source": source, "kind": kind}
                for name, mask in (("seen", ~unseen), ("unseen", unseen)):
                    chosen = [item for item, keep in zip(own, mask, strict=True) if keep]
                    row[name] = self._mean(right[mask], chosen)  # type: ignore[assignment]
                row["gap"] = _score(gap(np.arange(len(own))), interval, len(own), len(set(groups)))  # type: ignore[assignment]
                found.append(row)
        return found

    # ------------------------------------------------------------ controls

    def mirrored(self) -> list[dict[str, Any]]:
        """Share of answers naming a side that turn into the other side on the mirrored movement, per source and kind.

        ``flipped``: among items where the model's answer to the movement as recorded names a side, whether its answer
        to the mirrored one is that answer mirrored. ``right``: whether the mirrored movement is answered rightly.
        """
        said, mirror = self._predictions[MOTION], self._predictions.get("mirrored", {})
        found = []
        for source, kind, own in self._groups(lambda i: i.id in mirror and i.id in said and has_side(i.answer)):
            sided = [item for item in own if has_side(said[item.id].text)]
            flips = [metrics.exact_match(mirror[i.id].text, mirror_text(said[i.id].text)) for i in sided]
            right = [metrics.exact_match(mirror[i.id].text, mirror_text(i.answer)) for i in own]
            found.append(
                {
                    "source": source,
                    "kind": kind,
                    "flipped": self._mean(flips, sided),
                    "right": self._mean(right, own),
                }
            )
        return found

    # ------------------------------------------------------------ knowing when not to know

    def yes_no(self) -> list[dict[str, Any]]:
        """Wrong "yes" to what does not happen and wrong "no" to what does, beside the blind model.

        Per source and together; and, where yes/no questions have several forms, per form (up to its colon).
        """
        found = []
        for source, _, own in self._groups(lambda item: topic_of(item) == YES_NO, kinds=False):
            forms = sorted({_base(item.form) for item in own})
            for form in [ALL, *forms] if len(forms) > 1 else [ALL]:
                part = [item for item in own if form in (ALL, _base(item.form))]
                row: dict[str, Any] = {"source": source, "kind": YES_NO, "form": form}
                for name in ("model", "blind"):
                    answers = self._systems.get(name)
                    if answers is None:
                        continue
                    for title, truth, wrong in (("false_yes", "no", "yes"), ("false_no", "yes", "no")):
                        asked = [i for i in part if metrics.canonical(i.answer) == truth and i.id in answers]
                        said = [metrics.normalise(answers[i.id]).split(" ")[0] == wrong for i in asked]
                        row[title if name == "model" else f"{name}_{title}"] = self._mean(said, asked)
                found.append(row)
        return found

    def abstention(self) -> list[dict[str, Any]]:
        """Precision and recall of "cannot tell", and how often it is said needlessly, per source and together."""
        said, found = self._systems["model"], []
        for source, _, own in self._groups(lambda item: not is_caption(item) and item.id in said, kinds=False):
            due = [item for item in own if metrics.is_abstention(item.answer)]
            declined = [item for item in own if metrics.is_abstention(said[item.id])]
            answerable = [item for item in own if not metrics.is_abstention(item.answer)]
            if not due and not declined:
                continue
            found.append(
                {
                    "source": source,
                    "precision": self._mean([metrics.is_abstention(item.answer) for item in declined], declined),
                    "recall": self._mean([metrics.is_abstention(said[item.id]) for item in due], due),
                    "needless": self._mean([metrics.is_abstention(said[item.id]) for item in answerable], answerable),
                }
            )
        return found

    def calibration(self) -> list[dict[str, Any]]:
        """Calibration error of the stated confidence and its ten reliability bins, per source and together."""
        said, found = self._predictions[MOTION], []
        usable = lambda item: not is_caption(item) and item.id in said and said[item.id].confidence is not None  # noqa: E731
        for source, _, own in self._groups(usable, kinds=False):
            stated = np.clip(np.array([said[i.id].confidence for i in own], dtype=float), 0, 1)
            right = np.array([item_score(i, said[i.id].text) for i in own], dtype=float)
            result = statistics.expected_calibration_error(stated, right)
            groups = _recordings(own)
            interval = statistics.bootstrap_statistic(statistics.resampled_ece(stated, right), groups, self._seed, 300)
            found.append(
                {
                    "source": source,
                    "ece": _score(result.ece, interval, result.n, len(set(groups))),
                    "brier": self._mean((stated - right) ** 2, own),
                    "confidence": self._mean(stated, own),
                    "accuracy": self._mean(right, own),
                    "bins": [{k: _known(v) for k, v in vars(row).items()} for row in result.bins],
                }
            )
        return found

    # ------------------------------------------------------------ captions and recognition

    def captions(self) -> list[dict[str, Any]]:
        """Caption metrics of every system against all references of an item, per source.

        References are ``evidence["references"]`` (else the answer), as raw text; items about one movement are one
        caption with the references of all. Where every item also has ``evidence["references_lemmatised"]`` the scores
        against those are given as a row of their own. With a similarity, raw captions also have ``similarity``.
        """
        found = []
        for source, _, every in self._groups(is_caption, kinds=False, together=False):
            clips: dict[tuple[str, int], list[Item]] = {}
            for item in every:
                clips.setdefault((item.form, id(item.motion)), []).append(item)
            own = [group[0] for group in clips.values()]
            protocols = {"raw": [references_of(group) for group in clips.values()]}
            lemmatised = [references_of(group, "references_lemmatised") for group in clips.values()]
            if all(lemmatised):
                protocols["lemmatised"] = lemmatised
            for protocol, references in protocols.items():
                systems = {
                    name: self._caption_rows(own, references, answers)
                    for name, answers in self._systems.items()
                    if all(item.id in answers for item in own)
                }
                measured: dict[str, Any] = {}
                if self.similarity is not None and protocol == "raw":
                    measured["similarity_model"] = self.similarity.describe()
                    for name, scores in systems.items():
                        said = [self._systems[name][item.id] for item in own]
                        scores["similarity"] = self._mean(self.similarity(said, references), own)
                found.append(
                    {
                        "source": source,
                        "references": protocol,
                        "references_per_item": float(np.mean([len(group) for group in references])),
                        "tokeniser": metrics.TOKENISER,
                        "cider_scale": metrics.CIDER_SCALE,
                        **measured,
                        "n": len(own),
                        "systems": systems,
                    }
                )
        return found

    def _caption_rows(self, items: list[Item], references: list[list[str]], answers: Answers) -> dict[str, Score]:
        result = metrics.caption_scores([answers[item.id] for item in items], references)
        groups = _recordings(items)
        index, weights = statistics.cluster_weights(groups, self._seed, min(1000, self._samples))
        draws = result.weighted(weights[:, index].astype(np.float64)) if weights.shape[1] > 1 else np.zeros((0, 6))
        intervals = [statistics.percentiles(draws[:, k]) for k in range(len(metrics.CAPTION_METRICS))]
        return {
            name: _score(result.scores[name], interval, len(items), len(set(groups)))
            for name, interval in zip(metrics.CAPTION_METRICS, intervals, strict=True)
        }

    def recognition(self) -> list[dict[str, Any]]:
        """Action recognition per source: top-1 and macro F1 of free answers mapped to the label set by normalised
        equality.

        The label set is every answer and option of the source's recognition items, those of training included;
        ``off_list`` is the share of answers that are no label (they count as wrong).
        """
        found = []
        for source, _, own in self._groups(lambda item: topic_of(item) == RECOGNITION, kinds=False, together=False):
            truth = [metrics.canonical(item.answer) for item in own]
            labels = sorted(
                {*truth, *map(metrics.canonical, [*self._labels.get(source, ()), *(o for i in own for o in i.options)])}
            )
            tested = sorted(set(truth))
            groups = _recordings(own)
            systems = {}
            for name, answers in self._systems.items():
                if any(item.id not in answers for item in own):
                    continue
                said = [metrics.canonical(answers[item.id]) for item in own]
                f1 = statistics.resampled_macro_f1(truth, said, tested)
                interval = statistics.bootstrap_statistic(f1, groups, self._seed, 300)
                value = statistics.macro_f1(truth, said, tested)
                systems[name] = {
                    "top1": self._mean([guess == answer for guess, answer in zip(said, truth, strict=True)], own),
                    "macro_f1": _score(value, interval, len(own), len(set(groups))),
                    "off_list": self._mean([guess not in labels for guess in said], own),
                }
            found.append({"source": source, "labels": len(labels), "labels_tested": len(tested), "systems": systems})
        return found

    # ------------------------------------------------------------ helpers

    def _kinds(self, items: Sequence[Item]) -> list[str]:
        return sorted({item.kind for item in items}, key=lambda kind: (self._rank.get(kind, len(self._rank)), kind))

    def _mean(self, values: Any, items: Sequence[Item], classes: Sequence[str] | None = None) -> Score:
        numbers = np.asarray(values, dtype=np.float64)
        groups = _recordings(items)
        if not len(numbers):
            return _score(float("nan"), statistics.Interval(float("nan"), float("nan")), 0, 0)
        if classes is None:
            value = float(numbers.mean())
        else:
            value = float(np.mean([numbers[[c == name for c in classes]].mean() for name in set(classes)]))
        interval = statistics.bootstrap_interval(numbers, groups, self._seed, self._samples, classes=classes)
        return _score(value, interval, len(numbers), len(set(groups)))

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


def _score(value: float, interval: statistics.Interval, n: int, recordings: int) -> Score:
    numbers = {"value": value, "low": interval.low, "high": interval.high}
    return {**{key: _known(number) for key, number in numbers.items()}, "n": n, "recordings": recordings}


def _recordings(items: Sequence[Item]) -> list[tuple[str, str]]:
    return [(item.source, item.recording) for item in items]


def _base(form: str) -> str:
    return form.partition(":")[0]


def _known(number: float) -> float | None:
    return number if isinstance(number, int) else float(number) if np.isfinite(number) else None
