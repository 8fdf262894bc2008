"""Store an index on disk (one Parquet file, a row per recording) and tell which recordings have changed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError
from vimonet.utils.files import is_special, whole_file

VERSION = 1
SETTINGS = ("root", "windows", "fingerprint", "evaluator", "complete")
"""Keys of an index's settings; see the attributes of `vimonet.retrieval.Index`."""

_LARGEST = 8 << 30  # bytes unpacked: ten million windows
_KEY = b"vimonet_index"


@dataclass(frozen=True, eq=False)
class Entry:
    """Hold the row of one recording.

    Attributes:
        path: path relative to the folder, with forward slashes.
        stamp: size and time of its files, whose equality marks an unchanged recording.
        digest: SHA-256 of its files, compared when only the time differs.
        bounds: int32 [n, 2], windows as (start, end) in frames at 20 frames/s.
        vectors: float16 [n, E].
    """

    path: str
    stamp: str
    digest: str
    bounds: NDArray[np.int32]
    vectors: NDArray[np.float16]


def write(path: str | os.PathLike[str], about: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Write an index atomically.

    Args:
        path: file of the index.
        about: JSON-ready settings, with the keys of `SETTINGS`.
        entries: one entry per recording.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "path": pa.array([entry.path for entry in entries], pa.string()),
            "stamp": pa.array([entry.stamp for entry in entries], pa.string()),
            "digest": pa.array([entry.digest for entry in entries], pa.string()),
            "bounds": _lists([entry.bounds for entry in entries], np.int32),
            "vectors": _lists([entry.vectors for entry in entries], np.float16),
        }
    ).replace_schema_metadata({_KEY: json.dumps({"version": VERSION, **about}).encode()})
    with whole_file(path) as part:
        pq.write_table(table, part, compression="zstd")


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[Entry]]:
    """Read settings and entries of an index.

    Raises:
        InputError: the file is missing, damaged, no index, or of a newer version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not os.path.isfile(path):
        raise InputError(f"{path}: there is no such index; make one with 'vimonet index FOLDER -o {path}'.")
    try:
        # read_table would import pyarrow.dataset, which takes half a second.
        file = pq.ParquetFile(path)
        parts = [file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)]
        if sum(parts) > _LARGEST:
            raise ValueError
        about = json.loads(file.schema_arrow.metadata[_KEY])
        newer = int(about["version"]) > VERSION
        entries = [] if newer else _entries(file.read())
        if not newer:
            _check(about, entries)
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path}: not a readable search index; make it again with 'vimonet index'.") from None
    if newer:
        version = about["version"]
        raise InputError(f"{path}: index version {version}; this vimonet reads up to {VERSION}, make the index again.")
    return about, entries


def _check(about: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Raise ValueError for settings or entries that no index has."""
    windows = about["windows"]
    texts = [about[name] for name in ("root", "fingerprint", "evaluator")]
    if not all(isinstance(text, str) and "\0" not in text for text in texts) or not isinstance(about["complete"], bool):
        raise ValueError
    if not isinstance(windows, list) or not all(isinstance(w, int | float) and 0 < w < 1e6 for w in windows):
        raise ValueError
    for entry in entries:
        inside = isinstance(entry.path, str) and not PurePosixPath(entry.path).is_absolute()
        if not inside or ".." in entry.path.split("/") or "\0" in entry.path or entry.vectors.dtype != np.float16:
            raise ValueError
        if (entry.bounds < 0).any() or (entry.bounds[:, 0] >= entry.bounds[:, 1]).any():
            raise ValueError
        if not np.isfinite(entry.vectors).all() or entry.vectors.shape[1:] != entries[0].vectors.shape[1:]:
            raise ValueError


def _entries(table: Any) -> list[Entry]:
    names, stamps, digests = (table.column(name).to_pylist() for name in ("path", "stamp", "digest"))
    bounds, vectors = _rows(table.column("bounds")), _rows(table.column("vectors"))
    return [
        Entry(name, stamp, digest, b.reshape(-1, 2), v.reshape(len(b) // 2, -1))
        for name, stamp, digest, b, v in zip(names, stamps, digests, bounds, vectors, strict=True)
    ]


def _lists(arrays: Sequence[NDArray[Any]], dtype: Any) -> Any:
    """Store arrays of any shape as rows of flat lists."""
    import pyarrow as pa

    ends = np.cumsum([0, *(array.size for array in arrays)])
    flat = np.concatenate([np.zeros(0, dtype), *(array.ravel() for array in arrays)])
    return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), pa.array(flat))


def _rows(column: Any) -> list[NDArray[Any]]:
    """Read the flat lists of a column as arrays."""
    column = column.combine_chunks()
    ends = column.offsets.to_numpy()
    return np.split(column.values.to_numpy(), ends[1:-1]) if len(column) else []


def entry_of(root: Path, path: str, old: Entry | None) -> Entry:
    """Return the old entry of an unchanged recording, else an entry without windows.

    Args:
        root: folder of the recordings.
        path: path of the recording relative to `root`.
        old: its entry in the index, or None.
    """
    files = _files(root / path)
    stamp = ";".join(f"{s.st_size}:{s.st_mtime_ns}" for s in (file.stat() for file in files))
    if old is not None and old.stamp == stamp:
        return old
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    digest = total.hexdigest()
    if old is not None and old.digest == digest:
        return Entry(path, stamp, digest, old.bounds, old.vectors)
    return Entry(path, stamp, digest, np.zeros((0, 2), np.int32), np.zeros((0, 0), np.float16))


def _files(path: Path) -> list[Path]:
    """List the files of a recording: itself, the skeletons beside an AMC, the frames of a keypoint folder."""
    if path.is_dir():
        found = sorted(path.glob("*_keypoints.json"))
    else:
        found = [path, *(sorted(path.parent.glob("*.asf")) if path.suffix.lower() == ".amc" else [])]
    return [file for file in found if not is_special(file)]  # the bytes of a pipe come once: its loading needs them
