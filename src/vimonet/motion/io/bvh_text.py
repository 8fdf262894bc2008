"""Parse the text of BVH files in the dialects that exporters write.

Key words in any case; line ends of any system; decimal commas, and commas or semicolons between numbers; several roots;
a count of frames that differs from the rows.
"""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.limits import LARGEST
from vimonet.motion.io.readers import plain, usable
from vimonet.motion.motion import check_fps, exact_fps
from vimonet.utils.errors import InputError

MOTION: Final = re.compile(rb"(?:\A|(?<=[\r\n}]))[ \t]*MOTION\b", re.IGNORECASE)
HIERARCHY: Final = re.compile(rb"\s*(?:[#;%/][^\r\n]*[\r\n]+\s*)*HIERARCHY\b", re.IGNORECASE)
"""The first word of a BVH, behind comments that some exporters put before it."""
_FRAMES: Final = re.compile(rb"\s*Frames\b\s*:?\s*(\S+)", re.IGNORECASE)
_FRAME_TIME: Final = re.compile(rb"\s*Frame\s*Time\b\s*:?\s*(\S+)[^\r\n]*", re.IGNORECASE)
_RATES: Final = (24, 25, 30, 50, 60, 90, 100, 120, 200, 240)
"""Frames/s that cameras and mocap systems have: what a frame time of few digits was rounded from."""
_TWO_DIGITS: Final = 9.5  # last printed places: a frame time of one digit (.03) may be rounded from too many rates
_CHANNEL: Final = re.compile(r"([XYZ])(position|rotation)", re.IGNORECASE)
_OFFSETS: Final = re.compile(r"(\bOFFSET\s)([-+0-9.,;eE \t]+)", re.IGNORECASE)
_CHANNELS: Final = re.compile(r"\bCHANNELS\b[^{}\r\n]*", re.IGNORECASE)
_IMPORT_PAYS: Final = 8 << 20  # bytes of numbers
_NUMERIC: Final = b"0123456789+-.eE \t\r\n"
_MAX_JOINTS: Final = 2000
_SLOWEST: Final = 1.0  # s from frame to frame; longer ones are milliseconds, or frames/s


@dataclass
class Hierarchy:
    """Hold the skeleton of a BVH file; end sites are joints named ``<parent> end`` without channels.

    Attributes:
        names: joint names in file order (parents before children).
        parents: index of each joint's parent, -1 for the root.
        offsets: [J, 3] in the file's unit.
        channels: per joint, (kind, axis) with kind 'position' or 'rotation' and axis 0..2, in file order.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[tuple[float, float, float]] = field(default_factory=list)
    channels: list[list[tuple[str, int]]] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Numbers per frame."""
        return sum(len(channels) for channels in self.channels)


def parse_hierarchy(text: str, name: str) -> list[Hierarchy]:
    """Parse the HIERARCHY block, one skeleton per root; InputError names the first error."""
    tokens = _plain_offsets(text).replace("{", " { ").replace("}", " } ").split()
    if not tokens or tokens[0].upper() != "HIERARCHY":
        raise InputError(f"{name}: the file does not begin with HIERARCHY; it is not a BVH.")
    trees: list[Hierarchy] = []
    open_joints: list[int] = []
    position = 1

    def take(count: int) -> list[str]:
        nonlocal position
        if position + count > len(tokens):
            raise InputError(f"{name}: the hierarchy ends in the middle of a joint; the BVH file is truncated.")
        part = tokens[position : position + count]
        position += count
        return part

    while position < len(tokens):
        word = take(1)[0].upper()
        if word == "ROOT" and not open_joints:
            trees.append(Hierarchy())
        tree = trees[-1] if trees else Hierarchy()
        if word in {"ROOT", "JOINT", "END", "ENDSITE"}:
            label: list[str] = []
            while (token := take(1)[0]) != "{":
                label.append(token)
            if word != "ROOT" and not open_joints:
                raise InputError(f"{name}: {word.lower()} {plain(' '.join(label))} stands outside of the root joint.")
            parent = open_joints[-1] if open_joints else -1
            joint_name = (
                f"{tree.names[parent]} end" if word[:3] == "END" else "_".join(label) or f"joint{len(tree.names)}"
            )
            if sum(len(tree.names) for tree in trees) >= _MAX_JOINTS:
                raise InputError(f"{name}: the hierarchy has more than {_MAX_JOINTS} joints; expected one body.")
            open_joints.append(len(tree.names))
            tree.names.append(joint_name)
            tree.parents.append(parent)
            tree.offsets.append((0.0, 0.0, 0.0))
            tree.channels.append([])
        elif word == "OFFSET" and open_joints:
            tree.offsets[open_joints[-1]] = _offset(take(3), tree.names[open_joints[-1]], name)
        elif word == "CHANNELS" and open_joints:
            count = take(1)[0]
            if not re.fullmatch(r"[0-9]{1,9}", count) or int(count) > 12:
                raise InputError(
                    f"{name}: joint {plain(tree.names[-1])} has {plain(count)!r} channels; expected 0 to 6."
                )
            for channel in take(int(count)):
                match = _CHANNEL.fullmatch(channel)
                if match is None:
                    raise InputError(
                        f"{name}: joint {plain(tree.names[-1])} has an unknown channel {plain(channel)!r}; expected "
                        "Xposition, Yposition, Zposition, Xrotation, Yrotation or Zrotation."
                    )
                tree.channels[open_joints[-1]].append((match[2].lower(), "XYZ".index(match[1].upper())))
        elif word == "}" and open_joints:
            open_joints.pop()
        else:
            raise InputError(
                f"{name}: unexpected {plain(word)!r} in the hierarchy; expected JOINT, OFFSET, CHANNELS or End Site."
            )
    if open_joints or not trees:
        raise InputError(f"{name}: the hierarchy is not closed by as many }} as {{; the BVH file is truncated.")
    if sum(tree.width for tree in trees) == 0:
        raise InputError(f"{name}: no joint has a channel; expected at least the root's rotation.")
    return trees


def _plain_offsets(text: str) -> str:
    """Write OFFSET and CHANNELS lines with decimal points and spaces."""
    if "," not in text and ";" not in text:
        return text

    def offset(match: re.Match[str]) -> str:
        return match[1] + plain_numbers(match[2].encode(), 3).decode()

    text = _OFFSETS.sub(offset, text)
    return _CHANNELS.sub(lambda match: match[0].replace(",", " ").replace(";", " "), text)


def plain_numbers(block: bytes, width: int) -> bytes:
    """Write rows of numbers with decimal points and spaces.

    A comma before white space separates, and so does every comma where there are decimal points. Otherwise commas are
    decimal if white space alone gives rows of ``width`` numbers.
    """
    if b"," not in block and b";" not in block:
        return block
    block = re.sub(rb",(?=\s|\Z)", b" ", block.replace(b";", b" "))
    decimal = b"." not in block and len(block.split()) % width == 0
    return block.replace(b",", b"." if decimal else b" ")


def _offset(words: list[str], joint: str, name: str) -> tuple[float, float, float]:
    try:
        x, y, z = (float(word) for word in words)
    except ValueError:
        raise InputError(
            f"{name}: the OFFSET of {plain(joint)} is {plain(' '.join(words))}; expected three numbers."
        ) from None
    if not (abs(x) <= LARGEST and abs(y) <= LARGEST and abs(z) <= LARGEST):  # not for NaN either
        raise InputError(f"{name}: the OFFSET of {plain(joint)} is not finite; expected three numbers.")
    return x, y, z


def read_motion(
    data: bytes, start: int, width: int, name: str, fps: float | None
) -> tuple[NDArray[np.float64], float, list[str]]:
    """Parse channel values [frames, width] and the rate; memory follows the data, not the declared count.

    Args:
        data: the file.
        start: end of the word MOTION.
        width: numbers per frame.
        name: for messages.
        fps: rate that replaces the file's frame time.

    Returns:
        Values, frames/s, and notes for the user.

    Raises:
        InputError: no frames, numbers missing or not finite, no frame time.
    """
    frames = _FRAMES.match(data, start)
    declared: int | None = None
    if frames is not None:
        start = frames.end()
        try:
            declared = int(float(frames[1].strip(b",;")))
        except (ValueError, OverflowError):
            raise InputError(
                f"{name}: Frames: {plain(frames[1].decode(errors='replace'))} is not a whole number."
            ) from None
    line = _FRAME_TIME.match(data, start)
    if line is None:
        raise InputError(f"{name}: there is no 'Frame Time:' line after MOTION; the BVH file is truncated.")
    notes: list[str] = []
    rate = check_fps(fps, name) if fps is not None else _rate(line[1], name, notes)
    block = data[line.end() :].rstrip(b" \t\r\n\0\x1a")
    values = parse_numbers(plain_numbers(block, width), name, width)
    present, rest = divmod(len(values), width)
    if rest:
        raise InputError(
            f"{name}: the motion block has {present} whole frames and {rest} of {width} numbers of another; the file "
            "is truncated or its channels do not match its hierarchy."
        )
    if present == 0:
        raise InputError(f"{name}: the motion block is empty; at least one frame of {width} numbers is needed.")
    if declared is None:
        notes.append("the file does not say how many frames it has: all taken")
    elif declared != present:
        cut = "; the rest may be cut off" if declared > present + 1 else ""
        notes.append(f"the file declares {declared} frames and holds {present}: all {present} read{cut}")
    return values.reshape(present, width), rate, notes


def _rate(word: bytes, name: str, notes: list[str]) -> float:
    """Read frames/s from the printed frame time: .033 and .0083 are 30 and 120, which round to it; .03 stays 33.3."""
    text = word.rstrip(b",;").replace(b",", b".").decode("ascii", errors="replace")
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not (np.isfinite(seconds) and 1e-4 <= seconds < _SLOWEST):
        raise InputError(
            f"{name}: Frame Time is {plain(word.decode(errors='replace'))}; expected seconds, such as 0.033333, or "
            "give the rate with fps."
        )
    rate = exact_fps(seconds)
    places = len(text.partition(".")[2]) if re.fullmatch(r"\d*\.\d{1,4}", text) else 9
    same = [usual for usual in _RATES if round(1 / usual, places) == seconds]
    if not same or min(abs(usual - rate) for usual in same) < 1e-3 * rate:
        return rate
    nearest = min(same, key=lambda usual: abs(usual - rate))
    if seconds * 10**places < _TWO_DIGITS:
        notes.append(f"a frame time of {text} s is {rate:.4g} frames/s, or {nearest} rounded; --fps {nearest} decides")
        return rate
    notes.append(f"a frame time of {text} s is {nearest} frames/s, rounded")
    return float(nearest)


def parse_numbers(block: bytes, name: str, width: int = 0) -> NDArray[np.float64]:
    """Parse white-space separated numbers, of which `width` stand in a line; InputError names a bad one."""
    strange = block.translate(None, _NUMERIC)
    if strange:
        raise InputError(
            f"{name}: {_first_bad(block)} in the motion data is not a finite number; expected numbers only."
        )
    if not block.strip():
        return np.zeros(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            found = _by_arrow(block, width)
            values = np.fromstring(block, dtype=np.float64, sep=" ") if found is None else found
        except (DeprecationWarning, ValueError):
            raise InputError(
                f"{name}: {_first_bad(block)} in the motion data is not a number; expected numbers only."
            ) from None
    if not usable(values).all():
        raise InputError(f"{name}: a number in the motion data is too large; expected finite positions and degrees.")
    return values


def _by_arrow(block: bytes, width: int) -> NDArray[np.float64] | None:
    """Parse lines of `width` numbers with `pyarrow.csv`, five times faster and to the same bits.

    None where its import, a tenth of a second, does not pay, or where the lines have another form.
    """
    if width == 0 or ("pyarrow.csv" not in sys.modules and len(block) < _IMPORT_PAYS):
        return None
    import pyarrow as pa
    import pyarrow.csv as csv

    lines = pa.BufferReader(block.replace(b" \r", b"\r").replace(b" \n", b"\n"))
    names = [str(column) for column in range(width)]
    types = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()))
    try:
        read = csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1)
        columns = csv.read_csv(lines, read, csv.ParseOptions(delimiter=" "), types).columns
    except (pa.ArrowException, OverflowError):
        return None
    if any(column.null_count or column.num_chunks != 1 for column in columns):
        return None
    # Arrow's `to_numpy` imports pandas, which takes a second.
    parts = [column.chunk(0) for column in columns]
    return np.stack([np.frombuffer(part.buffers()[1], float, len(part), 8 * part.offset) for part in parts], 1).ravel()


def _first_bad(block: bytes) -> str:
    for token in block.split():
        try:
            if np.isfinite(float(token)):
                continue
        except ValueError:
            pass
        return repr(token[:20].decode("utf-8", errors="replace"))
    return "something"
