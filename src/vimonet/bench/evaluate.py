"""Run a benchmark: ask every item under every condition, answer it with the baselines, score, write the report."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from vimonet.bench import controls as conditions
from vimonet.bench import metrics, provenance
from vimonet.bench.baselines import MajorityAnswer, NearestNeighbour
from vimonet.bench.predictions import Prediction, PredictionLog, ask
from vimonet.bench.report import Report, write_text
from vimonet.bench.scores import RECOGNITION, Scorer

if TYPE_CHECKING:
    from vimonet.vimos.schema import Item

CONTROLS = ("blind", "mirrored", "shuffled", "frozen")


def evaluate(
    assistant: Any,
    items: Sequence[Item],
    *,
    train_items: Sequence[Item] | None = None,
    controls: Sequence[str] = CONTROLS,
    out: str | Path,
    batch_size: int = 32,
    seed: int = 0,
    samples: int = 2000,
    checkpoint: str | Path | None = None,
    model: str | None = None,
    split: str | None = None,
    progress: bool = True,
) -> Report:
    """Evaluate an assistant on items and write the report.

    Writes into ``out``: ``predictions.jsonl`` as answers come (a killed run continues there), ``answers.jsonl`` (every
    question with the right answer and what each system said), ``report.json``, ``report.md``, ``scores.png``,
    ``reliability.png``.

    Args:
        assistant: has ``ask_batch([(question, motion | None), ...])`` giving objects with ``text`` and ``confidence``.
        items: what is asked; ids are unique.
        train_items: what the majority and nearest-neighbour baselines learn from; without them there are none.
        controls: conditions asked beside the movement itself; see :func:`vimonet.bench.controls.queries`.
        out: folder; predictions of other weights, items or another seed found in it are refused.
        batch_size: questions per call of the assistant.
        seed: of the shuffled control and of every resampling.
        samples: bootstrap resamples behind an interval.
        checkpoint: weights to name by hash; by default the assistant's own directory or tensors.
        model: name in the report; by default the assistant's.
        split: name of the split in the report.
        progress: show progress bars.

    Raises:
        InputError: ``out`` holds another run, or a control is unknown.
        ValueError: there are no items, or two share an id.
    """
    started, asked = time.monotonic(), list(items)
    if not asked:
        raise ValueError("there are no items to evaluate on")
    if len({item.id for item in asked}) < len(asked):
        raise ValueError("two items share an id")
    folder = Path(out)
    names = [conditions.MOTION, *(name for name in dict.fromkeys(controls) if name != conditions.MOTION)]
    put = {name: conditions.queries(name, asked, seed) for name in names}
    run = {
        "checkpoint": provenance.assistant_sha256(assistant, checkpoint),
        "seed": seed,
        "items_sha256": provenance.items_sha256(asked),
    }
    said: dict[str, dict[str, Prediction]] = {}
    with PredictionLog(folder / "predictions.jsonl", run) as log:
        for name, queries in put.items():
            said[name] = ask(assistant, name, queries, log, batch_size=batch_size, progress=progress)
    learnt = list(train_items or ())
    simple = _baselines(asked, learnt, progress) if learnt else {}
    _write_answers(folder / "answers.jsonl", asked, said, simple)
    facts = {
        "model": model or str(getattr(assistant, "name", None) or type(assistant).__name__),
        **run,
        "version": provenance.code_version(),
        "split": split,
        "items": len(asked),
        "recordings": len({(item.source, item.recording) for item in asked}),
        "train_items": len(learnt) or None,
        "train_items_sha256": provenance.items_sha256(learnt) if learnt else None,
        "controls": names[1:],
        "samples": samples,
        "machine": provenance.machine(),
    }
    labels: dict[str, set[str]] = {}
    for item in learnt:
        if item.kind == RECOGNITION:
            labels.setdefault(item.source, set()).update([item.answer, *item.options])
    sections = Scorer(asked, said, simple, seed, samples, labels).all()
    report = Report({**facts, "seconds": round(time.monotonic() - started, 1)}, sections)
    report.save(folder)
    return report


def select(items: Sequence[Item], limit: int | None, seed: int = 0) -> list[Item]:
    """At most ``limit`` items, drawn as evenly as can be over source, kind, form and wording; order kept."""
    if limit is None or limit >= len(items):
        return list(items)
    cells: dict[tuple[str, ...], list[int]] = {}
    for index in np.random.default_rng(seed).permutation(len(items)):
        item = items[int(index)]
        cells.setdefault((item.source, item.kind, item.form, item.wording), []).append(int(index))
    chosen: list[int] = []
    depth = 0
    while len(chosen) < limit:
        for key in sorted(cells):
            if depth < len(cells[key]) and len(chosen) < limit:
                chosen.append(cells[key][depth])
        depth += 1
    return [items[index] for index in sorted(chosen)]


def _baselines(items: list[Item], train_items: list[Item], progress: bool) -> dict[str, dict[str, str]]:
    majority, nearest = MajorityAnswer(train_items), NearestNeighbour(train_items)
    answers: dict[str, dict[str, str]] = {"majority": {}, "nearest": {}}
    for item in tqdm(items, desc="baselines", unit="item", disable=not progress):
        answers["majority"][item.id] = majority.answer(item)
        retrieved = nearest.answer(item)
        # A form that training never asks of such clips leaves retrieval with the majority answer.
        answers["nearest"][item.id] = answers["majority"][item.id] if retrieved is None else retrieved
    return answers


def _write_answers(
    path: Path, items: list[Item], said: dict[str, dict[str, Prediction]], simple: dict[str, dict[str, str]]
) -> None:
    lines = []
    for item in items:
        model = said[conditions.MOTION][item.id]
        record: dict[str, Any] = {
            key: getattr(item, key)
            for key in ("id", "source", "recording", "kind", "form", "wording", "question", "answer")
        }
        record |= {
            "model": model.text,
            "right": metrics.exact_match(model.text, item.answer),
            "confidence": model.confidence,
        }
        record |= {
            name: rows[item.id].text for name, rows in said.items() if name != conditions.MOTION and item.id in rows
        }
        record |= {name: rows[item.id] for name, rows in simple.items()}
        lines.append(json.dumps(record, ensure_ascii=False))
    write_text(path, "\n".join(lines))
