"""Read keypoints and bones from CSV: MediaPipe landmarks, DeepLabCut, Motive, and any table of ``name_x, name_y``.

A table has a row per frame (columns ``nose_x``, ``x_nose``, ``x0``, or two header rows of names and coordinates), or a
row per point (columns frame, landmark, x, y).
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from vimonet.motion.io.frame_times import placed, seconds, strided, time_key
from vimonet.motion.io.json_metadata import spaced
from vimonet.motion.io.keypoints import from_points
from vimonet.motion.io.limits import MAX_FRAMES, MAX_JOINTS
from vimonet.motion.io.people import Person, Tracked, describe_people, track_people
from vimonet.motion.io.readers import Content, Reader, Recording, plain, register
from vimonet.motion.io.units_and_axes import UNITS, state_unit_and_up
from vimonet.motion.joint_names import LAYOUTS
from vimonet.utils.errors import InputError

_SCORE: Final = "v|c|s|p|vis|visible|visibility|conf|confidence|score|likelihood|presence|prob|probability"
_NUMBERED: Final = re.compile(rf"(?i)(?P<axis>x|y|z|{_SCORE})_?(?P<name>\d+)")
_BEHIND: Final = re.compile(
    rf"(?i)(?P<name>.+?)[ _.:/-]+(?P<axis>x|y|z|{_SCORE})(?:_(?P<unit>m|cm|mm)| ?[(\[](?P<unit_>m|cm|mm)[)\]])?"
)
_BEFORE: Final = re.compile(rf"(?i)(?P<axis>x|y|z|{_SCORE})[ _.:/-]+(?P<name>.+)")
_CAMEL: Final = re.compile(r"(?P<name>.*[a-z0-9])(?P<axis>[XYZ])")
_FRAME: Final = (
    *("frame", "frame_id", "frame_idx", "frameindex", "frame_number", "frame_no", "image", "image_id", "index"),
)
_POINT: Final = ("landmark", "landmark_name", "landmark_id", "landmark_index", "keypoint", "joint", "bodypart", "name")
_WHO: Final = ("person", "person_id", "track", "track_id", "individual", "id")
_UNIT_ROW: Final = frozenset(("", "px", "pixel", "pixels", *UNITS))
_AXES: Final[tuple[str, ...]] = ("x", "y", "z", "score")
_HEADER_ROWS: Final = 12
_HEAD: Final = 1 << 16
_FEWEST: Final = 10  # points of a body
_UNSEEN: Final = frozenset(
    ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "nan(ind)", "-nan(ind)", "-1.#ind", "1.#qnan")
)


class _Cell(NamedTuple):
    """Say what a column holds: a coordinate or score of a point, of a person if there are several."""

    point: str
    axis: str
    who: str = ""
    unit: str | None = None


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read a CSV of keypoints.

    Args:
        content: the file.
        fps: frames/s; None for the rate of a column of times, or else 30.
        layout: a key of ``LAYOUTS``, for points that are numbered.

    Raises:
        InputError: no columns of points, words among the numbers, no frames, an unknown layout.
    """
    name, notes = content.name, list[str]()
    cells, rate, points, tracked, placing = content.once(lambda: _everyone(content))
    notes += placing
    values, chosen = tracked.follow(name, notes, content.person)
    axes = sorted({cell.axis for cell in cells.values()})
    has_score = "score" in axes
    flat = values.shape[2] - has_score
    stated = {cell.unit for cell in cells.values()} - {None}
    recording = from_points(
        values[..., :flat],
        name,
        fps=rate if fps is None else fps,
        names=LAYOUTS[layout] if layout is not None else _names(points),
        confidence=values[..., -1] if has_score else None,
        dimensions=2 if flat == 2 else 3 if stated else None,
        notes=tuple(notes),
    )
    recording.details |= describe_people(tracked.everyone, len(values), chosen, picture=recording.dimensions == 2)
    if recording.dimensions == 3 and len(stated) == 1:
        state_unit_and_up(recording, stated.pop(), None)
    return recording


def _everyone(content: Content) -> tuple[dict[int, _Cell], float | None, list[str], Tracked, list[str]]:
    """Parse the columns, the rate by a column of times, the names of points, everyone, and notes."""
    name = content.name
    rows = _rows(content.text, MAX_FRAMES)
    start, cells, other = _header(rows, name)
    table = [row for row in rows[start:] if any(cell.strip() for cell in row)]
    if (
        table
        and (units := {table[0][k].strip().strip("()[]").lower() for k in cells if k < len(table[0])}) <= _UNIT_ROW
    ):
        cells = {k: cell._replace(unit=min(units & UNITS.keys(), default=None)) for k, cell in cells.items()}
        del table[0]
    stamps = [row[other["time"]] if other["time"] < len(row) else "" for row in table] if "time" in other else []
    keys: list[float] | None = None
    if "frame" in other:
        keys = [_frame(row, other, name) if other["frame"] < len(row) else at for at, row in enumerate(table)]
    elif placed(list(dict.fromkeys(stamps))) is not None:
        keys = [seconds(stamp) for stamp in stamps]
    frames, points = (
        _long(table, cells, other, keys, name) if "point" in other else _wide(table, cells, other, keys, name)
    )
    if len(points) > MAX_JOINTS:
        raise InputError(f"{name}: its columns name {len(points)} points; at most {MAX_JOINTS} are read.")
    numbers = sorted(frames)
    ordered = [frames[number] for number in numbers]
    times = dict(zip(range(len(table)) if keys is None else keys, stamps, strict=False))
    if (timed := placed([times.get(number) for number in numbers])) is not None:
        people = [[] if at is None else ordered[at] for at in timed.order]
        return cells, timed.rate, points, track_people(people, name), timed.notes
    whole = [int(number) for number in numbers]
    return cells, None, points, track_people([one or [] for one in spaced(ordered, whole)], name), strided(whole)


def detect(content: Content) -> bool:
    """Detect a table whose header names coordinates of ten points or more."""
    first = [line for line in content.head.splitlines() if line][:_HEADER_ROWS]
    if b"\0" in content.head or not any(mark in line for line in first for mark in (b",", b";", b"\t")):
        return False
    try:
        _header(_rows(content.head, _HEADER_ROWS), content.name)
    except InputError:
        return False
    return True


def _rows(data: bytes, limit: int) -> list[list[str]]:
    """Split into cells, by semicolon or tab where a first line has three; commas in numbers are decimal points then."""
    text = data.decode("utf-8", errors="replace")
    first = text[:_HEAD].splitlines()[:_HEADER_ROWS]
    delimiter = next((one for one in ";\t" if any(line.count(one) >= 3 for line in first)), ",")
    if delimiter != ",":
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    try:
        return list(itertools.islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), limit))
    except csv.Error:
        return []


def _header(rows: list[list[str]], name: str) -> tuple[int, dict[int, _Cell], dict[str, int]]:
    """Find the first row of data, what each column of a point holds, and the columns of frame, time, point, person."""
    for index, row in enumerate(rows[:_HEADER_ROWS]):
        cells = {k: cell for k, text in enumerate(row) if (cell := _cell(text)) is not None}
        words = {k: re.sub(r"[^a-z]+", "_", text.lower()).strip("_") for k, text in enumerate(row)}
        other = {
            kind: next((k for k, word in words.items() if word in known), -1)
            for kind, known in (("frame", _FRAME), ("point", _POINT), ("who", _WHO))
        }
        other["time"] = next((k for k, text in enumerate(row) if time_key([text]) is not None), -1)
        other = {kind: k for kind, k in other.items() if k >= 0}
        plain_axes = {k: _Cell("", axis) for k, word in words.items() if (axis := _axis(word))}
        placed_points = {cell.point for cell in cells.values() if cell.axis in "xy"}
        if len(placed_points) >= _FEWEST:
            other.pop("point", None)
            own = {k: cell for k, cell in cells.items() if k not in other.values() and cell.point in placed_points}
            return index + 1, own, other
        if "point" in other and {"x", "y"} <= {cell.axis for cell in plain_axes.values()}:
            return index + 1, {k: cell for k, cell in plain_axes.items() if k not in other.values()}, other
        if index and len(plain_axes) >= 2 * _FEWEST and (named := _two_rows(rows[:index], plain_axes)):
            return index + 1, named, {kind: k for kind, k in other.items() if kind in ("frame", "time")}
    raise InputError(
        f"{name}: no columns of points; expected a header such as nose_x, nose_y, or frame, landmark, x, y."
    )


def _two_rows(above: list[list[str]], axes: dict[int, _Cell]) -> dict[int, _Cell]:
    """Take the names of points from a row above the coordinates: DeepLabCut's ``bodyparts``, Motive's ``Name``."""
    label = {cell.strip().lower(): row for row in above for cell in row[:2] if cell.strip()}
    names = label.get("bodyparts", label.get("name"))
    if names is None:
        return {}
    who, kinds, quantity = label.get("individuals"), label.get("type"), above[-1]

    def at(row: list[str] | None, column: int) -> str:
        return row[column].strip() if row is not None and column < len(row) else ""

    return {
        k: _Cell(at(names, k), cell.axis, at(who, k))
        for k, cell in axes.items()
        if at(names, k) and at(kinds, k) in ("", "Bone") and at(quantity, k) != "Rotation"
    }


def _cell(text: str) -> _Cell | None:
    """Parse the name of a column of a point, or return None."""
    text = text.strip()
    if len(text) >= 80:
        return None
    match = next((m for p in (_NUMBERED, _BEHIND, _BEFORE, _CAMEL) if (m := p.fullmatch(text))), None)
    if match is None:
        return None
    unit = match.groupdict().get("unit") or match.groupdict().get("unit_")
    return _Cell(match["name"], _axis(match["axis"].lower()) or "score", unit=unit)


def _axis(word: str) -> str:
    if word in ("x", "y", "z"):
        return word
    return "score" if re.fullmatch(_SCORE, word) else ""


def _wide(
    table: list[list[str]], cells: dict[int, _Cell], other: dict[str, int], keys: list[float] | None, name: str
) -> tuple[dict[float, list[Person]], list[str]]:
    """Collect the people of each frame from a row per frame (and person); rows that are written twice count once."""
    points = list(dict.fromkeys(cell.point for cell in cells.values()))
    axes = [axis for axis in _AXES if axis in {cell.axis for cell in cells.values()}]
    place = {k: (cell.who, points.index(cell.point), axes.index(cell.axis)) for k, cell in cells.items()}
    people = list(dict.fromkeys(who for who, _, _ in place.values()))
    frames: dict[float, list[Person]] = defaultdict(list)
    for number, row in enumerate(table):
        values = np.full((len(people), len(points), len(axes)), np.nan)
        for k, (who, point, axis) in place.items():
            values[people.index(who), point, axis] = _number(row[k], name) if k < len(row) else np.nan
        here = frames[float(number) if keys is None else keys[number]]
        who_column = other.get("who", len(row))
        told = who_column < len(row) and row[who_column].strip() != ""  # SLEAP leaves it empty where it tracks nobody
        track = _frame(row, {"frame": who_column}, name) if told else None
        for index, person in enumerate(values):
            twice = any(np.array_equal(person, one.points, equal_nan=True) for one in here)
            if np.isfinite(person).any() and not twice:
                here.append(Person(person, index + 1 if len(people) > 1 else None if track is None else int(track)))
    return frames, points


def _long(
    table: list[list[str]], cells: dict[int, _Cell], other: dict[str, int], keys: list[float] | None, name: str
) -> tuple[dict[float, list[Person]], list[str]]:
    """Collect the people of each frame from a row per point."""
    points = list(dict.fromkeys(row[other["point"]].strip() for row in table if other["point"] < len(row)))[
        : MAX_JOINTS + 1
    ]
    index = {point: k for k, point in enumerate(points)}
    columns = [k for axis in _AXES for k, cell in cells.items() if cell.axis == axis]
    frames: dict[float, dict[float, np.ndarray]] = defaultdict(dict)
    last = Counter[str]()
    for number, row in enumerate(table):
        if other["point"] >= len(row) or (at := index.get(label := row[other["point"]].strip())) is None:
            continue
        last[label] += 1  # without a column of frames or times, a point's n-th row is of the n-th frame
        frame = last[label] - 1.0 if keys is None else keys[number]
        who = _frame(row, {"frame": other["who"]}, name) if "who" in other and other["who"] < len(row) else 0.0
        body = frames[frame].setdefault(who, np.full((len(points), len(columns)), np.nan))
        body[at] = [_number(row[k], name) if k < len(row) else np.nan for k in columns]
    tracked = "who" in other
    return {f: [Person(p, int(w) if tracked else None) for w, p in b.items()] for f, b in frames.items()}, points


def _frame(row: Sequence[str], other: dict[str, int], name: str) -> float:
    """Read the number of a frame or person: a number, or the last in a text such as img_012.png."""
    text = row[other["frame"]].strip()
    if re.fullmatch(r"\d{1,15}\.0*", text):  # 12.0, as pandas writes a column with gaps
        text = text.partition(".")[0]
    digits = re.findall(r"\d{1,15}", text)
    if not digits:
        raise InputError(f"{name}: {plain(text)!r} holds no number; expected the number of a frame or person.")
    return float(digits[-1])


def _number(text: str, name: str) -> float:
    text = text.strip()
    if text.lower() in _UNSEEN:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name}: {plain(text)!r} stands among the coordinates; expected numbers.") from None


def _names(points: list[str]) -> tuple[str, ...] | None:
    """Take the names of points as they are, or None if they are numbers."""
    if all(re.fullmatch(r"(?i)(?:landmark|lm|kp|keypoint|point|joint)?[ _-]*\d+", point) for point in points):
        return None
    return tuple(points)


register(Reader("csv", "CSV of keypoints", (".csv",), detect, read, rank=1, listed=False))
