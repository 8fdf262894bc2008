"""Read one JSON message of keypoints: people with ids, its time, and what it says of the data.

A message is one frame in any form that `motion.io.keypoint_json` reads, such as

    {"time": 12.4, "people": [{"id": 1, "keypoints": [[x, y, confidence], ...]}]}

``"people": []`` says that nobody is in view. ``names``, ``format``, ``dimensions``, ``width`` and ``height``, ``unit``
and ``up`` may stand in any message, or in a first one without people.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from vimonet.motion.io.json_metadata import image_size_in, names_in
from vimonet.motion.io.keypoint_json import PERSON_KEYS, names_of_points, people_in
from vimonet.motion.io.limits import MAX_JOINTS, MAX_PEOPLE
from vimonet.motion.joint_names import LAYOUTS
from vimonet.watch.readings import PoseReading, SeenPerson
from vimonet.watch.stream import PersonId

LONGEST: Final = 8 << 20
"""Bytes of one message; a thousand people take some two million."""

_TIMES: Final = (
    *((key, None) for key in ("time", "timestamp", "ts", "t", "stamp")),
    *(("time_s", 1.0), ("time_ms", 1e-3), ("timestamp_ms", 1e-3), ("time_us", 1e-6), ("timestamp_us", 1e-6)),
    *(("time_ns", 1e-9), ("timestamp_ns", 1e-9)),
)
_EPOCHS: Final = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3))  # seconds since 1970 stay below 1e11 for 3,000 years
_TRACKS: Final = ("track_id", "person_id", "tracking_id", "id", "name")

_UNSEEN: Final = {"x": math.nan, "y": math.nan}


class BadMessage(ValueError):
    """Report a message that is no frame of keypoints; the text says why."""


def parse_message(data: bytes | str) -> PoseReading:
    """Read one message.

    Raises:
        BadMessage: it is no JSON, or holds something other than points.
    """
    if len(data) > LONGEST:
        raise BadMessage(f"it is longer than {LONGEST >> 20} MiB")
    try:
        value = json.loads(data.decode("utf-8-sig") if isinstance(data, bytes) else data)
    except (ValueError, RecursionError):
        raise BadMessage("it is no JSON") from None
    return read_message(value)


def read_message(value: Any) -> PoseReading:
    """Read one message that is parsed already.

    Raises:
        BadMessage: it holds something other than points.
    """
    about = _about(value) if isinstance(value, dict) else {}
    time = _time(value) if isinstance(value, dict) else None
    people: list[SeenPerson] = []
    try:
        entries = _entries(value)
        named = next((points for entry in entries if (points := _named_points(entry))), None)
        names = about.get("names") or (list(named) if named else names_of_points([value]))
        for entry in entries:
            points = _named_points(entry)
            if points and names:  # the order of keys says nothing
                ids = {key: entry[key] for key in _TRACKS if key in entry}
                entry = {**ids, "points": [points.get(name, _UNSEEN) for name in names]}
            own = _own_id(entry)
            people += [
                SeenPerson(person.points, own if own is not None else person.track)
                for person in people_in(entry, list(names) if names else None)
            ]
        if names:
            about["names"] = tuple(names)
    except (TypeError, ValueError, OverflowError, KeyError, AttributeError, IndexError, RecursionError):
        raise BadMessage("it holds something other than points") from None
    if len(people) > MAX_PEOPLE or any(len(person.points) > MAX_JOINTS for person in people):
        raise BadMessage(f"it holds more than {MAX_PEOPLE} people or {MAX_JOINTS} points each")
    moment = bool(people) or time is not None or not isinstance(value, dict) or any(key in value for key in PERSON_KEYS)
    return PoseReading(time, tuple(people), about, moment)


def _entries(value: Any) -> list[Any]:
    """List the people of a message as they stand in it."""
    if isinstance(value, dict):
        for key in PERSON_KEYS:
            inner = value.get(key)
            if isinstance(inner, dict):  # {"people": {"7": {...}}}: keyed by id
                return [{"id": name, **one} if isinstance(one, dict) else one for name, one in inner.items()]
            if isinstance(inner, list) and all(isinstance(one, dict) and "x" not in one for one in inner):
                return inner
    return [value]


def _named_points(entry: Any) -> dict[str, Any]:
    """Find the points that a person has by name: {"left_knee": [x, y, c], ...}."""
    if not isinstance(entry, dict):
        return {}
    inner = next((entry[key] for key in ("joints", "keypoints", "points") if isinstance(entry.get(key), dict)), entry)
    named = {key: point for key, point in inner.items() if _is_point(point)}
    return named if len(named) > 5 else {}


def _is_point(value: Any) -> bool:
    if isinstance(value, dict):
        return "x" in value and "y" in value
    return isinstance(value, list) and len(value) in (2, 3, 4) and all(isinstance(v, (int, float)) for v in value)


def _own_id(entry: Any) -> PersonId | None:
    """Find the id of a person that is a word; numbers are found by the reader."""
    if not isinstance(entry, dict):
        return None
    found = next((entry[key] for key in _TRACKS if isinstance(entry.get(key), str)), None)
    if found is None or not found.strip():
        return None
    word = "".join(c for c in found if c.isprintable()).strip()[:64]
    return int(word) if word.isdecimal() and word.isascii() and len(word) < 18 else word


def _time(value: dict[str, Any]) -> float | None:
    """Find the time of a message, s."""
    for key, unit in _TIMES:
        found = value.get(key)
        if isinstance(found, dict):  # ROS
            whole, part = found.get("sec", found.get("secs")), found.get("nanosec", found.get("nsecs", 0))
            if isinstance(whole, (int, float)) and isinstance(part, (int, float)):
                return float(whole) + 1e-9 * float(part)
        if (
            isinstance(found, (int, float))
            and not isinstance(found, bool)
            and math.isfinite(found)
            and abs(found) < 1e20
        ):
            if unit is None:
                unit = next((scale for least, scale in _EPOCHS if found > least), 1.0)
            return float(found) * unit
    header = value.get("header")
    return _time(header) if isinstance(header, dict) else None


def _about(value: dict[str, Any]) -> dict[str, Any]:
    """Collect what a message says of the data."""
    about: dict[str, Any] = {}
    names = names_in(value)
    if names and all(isinstance(name, str) for name in names):
        about["names"] = tuple(names)
    if value.get("format") in LAYOUTS:
        about["names"] = LAYOUTS[value["format"]]
    if value.get("dimensions") in (2, 3):
        about["dimensions"] = value["dimensions"]
    size = image_size_in(value)
    if size is not None:
        about["size"] = (round(size[0]), round(size[1]))
    for key in ("unit", "up"):
        if isinstance(value.get(key), (str, int, float)):
            about[key] = value[key]
    fps = value.get("fps")
    if isinstance(fps, (int, float)) and 0.1 <= fps <= 1000:
        about["fps"] = float(fps)
    return about
