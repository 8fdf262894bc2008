"""Keep short films of what was reported, where the user asks for it: the only pictures that a watch stores."""

from __future__ import annotations

import datetime
import io
import queue
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError
from vimonet.utils.files import whole_file
from vimonet.watch.stream import Event

BEFORE: Final = 6.0
"""Seconds before an event that its clip shows."""
AFTER: Final = 4.0
"""Seconds after the event was reported that its clip shows."""
_SIDE: Final = 640  # pixels, longer side
_RATE: Final = 12.5  # pictures/s that are kept at most
_QUALITY: Final = 80  # of JPEG, in which they wait in memory: some 30 kB each
_REPORTED_LATE: Final = 4.0  # s by which an event may be reported after it began
_WALL_CLOCK: Final = 1e8  # times above are seconds since 1970


@dataclass
class _Wanted:
    event: Event
    until: float


class ClipKeeper:
    """Keep the last seconds of pictures in memory, and write a film for each event that asks for it.

    Args:
        folder: where the films go; it is made if there is none.
        say: gets remarks for the user.

    Raises:
        InputError: the folder cannot be made.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda text: None) -> None:
        self.folder, self.say, self.written = folder, say, 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: the folder for clips cannot be made ({error.strerror}).") from None
        self._ring: deque[tuple[float, bytes]] = deque()
        self._wanted: list[_Wanted] = []
        self._jobs: queue.Queue[tuple[Event, list[tuple[float, bytes]]] | None] = queue.Queue()
        self._writer = threading.Thread(target=self._write_all, name="vimonet clips", daemon=True)
        self._writer.start()

    def picture(self, time: float, image: NDArray[np.uint8]) -> None:
        """Take the next picture, uint8 [H, W, 3]."""
        if self._ring and time - self._ring[-1][0] < 1 / _RATE - 1e-3:
            return
        self._ring.append((time, _packed(image)))
        while time - self._ring[0][0] > BEFORE + AFTER + _REPORTED_LATE:
            self._ring.popleft()
        for wanted in [one for one in self._wanted if time >= one.until]:
            self._hand_over(wanted)

    def keep(self, event: Event) -> None:
        """Ask for a clip of an event that begins; one that is over has been asked for already."""
        if self._ring and (event.end is None or event.end == event.time):
            newest = self._ring[-1][0]
            if event.id not in [one.event.id for one in self._wanted]:
                self._wanted.append(_Wanted(event, newest + AFTER))

    def close(self) -> None:
        """Write what is still wanted."""
        for wanted in list(self._wanted):
            self._hand_over(wanted)
        self._jobs.put(None)
        self._writer.join(30)

    def _hand_over(self, wanted: _Wanted) -> None:
        self._wanted.remove(wanted)
        start = wanted.event.time - BEFORE
        self._jobs.put((wanted.event, [entry for entry in self._ring if entry[0] >= start]))

    def _write_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            event, pictures = job
            path = self.folder / _name_of(event)
            try:
                with whole_file(path) as part:
                    _write(part, pictures)
                self.written += 1
            except (OSError, ValueError) as error:  # a full disk must not end the watch
                self.say(f"{path}: the clip cannot be written ({getattr(error, 'strerror', None) or error}).")


def _packed(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    picture = Image.fromarray(image)
    picture.thumbnail((_SIDE, _SIDE))
    packed = io.BytesIO()
    picture.save(packed, "JPEG", quality=_QUALITY)
    return packed.getvalue()


def _name_of(event: Event) -> str:
    """Name the film of an event: when, what, and the start of its id."""
    if event.time > _WALL_CLOCK:
        when = datetime.datetime.fromtimestamp(event.time).strftime("%Y%m%d-%H%M%S")
    else:
        when = f"{event.time:09.2f}s"
    kind = re.sub(r"[^a-z0-9]+", "_", event.kind.lower()).strip("_")
    return f"{when}_{kind}_{event.id[:8]}.mp4"


def _write(path: Path, pictures: list[tuple[float, bytes]]) -> None:
    """Write pictures at their times as MP4.

    Raises:
        OSError, ValueError: it cannot be written, or there are no pictures.
    """
    import av
    from PIL import Image

    first = np.asarray(Image.open(io.BytesIO(pictures[0][1])))
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    begun = pictures[0][0]
    with av.open(str(path), "w", format="mp4") as film:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream: Any = film.add_stream(codec, rate=Fraction(25, 2))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        last = -1
        for time, packed in pictures:
            image = np.asarray(Image.open(io.BytesIO(packed)))[:height, :width]
            if image.shape[:2] != (height, width):  # the camera changed its size
                continue
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            last = max(last + 1, round(1000 * (time - begun)))
            frame.pts, frame.time_base = last, Fraction(1, 1000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
