"""Run a benchmark: ask every item under every condition, answer it with the baselines, score, write the report."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from vimonet.bench import controls as conditions
from vimonet.bench import provenance
from vimonet.bench.baselines import MajorityAnswer, NearestNeighbour
from vimonet.bench.predictions import Prediction, PredictionLog, ask
from vimonet.bench.reporting.report import Report, write_text
from vimonet.bench.scoring import text_metrics
from vimonet.bench.scoring.answer_formats import item_score, topic_of
from vimonet.bench.scoring.set_scores import RECOGNITION
from vimonet.bench.scoring.summary_scores import CategoryScorer

if TYPE_CHECKING:
    from vimonet.bench.scoring.caption_similarity import Similarity
    from vimonet.retrieval.text_motion import Evaluator
    from vimonet.vimos.types import Item

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
    control_limit: int = 0,
    question_only: bool = False,
    evidence: bool = False,
    judge: Any = None,
    evaluator: Evaluator | None = None,
    similarity: Similarity | None = None,
    about: Mapping[str, Any] | None = None,
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
        control_limit: ask the controls (``blind`` apart) of at most so many items, drawn evenly; 0 = of all.
        question_only: also answer with a model trained on the training questions alone: the fair blind control of a
            model that says "cannot tell" when it sees nothing.
        evidence: also count the answers that contradict what can be measured.
        judge: a :class:`vimonet.bench.judge.Judge` of the model's answers.
        evaluator: measures how well captions find their movements.
        similarity: measures captions by sentence embeddings beside BLEU, ROUGE-L and CIDEr.
        about: further facts for the report (dataset, its hash ...).

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
    some = select(asked, control_limit or None, seed)
    put = {
        name: conditions.queries(name, asked if name in (conditions.MOTION, "blind") else some, seed) for name in names
    }
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
    if learnt and question_only:
        simple["question_only"] = _question_only(asked, learnt, seed)
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
        **(about or {}),
    }
    labels: dict[str, set[str]] = {}
    for item in learnt:
        if topic_of(item) == RECOGNITION:
            labels.setdefault(item.source, set()).update([item.answer, *item.options])
    scorer = CategoryScorer(asked, said, simple, seed, samples, labels, (about or {}).get("tasks") or ())
    if evidence:
        scorer.contradictions, scorer.truths = _contradictions(asked, said[conditions.MOTION], progress)
    if judge is not None:
        scorer.verdicts = _verdicts(judge, asked, said[conditions.MOTION], progress)
        facts["judge"] = judge.describe()
    if evaluator is not None:
        scorer.evaluator = evaluator
        facts["evaluator"] = evaluator.fingerprint
    if similarity is not None:
        scorer.similarity = similarity
        facts["similarity"] = similarity.describe()
    sections = scorer.all()
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


def _question_only(items: list[Item], train_items: list[Item], seed: int) -> dict[str, str]:
    from vimonet.vimos.question_only_baseline import QuestionOnly

    triples = [(_plain(item), item.answer, item.form.partition(":")[0]) for item in train_items]
    answers = QuestionOnly(seed).fit(triples).answers([_plain(item) for item in items])
    return {item.id: answer for item, answer in zip(items, answers, strict=True)}


def _plain(item: Item) -> str:
    """The question without a task's prompt around it."""
    return getattr(item, "plain", "") or item.question


def _contradictions(
    items: list[Item], said: Mapping[str, Prediction], progress: bool
) -> tuple[dict[str, bool | None], dict[str, bool | None]]:
    """Whether the model's answers, and the right ones, contradict what is measured on the movement."""
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
            model[item.id] = contradiction(_plain(item), said[item.id].text, measured)
            truth[item.id] = contradiction(_plain(item), item.answer, measured)
    return model, truth


def _verdicts(judge: Any, items: list[Item], said: Mapping[str, Prediction], progress: bool) -> dict[str, Any]:
    triples = [(_plain(item), item.answer, said[item.id].text) for item in items]
    verdicts = judge.judge(triples, progress=progress)
    return {item.id: verdict for item, verdict in zip(items, verdicts, strict=True)}


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
            "score": item_score(item, model.text),
            "right": text_metrics.exact_match(model.text, item.answer),
            "confidence": model.confidence,
        }
        record |= {
            name: rows[item.id].text for name, rows in said.items() if name != conditions.MOTION and item.id in rows
        }
        record |= {name: rows[item.id] for name, rows in simple.items()}
        lines.append(json.dumps(record, ensure_ascii=False))
    write_text(path, "\n".join(lines))
