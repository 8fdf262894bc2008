"""Read C3D (the C3D User Guide, c3d.org): labelled points of Vicon, Qualisys, OptiTrack, Theia and others.

Only the points and what describes them are read. ezc3d, the library for it, loops for ever on damaged files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from vimonet.motion.io.limits import MAX_FRAMES, MAX_JOINTS
from vimonet.motion.io.markers import from_markers
from vimonet.motion.io.readers import Content, Reader, Recording, plain, register
from vimonet.motion.io.units_and_axes import UNITS
from vimonet.motion.motion import check_fps
from vimonet.utils.errors import InputError

_BLOCK: Final = 512
_ORDERS: Final = {84: "<", 86: ">"}  # Intel, MIPS; 85 is DEC's, whose floats nobody writes any more
_DECLARED: Final = 0xFFFF  # frames that the header can count


class _Parameter(NamedTuple):
    """Hold a parameter: its group, name, type (-1 text, 1 byte, 2 integer, 4 float), dimensions and bytes."""

    group: str
    name: str
    kind: int
    shape: tuple[int, ...]
    data: bytes


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read the points of a C3D file.

    Args:
        content: the file.
        fps: frames/s, to override the rate of the file.
        layout: not used, since the points have labels.

    Raises:
        InputError: damaged, of a DEC machine, no labelled points, an unknown unit, no body.
    """
    name, data = content.name, content.data
    damaged = InputError(f"{name}: the C3D is damaged or cut off; copy or export it again.")
    begin = _BLOCK * (data[0] - 1)
    if len(data) < 2 * _BLOCK or begin < _BLOCK or begin + 4 > len(data):
        raise damaged
    order = _ORDERS.get(data[begin + 3])
    if order is None:
        raise InputError(f"{name}: its numbers are of processor {data[begin + 3]}; export it in Intel's format (84).")
    try:
        parameters = {f"{one.group}:{one.name}": one for one in _parameters(data, begin + 4, order)}
    except (IndexError, ValueError, KeyError):
        raise damaged from None
    header = np.frombuffer(data, order + "u2", 12)
    scale, rate = (float(np.frombuffer(data, order + "f4", 1, at)[0]) for at in (12, 20))
    points, analog = int(header[1]), int(header[2])
    frames, start = int(header[4]) - int(header[3]) + 1, _BLOCK * (int(header[8]) - 1)
    word = 4 if scale < 0 else 2
    if not 0 < points <= MAX_JOINTS or start < _BLOCK or not math.isfinite(scale) or scale == 0 or frames < 1:
        raise InputError(
            f"{name}: the C3D holds no points ({points} in {frames} frames by its header); export it again."
        )
    width = 4 * points + analog
    held = (len(data) - start) // (word * width)
    if int(header[4]) == _DECLARED:  # more than 65535 frames: as many as there are
        frames = held
    if held < frames or frames > MAX_FRAMES:
        raise InputError(f"{name}: the C3D declares {frames} frames of {points} points, but {held} are there.")
    kind = f"{order}f4" if scale < 0 else f"{order}i2"
    table = np.frombuffer(data, kind, frames * width, start).reshape(frames, width)[:, : 4 * points]
    values = table.reshape(frames, points, 4).astype(np.float64)
    places = values[..., :3] if scale < 0 else values[..., :3] * scale
    places[values[..., 3] < 0] = np.nan  # a negative residual: not seen
    labels = [
        label for key, one in sorted(parameters.items()) if key.startswith("POINT:LABELS") for label in _texts(one)
    ]
    labels = [label or f"*{k}" for k, label in enumerate(labels[:points])]
    labels += [f"*{k}" for k in range(len(labels), points)]
    unit = next(iter(_texts(parameters["POINT:UNITS"])), "mm").lower() if "POINT:UNITS" in parameters else "mm"
    if unit not in UNITS:
        raise InputError(f"{name}: the unit of its points is {plain(unit)!r}; expected mm, cm, m, ft or inch.")
    notes: list[str] = []
    own = parameters.get("POINT:RATE")
    if fps is None and own is not None and own.kind == 4 and len(own.data) == 4:
        stated = float(np.frombuffer(own.data, order + "f4")[0])
        if math.isfinite(stated) and stated > 0 and abs(stated - rate) > 0.01 * stated:
            notes.append(f"the header states {rate:g} frames/s, POINT:RATE {stated:g}, which is taken; --fps decides")
            rate = stated
    rate = check_fps(rate if fps is None else fps, name)
    return from_markers(places, labels, content, fps=rate, format="c3d", unit=UNITS[unit], notes=notes)


def _parameters(data: bytes, position: int, order: str) -> Iterator[_Parameter]:
    """Walk the parameters; each entry names its group by number and says where the next one is.

    Raises:
        IndexError, ValueError, KeyError: the entries contradict themselves or run out of the file.
    """
    groups: dict[int, str] = {}
    found: list[tuple[int, str, int, tuple[int, ...], bytes]] = []
    whole = "little" if order == "<" else "big"
    while True:
        length, number = abs(_signed(data[position])), _signed(data[position + 1])
        if length == 0:
            break
        label = data[position + 2 : position + 2 + length].decode("ascii").upper()
        position += 2 + length
        step = int.from_bytes(data[position : position + 2], whole)  # type: ignore[arg-type]
        if number < 0:
            groups[-number] = label
        else:
            kind, count = _signed(data[position + 2]), data[position + 3]
            shape = tuple(data[position + 4 : position + 4 + count])
            size, at = abs(kind) * math.prod(shape), position + 4 + count
            if kind not in (-1, 1, 2, 4) or at + size > len(data):
                raise ValueError
            found.append((number, label, kind, shape, data[at : at + size]))
        if step == 0:
            break
        position += step
    for number, label, kind, shape, content in found:
        yield _Parameter(groups[number], label, kind, shape, content)


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _texts(parameter: _Parameter) -> list[str]:
    """Split a parameter of text into its strings; the first dimension is their length."""
    if parameter.kind != -1 or not parameter.shape or parameter.shape[0] == 0:
        return []
    text = parameter.data.decode("latin-1")
    return [text[k : k + parameter.shape[0]].strip(" \0") for k in range(0, len(text), parameter.shape[0])]


register(Reader("c3d", "C3D", (".c3d",), lambda content: content.start[1:2] == b"P" and content.start[0] < 32, read))
