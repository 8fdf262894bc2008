"""Read TRC (Motion Analysis track rows): labelled points in space, as Pose2Sim, OpenCap, Sports2D and Cortex write."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.frame_times import placed, rows_in_time, settled
from vimonet.motion.io.limits import MAX_JOINTS
from vimonet.motion.io.markers import from_markers
from vimonet.motion.io.readers import Content, Reader, Recording, plain, register
from vimonet.motion.io.units_and_axes import UNITS
from vimonet.motion.motion import check_fps
from vimonet.utils.errors import InputError

_FIRST: Final = re.compile(rb"PathFileType\s", re.IGNORECASE)


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read a TRC file.

    Args:
        content: the file: five header lines, then a frame per line (number, seconds, x, y, z of each point).
        fps: frames/s, to override ``DataRate``.
        layout: not used, since the points have labels.

    Raises:
        InputError: a broken header, rows of another width, words among the numbers, no frames, no body.
    """
    name = content.name
    lines = content.text.decode("utf-8", errors="replace").splitlines()
    if len(lines) < 6:
        raise InputError(f"{name}: the TRC header is cut off; expected five lines before the frames.")
    header = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    labels = [label for label in re.split(r"\t+" if "\t" in lines[3] else r"\s+", lines[3].strip()) if label][2:]
    if not labels or len(labels) > MAX_JOINTS:
        raise InputError(
            f"{name}: line 4 names {len(labels)} points; expected Frame#, Time and 1 to {MAX_JOINTS} labels."
        )
    rows = np.array([_row(line, len(labels), name) for line in lines[5:] if line.strip()]).reshape(
        -1, 1 + 3 * len(labels)
    )
    values = rows[:, 1:].reshape(-1, len(labels), 3)
    unit = header.get("Units", "")
    if unit.lower() not in UNITS:
        raise InputError(
            f"{name}: the unit is {plain(unit)!r}; write mm, cm, m, ft or inch as Units in the third line."
        )
    try:
        stated = fps if fps is not None else float(header["DataRate"])
    except (KeyError, ValueError):
        raise InputError(
            f"{name}: DataRate is missing from the second and third line; give the rate with --fps."
        ) from None
    declared = header.get("NumFrames", "")
    notes = (
        [f"{plain(declared)} frames declared, {len(values)} present: all read"] if declared != str(len(values)) else []
    )
    if (timed := placed(rows[:, 0].tolist())) is not None:
        values = rows_in_time(values, timed.order)
        notes += timed.notes
    rate = stated if fps is not None or timed is None else settled(stated, timed.rate, notes) or stated
    unit_m = UNITS[unit.lower()]
    return from_markers(values, labels, content, fps=check_fps(rate, name), format="trc", unit=unit_m, notes=notes)


def _row(line: str, count: int, name: str) -> NDArray[np.float64]:
    """Parse one frame, its time and coordinates; empty cells are points that were not seen."""
    cells = line.split("\t") if "\t" in line else line.split()
    while len(cells) > 2 + 3 * count and not cells[-1].strip():
        cells.pop()
    cells += [""] * (2 + 3 * count - len(cells))
    if len(cells) != 2 + 3 * count:
        raise InputError(f"{name}: frame {plain(cells[0])} has {len(cells)} cells; expected {2 + 3 * count}.")
    try:
        return np.array([float(cell.replace(",", ".")) if cell.strip() else np.nan for cell in cells[1:]])
    except ValueError:
        raise InputError(f"{name}: frame {plain(cells[0])} holds a word; expected numbers only.") from None


register(Reader("trc", "TRC", (".trc",), lambda content: bool(_FIRST.match(content.head)), read))
