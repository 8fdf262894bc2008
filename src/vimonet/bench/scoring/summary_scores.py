"""What a benchmark reports beside the scores: averages, consistency under the controls, contradictions, the judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vimonet.bench.controls import MOTION
from vimonet.bench.scoring import text_metrics
from vimonet.bench.scoring.answer_formats import item_score, rule_of
from vimonet.bench.scoring.caption_retrieval import retrieval_rows
from vimonet.bench.scoring.counterfactual_answers import expected_answer
from vimonet.bench.scoring.score_table import ALL, is_caption
from vimonet.bench.scoring.scores import Scorer
from vimonet.language.mirroring import has_side, mirror_text

if TYPE_CHECKING:
    from vimonet.bench.judge import Verdict
    from vimonet.retrieval.text_motion import Evaluator
    from vimonet.vimos.types import Item

CONTROLLED = ("mirrored", "reversed", "frozen")


class CategoryScorer(Scorer):
    """Add to a :class:`~vimonet.bench.scoring.scores.Scorer` the sections that need more than the answers.

    Attributes:
        contradictions: by item id, whether the model's answer contradicts what is measured; None: cannot be checked.
        truths: the same for the right answers, which shows how far the measures themselves can be trusted.
        verdicts: by item id, a judge's verdict on the model's answer; None: it gave none.
        evaluator: ranks captions by the movements they fit; None: no retrieval section.
    """

    contradictions: Mapping[str, bool | None] = {}
    truths: Mapping[str, bool | None] = {}
    verdicts: Mapping[str, Verdict | None] = {}
    evaluator: Evaluator | None = None

    def all(self) -> dict[str, Any]:
        """Every section of a report."""
        return {
            **super().all(),
            "averages": self.averages(),
            "consistency": self.consistency(),
            "evidence": self.evidence(),
            "judge": self.judge(),
            "retrieval": self.retrieval(),
        }

    def averages(self) -> list[dict[str, Any]]:
        """Per source and over all: every system's score, ``micro`` (mean over items) and ``macro`` (mean over kinds).

        A row: ``source, kinds, systems {name: {micro, macro}}, above_blind`` (micro, against the larger blind score).
        """
        found = []
        for source, _, own in self._groups(lambda item: not is_caption(item), kinds=False):
            systems = {}
            for name, answers in self._systems.items():
                answered = [item for item in own if item.id in answers]
                if len(answered) < len(own):  # a condition asked of a part of the items has no average over all
                    continue
                values = [item_score(item, answers[item.id]) for item in answered]
                systems[name] = {
                    "micro": self._mean(values, answered),
                    "macro": self._mean(values, answered, [item.kind for item in answered]),
                }
            row: dict[str, Any] = {
                "source": source,
                "kind": ALL,
                "kinds": len({i.kind for i in own}),
                "systems": systems,
            }
            if (larger := self._larger_blind(systems, "micro")) is not None:
                row["blind"] = larger
                row["above_blind"] = self._above(own, larger)
            found.append(row)
        return found

    def consistency(self) -> list[dict[str, Any]]:
        """Answers on the changed movement against those that then are right, per control, source and kind.

        ``right``: share answered rightly on the changed movement; ``turned``: the same where the right answer changes,
        among the items answered rightly as recorded; ``stayed``: where it must stay, among the same.
        """
        said, found = self._predictions[MOTION], []
        for control in CONTROLLED:
            answers = self._predictions.get(control, {})
            expected = {
                i.id: e for i in self._items if i.id in answers and (e := expected_answer(i, control)) is not None
            }
            for source, kind, own in self._groups(lambda i, e=expected: i.id in e and i.id in said):  # type: ignore[misc]
                values = [_changed_score(i, answers[i.id].text, expected[i.id], control) for i in own]
                rights = {i.id for i in own if item_score(i, said[i.id].text) == 1.0}
                row: dict[str, Any] = {"control": control, "source": source, "kind": kind}
                row["right"] = self._mean(values, own)
                for title, changes in (("turned", True), ("stayed", False)):
                    chosen = [
                        (i, value)
                        for i, value in zip(own, values, strict=True)
                        if i.id in rights and text_metrics.exact_match(expected[i.id], i.answer) != changes
                    ]
                    row[title] = self._mean([value for _, value in chosen], [i for i, _ in chosen])
                found.append(row)
        return found

    def evidence(self) -> list[dict[str, Any]]:
        """How often an answer contradicts what can be measured, of the answers that can be checked.

        ``contradicted`` for the model, ``truth_contradicted`` for the right answers.
        """
        checked, found = self.contradictions, []
        for source, kind, own in self._groups(lambda item: checked.get(item.id) is not None):
            row: dict[str, Any] = {"source": source, "kind": kind}
            row["contradicted"] = self._mean([bool(checked[item.id]) for item in own], own)
            true = [item for item in own if self.truths.get(item.id) is not None]
            row["truth_contradicted"] = self._mean([bool(self.truths[item.id]) for item in true], true)
            found.append(row)
        return found

    def judge(self) -> list[dict[str, Any]]:
        """A language model's verdicts: share called right, mean score 0 to 5, agreement with the item's own rule."""
        if not self.verdicts:
            return []
        from vimonet.bench.judge import agreement  # needs the extra `llm`

        said, found = self._predictions[MOTION], []
        for source, kind, own in self._groups(lambda item: self.verdicts.get(item.id) is not None):
            given = [self.verdicts[item.id] for item in own]
            verdicts = [verdict for verdict in given if verdict is not None]
            own_rule = [None if is_caption(i) else item_score(i, said[i.id].text) == 1.0 for i in own]
            row: dict[str, Any] = {"source": source, "kind": kind}
            row["yes"] = self._mean([verdict.match for verdict in verdicts], own)
            row["mean_score"] = self._mean([verdict.score for verdict in verdicts], own)
            row["agreement"] = agreement(verdicts, own_rule).to_dict()
            found.append(row)
        return found

    def retrieval(self) -> list[dict[str, Any]]:
        """Score how well captions find their movements (:mod:`vimonet.bench.scoring.caption_retrieval`)."""
        if self.evaluator is None:
            return []
        captions = [item for item in self._items if is_caption(item)]
        return retrieval_rows(self.evaluator, captions, self._systems, self._seed)

    def _larger_blind(self, systems: Mapping[str, Any], measure: str) -> str | None:
        names = [name for name in ("blind", "question_only") if name in systems]
        return max(names, key=lambda name: systems[name][measure]["value"]) if names else None


def _changed_score(item: Item, text: str, expected: str, control: str) -> float:
    """Score of an answer against the right one of the changed movement; its options are mirrored as the question is."""
    mirrored = control == "mirrored" and has_side(item.question)
    options = [mirror_text(option) for option in item.options] if mirrored else item.options
    return rule_of(item).score(text, expected, options)
