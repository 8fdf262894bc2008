"""``vimonet bench run``: the tasks of a dataset put to a model, with every control and baseline, in one report."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from vimonet.bench.adapters import BASELINES, Adapter, BaselineModel, open_model
from vimonet.bench.datasets import Source, open_dataset
from vimonet.bench.items import BenchItem, gather, items_of
from vimonet.bench.reporting.report import CombinedReport, Report, combine
from vimonet.bench.runner import evaluate, select
from vimonet.bench.scoring.caption_retrieval import find_evaluator
from vimonet.bench.scoring.caption_similarity import Similarity
from vimonet.bench.scoring.score_table import is_caption
from vimonet.bench.tasks import GROUPS, Task, find_tasks
from vimonet.utils.errors import InputError

CONTROLS = ("blind", "shuffled", "mirrored", "reversed", "frozen")


@dataclass(frozen=True)
class Options:
    """How a benchmark is run.

    Attributes:
        dataset: folder of a VIMOS dataset, of MVBench, or of BABEL-QA / HuMMan-QA.
        tasks: names, groups or files; () for every task that the dataset has questions for and the model can read.
        split: split asked; None for the one each task names.
        out: folder of the report; None for ``runs/bench/<model>-<dataset>-<split>``.
        limit: at most so many items, drawn evenly over source, task, form and wording; 0 = all.
        control_limit: the same for the controls other than blind.
        controls: conditions asked beside the movement itself.
        train_rows: rows of the train split that the baselines learn from; 0 = no baselines.
        evidence: count the answers that contradict what can be measured.
        evaluator: folder of the evaluator that ranks captions by the movements they fit; None for the shipped one, and
            for no such section where none is shipped.
        similarity: folder or hub id of a sentence-transformers model that measures captions too; None for none.
        seed: of every draw.
        batch_size: questions per call.
        samples: bootstrap resamples behind an interval.
        progress: show progress bars.
    """

    dataset: str | Path
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
    evaluator: str | Path | None = None
    similarity: str | Path | None = None


def run(
    options: Options, model: Adapter | str | None = None, *, judge: Any = None, device: str | None = None
) -> Report:
    """Run the benchmark and write its report (see :func:`vimonet.bench.runner.evaluate`).

    Args:
        options: what is asked, and how.
        model: an adapter; or the folder or hub id of a ViMoNet model, or ``majority``, ``nearest``, ``question-only``;
            None for the shipped model.
        judge: a :class:`vimonet.bench.judge.Judge` of the answers.
        device: of a model that is loaded.

    Raises:
        InputError: the dataset, a task, the model or the output folder cannot be used, or there is nothing to ask.
    """
    source, tasks = open_dataset(options.dataset), find_tasks(options.tasks)
    baseline = model if isinstance(model, str) and model in BASELINES else None
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
    items = select(items, options.limit or None, options.seed)  # type: ignore[assignment]
    captions = any(is_caption(item) for item in items)
    evaluator = find_evaluator(options.evaluator) if captions or options.evaluator else None
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
        train_items=learnt,
        controls=options.controls,
        out=options.out or default_out(adapter.name, source.folder, splits),
        batch_size=options.batch_size,
        seed=options.seed,
        samples=options.samples,
        model=adapter.name,
        split=splits,
        progress=options.progress,
        control_limit=options.control_limit,
        question_only=True,
        evidence=options.evidence,
        judge=judge,
        evaluator=evaluator if captions else None,
        similarity=similarity if captions else None,
        about={
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
        options: what is asked, and how.
        models: as :func:`run` takes them. Of several each has a folder of its own in ``options.out`` (by default
            ``runs/bench/combined``), which gets the mean and the spread over them.
        judge, device: as of :func:`run`.

    Raises:
        InputError: as of :func:`run`.
    """
    if len(models) == 1:
        return run(options, models[0], judge=judge, device=device)
    out = Path(options.out or "runs/bench/combined")
    names = [Path(model if isinstance(model, str) else getattr(model, "name", "model")).name for model in models]
    places = [out / f"{k}-{name}" for k, name in enumerate(names)]
    together = combine(
        [
            run(replace(options, out=place), model, judge=judge, device=device)
            for place, model in zip(places, models, strict=True)
        ]
    )
    together.save(out)
    return together


def training_items(source: Source, tasks: Sequence[Task], rows: int) -> list[BenchItem]:
    """Items of the first rows of the train split, for the baselines; none where there is no such split."""
    if not rows or "train" not in source.splits:
        return []
    items: list[BenchItem] = []
    for record in islice(source.records("train", tasks), rows):
        items += items_of(record, tasks, source.folder)
    return items


def counts(dataset: str | Path, tasks: Sequence[Task], split: str | None = None) -> dict[str, tuple[int, int]]:
    """Questions and recordings that each task finds in a dataset."""
    source = open_dataset(dataset)
    try:
        items = gather(source, tasks, split)
    except InputError:
        if split is not None and split not in source.splits:
            raise
        items = []
    found: dict[str, tuple[int, int]] = {}
    for task in tasks:
        own = [item for item in items if item.kind == task.name]
        found[task.name] = (len(own), len({(item.source, item.recording) for item in own}))
    return found


def default_out(model: str, folder: Path, split: str) -> Path:
    """Folder of a report that nobody named."""
    plain: Callable[[str], str] = lambda text: re.sub(r"[^\w.-]+", "-", text).strip("-.") or "model"  # noqa: E731
    return Path("runs/bench") / f"{plain(Path(model).name)}-{plain(folder.resolve().name)}-{plain(split)}"
