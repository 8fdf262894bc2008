"""A stretch of a video file as the benchmark shows it: named by its place, decoded only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

    from vimonet.video import VideoFrames

CHANGES = ("", "mirrored", "reversed", "frozen")
MAX_SIDE = 768
"""Pixels of a key frame's longer side: more costs tokens and shows no more of a movement."""


@dataclass(frozen=True)
class Video:
    """A stretch of a video.

    Attributes:
        path: file.
        start, end: seconds; None for the beginning and the end of the file.
        change: what a control does to it, one of :data:`CHANGES`.
    """

    path: Path
    start: float | None = None
    end: float | None = None
    change: str = ""

    dimensions = 0
    frames = 0
    """As a movement has them: videos are never exchanged for movements, and their length is not known unopened."""

    def changed(self, change: str) -> Video:
        """The same stretch mirrored, reversed or frozen."""
        return replace(self, change=change)

    def key_frames(self, number: int = 8) -> list[Image.Image]:
        """Key frames spread over the stretch as the paper samples them, as the control shows them.

        Raises:
            InputError: the file is missing or cannot be decoded.
        """
        from PIL import Image

        return [Image.fromarray(frame) for frame in self.clip(number).images]

    def clip(self, number: int = 8) -> VideoFrames:
        """The same frames with their times, which count from the file's beginning and rise whatever the control does.

        Raises:
            InputError: the file is missing or cannot be decoded.
        """
        from vimonet.video import read

        found = read(self.path, number, start=self.start, end=self.end, max_side=MAX_SIDE)
        images = found.images
        if self.change == "reversed":
            images = images[::-1]
        elif self.change == "mirrored":
            images = images[:, :, ::-1]
        elif self.change == "frozen":
            images = np.repeat(images[:1], len(images), axis=0)
        return replace(found, images=np.ascontiguousarray(images))
