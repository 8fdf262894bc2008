"""Run the benchmark: ask a model the tasks of a dataset under every condition, score, and write one report."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimonet.bench import predictions as asking
from vimonet.bench.adapters import BASELINE_MODELS, Adapter, BaselineModel, open_model
from vimonet.bench.baselines import BASELINES, baseline_answers
from vimonet.bench.controls import MOTION, under_condition
from vimonet.bench.datasets import open_dataset
from vimonet.bench.items import gather, select, training_items
from vimonet.bench.predictions import Prediction, PredictionLog
from vimonet.bench.report import CombinedReport, Report, combine, score_sections
from vimonet.bench.scoring.accuracy import RECOGNITION
from vimonet.bench.scoring.behaviour import contradictions
from vimonet.bench.scoring.caption_scores import Similarity, find_encoder
from vimonet.bench.scoring.score_table import RunAnswers, is_caption
from vimonet.bench.scoring.text_metrics import exact_match
from vimonet.bench.tasks import GROUPS, find_tasks, item_score, plain_question, topic_of
from vimonet.utils.errors import InputError
from vimonet.utils.files import write_text
from vimonet.utils.locks import only_writer

if TYPE_CHECKING:
    from vimonet.retrieval.text_motion_encoder import TextMotionEncoder
    from vimonet.vimos.types import Item

CONTROLS = ("blind", "shuffled", "mirrored", "reversed", "frozen")


@dataclass(frozen=True)
class Options:
    """Set the options of a benchmark run.

    Attributes:
        dataset: folder of a VIMOS dataset, of MVBench, or of BABEL-QA / HuMMan-QA.
        tasks: names, groups or files; () for every task that the dataset has and the model reads.
        split: split to ask; None for the one each task names.
        out: folder of the report; None for ``runs/bench/<model>-<dataset>-<split>``.
        limit: most items, drawn evenly over source, task, form and wording; 0 for all.
        control_limit: most items of each control but blind; 0 for all.
        controls: input conditions beside the motion itself.
        train_rows: rows of the train split that the baselines learn from; 0 for no baselines.
        evidence: count answers that contradict measurements.
        seed: seed of every random draw.
        batch_size: questions per call.
        samples: bootstrap resamples per interval.
        progress: show progress bars.
        encoder: folder of the text-motion encoder that scores how well captions find their motions; None for the
            shipped one, if any.
        similarity: folder or hub id of a sentence-transformers model that also scores captions; None for none.
        baselines: baselines, out of ``majority``, ``nearest`` and ``question_only``.
    """

    dataset: str | Path = ""
    tasks: tuple[str, ...] = ()
    split: str | None = None
    out: str | Path | None = None
    limit: int = 0
    control_limit: int = 0
    controls: tuple[str, ...] = CONTROLS
    train_rows: int = 2000
    evidence: bool = True
    seed: int = 0
    batch_size: int = 32
    samples: int = 2000
    progress: bool = True
    encoder: str | Path | None = None
    similarity: str | Path | None = None
    baselines: tuple[str, ...] = BASELINES


@dataclass(frozen=True)
class Judges:
    """Hold optional further measures of answers.

    Attributes:
        judge: a :class:`vimonet.bench.judge.Judge` of the answers.
        encoder: text-motion encoder that scores how well captions find their motions.
        similarity: sentence embeddings that score captions beside BLEU, ROUGE-L and CIDEr.
    """

    judge: Any = None
    encoder: TextMotionEncoder | None = None
    similarity: Similarity | None = None


def run(
    options: Options, model: Adapter | str | None = None, *, judge: Any = None, device: str | None = None
) -> Report:
    """Run the benchmark on one model and write its report (see `evaluate`).

    Args:
        options: options of the run.
        model: an adapter; folder or hub id of a ViMoNet model; ``majority``, ``nearest`` or ``question-only``; None for
            the shipped model.
        judge: a :class:`vimonet.bench.judge.Judge` of the answers.
        device: device of a loaded model.

    Raises:
        InputError: the dataset, a task, the model or the output folder is unusable, or there is no question.
    """
    source, tasks = open_dataset(options.dataset), find_tasks(options.tasks)
    baseline = model if isinstance(model, str) and model in BASELINE_MODELS else None
    adapter: Adapter | None = None
    if baseline is None:
        adapter = open_model(model, device) if model is None or isinstance(model, str) else model
    reads = adapter.reads if adapter is not None else frozenset(GROUPS)
    if options.tasks and (unread := [task for task in tasks if task.group not in reads]):
        name = adapter.name if adapter else model
        raise InputError(f"{name} reads no {unread[0].group}, which the task {unread[0].name} shows")
    tasks = [task for task in tasks if task.group in reads]
    items = gather(source, tasks, options.split)
    found = {item.kind for item in items}
    if options.tasks and (empty := [task.name for task in tasks if task.name not in found]):
        raise InputError(f"{source.folder}: the task {empty[0]} finds nothing to ask there; leave it out")
    tasks = [task for task in tasks if task.name in found]
    items = select(items, options.limit or None, options.seed)
    captions = any(is_caption(item) for item in items)
    encoder = find_encoder(options.encoder) if captions or options.encoder else None
    similarity = Similarity(options.similarity, device) if options.similarity else None
    learnt = training_items(source, tasks, options.train_rows)
    if adapter is None:
        if not learnt:
            raise InputError(f"{source.folder}: {baseline} learns from a train split, and there is none")
        adapter = BaselineModel(str(baseline), learnt, items, options.seed)
    splits = ", ".join(sorted({options.split or task.split for task in tasks}))
    return evaluate(
        adapter,
        items,
        replace(options, out=options.out or default_out(adapter.name, source.folder, splits)),
        train_items=learnt,
        judges=Judges(judge, encoder if captions else None, similarity if captions else None),
        about={
            "split": splits,
            "dataset": f"{source.folder.name} ({source.layout})",
            "dataset_sha256": source.sha256,
            "tasks": [task.name for task in tasks],
            "control_limit": options.control_limit or None,
        },
    )


def run_models(
    options: Options, models: Sequence[Adapter | str | None] = (None,), *, judge: Any = None, device: str | None = None
) -> Report | CombinedReport:
    """Run the benchmark on one model, or on several seeds of one recipe.

    Args:
        options: options of the run.
        models: models, as in `run`. Each of several gets a subfolder of ``options.out`` (default
            ``runs/bench/combined``), which holds mean and spread over them.
        judge, device: as in `run`.

    Raises:
        InputError: as in `run`.
    """
    if len(models) == 1:
        return run(options, models[0], judge=judge, device=device)
    out = Path(options.out or "runs/bench/combined")
    names = [Path(model if isinstance(model, str) else getattr(model, "name", "model")).name for model in models]
    places = [replace(options, out=out / f"{k}-{name}") for k, name in enumerate(names)]
    together = combine(
        [run(place, model, judge=judge, device=device) for place, model in zip(places, models, strict=True)]
    )
    together.save(out)
    return together


def evaluate(
    assistant: Any,
    items: Sequence[Item],
    options: Options,
    *,
    train_items: Sequence[Item] = (),
    judges: Judges | None = None,
    about: Mapping[str, Any] | None = None,
) -> Report:
    """Evaluate an assistant on items and write the report.

    ``options.out`` gets ``predictions.jsonl`` during the run (a killed run continues there), ``answers.jsonl`` (every
    question with its right answer and the answers of all systems), ``report.json``, ``report.md``, ``scores.png`` and
    ``reliability.png``. A question that fails under any condition (a damaged video) is left out of all of them and
    named in ``provenance.failed``; the next run asks it again.

    Args:
        assistant: object with ``ask_batch([(question, motion | None), ...])``, which returns objects with ``text`` and
            ``confidence``.
        items: items with unique ids.
        options: options of the run; those about the dataset and its tasks are ignored.
        train_items: training items of the baselines; empty for no baselines.
        judges: further measures of the answers.
        about: further facts for the report, such as the dataset and its hash.

    Raises:
        InputError: the folder holds predictions of other weights, items or another seed, a control is unknown, or no
            question can be answered.
        ValueError: there are no items, or two share an id.
    """
    started, asked, learnt, judges = time.monotonic(), list(items), list(train_items), judges or Judges()
    if not asked:
        raise ValueError("there are no items to evaluate on")
    if len({item.id for item in asked}) < len(asked):
        raise ValueError("two items share an id")
    folder, seed, progress = Path(options.out or "runs/bench/model"), options.seed, options.progress
    names = [MOTION, *(name for name in dict.fromkeys(options.controls) if name != MOTION)]
    some = select(asked, options.control_limit or None, seed)
    put = {name: under_condition(name, asked if name in (MOTION, "blind") else some, seed) for name in names}
    made_with = {
        "checkpoint": asking.assistant_sha256(assistant),
        "seed": seed,
        "items_sha256": asking.items_sha256(asked),
    }
    predicted: dict[str, dict[str, Prediction]] = {}
    failed: dict[str, str] = {}
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder), PredictionLog(folder / "predictions.jsonl", made_with) as log:
        for name, controlled in put.items():
            predicted[name] = asking.ask(
                assistant, name, controlled, log, batch_size=options.batch_size, progress=progress, failed=failed
            )
    asked = [item for item in asked if item.id not in failed]
    if not asked:
        raise InputError(f"{folder}: no question could be answered (first: {next(iter(failed.values()))})")
    predicted = {name: {k: p for k, p in rows.items() if k not in failed} for name, rows in predicted.items()}
    simple = baseline_answers(asked, learnt, options.baselines, seed, progress) if learnt else {}
    _write_answers(folder / "answers.jsonl", asked, predicted, simple)
    labels: dict[str, set[str]] = {}
    for item in learnt:
        if topic_of(item) == RECOGNITION:
            labels.setdefault(item.source, set()).update([item.answer, *item.options])
    answers = RunAnswers(
        asked,
        predicted,
        simple,
        seed,
        options.samples,
        labels,
        (about or {}).get("tasks") or (),
        encoder=judges.encoder,
        similarity=judges.similarity,
    )
    if options.evidence:
        checked, truths = contradictions(asked, answers.predicted, progress)
        answers = replace(answers, contradictions=checked, truths=truths)
    if judges.judge is not None:
        triples = [(plain_question(item), item.answer, answers.predicted[item.id].text) for item in asked]
        verdicts = judges.judge.judge(triples, progress=progress)
        answers = replace(answers, verdicts=dict(zip((item.id for item in asked), verdicts, strict=True)))
    facts = {
        "model": str(getattr(assistant, "name", None) or type(assistant).__name__),
        **made_with,
        "version": asking.code_version(),
        "split": None,
        "items": len(asked),
        "recordings": len({(item.source, item.recording) for item in asked}),
        "train_items": len(learnt) or None,
        "train_items_sha256": asking.items_sha256(learnt) if learnt else None,
        "controls": names[1:],
        "samples": options.samples,
        "machine": asking.machine(),
        **(about or {}),
        **({"failed": failed} if failed else {}),
        **({"judge": judges.judge.describe()} if judges.judge is not None else {}),
        **({"evaluator": judges.encoder.fingerprint} if judges.encoder is not None else {}),
        **({"similarity": judges.similarity.describe()} if judges.similarity is not None else {}),
    }
    sections = score_sections(answers)
    report = Report({**facts, "seconds": round(time.monotonic() - started, 1)}, sections)
    report.save(folder)
    return report


def default_out(model: str, folder: Path, split: str) -> Path:
    """Name the default folder of a report."""
    plain: Callable[[str], str] = lambda text: re.sub(r"[^\w.-]+", "-", text).strip("-.") or "model"  # noqa: E731
    return Path("runs/bench") / f"{plain(Path(model).name)}-{plain(folder.resolve().name)}-{plain(split)}"


def _write_answers(
    path: Path,
    items: Sequence[Item],
    predicted: Mapping[str, Mapping[str, Prediction]],
    baselines: Mapping[str, Mapping[str, str]],
) -> None:
    lines = []
    for item in items:
        model = predicted[MOTION][item.id]
        names = ("id", "source", "recording", "kind", "form", "wording", "question", "answer")
        record: dict[str, Any] = {name: getattr(item, name) for name in names}
        record |= {
            "model": model.text,
            "score": item_score(item, model.text),
            "right": exact_match(model.text, item.answer),
            "confidence": model.confidence,
        }
        record |= {name: rows[item.id].text for name, rows in predicted.items() if name != MOTION and item.id in rows}
        record |= {name: rows[item.id] for name, rows in baselines.items()}
        lines.append(json.dumps(record, ensure_ascii=False))
    write_text(path, "\n".join(lines))
