"""A stretch of a video file as the benchmark shows it: named by its place, decoded only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vimonet.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

CHANGES = ("", "mirrored", "reversed", "frozen")


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
        """Key frames spread evenly over the stretch, the middle of each of ``number`` equal parts (of the paper: 8).

        Raises:
            InputError: the file is missing or cannot be decoded.
        """
        import av

        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.video[0]
                length = container.duration / 1e6 if container.duration else 0.0
                begin = self.start or 0.0
                end = self.end if self.end is not None else max(begin, length)
                wanted = [begin + (end - begin) * (k + 0.5) / number for k in range(number)]
                if self.change == "frozen":
                    wanted = [begin] * number
                stream.thread_type = "AUTO"
                container.seek(int(max(0.0, wanted[0] - 0.5) * 1e6))
                found: list[Image.Image] = []
                last = None
                for frame in container.decode(stream):
                    last, time = frame, float(frame.time or 0.0)
                    while len(found) < number and time >= wanted[len(found)] - 1e-3:
                        found.append(frame.to_image())
                    if len(found) == number:
                        break
                if last is None:
                    raise InputError(f"{self.path}: the video holds no frame between {begin:g} and {end:g} s.")
                found += [last.to_image()] * (number - len(found))
        except FileNotFoundError:
            raise InputError(
                f"{self.path}: there is no such video; check the folder the dataset was unpacked to."
            ) from None
        except (av.error.FFmpegError, IndexError, OSError) as error:
            raise InputError(f"{self.path}: the video cannot be decoded ({error}).") from None
        if self.change == "reversed":
            found.reverse()
        if self.change == "mirrored":
            from PIL import Image

            found = [Image.fromarray(np.asarray(image)[:, ::-1]) for image in found]
        return found
