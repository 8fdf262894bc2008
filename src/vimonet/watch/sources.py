"""Define what a source of pictures or poses gives, and choose the source that a name stands for.

==========================  ==========================================================================
name                        source
==========================  ==========================================================================
``0``, ``1`` ...            camera of this machine
``rtsp://`` ``udp://`` ...  stream of a network camera
``film.mp4``                film, finished or still growing
``poses.jsonl``, ``-``      JSON lines of keypoints, a frame each; ``-`` reads standard input
folder                      a file of keypoint JSON per frame, as OpenPose writes
``zmq://host:5555``         JSON messages of keypoints over ZeroMQ (``zmq://*:5555`` waits for publishers)
``vmc://:39539``            avatar of a VR performer: VMC protocol over OSC
==========================  ==========================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError
from vimonet.watch.stream import PersonId

CAMERA_SCHEMES: Final = ("rtsp", "rtsps", "rtmp", "udp", "tcp", "srt", "rtp", "http", "https")
"""Schemes of addresses that are read as video."""


class Picture(NamedTuple):
    """Hold a picture: seconds of the source's clock (None: when it arrived), and uint8 [H, W, 3], RGB, upright."""

    time: float | None
    image: NDArray[np.uint8]


class SeenPerson(NamedTuple):
    """Hold one person as the source gives it: points [K, 2..4], and the source's own id or None."""

    points: NDArray[np.float64]
    id: PersonId | None = None


class PoseReading(NamedTuple):
    """Hold the people of one moment.

    Attributes:
        time: seconds of the source's clock; None: when it arrived.
        people: nobody is in view where it is empty.
        about: what the source says of its data since the reading before: ``names``, ``dimensions``, ``size``, ``unit``,
            ``up``, ``fps``.
        moment: whether it tells of a moment at all; a message may only describe the data.
    """

    time: float | None
    people: tuple[SeenPerson, ...]
    about: dict[str, Any] = {}
    moment: bool = True


class SourceLost(Exception):
    """Report that a source gives nothing any more and may come back; the text says why."""


class SourceEnded(Exception):
    """Report that a source has come to its end."""


class Source(Protocol):
    """Give pictures or poses.

    Attributes:
        name: for messages.
        live: whether they come by themselves: then the newest one wins, and a loss is waited out; otherwise they are
            read as fast as they are used.
        pictures: whether it gives pictures.
        endless: whether it should give frames all the time: silence is then a loss.
    """

    name: str
    live: bool
    pictures: bool
    endless: bool

    def open(self) -> None:
        """Open it, again after a loss.

        Raises:
            SourceLost: it is not there.
            InputError: it is nothing that can be watched.
        """
        ...

    def read(self) -> Picture | PoseReading | None:
        """Read what comes next, or None after a short wait without anything.

        Raises:
            SourceLost: it is gone.
            SourceEnded: it is over.
        """
        ...

    def close(self) -> None:
        """Free the resources; the source can be opened again."""
        ...


@dataclass(frozen=True)
class SourceOptions:
    """Hold what the user says of a source.

    Attributes:
        fps: frames/s of files that carry no times; None for 30.
        size: width and height of the picture, for coordinates that are fractions of it.
        unit, up: of 3D coordinates; None to find out.
        once: whether to end where a growing folder or file ends now.
    """

    fps: float | None = None
    size: tuple[int, int] | None = None
    unit: str | None = None
    up: str | None = None
    once: bool = False


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
    if not path.exists():
        raise InputError(
            f"{name}: there is no such file; give a camera number, rtsp://, udp://, http://, zmq://, vmc://, a film, "
            "a folder or file of keypoint JSON, or - for standard input."
        )
    if is_video(path):
        from vimonet.watch.cameras import Film

        return Film(path, options.once)
    if path.suffix.lower() not in (".json", ".jsonl", ".ndjson") and path.is_file():
        raise InputError(f"{name}: it is no film and no keypoint JSON; convert it, or give a film or JSON lines.")
    from vimonet.watch.pose_streams import FilePoses

    return FilePoses(path, options.fps, options.once)
