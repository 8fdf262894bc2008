"""Read keypoints [T, K, 2..4] from JSON.

Accepted are a list of frames (each a list of points, of flat numbers, of {x, y, z, visibility}, or a dict of these), a
COCO result or annotation list, OpenPose's per-frame dicts or its folder of ``*_keypoints.json``, MMPose's
``instance_info``, Ultralytics' ``to_json``, AlphaPose, PoseNet and MoveNet, Stereolabs' ``body_list``, and
``{"fps": ..., "names": [...], "frames": [...]}``. A frame without a person is a gap.
"""

from __future__ import annotations

import json
import os
import re
from array import array
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io import joint_arrays
from vimonet.motion.io.body_score import COMMONEST, looked_at
from vimonet.motion.io.frame_times import settled, stated_rate
from vimonet.motion.io.json_metadata import (
    TRACK_KEYS,
    about,
    has_position,
    image_files,
    image_size_in,
    in_order,
    in_time,
    label_of,
    names_in,
    natural,
    number_in,
    of_category,
    one_per_number,
    rate_of_keys,
    scale_to_one_size,
    spaced,
)
from vimonet.motion.io.keypoints import flat_shapes, from_points, shape_of_flat
from vimonet.motion.io.people import Person, Tracked, describe_people, track_people
from vimonet.motion.io.readers import Content, Reader, Recording, plain, register
from vimonet.motion.io.units_and_axes import state_unit_and_up
from vimonet.motion.joint_names import LAYOUTS
from vimonet.utils.errors import InputError

FRAME_FILE: Final = "_keypoints.json"
"""Suffix of OpenPose's files; a folder of one per frame is one recording."""

_FRAME_KEYS: Final = (
    *("frames", "instance_info", "annotations", "keypoints", "landmarks", "poses", "data", "results"),
    *("people",),
)
PERSON_KEYS: Final = (
    *("people", "instances", "persons", "predictions", "poses", "body_list", "bodies", "results", "detections"),
    *("objects", "pose"),
)
_POINT_KEYS: Final = (
    *("pose_keypoints_3d", "pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks"),
    *("keypoints3D", "keypoints_3d", "keypoints3d", "keypoint", "pose_keypoints_2d", "keypoints", "pose_landmarks"),
    *("poseLandmarks", "landmarks", "landmark", "points", "joints", "joint_positions", "pred_keypoints", "bones"),
)
_STAMPED: Final = "rate of the time stamps"
_OF_PEOPLE: Final = frozenset(PERSON_KEYS)
_OF_POINTS: Final = frozenset(_POINT_KEYS)
_SCORE_KEYS: Final = ("keypoint_scores", "keypoint_confidence", "scores", "confidence", "visibility")
_NUMBERED: Final = re.compile(r"[A-Za-z _-]*(\d{1,9})")  # person_2
_SECTION: Final = re.compile(rb"\[\s*[A-Za-z]\w+\s*\]")  # [Header] of other formats
_DEEPEST: Final = 4  # lists within lists of a frame
_ARRAY_KEYS: Final = ("joints", "positions", "points", "keypoints3d", "keypoints_3d", "keypoints3D", "joints3d")

Shapes = dict[int, tuple[int, int]]
"""{length of a flat list: (points, numbers of each)}, where the length alone does not tell."""


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read keypoints from JSON, one JSON value per line, or a folder of one JSON file per frame.

    Args:
        content: the file or folder.
        fps: frames/s; None for the file's ``fps``, or else 30.
        layout: a key of ``LAYOUTS``, if the number of points is ambiguous.

    Raises:
        InputError: not JSON, no frames of keypoints, unknown layout.
    """
    if content.is_npy or content.is_npz:
        return joint_arrays.read(content, fps=fps, layout=layout)
    name = content.name
    meta, names, tracked, notes = content.once(lambda: _everyone(content, layout))
    notes = list(notes)
    if fps is None:
        fps = settled(stated_rate(meta, name), meta[_STAMPED], notes)
    points, chosen = tracked.follow(name, notes, content.person)
    size = image_size_in(meta)
    recording = from_points(
        points,
        name,
        fps=fps,
        names=None if names is None else tuple(names),
        dimensions=meta.get("dimensions") if meta.get("dimensions") in (2, 3) else 2 if tracked.flat else None,
        image_size=size,
        notes=tuple(notes),
    )
    width = None if size is None else size[0]
    picture = recording.dimensions == 2
    recording.details |= describe_people(tracked.everyone, len(points), chosen, width=width, picture=picture)
    if recording.dimensions == 3:
        state_unit_and_up(recording, meta.get("unit"), meta.get("up"))
    return recording


def detect(content: Content) -> bool:
    """Detect JSON by its first characters; any folder is taken for OpenPose's."""
    return content.is_folder or (content.head[:1] in (b"{", b"[") and not _SECTION.match(content.head))


register(Reader("keypoints", "keypoint JSON", (".json", ".jsonl"), detect, read))


def _frames_of_folder(content: Content) -> list[Any]:
    """Parse OpenPose's folder of one ``*_keypoints.json`` per frame, in the order of the numbers in their names."""
    assert content.path is not None
    names = [name for name in os.listdir(content.path) if name.endswith(FRAME_FILE)]
    files = [content.path / name for name in sorted(names, key=natural)]
    if not files:
        raise InputError(
            f"{content.name}: this folder holds no recording; give a file, or a folder of OpenPose *{FRAME_FILE} files."
        )
    frames = [_parse(Content(path, path.name).data, path.name) for path in files]
    return spaced(frames, [number_in(path.name.removesuffix(FRAME_FILE)) for path in files])


def _parse(data: bytes, name: str) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name}: it is not text in UTF-8; expected JSON with keypoints.") from None
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError, ValueError) as problem:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1:
            try:
                values: list[Any] = []
                values.extend(json.loads(line) for line in lines)
                return values
            except (json.JSONDecodeError, RecursionError, ValueError):
                if values and isinstance(problem, json.JSONDecodeError):
                    problem.lineno = 1 + len(values)  # a line holds one value
        where = f" (line {problem.lineno})" if isinstance(problem, json.JSONDecodeError) else ""
        raise InputError(f"{name}: the JSON is damaged or truncated{where}; expected keypoints per frame.") from None


def _everyone(content: Content, layout: str | None) -> tuple[dict[str, Any], list[str] | None, Tracked, list[str]]:
    """Parse what the file says of the recording, the names of its points, everyone in it, and notes."""
    name = content.name
    value = _frames_of_folder(content) if content.is_folder else _parse(content.text, name)
    meta: dict[str, Any] = about(value) if isinstance(value, dict) else {}
    notes: list[str] = []
    names = names_in(meta)
    if names is not None and not all(isinstance(n, str) for n in names):
        raise InputError(f"{name}: the keypoint names are not all text; expected names such as left_shoulder.")
    layout = layout or (meta["format"] if meta.get("format") in LAYOUTS else None)
    if layout is not None:
        names = list(LAYOUTS[layout])
    frames = frames_in(value)
    if not frames:
        raise InputError(
            f"{name}: the JSON holds no frames of keypoints; expected a list of frames, each with a person's points."
        )
    try:
        frames = [
            json.loads(frame) if isinstance(frame, str) and frame[:1] in ("[", "{") else frame for frame in frames
        ]
        names = names or names_of_points(frames) or _names_of_keys(frames)
        shapes = {} if names else _shapes_of(frames)
        rate = None
        if isinstance(frames[0], dict) and "image_id" in frames[0]:
            people = _by_image(of_category(frames, meta), names, meta, notes, shapes)
        else:
            frames, rate = in_time(meta, one_per_number(frames), notes)
            people = [people_in(frame, names, shapes) for frame in frames]
        meta = {**next((f for f in frames if isinstance(f, dict) and image_size_in(f)), {}), **meta}
        meta[_STAMPED] = rate_of_keys(value) if rate is None and isinstance(value, dict) else rate
    except (TypeError, ValueError, OverflowError, KeyError, AttributeError, RecursionError):
        raise InputError(
            f"{name}: a frame holds something other than points; expected numbers x, y and confidence."
        ) from None
    if not any(people):
        _refuse_unknown_keys(frames, name)
    if names is None:
        counts = {len(person.points) for persons in people for person in persons if person.openpose}
        names = next((list(LAYOUTS[COMMONEST[count]]) for count in counts if count in COMMONEST), None)
    return meta, names, track_people(people, name), notes


def _names_of_keys(frames: list[Any]) -> list[str] | None:
    """Collect the names of frames of the kind {"left_knee": [x, y, c], ...}, each of which may lack some."""
    named = [frame for frame in frames if _is_named(frame)]
    return list(dict.fromkeys(key for frame in named for key in frame)) if named else None


def _refuse_unknown_keys(frames: list[Any], name: str) -> None:
    """Refuse frames that hold no points under a known key, and name their keys."""
    filled = [frame for frame in frames if isinstance(frame, dict) and frame]
    if filled and not any(key in frame for frame in filled for key in (*PERSON_KEYS, *_POINT_KEYS)):
        keys = ", ".join(plain(key, 20) for key in list(filled[0])[:6])
        raise InputError(
            f"{name}: its frames have {keys}, and no points under a known key; expected keypoints, people or instances."
        )


def names_of_points(value: Any, depth: int = 0) -> list[str] | None:
    """Find the names that points themselves carry: ``part`` of PoseNet, ``name`` of MoveNet."""
    if isinstance(value, dict):
        value = [value[key] for key in (*PERSON_KEYS, *_POINT_KEYS) if isinstance(value.get(key), list)]
    if not isinstance(value, list) or depth > 4 or not value or isinstance(value[0], (int, float)):
        return None
    if isinstance(value[0], list) and _looks_like_points(value):
        return None
    labels = [label_of(point) for point in value if isinstance(point, dict) and _point(point)]
    if labels and len(labels) == len(value):
        words = [label for label in labels if isinstance(label, str)]
        return words if len(words) == len(labels) else None
    return next((found for inner in value[:20] if (found := names_of_points(inner, depth + 1))), None)


def frames_in(value: Any) -> list[Any]:
    """List the frames that a JSON value holds; a value that is one frame is listed alone."""
    if isinstance(value, dict):
        for key in _FRAME_KEYS:
            inner = value.get(key)
            if key == "people" or (key in {"keypoints", "landmarks", "poses"} and _looks_like_points(inner)):
                if inner is not None:
                    return [value]  # one frame
            elif isinstance(inner, dict):
                return _in_order_of_keys(inner)
            elif isinstance(inner, list):
                return inner
        for key in _ARRAY_KEYS:
            inner = value.get(key)
            if isinstance(inner, list) and inner and isinstance(inner[0], list) and not _looks_like_points(inner):
                return inner
        if any(key in value for key in _POINT_KEYS):
            return [value]
        if value and all(re.search(r"\d", key) for key in value):  # {"frame_0001": ..., ...}
            return _in_order_of_keys(value)
        return []
    return value if isinstance(value, list) else []


def _in_order_of_keys(frames: dict[str, Any]) -> list[Any]:
    """List frames in the order of the numbers in their keys, with gaps where numbers are missing."""
    keys = sorted(frames, key=natural)
    return spaced([frames[key] for key in keys], [number_in(key) for key in keys])


def _looks_like_points(value: Any) -> bool:
    """Test whether a list holds one person's points rather than frames; null is a point that is not seen."""
    if not isinstance(value, list) or not value:
        return False
    first = next((one for one in value if one is not None), None)
    if isinstance(first, dict):
        return "x" in first or has_position(first)
    if isinstance(first, (int, float)):
        return True
    return isinstance(first, list) and len(first) in (2, 3, 4) and all(isinstance(v, (int, float)) for v in first)


def _is_named(frame: Any) -> bool:
    """Test whether a frame is {"left_knee": [x, y, c], ...}; null is a point that is not seen."""
    if not isinstance(frame, dict) or len(frame) < 6:
        return False
    seen = [value for value in frame.values() if value is not None]
    return 2 * len(seen) > len(frame) and all(isinstance(v, (list, dict)) and _point(v) is not None for v in seen)


def _point(value: Any) -> list[float] | None:
    if isinstance(value, dict) and has_position(value):  # PoseNet, Unity
        place = value["position"]
        value = {**value, **(place if isinstance(place, dict) else dict(zip("xyz", place, strict=False)))}
    if isinstance(value, dict) and "x" in value and "y" in value:
        row = [value["x"], value["y"]]
        row += [value["z"]] if "z" in value else []
        score = next((value[k] for k in ("visibility", "score", "confidence", "c", "presence") if k in value), None)
        return [float(v) for v in (row if score is None else [*row, score])]
    if isinstance(value, list) and len(value) in (2, 3, 4) and all(isinstance(v, (int, float)) for v in value):
        return [float(v) for v in value]
    return None


def people_in(frame: Any, names: list[str] | None, shapes: Shapes | None = None) -> list[Person]:
    """List all persons of one frame."""
    if frame is None or frame == [] or frame == {}:
        return []
    if _is_named(frame):
        return [Person(_stack([frame.get(label) for label in names or frame]))]
    if isinstance(frame, dict):
        for key in PERSON_KEYS if not _OF_PEOPLE.isdisjoint(frame) else ():
            inner = frame.get(key)
            if isinstance(inner, dict):  # of one, or keyed by the number of the person
                if not _OF_POINTS.isdisjoint(inner) or _is_named(inner):
                    return people_in(inner, names, shapes)
                keyed = [{"id": k, **one} if isinstance(one, dict) else one for k, one in inner.items()]
                return [p for person in keyed for p in people_in(person, names, shapes)]
            if isinstance(inner, list) and not _looks_like_points(inner):
                return [p for person in inner for p in people_in(person, names, shapes)]
        held = _OF_POINTS.intersection(frame)
        for key in held if len(held) < 2 else [key for key in _POINT_KEYS if key in held]:
            inner = frame[key]
            if isinstance(inner, dict) and isinstance(inner.get("x"), list):  # Ultralytics: one list per coordinate
                inner = [
                    list(point)
                    for point in zip(*(inner[k] for k in ("x", "y", "visible") if inner.get(k)), strict=True)
                ]
            elif isinstance(inner, dict):
                inner = inner.get("landmark", inner)
            if not inner:
                continue
            found = people_in(inner, names, shapes)
            if len(found) == 1:
                points = found[0].points
                scores = next((frame[k] for k in _SCORE_KEYS if k in frame and isinstance(frame[k], list)), None)
                if scores is not None and len(scores) == len(points):
                    points = np.column_stack([points, np.asarray(scores, dtype=np.float64).reshape(-1)])
                found = [Person(points, _track(frame), key if key.startswith("pose_keypoints") else "")]
            return found
        return []
    if not isinstance(frame, list):
        raise TypeError
    if isinstance(frame[0], (int, float)) and not isinstance(frame[0], bool):
        return [Person(_unflatten(frame, names, shapes or {}))]
    if _looks_like_points(frame):
        if names and isinstance(frame[0], dict) and label_of(frame[0]) is not None:
            by_name = {label_of(point): point for point in frame if point is not None}
            frame = [by_name.get(label, {"x": float("nan"), "y": float("nan")}) for label in names]
        return [Person(_stack(frame))]
    return [p for person in frame for p in people_in(person, names, shapes)]  # several persons


def _track(person: dict[str, Any]) -> int | None:
    """Return the number by which a file tracks a person; OpenPose writes -1 for none."""
    for key in TRACK_KEYS:
        if key not in person or (key == "id" and "image_id" in person):  # COCO's id is the annotation's
            continue
        value = person[key]
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, str) and (match := _NUMBERED.fullmatch(value)):
            return int(match[1])
        if isinstance(value, (int, float)) and np.isfinite(value) and value >= 0:
            return int(value)
    return None


def _stack(points: list[Any]) -> NDArray[np.float64]:
    if isinstance(points[0], list):  # numbers alone: ten times as fast
        try:
            values = np.array(points, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.zeros(0)
        if values.ndim == 2 and values.shape[1] in (2, 3, 4):
            return values
    rows = [[] if point is None else _point(point) for point in points]
    width = max((len(row) for row in rows if row is not None), default=0)
    if width == 0 or any(row is None for row in rows):
        raise ValueError
    return np.array([row + [float("nan")] * (width - len(row)) for row in rows if row is not None])


def _unflatten(numbers: list[Any], names: list[str] | None, shapes: Shapes) -> NDArray[np.float64]:
    values = np.array(array("d", numbers))  # numbers alone, else TypeError
    known = [(len(names), width) for width in (3, 2, 4)] if names else flat_shapes(len(values))
    shape = shapes.get(len(values)) or next((one for one in known if one[0] * one[1] == len(values)), None)
    if shape is None:
        raise ValueError
    return values.reshape(shape)


def _shapes_of(frames: list[Any]) -> Shapes:
    """Choose the shape of flat lists by the bodies that they form over the whole recording."""
    rows: dict[int, list[Any]] = {}
    for frame in frames[looked_at(len(frames))]:
        _collect_flat(frame, rows, 0)
    found = {length: shape_of_flat(np.array(some, dtype=np.float64)) for length, some in rows.items()}
    return {length: shape for length, shape in found.items() if shape is not None}


def _collect_flat(value: Any, rows: dict[int, list[Any]], depth: int) -> None:
    """Collect flat lists of numbers, by length, of what may hold people."""
    if isinstance(value, dict) and depth < _DEEPEST:
        for key in (*PERSON_KEYS, *_POINT_KEYS):
            if key in value:
                _collect_flat(value[key], rows, depth + 1)
    elif isinstance(value, list) and value and depth < _DEEPEST:
        if isinstance(value[0], (int, float)):
            if len(flat_shapes(len(value))) > 1 and all(isinstance(number, (int, float)) for number in value):
                rows.setdefault(len(value), []).append(value)
        else:
            for one in value:
                _collect_flat(one, rows, depth + 1)


def _by_image(
    results: list[Any], names: list[str] | None, meta: dict[str, Any], notes: list[str], shapes: Shapes
) -> list[list[Person]]:
    """Group COCO results (one per person and image) into frames; frames without a result become gaps."""
    files = image_files(meta)
    factors, note = scale_to_one_size(meta)
    notes += [note] if note else []
    groups: dict[Any, list[tuple[float, Person]]] = {file: [] for file in files.values()}
    for result in results:
        people = people_in(result, names, shapes)
        if people:
            image = result["image_id"]
            if (factor := factors.get(str(image), 1.0)) != 1.0:
                scaled = people[0].points.copy()
                scaled[:, :2] *= factor
                people = [people[0]._replace(points=scaled)]
            image = files.get(str(image), image) if files else image
            groups.setdefault(image, []).append((float(result.get("score", 0.0) or 0.0), people[0]))
    keys, numbers = in_order(groups)
    for found in groups.values():
        if len(found) > 1:
            found.sort(key=lambda entry: -entry[0])
    ordered = [[person for _, person in groups[key]] for key in keys]
    return [persons or [] for persons in spaced(ordered, numbers)]
