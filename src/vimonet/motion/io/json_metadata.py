"""Read what a JSON of keypoints says beside its points: names, category, picture, rate, numbers of frames."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from vimonet.motion.io.frame_times import placed, strided, time_key

_NUMBER_KEYS: Final = ("frame_id", "frame_idx", "frame_index", "frame_number", "frame")
TRACK_KEYS: Final = ("track_id", "idx", "person_id", "tracking_id", "body_id", "id_", "id")
"""Keys of the number by which a file tracks a person."""
_ABOUT: Final = ("video", "metadata", "meta", "info", "video_info", "camera")
"""Keys under which a file says what concerns all of its frames."""
_MOST_MISSING: Final = 50  # frames in a row, or three times as many as there are; more are no gap but another numbering
_PLAIN: Final = 10**15 - 1  # largest number of a frame that is read
_SAME_SHAPE: Final = 1.02  # ratio of width to height of two pictures, of which one may be the other, smaller
_CLOCK: Final = 1e9  # keys from here on are times, too large for frame numbers, which also rise in equal steps


def natural(text: str) -> list[tuple[int, int, str]]:
    """Make a key that sorts numbers within names by value: frame_9 before frame_10."""
    parts = re.split(r"([0-9]{1,999})", text)
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts]


def about(meta: dict[str, Any]) -> dict[str, Any]:
    """Bring what a file says of all its frames to one level: ``{"video": {"fps": 25}}`` as ``{"fps": 25}``."""
    inner = [meta[key] for key in _ABOUT if isinstance(meta.get(key), dict)]
    return {key: value for one in reversed(inner) for key, value in one.items()} | meta if inner else meta


def _stamps(meta: dict[str, Any], frames: Sequence[Any]) -> list[Any]:
    """List the times of frames that carry them, or that the file lists beside them; empty if there are none."""
    first = next((frame for frame in frames if isinstance(frame, dict)), {})
    if (key := time_key(first)) is not None:
        return [frame.get(key) if isinstance(frame, dict) else None for frame in frames]
    listed = meta.get(time_key(meta) or "")
    return listed if isinstance(listed, list) and len(listed) == len(frames) else []


def in_time(meta: dict[str, Any], frames: list[Any], notes: list[str]) -> tuple[list[Any], float | None]:
    """Put frames at their times, else at their numbers; return frames/s where times tell it."""
    if (timed := placed(_stamps(meta, frames))) is not None:
        notes += timed.notes
        return [None if k is None else frames[k] for k in timed.order], timed.rate
    numbers = [frame_number(frame) for frame in frames]
    notes += strided(numbers)
    return spaced(frames, numbers), None


def rate_of_keys(meta: dict[str, Any]) -> float | None:
    """Compute frames/s of frames that are keyed by the camera's time, as Stereolabs' samples are, not by numbers."""
    if not all(key.isascii() and key.isdigit() and len(key) < 20 for key in meta):
        return None
    times = sorted(float(time) for time in meta)
    timed = placed(times) if len(times) > 2 and (times[0] >= _CLOCK or len(set(np.diff(times))) > 1) else None
    return None if timed is None else timed.rate


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
        time = time_key(key for key in frames[0] if all(key in frame for frame in frames))
        keys = [frame.get(time) for frame in frames]
    if not all(type(key) in (int, float) for key in keys) or len(set(keys)) == len(keys):
        return frames
    rows: dict[Any, list[Any]] = {}
    for key, frame in zip(keys, frames, strict=True):
        rows.setdefault(key, []).append(frame)
    kept = (*_NUMBER_KEYS, time_key(frames[0]))
    return [{**{k: v for k, v in rows[key][0].items() if k in kept}, "people": rows[key]} for key in sorted(rows)]


def spaced(frames: list[Any], numbers: Sequence[int | None]) -> list[Any]:
    """Sort frames, and put empty ones where numbers are missing; numbers with a constant step (every 3rd) miss none."""
    known = [number for number in numbers if number is not None]
    if len(known) == len(frames) == len(set(known)):
        order = sorted(range(len(known)), key=known.__getitem__)
        frames, known = [frames[at] for at in order], [known[at] for at in order]
    steps = np.diff(known)
    if len(known) < len(frames) or len(frames) < 3 or (steps <= 0).any() or len(set(steps.tolist())) == 1:
        return frames
    step, most = int(np.median(steps)), max(_MOST_MISSING, 3 * len(frames))
    out = [frames[0]]
    for frame, gap in zip(frames[1:], steps.tolist(), strict=True):
        out += [None] * (gap // step - 1 if gap % step == 0 and gap // step <= most else 0)
        out.append(frame)
    return out


def label_of(point: dict[str, Any]) -> Any:
    """Return the name that a point carries, or None."""
    return next((point[key] for key in ("part", "name", "bone", "joint") if key in point), None)


def has_position(value: dict[str, Any]) -> bool:
    """Test whether an object is a point: PoseNet's with a ``position``, or a named bone of Unity with one."""
    return isinstance(value.get("position"), dict if label_of(value) is None else (dict, list))


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
