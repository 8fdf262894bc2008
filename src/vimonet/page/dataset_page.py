"""Write rows of a dataset as a page: movement, film and labels on a time line, captions, questions with evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from vimonet.page.document import film_document, write_document
from vimonet.page.film import embed_film
from vimonet.page.html import check_page_path, write_page
from vimonet.utils.errors import InputError
from vimonet.video import is_video, probe
from vimonet.vimos.parquet import Instruction, Record, from_row
from vimonet.vimos.reading import damage_named, splits_of


def show(
    folder: str | Path, output: str | Path, *, id: str | None = None, split: str | None = None, rows: int = 8
) -> Path:
    """Write a page about some rows.

    Args:
        folder: a finished dataset.
        output: ``.html`` file to write.
        id: id of one row; None for `rows` evenly spaced rows.
        split: split of the rows; None for all splits.
        rows: number of rows.

    Returns:
        The written file.

    Raises:
        InputError: the dataset, split or id does not exist, or `output` is no writable HTML file.
    """
    path = check_page_path(output)
    if rows < 1:
        raise InputError(f"{rows} rows cannot be shown; give 1 or more.")
    folder = Path(folder)
    found = splits_of(folder)
    if split is not None and split not in found:
        raise InputError(f"{folder}: no split '{split}'; there are {', '.join(found) or 'none'}.")
    shards = [shard for name, paths in found.items() if split in (None, name) for shard in paths]
    chosen = [_find(shards, id, folder)] if id is not None else _spread(shards, rows)
    documents = [row_document(from_row(_row(shard, number)), folder) for shard, number in chosen]
    return write_page(path, documents, folder.resolve().name)


def row_document(record: Record, folder: Path) -> dict[str, Any]:
    """Describe a row for the page: its movement and film, labels, captions, and questions with their evidence.

    Args:
        record: the row.
        folder: the dataset, which its film is in.
    """
    film = _film(record, folder)
    if record.motion is not None:
        document = write_document(record.motion.named(record.id))
    else:
        seconds = (record.video_span[1] - record.video_span[0]) if record.video_span else 0.0
        document = film_document(record.id, seconds or (probe(film).duration if film is not None else 0.0))
    if film is not None:
        document = embed_film(document, film, start=record.video_span[0] if record.video_span else 0.0)
    elif record.video is not None:
        document["notes"] = [*document["notes"], f"the film {record.video} is not in this page"]
    origin = {"split": record.split, "source": record.source, "licence": record.licence, "recording": record.recording}
    return document | {
        "actions": [
            {"start": part.start, "end": part.end, "names": [{"label": part.action, "confidence": None}]}
            for part in record.actions
        ],
        "captions": [
            {"text": one.text, "generator": one.generator, "start": one.start, "end": one.end}
            for one in record.captions
        ],
        "questions": [_question(one) for one in record.instructions],
        "origin": [
            f"{key}: {value}" for key, value in {**origin, **record.provenance}.items() if value not in ("", None)
        ],
    }


def _question(instruction: Instruction) -> dict[str, Any]:
    names = ("style", "form", "question", "answer", "generator", "start", "end")
    evidence = {
        key: value for key, value in instruction.evidence.items() if key not in ("start", "end") and value != ""
    }
    return {
        **{name: getattr(instruction, name) for name in names},
        "options": list(instruction.options),
        "evidence": "; ".join(f"{key}: {_words(value)}" for key, value in evidence.items()),
    }


def _words(value: Any) -> str:
    """Write a value of the evidence for a reader: "left -0.48, right -0.5"."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_words(part) for part in value)
    return str(value)


def _film(record: Record, folder: Path) -> Path | None:
    """Find the film of a row; None without one, or outside the dataset."""
    if record.video is None:
        return None
    path = folder / record.video
    inside = path.resolve().is_relative_to(folder.resolve())
    return path if inside and path.is_file() and is_video(path) else None


def _find(shards: list[Path], id: str, folder: Path) -> tuple[Path, int]:
    near: list[str] = []
    for shard in shards:
        with damage_named(shard):
            ids = pq.read_table(shard, columns=["id"]).column("id").to_pylist()
        if id in ids:
            return shard, ids.index(id)
        near += [name for name in ids if id in name][: 3 - len(near)]
    hint = f"; similar ids are {', '.join(near)}" if near else ""
    raise InputError(f"{folder}: no row has the id '{id}'{hint}.")


def _spread(shards: list[Path], rows: int) -> list[tuple[Path, int]]:
    """Choose evenly spaced rows over all shards."""
    sizes = [pq.read_metadata(shard).num_rows for shard in shards]
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    chosen = []
    number = min(rows, total)
    for place in (int((i + 0.5) * total / number) for i in range(number)):
        shard = int(np.searchsorted(ends, place, side="right"))
        chosen.append((shards[shard], place - int(ends[shard] - sizes[shard])))
    if not chosen:
        raise InputError("the dataset has no rows to show.")
    return chosen


def _row(shard: Path, number: int) -> dict[str, Any]:
    """Read one row of a shard by decoding only its row group."""
    with damage_named(shard):
        file = pq.ParquetFile(shard)
        start = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if number < start + size:
                return dict(file.read_row_group(group).slice(number - start, 1).to_pylist()[0])
            start += size
    raise IndexError(number)
