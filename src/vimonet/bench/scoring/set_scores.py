"""Scores that belong to whole sets: captions against their references, and action recognition against a label set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench.scoring import text_metrics
from vimonet.bench.scoring.answer_formats import topic_of
from vimonet.bench.scoring.caption_retrieval import references_of
from vimonet.bench.scoring.score_table import Answers, Score, Systems, as_score, is_caption, recordings_of
from vimonet.bench.scoring.text_metrics import canonical
from vimonet.utils import statistics

if TYPE_CHECKING:
    from vimonet.bench.scoring.caption_similarity import Similarity
    from vimonet.vimos.types import Item

RECOGNITION = "recognition"


class SetScorer(Systems):
    """Captions and recognition.

    Attributes:
        similarity: measures captions by sentence embeddings too; None: it is not measured.
    """

    similarity: Similarity | None = None

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
                        "tokeniser": text_metrics.TOKENISER,
                        "cider_scale": text_metrics.CIDER_SCALE,
                        **measured,
                        "n": len(own),
                        "systems": systems,
                    }
                )
        return found

    def _caption_rows(self, items: list[Item], references: list[list[str]], answers: Answers) -> dict[str, Score]:
        result = text_metrics.caption_scores([answers[item.id] for item in items], references)
        groups = recordings_of(items)
        index, weights = statistics.cluster_weights(groups, self._seed, min(1000, self._samples))
        draws = result.weighted(weights[:, index].astype(np.float64)) if weights.shape[1] > 1 else np.zeros((0, 6))
        intervals = [statistics.percentiles(draws[:, k]) for k in range(len(text_metrics.CAPTION_METRICS))]
        return {
            name: as_score(result.scores[name], interval, len(items), len(set(groups)))
            for name, interval in zip(text_metrics.CAPTION_METRICS, intervals, strict=True)
        }

    def recognition(self) -> list[dict[str, Any]]:
        """Action recognition per source: top-1 and macro F1 of free answers mapped to the label set by normalised
        equality.

        The label set is every answer and option of the source's recognition items, those of training included;
        ``off_list`` is the share of answers that are no label (they count as wrong).
        """
        found = []
        for source, _, own in self._groups(lambda item: topic_of(item) == RECOGNITION, kinds=False, together=False):
            truth = [canonical(item.answer) for item in own]
            labels = sorted(
                {
                    *truth,
                    *map(canonical, [*self._labels.get(source, ()), *(o for i in own for o in i.options)]),
                }
            )
            tested = sorted(set(truth))
            groups = recordings_of(own)
            systems = {}
            for name, answers in self._systems.items():
                if any(item.id not in answers for item in own):
                    continue
                said = [canonical(answers[item.id]) for item in own]
                f1 = statistics.resampled_macro_f1(truth, said, tested)
                interval = statistics.bootstrap_statistic(f1, groups, self._seed, 300)
                value = statistics.macro_f1(truth, said, tested)
                systems[name] = {
                    "top1": self._mean([guess == answer for guess, answer in zip(said, truth, strict=True)], own),
                    "macro_f1": as_score(value, interval, len(own), len(set(groups))),
                    "off_list": self._mean([guess not in labels for guess in said], own),
                }
            found.append({"source": source, "labels": len(labels), "labels_tested": len(tested), "systems": systems})
        return found
