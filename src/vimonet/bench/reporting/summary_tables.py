"""Markdown of the sections that a benchmark has beside its scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from vimonet.bench.reporting.markdown import show, table, value
from vimonet.bench.scoring.caption_retrieval import MEASURES
from vimonet.utils.errors import InputError

Row = Mapping[str, Any]
_SHOWN = ("model", "blind", "question_only", "shuffled", "frozen", "majority", "nearest")
_NAMES = {"blind": "model, blind", "question_only": "question-only model", "nearest": "nearest neighbour"}

_HEAD = ("source", "task", "n", "score", "balanced accuracy (blind)", "blind", "shuffled", "mirrored", "majority")
CATEGORIES_NOTE = (
    "In brackets behind a score: 95 % interval, bootstrap over recordings. Balanced accuracy: mean over the right "
    "answers of the share found. Blind: the larger of the model without the movement and (*) a model trained on the "
    "questions alone. Shuffled: with another recording's movement. Mirrored: of the answers that name a side, the "
    "share that turn into the other side on the mirrored movement, and how many. Majority: the commonest training "
    "answer of the form. Nearest: the answer of the nearest training clip."
)


def categories(sections: Mapping[str, Sequence[Row]], sources: Collection[str] = ()) -> str:
    """One row per source and task with what its score must be read against; the last of a source is over all its tasks.

    Args:
        sections: of a report; ``cells`` and ``mirrored`` are shown.
        sources: corpora to show; () for every one, and all together where there are several.

    Raises:
        InputError: nothing was asked about one of the sources.
    """
    cells = [row for row in sections["cells"] if row["form"] == row["wording"] == "all"]
    mirrored = {(row["source"], row["kind"]): row["flipped"] for row in sections.get("mirrored", ())}
    known = list(dict.fromkeys(row["source"] for row in cells))
    if lacking := [source for source in sources if source not in known]:
        raise InputError(f"the report has no questions about {lacking[0]!r}; it has {', '.join(known)}")
    body = []
    for source in sources or known:
        # Stable: the tasks keep their order, and the row over all of them comes last.
        for row in sorted((row for row in cells if row["source"] == source), key=lambda row: row["kind"] == "all"):
            systems = {name: {"score": scores.get("exact_match"), **scores} for name, scores in row["systems"].items()}
            scores = {name: measures["score"] for name, measures in systems.items()}
            balanced = {name: measures["balanced_accuracy"] for name, measures in systems.items()}
            flipped = mirrored.get((source, row["kind"]))
            sides = f"{value(flipped)} of {flipped['n']}" if flipped and flipped["n"] else "–"
            line = [source, row["kind"], str(row["n"]), show(scores["model"])]
            line += [f"{value(balanced['model'])} ({_blind(balanced)})", _blind(scores), value(scores.get("shuffled"))]
            body.append([*line, sides, value(scores.get("majority")), value(scores.get("nearest"))])
    return table([*_HEAD, "nearest"], body)


def _blind(scores: Mapping[str, Row]) -> str:
    """The larger of the blind scores, marked where it is not the model's own."""
    found = {name: scores[name] for name in ("blind", "question_only") if name in scores}
    if not found:
        return "–"
    larger = max(found, key=lambda name: found[name].get("mean", found[name].get("value")) or 0.0)
    return value(found[larger]) + ("*" if larger == "question_only" else "")


def averages(rows: Sequence[Row]) -> str:
    """Micro and macro of every system, per source and over all."""
    body = []
    for row in rows:
        for name in _SHOWN:
            if name in row["systems"]:
                scores = row["systems"][name]
                above = show(row.get("above_blind")) if name == "model" else ""
                line = [row["source"], _NAMES.get(name, name), str(scores["micro"].get("n", ""))]
                body.append([*line, show(scores["micro"]), show(scores["macro"]), above])
    return table(["source", "system", "n", "micro", "macro", "micro above blind"], body)


def consistency(rows: Sequence[Row]) -> str:
    """Answers on changed movements, per control, source and kind."""
    body = []
    for row in rows:
        line = [row["control"], row["source"], row["kind"], str(row["right"]["n"]), show(row["right"])]
        for name in ("turned", "stayed"):
            line += [str(row[name]["n"] or "–"), show(row[name])]
        body.append(line)
    return table(["control", "source", "kind", "n", "right", "n turned", "turned", "n stayed", "stayed"], body)


def evidence(rows: Sequence[Row]) -> str:
    """Contradictions with the measures, per source and kind."""
    body = [
        [r["source"], r["kind"], str(r["contradicted"]["n"]), show(r["contradicted"]), value(r["truth_contradicted"])]
        for r in rows
    ]
    return table(["source", "kind", "n checked", "model", "right answers"], body)


def judge(rows: Sequence[Row]) -> str:
    """A judge's verdicts, per source and kind."""
    body = []
    for r in rows:
        share, kappa = (r["agreement"].get(key) for key in ("share", "kappa"))
        agree = ["–" if number is None else f"{number:.2f}" for number in (share, kappa)]
        body.append([r["source"], r["kind"], str(r["yes"]["n"]), show(r["yes"]), show(r["mean_score"]), *agree])
    return table(["source", "kind", "n", "right", "score of 5", "agreement", "kappa"], body)


def retrieval(rows: Sequence[Row]) -> str:
    """How well captions find their movements; random pairs beside the references and the model."""
    body, lacking = [], []
    for row in rows:
        if row.get("lacking"):
            lacking.append(f"{row['source']}: {row['lacking']}")
        for name, scores in row["systems"].items():
            line = [row["source"], str(row["n"]), str(row["clips"])]
            body.append([*line, _NAMES.get(name, name), *(show(scores[key]) for key in MEASURES)])
            if name in ("people", "references", "model"):
                random = (show(scores[f"random_{key}"]) for key in MEASURES)
                body.append([*line, f"{name}, random pairs", *random])
    head = ["source", "n", "clips", "captions", "R-precision@1", "@2", "@3", "MM-Dist"]
    return "\n\n".join([*([table(head, body)] if body else []), *lacking])
