"""Validate a dataset: decode every file and check every row, with a few rows in memory."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from vimonet.utils.errors import InputError
from vimonet.vimos.parquet import SCHEMA, VERSION, motion_of, same_words
from vimonet.vimos.reading import read_rows, splits_of, video_duration

VIEW = "test_view"
"""Split with other cameras on the performances of other splits (cross-view protocol), so it shares recordings."""

_SLACK = 0.051
"""Seconds that a span may reach beyond its clip: one frame at 20 frames/s."""

_VIDEO_SLACK = 0.15
_SHOWN = 1000


@dataclass(frozen=True)
class Finding:
    """Hold one fault of a dataset.

    Attributes:
        file: path relative to the dataset.
        row: number of the row in the file, from 0; None for the file itself.
        text: one sentence.
    """

    file: str
    row: int | None
    text: str

    def __str__(self) -> str:
        where = self.file if self.row is None else f"{self.file} row {self.row}"
        return f"{where}: {self.text}"


@dataclass
class Report:
    """Count checked items and list the findings.

    Attributes:
        rows, instructions, videos: numbers of checked items.
        findings: the first 1,000 findings.
        more: number of further findings.
    """

    rows: int = 0
    instructions: int = 0
    videos: int = 0
    findings: list[Finding] = field(default_factory=list)
    more: int = 0

    @property
    def ok(self) -> bool:
        """Tell whether there is no finding."""
        return not self.findings

    def add(self, file: str, row: int | None, text: str) -> None:
        """Add a finding; beyond the first 1,000 only count it."""
        if len(self.findings) < _SHOWN:
            self.findings.append(Finding(file, row, text))
        else:
            self.more += 1


def validate(folder: str | Path, *, progress: bool = False) -> Report:
    """Check a dataset.

    Checks cover schema, version and digest; decoding of every shard and video; unique ids; recordings in two splits
    (``test_view`` excepted); split, licence, movement and spans of each row; empty questions and answers, closed
    answers outside their options, and questions asked twice of a clip.

    Args:
        folder: the dataset.
        progress: show a progress bar.

    Raises:
        InputError: the folder holds no dataset, an unfinished one, or one of a newer format.
    """
    folder = Path(folder)
    shards = [(split, path) for split, paths in splits_of(folder).items() for path in paths]
    report, names = Report(), _Names()
    videos: dict[str, float | None] = {}
    digest = hashlib.sha256()
    rows: Counter[str] = Counter()
    for split, path in tqdm(shards, desc="validate", unit="shard", disable=not progress):
        file = path.relative_to(folder).as_posix()
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
        if not _schema(path, file, report):
            continue
        try:
            for number, row in enumerate(read_rows(path)):
                rows[split] += 1
                report.rows += 1
                report.instructions += len(row["instructions"] or ())
                names.add(split, row)
                for text in _row(row, split, folder, videos):
                    report.add(file, number, text)
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
            report.add(file, None, f"cannot be decoded ({' '.join(str(error).split())}).")
    report.videos = len(videos)
    _description(folder, digest.hexdigest(), rows, report)
    names.check([path for _, path in shards], folder, report)
    return report


def _schema(path: Path, file: str, report: Report) -> bool:
    """Check the columns; return whether the rows can be checked."""
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        report.add(file, None, f"not a readable Parquet file ({' '.join(str(error).split())}).")
        return False
    version = (schema.metadata or {}).get(b"vimos_version", b"none").decode()
    if version != str(VERSION):
        report.add(file, None, f"its format version is {version}; expected {VERSION}.")
    wrong = []
    for column in SCHEMA:
        if column.name not in schema.names:
            wrong.append(f"column '{column.name}' is missing.")
        elif not _alike(schema.field(column.name).type, column.type):
            wrong.append(f"column '{column.name}' is {schema.field(column.name).type}; expected {column.type}.")
    wrong += [f"column '{name}' does not belong to the format." for name in schema.names if name not in SCHEMA.names]
    for text in wrong:
        report.add(file, None, text)
    return not any("missing" in text or "expected" in text for text in wrong)


def _alike(a: pa.DataType, b: pa.DataType) -> bool:
    """Compare types, ignoring the name of list items ('item' or 'element')."""
    if pa.types.is_list(a) and pa.types.is_list(b):
        return _alike(a.value_type, b.value_type)
    if pa.types.is_struct(a) and pa.types.is_struct(b):
        own = {a.field(i).name: a.field(i).type for i in range(a.num_fields)}
        other = {b.field(i).name: b.field(i).type for i in range(b.num_fields)}
        return own.keys() == other.keys() and all(_alike(own[name], other[name]) for name in own)
    return bool(a.equals(b))


def _description(folder: Path, digest: str, rows: Counter[str], report: Report) -> None:
    facts = json.loads((folder / "vimos.json").read_text("utf-8"))
    if facts.get("sha256") != digest:
        report.add("vimos.json", None, "its SHA-256 is not that of the shards; they were changed after the build.")
    stated = {split: n for split, n in (facts.get("rows") or {}).items() if n}
    if stated != dict(rows):
        report.add("vimos.json", None, f"it states {stated or 'no'} rows; there are {dict(rows) or 'none'}.")
    for left in sorted(folder.glob("**/*.part")):
        report.add(left.relative_to(folder).as_posix(), None, "left behind by an interrupted build; delete it.")


def _row(row: Mapping[str, Any], split: str, folder: Path, videos: dict[str, float | None]) -> Iterator[str]:
    """Check one row; yield a sentence per fault."""
    name = row["id"] or ""
    if not name.strip():
        yield "it has no id."
    if row["split"] != split:
        yield f"{name}: its split is '{row['split']}', its folder '{split}'."
    for column in ("source", "recording", "licence"):
        if not (row[column] or "").strip():
            yield f"{name}: no {column} is named."
    length = None
    try:
        motion = motion_of(row)
        length = None if motion is None else motion.duration
    except (InputError, ValueError, TypeError) as error:
        yield f"{name}: its movement cannot be decoded ({error})"
    if row["joints"] is None and not row["video"]:
        yield f"{name}: it has neither movement nor video."
    if row["video"]:
        seconds = yield from _video(row, name, folder, videos)
        length = seconds if length is None else length
    yield from _spans(row, name, length)
    yield from _words(row, name)
    if not isinstance(_json(row["provenance"]), dict):
        yield f"{name}: its provenance is not a JSON object."


def _video(
    row: Mapping[str, Any], name: str, folder: Path, videos: dict[str, float | None]
) -> Generator[str, None, float | None]:
    """Check the video; return the duration of the clip in it, s."""
    file = row["video"]
    if file not in videos:
        path = folder / file
        videos[file] = None
        if not path.resolve().is_relative_to(folder.resolve()):
            yield f"{name}: video '{file}' lies outside the dataset."
        elif not path.is_file():
            yield f"{name}: video '{file}' is not there."
        else:
            try:
                videos[file] = video_duration(path)
            except InputError as error:
                yield f"{name}: video '{file}' cannot be decoded ({error})"
    whole, span = videos[file], row["video_span"]
    if span is None or span["start"] is None:
        return whole
    if whole is not None and not (0 <= span["start"] < span["end"] <= whole + _VIDEO_SLACK):
        yield f"{name}: video span {span['start']:g}-{span['end']:g} s does not lie in the video's {whole:.2f} s."
    return float(span["end"] - span["start"])


def _spans(row: Mapping[str, Any], name: str, length: float | None) -> Iterator[str]:
    entries = [(f"action '{a['action']}'", a) for a in row["actions"] or ()]
    entries += [(f"caption '{c['text']}'", c) for c in row["captions"] or ()]
    entries += [(f"question '{i['question']}'", i) for i in row["instructions"] or ()]
    for what, entry in entries:
        start, end = entry["start"], entry["end"]
        if start is None and end is None:
            continue
        if start is None or end is None or not (start >= 0 and end >= start):
            yield f"{name}: {what}: {start} to {end} s is no span; expected 0 <= start <= end."
        elif length is not None and end > length + _SLACK:
            yield f"{name}: {what}: the span {start:g}-{end:g} s reaches beyond the clip's {length:.2f} s."


def _words(row: Mapping[str, Any], name: str) -> Iterator[str]:
    if any(not (a["action"] or "").strip() for a in row["actions"] or ()):
        yield f"{name}: an action has no name."
    if any(not (c["text"] or "").strip() for c in row["captions"] or ()):
        yield f"{name}: a caption is empty."
    asked: set[str] = set()
    for i in row["instructions"] or ():
        question, answer, options = (i["question"] or "").strip(), (i["answer"] or "").strip(), i["options"] or ()
        words = same_words(question)
        if not words:
            yield f"{name}: a question is empty (answer '{answer}')."
        elif words in asked:
            yield f"{name}: the question '{question}' is asked twice."
        asked.add(words)
        if not answer:
            yield f"{name}: the answer to '{question}' is empty."
        elif options and answer not in options and answer != "cannot tell":
            yield f"{name}: the answer '{answer}' to '{question}' is not among its options ({', '.join(options)})."
        if not (i["generator"] or "").strip():
            yield f"{name}: no generator is named for '{question}'."
        for column in ("slots", "evidence"):
            if not isinstance(_json(i[column]), dict):
                yield f"{name}: the {column} of '{question}' are not a JSON object."


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return None


class _Names:
    """Compare ids and recordings across shards, with an eight-byte hash of each in memory."""

    def __init__(self) -> None:
        self.ids = array("Q")
        self.recordings: dict[str, NDArray[np.uint64]] = {}
        self._new: dict[str, array[int]] = {}

    def add(self, split: str, row: Mapping[str, Any]) -> None:
        self.ids.append(_hash(row["id"] or ""))
        new = self._new.setdefault(split, array("Q"))
        new.extend(_hash(recording) for recording in recordings_of(row))
        if len(new) > 100_000:
            self._gather(split)

    def _gather(self, split: str) -> None:
        new = np.frombuffer(self._new.pop(split, array("Q")), np.uint64)
        self.recordings[split] = np.union1d(self.recordings.get(split, np.empty(0, np.uint64)), new)

    def check(self, shards: list[Path], folder: Path, report: Report) -> None:
        """Report rows with a repeated id or a recording in two splits, in a second pass that is made only for them."""
        for split in list(self._new):
            self._gather(split)
        values, counts = np.unique(np.frombuffer(self.ids, np.uint64), return_counts=True)
        twice = set(values[counts > 1].tolist())
        apart = {split: own for split, own in self.recordings.items() if split != VIEW}
        every, splits = np.unique(np.concatenate([*apart.values(), np.empty(0, np.uint64)]), return_counts=True)
        shared = set(every[splits > 1].tolist())
        if not twice and not shared:
            return
        first: dict[str, str] = {}
        places: dict[str, tuple[str, str]] = {}
        for path in shards:
            file = path.relative_to(folder).as_posix()
            split = path.parent.name
            for number, row in enumerate(read_rows(path, ["id", "recording", "provenance"])):
                if _hash(row["id"] or "") in twice:
                    here = f"{file} row {number}"
                    if first.setdefault(row["id"], here) != here:
                        report.add(file, number, f"id '{row['id']}' is that of {first[row['id']]} as well.")
                for recording in recordings_of(row) if split != VIEW else ():
                    if _hash(recording) in shared:
                        other, where = places.setdefault(recording, (split, f"{file} row {number}"))
                        if other != split:
                            text = f"recording '{recording}' is in split '{other}' too ({where})."
                            report.add(file, number, text)


def recordings_of(row: Mapping[str, Any]) -> set[str]:
    """List every source recording of a row."""
    made = (_json(row["provenance"]) or {}).get("recordings") or ()
    return {recording for recording in (row["recording"], *made) if recording}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
