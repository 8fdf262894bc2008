"""Read pictures as they come: a camera of this machine, a network stream, a film that may still grow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from vimonet.utils.errors import InputError
from vimonet.video.container import DEMUXERS, Damage, Geometry, decode, geometry, opened, reason, to_rgb
from vimonet.watch.readings import Picture, SourceEnded, SourceLost

MAX_SIDE: Final = 1280
"""Longer side of the pictures that are looked at, pixels; larger ones are scaled down."""
PATIENCE: Final = 5.0
"""Seconds that a network stream may take to open or to send on."""
STILL: Final = 10.0
"""Seconds without growth after which a film counts as finished."""
_HEAD: Final = 1 << 20  # bytes in which a fragmented MP4 says that it is
_POLL: Final = 0.05  # s between two looks at a film that may have grown
_WANTED: Final = (1280, 720)  # asked of a camera of this machine
_PROTOCOLS: Final = {
    "http": "http,https,tcp,tls,crypto,httpproxy",
    "https": "http,https,tcp,tls,crypto,httpproxy",
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsp,rtsps,rtp,udp,tcp,tls",
    "rtmp": "rtmp,tcp",
}
"""Protocols that FFmpeg may use beneath an address: never ``file``, which a playlist could name."""


class _Frames:
    """Decode the frames of an open container one at a time, whatever size each has."""

    def __init__(self, container: Any, stream: Any) -> None:
        self.container, self.stream, self.damage = container, stream, Damage()
        self._frames: Iterator[Any] = decode(container, stream, self.damage)
        self._shape: Geometry | None = None
        self._stored: tuple[int, int] | None = None

    def next(self) -> Picture | None:
        """Decode the next frame; None at the end."""
        frame = next(self._frames, None)
        if frame is None:
            return None
        if self._shape is None or self._stored != (frame.width, frame.height):
            self._stored = (frame.width, frame.height)
            self._shape = geometry(frame, self.stream.sample_aspect_ratio, MAX_SIDE)
        at = None if frame.pts is None else float(frame.pts * self.stream.time_base)
        return Picture(at, to_rgb(frame, self._shape))


class LocalCamera:
    """Read a camera of this machine by its number, through OpenCV, which the extra ``pose`` brings."""

    live = pictures = endless = True

    def __init__(self, number: int) -> None:
        self.number, self.name = number, f"camera {number}"
        self._camera: Any = None

    def open(self) -> None:
        """See ``Source``."""
        try:
            import cv2
        except ImportError:
            raise InputError(f"{self.name}: it needs OpenCV; install ViMoNet with its extra pose.") from None
        self._camera = cv2.VideoCapture(self.number)
        if not self._camera.isOpened():
            self._camera.release()
            raise SourceLost("there is no such camera, or another program has it")
        self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, _WANTED[0])
        self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, _WANTED[1])

    def read(self) -> Picture | None:
        """See ``Source``."""
        good, image = self._camera.read()
        if not good or image is None:
            raise SourceLost("the camera gives no more pictures")
        step = -(-max(image.shape[:2]) // MAX_SIDE)
        return Picture(None, np.ascontiguousarray(image[::step, ::step, ::-1]))  # OpenCV's are BGR

    def close(self) -> None:
        """See ``Source``."""
        if self._camera is not None:
            self._camera.release()


class StreamCamera:
    """Read a network camera: ``rtsp://``, ``udp://``, ``http://`` (HLS, MJPEG, TS) ..."""

    live = pictures = endless = True

    def __init__(self, address: str) -> None:
        self._address = address
        self.name = _without_password(address)
        self._container: Any = None
        self._frames: _Frames | None = None

    def open(self) -> None:
        """See ``Source``."""
        import av

        scheme = self._address.partition("://")[0].lower()
        options = {"protocol_whitelist": _PROTOCOLS.get(scheme, f"{scheme},udp,tcp,rtp"), "fflags": "nobuffer"}
        options["analyzeduration"] = "1000000"  # us that are looked at before the first picture
        if scheme.startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # udp loses packets, which shows as smeared pictures
        else:
            options["format_whitelist"] = f"{DEMUXERS},hls,mpjpeg,rtp,sdp,rtsp"
        try:
            self._container = av.open(self._address, options=options, timeout=(PATIENCE, PATIENCE))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceLost(f"it cannot be opened: {reason(error)}") from None
        if not self._container.streams.video:
            self.close()
            raise SourceLost("it sends no video")
        stream = self._container.streams.video[0]
        stream.thread_type = "SLICE"  # threads by frame would hold frames back
        self._frames = _Frames(self._container, stream)

    def read(self) -> Picture | None:
        """See ``Source``."""
        assert self._frames is not None
        picture = self._frames.next()
        if picture is None:
            raise SourceLost("the connection broke off" if self._frames.damage.broken else "the stream ended")
        return picture

    def close(self) -> None:
        """See ``Source``."""
        if self._container is not None:
            self._container.close()
            self._container = None


class Film:
    """Read a film from its start; one that is still being written (TS, MKV, fragmented MP4) until it grows no more."""

    pictures = True
    endless = False

    def __init__(self, path: Path, once: bool = False) -> None:
        self.path, self.name, self.once = path, str(path), once
        self.live = False
        self._context: Any = None
        self._frames: _Frames | None = None
        self._stream: _Growing | None = None
        self._seen = False

    def open(self) -> None:
        """See ``Source``."""
        if self.once or not self._may_grow():
            self._context = opened(self.path)
            self._frames = _Frames(*self._context.__enter__())
            return
        import av

        self._stream = _Growing(self.path)
        try:
            container = av.open(self._stream, options={"format_whitelist": DEMUXERS})
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(
                f"{self.name}: it cannot be read while it is written ({reason(error)}); record MKV, TS or fragmented "
                "MP4, or wait until it is finished."
            ) from None
        if not container.streams.video:
            container.close()
            raise InputError(f"{self.name}: it holds no video.")
        self._context = container
        self._frames = _Frames(container, container.streams.video[0])

    def _may_grow(self) -> bool:
        """Tell whether the film was written to just now; an MP4 that is not fragmented can be opened when finished."""
        if time.time() - self.path.stat().st_mtime > STILL:
            return False
        with self.path.open("rb") as stream:
            head = stream.read(_HEAD)
        if head[4:8] != b"ftyp" or b"mvex" in head:
            return True
        try:
            with opened(self.path):
                return False
        except InputError:
            return True

    def read(self) -> Picture | None:
        """See ``Source``."""
        assert self._frames is not None
        picture = self._frames.next()
        if picture is None:
            if not self._seen:
                raise InputError(f"{self.name}: none of its frames can be decoded; give an undamaged video.")
            raise SourceEnded
        self._seen = True
        return picture

    @property
    def damage(self) -> tuple[str, ...]:
        """Phrases on parts that could not be read."""
        return self._frames.damage.notes() if self._frames else ()

    def close(self) -> None:
        """See ``Source``."""
        if self._context is not None:
            self._context.__exit__(None, None, None)
            self._context = None
        if self._stream is not None:
            self._stream.stop()


class _Growing:
    """Read a file that is still being written: its end is where it has not grown for some seconds."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = path.open("rb")
        self._stopped = False

    def read(self, size: int = -1) -> bytes:
        """Read bytes, and wait for them while the file may grow."""
        since = time.monotonic()
        while True:
            data = self._file.read(size)
            if data or self._stopped or time.monotonic() - since > STILL:
                return data
            time.sleep(_POLL)

    def stop(self) -> None:
        """Wait no longer, and close the file."""
        self._stopped = True
        self._file.close()


def _without_password(address: str) -> str:
    """Hide user and password of an address, which messages and events would carry into logs."""
    scheme, separator, rest = address.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
