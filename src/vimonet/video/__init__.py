"""Read video: chosen frames of a file by seeking, every frame in order, and its properties.

    clip = read("walk.mp4")                  # 8 key frames over the whole span
    clip.images                              # uint8 [8, H, W, 3], upright, square pixels
    for shot in frames("walk.mp4"): ...      # every frame, one at a time

Importing it loads numpy; PyAV is imported when a file is opened.
"""

from __future__ import annotations

from vimonet.video.container import SUFFIXES, Damage, Source, VideoInfo, is_video
from vimonet.video.reader import Shot, VideoFrames, frames, key_frames, probe, read, times_at_rate

__all__ = [
    "SUFFIXES",
    "Damage",
    "Shot",
    "Source",
    "VideoFrames",
    "VideoInfo",
    "frames",
    "is_video",
    "key_frames",
    "probe",
    "read",
    "times_at_rate",
]
