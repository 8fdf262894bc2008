"""Read what a JSON of keypoints says beside its points: names, category, picture, rate, numbers of frames."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from vimonet.motion.motion import exact_fps

_NUMBER_KEYS: Final = ("frame_id", "frame_idx", "frame_index", "frame_number", "frame")
_TIME_KEYS: Final = (
    *("timestamp", "timestamp_ms", "timestamp_usec", "timestamp_us", "timestamp_ns", "time", "time_ms", "t"),
)
TRACK_KEYS: Final = ("track_id", "idx", "person_id", "tracking_id", "body_id", "id_", "id")
"""Keys of the number by which a file tracks a person."""
_ABOUT: Final = ("video", "metadata", "meta", "info", "video_info", "camera")
"""Keys under which a file says what concerns all of its frames."""
_MOST_MISSING: Final = 50  # frames in a row; more are no gap but another numbering
_PLAIN: Final = 10**15 - 1  # largest number of a frame that is read
_SAME_SHAPE: Final = 1.02  # ratio of width to height of two pictures, of which one may be the other, smaller
_RATES: Final = (5.0, 250.0)  # frames/s between which the time stamps of a camera lie


def natural(text: str) -> list[tuple[int, int, str]]:
    """Make a key that sorts numbers within names by value: frame_9 before frame_10."""
    parts = re.split(r"([0-9]{1,999})", text)
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts]


def about(meta: dict[str, Any]) -> dict[str, Any]:
    """Bring what a file says of all its frames to one level: ``{"video": {"fps": 25}}`` as ``{"fps": 25}``."""
    inner = [meta[key] for key in _ABOUT if isinstance(meta.get(key), dict)]
    return {key: value for one in reversed(inner) for key, value in one.items()} | meta if inner else meta


def rate_of_stamps(meta: dict[str, Any], frames: Sequence[Any]) -> float | None:
    """Compute frames/s of frames that are keyed by the camera's time, as Stereolabs' samples do, or that carry it.

    Times are in s, ms, us or ns, whichever makes the rate that of a camera.
    """
    key = (
        next((key for key in _TIME_KEYS if isinstance(frames[0], dict) and key in frames[0]), None) if frames else None
    )
    if key is not None:
        times: list[Any] = [frame.get(key) if isinstance(frame, dict) else None for frame in frames]
        known = sorted({float(time) for time in times if type(time) in (int, float) and abs(time) < 1e20})
    else:
        keys = all(key.isascii() and key.isdigit() and len(key) < 20 for key in meta)
        known = sorted(float(time) for time in meta) if keys else []
    if len(known) < 3 or not all(np.isfinite(known)):
        return None
    step = float(np.median(np.diff(known)))
    units = (1.0, 1e-3, 1e-6, 1e-9) if step < 1 else (1e-3, 1e-6, 1e-9)
    rates = [exact_fps(step * unit) for unit in units if step > 0]
    return next((rate for rate in rates if _RATES[0] <= rate <= _RATES[1]), None)


def names_in(meta: dict[str, Any]) -> list[Any] | None:
    """Find the joint names of a file: its own list, MMPose's ``meta_info``, or a COCO category's ``keypoints``."""
    for key in ("names", "joint_names", "keypoint_names"):
        if isinstance(meta.get(key), list):
            return list(meta[key])
    info = meta.get("meta_info")
    listed = info.get("keypoint_id2name") if isinstance(info, dict) else None
    described = info.get("keypoint_info") if isinstance(info, dict) else None
    if isinstance(described, dict) and described and all(isinstance(one, dict) for one in described.values()):
        listed = {key: one.get("name") for key, one in described.items()}
    if isinstance(listed, dict) and listed:
        return [listed[key] for key in sorted(listed, key=natural)]
    if isinstance(listed, list) and listed:
        return list(listed)
    numbers = info.get("keypoint_name2id") if isinstance(info, dict) else None
    if isinstance(numbers, dict) and numbers and all(isinstance(number, int) for number in numbers.values()):
        return sorted(numbers, key=lambda joint: numbers[joint])
    category = category_in(meta)
    return None if category is None else list(category["keypoints"])


def category_in(meta: dict[str, Any]) -> dict[str, Any] | None:
    """Find the category of a COCO file whose points are read: the one with keypoints that most annotations have."""
    categories, annotations = meta.get("categories"), meta.get("annotations")
    with_points = [
        category
        for category in (categories if isinstance(categories, list) else ())
        if isinstance(category, dict) and isinstance(category.get("keypoints"), list) and category["keypoints"]
    ]
    if len(with_points) < 2:
        return next(iter(with_points), None)
    used = Counter(
        str(one.get("category_id"))
        for one in (annotations if isinstance(annotations, list) else ())
        if isinstance(one, dict)
    )
    return max(with_points, key=lambda category: used[str(category.get("id"))])


def image_size_in(meta: dict[str, Any]) -> tuple[float, float] | None:
    """Find the width and height of the picture, pixels, in what a file says beside its frames."""
    size = next((meta[k] for k in ("image_size", "resolution", "size") if isinstance(meta.get(k), list)), None)
    if size is None:
        size = [meta.get("width", meta.get("image_width")), meta.get("height", meta.get("image_height"))]
    if len(size) == 2 and all(isinstance(v, (int, float)) and v > 0 for v in size):
        return float(size[0]), float(size[1])
    return None


def of_category(annotations: list[Any], meta: dict[str, Any]) -> list[Any]:
    """Keep the annotations of the category that is read, in a COCO file of several."""
    category = category_in(meta)
    if category is None or len(meta["categories"]) == 1:
        return annotations
    own = [one for one in annotations if one.get("category_id", category.get("id")) == category.get("id")]
    return own or annotations


def image_files(meta: dict[str, Any]) -> dict[str, str]:
    """Map the ids of a COCO file's images to their numbered names, which tell the order of frames better."""
    images = meta.get("images")
    images = [one for one in (images if isinstance(images, list) else ()) if isinstance(one, dict)]
    files = {str(one.get("id")): str(one.get("file_name", "")) for one in images}
    return files if all(re.search(r"\d", file) for file in files.values()) else {}


def scale_to_one_size(meta: dict[str, Any]) -> tuple[dict[str, float], str | None]:
    """Tell the factors, by id, that bring the images of a COCO file to the width of the widest; and a note on it."""
    images = meta.get("images")
    images = [one for one in (images if isinstance(images, list) else ()) if isinstance(one, dict)]
    sizes = {str(one.get("id")): size for one in images if (size := image_size_in(one))}
    several = sorted(set(sizes.values()))
    if len(several) < 2 or len(sizes) < len(images):
        return {}, None
    listed = ", ".join(f"{width:g}x{height:g}" for width, height in several[:4]) + (" ..." if len(several) > 4 else "")
    shapes = [width / height for width, height in several]
    if max(shapes) > _SAME_SHAPE * min(shapes):
        return {}, f"pictures of several shapes ({listed}): places in one do not compare with those in another"
    widest = several[-1][0]
    note = f"pictures of several sizes ({listed}): brought to one"
    return {key: widest / width for key, (width, _) in sizes.items()}, note


def one_per_number(frames: list[Any]) -> list[Any]:
    """Put the rows of one frame together, where a file has a row per person: rows of one number, or of one time."""
    keys: list[Any] = [frame_number(frame) for frame in frames]
    if None in keys:
        if not all(isinstance(frame, dict) for frame in frames) or not any(key in frames[0] for key in TRACK_KEYS):
            return frames
        time = next((key for key in _TIME_KEYS if all(key in frame for frame in frames)), "")
        keys = [frame.get(time) for frame in frames]
    if not all(type(key) in (int, float) for key in keys) or len(set(keys)) == len(keys):
        return frames
    rows: dict[Any, list[Any]] = {}
    for key, frame in zip(keys, frames, strict=True):
        rows.setdefault(key, []).append(frame)
    kept = (*_NUMBER_KEYS, *_TIME_KEYS)
    return [{**{k: v for k, v in rows[key][0].items() if k in kept}, "people": rows[key]} for key in sorted(rows)]


def spaced(frames: list[Any], numbers: Sequence[int | None]) -> list[Any]:
    """Put empty frames where numbers of frames are missing; numbers with a constant step (every 3rd) miss none."""
    known = [number for number in numbers if number is not None]
    steps = np.diff(known)
    if len(known) < len(frames) or len(frames) < 3 or (steps <= 0).any() or len(set(steps.tolist())) == 1:
        return frames
    step = int(np.median(steps))
    out = [frames[0]]
    for frame, gap in zip(frames[1:], steps.tolist(), strict=True):
        out += [None] * (gap // step - 1 if gap % step == 0 and gap // step <= _MOST_MISSING else 0)
        out.append(frame)
    return out


def number_in(text: str) -> int | None:
    """Return the last number in a name: that of a frame."""
    numbers = re.findall(r"\d{1,15}", text)
    return int(numbers[-1]) if numbers else None


def in_order(keys: Iterable[Any]) -> tuple[list[Any], list[int | None]]:
    """Sort keys of frames, numbers or names with numbers, as `natural` does, and tell the number of each."""
    listed = list(keys)
    if all(type(key) is int and 0 <= key <= _PLAIN for key in listed):  # most files
        listed.sort()
        return listed, listed
    listed.sort(key=lambda key: natural(str(key)))
    return listed, [number_in(str(key)) for key in listed]


def frame_number(frame: Any) -> int | None:
    """Return the number that a frame carries."""
    number = next((frame[key] for key in _NUMBER_KEYS if key in frame), None) if isinstance(frame, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
