"""Put frames at the times that their file gives them, and read the rate that it states in any wording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.limits import MAX_FRAMES
from vimonet.motion.motion import exact_fps
from vimonet.utils.errors import InputError

_STAMPS: Final = frozenset(
    (
        *("timestamp", "timestamps", "timestampms", "timestampus", "timestampusec", "timestampns", "timecode"),
        *("t", "ts", "time", "times", "timems", "timeus", "timesec", "timeseconds", "seconds"),
        *("elapsed", "elapseds", "elapsedtime", "frametime", "frametimes"),
    )
)
"""Names of a frame's time, as `_letters` writes them: lower case, letters alone."""
_RATE_WORDS: Final = frozenset(
    (
        *("fps", "framerate", "framespersecond", "videofps", "captureframerate", "mocapframerate", "capturerate"),
        *("rate", "samplerate", "samplingrate", "samplingfrequency", "frequency", "hz"),
    )
)
_STEP_WORDS: Final = frozenset(("dt", "frametime", "timestep", "deltatime"))
_RATE: Final = re.compile(
    r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|nan|inf)\s*(?:/\s*([1-9]\d*))?\s*(?:fps|hz)?\s*", re.I
)
_RATES: Final = (5.0, 500.0)  # frames/s of cameras and of motion capture
_EVEN: Final = (0.5, 1.5)  # of the usual step: less is a second frame, more a missing one, between is a camera's jitter
_TOGETHER: Final = 0.2  # most share of frames at the time of another
_SPARSE: Final = 10  # most steps of time per frame; beyond it the times are wrong, no frames are missing
_DIFFER: Final = 1.1  # ratio of two rates; beyond it one is not the other rounded


class Placed(NamedTuple):
    """Hold the number of the frame at each regular step of time, None where a frame is missing; the rate; notes."""

    order: list[int | None]
    rate: float
    notes: list[str]


def _letters(key: object) -> str:
    return re.sub("[^a-z]", "", str(key).lower())


def time_key(keys: Iterable[Any]) -> Any | None:
    """Find the key of a frame's time."""
    return next((key for key in keys if _letters(key) in _STAMPS), None)


def stated_rate(about: Mapping[str, Any], name: str) -> float | None:
    """Read frames/s, or the time of one, under any of their names: 30, "29.97 fps", "30000/1001"; None if not stated.

    Raises:
        InputError: what is called a frame rate is no number.
    """
    for key in sorted((key for key in about if _letters(key) in _RATE_WORDS | _STEP_WORDS), key=_is_step):
        value = about[key]
        if value is None or np.size(value) != 1:
            continue
        text = str(value.reshape(-1)[0] if isinstance(value, np.ndarray) else value)
        found = _RATE.fullmatch(text)
        if found is not None and float(found[1]) > 0 and _is_step(key):
            return exact_fps(float(found[1]) / (1000 if float(found[1]) > 1 else 1))
        if found is not None:
            return float(found[1]) / float(found[2] or 1)
        if re.search("fps|frame", _letters(key)):
            raise InputError(f"{name}: {key} is not a number; expected frames per second.")
    return None


def _is_step(key: object) -> bool:
    return _letters(key) in _STEP_WORDS


def placed(stamps: Sequence[Any]) -> Placed | None:
    """Sort frames by their time stamps, with gaps for missing frames; return None for stamps that are no times.

    Frames stay in the order of the file where too many share a time, as of a clock that was set back.

    Args:
        stamps: the time of each frame, as text (``00:01:02.5``, ``2024-05-01T10:00:02.5Z``) or as a number, whose unit
            is the first of s, ms, us and ns that gives 5 to 500 frames/s.
    """
    times = np.array([seconds(stamp) for stamp in stamps])
    known = np.isfinite(times)
    if len(times) < 3 or 2 * known.sum() <= len(times):
        return None
    times = np.interp(np.arange(len(times)), np.flatnonzero(known), times[known])
    order = np.argsort(times, kind="stable")
    times = times[order] - times[order[0]]
    steps = np.diff(times)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    units = (1.0, 1e-3, 1e-6, 1e-9) if usual < 1 else (1e-3, 1e-6, 1e-9)
    scale = next((unit for unit in units if usual > 0 and _RATES[0] <= 1 / (usual * unit) <= _RATES[1]), None)
    if scale is None:
        return None
    # Files round their times, so the rate is taken from the whole time and its steps, not from one step.
    count = int(np.maximum(np.rint(steps / usual), 1 if (steps > 0).all() else 0).sum())
    rate = exact_fps(float(times[-1]) * scale / count)
    if (steps > _EVEN[0] * usual).all() and (steps < _EVEN[1] * usual).all():
        return Placed(order.tolist(), rate, [])
    slots = np.rint(times * scale * rate).astype(np.int64)
    total, taken = int(slots[-1]) + 1, len(set(slots.tolist()))
    if taken < (1 - _TOGETHER) * len(slots):  # a clock too coarse to tell frames apart, or one that was set back
        if (np.diff(order) == 1).all():
            return Placed(order.tolist(), exact_fps(float(times[-1]) * scale / (len(times) - 1)), [])
        return Placed(list(range(len(order))), rate, ["its times go back: frames are kept in the order of the file"])
    if total > min(MAX_FRAMES, _SPARSE * len(slots)):
        return Placed(list(range(len(order))), rate, ["its times have gaps far longer than the recording: left out"])
    found: list[int | None] = [None] * total
    for slot, frame in zip(slots.tolist()[::-1], order.tolist()[::-1], strict=True):
        found[slot] = frame
    note = f"frames are put at their times, which are uneven: {total - taken} of {total} are missing"
    return Placed(found, rate, [note] if total > taken else [])


def seconds(stamp: Any) -> float:
    """Read a time: a number as it stands, a text with colons or a date in seconds; NaN for anything else."""
    if isinstance(stamp, str) and (clock := re.fullmatch(r"\s*(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)\s*", stamp)):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    try:
        return float(stamp)
    except (TypeError, ValueError):
        pass
    try:
        return datetime.fromisoformat(str(stamp).strip()).timestamp()
    except (ValueError, OverflowError):
        return float("nan")


def settled(stated: float | None, measured: float | None, notes: list[str]) -> float | None:
    """Choose between the rate that a file states and that of its frames' times; note where the times count."""
    if stated is None or measured is None or not stated > 0:
        return measured if stated is None else stated
    if max(stated, measured) <= _DIFFER * min(stated, measured):
        return stated
    notes.append(
        f"the file states {stated:g} frames/s, but the times of its frames give {measured:g}, which is taken; "
        "--fps decides"
    )
    return measured


def strided(numbers: Sequence[Any]) -> list[str]:
    """Return a note if frame numbers rise by a constant step above 1: the stated rate may be that of all frames."""
    steps = set(np.diff(numbers).tolist()) if len(numbers) > 2 and None not in numbers else set()
    if len(steps) != 1 or (step := steps.pop()) < 2:
        return []
    return [
        f"frames are numbered in steps of {step:g}: if the rate counts the frames between, give 1/{step:g} of it by "
        "--fps"
    ]


def rows_in_time(values: NDArray[Any], order: Sequence[int | None]) -> NDArray[Any]:
    """Take the rows of each even step of time; NaN where there is none."""
    rows = np.full((len(order), *values.shape[1:]), np.nan)
    for at, row in enumerate(order):
        if row is not None:
            rows[at] = values[row]
    return rows
