"""Compare reports side by side, with a paired test on shared items."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from vimonet.bench.report import Report
from vimonet.bench.scoring.score_table import ALL, show
from vimonet.utils import statistics
from vimonet.utils.errors import InputError
from vimonet.utils.markdown import table


@dataclass(frozen=True)
class Compared:
    """Hold the difference of two runs on shared items.

    Attributes:
        source, kind: corpus and task of the items.
        difference, low, high: mean score of the first run minus the second, with its 95 % interval over recordings.
        p_value: two-sided p-value by sign flips of whole recordings.
        n, recordings: numbers of items and of their recordings.
    """

    source: str
    kind: str
    difference: float
    low: float
    high: float
    p_value: float
    n: int
    recordings: int


def side_by_side(paths: Sequence[str | Path]) -> str:
    """Write the scores of all runs side by side, and a paired test of every two runs, as Markdown.

    Args:
        paths: ``report.json`` files or their folders, with ``answers.jsonl`` beside.

    Raises:
        InputError: a file is missing or no report, or two runs share no item.
    """
    reports = [Report.load(path) for path in paths]
    names = _names(reports)
    parts = ["# Runs side by side", "\n".join(_described(name, one) for name, one in zip(names, reports, strict=True))]
    parts += ["## Scores", _scores(reports, names)]
    answers = [read_answers(report) for report in reports] if len(reports) > 1 else []
    for a, b in combinations(range(len(answers)), 2):
        rows = compare(answers[a], answers[b], seed=int(reports[a].provenance.get("seed") or 0))
        if not rows:
            raise InputError(
                f"{reports[a].out} and {reports[b].out} share no question; run both on one dataset and split"
            )
        title = f"## {names[a]} minus {names[b]}"
        note = (
            f"Paired on the {rows[0].n:,} questions that both were asked. In brackets: 95 % interval, bootstrap over "
            "recordings; p: two-sided sign-flip test, whole recordings flipped at a time."
        )
        body = [
            [r.source, r.kind, str(r.n), str(r.recordings), show(vars(r) | {"value": r.difference}), _p(r.p_value)]
            for r in rows
        ]
        parts += [title, note, table(["source", "kind", "n", "recordings", "difference", "p"], body)]
    return "\n\n".join(parts) + "\n"


def read_answers(report: Report) -> dict[str, dict[str, Any]]:
    """Read the answers of a run by item id.

    Raises:
        InputError: ``answers.jsonl`` is missing or damaged.
    """
    path = Path(report.out or ".") / "answers.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line]
        return {str(row["id"]): row | {"score": float(row.get("score", row["right"]))} for row in rows}
    except FileNotFoundError:
        raise InputError(f"{path}: the answers of this run are missing; they lie beside its report.json") from None
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{path}: this holds no answers of a benchmark run; the file beside report.json is expected"
        ) from None


def compare(first: dict[str, dict[str, Any]], second: dict[str, dict[str, Any]], seed: int = 0) -> list[Compared]:
    """Compare two runs on all shared items, per kind, and per source and kind for several sources.

    Shared items have equal id, question and right answer. Captions are left out, because their scores belong to sets.

    Args:
        first, second: answers by item id, as `read_answers` returns them.
        seed: seed of the test.
    """
    shared = [
        key
        for key, row in first.items()
        if key in second
        and row.get("form") != "caption"
        and all(row.get(name) == second[key].get(name) for name in ("question", "answer"))
    ]
    groups: dict[tuple[str, str], list[str]] = {}
    for key in shared:
        row = first[key]
        for group in ((ALL, ALL), (ALL, row["kind"]), (row["source"], ALL), (row["source"], row["kind"])):
            groups.setdefault(group, []).append(key)
    one_source = len({first[key]["source"] for key in shared}) < 2
    found = []
    for (source, kind), keys in sorted(
        groups.items(), key=lambda pair: (pair[0][0] != ALL, pair[0][0], pair[0][1] != ALL, pair[0][1])
    ):
        if source != ALL and one_source:
            continue
        recordings = [(first[key]["source"], first[key]["recording"]) for key in keys]
        test = statistics.paired_test(
            [first[key]["score"] for key in keys], [second[key]["score"] for key in keys], recordings, seed
        )
        found.append(Compared(source, kind, test.difference, *test.interval, test.p_value, len(keys), test.recordings))
    return found


def _names(reports: Sequence[Report]) -> list[str]:
    """Name the runs by model, or by folder if models share a name."""
    models = [Path(str(report.provenance.get("model"))).name for report in reports]
    if len(set(models)) == len(models):
        return models
    folders = [report.out.name if report.out else "" for report in reports]
    return folders if len(set(folders)) == len(folders) else [f"{name} {k}" for k, name in enumerate(models, 1)]


def _described(name: str, report: Report) -> str:
    facts = report.provenance
    weights = str(facts.get("checkpoint") or "none").removeprefix("tensors:")[:12]
    parts = [f"weights {weights}", f"{facts.get('dataset') or 'recordings'} {facts.get('split') or ''}".strip()]
    parts += [f"{facts.get('items'):,} items", f"seed {facts.get('seed')}", f"code {facts.get('version')}"]
    return f"- **{name}**: {', '.join(parts)}"


def _scores(reports: Sequence[Report], names: Sequence[str]) -> str:
    found: dict[tuple[str, str], dict[int, Any]] = {}
    for k, report in enumerate(reports):
        for row in report.sections["score_rows"]:
            if row["form"] == row["wording"] == ALL:
                found.setdefault((row["source"], row["kind"]), {})[k] = row
    body = []
    for (source, kind), rows in found.items():
        line = [source, kind]
        for k in range(len(reports)):
            scores = rows[k]["systems"]["model"] if k in rows else {}
            line += [str(rows[k]["n"]) if k in rows else "–", show(scores.get("score", scores.get("exact_match")))]
            line.append(show({"value": rows[k].get("blind", {}).get("value")}) if k in rows else "–")
        body.append(line)
    head = ["source", "kind", *(part for name in names for part in (f"n ({name})", name, "blind"))]
    return table(head, body)


def _p(value: float) -> str:
    return "–" if value != value else "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0")
