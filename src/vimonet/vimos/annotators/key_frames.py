"""Key frames of a video as PNG files in memory, for a model that sees."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from vimonet.errors import InputError


@dataclass(frozen=True)
class KeyFrames:
    """Frames of a video: PNG bytes in order, their times in s, and the video's length in s."""

    images: tuple[bytes, ...]
    times: tuple[float, ...]
    duration: float


def key_frames(path: str | Path, count: int = 8, *, longest_side: int = 512) -> KeyFrames:
    """The middle frame of each of `count` equal parts of a video: together they cover all of its time.

    Decoded once from the start, because seeking lands on other frames in files of variable frame rate; at most
    `count` frames, scaled down, are held.

    Args:
        path: a video that PyAV reads.
        count: frames wanted; a shorter video gives each of its frames once.
        longest_side: pixels; smaller frames keep their size.

    Raises:
        InputError: no such file, not a video, or no frame in it.
    """
    import av

    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file; give a video such as an MP4.")
    try:
        times = _frame_times(path)
        if not times:
            raise InputError(f"{path}: the video has no frame.")
        step = len(times) / count
        wanted = sorted({min(int((k + 0.5) * step), len(times) - 1) for k in range(count)})
        images: list[bytes] = []
        with av.open(str(path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number == wanted[len(images)]:
                    picture = frame.to_image()
                    picture.thumbnail((longest_side, longest_side))
                    stream = io.BytesIO()
                    picture.save(stream, "PNG")
                    images.append(stream.getvalue())
                    if len(images) == len(wanted):
                        break
    except (av.FFmpegError, OSError, IndexError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable video ({' '.join(str(error).split())}).") from None
    if len(images) < len(wanted):
        raise InputError(f"{path}: only {len(images)} of {len(wanted)} key frames can be decoded.")
    frame_time = (times[-1] - times[0]) / max(len(times) - 1, 1)
    return KeyFrames(tuple(images), tuple(times[i] for i in wanted), times[-1] - times[0] + frame_time)


def _frame_times(path: str | Path) -> list[float]:
    import av

    with av.open(str(path)) as container:
        return [float(frame.time or 0.0) for frame in container.decode(video=0)]
