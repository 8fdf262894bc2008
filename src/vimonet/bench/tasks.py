"""Define the tasks of the benchmark, one YAML file each in ``tasks/`` or by the user, and score answers.

name: sequence
group: motion
about: what comes first, last, before, after
split: test
select: {styles: [sequence]}
prompt: "{question}"
answer: {format: exact}
metrics: [exact_match, balanced_accuracy]

The answer format sets the comparison with the right answer:

``exact``       equality after :func:`vimonet.language.normalise_answer`;
``letter``      multiple choice: the option whose letter or text is in the answer (:func:`choice_of`);
``likelihood``  multiple choice: the most likely option, for models that give likelihoods;
``number``      the number in the answer, within a tolerance (``tolerance`` + ``relative`` x the right number);
``time``        a point in time in seconds ("at 1.5 seconds", "0:01"), within a tolerance;
``span``        a span of time in seconds ("1.0-2.5 s"): intersection over union;
``caption``     a sentence, scored over the whole set (BLEU, ROUGE-L, CIDEr);
``judge``       free text, by a language model (:mod:`vimonet.bench.judge`).

``number`` and ``time`` fall back to ``exact`` where the right answer holds no number ("does not travel").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Any, get_type_hints

from vimonet.bench.scoring import text_metrics
from vimonet.language import DIGITS_OF
from vimonet.utils.errors import InputError
from vimonet.utils.settings import convert, convert_all, known_key, read_mapping
from vimonet.vimos.types import bare_answer

GROUPS = ("motion", "video")
METRICS = ("exact_match", "balanced_accuracy", "within_one", "iou_hit")
PLACES = ("question", "options")
FORMATS = ("exact", "letter", "likelihood", "number", "time", "span", "caption", "judge")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_CLOCK = re.compile(r"(?<![\d:.])(\d+):([0-5]\d(?:\.\d+)?)(?![\d:])")
_LED = re.compile(
    r"^\W*(?:(?:the )?(?:best |correct |right )?(?:answer|option|choice)(?: is|:)?\s*)?\(?([A-Za-z])(?:[).:,]|\s*$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rule:
    """Set the scoring rule of a task.

    Attributes:
        format: one of :data:`FORMATS`.
        tolerance: tolerance of ``number`` and ``time``, in the unit of the answer.
        relative: further tolerance of ``number``, as a share of the right number.
        threshold: least IoU of a hit of ``span``.
    """

    format: str = "exact"
    tolerance: float = 0.0
    relative: float = 0.0
    threshold: float = 0.5

    def score(self, prediction: str, answer: str, options: Sequence[str] = ()) -> float:
        """Score a prediction from 0 to 1; ``caption`` and ``judge``, scored elsewhere, count exact match here."""
        if self.format in ("letter", "likelihood"):
            return float(choice_of(prediction, options) == choice_of(answer, options) is not None)
        if self.format in ("number", "time") and not text_metrics.is_abstention(answer):
            read = time_in if self.format == "time" else number_in
            right, predicted = read(answer), read(prediction)
            if right is not None:
                if predicted is None or text_metrics.is_abstention(prediction):
                    return 0.0
                return float(abs(predicted - right) <= self.tolerance + self.relative * abs(right) + 1e-9)
        if self.format == "span":
            return overlap(span_in(prediction), span_in(answer))
        return float(text_metrics.exact_match(prediction, answer))


@dataclass(frozen=True)
class Selection:
    """Select the instructions of a dataset that a task asks; an empty list takes any.

    Attributes:
        styles, kinds, forms, generators: values of an instruction.
        sources: corpora of its clip.
        without: question forms to leave out.
        captions: ask for a caption of every clip with captions, instead of its instructions.
    """

    styles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    generators: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    captions: bool = False


@dataclass(frozen=True)
class Published:
    """Locate a task's questions in MVBench's published layout.

    Attributes:
        file: file below ``json/``.
        videos: folder below ``video/``.
        bounded: its questions are about the span ``start`` to ``end`` of the video.
    """

    file: str = ""
    videos: str = ""
    bounded: bool = False


@dataclass(frozen=True)
class Task:
    """Define one category of the benchmark.

    Attributes:
        name: category in the report.
        group: input of the model, ``motion`` or ``video``.
        about: description in one line.
        split: default split of the dataset.
        select: selection of instructions.
        prompt: prompt with ``{question}`` and, for multiple choice, ``{options}``.
        answer: scoring rule.
        metrics: further measures reported beside the score (:data:`METRICS`, :data:`text_metrics.CAPTION_METRICS`).
        mvbench: location in MVBench's layout, without a file for other tasks.
    """

    name: str
    group: str = "motion"
    about: str = ""
    split: str = "test"
    select: Selection = field(default_factory=Selection)
    prompt: str = "{question}"
    answer: Rule = field(default_factory=Rule)
    metrics: tuple[str, ...] = ("exact_match", "balanced_accuracy")
    mvbench: Published = field(default_factory=Published)


def load_task(path: str | Path) -> Task:
    """Read a task file.

    Raises:
        InputError: it cannot be read, a key is unknown, or a value cannot be used; one sentence.
    """
    path = Path(path)
    settings = read_mapping(path, "task")
    kinds: dict[str, Any] = get_type_hints(Task)
    given: dict[str, Any] = {"name": path.stem}
    for key, value in settings.items():
        kind, where = kinds[known_key(key, kinds, str(path))], f"{path}: {key}"
        if kind not in (Selection, Rule, Published):
            given[key] = convert(value, kind, where)
            continue
        known = get_type_hints(kind)
        if not isinstance(value or {}, dict):
            raise InputError(f"{where} is {value!r}; a mapping with keys among {', '.join(known)} is expected")
        given[key] = kind(**convert_all(value or {}, known, where))
    task = Task(**given)
    _check(task, path)
    return task


def known_tasks() -> dict[str, Task]:
    """Load the tasks of the package by name, motion first, each group in the paper's order."""
    return dict(_known())


def find_tasks(names: Sequence[str] = ()) -> list[Task]:
    """Find tasks by name, group or YAML file; all known tasks for no names.

    Raises:
        InputError: an unknown name (all known ones are listed), an unusable file, or a name given twice.
    """
    known = known_tasks()
    found: list[Task] = []
    for name in names or known:
        if name in GROUPS:
            found += [task for task in known.values() if task.group == name]
        elif name in known:
            found.append(known[name])
        elif name.endswith((".yaml", ".yml")):
            found.append(load_task(name))
        else:
            raise InputError(
                f"task {name!r} is unknown; known are {', '.join(known)}, the groups motion and video, or a .yaml file"
            )
    doubled = sorted({task.name for task in found if [t.name for t in found].count(task.name) > 1})
    if doubled:
        raise InputError(f"task {doubled[0]!r} is named twice; every task of a run needs a name of its own")
    return found


def _check(task: Task, path: Path) -> None:
    if task.group not in GROUPS:
        raise InputError(f"{path}: group is {task.group!r}; motion or video is expected")
    rule = task.answer
    if rule.format not in FORMATS:
        raise InputError(f"{path}: answer: format is {rule.format!r}; one of {', '.join(FORMATS)} is expected")
    if not (rule.tolerance >= 0 and rule.relative >= 0 and 0 < rule.threshold <= 1):
        raise InputError(f"{path}: answer: tolerances of 0 or more and a threshold above 0 up to 1 are expected")
    allowed = text_metrics.CAPTION_METRICS if rule.format == "caption" else METRICS
    for metric in task.metrics:
        if metric not in allowed:
            raise InputError(f"{path}: metrics: {metric!r} does not fit; known for this format: {', '.join(allowed)}")
    try:
        places = [name for _, name, _, _ in Formatter().parse(task.prompt) if name is not None]
    except ValueError:
        places = [""]
    if "question" not in places and not task.select.captions:
        raise InputError(f"{path}: prompt is {task.prompt!r}; a text that holds {{question}} is expected")
    if wrong := [name for name in places if name not in PLACES]:
        raise InputError(f"{path}: prompt holds {{{wrong[0]}}}; only {{question}} and {{options}} are known")
    if rule.format == "letter" and "options" not in places:
        raise InputError(f"{path}: an answer by letter needs {{options}} in the prompt")


@lru_cache(maxsize=1)
def _known() -> tuple[tuple[str, Task], ...]:
    folder = resources.files("vimonet.bench").joinpath("tasks")
    with resources.as_file(folder) as place:
        found = {path.stem: load_task(path) for path in sorted(Path(place).glob("*.yaml"))}
    order = [name for group in _ORDER for name in group]
    rank = {name: k for k, name in enumerate(order)}
    return tuple(sorted(found.items(), key=lambda pair: (GROUPS.index(pair[1].group), rank.get(pair[0], len(rank)))))


_ORDER = (
    ("sequence", "direction", "body_part", "reasoning", "hallucination"),
    ("action", "count", "duration", "speed", "posture", "timing", "captioning"),
    ("action_localization", "action_prediction", "action_sequence", "egocentric_navigation"),
    ("fine_grained_action", "fine_grained_pose", "unexpected_action"),
)


# ------------------------------- items and their answers

EXACT, CAPTION = Rule(), Rule("caption")


def rule_of(item: Any) -> Rule:
    """Return the rule of an item: its task's, else ``caption`` for captions and ``exact`` for everything else."""
    rule = getattr(item, "rule", None)
    return rule if isinstance(rule, Rule) else CAPTION if item.kind == "caption" else EXACT


def plain_question(item: Any) -> str:
    """Return the question without a task's prompt around it."""
    return getattr(item, "plain", "") or item.question


def topic_of(item: Any) -> str:
    """Return the topic of an item: the kind in its dataset, else the item's kind."""
    return getattr(item, "topic", "") or item.kind


def item_score(item: Any, prediction: str) -> float:
    """Score the bare answer of a prediction for an item under its rule, 0 to 1."""
    return rule_of(item).score(bare_answer(prediction, item.options), item.answer, item.options)


def list_options(options: Sequence[str]) -> str:
    """Format options for a prompt: one per line, ``(A) walking``, or in one line for more than 26 options."""
    if len(options) > len(LETTERS):
        return f"Answer with one of: {', '.join(options)}"
    return "\n".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))


def choice_of(answer: str, options: Sequence[str]) -> int | None:
    """Find the index of the chosen option, or None.

    Rules, in order: the answer is an option's text (after normalisation); it opens with an option's letter ("B",
    "(B) walking", "B.", "Answer: B"); exactly one option's text occurs in it.
    """
    predicted = text_metrics.canonical(answer)
    plain = [text_metrics.canonical(option) for option in options]
    if predicted in plain:
        return plain.index(predicted)
    if opening := _LED.match(answer):
        at = LETTERS.find(opening.group(1).upper())
        if 0 <= at < len(options):
            return at
    found = [k for k, option in enumerate(plain) if option and f" {option} " in f" {predicted} "]
    return found[0] if len(found) == 1 else None


def number_in(text: str) -> float | None:
    """Read the single number in a text, digits or words up to twenty; None for none or several different ones."""
    found = {float(match) for match in _NUMBER.findall(_spaced(text))}
    return found.pop() if len(found) == 1 else None


def time_in(text: str) -> float | None:
    """Read the single point in time in a text, s: "at 1.5 seconds", "1:30"; None for none or several."""
    clocks = {60 * int(minutes) + float(seconds) for minutes, seconds in _CLOCK.findall(text)}
    if clocks:
        return clocks.pop() if len(clocks) == 1 else None
    return number_in(text)


def span_in(text: str) -> tuple[float, float] | None:
    """Read the span in a text, s: two numbers in rising order, else None."""
    clocks = [60 * int(minutes) + float(seconds) for minutes, seconds in _CLOCK.findall(text)]
    times = clocks or [float(match) for match in _NUMBER.findall(_spaced(text))]
    return (times[0], times[1]) if len(times) == 2 and times[0] <= times[1] else None


def overlap(a: tuple[float, float] | None, b: tuple[float, float] | None) -> float:
    """Compute the intersection over union of two spans; 0 if one is missing or both are points."""
    if a is None or b is None:
        return 0.0
    union = max(a[1], b[1]) - min(a[0], b[0])
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0])) / union if union > 0 else 0.0


def _spaced(text: str) -> str:
    """Write number words as digits, separate units from numbers, and replace dashes between numbers by spaces."""
    text = re.sub(r"(?<=\d)\s*[-–—]\s*(?=\d)", " ", text.lower())
    text = re.sub(r"(?<=\d)(?=[a-z])", " ", text)
    words = [str(DIGITS_OF.get(word.strip(".,;:!?"), word)) for word in text.split()]
    return " ".join(words)
