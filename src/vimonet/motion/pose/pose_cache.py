"""Poses of videos already seen, in the user's cache folder: estimating takes as long as watching."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path

from vimonet.motion.pose.estimation import MAX_RATE, estimate, estimator_of
from vimonet.utils.cache import cache_folder
from vimonet.video import Source, probe

_VERSION = 2  # of how poses are made: those of another version are not used
_KEEP_DAYS = 30


def keypoint_json(
    source: Source,
    estimator: str | None = None,
    *,
    person: int = 1,
    max_rate: float = MAX_RATE,
    remember: bool = True,
    progress: bool = False,
) -> str:
    """Keypoint JSON of one person in a video, taken from the cache where the same file was estimated before.

    Args:
        source: a path, or the bytes of a file.
        estimator: as ``estimator_of`` takes it.
        person: 1 for the most prominent.
        max_rate: frames per second that are looked at, at most.
        remember: False neither reads nor writes the cache.
        progress: show a bar, on a terminal.

    Raises:
        InputError: as ``estimate``, or the estimator is not installed.
    """
    name = estimator or os.environ.get("VIMONET_POSE") or "mediapipe"
    path = _place(source, name, person, max_rate) if remember else None
    if path is not None:
        with contextlib.suppress(OSError, ValueError):
            text = path.read_text(encoding="utf-8")
            json.loads(text)  # cut off or spoilt: made anew
            return text
    text = estimate(source, lambda: estimator_of(name), person=person, max_rate=max_rate, progress=progress).to_json()
    if path is not None:
        _write(path, text)
    return text


def _place(source: Source, estimator: str, person: int, max_rate: float) -> Path | None:
    """The file under which the poses of a video's content are kept."""
    if isinstance(source, bytes):
        digest = hashlib.sha256(source)
    else:
        probe(source)  # a file that is no video is told as one
        with Path(source).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
    weights = [
        (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for folder in estimator.partition(":")[2].split(",")
        if folder and Path(folder).is_dir()
        for file in sorted(Path(folder).iterdir())
    ]
    digest.update(json.dumps([_VERSION, estimator, weights, person, max_rate]).encode())
    try:
        return cache_folder() / "poses" / f"{digest.hexdigest()[:40]}.json"
    except (OSError, RuntimeError):  # no home
        return None


def _write(path: Path, text: str) -> None:
    """Keep it; where the folder cannot be written nothing is kept and nothing fails."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in path.parent.glob("*.json"):
            if old.stat().st_mtime < time.time() - _KEEP_DAYS * 86400:
                old.unlink(missing_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(temporary, path)
