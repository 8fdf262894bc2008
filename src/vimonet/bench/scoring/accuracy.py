"""Score answers per source, kind, wording and form; average them; recognise actions against a label set."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench.scoring import text_metrics
from vimonet.bench.scoring.score_table import (
    ALL,
    MODEL,
    SYSTEM_NAMES,
    Row,
    RunAnswers,
    Section,
    as_score,
    is_caption,
    larger_blind,
    recordings_of,
    show,
    value,
)
from vimonet.bench.scoring.text_metrics import canonical
from vimonet.bench.tasks import EXACT, item_score, rule_of, topic_of
from vimonet.utils import statistics
from vimonet.utils.errors import InputError
from vimonet.utils.markdown import table

if TYPE_CHECKING:
    from vimonet.vimos.types import Item

RECOGNITION = "recognition"

_SHOWN = (MODEL, "blind", "question_only", "shuffled", "frozen", "majority", "nearest")


# ------------------------------- scores


def score_rows(run: RunAnswers) -> list[dict[str, Any]]:
    """Score every system per source and kind, then per wording and per question form, on the same items.

    A score row: ``source, kind, form, wording, n, recordings, systems {name: {score, exact_match, balanced_accuracy,
    within_one, iou_hit}}, blind {system, the larger of the blind scores}, above_blind {value, low, high, p_value}``.
    ``score`` and balanced accuracy follow the item's rule. Captions have another section.
    """
    every = [item for item in run.items if not is_caption(item)]
    found = []
    if len({item.source for item in every}) > 1:
        found.append(_score_row(run, every, ALL, ALL))
        found += [_score_row(run, [i for i in every if i.kind == kind], ALL, kind) for kind in run.kinds(every)]
    for source in run.sources:
        asked = [item for item in every if item.source == source]
        if asked:
            found.append(_score_row(run, asked, source, ALL))
        for kind in run.kinds(asked):
            own = [item for item in asked if item.kind == kind]
            found.append(_score_row(run, own, source, kind))
            for key in ("wording", "form"):
                names = sorted({getattr(item, key) for item in own})
                for name in names if len(names) > 1 else ():
                    part = [item for item in own if getattr(item, key) == name]
                    found.append(_score_row(run, part, source, kind, **{key: name}))
    return found


def _score_row(
    run: RunAnswers, items: list[Item], source: str, kind: str, *, form: str = ALL, wording: str = ALL
) -> dict[str, Any]:
    answered_by = [item.answer for item in items if not text_metrics.is_abstention(item.answer)]
    counted = bool(answered_by) and all(text_metrics.count_in(answer) is not None for answer in answered_by)
    systems = {}
    for name, answers in run.systems.items():
        if not (answered := [item for item in items if item.id in answers]):
            continue
        right = [item_score(item, answers[item.id]) for item in answered]
        classes = [canonical(item.answer) for item in answered]
        scores = {"score": run.mean(right, answered)}
        if all(rule_of(item) == EXACT for item in answered):
            scores["exact_match"] = scores["score"]
        else:
            exact = [text_metrics.exact_match(answers[item.id], item.answer) for item in answered]
            scores["exact_match"] = run.mean(exact, answered)
        scores["balanced_accuracy"] = run.mean(right, answered, classes)
        if counted:
            near = [text_metrics.within_one(answers[item.id], item.answer) for item in answered]
            scores["within_one"] = run.mean(near, answered)
        if all(rule_of(item).format == "span" for item in answered):
            hits = [value >= rule_of(item).threshold for value, item in zip(right, answered, strict=True)]
            scores["iou_hit"] = run.mean(hits, answered)
        systems[name] = scores
    row: dict[str, Any] = {
        "source": source,
        "kind": kind,
        "form": form,
        "wording": wording,
        "n": len(items),
        "recordings": len({item.recording for item in items}),
        "answers": len({canonical(item.answer) for item in items}),
        "systems": systems,
    }
    if (larger := larger_blind(systems, "score")) is not None:
        row["blind"] = {"system": larger, **systems[larger]["score"]}
        row["above_blind"] = run.above(items, larger)
    return row


def _scores_markdown(rows: Sequence[Row]) -> str:
    main = [row for row in rows if row["form"] == ALL and row["wording"] == ALL]
    parts = [_scores_table(main)]
    shown = ("blind", "question_only", "shuffled", "frozen")
    controls = [name for name in shown if any(name in row["systems"] for row in main)]
    if controls:
        body = [
            [row["source"], row["kind"], value(_of(row, MODEL)), *(show(_of(row, name)) for name in controls)]
            for row in main
        ]
        head = ["source", "kind", MODEL, *(SYSTEM_NAMES.get(name, name) for name in controls)]
        parts += ["The same score when the evidence is removed or exchanged:", table(head, body)]
    return "\n\n".join(parts)


def _forms_markdown(rows: Sequence[Row]) -> str:
    forms = [row for row in rows if row["form"] != ALL]
    return _scores_table(forms, by="form") if forms else "Every kind has one form."


def _scores_table(rows: Sequence[Row], by: str | None = None) -> str:
    head = ["source", "kind", *([by] if by else []), "n", "recordings", "score", "blind", "above blind", "majority"]
    head += ["nearest", "balanced accuracy", "blind", "majority", "nearest"]
    further = [
        (name, title)
        for name, title in (("exact_match", "exact match"), ("within_one", "within one"), ("iou_hit", "IoU hit"))
        if any(_differs(row, name) for row in rows)
    ]
    body = []
    for row in rows:
        blind = row.get("blind", {}).get("system", "blind")
        line = [row["source"], row["kind"], *([row[by]] if by else []), str(row["n"]), str(row["recordings"])]
        line += [show(_of(row, MODEL)), value(_of(row, blind)) + ("*" if blind != "blind" else "")]
        line += [show(row.get("above_blind"))]
        line += [value(_of(row, name)) for name in ("majority", "nearest")]
        line += [show(_of(row, MODEL, "balanced_accuracy"))]
        line += [value(_of(row, name, "balanced_accuracy")) for name in (blind, "majority", "nearest")]
        line += [show(_of(row, MODEL, name)) for name, _ in further]
        body.append(line)
    return table([*head, *(title for _, title in further)], body)


def _differs(row: Row, measure: str) -> bool:
    scores = row["systems"].get(MODEL, {})
    return measure in scores and (measure != "exact_match" or scores[measure] != scores["score"])


def _of(row: Row, system: str, measure: str = "score") -> Row | None:
    found: Row | None = row["systems"].get(system, {}).get(measure)
    return found


# ------------------------------- one table of categories

CATEGORIES_NOTE = (
    "In brackets behind a score: 95 % interval, bootstrap over recordings. Balanced accuracy: mean over the right "
    "answers of the share found. Blind: the larger of the model without the motion and (*) a model trained on the "
    "questions alone. Shuffled: with another recording's motion. Mirrored: of the answers that name a side, the "
    "share that turn into the other side on the mirrored motion, and how many. Majority: the commonest training "
    "answer of the form. Nearest: the answer of the nearest training clip."
)
_CATEGORIES = ("source", "task", "n", "score", "balanced accuracy (blind)", "blind", "shuffled", "mirrored", "majority")


def categories(sections: Mapping[str, Sequence[Row]], sources: Collection[str] = ()) -> str:
    """Write a row per source and task with score, controls and baselines; the last row of a source covers all tasks.

    Args:
        sections: sections of a report, of which ``score_rows`` and ``mirrored`` are shown.
        sources: corpora to show; () for all, and all together if there are several.

    Raises:
        InputError: the report has no questions about one of the sources.
    """
    rows = [row for row in sections["score_rows"] if row["form"] == row["wording"] == ALL]
    mirrored = {(row["source"], row["kind"]): row["flipped"] for row in sections.get("mirrored", ())}
    known = list(dict.fromkeys(row["source"] for row in rows))
    if lacking := [source for source in sources if source not in known]:
        raise InputError(f"the report has no questions about {lacking[0]!r}; it has {', '.join(known)}")
    body = []
    for source in sources or known:
        # The sort is stable, so tasks keep their order and the row over all of them comes last.
        for row in sorted((row for row in rows if row["source"] == source), key=lambda row: row["kind"] == ALL):
            flipped = mirrored.get((source, row["kind"]))
            sides = f"{value(flipped)} of {flipped['n']}" if flipped and flipped["n"] else "–"
            balanced = f"{value(_of(row, MODEL, 'balanced_accuracy'))} ({blind_text(row, 'balanced_accuracy')})"
            line = [source, row["kind"], str(row["n"]), show(_of(row, MODEL)), balanced, blind_text(row, "score")]
            line += [value(_of(row, "shuffled")), sides, value(_of(row, "majority")), value(_of(row, "nearest"))]
            body.append(line)
    return table([*_CATEGORIES, "nearest"], body)


def blind_text(row: Row, measure: str) -> str:
    """Write the larger blind score, with a mark for the question-only model's."""
    larger = larger_blind(row["systems"], measure)
    if larger is None:
        return "–"
    return value(_of(row, larger, measure)) + ("*" if larger == "question_only" else "")


# ------------------------------- averages, wordings


def averages(run: RunAnswers) -> list[dict[str, Any]]:
    """Average every system per source and overall: ``micro`` over items, ``macro`` over kinds.

    A row: ``source, kinds, systems {name: {micro, macro}}, above_blind`` (micro, against the larger blind score).
    """
    found = []
    for source, _, own in run.groups(lambda item: not is_caption(item), kinds=False):
        systems = {}
        for name, answers in run.systems.items():
            answered = [item for item in own if item.id in answers]
            if len(answered) < len(own):  # a condition asked for some of the items has no average over all
                continue
            values = [item_score(item, answers[item.id]) for item in answered]
            systems[name] = {
                "micro": run.mean(values, answered),
                "macro": run.mean(values, answered, [item.kind for item in answered]),
            }
        row = {"source": source, "kind": ALL, "kinds": len({i.kind for i in own}), "systems": systems}
        if (larger := larger_blind(systems, "micro")) is not None:
            row |= {"blind": larger, "above_blind": run.above(own, larger)}
        found.append(row)
    return found


def _averages_markdown(rows: Sequence[Row]) -> str:
    body = []
    for row in rows:
        for name in _SHOWN:
            if name in row["systems"]:
                scores = row["systems"][name]
                above = show(row.get("above_blind")) if name == MODEL else ""
                line = [row["source"], SYSTEM_NAMES.get(name, name), str(scores["micro"].get("n", ""))]
                body.append([*line, show(scores["micro"]), show(scores["macro"]), above])
    return table(["source", "system", "n", "micro", "macro", "micro above blind"], body)


def wording(run: RunAnswers) -> list[dict[str, Any]]:
    """Compare wordings unseen in training with seen ones, per source and kind, and per source over kinds.

    ``gap`` is unseen minus seen; over kinds it is the mean of their gaps, independent of the mix of kinds.
    """
    predicted, found = run.systems[MODEL], []
    for source in run.sources:
        kinds = run.kinds([item for item in run.items if item.source == source and not is_caption(item)])
        parts: dict[str, list[Item]] = {}
        for kind in kinds:
            own = [item for item in run.items if item.source == source and item.kind == kind and item.id in predicted]
            if len({item.wording for item in own} & {"seen", "unseen"}) == 2:
                parts[kind] = own
        if len(parts) > 1:
            parts[ALL] = [item for own in list(parts.values()) for item in own]
        for kind, own in parts.items():
            right = np.array([item_score(item, predicted[item.id]) for item in own], dtype=float)
            unseen = np.array([item.wording == "unseen" for item in own])
            _, strata = np.unique([item.kind for item in own], return_inverse=True)
            gap = statistics.resampled_gap(right, unseen, strata)
            groups = recordings_of(own)
            interval = statistics.bootstrap_statistic(gap, groups, run.seed, 500)
            row: dict[str, Any] = {"source": source, "kind": kind}
            for name, mask in (("seen", ~unseen), ("unseen", unseen)):
                row[name] = run.mean(right[mask], [item for item, keep in zip(own, mask, strict=True) if keep])
            row["gap"] = as_score(gap(np.arange(len(own))), interval, len(own), len(set(groups)))
            found.append(row)
    return found


def _wording_markdown(rows: Sequence[Row]) -> str:
    body = [
        [r["source"], r["kind"], show(r["seen"]), show(r["unseen"]), str(r["unseen"]["n"]), show(r["gap"])]
        for r in rows
    ]
    return table(["source", "kind", "seen", "unseen", "n unseen", "unseen minus seen"], body)


# ------------------------------- action recognition


def recognition(run: RunAnswers) -> list[dict[str, Any]]:
    """Score action recognition per source: top-1 and macro F1 of free answers that equal a label after normalisation.

    The labels are all answers and options of the source's recognition items, training included; ``off_list`` is the
    share of answers that are no label and count as wrong.
    """
    found = []
    for source, _, own in run.groups(lambda item: topic_of(item) == RECOGNITION, kinds=False, together=False):
        truth = [canonical(item.answer) for item in own]
        known = [*run.labels.get(source, ()), *(option for item in own for option in item.options)]
        labels = sorted({*truth, *map(canonical, known)})
        tested = sorted(set(truth))
        groups = recordings_of(own)
        systems = {}
        for name, answers in run.systems.items():
            if any(item.id not in answers for item in own):
                continue
            predicted = [canonical(answers[item.id]) for item in own]
            f1 = statistics.resampled_macro_f1(truth, predicted, tested)
            interval = statistics.bootstrap_statistic(f1, groups, run.seed, 300)
            value = statistics.macro_f1(truth, predicted, tested)
            systems[name] = {
                "top1": run.mean([guess == answer for guess, answer in zip(predicted, truth, strict=True)], own),
                "macro_f1": as_score(value, interval, len(own), len(set(groups))),
                "off_list": run.mean([guess not in labels for guess in predicted], own),
            }
        found.append({"source": source, "labels": len(labels), "labels_tested": len(tested), "systems": systems})
    return found


def _recognition_markdown(rows: Sequence[Row]) -> str:
    body = []
    for row in rows:
        for name, scores in row["systems"].items():
            line = [row["source"], str(row["labels"]), str(row["labels_tested"]), str(scores["top1"]["n"])]
            measures = (show(scores[key]) for key in ("top1", "macro_f1", "off_list"))
            body.append([*line, SYSTEM_NAMES.get(name, name), *measures])
    head = ["source", "labels", "labels tested", "n", "system", "top-1", "macro F1", "no label of the list"]
    return table(head, body)


SCORES = Section(
    "score_rows",
    "Scores",
    "Score: exact match after normalisation, unless a task says otherwise. In brackets: 95 % interval, bootstrap over "
    "recordings. Blind: the larger of the model without the motion and (*) a model trained on the questions alone. "
    "Balanced accuracy: mean over the right answers of the share found.",
    score_rows,
    _scores_markdown,
)
AVERAGES = Section(
    "averages", "Averages", "Micro: mean over items. Macro: mean over kinds.", averages, _averages_markdown
)
WORDING = Section(
    "wording",
    "Wordings never seen in training",
    "Exact match; over all kinds the gap is the mean of the kinds' gaps.",
    wording,
    _wording_markdown,
)
RECOGNITION_SECTION = Section(
    "recognition",
    "Action recognition",
    "Free answers mapped to the label set by equality after normalisation.",
    recognition,
    _recognition_markdown,
)
FORMS = Section("score_rows", "Per question form", "", score_rows, _forms_markdown)
