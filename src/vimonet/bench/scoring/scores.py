"""Turn predictions into scores, each with its interval and its count (`vimonet.bench.scoring.score_table`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from vimonet.bench.controls import MOTION
from vimonet.bench.scoring import text_metrics
from vimonet.bench.scoring.answer_formats import item_score, topic_of
from vimonet.bench.scoring.score_table import ALL, as_score, is_caption, known, recordings_of
from vimonet.bench.scoring.set_scores import SetScorer
from vimonet.bench.scoring.source_scores import CellScorer
from vimonet.bench.scoring.text_metrics import canonical, is_abstention
from vimonet.language.mirroring import has_side, mirror_text
from vimonet.utils import statistics

YES_NO = "yes_no"


class Scorer(CellScorer, SetScorer):
    """Scores of the items of one run: cells, captions and recognition, sides under the mirror, confidence."""

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

    def mirrored(self) -> list[dict[str, Any]]:
        """Share of answers naming a side that turn into the other side on the mirrored movement, per source and kind.

        ``flipped``: among items where the model's answer to the movement as recorded names a side, whether its answer
        to the mirrored one is that answer mirrored. ``right``: whether the mirrored movement is answered rightly.
        """
        said, mirror = self._predictions[MOTION], self._predictions.get("mirrored", {})
        found = []
        for source, kind, own in self._groups(lambda i: i.id in mirror and i.id in said and has_side(i.answer)):
            sided = [item for item in own if has_side(said[item.id].text)]
            flips = [text_metrics.exact_match(mirror[i.id].text, mirror_text(said[i.id].text)) for i in sided]
            right = [text_metrics.exact_match(mirror[i.id].text, mirror_text(i.answer)) for i in own]
            found.append(
                {
                    "source": source,
                    "kind": kind,
                    "flipped": self._mean(flips, sided),
                    "right": self._mean(right, own),
                }
            )
        return found

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
                        asked = [i for i in part if canonical(i.answer) == truth and i.id in answers]
                        said = [text_metrics.normalise(answers[i.id]).split(" ")[0] == wrong for i in asked]
                        row[title if name == "model" else f"{name}_{title}"] = self._mean(said, asked)
                found.append(row)
        return found

    def abstention(self) -> list[dict[str, Any]]:
        """Precision and recall of "cannot tell", and how often it is said needlessly, per source and together."""
        said, found = self._systems["model"], []
        for source, _, own in self._groups(lambda item: not is_caption(item) and item.id in said, kinds=False):
            due = [item for item in own if is_abstention(item.answer)]
            declined = [item for item in own if is_abstention(said[item.id])]
            answerable = [item for item in own if not is_abstention(item.answer)]
            if not due and not declined:
                continue
            found.append(
                {
                    "source": source,
                    "precision": self._mean([is_abstention(item.answer) for item in declined], declined),
                    "recall": self._mean([is_abstention(said[item.id]) for item in due], due),
                    "needless": self._mean([is_abstention(said[item.id]) for item in answerable], answerable),
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
            groups = recordings_of(own)
            interval = statistics.bootstrap_statistic(statistics.resampled_ece(stated, right), groups, self._seed, 300)
            found.append(
                {
                    "source": source,
                    "ece": as_score(result.ece, interval, result.n, len(set(groups))),
                    "brier": self._mean((stated - right) ** 2, own),
                    "confidence": self._mean(stated, own),
                    "accuracy": self._mean(right, own),
                    "bins": [{k: known(v) for k, v in vars(row).items()} for row in result.bins],
                }
            )
        return found


def _base(form: str) -> str:
    return form.partition(":")[0]
