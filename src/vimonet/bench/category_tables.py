"""Markdown of the sections that a benchmark has beside its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vimonet.bench.caption_retrieval import MEASURES
from vimonet.bench.markdown import show, table, value

Row = Mapping[str, Any]
_SHOWN = ("model", "blind", "question_only", "shuffled", "frozen", "majority", "nearest")
_NAMES = {"blind": "model, blind", "question_only": "question-only model", "nearest": "nearest neighbour"}


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
