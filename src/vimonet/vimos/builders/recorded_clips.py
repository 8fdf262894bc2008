"""Cut recordings into annotated clips and splits, for the builders of recorded sources."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vimonet.motion import Motion
from vimonet.utils.errors import InputError
from vimonet.vimos.annotators.annotate import annotate
from vimonet.vimos.builders.vimos_open.augment import MAX_FRAMES
from vimonet.vimos.dataset_writer import Skipped
from vimonet.vimos.parquet import Caption, Record
from vimonet.vimos.types import Part

MIN_SECONDS = 0.4
"""Shorter stretches are no clips and, cut by the edge of a window, no actions of it."""

_SPLITS = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "eval": "test", "testing": "test"}


@dataclass(frozen=True)
class Source:
    """Where a recording comes from: columns of its rows.

    Attributes:
        name: corpus.
        file: of the recording, relative to the corpus.
        recording: unit of splits.
        split, licence: of all its clips.
        seed: of the questions.
    """

    name: str
    file: str
    recording: str
    split: str
    licence: str
    seed: int = 0


def hashed_split(recording: str, val: float, test: float, seed: int = 0) -> str:
    """Choose ``train``, ``val`` or ``test`` by the hash of a recording's name: the same in every build."""
    place = zlib.crc32(f"{seed}/{recording}".encode()) / 2**32
    return "test" if place < test else "val" if place < test + val else "train"


def split_name(text: str, where: str) -> str:
    """Normalise the name of a split: ``validation`` is ``val``, ``testing`` is ``test``.

    Raises:
        InputError: not a name for a folder.
    """
    name = _SPLITS.get(text.strip().lower(), text.strip().lower())
    if not name.isidentifier() or not name.isascii() or len(name) > 40 or name == "video":
        raise InputError(f"{where}: split '{text}' cannot be a split's name; give train, val or test.")
    return name


def centred(motion: Motion) -> Motion:
    """Shift a movement to begin above the origin, where storage keeps steps of half a millimetre."""
    if motion.dimensions == 2:
        return motion
    return replace(motion, joints=motion.joints - motion.joints[:1, :1] * np.array([1, 0, 1], np.float32))


def records_of(
    motion: Motion,
    source: Source,
    captions: Sequence[Caption] = (),
    actions: Sequence[Part] = (),
    others: Sequence[str] = (),
    *,
    video: str | None = None,
    clips: Sequence[tuple[float, float]] = (),
    provenance: dict[str, Any] | None = None,
) -> Iterator[Record | Skipped]:
    """Cut a recording into clips: one of all of it, or windows of at most 9.8 s of a longer one.

    Captions without times speak of the whole recording and go with it only while it is whole; a timed caption, or one
    that crosses the edge of a window, goes with a clip of just its stretch. Actions are cut at the edges.

    Args:
        motion: the recording.
        source: columns of its rows.
        captions: with times in seconds of the recording, or without.
        actions: labelled stretches in seconds of the recording; they may overlap.
        others: action phrases of the corpus, for absent ones.
        video: path in the dataset of the video of the same recording.
        clips: stretches to cut, in seconds, instead of windows.
        provenance: what else is known of where it comes from.
    """
    whole = motion.duration
    spans = list(clips) or _windows(motion)
    cut = len(spans) > 1 or spans[0] != (0.0, whole)
    for told in captions:
        if told.start is None:
            if cut:
                reason = f"a caption without times left out: it speaks of {whole:.1f} s, cut into clips; give it times."
                yield Skipped(source.file, reason)
        elif not any(_inside(told, span) for span in spans) and told.end is not None:
            spans.append((max(0.0, told.start), min(whole, told.end)))
    for start, end in dict.fromkeys(spans):
        first, last = round(start * motion.fps), round(end * motion.fps)
        if last - first < MIN_SECONDS * motion.fps:
            yield Skipped(source.file, f"{start:.2f}-{end:.2f} s left out: shorter than {MIN_SECONDS:g} s.")
            continue
        if last - first > MAX_FRAMES and len(spans) > 1 and (start, end) not in clips:
            reason = f"a caption of {start:.1f}-{end:.1f} s left out: longer than {MAX_FRAMES / motion.fps:.1f} s."
            yield Skipped(source.file, reason)
            continue
        piece = centred(motion.window(first, last))
        name = f"{source.name}/{source.file}" + (f"@{first}-{last}" if cut or len(spans) > 1 else "")
        begin, length = first / motion.fps, piece.duration
        parts = _cut(actions, begin, length)
        said = _said(captions, (start, end), begin, length, untimed=not cut)
        rng = random.Random(f"{source.seed}/{name}")
        test = source.split.startswith("test")
        instructions, told_all = annotate(piece, parts, said, rng, others, test=test)
        yield Record(
            name,
            source.name,
            source.recording,
            source.split,
            source.licence,
            piece.named(name),
            video=video,
            video_span=None if video is None or not (cut or len(spans) > 1) else (begin, begin + length),
            actions=tuple(parts),
            captions=told_all,
            instructions=instructions,
            provenance={"file": source.file, "frames": [first, last], "fps": motion.source_fps, **(provenance or {})},
        )


def _windows(motion: Motion) -> list[tuple[float, float]]:
    """Cut a long recording into consecutive windows; a remainder under 2 s is left out."""
    if motion.frames <= MAX_FRAMES:
        return [(0.0, motion.duration)]
    starts = range(0, motion.frames - 39, MAX_FRAMES)
    return [(a / motion.fps, min(motion.frames, a + MAX_FRAMES) / motion.fps) for a in starts]


def _inside(told: Caption, span: tuple[float, float]) -> bool:
    assert told.start is not None
    return told.start >= span[0] - 0.1 and (told.end is None or told.end <= span[1] + 0.1)


def _cut(actions: Sequence[Part], begin: float, length: float) -> list[Part]:
    parts = []
    for part in sorted(actions, key=lambda p: (p.start, p.end)):
        start, end = max(0.0, part.start - begin), min(length, part.end - begin)
        if end - start >= min(MIN_SECONDS, part.end - part.start) and end > start:
            parts.append(Part(part.action, start, end))
    return parts


def _said(
    captions: Sequence[Caption], span: tuple[float, float], begin: float, length: float, *, untimed: bool
) -> list[Caption]:
    """Collect the captions of a clip; one that speaks of all of it needs no times."""
    said = []
    for told in captions:
        if told.start is None:
            if untimed:
                said.append(told)
        elif _inside(told, span):
            start = max(0.0, told.start - begin)
            end = min(length, (told.end if told.end is not None else begin + length) - begin)
            full = start < 0.1 and end > length - 0.1
            said.append(replace(told, start=None, end=None) if full else replace(told, start=start, end=end))
    return said
