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
from vimonet.vimos.dataset_writer import Skipped
from vimonet.vimos.parquet import Caption, Record
from vimonet.vimos.types import Part

MAX_FRAMES = 196
"""Longest clip: 9.8 s at 20 frames/s, the length that HumanML3D cuts at (Guo et al. 2022) and the models read."""

MIN_SECONDS = 0.4
"""Shortest clip, and shortest part of an action that a window keeps."""

_SPLITS = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "eval": "test", "testing": "test"}


@dataclass(frozen=True)
class Source:
    """Hold the columns that all rows of one recording share.

    Attributes:
        name: corpus.
        file: path relative to the corpus.
        recording: unit of splits.
        split, licence: columns of its rows.
        seed: seed of the questions.
    """

    name: str
    file: str
    recording: str
    split: str
    licence: str
    seed: int = 0


def hashed_split(recording: str, val: float, test: float, seed: int = 0) -> str:
    """Choose ``train``, ``val`` or ``test`` by the hash of a recording's name, the same in every build.

    Args:
        recording: name of the recording.
        val, test: shares of these splits, 0..1.
        seed: seed of the hash.
    """
    place = zlib.crc32(f"{seed}/{recording}".encode(errors="surrogatepass")) / 2**32
    return "test" if place < test else "val" if place < test + val else "train"


def split_name(text: str, where: str) -> str:
    """Normalise the name of a split: ``validation`` is ``val``, ``testing`` is ``test``.

    Raises:
        InputError: `text` is no valid name of a folder.
    """
    name = _SPLITS.get(text.strip().lower(), text.strip().lower())
    if not name.isidentifier() or not name.isascii() or len(name) > 40 or name == "video":
        raise InputError(f"{where}: split '{text}' cannot be a split's name; give train, val or test.")
    return name


def centred(motion: Motion) -> Motion:
    """Shift a 3D movement to start above the origin, where storage keeps half-millimetre steps."""
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
    """Cut a recording into clips: the whole recording, or windows of at most 9.8 s.

    An untimed caption describes the whole recording and is kept only if the recording is one clip. A timed caption that
    fits no window gets a clip of exactly its span. Actions are cut at the edges of a clip.

    Args:
        motion: the recording.
        source: shared columns of its rows.
        captions: captions, timed in s of the recording or untimed.
        actions: labelled segments in s of the recording, which may overlap.
        others: action phrases of the corpus, from which absent ones are drawn.
        video: path in the dataset of the video of the same recording.
        clips: spans to cut, in s, instead of windows.
        provenance: further entries of the provenance column.

    Yields:
        A record per clip, and a note per caption or span left out.
    """
    whole = motion.duration
    spans = list(clips) or _windows(motion)
    cut = len(spans) > 1 or spans[0] != (0.0, whole)
    for one in captions:
        if one.start is None:
            if cut:
                reason = f"an untimed caption left out: it describes {whole:.1f} s, cut into clips; give it times."
                yield Skipped(source.file, reason)
        elif not any(_inside(one, span) for span in spans) and one.end is not None:
            spans.append((max(0.0, one.start), min(whole, one.end)))
    for start, end in dict.fromkeys(spans):
        first, last = round(start * motion.fps), round(end * motion.fps)
        if last - first < MIN_SECONDS * motion.fps:
            yield Skipped(source.file, f"{start:.2f}-{end:.2f} s left out: shorter than {MIN_SECONDS:g} s.")
            continue
        if last - first > MAX_FRAMES and len(spans) > 1 and (start, end) not in clips:
            reason = f"a caption of {start:.1f}-{end:.1f} s left out: longer than {MAX_FRAMES / motion.fps:.1f} s."
            yield Skipped(source.file, reason)
            continue
        clip = centred(motion.window(first, last))
        name = f"{source.name}/{source.file}" + (f"@{first}-{last}" if cut or len(spans) > 1 else "")
        begin, length = first / motion.fps, clip.duration
        parts = _cut(actions, begin, length)
        own = _captions_of(captions, (start, end), begin, length, untimed=not cut)
        rng = random.Random(f"{source.seed}/{name}")
        test = source.split.startswith("test")
        instructions, all_captions = annotate(clip, parts, own, rng, others, test=test)
        yield Record(
            name,
            source.name,
            source.recording,
            source.split,
            source.licence,
            clip.named(name),
            video=video,
            video_span=None if video is None or not (cut or len(spans) > 1) else (begin, begin + length),
            actions=tuple(parts),
            captions=all_captions,
            instructions=instructions,
            provenance={"file": source.file, "frames": [first, last], "fps": motion.source_fps, **(provenance or {})},
        )


def _windows(motion: Motion) -> list[tuple[float, float]]:
    """Cut a long recording into consecutive windows; a remainder under 2 s is left out."""
    if motion.frames <= MAX_FRAMES:
        return [(0.0, motion.duration)]
    starts = range(0, motion.frames - 39, MAX_FRAMES)
    return [(a / motion.fps, min(motion.frames, a + MAX_FRAMES) / motion.fps) for a in starts]


def _inside(caption: Caption, span: tuple[float, float]) -> bool:
    assert caption.start is not None
    return caption.start >= span[0] - 0.1 and (caption.end is None or caption.end <= span[1] + 0.1)


def _cut(actions: Sequence[Part], begin: float, length: float) -> list[Part]:
    parts = []
    for part in sorted(actions, key=lambda p: (p.start, p.end)):
        start, end = max(0.0, part.start - begin), min(length, part.end - begin)
        if end - start >= min(MIN_SECONDS, part.end - part.start) and end > start:
            parts.append(Part(part.action, start, end))
    return parts


def _captions_of(
    captions: Sequence[Caption], span: tuple[float, float], begin: float, length: float, *, untimed: bool
) -> list[Caption]:
    """Collect the captions of a clip, timed in s of the clip; a caption of the whole clip becomes untimed."""
    found = []
    for caption in captions:
        if caption.start is None:
            if untimed:
                found.append(caption)
        elif _inside(caption, span):
            start = max(0.0, caption.start - begin)
            end = min(length, (caption.end if caption.end is not None else begin + length) - begin)
            full = start < 0.1 and end > length - 0.1
            found.append(replace(caption, start=None, end=None) if full else replace(caption, start=start, end=end))
    return found
