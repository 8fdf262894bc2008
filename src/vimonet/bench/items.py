"""Items of the benchmark: the instructions of a dataset's records that its tasks select, as they are put to a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimonet.bench.datasets import Source
from vimonet.bench.scoring.answer_formats import EXACT, Rule, list_options, number_in
from vimonet.bench.tasks import Task
from vimonet.bench.video_span import Video
from vimonet.utils.errors import InputError
from vimonet.vimos.types import Item

if TYPE_CHECKING:
    from vimonet.vimos.parquet import Instruction, Record

_SUBJECTS = ("do", "limb", "a")
_BY_SUBJECT = ("fact_yes_no", "when")


@dataclass(frozen=True)
class BenchItem(Item):
    """An item of a task; ``kind`` is the task's name.

    Attributes:
        motion: what is shown: a Motion or a :class:`~vimonet.bench.video_span.Video`.
        rule: how its answer is scored.
        topic: the instruction's own kind.
        plain: the question without the task's prompt around it.
        metrics: further measures that its task reports.
    """

    motion: Any = None
    rule: Rule = field(default_factory=Rule)
    topic: str = ""
    plain: str = ""
    metrics: tuple[str, ...] = ()


def gather(source: Source, tasks: Sequence[Task], split: str | None = None) -> list[BenchItem]:
    """Every item of the tasks in a dataset, in the order of its records.

    Args:
        source: the dataset.
        tasks: what is asked; those that find nothing in it have no items.
        split: split to ask instead of the one each task names.

    Raises:
        InputError: no such split, a damaged file, or nothing to ask.
    """
    items: list[BenchItem] = []
    for name in dict.fromkeys(split or task.split for task in tasks):
        wanted = [task for task in tasks if (split or task.split) == name]
        for record in source.records(name, wanted):
            items += items_of(record, wanted, source.folder)
    if not items:
        asked = ", ".join(task.name for task in tasks)
        where = f"split {split!r}" if split else "the splits they name"
        raise InputError(f"{source.folder}: nothing to ask for the tasks {asked} in {where}")
    return items


def items_of(record: Record, tasks: Sequence[Task], folder: Path) -> Iterator[BenchItem]:
    """The items of one record: for each task, what it selects, where the record has what the task shows."""
    video = None
    if record.video is not None:
        video = Video(folder / record.video, *(record.video_span or (None, None)))
    for task in tasks:
        shown = record.motion if task.group == "motion" else video
        if shown is None or (task.select.sources and record.source not in task.select.sources):
            continue
        if task.select.captions:
            yield from _caption(record, task, shown)
            continue
        for number, instruction in enumerate(record.instructions):
            if selects(task, instruction):
                yield _item(record, task, instruction, number, shown)


def selects(task: Task, instruction: Instruction) -> bool:
    """Whether a task asks an instruction."""
    chosen = task.select
    form = instruction.form.partition(":")[0]
    return (
        (not chosen.styles or instruction.style in chosen.styles)
        and (not chosen.kinds or instruction.kind in chosen.kinds)
        and (not chosen.forms or form in chosen.forms)
        and (not chosen.generators or instruction.generator in chosen.generators)
        and form not in chosen.without
    )


def form_of(form: str, slots: Mapping[str, str]) -> str:
    """The form that baselines count by: a question about another event is another form ("does the person **jump**")."""
    return f"{form}:{slots['do']}" if form in _BY_SUBJECT and "do" in slots else form


def _item(record: Record, task: Task, instruction: Instruction, number: int, shown: Any) -> BenchItem:
    prompt, rule = task.prompt, task.answer
    if rule.format in ("letter", "likelihood") and not instruction.options:
        # An open question among multiple choice: asked plainly, a number within half a unit, words exactly.
        prompt, rule = "{question}", EXACT if number_in(instruction.answer) is None else Rule("number", 0.5)
    subject = next((instruction.slots[key] for key in _SUBJECTS if key in instruction.slots), "")
    evidence = {"subject": subject, **instruction.evidence}
    return BenchItem(
        id=f"{task.name}/{record.id}#{number}",
        source=record.source,
        recording=record.recording,
        kind=task.name,
        form=form_of(instruction.form, instruction.slots),
        question=prompt.format(question=instruction.question, options=list_options(instruction.options)),
        answer=instruction.answer,
        motion=shown,
        options=tuple(instruction.options),
        wording=instruction.wording,
        evidence=evidence,
        rule=rule,
        topic=instruction.kind,
        plain=instruction.question,
        metrics=task.metrics,
    )


def _caption(record: Record, task: Task, shown: Any) -> Iterator[BenchItem]:
    """One item for the captions of the whole clip: those of people where there are any."""
    whole = [caption for caption in record.captions if caption.start is None]
    told = [caption for caption in whole if caption.generator == "people"] or whole
    if task.select.generators:
        told = [caption for caption in whole if caption.generator in task.select.generators]
    if not told:
        return
    texts = [caption.text for caption in told]
    lemmatised = [" ".join(t.rsplit("/", 1)[0] for t in caption.tokens.split()) for caption in told if caption.tokens]
    references: dict[str, Any] = {"references": texts, "writers": sorted({caption.generator for caption in told})}
    if len(lemmatised) == len(texts):
        references["references_lemmatised"] = lemmatised
    yield BenchItem(
        id=f"{task.name}/{record.id}",
        source=record.source,
        recording=record.recording,
        kind=task.name,
        form="caption",
        question=task.prompt.format(question="", options=""),
        answer=texts[0],
        motion=shown,
        evidence=references,
        rule=task.answer,
        topic="caption",
        plain=task.prompt,
        metrics=task.metrics,
    )
