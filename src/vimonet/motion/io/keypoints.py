"""Build recordings of 2D or 3D keypoints: COCO-17, OpenPose BODY_25, MediaPipe-33 and other layouts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet import video
from vimonet.motion.io.body_score import Fit, candidates, choose_layout, fit, looked_at
from vimonet.motion.io.people import describe_people, sighting
from vimonet.motion.io.readers import Content, Reader, Recording, register, usable
from vimonet.motion.joint_names import LAYOUTS, map_joints
from vimonet.motion.motion import check_fps
from vimonet.motion.skeleton import extent, whole
from vimonet.utils.errors import InputError

_COCO_BODY_FIRST: Final = (23, 26, 133, 136)  # COCO with feet, Halpe, COCO-WholeBody: the body's 17 come first
_DETECTED: Final = (17, 25, 33, 13, 18)  # points of pose estimators
_DEFAULT_FPS: Final = 30.0
_METRES: Final = 10.0  # larger x and y are pixels
_PIXELS: Final = 100.0  # x and y that span more are no metres
_THIN: Final = 0.02  # of a body's height; no pose is thinner


def from_points(
    points: NDArray[Any],
    name: str,
    *,
    fps: float | None = None,
    names: tuple[str, ...] | None = None,
    confidence: NDArray[Any] | None = None,
    dimensions: int | None = None,
    image_size: tuple[float, float] | None = None,
    notes: tuple[str, ...] = (),
) -> Recording:
    """Build a recording of keypoints.

    Args:
        points: [T, K, 2] (x, y), [T, K, 3] (x, y, confidence) or (x, y, z), [T, K, 4] (x, y, z, confidence); NaN if
            unseen.
        name: name for messages.
        fps: frames/s; 30 by default.
        names: K names; by default K selects the layout (17, 25, 33, 13, 18 ...).
        confidence: [T, K]; COCO's visibility flags 0, 1, 2 are halved.
        dimensions: 2 or 3; None to infer it.
        image_size: (width, height), for coordinates as fractions of the image.
        notes: earlier notes.

    Raises:
        InputError: an unknown number of points, no frames, no person in any frame.
    """
    values = np.asarray(points, dtype=np.float64)
    values = np.where(usable(values), values, np.nan)
    remarks = list(notes)
    if values.ndim != 3 or values.shape[2] not in (2, 3, 4) or values.shape[1] == 0:
        raise InputError(f"{name}: keypoints have shape {list(values.shape)}; expected [frames, points, 2, 3 or 4].")
    if len(values) == 0:
        raise InputError(f"{name}: there are no frames of keypoints; at least one is needed.")
    if values.shape[2] > 2 and values.shape[1] > 2 and (values[..., 0] == np.arange(values.shape[1])).all():
        values = values[..., 1:]  # numbered points: (0, x, y), (1, x, y) ...
        remarks.append("the first of each point's numbers is its index, left out")
    if names is not None:
        spelled = tuple(re.sub(r"[ .-]+", "_", label.strip().lower()) for label in names)
        names = spelled if spelled in LAYOUTS.values() else names
    if names is None and values.shape[1] in _COCO_BODY_FIRST and _begins_as_coco(values, confidence, dimensions, name):
        names = LAYOUTS["coco17"]
        values, confidence = values[:, :17], None if confidence is None else np.asarray(confidence)[:, :17]
    if names is None:
        names = LAYOUTS[_layout(values, confidence, dimensions, name, remarks)]
    if len(names) != values.shape[1]:
        raise InputError(
            f"{name}: {len(names)} keypoint names are given for {values.shape[1]} points; expected one each."
        )
    family = next((layout for layout, listed in LAYOUTS.items() if listed == names), None)
    if confidence is not None:
        confidence = np.asarray(confidence, dtype=np.float64)
        if confidence.shape != values.shape[:2]:
            raise InputError(
                f"{name}: confidence has shape {list(confidence.shape)}; expected {list(values.shape[:2])}."
            )
    if values.shape[2] == 4:
        confidence = values[..., 3] if confidence is None else confidence
        values = values[..., :3]
        if dimensions is None:
            dimensions = _dimensions(values, names, remarks)
    elif values.shape[2] == 3 and dimensions == 2:
        confidence = values[..., 2] if confidence is None else confidence
    elif values.shape[2] == 3 and dimensions is None:
        if confidence is None and third_is_confidence(values, names):
            percent = np.nanmax(values[..., 2]) > 2
            dimensions, confidence = 2, values[..., 2] / (100.0 if percent else 1.0)
            remarks += ["confidence from 0 to 100 is taken as percent"] if percent else []
        else:
            dimensions = _dimensions(values, names, remarks)
    elif values.shape[2] == 2:
        dimensions = 2
    weights = np.ones(values.shape[:2]) if confidence is None else np.nan_to_num(confidence, nan=0.0)
    if weights.max(initial=0.0) > 1.0:
        weights = weights / (2.0 if weights.max() <= 2 else weights.max())
    # Pose estimators write (0, 0) for a missing joint; in space the origin may be the pelvis, of every frame.
    empty = whole(values[..., :2] == 0) & (values.shape[2] == 2 or dimensions == 2 or whole(values == 0))
    empty |= whole(values[..., :2] == -1) & (dimensions == 2)  # and some (-1, -1)
    if dimensions == 3:
        empty &= ~(empty.mean(axis=0) > 0.9) | (np.arange(len(names)) != map_joints(names).get("pelvis"))
    weights = np.where(empty | ~whole(usable(values)), 0.0, np.clip(weights, 0.0, 1.0))
    if not (weights > 0).any():
        raise InputError(f"{name}: no keypoint is seen in any frame; expected a person in at least one.")
    fractions, picture = False, None
    if dimensions == 2:
        values, fractions, picture = _image_plane(values, weights, image_size)
    if fps is None:
        remarks.append("frame rate not given: 30 frames/s assumed")
    if not set(map_joints(names)):
        raise InputError(
            f"{name}: none of the keypoint names is known; expected names such as left_shoulder, right_knee."
        )
    return Recording(
        positions=values,
        names=names,
        fps=check_fps(_DEFAULT_FPS if fps is None else fps, name),
        format=family or "keypoints",
        confidence=weights.astype(np.float32),
        dimensions=int(dimensions or 3),
        family=family,
        partial=True,
        fractions=fractions,
        notes=remarks,
        details={} if picture is None else {"picture": picture},
    )


def third_is_confidence(values: NDArray[Any], names: Sequence[str] | None = None) -> bool:
    """Test whether the third of (x, y, ?) is a confidence: never negative, at most 1, the flags 0, 1, 2, or percent.

    Percent are told from depth by the body, so not where `names` put the points in an order that is no known layout.
    """
    third = np.nan_to_num(np.asarray(values[..., 2], dtype=np.float64), nan=0.0)
    if third.min(initial=0.0) < 0 or not third.any() or np.isnan(values[..., :2]).all():
        return False
    if 2.0 < third.max() <= 100.0:
        ordered = names is None or tuple(names) in LAYOUTS.values()
        return ordered and _is_percent(np.asarray(values, dtype=np.float64))
    flags = bool(np.isin(third, (0.0, 1.0, 2.0)).all())
    spread = float(np.nanmax(values[..., :2]) - np.nanmin(values[..., :2]))
    negative = float(np.nanmin(values[..., :2])) < -1.0 and spread < _PIXELS  # else a point beyond the picture's edge
    if not flags and (third.max(initial=0.0) > 1.0 or negative):
        return False
    return flags or not _is_depth(np.asarray(values, dtype=np.float64))


def _is_percent(values: NDArray[np.float64]) -> bool:
    """Test whether the third number of each point, at most 100, is a confidence in percent and not a depth.

    It is one if x and y are pixels and, in every layout with this number of points, bones fit a body worse with the
    third number as depth than without it.
    """
    points = np.nan_to_num(values[looked_at(len(values)), :, :3])
    spread = np.ptp(points[..., :2])
    if spread <= _PIXELS or points[..., :2].min() < -0.2 * spread:  # a limb may lie beyond the picture's edge
        return False
    fits = _fits(points)
    return bool(fits) and not any(space.still_fits and flat.cost >= 0.8 * space.cost for space, flat in fits)


def _is_depth(values: NDArray[np.float64]) -> bool:
    """Test whether a third column in 0..1 is a coordinate in metres (Z up): it then makes bones keep their lengths."""
    points = np.nan_to_num(values[..., :3])
    if np.ptp(points[..., :2]) > _METRES:
        return False
    return any(space.cost < 0.8 * flat.cost and space.fits for space, flat in _fits(points))


def _fits(points: NDArray[np.float64]) -> list[tuple[Fit, Fit]]:
    """Fit each layout with as many points as there are, with and without the third coordinate."""
    seen = (points != 0).any(axis=2)
    fits = [
        (fit(points, seen, layout), fit(points * [1, 1, 0], seen, layout)) for layout in candidates(points.shape[1])
    ]
    return [(space, flat) for space, flat in fits if space and flat]


def _layout(
    values: NDArray[np.float64], confidence: NDArray[Any] | None, dimensions: int | None, name: str, notes: list[str]
) -> str:
    """Choose the layout by the number of points and the shape of the body."""
    count = values.shape[1]
    if not candidates(count):
        raise InputError(
            f"{name}: {count} keypoints per frame without names are no known layout; expected a number such as 17 "
            '(COCO), 25 (BODY_25) or 33 (MediaPipe), or a list of their names as "names" in the .json or .npz.'
        )
    points, seen, flat = _as_space(values, confidence, dimensions)
    layout, note = choose_layout(points, seen, name, flat=flat)
    notes += [note] if note else []
    return layout


def _as_space(
    values: NDArray[np.float64], confidence: NDArray[Any] | None, dimensions: int | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_], bool]:
    """Bring points to [T, K, 3] for a look at the body, with [T, K] where they are seen, and whether they are flat."""
    flat = dimensions == 2 or values.shape[2] == 2
    flat = flat or (dimensions is None and values.shape[2] == 3 and confidence is None and third_is_confidence(values))
    flat = flat or is_thin(values)
    points = np.zeros((*values.shape[:2], 3))
    points[..., : 2 if flat else 3] = values[..., : 2 if flat else 3]
    seen = np.isfinite(points).all(axis=2) & (points != 0).any(axis=2)
    return np.nan_to_num(points), seen, flat


@lru_cache
def flat_shapes(length: int) -> tuple[tuple[int, int], ...]:
    """List how many points, of how many numbers each, a flat list may hold; those of pose estimators first."""
    shapes = [(length // width, width) for width in (3, 2, 4) if length % width == 0]
    known = [shape for shape in shapes if candidates(shape[0]) or shape[0] in _COCO_BODY_FIRST]
    return tuple(sorted(known, key=lambda shape: shape[0] not in _DETECTED))


def shape_of_flat(rows: NDArray[np.float64]) -> tuple[int, int] | None:
    """Choose how many points, of how many numbers each, flat rows [F, N] hold: by N, or else by the body they form."""
    shapes = flat_shapes(rows.shape[1])
    if len(shapes) < 2:
        return shapes[0] if shapes else None
    rows = rows[looked_at(len(rows))]

    def cost(shape: tuple[int, int]) -> float:
        points, seen, flat = _as_space(rows.reshape(len(rows), *shape), None, None)
        fits = [fit(points, seen, layout, flat=flat) for layout in candidates(shape[0])]
        return min((one.cost for one in fits if one), default=1.0)

    return min(shapes, key=cost)


def _begins_as_coco(
    values: NDArray[np.float64], confidence: NDArray[Any] | None, dimensions: int | None, name: str
) -> bool:
    """Test whether the first 17 points form a body in COCO's order; points of a picture are taken to, untested.

    Raises:
        InputError: they form none, and no other layout has as many points as there are in all.
    """
    points, seen, flat = _as_space(values, confidence, dimensions)
    chosen = looked_at(len(points))
    first = None if flat else fit(points[chosen, :17], seen[chosen, :17], "coco17")
    if first is None or first.still_fits:
        return True
    if candidates(values.shape[1]):
        return False
    raise InputError(
        f"{name}: the order of its {values.shape[1]} points per frame is unknown (the first 17 form no body, unlike "
        'those of COCO-WholeBody and Halpe); save a list of their names as "names" beside them, in a .json or .npz.'
    )


def is_thin(values: NDArray[Any]) -> bool:
    """Test whether a third coordinate is no depth in the unit of x and y: no body is so thin in all frames."""
    if values.shape[2] < 3:
        return True
    some = values[looked_at(len(values)), :, :3]
    for part in (some[:1], some):  # one frame tells most bodies
        spans = extent(np.nan_to_num(part))
        spans = spans[spans.any(axis=1)]
        if (spans[:, 2] > _THIN * spans[:, :2].max(axis=1)).any():
            return False
    return len(spans) > 0


def _dimensions(values: NDArray[np.float64], names: tuple[str, ...], notes: list[str]) -> int:
    """Tell landmarks of a picture (2) from points in space (3)."""
    if is_thin(values):
        if np.nan_to_num(values[..., 2]).any():
            notes.append("z is no depth in the unit of x and y, since no body is so thin: x and y alone are read")
        return 2
    return 2 if _is_picture(values, names) else 3


def _is_picture(values: NDArray[np.float64], names: tuple[str, ...]) -> bool:
    """Test whether (x, y, z) are landmarks of a picture, not points in space.

    MediaPipe's image landmarks (the only ones of this kind) are fractions of the picture, or pixels, with z counted
    from the middle of the hips; its world landmarks have x and y counted from there, too.
    """
    values = values[whole(np.isfinite(values)).any(axis=1)]
    depth = values[..., 2]
    if names != LAYOUTS["mediapipe33"] or not len(values):
        return False
    middle = values[:, [names.index("left_hip"), names.index("right_hip")]].mean(axis=1)
    size = float(np.nanmedian(np.nanmax(values[..., 1], axis=1) - np.nanmin(values[..., 1], axis=1)))
    centred = np.nanmedian(np.abs(middle), axis=0) < 0.05 * size
    fractions = np.nanpercentile(values[..., :2], 2) > -0.5 and np.nanpercentile(values[..., :2], 98) < 1.5
    down = np.nanmedian(values[:, names.index("nose"), 1] - values[:, names.index("left_ankle"), 1]) < 0
    if not down and 1.0 < size < _METRES:
        return False  # upright with y upwards, and taller than a picture: metres whose hips are at z = 0
    near = abs(float(np.nanmedian(depth))) < 1.0  # of the picture's width, from the hips; a camera sees no one so near
    spans = np.median(extent(np.nan_to_num(values[..., :3])), axis=0)
    near = near and bool(spans[2] < 2 * spans[:2].max())  # else it stands along z
    return not centred[:2].all() and bool(centred[2] or (fractions and down and near))


def _image_plane(
    values: NDArray[np.float64], weights: NDArray[np.float64], image_size: tuple[float, float] | None
) -> tuple[NDArray[np.float64], bool, tuple[float, float] | None]:
    """Convert to pixels with z = 0, or to fractions of equal scale in x and y.

    Returns:
        the points, whether their scale is unknown, and the size of the picture in the same unit.
    """
    plane = np.zeros((*values.shape[:2], 3))
    plane[..., :2] = values[..., :2]
    seen = plane[weights > 0][:, :2]
    # Of the image, a few beyond its edge; a body all above the upper edge is one that `convert-motion` wrote.
    fractions = bool(np.percentile(np.abs(seen), 95) <= 2.0 and np.percentile(seen[:, 1], 95) > 0.05)
    if fractions and image_size is not None:
        image_size = (image_size[0] / image_size[1], 1.0)
        plane[..., 0] *= image_size[0]
    return plane, fractions and image_size is None, image_size


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Estimate the keypoints of one person in a video, the most prominent or the wanted one.

    Args:
        content: the video.
        fps: frames/s, to correct the rate of the file.
        layout: must be None, since the estimator fixes it.

    Raises:
        InputError: not a readable video, nobody in view, no such person, no estimator installed, or a layout.
    """
    if layout is not None:
        raise InputError(f"{content.name}: it is a video; leave the format out, so that its keypoints are estimated.")
    from vimonet.motion.pose import estimate_people_cached, person_of  # scipy: only where a video is read

    people = content.once(lambda: estimate_people_cached(content.source, progress=True))
    chosen = 1 if content.person is None else content.person
    poses = person_of(people, chosen, content.source)
    recording = from_points(
        poses.points,
        content.name,
        fps=poses.fps if fps is None else fps,
        names=LAYOUTS[poses.layout],
        confidence=poses.confidence,
        dimensions=2,
        image_size=poses.size,
        notes=poses.notes,
    )
    everyone = {k + 1: sighting(one.points) for k, one in enumerate(people)}
    recording.details |= describe_people(everyone, len(poses.points), chosen, width=poses.size[0])
    return recording


register(Reader("video", "video", video.SUFFIXES, lambda content: video.is_video(content.source), read))
