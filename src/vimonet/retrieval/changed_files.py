"""The recordings of a folder: which there are, and which have changed since they were indexed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from vimonet.retrieval.storage import Entry
from vimonet.utils.errors import InputError


def find_recordings(folder: Path) -> list[str]:
    """Recordings in a folder at any depth, relative to it and sorted; a folder of one keypoint JSON per frame is one.

    Raises:
        InputError: no such folder.
    """
    from vimonet.motion.io import SUFFIXES

    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; give the one your recordings lie in.")
    found = []
    for place, folders, files in os.walk(folder):
        folders.sort()
        here = Path(place).relative_to(folder)
        if any(name.endswith("_keypoints.json") for name in files):
            found.append(here.as_posix())
            files = [name for name in files if not name.endswith("_keypoints.json")]
        found += [(here / name).as_posix() for name in files if name.lower().endswith(SUFFIXES)]
    return sorted(found)


def entry_of(root: Path, path: str, old: Entry | None) -> Entry:
    """The entry as it was when the recording has not changed, else one without windows."""
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
    """All files a recording depends on: itself, an AMC's skeletons, the frames of a keypoint folder."""
    if path.is_dir():
        return sorted(path.glob("*_keypoints.json"))
    beside = sorted(path.parent.glob("*.asf")) if path.suffix.lower() == ".amc" else []
    return [path, *beside]
