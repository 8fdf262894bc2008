"""Write rows of a dataset into one HTML page: players, timelines, captions, questions with their evidence.

The page embeds joints, code and small videos, so it opens from disk without a server.
"""

from __future__ import annotations

import base64
import html
import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from vimonet.motion.skeleton import PARENTS
from vimonet.utils.errors import InputError
from vimonet.utils.files import write_text
from vimonet.vimos.parquet import Record, from_row
from vimonet.vimos.reading import splits_of

_INLINE_BYTES = 20_000_000
"""Bytes of the largest embedded video; the page names a larger one instead."""


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
    path = Path(output)
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path}: the page is HTML; give a name that ends in .html.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: its folder does not exist; create it or give another name.")
    if rows < 1:
        raise InputError(f"{rows} rows cannot be shown; give 1 or more.")
    folder = Path(folder)
    found = splits_of(folder)
    if split is not None and split not in found:
        raise InputError(f"{folder}: no split '{split}'; there are {', '.join(found) or 'none'}.")
    shards = [shard for name, paths in found.items() if split in (None, name) for shard in paths]
    chosen = [_find(shards, id, folder)] if id is not None else _spread(shards, rows)
    records = [from_row(_row(shard, number)) for shard, number in chosen]
    write_text(path, page(records, folder))
    return path


def page(records: list[Record], folder: Path) -> str:
    """Format the page; `folder` is the dataset that the videos are in."""
    template = resources.files("vimonet.vimos").joinpath("show.html").read_text(encoding="utf-8")
    clips = [_clip(record, folder) for record in records]
    # "</" in a caption would end the script element.
    data = json.dumps({"bones": _bones(), "clips": clips}, ensure_ascii=False).replace("</", "<\\/")
    title = html.escape(folder.resolve().name)
    return template.replace("{{title}}", title).replace("{{data}}", data)


def _clip(record: Record, folder: Path) -> dict[str, Any]:
    motion = record.motion
    joints = (
        None if motion is None else base64.b64encode(np.rint(motion.joints * 1000).astype("<i2").tobytes()).decode()
    )
    seconds = None if motion is None else motion.duration
    return {
        "id": record.id,
        "source": record.source,
        "recording": record.recording,
        "split": record.split,
        "licence": record.licence,
        "provenance": dict(record.provenance),
        "joints": joints,
        "frames": 0 if motion is None else motion.frames,
        "fps": 0 if motion is None else motion.fps,
        "dimensions": 0 if motion is None else motion.dimensions,
        "seen": None
        if motion is None or motion.confidence is None
        else base64.b64encode((motion.confidence > 0).astype("u1").tobytes()).decode(),
        "seconds": seconds,
        "video": _video(record, folder),
        "video_name": record.video,
        "video_span": record.video_span,
        "actions": [vars(part) for part in record.actions],
        "captions": [vars(caption) for caption in record.captions],
        "instructions": [
            {
                **{k: getattr(i, k) for k in ("style", "form", "question", "answer", "generator", "start", "end")},
                "options": list(i.options),
                "evidence": dict(i.evidence),
            }
            for i in record.instructions
        ],
    }


def _video(record: Record, folder: Path) -> str | None:
    if record.video is None:
        return None
    path = folder / record.video
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        return None
    if path.stat().st_size > _INLINE_BYTES:
        return None
    return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


def _bones() -> list[list[Any]]:
    """List [joint, parent, side] of every bone."""
    left, right = {1, 4, 7, 10, 13, 16, 18, 20}, {2, 5, 8, 11, 14, 17, 19, 21}
    return [
        [joint, int(parent), "left" if joint in left else "right" if joint in right else "middle"]
        for joint, parent in enumerate(PARENTS)
        if parent >= 0
    ]


def _find(shards: list[Path], id: str, folder: Path) -> tuple[Path, int]:
    near: list[str] = []
    for shard in shards:
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
    file = pq.ParquetFile(shard)
    start = 0
    for group in range(file.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if number < start + size:
            return dict(file.read_row_group(group).slice(number - start, 1).to_pylist()[0])
        start += size
    raise IndexError(number)
