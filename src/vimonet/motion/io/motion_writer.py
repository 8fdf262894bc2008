"""Write a motion in the formats of other programs: BVH, TRC, CSV of joint angles and positions, JSON, NumPy arrays.

What a format cannot hold is said in notes. Every file is read back by `vimonet.motion.load`.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.bvh_writer import bvh_text
from vimonet.motion.io.units_and_axes import UNITS, parse_unit
from vimonet.motion.motion import Motion
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.utils.errors import InputError
from vimonet.utils.files import whole_file

Array = NDArray[np.float64]


class Written(NamedTuple):
    """Hold the file that was written and what it does not hold.

    Attributes:
        path: the file.
        notes: phrases about units and axes, and about what is lost.
    """

    path: Path
    notes: tuple[str, ...]


class _Points(NamedTuple):
    """Hold joints [T, 22, 3 or 2] in the unit and axes of a file, with their names."""

    motion: Motion
    values: Array
    unit: str
    up: str


_DEFAULT_UNITS: Final = {".bvh": "cm", ".trc": "mm"}
_AXES: Final = {"y": np.eye(3), "z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])}
"""Rotation from Y up to the up axis of a file: about x, so that the body keeps its left."""


def check_target(path: str | os.PathLike[str], up: str = "y", unit: str | None = None) -> Path:
    """Check the name of a file to write, its up axis and unit, before any work.

    Raises:
        InputError: an unknown suffix, axis or unit, or a folder that does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise InputError(f"{path}: a motion is written as {', '.join(WRITERS)}; give a name that ends so.")
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path}: it cannot be written; give a file in a folder that exists.")
    if up not in _AXES:
        raise InputError(f"up axis {up!r} is not written; give {' or '.join(_AXES)}.")
    if unit is not None:
        parse_unit(unit)
        if path.suffix.lower() in (".trc", ".csv") and unit.lower() not in UNITS:
            raise InputError(f"{path}: the unit {unit!r} cannot be stated in it; give {', '.join(UNITS)}.")
    return path


def write_motion(
    motion: Motion, path: str | os.PathLike[str], *, up: str = "y", unit: str | None = None, rigid: bool = False
) -> Written:
    """Write a motion at its own rate; the suffix chooses the format.

    Args:
        motion: 3D; keypoints of a picture (2D) go to .json, .csv and .npz alone.
        path: ``.bvh``, ``.npy``, ``.npz``, ``.csv``, ``.trc`` or ``.json``.
        up: axis that points up in the file: 'y' or 'z'.
        unit: unit of length; None for cm in BVH, mm in TRC, else m.
        rigid: write a BVH of constant bone lengths, without position channels below the root.

    Returns:
        The path, and notes on what the file states and what it does not hold.

    Raises:
        InputError: an unknown suffix, axis or unit, no such folder, or a picture where a format wants space.
    """
    path = check_target(path, up, unit)
    suffix = path.suffix.lower()
    unit = unit or _DEFAULT_UNITS.get(suffix, "m")
    if motion.dimensions == 2:
        if suffix not in (".json", ".csv", ".npz"):
            raise InputError(
                f"{path}: {motion.name} is 2D (keypoints of a picture), and {suffix} holds movement in space; write "
                ".json, .csv or .npz."
            )
        values = motion.joints[..., :2] * np.array([1.0, -1.0])
        points = _Points(motion, values.astype(np.float64), "", "-y")
        notes = ["2D, y down, the torso (pelvis to neck) is 0.5"]
    else:
        values = motion.joints.astype(np.float64) / parse_unit(unit) @ _AXES[up].T
        points = _Points(motion, values, unit, up)
        notes = [f"{unit}, {up} up, {motion.fps:g} frames/s"]
    notes += _lost(motion)
    with whole_file(path) as part:
        notes += WRITERS[suffix](points, part, path.name, rigid)
    return Written(path, tuple(notes))


def _lost(motion: Motion) -> list[str]:
    """Say what the 22 joints do not hold of the source."""
    notes = []
    joints, found = motion.details.get("source_joints"), len(motion.details.get("joints_found", ()))
    if joints and joints > found:
        notes.append(f"{joints - found} of {joints} joints of the source are not among the 22 and left out")
    if motion.fps < motion.source_fps:
        notes.append(f"{motion.source_fps:g} frames/s became {motion.fps:g}")
    return notes


def _unseen(motion: Motion) -> list[str]:
    share = 1.0 - float(motion.seen.mean())
    return [f"{share:.1%} of the joints were not seen: interpolated places, without a mark"] if share else []


def _write_bvh(points: _Points, part: Path, _: str, rigid: bool) -> list[str]:
    turn, scale = _AXES[points.up], 1.0 / parse_unit(points.unit)
    text, notes = bvh_text(points.motion, turn=turn, scale=scale, rigid=rigid)
    part.write_text(text, encoding="ascii")
    return [*notes, *_unseen(points.motion)]


def _write_npy(points: _Points, part: Path, *_: Any) -> list[str]:
    with part.open("wb") as stream:
        np.save(stream, points.values.astype(np.float32), allow_pickle=False)
    return [f"a .npy states no rate: read it with --fps {points.motion.fps:g}", *_unseen(points.motion)]


def _write_npz(points: _Points, part: Path, *_: Any) -> list[str]:
    motion = points.motion
    arrays: dict[str, Any] = {"joints": points.values.astype(np.float32), "fps": motion.fps, "names": JOINT_NAMES}
    if motion.dimensions == 3:
        arrays |= {"unit": points.unit, "up": points.up}
    if motion.confidence is not None:
        arrays["confidence"] = motion.confidence
    with part.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    return []


def _write_json(points: _Points, part: Path, *_: Any) -> list[str]:
    motion = points.motion
    rows = np.round(points.values, 6)
    if motion.confidence is not None:
        rows = np.concatenate([rows, np.round(motion.confidence[..., None].astype(np.float64), 3)], axis=2)
    record: dict[str, Any] = {"format": "humanml3d22", "dimensions": motion.dimensions, "fps": motion.fps}
    if motion.dimensions == 3:
        record |= {"unit": points.unit, "up": points.up}
    record |= {"names": JOINT_NAMES, "frames": rows.tolist()}
    part.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return []


def _write_csv(points: _Points, part: Path, *_: Any) -> list[str]:
    """Write a row per frame: number, time, joint angles, then positions, the unit in the name of each column."""
    motion = points.motion
    ending = f"_{points.unit}" if points.unit else ""
    axes = "xyz"[: points.values.shape[2]]
    header = ["frame", "time_s"]
    blocks: list[tuple[NDArray[np.floating], int]] = []
    notes = []
    if motion.dimensions == 3:
        from vimonet.motion.kinematics.angle_series import ANGLES, angle_series

        header += [f"{angle}_deg" for angle in ANGLES]
        blocks.append((angle_series(motion.joints.astype(np.float64)), 2))
        notes.append("rotations about a bone's own axis (hip, shoulder, forearm) are not in joint positions: no column")
    values = points.values
    columns = [f"{joint}_{axis}{ending}" for joint in JOINT_NAMES for axis in axes]
    if motion.confidence is not None:
        values = np.concatenate([values, motion.confidence[..., None].astype(np.float64)], axis=2)
        columns = [
            f"{joint}_{field}" for joint in JOINT_NAMES for field in (*(f"{a}{ending}" for a in axes), "confidence")
        ]
    blocks.append((values.reshape(len(values), -1), 6))
    with part.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(header + columns)
        for k in range(len(values)):
            numbers = [f"{value:.{digits}f}" for block, digits in blocks for value in block[k]]
            rows.writerow([k, f"{k / motion.fps:.6f}", *numbers])
    return notes


def _write_trc(points: _Points, part: Path, name: str, _: bool) -> list[str]:
    """Write TRC as OpenSim reads it: five header lines, an empty one, a row per frame; empty cells are unseen."""
    motion, seen = points.motion, points.motion.seen
    rate, frames, count = f"{motion.fps:.6g}", len(points.values), len(JOINT_NAMES)
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{frames}\t{count}\t{points.unit}\t{rate}\t1\t{frames}",
        "Frame#\tTime\t" + "\t\t\t".join(JOINT_NAMES) + "\t\t",
        "\t\t" + "\t".join(f"X{k}\tY{k}\tZ{k}" for k in range(1, count + 1)),
        "",
    ]
    digits = max(0, round(5 + np.log10(parse_unit(points.unit))))  # to a hundredth of a millimetre
    for k, frame in enumerate(points.values):
        cells = ("\t".join(f"{v:.{digits}f}" for v in p) if s else "\t\t" for p, s in zip(frame, seen[k], strict=True))
        lines.append(f"{k + 1}\t{k / motion.fps:.6f}\t" + "\t".join(cells))
    part.write_text("\n".join(lines) + "\n", encoding="ascii")
    return [] if seen.all() else ["joints that were not seen are empty cells"]


WRITERS: Final[dict[str, Callable[[_Points, Path, str, bool], list[str]]]] = {
    ".bvh": _write_bvh,
    ".npy": _write_npy,
    ".npz": _write_npz,
    ".csv": _write_csv,
    ".trc": _write_trc,
    ".json": _write_json,
}
"""Suffix -> what writes it."""
