"""Write a dataset as atomic shards, in several processes; an interrupted build continues to the same bytes.

A builder lists the shards and yields the records of each. A shard depends only on its builder's settings and its own
keys, never on other shards or on the process that writes it.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import multiprocessing
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq
from tqdm import tqdm

from vimonet.utils.errors import InputError
from vimonet.utils.files import whole_file, write_text
from vimonet.utils.locks import only_writer
from vimonet.utils.workers import begin_worker
from vimonet.vimos.parquet import VERSION, Record, distinct, to_row, to_table

ROW_GROUP = 64
"""Rows per Parquet row group, which a streaming reader holds in memory."""


@dataclass(frozen=True)
class Shard:
    """Name a Parquet file to write: split, number within the split, and the builder's keys of its content."""

    split: str
    number: int
    keys: tuple[Any, ...]

    @property
    def path(self) -> str:
        """Return the path relative to the dataset."""
        return f"{self.split}/{self.number:05d}.parquet"


@dataclass(frozen=True)
class Skipped:
    """Report a source file that was left out, with the reason in one sentence."""

    file: str
    reason: str


@dataclass(frozen=True)
class Attached:
    """Attach a file (a video) to the dataset unchanged; yield it before the record that names it.

    Attributes:
        source: path of the original.
        path: path of the copy relative to the dataset, one folder deep.
    """

    source: str
    path: str


class Builder(Protocol):
    """Describe the interface of a builder, which is pickled for worker processes: load data on first use."""

    @property
    def name(self) -> str:
        """Name of the dataset."""

    def settings(self) -> dict[str, Any]:
        """Return everything the result depends on, as JSON; only a build of the same settings is continued."""

    def shards(self) -> Sequence[Shard]:
        """List all shards, the same on every call; raise InputError for an unreadable source."""

    def records(self, shard: Shard) -> Iterator[Record | Skipped | Attached]:
        """Yield the records of a shard, the same in every process."""

    def describe(self) -> str:
        """Describe the dataset, its origin and its licences in Markdown, for the card."""


@dataclass
class Build:
    """Summarise a finished build.

    Attributes:
        folder: folder of the dataset.
        rows: rows per split.
        instructions: instructions per split.
        skipped: source files left out.
        digest: SHA-256 over the shards.
    """

    folder: Path
    rows: dict[str, int] = field(default_factory=dict)
    instructions: dict[str, int] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    digest: str = ""


def chunk(split: str, keys: Sequence[Any], size: int) -> list[Shard]:
    """Divide keys, in order, into shards of at most `size` keys."""
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
    """Write a dataset, or continue an interrupted build.

    Args:
        builder: source of shards and records.
        out: output folder; a finished dataset of the same settings stays unchanged.
        workers: number of processes; 0 builds in this process.
        overwrite: replace a dataset of other settings.
        progress: show a progress bar.
        retry_skipped: build shards with skipped files again.

    Returns:
        Counts and digest of the dataset.

    Raises:
        InputError: the source is unreadable or yields no row, or `out` holds other files.
    """
    folder = Path(out)
    settings = {"vimos_version": VERSION, "name": builder.name, **builder.settings()}
    settings = json.loads(json.dumps(settings))
    shards = list(builder.shards())
    if not shards:
        raise InputError(f"{builder.name}: the source holds nothing to build a dataset from.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        return _build(builder, folder, settings, shards, workers, overwrite, progress, retry_skipped)


def _build(
    builder: Builder,
    folder: Path,
    settings: dict[str, Any],
    shards: list[Shard],
    workers: int,
    overwrite: bool,
    progress: bool,
    retry_skipped: bool,
) -> Build:
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
        raise InputError(f"{builder.name}: no file of the source could be used{reasons}.")
    return result


def is_done(path: Path, retry_skipped: bool = False) -> bool:
    """Tell whether a shard is written; with `retry_skipped`, a shard with skipped files is not."""
    return path.is_file() and not (retry_skipped and _skipped_in(pq.ParquetFile(path)))


def _skipped_in(file: pq.ParquetFile) -> list[Skipped]:
    return [Skipped(*entry) for entry in json.loads(file.schema_arrow.metadata.get(b"skipped", b"[]"))]


def _prepare(folder: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Create the folder with its settings, or check that an existing folder belongs to the same build."""
    path = folder / "build.json"
    if folder.exists() and not all(map(_begun, folder.iterdir())):
        if not path.is_file():
            raise InputError(f"{folder}: this folder holds other files; give a new or empty one to --output.")
        if json.loads(path.read_text("utf-8")) != settings:
            if not overwrite:
                raise InputError(f"{folder}: this dataset has other settings; give another --output, or --overwrite.")
            _empty(folder)
    for left in [*folder.glob("*.part"), *folder.glob("*/*.part")]:
        left.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        try:
            write_text(path, json.dumps(settings, indent=1, sort_keys=True) + "\n")
        except OSError:
            folder.rmdir()
            raise


def _begun(path: Path) -> bool:
    """Tell whether a file is a ``build.json`` whose writing was interrupted."""
    return path.name.lstrip(".").startswith("build.") and path.suffix == ".part"


def _empty(folder: Path) -> None:
    """Delete a dataset; ``build.json`` goes last, so that an interruption leaves the folder marked as a dataset."""
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
                f"{folder}: a worker process was killed, perhaps for lack of memory; give the command again, with "
                "fewer --workers if it recurs."
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_HERE: tuple[Builder, Path] | None = None


def _start(builder: Builder, folder: Path) -> None:
    global _HERE
    begin_worker()
    _HERE = (builder, folder)


def _write_here(shard: Shard) -> Shard:
    assert _HERE is not None
    return _write(_HERE[0], shard, _HERE[1])


def _write(builder: Builder, shard: Shard, folder: Path) -> Shard:
    """Write one shard atomically; the metadata of the file lists skipped source files."""
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
    with whole_file(path, suffix=".part") as part:
        pq.write_table(table, part, compression="zstd", row_group_size=ROW_GROUP)
    return shard


def _attach(file: Attached, folder: Path) -> None:
    """Copy a file atomically; its shard is written later, so no shard names a missing file."""
    path = folder / file.path
    path.parent.mkdir(exist_ok=True)
    with whole_file(path, suffix=".part") as part:
        shutil.copyfile(file.source, part)


def summarise(folder: Path, shards: Sequence[Shard]) -> Build:
    """Count and hash the shards on disk, and write ``vimos.json``."""
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
