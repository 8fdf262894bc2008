"""Build a dataset: shards written whole or not at all, by several processes, resumable to the same bytes.

A builder says which shards there are and gives the records of each; nothing else about a build depends on it. A shard
depends on its builder's settings and its own keys alone, never on other shards or on the process that writes it.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq
from tqdm import tqdm

from vimonet.utils.errors import InputError
from vimonet.vimos.parquet import VERSION, Record, distinct, to_row, to_table

ROW_GROUP = 64
"""Rows decoded together: small enough that a reader which streams stays small."""


@dataclass(frozen=True)
class Shard:
    """A Parquet file to be: its split, its number in the split, and what goes into it (keys of the builder's own)."""

    split: str
    number: int
    keys: tuple[Any, ...]

    @property
    def path(self) -> str:
        """Place inside the dataset."""
        return f"{self.split}/{self.number:05d}.parquet"


@dataclass(frozen=True)
class Skipped:
    """A file that could not be used, and why: one sentence."""

    file: str
    reason: str


@dataclass(frozen=True)
class Attached:
    """A file that comes into the dataset as it is (a video), told before the record that names it.

    Attributes:
        source: where it is.
        path: where it will be, relative to the dataset: one folder deep.
    """

    source: str
    path: str


class Builder(Protocol):
    """What a builder must have. It is sent to worker processes: keep it small, load data on first use."""

    @property
    def name(self) -> str:
        """Name of the dataset."""

    def settings(self) -> dict[str, Any]:
        """Return everything the result depends on, as JSON: a build of other settings is not continued."""

    def shards(self) -> Sequence[Shard]:
        """List all shards, the same on every call. Raises InputError when the source cannot be read."""

    def records(self, shard: Shard) -> Iterator[Record | Skipped | Attached]:
        """Yield the records of a shard, the same in every process."""

    def describe(self) -> str:
        """Write Markdown for the card: what the dataset is, where from, under which licences."""


@dataclass
class Build:
    """What a build left behind.

    Attributes:
        folder: the dataset.
        rows: rows per split.
        instructions: instructions per split.
        skipped: files that could not be used.
        digest: SHA-256 over the shards.
    """

    folder: Path
    rows: dict[str, int] = field(default_factory=dict)
    instructions: dict[str, int] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    digest: str = ""


def chunk(split: str, keys: Sequence[Any], size: int) -> list[Shard]:
    """Divide keys, in order, into shards of at most `size`."""
    return [Shard(split, n, tuple(keys[i : i + size])) for n, i in enumerate(range(0, len(keys), size))]


def build(
    builder: Builder,
    out: str | Path,
    *,
    workers: int = 2,
    overwrite: bool = False,
    progress: bool = True,
    retry_skipped: bool = False,
) -> Build:
    """Write a dataset, or finish one that was interrupted.

    Args:
        builder: says what goes in.
        out: folder; a finished dataset of the same settings is left as it is.
        workers: processes that build shards; 0 builds in this process.
        overwrite: replace a folder of other settings.
        progress: show a bar with the time left.
        retry_skipped: build the shards again in which something was skipped.

    Raises:
        InputError: the source cannot be read, `out` holds something else, or nothing could be used.
    """
    folder = Path(out)
    settings = {"vimos_version": VERSION, "name": builder.name, **builder.settings()}
    settings = json.loads(json.dumps(settings))
    shards = list(builder.shards())
    if not shards:
        raise InputError(f"{builder.name}: the source holds nothing to build a dataset from.")
    _prepare(folder, settings, overwrite)
    waiting = [shard for shard in shards if not is_done(folder / shard.path, retry_skipped)]
    for split in sorted({shard.split for shard in waiting}):
        (folder / split).mkdir(exist_ok=True)
    with tqdm(
        total=len(shards), initial=len(shards) - len(waiting), desc=builder.name, unit="shard", disable=not progress
    ) as bar:
        for _ in _written(builder, waiting, folder, workers):
            bar.update()
    result = summarise(folder, shards)
    if not sum(result.rows.values()):
        reasons = f" (first: {result.skipped[0].file}: {result.skipped[0].reason})" if result.skipped else ""
        shutil.rmtree(folder)
        raise InputError(f"{builder.name}: nothing in the source could be used{reasons}.")
    return result


def is_done(path: Path, retry_skipped: bool = False) -> bool:
    """Tell whether a shard is written, with `retry_skipped` only if nothing in it was skipped."""
    return path.is_file() and not (retry_skipped and _skipped_in(pq.ParquetFile(path)))


def _skipped_in(file: pq.ParquetFile) -> list[Skipped]:
    return [Skipped(*entry) for entry in json.loads(file.schema_arrow.metadata.get(b"skipped", b"[]"))]


def _prepare(folder: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Create the folder with its settings, or see that the one there is of the same build."""
    path = folder / "build.json"
    if folder.exists() and any(entry.name != "build.json.part" for entry in folder.iterdir()):
        if not path.is_file():
            raise InputError(f"{folder}: this folder holds something else; give a new or empty one to --output.")
        if json.loads(path.read_text("utf-8")) != settings:
            if not overwrite:
                raise InputError(
                    f"{folder}: a dataset of other settings is here; give another --output, or --overwrite."
                )
            _empty(folder)
        for left in folder.glob("*/*.part"):
            left.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        write_text(path, json.dumps(settings, indent=1, sort_keys=True) + "\n")


def _empty(folder: Path) -> None:
    """Delete a dataset; ``build.json``, which marks the folder as one, goes last: an interruption leaves it ours."""
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "build.json":
            entry.unlink()
    (folder / "build.json").unlink()


def _written(builder: Builder, shards: list[Shard], folder: Path, workers: int) -> Iterator[Shard]:
    if workers < 1 or len(shards) < 2:
        for shard in shards:
            yield _write(builder, shard, folder)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start, initargs=(builder, folder)
    ) as pool:
        futures = [pool.submit(_write_here, shard) for shard in shards]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise InputError(
                f"{folder}: a worker was ended from outside, perhaps for want of memory; give the command again, with "
                "fewer --workers if it recurs."
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_HERE: tuple[Builder, Path] | None = None


def _start(builder: Builder, folder: Path) -> None:
    global _HERE
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _HERE = (builder, folder)


def _write_here(shard: Shard) -> Shard:
    assert _HERE is not None
    return _write(_HERE[0], shard, _HERE[1])


def _write(builder: Builder, shard: Shard, folder: Path) -> Shard:
    """Write one shard; it has its name only once it is whole. The file's metadata lists skipped files."""
    rows, skipped = [], []
    for record in builder.records(shard):
        if isinstance(record, Skipped):
            skipped.append([record.file, record.reason])
        elif isinstance(record, Attached):
            _attach(record, folder)
        else:
            rows.append(to_row(distinct(record)))
    table = to_table(rows)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"skipped": json.dumps(skipped).encode()})
    path = folder / shard.path
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    pq.write_table(table, part, compression="zstd", row_group_size=ROW_GROUP)
    os.replace(part, path)
    return shard


def _attach(file: Attached, folder: Path) -> None:
    """Copy a file whole or not at all; it is told of before its shard is written, so no shard names a missing one."""
    path = folder / file.path
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    shutil.copyfile(file.source, part)
    os.replace(part, path)


def summarise(folder: Path, shards: Sequence[Shard]) -> Build:
    """Count what is on disk, hash it, and write ``vimos.json``."""
    rows: Counter[str] = Counter()
    instructions: Counter[str] = Counter()
    skipped: list[Skipped] = []
    digest = hashlib.sha256()
    for shard in sorted(shards, key=lambda s: s.path):
        path = folder / shard.path
        digest.update(hashlib.sha256(path.read_bytes()).digest())
        file = pq.ParquetFile(path)
        skipped += _skipped_in(file)
        rows[shard.split] += file.metadata.num_rows
        for batch in file.iter_batches(columns=["instructions"], batch_size=1024):
            instructions[shard.split] += len(batch.column(0).flatten())
    build = Build(folder, dict(rows), dict(instructions), skipped, digest.hexdigest())
    facts = {
        "vimos_version": VERSION,
        **{"rows": build.rows, "instructions": build.instructions, "sha256": build.digest},
        "skipped": [[s.file, s.reason] for s in skipped],
    }
    write_text(folder / "vimos.json", json.dumps(facts, indent=1) + "\n")
    return build


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
