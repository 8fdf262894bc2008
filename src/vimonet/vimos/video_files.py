"""MP4s beside the shards: how long one is, every frame of it decoded."""

from __future__ import annotations

from pathlib import Path

from vimonet.utils.errors import InputError
from vimonet.video.container import opened


def video_duration(path: str | Path) -> float:
    """Seconds of a video, found by decoding all of it; memory holds one frame.

    Raises:
        InputError: it is not a video, or breaks off.
    """
    import av

    with opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        frames, last = 0, 0.0
        try:
            for frame in container.decode(stream):
                frames += 1
                last = max(last, float(frame.time or 0.0))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{Path(path).name}: not a readable video ({' '.join(str(error).split())}).") from error
        rate = float(stream.average_rate or 25)
        told = stream.frames
    if not frames:
        raise InputError(f"{Path(path).name}: the video has no frame.")
    if frames < 0.98 * told:
        raise InputError(f"{Path(path).name}: only {frames} of its {told} frames can be decoded.")
    return last + 1.0 / rate
