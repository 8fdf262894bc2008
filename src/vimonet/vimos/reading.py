"""Read a VIMOS dataset: shards by split, streamed records, memory-mapped rows, and the duration of its videos."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from vimonet.utils.errors import InputError, first_line
from vimonet.video.container import opened
from vimonet.vimos.parquet import VERSION, Record, from_row

if TYPE_CHECKING:
    import datasets


_LARGEST = 16 << 30


def splits_of(folder: str | Path) -> dict[str, list[Path]]:
    """List the shards of a dataset by split, in order.

    Raises:
        InputError: the folder holds no dataset, an unfinished one, or one of a newer format.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / "vimos.json").read_text("utf-8"))
        version = int(facts["vimos_version"])
    except FileNotFoundError:
        interrupted = (folder / "build.json").is_file()
        hint = (
            "its build was interrupted, give the command again" if interrupted else "make one with 'vimonet data build'"
        )
        raise InputError(f"{folder}: no VIMOS dataset is here (no vimos.json); {hint}.") from None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        raise InputError(
            f"{folder / 'vimos.json'}: this file does not describe a VIMOS dataset; build it again."
        ) from None
    if version > VERSION:
        raise InputError(f"{folder}: format version {version}; this vimonet reads up to {VERSION}, update it.")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*/*.parquet")):
        found.setdefault(path.parent.name, []).append(path)
    return found


def shards_of(folder: str | Path, split: str) -> list[Path]:
    """List the shards of one split.

    Raises:
        InputError: the dataset or the split does not exist.
    """
    found = splits_of(folder)
    if split not in found:
        raise InputError(f"{folder}: no split '{split}'; there are {', '.join(found) or 'none'}.")
    return found[split]


def sources_of(folder: str | Path, split: str) -> list[dict[str, Any]]:
    """Count the clips of a split by source and licence: dicts of ``source``, ``licence``, ``clips``, most clips first.

    Raises:
        InputError: the dataset or the split does not exist.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for path in shards_of(folder, split):
        with damage_named(path):
            columns = pq.read_table(path, columns=["source", "licence"]).to_pydict()
        counts.update(zip(columns["source"], columns["licence"], strict=True))
    return [{"source": s, "licence": licence, "clips": n} for (s, licence), n in counts.most_common()]


def read_records(folder: str | Path, split: str) -> Iterator[Record]:
    """Stream the records of a split, with one row group in memory.

    Raises:
        InputError: the dataset or the split does not exist, or a shard is damaged.
    """
    for path in shards_of(folder, split):
        with damage_named(path):
            yield from map(from_row, read_rows(path))


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn whatever reading a damaged shard raises into InputError that names the file."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise error if text.startswith(str(path)) else InputError(f"{path}: {text}") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        reason = first_line(error)
        raise InputError(f"{path}: this is no readable shard of a VIMOS dataset ({reason}); build it again.") from error
    except pa.ArrowException as error:
        reason = first_line(error)
        raise InputError(f"{path}: this is no readable shard of a VIMOS dataset ({reason}); build it again.") from error


def read_rows(
    path: Path, columns: list[str] | None = None, row_groups: list[int] | None = None
) -> Iterator[dict[str, Any]]:
    """Stream the rows of one shard; `joints` and `confidence` are flat NumPy arrays.

    Args:
        path: Parquet file.
        columns: columns to read; None for all.
        row_groups: row groups to read; None for all.

    Raises:
        InputError: the file cannot be read or decoded.
    """
    with damage_named(path), pq.ParquetFile(path) as file:
        if sum(file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups)) > _LARGEST:
            raise InputError(f"{path}: holds more than {_LARGEST >> 30} GiB unpacked; no shard is as large.")
        for batch in file.iter_batches(batch_size=64, columns=columns, row_groups=row_groups):
            arrays = [name for name in ("joints", "confidence") if name in batch.schema.names]
            rows = batch.drop_columns(arrays).to_pylist()
            for number, row in enumerate(rows):
                for name in arrays:
                    values = batch.column(name)[number]
                    row[name] = values.values.to_numpy() if values.is_valid else None
                yield row


def motion_row(rows: datasets.Dataset, index: int) -> dict[str, Any]:
    """Read the motion columns of a row of ``open_rows(...).with_format("arrow")``, without copying joints."""
    table: Any = rows[index]
    row = {name: table[name][0].as_py() for name in ("id", "source", "frames", "fps", "scale", "dimensions")}
    for name in ("joints", "confidence"):
        values = table[name][0]
        row[name] = values.values.to_numpy() if values.is_valid else None
    return row


def open_rows(folder: str | Path, split: str) -> datasets.Dataset:
    """Open the rows of a split for random access; `datasets` memory-maps them from its cache on disk.

    Raises:
        InputError: the dataset or the split does not exist, or a shard is damaged.
    """
    import datasets

    files = [str(path) for path in shards_of(folder, split)]
    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        rows: Any = datasets.load_dataset("parquet", data_files={split: files}, split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
        raise InputError(f"{folder}: a shard of split '{split}' cannot be read ({error}).") from error
    finally:
        if bars:
            datasets.enable_progress_bars()
    return rows


def video_duration(path: str | Path) -> float:
    """Measure the duration of a video, s, by decoding every frame.

    Raises:
        InputError: the file is no video, or ends early.
    """
    import av

    with opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        frames, last = 0, 0.0
        try:
            for frame in container.decode(stream):
                frames += 1
                last = max(last, float(frame.time or 0.0))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{Path(path).name}: not a readable video ({' '.join(str(error).split())}).") from error
        rate = float(stream.average_rate or 25)
        stated = stream.frames
    if not frames:
        raise InputError(f"{Path(path).name}: the video has no frame.")
    if frames < 0.98 * stated:
        raise InputError(f"{Path(path).name}: only {frames} of its {stated} frames can be decoded.")
    return last + 1.0 / rate
