"""Read frames of a video: chosen ones by seeking to them, or all in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError
from vimonet.video.container import (
    Damage,
    Geometry,
    Source,
    Timeline,
    VideoInfo,
    decode,
    geometry,
    name_of,
    opened,
    scan,
    to_rgb,
)

_MAX_BYTES = 4 * 2**30


@dataclass(frozen=True)
class VideoFrames:
    """Hold chosen frames of a video.

    Attributes:
        images: uint8 [N, H, W, 3], RGB, upright, square pixels.
        times: float64 [N], seconds since the start of the video, or of the requested span.
        name: for messages.
        duration: duration that the frames represent, s.
        indices: int64 [N], indices of the frames in the file; None for frames given as an array.
        info: properties of the file, or None.
        notes: a phrase for each kind of damage.
    """

    images: NDArray[np.uint8]
    times: NDArray[np.float64]
    name: str = "video"
    duration: float = 0.0
    indices: NDArray[np.int64] | None = None
    info: VideoInfo | None = None
    notes: tuple[str, ...] = ()

    def span(self, start: float | None, end: float | None) -> VideoFrames:
        """Keep the frames between two times, s (at least the nearest one); `start` becomes time 0."""
        if start is None and end is None:
            return self
        first = start or 0.0
        inside = (self.times >= first) & (self.times <= (np.inf if end is None else end))
        if not inside.any():
            inside[np.abs(self.times - first).argmin()] = True
        stop = self.duration if end is None else min(end, self.duration)
        return replace(self._taken(np.flatnonzero(inside)), times=self.times[inside] - first, duration=stop - first)

    def pick(self, count: int) -> VideoFrames:
        """Choose `count` frames evenly from first to last; some repeat if there are fewer."""
        return self if len(self.images) == count else self._taken(key_frames(len(self.images), count))

    def _taken(self, chosen: NDArray[np.int64]) -> VideoFrames:
        indices = None if self.indices is None else self.indices[chosen]
        return replace(self, images=self.images[chosen], times=self.times[chosen], indices=indices)


@dataclass(frozen=True)
class Shot:
    """Hold one frame: its index, seconds after the first frame, and uint8 [H, W, 3] (RGB, upright, square pixels)."""

    index: int
    time: float
    image: NDArray[np.uint8]


def probe(source: Source) -> VideoInfo:
    """Describe a video from its packets and its first frame.

    Raises:
        InputError: the file is not a readable video.
    """
    name = name_of(source)
    with opened(source) as (container, stream):
        timeline = scan(container, stream, name)
    with opened(source) as (container, stream):
        frame = next(decode(container, stream, Damage()), None)
        if frame is None:
            raise InputError(_undecodable(name))
        return _info(name, container, stream, frame, timeline)


def read(
    source: Source,
    count: int = 8,
    *,
    rate: float | None = None,
    start: float | None = None,
    end: float | None = None,
    by: str = "frames",
    max_side: int | None = None,
) -> VideoFrames:
    """Read chosen frames; each is decoded from the key frame before it.

    Args:
        source: a path, or the bytes of a file.
        count: number of frames, spread over the whole span (or start..end) by `key_frames`.
        rate: frames per second instead of a count.
        start, end: span to sample, s.
        by: 'frames' samples evenly over the frames as in the paper; 'time' evenly over the seconds, which differs for a
            variable frame rate; 'parts' takes the middle of `count` equal parts of the whole video, each frame of a
            shorter video once.
        max_side: longer side after downscaling, pixels.

    Raises:
        InputError: not a readable video, an empty span, or more frames than fit into memory.
    """
    name = name_of(source)
    with opened(source) as (container, stream):
        timeline = scan(container, stream, name)
    times = timeline.seconds()
    wanted = _choose(timeline, times, name, count, rate, start, end, by)
    with opened(source) as (container, stream):
        taker = _Taker(container, stream, timeline, name, max_side, len(wanted))
        images = taker.take(sorted(set(wanted.tolist())))
        missing = [index for index in set(wanted.tolist()) if index not in images]
    if missing:
        with opened(source) as (container, stream):
            taker.restart(container, stream)
            images |= taker.in_order(missing)
    assert taker.info is not None
    notes = tuple(dict.fromkeys((*taker.info.notes(), *timeline.damage.notes(), *taker.damage.notes())))
    stacked, info = np.stack([images[index] for index in wanted.tolist()]), taker.info
    return VideoFrames(stacked, times[wanted], info.name, info.duration, wanted, info, notes)


def frames(
    source: Source, *, step: int = 1, max_side: int | None = None, damage: Damage | None = None
) -> Iterator[Shot]:
    """Read every frame in order, one at a time in memory.

    Args:
        source: a path, or the bytes of a file.
        step: 1 for every frame, 2 for every 2nd ...
        max_side: longer side after downscaling, pixels.
        damage: counts unreadable parts.

    Raises:
        InputError: the file is not a readable video, or no frame can be decoded.
    """
    name = name_of(source)
    shape: Geometry | None = None
    origin: int | None = None
    with opened(source) as (container, stream):
        fps = float(stream.average_rate or stream.guessed_rate or 25)
        index = -1
        for frame in decode(container, stream, damage or Damage()):
            index += 1
            if shape is None:
                shape, origin = geometry(frame, stream.sample_aspect_ratio, max_side), frame.pts
            if index % step == 0:
                timed = frame.pts is not None and origin is not None
                time = float((frame.pts - origin) * stream.time_base) if timed else index / fps
                yield Shot(index, time, to_rgb(frame, shape))
        if shape is None:
            raise InputError(_undecodable(name))


def _undecodable(name: str) -> str:
    return f"{name}: none of its frames can be decoded; give an undamaged video."


def _choose(
    timeline: Timeline,
    times: NDArray[np.float64],
    name: str,
    count: int,
    rate: float | None,
    start: float | None,
    end: float | None,
    by: str,
) -> NDArray[np.int64]:
    """Choose the wanted frames."""
    duration = timeline.duration()
    first, last = 0.0 if start is None else start, duration if end is None else min(end, duration)
    if not 0 <= first < last:
        raise InputError(f"{name}: {first:g}-{last:g} s holds none of its {duration:.1f} s; give 0 <= start < end.")
    if by not in ("frames", "time", "parts"):
        raise InputError(f"by is {by!r}; expected 'frames', 'time' or 'parts'.")
    if by == "parts" and (rate, start, end) != (None, None, None):
        raise InputError("by='parts' samples the whole video; leave rate, start and end out.")
    if rate is not None:
        return nearest_earlier(times, times_at_rate(first, last, rate))
    if by == "time":
        if count < 1:
            raise InputError(f"cannot take {count} frames; give at least 1.")
        spread = np.linspace(first, last, count) if count > 1 else np.array([(first + last) / 2])
        return nearest_earlier(times, spread)
    if by == "parts":
        return middles(timeline.count, count)
    if start is None and end is None:
        return key_frames(timeline.count, count)
    return key_frames(timeline.count, count, fps=timeline.count / duration, start=first, end=last)


def _info(name: str, container: Any, stream: Any, frame: Any, timeline: Timeline) -> VideoInfo:
    shape = geometry(frame, stream.sample_aspect_ratio)
    steps = np.diff(timeline.seconds())
    varies = len(steps) > 1 and float(np.ptp(steps)) > 0.1 * float(np.median(steps)) + float(timeline.time_base)
    duration = timeline.duration()
    return VideoInfo(
        name=name,
        width=shape.size[0],
        height=shape.size[1],
        frames=timeline.count,
        duration=duration,
        fps=timeline.count / duration,
        variable_rate=varies,
        rotation=shape.rotation,
        alpha=shape.alpha,
        codec=stream.codec_context.name,
        container=container.format.name,
        size=(frame.width, frame.height),
        missing=timeline.missing,
    )


class _Taker:
    """Take frames out of one video, and check each by its time."""

    def __init__(
        self, container: Any, stream: Any, timeline: Timeline, name: str, max_side: int | None, count: int
    ) -> None:
        self.timeline, self.name, self.max_side, self.count = timeline, name, max_side, count
        self.damage = Damage()
        self.info: VideoInfo | None = None
        self._shape: Geometry | None = None
        self.restart(container, stream)

    def restart(self, container: Any, stream: Any) -> None:
        """Continue with the reopened file."""
        self.container, self.stream = container, stream
        self._decoder: Iterator[Any] | None = None
        self._frame: Any = None
        self._wanted = 0

    def take(self, wanted: list[int]) -> dict[int, NDArray[np.uint8]]:
        """Take frames at rising indices by seeking, without those that cannot be reached so."""
        if not len(self.timeline.keys):
            return self.in_order(wanted)
        found = {}
        for index in wanted:
            frame = self._reach(int(self.timeline.pts[index]))
            if frame is not None:
                found[index] = self._to_image(frame)
        return found

    def in_order(self, wanted: list[int]) -> dict[int, NDArray[np.uint8]]:
        """Take frames by decoding from the start; the nearest frame replaces an unreadable one."""
        pts = self.timeline.pts
        keys = [(int(pts[index]) if self.timeline.timed else index, index) for index in sorted(wanted)]
        found: dict[int, NDArray[np.uint8]] = {}
        before: tuple[int, Any] | None = None
        for seen, frame in enumerate(decode(self.container, self.stream, self.damage)):
            at = int(frame.pts) if self.timeline.timed and frame.pts is not None else seen
            while len(found) < len(keys) and at >= keys[len(found)][0]:
                key, index = keys[len(found)]
                closer = before is not None and key - before[0] < at - key
                self.damage.replaced += at != key
                found[index] = self._to_image(before[1] if before is not None and closer else frame)
            before = (at, frame)
            if len(found) == len(keys):
                break
        if before is None:
            raise InputError(_undecodable(self.name))
        for _, index in keys[len(found) :]:  # beyond the last readable frame
            self.damage.replaced += 1
            found[index] = self._to_image(before[1])
        return found

    def _reach(self, pts: int) -> Any:
        """Seek the frame shown at ``pts``; None if seeking fails."""
        import av

        keys = self.timeline.keys
        place = int(np.searchsorted(keys, pts, side="right")) - 1
        if self._frame is not None and self._decoder is not None:
            if self._frame.pts == pts:
                return self._frame
            if self._frame.pts < pts and (place < 0 or keys[place] <= self._frame.pts):
                return self._forward(pts)  # no key frame lies between
        for attempt in (place, place - 1):  # some containers land behind the requested key frame
            if attempt < 0:
                return None
            try:
                self.container.seek(int(keys[attempt]), stream=self.stream)
            except (av.FFmpegError, OSError):
                return None
            self._frame = None
            self._decoder = decode(self.container, self.stream, self.damage, lambda: self._wanted)
            frame = self._forward(pts)
            if frame is not None:
                return frame
        return None

    def _forward(self, pts: int) -> Any:
        assert self._decoder is not None
        self._wanted = pts
        for frame in self._decoder:
            self._frame = frame
            if frame.pts is None or frame.pts > pts:
                return None
            if frame.pts == pts:
                return frame
        return None

    def _to_image(self, frame: Any) -> NDArray[np.uint8]:
        if self._shape is None:
            self._shape = geometry(frame, self.stream.sample_aspect_ratio, self.max_side)
            width, height = self._shape.size
            if self.count * width * height * 3 > _MAX_BYTES:
                raise InputError(
                    f"{self.name}: {self.count} frames of {width}x{height} take more than {_MAX_BYTES >> 30} GiB; "
                    "ask for fewer frames, or a smaller max_side."
                )
            self.info = _info(self.name, self.container, self.stream, frame, self.timeline)
        return to_rgb(frame, self._shape)


def key_frames(
    frames: int, count: int = 8, *, fps: float | None = None, start: float | None = None, end: float | None = None
) -> NDArray[np.int64]:
    """Choose ``count`` frames evenly from the first to the last: ``floor(i * (frames - 1) / (count - 1))``.

    This is the sampling of LanguageBind, Video-LLaVA and MotionLLM (``linspace(0, frames - 1, 8, dtype=int)``), with
    their rounding of ``start`` and ``end``. A clip shorter than ``count`` repeats frames; a single one is the middle.

    Args:
        frames: number of frames of the clip.
        count: number of frames to choose.
        fps: frames/s, required with ``start`` or ``end``.
        start, end: span to sample, s.

    Returns:
        int64 [count], not decreasing.

    Raises:
        InputError: nothing to sample, or an empty span.
    """
    if frames < 1 or count < 1:
        raise InputError(f"cannot take {count} of {frames} frames; both must be at least 1.")
    first, last = 0, frames - 1
    if start is not None or end is not None:
        if fps is None or fps <= 0:
            raise InputError("a start or end in seconds needs the frame rate; give fps.")
        first = round((start or 0.0) * fps)
        last = last if end is None else min(round(end * fps), last)
        if first < 0 or first > last:
            raise InputError(f"a span from {start or 0:g} s holds none of {frames} frames at {fps:g} frames/s.")
    if count == 1:
        return np.array([(first + last) // 2], dtype=np.int64)
    return first + np.arange(count, dtype=np.int64) * (last - first) // (count - 1)


def middles(frames: int, count: int) -> NDArray[np.int64]:
    """Choose the middle frame of each of ``count`` equal parts, each frame once: int64 [at most count], rising.

    Raises:
        InputError: nothing to sample.
    """
    if frames < 1 or count < 1:
        raise InputError(f"cannot take {count} of {frames} frames; both must be at least 1.")
    wanted = ((np.arange(count) + 0.5) * (frames / count)).astype(np.int64)
    return np.unique(np.minimum(wanted, frames - 1))


def times_at_rate(start: float, end: float, rate: float) -> NDArray[np.float64]:
    """List the times start, start + 1/rate, ... before ``end``, s; at least one.

    Raises:
        InputError: the rate is not positive.
    """
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"rate is {rate}; expected a positive number of frames per second.")
    return start + np.arange(max(1, int(np.ceil((end - start) * rate - 1e-6)))) / rate


def nearest_earlier(times: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the frame shown at each wanted time [M], s, among frames that appear at rising times [N], s."""
    return np.clip(np.searchsorted(times, wanted + 1e-6, side="right") - 1, 0, len(times) - 1).astype(np.int64)
