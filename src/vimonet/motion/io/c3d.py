"""Read C3D (c3d.org) by ezc3d: labelled points of Vicon, Qualisys, OptiTrack, Theia and others."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from vimonet.motion.io.limits import MAX_FRAMES, MAX_JOINTS
from vimonet.motion.io.markers import UNITS, from_markers
from vimonet.motion.io.readers import Content, Reader, Recording, plain, register
from vimonet.motion.motion import check_fps
from vimonet.utils.errors import InputError


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read the points of a C3D file.

    Args:
        content: the file.
        fps: frames/s, to override ``POINT:RATE``.
        layout: not used, since the points have labels.

    Raises:
        InputError: ezc3d is not installed, a damaged file, no labelled points, an unknown unit, no body.
    """
    name, data = content.name, content.data
    first, last = (int.from_bytes(data[k : k + 2], "little") for k in (6, 8))
    points = int.from_bytes(data[2:4], "little")
    if len(data) < 1024 or points == 0 or last < first or points > MAX_JOINTS:
        raise InputError(f"{name}: the C3D is cut off or holds no points ({points} in its header); export it again.")
    start, frames = 512 * (int.from_bytes(data[16:18], "little") - 1), last - first + 1
    needed = start + frames * points * (16 if data[15] & 0x80 else 8)  # a negative scale: floats
    if frames > MAX_FRAMES or start < 512 or needed > len(data):
        raise InputError(
            f"{name}: the C3D declares {frames} frames of {points} points, more than it holds; copy it again."
        )
    try:
        import ezc3d
    except ImportError:
        raise InputError(f"{name}: reading C3D needs ezc3d; run pip install 'vimonet[c3d]'.") from None
    with TemporaryDirectory(prefix="vimonet-") as folder:
        path = Path(folder, "clip.c3d")
        path.write_bytes(data)
        try:
            file = ezc3d.c3d(str(path))
        except Exception as error:  # of C++: any
            raise InputError(f"{name}: the C3D is damaged ({plain(error)}); export it again.") from None
    point: dict[str, Any] = file["parameters"]["POINT"]
    places = np.moveaxis(np.asarray(file["data"]["points"])[:3], (0, 1, 2), (2, 1, 0))
    labels = [label for key in sorted(point) if key.startswith("LABELS") for label in point[key]["value"]]
    labels = labels[: places.shape[1]] + [f"*{k}" for k in range(len(labels), places.shape[1])]
    unit = str(next(iter(point.get("UNITS", {}).get("value", [])), "mm")).strip().lower()
    if unit not in UNITS:
        raise InputError(f"{name}: the unit of its points is {plain(unit)!r}; expected mm, cm or m.")
    rate = float(file["header"]["points"]["frame_rate"]) if fps is None else fps
    return from_markers(places, labels, content, fps=check_fps(rate, name), format="c3d", unit=UNITS[unit])


register(
    Reader("c3d", "C3D", (".c3d",), lambda content: content.start[1:2] == b"P" and content.start[0:1] < b"\x20", read)
)
