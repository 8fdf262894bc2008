"""Open video containers, and read their timeline and frames."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError
from vimonet.utils.files import is_special

Source = str | os.PathLike[str] | bytes

SUFFIXES: Final[tuple[str, ...]] = tuple(
    [".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp"]
)
"""Suffixes that mark a video even if its first bytes do not."""

EXPECTED: Final = "expected a video such as MP4, MOV, MKV, WebM, AVI or GIF"

# FFmpeg also opens playlists, subtitles, scripts and plain text as video, some of which name other files.
DEMUXERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,apng,mpeg,mpegts,mpegvideo,flv,live_flv,asf,ogg,"
    "h264,hevc,av1,obu,ivf,m4v,mjpeg,mxf,nut,dv,mp3,wav,flac,aac"
)
_MAGIC: Final = (b"\x1aE\xdf\xa3", b"GIF87a", b"GIF89a", b"FLV\x01", b"\x00\x00\x01\xba")
_CUT: Final = 0.5
"""Least difference, s, between the duration in a Matroska header and the content of a truncated file."""
_MAX_ASPECT: Final = 10
_NEVER_SEEK: Final = ("gif", "apng")  # each frame is drawn over the one before


@dataclass(frozen=True)
class VideoInfo:
    """Describe a video.

    Attributes:
        name: for messages.
        width, height: size of the upright frame with square pixels.
        frames: number of frames (packets, damaged ones included).
        duration: time from the first frame to the end of the last, s.
        fps: frames / duration.
        variable_rate: whether the time between frames varies by more than a tenth.
        rotation: rotation for display, degrees anticlockwise.
        alpha: whether it has transparency.
        codec, container: FFmpeg's names.
        size: stored width and height.
        missing: frames that a truncated file lacks by its header.
    """

    name: str
    width: int
    height: int
    frames: int
    duration: float
    fps: float
    variable_rate: bool
    rotation: int
    alpha: bool
    codec: str
    container: str
    size: tuple[int, int]
    missing: int = 0

    def notes(self) -> tuple[str, ...]:
        """Describe a truncated file in a phrase."""
        if not self.missing:
            return ()
        return (f"the file breaks off: it holds {self.frames} of {self.frames + self.missing} frames",)


@dataclass
class Damage:
    """Count unreadable parts."""

    packets: int = 0
    broken: bool = False
    replaced: int = 0

    def notes(self) -> tuple[str, ...]:
        """Describe each kind of damage in a phrase."""
        found = []
        if self.packets:
            found.append(f"{self.packets} damaged packet{'s' * (self.packets > 1)} skipped")
        if self.broken:
            found.append("the file breaks off")
        if self.replaced:
            plural = "s" if self.replaced > 1 else ""
            found.append(f"{self.replaced} wanted frame{plural} replaced by the nearest readable one")
        return tuple(found)


@dataclass(frozen=True)
class Timeline:
    """Hold the times of frames, read from packets without decoding.

    Attributes:
        pts: int64 [N] in time_base, rising; empty if packets carry no times.
        keys: int64 [K], times of key frames.
        time_base: seconds per tick.
        count: N.
        tail: duration of the last frame, ticks; 0 if unknown.
        missing: further frames that the header names.
    """

    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    time_base: Fraction
    count: int
    tail: int = 0
    rate: float = 25.0
    missing: int = 0
    damage: Damage = field(default_factory=Damage)

    @property
    def timed(self) -> bool:
        """Whether every packet has a time of its own."""
        return len(self.pts) > 0

    def seconds(self) -> NDArray[np.float64]:
        """Compute when each frame appears, float64 [N], the first at 0 s."""
        if not self.timed:
            return np.arange(self.count) / self.rate
        return (self.pts - self.pts[0]).astype(np.float64) * float(self.time_base)

    def duration(self) -> float:
        """Compute the seconds from the first frame to the end of the last."""
        times = self.seconds()
        last = self.tail * float(self.time_base)
        if not self.timed or last <= 0:
            last = float(np.median(np.diff(times))) if len(times) > 1 else 1.0 / self.rate
        return float(times[-1]) + last


def is_video(source: Source) -> bool:
    """Test whether a file is a video, by its first bytes or else its suffix."""
    if isinstance(source, bytes):
        head, suffix = source[:16], ""
    else:
        path = Path(source)
        suffix = path.suffix.lower()
        try:
            if not path.is_file():
                return False
            with path.open("rb") as stream:
                head = stream.read(16)
        except OSError:
            return False
    known = head[4:8] == b"ftyp" or (head.startswith(b"RIFF") and head[8:12] == b"AVI ")
    return known or head.startswith(_MAGIC) or suffix in SUFFIXES


def name_of(source: Source) -> str:
    """Name a source for messages."""
    return "standard input" if isinstance(source, bytes) else Path(source).name or str(source)


@contextmanager
def opened(source: Source) -> Iterator[tuple[Any, Any]]:
    """Open a PyAV container and its video stream.

    Raises:
        InputError: the file does not exist, is not a video, or has no frames.
    """
    import av

    name = name_of(source)
    place: Any
    if isinstance(source, bytes):
        place = io.BytesIO(source)
    else:
        path = Path(source)
        if path.is_dir():
            raise InputError(f"{source}: a directory; {EXPECTED}.")
        if not path.is_file():
            missing = "it is no file" if is_special(path) else "there is no such file"
            raise InputError(f"{source}: {missing}; {EXPECTED}.")
        if path.stat().st_size == 0:
            raise InputError(f"{name}: the file is empty; {EXPECTED}.")
        place = f"file:{path}"  # never read as an address or a pattern
    try:
        container = av.open(place, options={"format_whitelist": DEMUXERS, "protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{name}: not a readable video ({reason(error)}); {EXPECTED}.") from None
    with container:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            kinds = "only sound" if container.streams.audio else "no frames"
            raise InputError(f"{name}: it holds {kinds}; {EXPECTED}.")
        stream = streams[0]
        if stream.codec_context is None:
            raise InputError(f"{name}: its video codec cannot be decoded; {EXPECTED}.")
        stream.thread_type = "AUTO"
        yield container, stream


def _is_cover(stream: Any) -> bool:
    """Tell the cover image of a music file from a video stream."""
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def reason(error: Exception) -> str:
    """Name why FFmpeg or the system failed, in a phrase without a full stop."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()).rstrip(".")


def scan(container: Any, stream: Any, name: str) -> Timeline:
    """Read the times of all packets without decoding.

    Raises:
        InputError: the file has no packet of video.
    """
    import av

    times: list[int] = []
    keys: list[int] = []
    count, untimed, tail, passed = 0, 0, 0, 0
    latest: int | None = None
    damage = Damage()
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                passed += packet.pts is not None  # without a time it only marks the end
                continue
            count += 1
            if packet.pts is None:
                untimed += 1
                continue
            if latest is None or packet.pts >= latest:
                latest, tail = packet.pts, packet.duration or 0
            times.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
    except (av.FFmpegError, OSError):
        damage.broken = True
    if not count:
        raise InputError(f"{name}: the video has no frames; at least one is needed.")
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    pts = np.unique(np.array([] if untimed else times, dtype=np.int64))
    if len(pts) != count or container.format.name in _NEVER_SEEK:
        keys = []
    if len(pts) != count:  # two frames at one time, or no times: only the order counts
        pts = np.array([], dtype=np.int64)
    starts = np.unique(np.array(keys, dtype=np.int64))
    end = None if latest is None else float((latest + tail) * stream.time_base)
    missing = max(0, stream.frames - count - passed) or _cut_from_matroska(container, end, rate)
    return Timeline(pts, starts, stream.time_base, count, tail, rate, missing, damage)


def _cut_from_matroska(container: Any, end: float | None, rate: float) -> int:
    """Estimate the missing frames of a truncated Matroska file by the duration in its header."""
    import av

    if "matroska" not in container.format.name or container.duration is None or end is None:
        return 0
    named = container.duration / av.time_base
    if named - end > _CUT and len(container.streams) > 1:  # sound or subtitles may last longer
        container.seek(0)
        timed = (packet for packet in _packets(container) if packet.pts is not None)
        end = max((float((packet.pts + (packet.duration or 0)) * packet.time_base) for packet in timed), default=end)
    lacking = named - end
    return round(lacking * rate) if lacking > _CUT else 0


def _packets(container: Any) -> Iterator[Any]:
    """Read the packets of every stream to the end of the file."""
    import av

    with suppress(av.FFmpegError, OSError):
        yield from container.demux()


def decode(
    container: Any, stream: Any, damage: Damage, wanted: Callable[[], int | None] = lambda: None
) -> Iterator[Any]:
    """Decode frames from here on in display order; skip and count damaged ones.

    Args:
        container, stream: of ``opened``.
        damage: counts.
        wanted: returns the time of the next required frame; earlier frames that no other depends on (most B-frames) are
            skipped. None: every frame is required.
    """
    import av

    try:
        for packet in container.demux(stream):
            needed = wanted()
            early = needed is not None and packet.pts is not None and packet.pts < needed
            stream.codec_context.skip_frame = "NONREF" if early else "DEFAULT"
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError):
                damage.packets += 1
                continue
            yield from frames
    except (av.FFmpegError, OSError):
        damage.broken = True


@dataclass(frozen=True)
class Geometry:
    """Hold the geometry of all frames of one video, even if the stored size changes.

    Attributes:
        width, height: size of a scaled frame before rotation.
        rotation: degrees anticlockwise: 0, 90, 180 or 270.
        alpha: whether to composite transparency over white.
    """

    width: int
    height: int
    rotation: int
    alpha: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright frame."""
        return (self.height, self.width) if self.rotation in (90, 270) else (self.width, self.height)


def geometry(frame: Any, aspect: Fraction | None, max_side: int | None = None) -> Geometry:
    """Read the geometry from the first frame.

    Args:
        frame: ``av.VideoFrame``.
        aspect: width / height of a stored pixel; None for square.
        max_side: longer side after downscaling, pixels.
    """
    width, height = frame.width, frame.height
    if aspect and aspect != 1 and Fraction(1, _MAX_ASPECT) <= aspect <= _MAX_ASPECT:
        width = max(1, round(width * aspect))
    if max_side is not None and max(width, height) > max_side:
        scale = max_side / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    rotation = round((frame.rotation or 0) / 90) * 90 % 360
    return Geometry(width, height, rotation, has_alpha(frame))


def has_alpha(frame: Any) -> bool:
    """Test whether the stored pixels carry transparency."""
    return any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"


def to_rgb(frame: Any, shape: Geometry) -> NDArray[np.uint8]:
    """Convert a frame to uint8 [H, W, 3]: scaled, over white, upright."""
    smaller = shape.width < frame.width or shape.height < frame.height
    image = frame.to_ndarray(
        format="rgba" if shape.alpha else "rgb24",
        width=shape.width,
        height=shape.height,
        interpolation="AREA" if smaller else "BICUBIC",
    )
    if shape.alpha:
        opaque = image[..., 3:].astype(np.uint16)
        image = ((image[..., :3] * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(np.rot90(image, shape.rotation // 90))
