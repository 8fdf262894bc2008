"""Gather the items of the benchmark: the instructions that its tasks select from a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vimonet.bench.datasets import Source, open_dataset
from vimonet.bench.tasks import EXACT, Rule, Task, list_options, number_in
from vimonet.utils.errors import InputError
from vimonet.vimos.types import Item

if TYPE_CHECKING:
    from PIL import Image

    from vimonet.video import VideoFrames
    from vimonet.vimos.parquet import Instruction, Record

AnyItem = TypeVar("AnyItem", bound=Item)
_SUBJECTS = ("do", "limb", "a")
_BY_SUBJECT = ("fact_yes_no", "when")


CHANGES = ("", "mirrored", "reversed", "frozen")
MAX_SIDE = 768
"""Longer side of a key frame, pixels; larger frames cost tokens without showing more of a movement."""


@dataclass(frozen=True)
class VideoSpan:
    """Name a span of a video file, whose frames are decoded on demand.

    Attributes:
        path: video file.
        start, end: span, s; None for the start and the end of the file.
        change: change by a control, one of :data:`CHANGES`.
    """

    path: Path
    start: float | None = None
    end: float | None = None
    change: str = ""

    dimensions = 0
    frames = 0
    """Attributes of a Motion: 0 keeps videos apart from movements; the length of an unopened video is unknown."""

    def changed(self, change: str) -> VideoSpan:
        """Return the same span mirrored, reversed or frozen."""
        return replace(self, change=change)

    def key_frames(self, number: int = 8) -> list[Image.Image]:
        """Read evenly spaced key frames of the span, changed by the control.

        Raises:
            InputError: the file is missing or cannot be decoded.
        """
        from PIL import Image

        return [Image.fromarray(frame) for frame in self.clip(number).images]

    def clip(self, number: int = 8) -> VideoFrames:
        """Read the same frames with their times from the file's start, which rise under every control.

        Raises:
            InputError: the file is missing or cannot be decoded.
        """
        from vimonet.video import read

        found = read(self.path, number, start=self.start, end=self.end, max_side=MAX_SIDE)
        images = found.images
        if self.change == "reversed":
            images = images[::-1]
        elif self.change == "mirrored":
            images = images[:, :, ::-1]
        elif self.change == "frozen":
            images = np.repeat(images[:1], len(images), axis=0)
        return replace(found, images=np.ascontiguousarray(images))


@dataclass(frozen=True)
class BenchItem(Item):
    """Hold an item of a task; ``kind`` is the task's name.

    Attributes:
        motion: input: a Motion or a :class:`VideoSpan`.
        rule: scoring rule of its answer.
        topic: kind of the instruction.
        plain: the question without the task's prompt.
        metrics: further measures that its task reports.
    """

    motion: Any = None
    rule: Rule = field(default_factory=Rule)
    topic: str = ""
    plain: str = ""
    metrics: tuple[str, ...] = ()


def gather(source: Source, tasks: Sequence[Task], split: str | None = None) -> list[BenchItem]:
    """Gather every item of the tasks in a dataset, in the order of its records.

    Args:
        source: the dataset.
        tasks: tasks, some of which may find no items.
        split: split to ask instead of the one each task names.

    Raises:
        InputError: the split does not exist, a file is damaged, or there is no item.
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


def training_items(source: Source, tasks: Sequence[Task], rows: int) -> list[BenchItem]:
    """Gather the items of the first rows of the train split, for the baselines; none without that split."""
    if not rows or "train" not in source.splits:
        return []
    items: list[BenchItem] = []
    for record in islice(source.records("train", tasks), rows):
        items += items_of(record, tasks, source.folder)
    return items


def counts(dataset: str | Path, tasks: Sequence[Task], split: str | None = None) -> dict[str, tuple[int, int]]:
    """Count (questions, recordings) of each task in a dataset."""
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


def select(items: Sequence[AnyItem], limit: int | None, seed: int = 0) -> list[AnyItem]:
    """Draw at most ``limit`` items evenly over source, kind, form and wording, in their order."""
    if limit is None or limit >= len(items):
        return list(items)
    groups: dict[tuple[str, ...], list[int]] = {}
    for index in np.random.default_rng(seed).permutation(len(items)):
        item = items[int(index)]
        groups.setdefault((item.source, item.kind, item.form, item.wording), []).append(int(index))
    chosen: list[int] = []
    depth = 0
    while len(chosen) < limit:
        for key in sorted(groups):
            if depth < len(groups[key]) and len(chosen) < limit:
                chosen.append(groups[key][depth])
        depth += 1
    return [items[index] for index in sorted(chosen)]


def items_of(record: Record, tasks: Sequence[Task], folder: Path) -> Iterator[BenchItem]:
    """Make the items of one record, for every task whose motion or video it has."""
    video = None
    if record.video is not None:
        video = VideoSpan(folder / record.video, *(record.video_span or (None, None)))
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
    """Tell whether a task selects an instruction."""
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
    """Name the form that baselines count by: another event is another form ("does the person **jump**")."""
    return f"{form}:{slots['do']}" if form in _BY_SUBJECT and "do" in slots else form


def _item(record: Record, task: Task, instruction: Instruction, number: int, shown: Any) -> BenchItem:
    prompt, rule = task.prompt, task.answer
    if rule.format in ("letter", "likelihood") and not instruction.options:
        # An open question in a multiple-choice task: no prompt, numbers within half a unit, words exactly.
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
    """Make one item of the captions of the whole clip, by people if there are any."""
    whole = [caption for caption in record.captions if caption.start is None]
    chosen = [caption for caption in whole if caption.generator == "people"] or whole
    if task.select.generators:
        chosen = [caption for caption in whole if caption.generator in task.select.generators]
    if not chosen:
        return
    texts = [caption.text for caption in chosen]
    lemmatised = [" ".join(t.rsplit("/", 1)[0] for t in caption.tokens.split()) for caption in chosen if caption.tokens]
    references: dict[str, Any] = {"references": texts, "writers": sorted({caption.generator for caption in chosen})}
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
