"""Scores per source and category, and how they fall on wordings never seen in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench.scoring import text_metrics
from vimonet.bench.scoring.answer_formats import EXACT, item_score, rule_of
from vimonet.bench.scoring.score_table import ALL, Systems, as_score, is_caption, recordings_of
from vimonet.utils import statistics

if TYPE_CHECKING:
    from vimonet.vimos.types import Item

BLIND = ("blind", "question_only")
"""Systems that see no movement: the model itself, and one trained on questions alone."""


class CellScorer(Systems):
    """The cells of a report: every system's scores on the same items."""

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
        answered_by = [item.answer for item in items if not text_metrics.is_abstention(item.answer)]
        counted = bool(answered_by) and all(text_metrics.count_in(answer) is not None for answer in answered_by)
        systems = {}
        for name, answers in self._systems.items():
            if not (answered := [item for item in items if item.id in answers]):
                continue
            right = [item_score(item, answers[item.id]) for item in answered]
            classes = [text_metrics.canonical(item.answer) for item in answered]
            rows = {"score": self._mean(right, answered)}
            if all(rule_of(item) == EXACT for item in answered):
                rows["exact_match"] = rows["score"]
            else:
                exact = [text_metrics.exact_match(answers[item.id], item.answer) for item in answered]
                rows["exact_match"] = self._mean(exact, answered)
            rows["balanced_accuracy"] = self._mean(right, answered, classes)
            if counted:
                near = [text_metrics.within_one(answers[item.id], item.answer) for item in answered]
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
            "answers": len({text_metrics.canonical(item.answer) for item in items}),
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
        test = statistics.paired_test(own, others, recordings_of(both), self._seed, 2000)
        score = as_score(test.difference, test.interval, len(both), test.recordings)
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
                groups = recordings_of(own)
                interval = statistics.bootstrap_statistic(gap, groups, self._seed, 500)
                row = {"source": source, "kind": kind}
                for name, mask in (("seen", ~unseen), ("unseen", unseen)):
                    chosen = [item for item, keep in zip(own, mask, strict=True) if keep]
                    row[name] = self._mean(right[mask], chosen)  # type: ignore[assignment]
                row["gap"] = as_score(gap(np.arange(len(own))), interval, len(own), len(set(groups)))  # type: ignore[assignment]
                found.append(row)
        return found
