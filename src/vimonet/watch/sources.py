"""Choose the source that a name stands for, of those that `vimonet watch --help` lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from vimonet.utils.errors import InputError
from vimonet.watch.readings import Source, SourceOptions

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
        from vimonet.watch.recording_poses import RecordingPoses

        return RecordingPoses(name, options)
    from vimonet.watch.pose_streams import FilePoses

    return FilePoses(path, options.fps, options.once)
