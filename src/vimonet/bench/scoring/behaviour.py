"""Score a model's behaviour: changed motions, measurements, a judge, yes/no questions, abstention, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from vimonet.bench.controls import expected_answer
from vimonet.bench.scoring.score_table import (
    ALL,
    MODEL,
    Row,
    RunAnswers,
    Section,
    as_score,
    is_caption,
    known,
    recordings_of,
    show,
    value,
)
from vimonet.bench.scoring.text_metrics import canonical, exact_match, is_abstention
from vimonet.bench.tasks import item_score, plain_question, rule_of, topic_of
from vimonet.language import has_side, mirror_text, normalise_answer
from vimonet.utils import statistics
from vimonet.utils.markdown import table

if TYPE_CHECKING:
    from vimonet.bench.predictions import Prediction
    from vimonet.vimos.types import Item

YES_NO = "yes_no"
CONTROLLED = ("mirrored", "reversed", "frozen")
"""Conditions with a known right answer for many questions."""


# ------------------------------- changed motions


def consistency(run: RunAnswers) -> list[dict[str, Any]]:
    """Score answers on the changed motion against its right answers, per control, source and kind.

    ``right`` is the score on the changed motion. ``turned`` and ``stayed`` are the scores among items answered rightly
    as recorded, where the right answer changes and where it stays.
    """
    found = []
    for control in CONTROLLED:
        answers = run.predictions.get(control, {})
        expected = {i.id: e for i in run.items if i.id in answers and (e := expected_answer(i, control)) is not None}
        for source, kind, own in run.groups(lambda i, e=expected: i.id in e and i.id in run.predicted):  # type: ignore[misc]
            values = [_changed_score(i, answers[i.id].text, expected[i.id], control) for i in own]
            rights = {i.id for i in own if item_score(i, run.predicted[i.id].text) == 1.0}
            row: dict[str, Any] = {"control": control, "source": source, "kind": kind, "right": run.mean(values, own)}
            for title, changes in (("turned", True), ("stayed", False)):
                chosen = [
                    (i, value)
                    for i, value in zip(own, values, strict=True)
                    if i.id in rights and exact_match(expected[i.id], i.answer) != changes
                ]
                row[title] = run.mean([value for _, value in chosen], [i for i, _ in chosen])
            found.append(row)
    return found


def _changed_score(item: Item, text: str, expected: str, control: str) -> float:
    """Score an answer against the right one on the changed motion, with options mirrored like the question."""
    mirrored = control == "mirrored" and has_side(item.question)
    options = [mirror_text(option) for option in item.options] if mirrored else item.options
    return rule_of(item).score(text, expected, options)


def _consistency_markdown(rows: Sequence[Row]) -> str:
    body = []
    for row in rows:
        line = [row["control"], row["source"], row["kind"], str(row["right"]["n"]), show(row["right"])]
        for name in ("turned", "stayed"):
            line += [str(row[name]["n"] or "–"), show(row[name])]
        body.append(line)
    return table(["control", "source", "kind", "n", "right", "n turned", "turned", "n stayed", "stayed"], body)


def mirrored(run: RunAnswers) -> list[dict[str, Any]]:
    """Compute the share of answers with a side that flip on the mirrored motion, per source and kind.

    ``flipped`` covers items whose answer on the recorded motion names a side, and counts its mirror image. ``right`` is
    exact match on the mirrored motion.
    """
    predicted, mirror = run.predicted, run.predictions.get("mirrored", {})
    found = []
    for source, kind, own in run.groups(lambda i: i.id in mirror and i.id in predicted and has_side(i.answer)):
        sided = [item for item in own if has_side(predicted[item.id].text)]
        flips = [exact_match(mirror[i.id].text, mirror_text(predicted[i.id].text)) for i in sided]
        right = [exact_match(mirror[i.id].text, mirror_text(i.answer)) for i in own]
        found.append({"source": source, "kind": kind, "flipped": run.mean(flips, sided), "right": run.mean(right, own)})
    return found


def _mirrored_markdown(rows: Sequence[Row]) -> str:
    body = [[r["source"], r["kind"], str(r["flipped"]["n"]), show(r["flipped"]), show(r["right"])] for r in rows]
    return table(["source", "kind", "n", "flipped", "right on the mirrored motion"], body)


# ------------------------------- measurements, a judge


def contradictions(
    items: Sequence[Item], predicted: Mapping[str, Prediction], progress: bool
) -> tuple[dict[str, bool | None], dict[str, bool | None]]:
    """Tell by item id whether the model's answer and the right one contradict a measurement; None for unchecked.

    Args:
        items: items, of which those about motions are checked.
        predicted: the model's predictions by item id.
        progress: show a progress bar.
    """
    from vimonet.evidence import contradiction
    from vimonet.motion import Motion
    from vimonet.motion.kinematics import measure

    model: dict[str, bool | None] = {}
    truth: dict[str, bool | None] = {}
    facts: dict[int, Any] = {}
    for item in tqdm(items, desc="evidence", unit="item", disable=not progress):
        if isinstance(item.motion, Motion):
            if id(item.motion) not in facts:
                facts[id(item.motion)] = measure(item.motion)
            measured = facts[id(item.motion)]
            model[item.id] = contradiction(plain_question(item), predicted[item.id].text, measured)
            truth[item.id] = contradiction(plain_question(item), item.answer, measured)
    return model, truth


def evidence(run: RunAnswers) -> list[dict[str, Any]]:
    """Compute the share of checked answers that contradict a measurement.

    ``contradicted`` is that of the model, ``truth_contradicted`` that of the right answers.
    """
    checked, found = run.contradictions, []
    for source, kind, own in run.groups(lambda item: checked.get(item.id) is not None):
        true = [item for item in own if run.truths.get(item.id) is not None]
        found.append(
            {
                "source": source,
                "kind": kind,
                "contradicted": run.mean([bool(checked[item.id]) for item in own], own),
                "truth_contradicted": run.mean([bool(run.truths[item.id]) for item in true], true),
            }
        )
    return found


def _evidence_markdown(rows: Sequence[Row]) -> str:
    body = [
        [r["source"], r["kind"], str(r["contradicted"]["n"]), show(r["contradicted"]), value(r["truth_contradicted"])]
        for r in rows
    ]
    return table(["source", "kind", "n checked", "model", "right answers"], body)


def judge(run: RunAnswers) -> list[dict[str, Any]]:
    """Score a judge's verdicts: share of matches, mean score 0 to 5, agreement with the item's rule."""
    if not run.verdicts:
        return []
    from vimonet.bench.judge import agreement  # needs the extra `llm`

    found = []
    for source, kind, own in run.groups(lambda item: run.verdicts.get(item.id) is not None):
        verdicts = [verdict for item in own if (verdict := run.verdicts[item.id]) is not None]
        own_rule = [None if is_caption(i) else item_score(i, run.predicted[i.id].text) == 1.0 for i in own]
        found.append(
            {
                "source": source,
                "kind": kind,
                "yes": run.mean([verdict.match for verdict in verdicts], own),
                "mean_score": run.mean([verdict.score for verdict in verdicts], own),
                "agreement": agreement(verdicts, own_rule).to_dict(),
            }
        )
    return found


def _judge_markdown(rows: Sequence[Row]) -> str:
    body = []
    for r in rows:
        share, kappa = (r["agreement"].get(key) for key in ("share", "kappa"))
        agree = ["–" if number is None else f"{number:.2f}" for number in (share, kappa)]
        body.append([r["source"], r["kind"], str(r["yes"]["n"]), show(r["yes"]), show(r["mean_score"]), *agree])
    return table(["source", "kind", "n", "right", "score of 5", "agreement", "kappa"], body)


# ------------------------------- yes and no, abstention, confidence


def yes_no(run: RunAnswers) -> list[dict[str, Any]]:
    """Compute the shares of wrong "yes" to absent and wrong "no" to present events, beside the blind model.

    Rows are per source and together, and per form (up to its colon) if there are several.
    """
    found = []
    for source, _, own in run.groups(lambda item: topic_of(item) == YES_NO, kinds=False):
        forms = sorted({_base(item.form) for item in own})
        for form in [ALL, *forms] if len(forms) > 1 else [ALL]:
            part = [item for item in own if form in (ALL, _base(item.form))]
            row: dict[str, Any] = {"source": source, "kind": YES_NO, "form": form}
            for name in (MODEL, "blind"):
                answers = run.systems.get(name)
                if answers is None:
                    continue
                for title, truth, wrong in (("false_yes", "no", "yes"), ("false_no", "yes", "no")):
                    asked = [i for i in part if canonical(i.answer) == truth and i.id in answers]
                    predicted = [normalise_answer(answers[i.id]).split(" ")[0] == wrong for i in asked]
                    row[title if name == MODEL else f"{name}_{title}"] = run.mean(predicted, asked)
            found.append(row)
    return found


def _base(form: str) -> str:
    return form.partition(":")[0]


def _yes_no_markdown(rows: Sequence[Row]) -> str:
    columns = ("false_yes", "blind_false_yes", "false_no", "blind_false_no")
    body = [[r["source"], r["form"], str(r["false_yes"]["n"]), *(show(r.get(name)) for name in columns)] for r in rows]
    return table(["source", "form", "n absent", "false yes", "blind", "false no", "blind"], body)


def abstention(run: RunAnswers) -> list[dict[str, Any]]:
    """Score abstention per source and together: precision, recall, and the share of needless abstentions."""
    predicted, found = run.systems[MODEL], []
    for source, _, own in run.groups(lambda item: not is_caption(item) and item.id in predicted, kinds=False):
        due = [item for item in own if is_abstention(item.answer)]
        declined = [item for item in own if is_abstention(predicted[item.id])]
        answerable = [item for item in own if not is_abstention(item.answer)]
        if due or declined:
            found.append(
                {
                    "source": source,
                    "precision": run.mean([is_abstention(item.answer) for item in declined], declined),
                    "recall": run.mean([is_abstention(predicted[item.id]) for item in due], due),
                    "needless": run.mean([is_abstention(predicted[item.id]) for item in answerable], answerable),
                }
            )
    return found


def _abstention_markdown(rows: Sequence[Row]) -> str:
    body = [
        [r["source"], str(r["recall"]["n"]), show(r["recall"]), show(r["precision"]), show(r["needless"])] for r in rows
    ]
    return table(["source", "n due", "recall", "precision", "needless"], body)


def calibration(run: RunAnswers) -> list[dict[str, Any]]:
    """Measure the calibration error of the stated confidence in ten bins (ECE, arXiv 1706.04599), per source."""
    predicted, found = run.predicted, []
    usable = lambda item: not is_caption(item) and item.id in predicted and predicted[item.id].confidence is not None  # noqa: E731
    for source, _, own in run.groups(usable, kinds=False):
        stated = np.clip(np.array([predicted[i.id].confidence for i in own], dtype=float), 0, 1)
        right = np.array([item_score(i, predicted[i.id].text) for i in own], dtype=float)
        result = statistics.expected_calibration_error(stated, right)
        groups = recordings_of(own)
        interval = statistics.bootstrap_statistic(statistics.resampled_ece(stated, right), groups, run.seed, 300)
        found.append(
            {
                "source": source,
                "ece": as_score(result.ece, interval, result.n, len(set(groups))),
                "brier": run.mean((stated - right) ** 2, own),
                "confidence": run.mean(stated, own),
                "accuracy": run.mean(right, own),
                "bins": [{k: known(v) for k, v in vars(row).items()} for row in result.bins],
            }
        )
    return found


def _calibration_markdown(rows: Sequence[Row]) -> str:
    body = [
        [
            *(r["source"], str(r["ece"]["n"]), show(r["ece"], 3), show(r["brier"], 3)),
            *(value(r["confidence"]), value(r["accuracy"])),
        ]
        for r in rows
    ]
    return table(["source", "n", "ECE (10 bins)", "Brier score", "mean confidence", "exact match"], body)


CONSISTENCY = Section(
    "consistency",
    "Changed motions",
    "Right: the answer that is right on the changed motion. Turned, stayed: the same among the items answered "
    "rightly as recorded, where the right answer must change and where it must stay.",
    consistency,
    _consistency_markdown,
)
MIRRORED = Section(
    "mirrored",
    "Mirrored motion",
    "Share of answers naming a side that turn into the other side.",
    mirrored,
    _mirrored_markdown,
)
EVIDENCE = Section(
    "evidence",
    "Contradictions with what is measured",
    "Share of the answers that can be checked; the same for the right answers shows how far the measurements can be "
    "trusted.",
    evidence,
    _evidence_markdown,
)
JUDGE = Section("judge", "Judge", "Agreement: with the task's own rule.", judge, _judge_markdown)
YES_NO_SECTION = Section(
    "yes_no", "Yes and no", 'False yes: "yes" to something that does not happen.', yes_no, _yes_no_markdown
)
ABSTENTION = Section(
    "abstention",
    'Knowing when not to know: "cannot tell"',
    "Needless: abstention although there is an answer.",
    abstention,
    _abstention_markdown,
)
CALIBRATION = Section("calibration", "Calibration of the confidence", "", calibration, _calibration_markdown)
