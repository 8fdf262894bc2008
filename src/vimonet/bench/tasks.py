"""What a benchmark asks: one small YAML file per task, in ``tasks/`` or of the user's own.

name: sequence
group: motion
about: what comes first, last, before, after
split: test
select: {styles: [sequence]}
prompt: "{question}"
answer: {format: exact}
metrics: [exact_match, balanced_accuracy]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Any

from vimonet.bench.scoring.answer_formats import FORMATS, Rule
from vimonet.utils.errors import InputError
from vimonet.utils.settings import convert, convert_all, known_key, read_mapping

GROUPS = ("motion", "video")
METRICS = ("exact_match", "balanced_accuracy", "within_one", "iou_hit")
CAPTION_METRICS = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider")
PLACES = ("question", "options")


@dataclass(frozen=True)
class Selection:
    """Which instructions of a dataset a task asks; an empty list takes any.

    Attributes:
        styles, kinds, forms, sources, generators: of an instruction, and the corpus of its clip.
        without: question forms left out.
        captions: ask for a caption of every clip that has one, instead of its instructions.
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
    """Where a task's questions lie in MVBench's published layout.

    Attributes:
        file: below ``json/``.
        videos: folder below ``video/``.
        bounded: its questions are about the stretch ``start`` to ``end`` of the video.
    """

    file: str = ""
    videos: str = ""
    bounded: bool = False


@dataclass(frozen=True)
class Task:
    """One category of the benchmark.

    Attributes:
        name: category in the report.
        group: ``motion`` or ``video``: what is shown to the model.
        about: one line for people.
        split: split of the dataset it asks unless another is named.
        select: its instructions.
        prompt: what the model is asked; ``{question}`` and, for multiple choice, ``{options}``.
        answer: how answers are scored.
        metrics: further measures reported beside the score (:data:`METRICS`, :data:`CAPTION_METRICS`).
        mvbench: its place in MVBench's layout; no file: it is not there.
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


_PLAIN = {"name": str, "group": str, "about": str, "split": str, "prompt": str, "metrics": tuple[str, ...]}
_SELECT: dict[str, Any] = dict.fromkeys(
    ("styles", "kinds", "forms", "sources", "generators", "without"), tuple[str, ...]
) | {"captions": bool}
_ANSWER = {"format": str, "tolerance": float, "relative": float, "threshold": float}
_MVBENCH = {"file": str, "videos": str, "bounded": bool}


def load_task(path: str | Path) -> Task:
    """Read a task file.

    Raises:
        InputError: it cannot be read, a key is unknown, or a value cannot be used; one sentence.
    """
    path = Path(path)
    settings = read_mapping(path, "task")
    known = (*_PLAIN, "select", "answer", "mvbench")
    plain = {}
    for key, value in settings.items():
        known_key(key, known, str(path))
        if key in _PLAIN:
            plain[key] = convert(value, _PLAIN[key], f"{path}: {key}")
    task = Task(
        **{"name": path.stem, **plain},
        select=Selection(**_part(settings, "select", _SELECT, path)),
        answer=Rule(**_part(settings, "answer", _ANSWER, path)),
        mvbench=Published(**_part(settings, "mvbench", _MVBENCH, path)),
    )
    _check(task, path)
    return task


def known_tasks() -> dict[str, Task]:
    """The tasks that come with the package, by name: motion first, each group in the paper's order."""
    return dict(_known())


def find_tasks(names: Sequence[str] = ()) -> list[Task]:
    """Tasks by name or by path of a YAML file; all known ones for no names.

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


def _part(settings: Mapping[str, Any], key: str, known: Mapping[str, Any], path: Path) -> dict[str, Any]:
    value = settings.get(key) or {}
    if not isinstance(value, dict):
        raise InputError(f"{path}: {key} is {value!r}; a mapping with keys among {', '.join(known)} is expected")
    return convert_all(value, known, f"{path}: {key}")


def _check(task: Task, path: Path) -> None:
    if task.group not in GROUPS:
        raise InputError(f"{path}: group is {task.group!r}; motion or video is expected")
    rule = task.answer
    if rule.format not in FORMATS:
        raise InputError(f"{path}: answer: format is {rule.format!r}; one of {', '.join(FORMATS)} is expected")
    if not (rule.tolerance >= 0 and rule.relative >= 0 and 0 < rule.threshold <= 1):
        raise InputError(f"{path}: answer: tolerances of 0 or more and a threshold above 0 up to 1 are expected")
    allowed = CAPTION_METRICS if rule.format == "caption" else METRICS
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
