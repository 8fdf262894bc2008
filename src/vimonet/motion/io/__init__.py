"""Loaders: any recording of movement to a Motion. One module per format; the format is told by the content."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from vimonet import video
from vimonet.motion.io import (
    amass,
    asf_amc,
    bvh,
    keypoint_json,
    keypoints,
)
from vimonet.motion.io import (
    humanml3d_arrays as humanml3d,
)
from vimonet.motion.io import (
    joint_arrays as joints,
)
from vimonet.motion.io.arrays import MAX_BYTES, Archive, read_limited, read_npy
from vimonet.motion.io.recording import Recording, to_motion
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.motion import FPS, Motion
from vimonet.utils.errors import InputError

FORMATS: Final[tuple[str, ...]] = ("bvh", "asf/amc", "amass", "humanml3d", "joints", "keypoints")
"""Values of ``format=``; a layout name (``coco17``, ``body25``, ``mediapipe33``, ``h36m17`` ...) is taken as well."""

SUFFIXES: Final[tuple[str, ...]] = (".bvh", ".amc", ".npy", ".npz", ".json", ".jsonl")
"""Suffixes of files worth trying when a folder is searched."""

_EXPECTED: Final = "expected BVH, AMC with its ASF, AMASS or joint npz, joint or HumanML3D npy, or keypoint JSON"


def load(
    source: Any,
    *,
    fps: float | None = None,
    up: str | None = None,
    unit: str | float | None = None,
    format: str | None = None,
    name: str | None = None,
) -> Motion:
    """Load a recording of movement.

    Args:
        source: a path; '-' for standard input; bytes; a Motion (returned as it is); or an array: joints [T, 22, 3]
            (also 24 or 52 SMPL joints), HumanML3D features [T, 263], keypoints [T, 17 | 25 | 33 ..., 2..4].
        fps: frame rate, where the source does not carry one or carries a wrong one.
        up: axis that points up ('y', 'z', '-y' ...); detected when None.
        unit: 'm', 'cm', 'mm', 'inch', 'ft', 'cmu' or metres per unit; detected when None.
        format: one of ``FORMATS``, or a layout of ``joint_names.LAYOUTS``; told by the content when None.
        name: name of the motion; the file's stem when None.

    Returns:
        The motion at 20 frames/s, metres, Y up.

    Raises:
        InputError: with one sentence that names the file, what is wrong and what would be right.
    """
    if isinstance(source, Motion):
        return source if name is None else source.named(name)
    recording, title = _read(source, fps=fps, format=format, name=name)
    motion = to_motion(recording, title, up=up, unit=unit)
    return motion.named(_stem(source, name))


def describe(source: Any, **options: Any) -> dict[str, Any]:
    """What a recording is: name, format, skeleton, joints found and interpolated, source frames, rate, duration,
    unit, up,
    notes; frames and duration after loading. Options and errors are those of ``load``."""
    motion = load(source, **options)
    details = dict(motion.details)
    facts: dict[str, Any] = {
        "name": motion.name,
        "format": details.pop("format", motion.source),
        "skeleton": details.pop("skeleton", "humanml3d22"),
        "dimensions": motion.dimensions,
        "source_frames": details.pop("source_frames", motion.frames),
        "source_fps": motion.source_fps,
        "frames": motion.frames,
        "fps": motion.fps,
        "duration": round(motion.duration, 3),
        **details,
        "notes": list(motion.notes),
    }
    facts["source_duration"] = round(facts["source_frames"] / motion.source_fps, 3)
    if motion.confidence is not None:
        facts["seen"] = round(float((motion.confidence > 0).mean()), 3)
    return facts


def sniff(source: str | Path | bytes) -> str:
    """Format of a file or of bytes, told by the content: one of ``FORMATS``.

    Raises:
        InputError: none of them, or the file cannot be read.
    """
    if isinstance(source, bytes):
        return _sniff(source, "standard input")
    path = Path(source)
    if path.is_dir():
        return "keypoints"
    return _sniff(_bytes_of(path), path.name)


def _stem(source: Any, name: str | None) -> str:
    if name is not None:
        return name
    if isinstance(source, (str, Path)):
        return "stdin" if str(source) == "-" else Path(source).stem
    return "motion"


def _read(source: Any, *, fps: float | None, format: str | None, name: str | None) -> tuple[Recording, str]:
    layout = format if format in LAYOUTS else None
    if format is not None and layout is None and format not in FORMATS:
        raise InputError(f"format {format!r} is not known; give one of {', '.join(FORMATS)}, or {', '.join(LAYOUTS)}.")
    if isinstance(source, (str, Path)) and str(source) != "-":
        path = Path(source)
        title = path.name or str(path)
        if path.is_dir():
            return keypoint_json.read_folder(path, title, fps=fps, layout=layout), title
        if format is None and video.is_video(path):
            return _read_video(path, title, fps), title
        return _read_bytes(_bytes_of(path), title, path, fps, format, layout), title
    if isinstance(source, (str, bytes, bytearray, memoryview)):
        title = name or "standard input"
        data = read_limited(sys.stdin.buffer) if isinstance(source, str) else bytes(source)
        _check_length(len(data), title)
        if format is None and video.is_video(data):
            return _read_video(data, title, fps), title
        return _read_bytes(data, title, None, fps, format, layout), title
    title = name or "array"
    if hasattr(source, "detach"):  # a torch tensor, without importing torch
        source = source.detach().cpu().numpy()
    try:
        array = np.asarray(source)
    except ValueError:
        raise InputError(f"{title}: not a regular array; expected [frames, 22, 3].") from None
    return joints.read_array(array, title, fps=fps, layout=layout), title


def _read_video(source: Path | bytes, name: str, fps: float | None) -> Recording:
    """Keypoints of the person in a video."""
    from vimonet.motion.pose import read_video

    return read_video(source, name, fps=fps)


def _bytes_of(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise IsADirectoryError
        if not path.exists():
            raise InputError(f"{path}: there is no such file; {_EXPECTED}.")
        _check_length(path.stat().st_size, path.name, special=not path.is_file())
        with path.open("rb") as stream:
            data = read_limited(stream)
    except IsADirectoryError:
        raise InputError(f"{path} is a directory; give one recording.") from None
    except (OSError, ValueError) as problem:
        if isinstance(problem, InputError):
            raise
        raise InputError(f"{path}: it cannot be read ({getattr(problem, 'strerror', None) or problem}).") from None
    _check_length(len(data), path.name)
    return data


def _check_length(length: int, name: str, special: bool = False) -> None:
    if length == 0 and not special:
        raise InputError(f"{name}: the file is empty; {_EXPECTED}.")
    if length > MAX_BYTES:
        raise InputError(f"{name}: the file is larger than {MAX_BYTES >> 30} GiB; cut it into recordings.")


def _sniff(data: bytes, name: str) -> str:
    if data.startswith(b"\x93NUMPY"):
        array = read_npy(data, name)
        return "humanml3d" if array.ndim >= 2 and array.shape[-1] == 263 else "joints"
    if data.startswith(b"PK\x03\x04") or data.startswith(b"PK\x05\x06"):
        return "amass" if amass.is_amass(Archive(data, name)) else "joints"
    head = data[:65536].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:9].upper() == b"HIERARCHY":
        return "bvh"
    if head[:1] in (b"{", b"["):
        return "keypoints"
    if re.search(rb"(?mi)^[ \t]*:bonedata", head):
        raise InputError(f"{name}: an ASF holds a skeleton without movement; give the .amc file that lies beside it.")
    if re.search(rb"(?mi)^[ \t]*:FULLY-SPECIFIED", head) or re.search(
        rb"(?m)^[ \t]*\d+[ \t]*\r?\n[ \t]*root[ \t]", head
    ):
        return "asf/amc"
    if data.startswith(b"\x80"):
        raise InputError(f"{name}: it is a Python pickle, which is never loaded; save joints with numpy.savez.")
    if data[4:8] == b"ftyp" or data.startswith((b"\x1aE\xdf\xa3", b"RIFF")):
        raise InputError(f"{name}: it is a video; leave the format out, so that its keypoints are estimated.")
    kind = "a BVH, though its name says so" if name.lower().endswith(".bvh") else "a known recording"
    raise InputError(f"{name}: the file is not {kind}; {_EXPECTED}.")


def _read_bytes(
    data: bytes, name: str, path: Path | None, fps: float | None, format: str | None, layout: str | None
) -> Recording:
    if not data:
        raise InputError(f"{name}: the input is empty; {_EXPECTED}.")
    kind = format if format in FORMATS else _sniff(data, name)
    if kind == "bvh":
        return bvh.read(data.removeprefix(b"\xef\xbb\xbf"), name, fps=fps)
    if kind == "asf/amc":
        if path is None:
            raise InputError(f"{name}: an AMC needs its ASF skeleton beside it; give the path of the .amc file.")
        return asf_amc.read(data, _bytes_of(asf_amc.find_asf(path)), name, fps=fps)
    if kind == "keypoints" and not data.startswith((b"\x93NUMPY", b"PK")):
        return keypoint_json.read(data, name, fps=fps, layout=layout)
    if data.startswith(b"\x93NUMPY"):
        array = read_npy(data, name)
        if kind == "humanml3d":
            return humanml3d.read(array, name, fps=fps)
        return joints.read_array(array, name, fps=fps, layout=layout)
    archive = Archive(data, name)
    if kind == "amass":
        return amass.read(archive, name, fps=fps)
    return joints.read_archive(archive, name, fps=fps, layout=layout)


__all__ = ["FORMATS", "FPS", "SUFFIXES", "Recording", "describe", "keypoints", "load", "sniff"]
