"""Read the datasets of the benchmark: VIMOS, MVBench as published, BABEL-QA and HuMMan-QA as published.

All become VIMOS records, whose instructions the tasks select (:mod:`vimonet.bench.items`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vimonet.bench.tasks import Published, Task, known_tasks
from vimonet.utils.errors import InputError
from vimonet.vimos.parquet import Instruction, Record
from vimonet.vimos.reading import read_records, splits_of
from vimonet.vimos.types import Part

_EXPECTED = (
    "a VIMOS dataset (vimos.json), MVBench (json/ and video/), or BABEL-QA / HuMMan-QA "
    "(questions.json and motion_sequences/) is expected"
)
QA_FPS = 30.0
"""Frames per second of the joints of both motion question sets."""


@dataclass(frozen=True)
class Source:
    """Read a dataset of any known layout as VIMOS records.

    Attributes:
        folder: folder of the dataset.
        layout: ``vimos``, ``mvbench`` or ``motion_qa``.
        splits: names of its splits.
        sha256: stated hash of a VIMOS dataset; hash of the question files of the others.
    """

    folder: Path
    layout: str
    splits: tuple[str, ...]
    sha256: str

    def records(self, split: str, tasks: Sequence[Task] = ()) -> Iterator[Record]:
        """Yield the records of a split, of MVBench only those of the given tasks.

        Raises:
            InputError: the split does not exist, or a file is unreadable.
        """
        if split not in self.splits:
            raise InputError(f"{self.folder}: no split {split!r}; there are {', '.join(self.splits)}")
        if self.layout == "vimos":
            return read_records(self.folder, split)
        if self.layout == "mvbench":
            return _mvbench(self.folder, tasks)
        return _motion_qa(self.folder, split)


def open_dataset(folder: str | Path) -> Source:
    """Detect the layout of a dataset by its files.

    Raises:
        InputError: the folder is missing or has no known layout.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; {_EXPECTED}")
    if (folder / "json").is_dir() and _videos_of(folder) is not None:
        files = sorted((folder / "json").glob("*.json"))
        return Source(folder, "mvbench", ("test",), _digest(files))
    if (questions := _questions_file(folder)) is not None:
        split = folder / "split_question_ids.json"
        names = tuple(_json(split)) if split.is_file() else ("test",)
        return Source(folder, "motion_qa", names, _digest([questions, *([split] if split.is_file() else [])]))
    if not (folder / "vimos.json").is_file() and not (folder / "build.json").is_file():
        raise InputError(f"{folder}: this folder holds no dataset; {_EXPECTED}")
    found = splits_of(folder)
    facts = _json(folder / "vimos.json")
    return Source(folder, "vimos", tuple(found), str(facts.get("sha256", "")))


# ------------------------------- MVBench (arXiv 2311.17005; huggingface OpenGVLab/MVBench)


def _mvbench(folder: Path, tasks: Sequence[Task]) -> Iterator[Record]:
    """Read ``json/<task>.json``, [{video, question, candidates, answer[, start, end]}], with its videos."""
    places = {task.name: task.mvbench for task in (tasks or known_tasks().values()) if task.mvbench.file}
    root = _videos_of(folder)
    assert root is not None
    for name, place in places.items():
        path = folder / "json" / place.file
        if not path.is_file():
            continue
        entries = _json(path)
        if not isinstance(entries, list):
            raise InputError(f"{path}: a list of questions is expected, as MVBench publishes it")
        for number, entry in enumerate(entries):
            try:
                yield _mvbench_record(root, name, place, number, entry)
            except (KeyError, TypeError, ValueError):
                raise InputError(
                    f"{path}: question {number + 1} lacks video, question, candidates or answer as MVBench has them"
                ) from None


def _mvbench_record(root: Path, name: str, place: Published, number: int, entry: Any) -> Record:
    options = tuple(str(option) for option in entry["candidates"])
    if entry["answer"] not in options:
        raise ValueError("the answer is no candidate")
    span = (float(entry["start"]), float(entry["end"])) if place.bounded and "start" in entry else None
    instruction = Instruction(name, name, str(entry["question"]), str(entry["answer"]), name, "mvbench", options)
    return Record(
        f"{name}/{number:04d}",
        "mvbench",
        str(entry["video"]),
        "test",
        "",
        video=str((root / place.videos / str(entry["video"])).relative_to(root.parent)),
        video_span=span,
        instructions=(instruction,),
    )


def _videos_of(folder: Path) -> Path | None:
    return next((folder / name for name in ("video", "videos") if (folder / name).is_dir()), None)


# ------------------------------- BABEL-QA (arXiv 2305.08953) and HuMMan-QA (arXiv 2508.01984): one layout


def _motion_qa(folder: Path, split: str) -> Iterator[Record]:
    """Read BABEL-QA's layout.

    ``questions.json``: {id: {babel_id, question, answer, query_type, relation_type ...}}; ``motion_concepts.json``:
    {babel_id: [{start_f, end_f, attributes}]}; ``split_question_ids.json``; ``motion_sequences/<babel_id>/joints.npy``
    [T, 22, 3] at 30 frames/s.
    """
    from vimonet.motion.io import load

    path = _questions_file(folder)
    assert path is not None
    questions = _json(path)
    split_file = folder / "split_question_ids.json"
    chosen = _json(split_file)[split] if split_file.is_file() else list(questions)
    concepts_file = next(folder.glob("*motion_concepts.json"), None)
    concepts = _json(concepts_file) if concepts_file else {}
    groups: dict[str, list[tuple[str, Any]]] = {}
    vocabulary: dict[str, set[str]] = {}
    try:
        for entry in questions.values():
            vocabulary.setdefault(str(entry["query_type"]), set()).add(_answer(entry))
        for key in chosen:
            groups.setdefault(str(questions[key]["babel_id"]), []).append((str(key), questions[key]))
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: questions lack babel_id, query_type or answer as BABEL-QA has them") from None
    for name, entries in groups.items():
        joints = _joints_file(folder, name)
        if joints is None:
            raise InputError(
                f"{folder / 'motion_sequences' / name / 'joints.npy'}: there is no such motion; "
                "they are made from AMASS or HuMMan as the question set's README says"
            )
        motion = load(joints, fps=QA_FPS)
        yield Record(
            name,
            "humman_qa" if path.name.lower().startswith("humman") else "babel_qa",
            name,
            split,
            "",
            motion=motion,
            actions=tuple(
                Part(str(action), float(part["start_f"]) / QA_FPS, float(part["end_f"]) / QA_FPS)
                for part in concepts.get(name, ())
                for action in part.get("attributes", {}).get("action", ())
            ),
            instructions=tuple(
                Instruction(
                    str(entry["query_type"]),
                    f"{entry['query_type']}_{entry.get('relation_type', '')}".rstrip("_"),
                    str(entry["question"]),
                    _answer(entry),
                    str(entry["query_type"]),
                    "babel_qa",
                    tuple(sorted(vocabulary[str(entry["query_type"])])),
                )
                for _, entry in entries
            ),
        )


def _answer(entry: Any) -> str:
    answer = entry["answer"]
    return str(answer[0] if isinstance(answer, list) else answer)


def _questions_file(folder: Path) -> Path | None:
    return next((path for path in sorted(folder.glob("*questions.json")) if path.is_file()), None)


def _joints_file(folder: Path, name: str) -> Path | None:
    root = folder / "motion_sequences"
    places = (
        root / name / "joints.npy",
        root / f"{name}.npy",
        root / name.removesuffix("_updated_bodypart") / "joints.npy",
    )
    return next((path for path in places if path.is_file()), None)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "no valid JSON"
        raise InputError(f"{path}: it cannot be read ({reason}); the published file is expected") from None


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
