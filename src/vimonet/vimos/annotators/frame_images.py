"""Key frames of a video as PNG files in memory, for a model that sees."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vimonet.utils.errors import InputError
from vimonet.video import read


@dataclass(frozen=True)
class KeyFrames:
    """Frames of a video: PNG bytes in order, their times in s, and the video's length in s."""

    images: tuple[bytes, ...]
    times: tuple[float, ...]
    duration: float


def key_frames(path: str | Path, count: int = 8, *, longest_side: int = 512) -> KeyFrames:
    """The middle frame of each of `count` equal parts of a video: together they cover all of its time.

    Args:
        path: a video that PyAV reads.
        count: frames wanted; a shorter video gives each of its frames once.
        longest_side: pixels; smaller frames keep their size.

    Raises:
        InputError: no such file, not a video, or a damaged one.
    """
    clip = read(path, count, by="parts", max_side=longest_side)
    if clip.notes:  # a caption of what is not there would be worse than none
        raise InputError(f"{path}: {'; '.join(clip.notes)}; expected an undamaged video.")
    return KeyFrames(tuple(map(_png, clip.images)), tuple(clip.times.tolist()), clip.duration)


def _png(picture: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
