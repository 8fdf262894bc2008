"""Build a dataset from a ``folder`` of recordings in any format, with an optional table of captions.

The table is CSV (with a header) or JSONL with the columns ``file`` (path below the root, or a unique file name) and any
of ``caption``, ``start`` and ``end`` (seconds), ``action`` ("wave the right hand"), ``split``, ``licence``; a file may
have several rows. An MP4 beside a recording of the same name is the video of that recording.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from vimonet.motion import load
from vimonet.motion.io.loading import Listing, check_name, list_recordings
from vimonet.motion.io.readers import plain
from vimonet.utils.errors import InputError, first_line
from vimonet.video import SUFFIXES as VIDEO_SUFFIXES
from vimonet.vimos.annotators.annotate import from_people
from vimonet.vimos.builders import option, register
from vimonet.vimos.builders.recorded_clips import Source, hashed_split, records_of, split_name
from vimonet.vimos.dataset_writer import Attached, Shard, Skipped, chunk
from vimonet.vimos.parquet import Caption, Record
from vimonet.vimos.reading import video_duration
from vimonet.vimos.types import Part

_ROWS = 50
_SAME_LENGTH = 0.5
"""Largest difference in duration of a video and its recording, s."""


@register("folder", "any BVH, npz, npy, json or mp4, with an optional table of captions")
@dataclass(frozen=True)
class FolderBuilder:
    """Build rows from a folder and its subfolders.

    Args:
        root: the folder.
        captions: table of captions; a relative path is tried from here, then from the root.
        licence: licence of files whose rows name none.
        val, test: shares of the recordings whose rows name no split, 0..1.
        seed: seed of splits and questions.
        fps, up, unit: options of `vimonet.motion.load` for files that do not state them.
        name: name of the dataset, and source of its rows.

    Raises:
        InputError: `shards` finds no folder, an unreadable table, or shares of 1 and more.
    """

    root: str = option("folder of the source", metavar="DIR")
    captions: str | None = option("table, CSV or JSONL: file, caption[, start, end, split, action ...]", None, "FILE")
    licence: str = option("licence of rows that name none", "unstated")
    val: float = option("share of recordings in val", 0.1, "SHARE")
    test: float = option("share of recordings in test", 0.1, "SHARE")
    seed: int = option("seed of every random draw", 0, "N")
    fps: float | None = option("frames per second of a recording whose file does not say", None)
    up: str | None = option("axis that points up: y, z, x, or --up=-y ...", None, "AXIS")
    unit: str | None = option("unit of length: m, cm, mm, inch, or metres per unit", None)
    name: str = option("name of the dataset", "vimos-folder")

    def settings(self) -> dict[str, Any]:
        """Return the options and the hash of the folder's listing and of the table."""
        options = {key: value for key, value in asdict(self).items() if key not in ("root", "captions", "name")}
        listing = [[file, _size(Path(self.root) / file)] for file in _files(self.root, self.captions)]
        digest = hashlib.sha256(json.dumps(listing).encode()).hexdigest()
        table = None if self.captions is None else _table_path(self.root, self.captions).read_bytes()
        return {
            "builder": "folder",
            **options,
            "files": len(listing),
            "listing": digest,
            "table": table and hashlib.sha256(table).hexdigest(),
        }

    def shards(self) -> list[Shard]:
        """List the recordings by split."""
        if min(self.val, self.test) < 0 or self.val + self.test >= 1:
            raise InputError(
                f"{self.val:g} for val and {self.test:g} for test leave nothing to train on; their sum must be below 1."
            )
        table = _rows_by_file(self.root, self.captions)
        splits: dict[str, list[str]] = {}
        for file in sorted({*_listing(self.root, self.captions).recordings, *table}):
            splits.setdefault(self._split(file, table), []).append(file)
        return [shard for split in sorted(splits) for shard in chunk(split, splits[split], _ROWS)]

    def _split(self, file: str, table: dict[str, list[dict[str, Any]]]) -> str:
        named = {row["split"] for row in table.get(file, ()) if row["split"]}
        if len(named) > 1:
            raise InputError(f"{self.captions}: {file} is in {' and '.join(sorted(named))}; a file has one split.")
        return named.pop() if named else hashed_split(_stem(file), self.val, self.test, self.seed)

    def records(self, shard: Shard) -> Iterator[Record | Skipped | Attached]:
        """Read the clips of the recordings of a shard."""
        table = _rows_by_file(self.root, self.captions)
        videos = _listing(self.root, self.captions).videos
        actions = sorted({row["action"] for rows in table.values() for row in rows if row["action"]})
        for file in shard.keys:
            rows = table.get(file, [])
            licence = next((row["licence"] for row in rows if row["licence"]), self.licence)
            source = Source(self.name, file, f"{self.name}/{_stem(file)}", shard.split, licence, self.seed)
            try:
                check_name(file)
                if file.lower().endswith(VIDEO_SUFFIXES):
                    yield from self._video(source, rows)
                else:
                    yield from self._clips(source, rows, videos.get(file), actions)
            except (InputError, OSError) as error:
                reason = str(error) if isinstance(error, InputError) else f"{file}: {error.strerror or error}."
                yield Skipped(plain(file, 400), " ".join(reason.split()))

    def _clips(
        self, source: Source, rows: list[dict[str, Any]], video_file: str | None, others: list[str]
    ) -> Iterator[Record | Skipped | Attached]:
        path = Path(self.root) / source.file
        if not path.exists():
            raise InputError(f"{source.file}: the table of captions names it, and the folder has no such file.")
        motion = load(path, fps=self.fps, up=self.up, unit=self.unit)
        video = None
        if video_file is not None:
            try:
                seconds = video_duration(Path(self.root) / video_file)
                if abs(seconds - motion.duration) > _SAME_LENGTH:
                    raise InputError(
                        f"{video_file}: its {seconds:.1f} s are not the {motion.duration:.1f} s of {source.file}."
                    )
                video = _place(video_file)
                yield Attached(str(Path(self.root) / video_file), video)
            except InputError as error:
                yield Skipped(video_file, str(error))
        captions, parts = [], []
        for row in rows:
            start, end = row["start"], row["end"]
            if start is not None and start >= motion.duration:
                yield Skipped(source.file, f"{row['where']}: {start:g} s is beyond its {motion.duration:.1f} s.")
                continue
            if start is not None or end is not None:
                start = start or 0.0
                end = min(motion.duration, motion.duration if end is None else end)
            if row["caption"]:
                captions.append(Caption(row["caption"], "people", start, end))
            if row["action"]:
                parts.append(Part(row["action"], start or 0.0, motion.duration if end is None else end))
        yield from records_of(motion, source, captions, parts, others, video=video)

    def _video(self, source: Source, rows: list[dict[str, Any]]) -> Iterator[Record | Skipped | Attached]:
        """Read a video that has no recording of joints."""
        path = Path(self.root) / source.file
        if not path.exists():
            raise InputError(f"{source.file}: the table of captions names it, and the folder has no such file.")
        if path.suffix.lower() != ".mp4":
            raise InputError(f"{source.file}: a dataset holds videos as MP4; convert it.")
        seconds = video_duration(path)
        captions, parts = [], []
        for row in rows:
            timed = row["start"] is not None or row["end"] is not None
            start, end = row["start"] or 0.0, min(seconds, seconds if row["end"] is None else row["end"])
            if start >= end:
                yield Skipped(source.file, f"{row['where']}: {start:g} s is beyond its {seconds:.1f} s.")
                continue
            if row["caption"]:
                captions.append(Caption(row["caption"], "people", start if timed else None, end if timed else None))
            if row["action"]:
                parts.append(Part(row["action"], start, end))
        rng = random.Random(f"{source.seed}/{source.name}/{source.file}")
        yield Attached(str(path), _place(source.file))
        yield Record(
            f"{source.name}/{source.file}",
            source.name,
            source.recording,
            source.split,
            source.licence,
            video=_place(source.file),
            actions=tuple(sorted(parts, key=lambda p: (p.start, p.end))),
            captions=tuple(dict.fromkeys(captions)),
            instructions=tuple(from_people(captions, rng, test=source.split.startswith("test"))),
            provenance={"file": source.file, "seconds": round(seconds, 3)},
        )

    def describe(self) -> str:
        """Write the text of the card."""
        count = len(_listing(self.root, self.captions).recordings)
        return (
            f"Recordings of a folder ({count:,} files), built with `vimonet data "
            "build folder`. Captions of generator `people` are those of the table that came with it; answers of "
            "generator `kinematic` are measured, or follow from the table's actions."
        )


def _stem(file: str) -> str:
    return file.rpartition(".")[0] or file


def _place(video_file: str) -> str:
    """Name the path of a video in the dataset; a hash separates files of the same name."""
    digest = hashlib.sha256(video_file.encode()).hexdigest()[:8]
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in Path(video_file).stem)[:60]
    return f"video/{safe}-{digest}.mp4"


@lru_cache(maxsize=4)
def _listing(root: str, captions: str | None) -> Listing:
    """List recordings (single videos included), and the MP4 videos that belong to recordings."""
    if not Path(root).is_dir():
        raise InputError(f"{root}: no such folder; give --root the folder of the recordings.")
    table = None if captions is None else _table_path(root, captions).resolve()
    found = list_recordings(root)
    recordings = [file for file in found.recordings if (Path(root) / file).resolve() != table]
    return Listing(recordings, {file: video for file, video in found.videos.items() if video.lower().endswith(".mp4")})


def _files(root: str, captions: str | None) -> list[str]:
    """List the source files of the dataset, sorted."""
    listing = _listing(root, captions)
    return sorted({*listing.recordings, *listing.videos.values()})


def _size(path: Path) -> int:
    """Count the bytes of a file or of a keypoint folder; 0 of what cannot be read, as its loading will say."""
    try:
        return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size
    except OSError:
        return 0


def _table_path(root: str, captions: str) -> Path:
    path = Path(captions)
    return path if path.is_file() or path.is_absolute() else Path(root) / path


@lru_cache(maxsize=4)
def _rows_by_file(root: str, captions: str | None) -> dict[str, list[dict[str, Any]]]:
    """Read the table as rows by file."""
    if captions is None:
        return {}
    path = _table_path(root, captions)
    files = _files(root, captions)
    by_name: dict[str, set[str]] = {}
    for file in files:
        for name in (file, _stem(file), Path(file).name, Path(file).stem):
            by_name.setdefault(name, set()).add(file)
    table: dict[str, list[dict[str, Any]]] = {}
    for number, row in read_table(path):
        where = f"{path.name} line {number}"
        named = by_name.get(row["file"], {row["file"]})
        if row["file"] in named:
            named = {row["file"]}
        motions = {file for file in named if not file.lower().endswith(VIDEO_SUFFIXES)}
        if len(motions or named) > 1:
            raise InputError(
                f"{where}: '{row['file']}' may be {' or '.join(sorted(named))}; give the path below the root."
            )
        entry = {**row, "where": where, "split": row["split"] and split_name(row["split"], where)}
        table.setdefault((motions or named).pop(), []).append(entry)
    return table


COLUMNS = ("file", "caption", "start", "end", "split", "action", "licence")


def read_table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the numbered rows of a CSV (with a header) or JSONL table.

    Args:
        path: UTF-8 text; ``.json`` and ``.jsonl`` hold one object per line.

    Yields:
        (line, row) with the keys of `COLUMNS`: text, "" for an empty field; ``start`` and ``end`` in s or None.

    Raises:
        InputError: the table is unreadable, or a row has invalid times or no file below the root.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such table of captions.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as UTF-8 text ({error}).") from None
    if path.suffix.lower() in (".jsonl", ".json"):
        numbered = list(_json_rows(path, text))
    else:
        reader = csv.DictReader(text.splitlines())
        try:
            numbered = [(reader.line_num, row) for row in reader]
        except csv.Error as error:
            raise InputError(f"{path.name} line {reader.line_num + 1}: this is no CSV ({error}).") from None
    for number, row in numbered:
        where = f"{path.name} line {number}"
        named = {str(k).strip().lower(): v for k, v in row.items() if k is not None}
        named.setdefault("licence", named.get("license"))
        values = {name: named.get(name) for name in COLUMNS}
        if not isinstance(values["file"], str) or not values["file"].strip():
            raise InputError(
                f"{where}: it names no file; expected the columns file, caption[, {', '.join(COLUMNS[2:])}]."
            )
        entry: dict[str, Any] = {k: "" if v is None else str(v).strip() for k, v in values.items()}
        entry["file"] = entry["file"].replace("\\", "/").removeprefix("./")
        if entry["file"].startswith("/") or ".." in entry["file"].split("/"):
            raise InputError(f"{where}: '{entry['file']}' lies outside the root; give paths below it.")
        for column in ("start", "end"):
            entry[column] = _seconds(entry[column], where, column)
        if entry["end"] is not None and entry["end"] <= (entry["start"] or 0.0):
            raise InputError(f"{where}: its end, {entry['end']:g} s, is not after its start; expected start < end.")
        yield number, entry


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{path.name} line {number}: this is no JSON ({first_line(error)}); expected one object per line."
                ) from None
            if not isinstance(row, dict):
                raise InputError(f"{path.name} line {number}: expected a JSON object with file and caption.")
            yield number, row


def _seconds(text: str, where: str, column: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{where}: {column} is '{text}'; expected seconds from the start, 0 or more.")
    return value
