"""Choose the source that a name stands for, of those that `vimonet watch --help` lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from vimonet.utils.errors import InputError
from vimonet.watch.readings import PLACED, PoseReading, SeenPerson, Source, SourceEnded, SourceOptions

CAMERA_SCHEMES: Final = ("rtsp", "rtsps", "rtmp", "udp", "tcp", "srt", "rtp", "http", "https")
"""Schemes of addresses that are read as video."""


def source_of(name: str, options: SourceOptions | None = None) -> Source:
    """Choose the source that a name stands for; nothing is opened yet.

    Raises:
        InputError: no source has such a name, or no such file exists.
    """
    options = options or SourceOptions()
    scheme, separator, rest = name.partition("://")
    scheme = scheme.lower()
    if separator and scheme in CAMERA_SCHEMES:
        from vimonet.watch.cameras import StreamCamera

        return StreamCamera(name)
    if separator and scheme == "zmq":
        from vimonet.watch.pose_streams import ZmqPoses

        return ZmqPoses(rest)
    if separator and scheme in ("vmc", "osc"):
        from vimonet.watch.vmc import VmcPoses

        return VmcPoses(rest)
    if separator:
        known = ", ".join(f"{one}://" for one in (*CAMERA_SCHEMES, "zmq", "vmc"))
        raise InputError(f"{name}: {scheme}:// cannot be watched; give {known}, a camera number, a file or a folder.")
    number = re.fullmatch(r"(?:/dev/video)?(\d{1,3})", name)
    if number and not Path(name).is_file():
        from vimonet.watch.cameras import LocalCamera

        return LocalCamera(int(number[1]))
    if name == "-":
        from vimonet.watch.pose_streams import InputPoses

        return InputPoses(options.fps)
    return _file_source(name, options)


def _file_source(name: str, options: SourceOptions) -> Source:
    from vimonet.video import is_video

    path = Path(name)
    if path.is_dir():
        from vimonet.watch.pose_streams import FolderPoses

        return FolderPoses(path, options.fps, options.once)
    if not path.exists() and not name.startswith("sample:"):
        raise InputError(
            f"{name}: there is no such file; give a camera number, rtsp://, udp://, http://, zmq://, vmc://, a film, "
            "a recording, sample:NAME, a folder or file of keypoint JSON, or - for standard input."
        )
    if is_video(path):
        from vimonet.watch.cameras import Film

        return Film(path, options.once)
    if path.suffix.lower() not in (".json", ".jsonl", ".ndjson") and not path.is_fifo():
        return RecordingPoses(name, options)
    from vimonet.watch.pose_streams import FilePoses

    return FilePoses(path, options.fps, options.once)


class RecordingPoses:
    """Play a recording of joints or keypoints: every frame, with its time, of the person whom `load` reads."""

    live = pictures = endless = False

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name, self.options = name, options

    def open(self) -> None:
        """See ``Source``."""
        from vimonet.motion.io.loading import load_recording

        said = self.options
        motion = load_recording(self.name, fps=said.fps, up=said.up, unit=said.unit, size=said.size, target_fps=None)
        points = motion.joints.astype(np.float64)
        if motion.dimensions == 2:  # pixels, y down, away from 0, 0, where a point counts as not seen
            points = points[..., :2] * (400.0, -400.0) + 1000.0
        seen = np.ones(points.shape[:2]) if motion.confidence is None else motion.confidence
        self._readings: Iterator[PoseReading] = (
            PoseReading(number / motion.fps, (SeenPerson(one, 1),), {**PLACED, "dimensions": motion.dimensions})
            for number, one in enumerate(np.concatenate([points, seen[..., None]], axis=2))
        )

    def read(self) -> PoseReading:
        """See ``Source``."""
        for reading in self._readings:
            return reading
        raise SourceEnded

    def close(self) -> None:
        """See ``Source``."""
