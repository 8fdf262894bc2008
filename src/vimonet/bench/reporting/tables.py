"""Markdown of a report: every figure with its interval, its count, and the figures it must be read against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vimonet.bench.reporting import summary_tables
from vimonet.bench.reporting.markdown import show, table, value

Row = Mapping[str, Any]
_CAPTION_NAMES = {
    "bleu1": "BLEU-1",
    "bleu2": "BLEU-2",
    "bleu3": "BLEU-3",
    "bleu4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
}
_SYSTEM_NAMES = {"nearest": "nearest neighbour", "question_only": "question-only model", "blind": "model, blind"}


def title(provenance: Row) -> str:
    """One line that says what was evaluated."""
    checkpoint = str(provenance.get("checkpoint") or "no weights").removeprefix("tensors:")[:12]
    return f"{provenance.get('model')} · weights {checkpoint} · seed {provenance.get('seed')}"


def report_markdown(provenance: Row, sections: Mapping[str, Sequence[Row]], forms: bool = True) -> str:
    """The tables of one report, with or without the long one per question form."""
    parts = ["# Evaluation", _facts(provenance), *_categories(sections)]
    for name, heading, note, build in _SECTIONS if forms else _SECTIONS[:-1]:
        if rows := sections.get(name):
            parts += [f"## {heading}", note, build(rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def combined_markdown(provenance: Sequence[Row], sections: Mapping[str, Sequence[Row]], forms: bool = True) -> str:
    """The tables of several seeds, mean ± standard deviation over them."""
    parts = [
        f"# Evaluation over {len(provenance)} seeds",
        "Every figure: mean ± sample standard deviation over the seeds.",
    ]
    parts += ["\n".join(f"- {title(one)}, code {one.get('version')}" for one in provenance), *_categories(sections)]
    for name, heading, note, build in _SECTIONS if forms else _SECTIONS[:-1]:
        if rows := sections.get(name):
            parts += [f"## {heading}", note, build(rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _categories(sections: Mapping[str, Sequence[Row]]) -> list[str]:
    if not sections.get("cells"):
        return []
    return ["## Categories", summary_tables.CATEGORIES_NOTE, summary_tables.categories(sections)]


def _facts(provenance: Row) -> str:
    order: tuple[str, ...] = ("model", "checkpoint", "version", "seed", "dataset", "dataset_sha256", "split", "tasks")
    order += (
        "items",
        "recordings",
        "train_items",
        "items_sha256",
        "evaluator",
        "controls",
        "control_limit",
        "seconds",
        "machine",
    )
    lines = []
    for key in order:
        if provenance.get(key) is not None:
            shown = provenance[key]
            shown = ", ".join(map(str, shown)) if isinstance(shown, (list, tuple)) else shown
            lines.append(f"- {key.replace('_', ' ')}: {shown}")
    return "\n".join(lines)


def _cells(rows: Sequence[Row]) -> str:
    main = [row for row in rows if row["form"] == "all" and row["wording"] == "all"]
    parts = [_scores_table(main)]
    shown = ("blind", "question_only", "shuffled", "frozen")
    controls = [name for name in shown if any(name in row["systems"] for row in main)]
    if controls:
        body = [
            [row["source"], row["kind"], value(_main(row, "model")), *(show(_main(row, name)) for name in controls)]
            for row in main
        ]
        head = ["source", "kind", "model", *(_SYSTEM_NAMES.get(name, name) for name in controls)]
        parts += ["The same score when the evidence is removed or exchanged:", table(head, body)]
    return "\n\n".join(parts)


def _forms(rows: Sequence[Row]) -> str:
    forms = [row for row in rows if row["form"] != "all"]
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
        line += [show(_main(row, "model")), value(_main(row, blind)) + ("*" if blind != "blind" else "")]
        line += [show(row.get("above_blind"))]
        line += [value(_main(row, name)) for name in ("majority", "nearest")]
        line += [show(_balanced(row, "model"))]
        line += [value(_balanced(row, name)) for name in (blind, "majority", "nearest")]
        line += [show(row["systems"].get("model", {}).get(name)) for name, _ in further]
        body.append(line)
    return table([*head, *(title for _, title in further)], body)


def _differs(row: Row, measure: str) -> bool:
    scores = row["systems"].get("model", {})
    return measure in scores and (measure != "exact_match" or scores[measure] != _main(row, "model"))


def _main(row: Row, system: str) -> Row | None:
    """The score by the item's own rule; reports of earlier versions have exact match only."""
    scores = row["systems"].get(system, {})
    return scores.get("score", scores.get("exact_match"))


def _balanced(row: Row, system: str) -> Row | None:
    return row["systems"].get(system, {}).get("balanced_accuracy")


def _wording(rows: Sequence[Row]) -> str:
    body = [
        [r["source"], r["kind"], show(r["seen"]), show(r["unseen"]), str(r["unseen"]["n"]), show(r["gap"])]
        for r in rows
    ]
    return table(["source", "kind", "seen", "unseen", "n unseen", "unseen minus seen"], body)


def _mirrored(rows: Sequence[Row]) -> str:
    body = [[r["source"], r["kind"], str(r["flipped"]["n"]), show(r["flipped"]), show(r["right"])] for r in rows]
    return table(["source", "kind", "n", "flipped", "right on the mirrored movement"], body)


def _yes_no(rows: Sequence[Row]) -> str:
    columns = ("false_yes", "blind_false_yes", "false_no", "blind_false_no")
    body = [[r["source"], r["form"], str(r["false_yes"]["n"]), *(show(r.get(name)) for name in columns)] for r in rows]
    return table(["source", "form", "n absent", "false yes", "blind", "false no", "blind"], body)


def _abstention(rows: Sequence[Row]) -> str:
    body = [
        [r["source"], str(r["recall"]["n"]), show(r["recall"]), show(r["precision"]), show(r["needless"])] for r in rows
    ]
    return table(["source", "n due", "recall", "precision", "needless"], body)


def _calibration(rows: Sequence[Row]) -> str:
    body = [
        [
            r["source"],
            str(r["ece"]["n"]),
            show(r["ece"], 3),
            show(r["brier"], 3),
            value(r["confidence"]),
            value(r["accuracy"]),
        ]
        for r in rows
    ]
    return table(["source", "n", "ECE (10 bins)", "Brier score", "mean confidence", "exact match"], body)


def _captions(rows: Sequence[Row]) -> str:
    model = next((row["similarity_model"] for row in rows if "similarity_model" in row), None)
    names = {**_CAPTION_NAMES, **({"similarity": "similarity"} if model else {})}
    body = []
    for row in rows:
        for name, scores in row["systems"].items():
            line = [row["source"], row["references"], f"{row['references_per_item']:.1f}", str(row["n"])]
            body.append([*line, _SYSTEM_NAMES.get(name, name), *(show(scores.get(key), 3) for key in names)])
    rows_of = table(["source", "references", "per caption", "n", "system", *names.values()], body)
    notes = f"Tokeniser: {rows[0]['tokeniser']}. CIDEr: {rows[0]['cider_scale']}."
    if model:
        notes += f" Similarity: cosine to the nearest reference in the sentence embeddings of {model}."
    return f"{rows_of}\n\n{notes}"


def _recognition(rows: Sequence[Row]) -> str:
    body = []
    for row in rows:
        for name, scores in row["systems"].items():
            line = [row["source"], str(row["labels"]), str(row["labels_tested"]), str(scores["top1"]["n"])]
            measures = (show(scores[key]) for key in ("top1", "macro_f1", "off_list"))
            body.append([*line, _SYSTEM_NAMES.get(name, name), *measures])
    head = ["source", "labels", "labels tested", "n", "system", "top-1", "macro F1", "no label of the list"]
    return table(head, body)


_INTERVALS = (
    "Score: exact match after normalisation, unless a task says otherwise. In brackets: 95 % interval, bootstrap over "
    "recordings. Blind: the larger of the model without the movement and (*) a model trained on the questions alone. "
    "Balanced accuracy: mean over the right answers of the share found."
)
_SECTIONS = (
    ("cells", "Scores", _INTERVALS, _cells),
    ("averages", "Averages", "Micro: mean over items. Macro: mean over kinds.", summary_tables.averages),
    (
        "consistency",
        "Changed movements",
        "Right: the answer that is right on the changed movement. Turned, stayed: the same among the items answered "
        "rightly as recorded, where the right answer must change and where it must stay.",
        summary_tables.consistency,
    ),
    (
        "evidence",
        "Contradictions with what is measured",
        "Share of the answers that can be checked; the same for the right answers shows what the measures are worth.",
        summary_tables.evidence,
    ),
    ("judge", "Judge", "Agreement: with the task's own rule.", summary_tables.judge),
    (
        "wording",
        "Wordings never seen in training",
        "Exact match; over all kinds the gap is the mean of the kinds' gaps.",
        _wording,
    ),
    ("mirrored", "Mirrored movement", "Share of answers naming a side that turn into the other side.", _mirrored),
    ("yes_no", "Yes and no", 'False yes: "yes" to something that does not happen.', _yes_no),
    (
        "abstention",
        'Knowing when not to know: "cannot tell"',
        "Needless: said although there is an answer.",
        _abstention,
    ),
    ("calibration", "Calibration of the confidence", "", _calibration),
    ("captions", "Captions", "", _captions),
    (
        "retrieval",
        "Captions find their movements",
        "A caption among 31 of other clips that say something else, ranked by distance to the movement; chance is "
        "k/32. MM-Dist: mean distance (less is better), comparable within one evaluator only. Random pairs: captions "
        "dealt to recordings that they do not describe.",
        summary_tables.retrieval,
    ),
    (
        "recognition",
        "Action recognition",
        "Free answers mapped to the label set by equality after normalisation.",
        _recognition,
    ),
    ("cells", "Per question form", "", _forms),
)
