"""Read recordings: any format, path, folder, address or sample name to a `Motion`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import numpy as np

from vimonet.motion.io import joint_arrays
from vimonet.motion.io.locations import on_this_machine, renamed_errors
from vimonet.motion.io.readers import READERS, Content, Reader, Recording, read_limited, reader_of, register, suffixes
from vimonet.motion.io.recording_to_motion import to_motion
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.motion import Motion
from vimonet.utils.errors import InputError


def discover() -> None:
    """Import every module of this folder, so that each format registers its reader."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")


discover()


def load(
    source: Any,
    *,
    fps: float | None = None,
    up: str | None = None,
    unit: str | float | None = None,
    format: str | None = None,
    name: str | None = None,
) -> Motion:
    """Load a recording.

    Args:
        source: a path; ``sample:NAME``; an address such as ``s3://bucket/walk.bvh``; '-' for standard input; bytes; a
            Motion (returned as it is); or an array: joints [T, 22, 3] (also 24 or 52 SMPL joints), HumanML3D features
            [T, 263], keypoints [T, 17 | 25 | 33 ..., 2..4].
        fps: frames/s, where the source does not carry a rate or carries a wrong one.
        up: axis that points up ('y', 'z', '-y' ...); detected when None.
        unit: 'm', 'cm', 'mm', 'inch', 'ft', 'cmu' or metres per unit; detected when None.
        format: a key of `READERS`, or a layout of ``joint_names.LAYOUTS``; detected from the content when None.
        name: name of the motion; the file's stem when None.

    Returns:
        The motion at 20 frames/s, metres, Y up.

    Raises:
        InputError: with one sentence that names the file, what is wrong and what would be right.
    """
    if isinstance(source, Motion):
        return source if name is None else source.named(name)
    if isinstance(source, (str, Path)) and str(source) != "-":
        given = str(source)
        with on_this_machine(given) as path, renamed_errors(given, path):
            recording, title = _read(Content(Path(path), Path(path).name or path), fps, format)
            return to_motion(recording, title, up=up, unit=unit).named(Path(path).stem if name is None else name)
    if isinstance(source, (str, bytes, bytearray, memoryview)):
        data = read_limited(sys.stdin.buffer) if isinstance(source, str) else bytes(source)
        stem = "stdin" if isinstance(source, str) else "motion"
        recording, title = _read(Content(data, name or "standard input"), fps, format)
    else:
        stem = "motion"
        recording, title = _read_array(source, name or "array", fps, format)
    return to_motion(recording, title, up=up, unit=unit).named(stem if name is None else name)


def recording_info(source: Any, **options: Any) -> dict[str, Any]:
    """Report how a recording was read, JSON-ready.

    Keys: name, format, skeleton, joints found and interpolated, source frames, rate and duration, unit, up axis, notes;
    frames and duration after loading. Options and errors are those of `load`.
    """
    motion = load(source, **options)
    details = dict(motion.details)
    info: dict[str, Any] = {
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
    info["source_duration"] = round(info["source_frames"] / motion.source_fps, 3)
    if motion.confidence is not None:
        info["seen"] = round(float((motion.confidence > 0).mean()), 3)
    return info


def detect_format(source: str | Path | bytes) -> str:
    """Tell the format of a file, a folder or bytes by the content: a key of `READERS`.

    Raises:
        InputError: no reader knows it, or the file cannot be read.
    """
    if isinstance(source, bytes):
        return reader_of(Content(source, "standard input")).format
    return reader_of(Content(Path(source), Path(source).name)).format


def _layout(format: str | None) -> str | None:
    if format is None or format in READERS:
        return None
    if format not in LAYOUTS:
        raise InputError(f"format {format!r} is not known; give one of {', '.join(READERS)}, or {', '.join(LAYOUTS)}.")
    return format


def _read(content: Content, fps: float | None, format: str | None) -> tuple[Recording, str]:
    layout = _layout(format)
    reader = READERS[format] if format in READERS else reader_of(content)
    return reader.read(content, fps=fps, layout=layout), content.name


def _read_array(source: Any, name: str, fps: float | None, format: str | None) -> tuple[Recording, str]:
    if hasattr(source, "detach"):  # a torch tensor, without importing torch
        source = source.detach().cpu().numpy()
    try:
        array = np.asarray(source)
    except ValueError:
        raise InputError(f"{name}: not a regular array; expected [frames, 22, 3].") from None
    return joint_arrays.read_array(array, name, fps=fps, layout=_layout(format)), name


__all__ = [
    "READERS",
    "Content",
    "Reader",
    "Recording",
    "detect_format",
    "load",
    "recording_info",
    "register",
    "suffixes",
]
