"""Read recordings into the features of their windows, in several processes where there are many."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.features import NormalisedFeatures
from vimonet.retrieval.storage import Entry, entry_of
from vimonet.utils.errors import InputError
from vimonet.utils.workers import begin_worker

MANY = 100
"""Number of new recordings from which further processes pay for their start, half a second of work each."""
_MEANWHILE = 32
"""Recordings that this process reads while the others start."""
_TOGETHER = 8
"""Recordings that are handed to a process at once."""
_AHEAD = 64
"""Lots of `_TOGETHER` recordings that are handed out before the first result is taken."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Hold what was read of one recording.

    Attributes:
        entry: its entry: the old one of an unchanged recording, else one without vectors.
        features: features of its windows, float32 [T', D] each; empty if it is unchanged.
        dimensions: 3 or 2.
        failed: reason why it cannot be read; empty if it was read.
    """

    entry: Entry
    features: tuple[NDArray[np.float32], ...] = ()
    dimensions: int = 3
    failed: str = ""


def process_count(paths: Sequence[str], known: Mapping[str, Entry]) -> int:
    """Choose how many processes read recordings: one per core if `MANY` or more are new, else one."""
    new = sum(path not in known for path in paths)
    return (os.cpu_count() or 1) if new >= MANY else 1


def read_all(
    root: Path,
    paths: Sequence[str],
    known: Mapping[str, Entry],
    windows: Sequence[int],
    extractor: NormalisedFeatures,
    processes: int = 1,
) -> Generator[tuple[str, Reading], None, None]:
    """Read recordings in order, and yield each path with what was read.

    Args:
        root: folder of the recordings.
        paths: paths relative to `root`.
        known: entries of an index by path; an unchanged recording is not read again, its entry is yielded.
        windows: lengths of the windows, frames at 20 frames/s.
        extractor: makes the features of a window.
        processes: number of further processes (`process_count`); below 2, the calling process reads.

    Raises:
        InputError: a process was killed.
    """
    read = partial(read_one, root, windows=tuple(windows), extractor=extractor.alone())
    if processes < 2:
        for path in paths:
            yield path, read(path, known.get(path))
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _start, (read,))
    waiting: deque[tuple[Sequence[str], Future[list[Reading]]]] = deque()
    left = (paths[start : start + _TOGETHER] for start in range(_MEANWHILE, len(paths), _TOGETHER))

    def hand_out(times: int) -> None:
        for some in islice(left, times):
            waiting.append((some, pool.submit(_read_here, some, [known.get(path) for path in some])))

    try:
        hand_out(_AHEAD)
        for path in paths[:_MEANWHILE]:
            yield path, read(path, known.get(path))
        while waiting:
            some, readings = waiting.popleft()
            yield from zip(some, readings.result(), strict=True)
            hand_out(1)
    except BrokenProcessPool:
        raise InputError(
            f"{root}: a process was killed while it read recordings, perhaps for lack of memory; what was read is "
            "kept, give the command again."
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def read_one(
    root: Path, path: str, old: Entry | None, *, windows: Sequence[int], extractor: NormalisedFeatures
) -> Reading:
    """Read one recording into the features of its windows; what cannot be read has a reason."""
    from vimonet.motion import load
    from vimonet.motion.io.loading import check_name

    empty = Entry(path, "", "", np.zeros((0, 2), np.int32), np.zeros((0, 0), np.float16))
    try:
        check_name(path)
        entry = entry_of(root, path, old)
        if entry.bounds.size:
            return Reading(entry)
        motion = load(root / path)
        bounds = windows_of(motion.frames, windows)
        features = tuple(extractor.extract_windows(motion, bounds))
    except (InputError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        return Reading(empty, failed=f"{path}: it cannot be read ({why})." if why else str(error))
    spans = np.array(bounds, np.int32).reshape(-1, 2)
    return Reading(Entry(path, entry.stamp, entry.digest, spans, entry.vectors), features, motion.dimensions)


def windows_of(frames: int, lengths: Sequence[int]) -> list[tuple[int, int]]:
    """List the windows (start, end) of a recording; those of one length, in frames, overlap by half."""
    return sorted({pair for n in lengths for pair in split(frames, n, n // 2)})


def split(frames: int, window: int, stride: int) -> list[tuple[int, int]]:
    """Cut a recording into windows (start, end) of `window` frames every `stride`; the last window ends with it."""
    if frames <= window:
        return [(0, frames)]
    starts = list(range(0, frames - window, stride))
    return [(start, start + window) for start in [*starts, frames - window]]


_HERE: Any = None


def _start(read: Any) -> None:
    global _HERE
    begin_worker()
    import_module("pyarrow.csv")  # BVH is parsed by it in a process that has it (`motion.io.bvh_text`)
    _HERE = read


def _read_here(paths: Sequence[str], old: Sequence[Entry | None]) -> list[Reading]:
    return [_HERE(path, entry) for path, entry in zip(paths, old, strict=True)]
