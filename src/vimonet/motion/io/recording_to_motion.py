"""Turn a `Recording` into a `Motion`: map and complete joints, detect unit, up axis and handedness, resample.

Unit and axes follow from the body: legs have a known length, heads are above feet.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.joint_completion import complete
from vimonet.motion.io.joint_finding import find_joints
from vimonet.motion.io.limits import MAX_FRAMES
from vimonet.motion.io.plausibility import drop_padding, examine, on_the_floor
from vimonet.motion.io.readers import Recording, plain, usable
from vimonet.motion.io.units_and_axes import (
    detect_unit,
    detect_up,
    parse_size,
    parse_unit,
    parse_up,
    picture_up,
    to_y_up,
)
from vimonet.motion.joint_names import family_of, map_joints
from vimonet.motion.motion import FARTHEST, FPS, Motion, check_fps, fill_unseen, resample
from vimonet.motion.skeleton import JOINT_NAMES, norm, whole
from vimonet.utils.errors import InputError

_KNEES_BENT: Final = 0.15  # m from the line between hip and ankle, both knees: Kinect's straight ones bend back by less
_FOREARMS_LEVEL: Final = 0.2  # m over the ground that both forearms together reach at least
_UPRIGHT: Final = 0.85  # of the trunk's length: sensors lose the knees and hands of people who bend
_FRONT_SHARE: Final = (0.1, 0.3)  # least share of frames that tell the front; where forearms decide alone
_BACK: Final = (-0.5, -0.3, -0.8)  # most cosine to the front of knees that point back; of forearms, too; of these alone
_SWAPPED: Final = 0.2  # least share of the frames that tell the front, to the front and to the back alike


def to_motion(
    recording: Recording,
    name: str,
    *,
    up: str | None = None,
    unit: str | float | None = None,
    size: str | tuple[float, float] | None = None,
    target_fps: float | None = FPS,
) -> Motion:
    """Turn a recording into a Motion.

    Args:
        recording: recording of a reader.
        name: name of the motion, for messages.
        up: up axis ('y', 'z', '-y' ...); None detects it.
        unit: unit ('cm', 'inch', metres per unit ...); None detects it.
        size: width and height of the picture ('1920x1080'), for coordinates that are fractions of it.
        target_fps: frames/s of the motion; None for the rate of the recording.

    Raises:
        InputError: missing essential joints, values that are not finite, an impossible size.
    """
    notes = list(recording.notes)
    family = recording.family or family_of(recording.names)
    mapping = recording.mapping
    if mapping is None:
        if recording.partial:
            mapping = map_joints(recording.names)
        else:
            mapping = find_joints(recording.names, name)
    if recording.positions.shape[0] == 0:
        raise InputError(f"{name}: the recording has no frames; at least one is needed.")
    rate = check_fps(recording.fps, name)
    wanted = rate if target_fps is None else check_fps(target_fps, name)
    frames = len(recording.positions) * max(1.0, wanted / rate)
    if frames > MAX_FRAMES:
        raise InputError(
            f"{name}: it has {frames:.0f} frames at {wanted:g} frames/s; at most {MAX_FRAMES} are read at once."
        )
    positions, kept_confidence = drop_padding(recording, mapping, notes)
    if not recording.partial:
        _check_finite(positions, recording.names, mapping, name)
    if recording.fractions:
        width, height = (1.0, 1.0) if size is None else parse_size(size)
        positions = positions * np.array([width / height, 1.0, 1.0])
        if size is None:
            notes.append(
                "coordinates are fractions of an image of unknown size: a square one assumed, which makes "
                "widths 1.78 times too small if it was 16:9; --size 1920x1080 tells it"
            )
    joints, confidence, invented = complete(
        positions, mapping, kept_confidence, partial=recording.partial, dimensions=recording.dimensions
    )
    rest = None
    if recording.rest is not None:
        rest = complete(recording.rest[None], mapping, None, partial=False, dimensions=3)[0][0]
    if invented:
        notes.append("not in the source, interpolated: " + ", ".join(invented))

    details = dict(recording.details)
    if recording.dimensions == 2:
        axis, turned = picture_up(joints, confidence, up, name)
        notes += [turned] if turned else []
        if axis == "Y":
            joints = joints * np.array([1, -1, 1], dtype=np.float32)
            details.pop("picture", None)
        joints, (scale, left, top) = place_2d(joints, confidence, name)
        details |= {
            "unit": f"{scale:.4g} per pixel (torso = 0.5)",
            "up": f"image (y {'up' if axis == 'Y' else 'down'})",
        }
        if (picture := details.pop("picture", None)) is not None:
            # Of the picture in the units of the joints, for drawing them over it.
            details["picture"] = (left, top, picture[0] * scale, picture[1] * scale)
    else:
        joints = _place_3d(joints, confidence, rest, recording, name, up, unit, details, notes)
    source_fps = recording.source_fps or rate
    details["health"] = examine(joints, confidence, rate, recording.dimensions, name, notes, stated=source_fps)
    if rate != wanted:
        joints, confidence = resample(joints, rate, wanted, confidence=confidence)
    details |= {
        "format": recording.format,
        "skeleton": family,
        "source_joints": len(recording.names),
        "joints_found": [joint for joint in JOINT_NAMES if joint in mapping and joint not in invented],
        "joints_interpolated": invented,
        "source_frames": recording.source_frames or recording.positions.shape[0],
        "source_fps": source_fps,
    }
    return Motion(
        joints.astype(np.float32),
        wanted,
        name,
        recording.format,
        source_fps,
        confidence,
        recording.dimensions,
        tuple(notes),
        details,
    )


def _check_finite(positions: NDArray[Any], names: tuple[str, ...], mapping: dict[str, int], name: str) -> None:
    used = sorted(set(mapping.values()))
    good = usable(positions[:, used])
    if not good.all():
        frame, joint = np.argwhere(~good)[0, :2]
        raise InputError(
            f"{name}: joint {plain(names[used[joint]])} is not a finite number in frame {frame + 1} of "
            f"{len(positions)}; every joint needs three finite coordinates."
        )


def _place_3d(
    joints: NDArray[np.float32],
    confidence: NDArray[np.float32] | None,
    rest: NDArray[np.float32] | None,
    recording: Recording,
    name: str,
    up: str | None,
    unit: str | float | None,
    details: dict[str, Any],
    notes: list[str],
) -> NDArray[np.float32]:
    """Convert to metres, Y up, right-handed; record the findings in ``details`` and ``notes``."""
    if unit is not None:
        scale, unit_text = parse_unit(unit), f"{unit} (given)"
    elif recording.unit is not None:
        scale, unit_text = recording.unit, f"{recording.unit:.5g} m (by format)"
    else:
        scale, unit_text, doubt = detect_unit(joints, confidence, recording.family or family_of(recording.names), name)
        notes += [doubt] if doubt else []
    joints = joints * np.float32(scale)
    if up is not None:
        axis, up_text = parse_up(up), f"{up} (given)"
    elif recording.up is not None:
        axis, up_text = recording.up, f"{recording.up} (by format)"
    else:
        axis, turned = detect_up(joints, confidence, rest)
        notes += [turned] if turned else []
        up_text = f"{axis} (detected)"
    joints = to_y_up(joints, axis)
    named = map_joints(recording.names) if recording.mapping is None else recording.mapping
    toes = {"left_foot", "right_foot"} <= named.keys()
    mirrored, doubt = detect_mirroring(joints, confidence, toes=toes)
    notes += [doubt] if doubt else []
    if mirrored:
        joints = joints * np.array([-1, 1, 1], dtype=np.float32)
        other = "" if toes else ", unless a depth sensor saw a person from behind, whose sides it swaps"
        notes.append(f"left-handed coordinates{other}: x negated so that the named left is the anatomical left")
    joints = on_the_floor(joints, notes)
    details |= {"unit": unit_text, "up": up_text}
    return joints


def place_2d(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, name: str
) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """Scale an image to a body: y up, z = 0, median torso 0.5, first pelvis at x = 0, lowest joints (5 %) at 0.

    Args:
        joints: [T, 22, 3] pixels (x, y, 0), y down.
        confidence: [T, 22], 0 where a joint is not seen.
        name: name for messages.

    Returns:
        float32 [T, 22, 3], finite; and units per pixel, with the left and the top edge of the picture in these units.

    Raises:
        InputError: no torso, leg or arm is seen in any frame, or a keypoint lies impossibly far away.
    """
    assert confidence is not None
    seen = confidence > 0
    joints = joints * np.array([1, -1, 0], dtype=np.float32)

    def median_length(a: int, b: int) -> float:
        both = seen[:, a] & seen[:, b]
        if not both.any():
            return 0.0
        return float(np.median(norm(joints[both, a] - joints[both, b])))

    # Without a torso, another part is scaled to its length in an adult, in torsos of 0.5.
    scale = 0.0
    for parts, metres in (
        (((0, 12),), 0.5),
        (((1, 4), (2, 5)), 0.40),
        (((4, 7), (5, 8)), 0.40),
        (((16, 17),), 0.34),
        (((16, 18), (17, 19)), 0.26),
    ):
        length = max(median_length(a, b) for a, b in parts)
        if length > 0:
            scale = metres / length
            break
    if scale == 0.0 or not np.isfinite(scale):
        raise InputError(f"{name}: no torso, leg or arm is seen in any frame; expected keypoints of a person.")
    joints = joints * np.float32(scale)
    first = np.flatnonzero(seen.any(axis=1))[0]
    origin_x = joints[first, 0, 0] if seen[first, 0] else joints[first, seen[first], 0].mean()
    lowest = np.where(seen, joints[..., 1], np.inf).min(axis=1)
    floor = np.percentile(lowest[np.isfinite(lowest)], 5)
    joints = joints - np.array([origin_x, floor, 0], dtype=np.float32)
    joints[~whole(np.isfinite(joints))] = 0.0
    far = float(np.abs(joints[seen]).max())
    if far > FARTHEST:
        raise InputError(f"{name}: a keypoint lies {2 * far:.0f} torsos away from its body, which cannot be true.")
    return fill_unseen(joints.astype(np.float32), seen), (scale, float(-origin_x), float(-floor))


def detect_mirroring(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, *, toes: bool
) -> tuple[bool, str | None]:
    """Detect left-handed coordinates: bodies whose toes, or knees and forearms, point to the back.

    Args:
        joints: [T, 22, 3], Y up, metres.
        confidence: [T, 22] in 0..1, or None.
        toes: whether toes are measured, which then decide; else knees and forearms do (knees of depth sensors bend
            either way).

    Returns:
        Whether the named left and right are exchanged, and a note where this is uncertain.
    """
    values = joints.astype(np.float64)
    seen = np.ones(values.shape[:2], dtype=bool) if confidence is None else confidence > 0
    seen = seen & np.asarray(seen[:, [1, 2, 16, 17]].all(axis=1))[:, None]
    least, alone = (max(1.0, share * len(values)) for share in _FRONT_SHARE)
    if toes:
        ahead = values[:, 10] - values[:, 7] + values[:, 11] - values[:, 8]
        raised = values[:, 12, 1] - values[:, 0, 1] > 0.2
        front = _to_front(values, ahead, 0.1, raised & seen[:, [7, 8, 10, 11]].all(axis=1))
        return len(front) >= least and float(front.mean()) < _BACK[0], None
    trunk = values[:, 12] - values[:, 0]
    upright = trunk[:, 1] > _UPRIGHT * norm(trunk)
    bend = _bend(values[:, 1], values[:, 4], values[:, 7]) + _bend(values[:, 2], values[:, 5], values[:, 8])
    knees = _to_front(values, bend, _KNEES_BENT, upright & seen[:, [4, 5, 7, 8]].all(axis=1))
    reach = values[:, 20] - values[:, 18] + values[:, 21] - values[:, 19]
    hang = (values[:, [20, 21], 1] < values[:, [12], 1]).all(axis=1)
    arms = _to_front(values, reach, _FOREARMS_LEVEL, upright & hang & seen[:, [18, 19, 20, 21]].all(axis=1))
    by_arms = float(arms.mean()) if len(arms) >= least else None
    if len(knees) < least:
        back = len(arms) >= alone and by_arms is not None and by_arms < _BACK[2]
        return back, None if back else _swapped(arms, alone)
    back = float(knees.mean()) < _BACK[0]
    if back and by_arms is not None and by_arms >= _BACK[1]:
        return False, (
            "left and right are uncertain: knees bend to the back and forearms point to the front of what is named so; "
            "kept as named"
        )
    return back, None if back else _swapped(np.concatenate([knees, arms]), alone)


def _to_front(
    values: NDArray[np.float64], ahead: NDArray[np.float64], clear: float, use: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Measure cosines [F], over the ground, of a vector [T, 3] to the front that the named left and right make.

    The F frames are those of ``use`` [T] in which the vector is longer than ``clear`` m over the ground.
    """
    left = (values[:, 1] - values[:, 2]) + (values[:, 16] - values[:, 17])
    reach = norm(ahead[:, [0, 2]])
    length = reach * norm(left[:, [0, 2]])
    use = use & (reach > clear) & (length > 1e-6)
    return np.asarray((ahead[use, 2] * left[use, 0] - ahead[use, 0] * left[use, 2]) / length[use])


def _swapped(front: NDArray[np.float64], least: float) -> str | None:
    """Note sides that change places, by cosines [F] to the front: depth sensors swap them of people who turn away."""
    back = float((front < _BACK[0]).mean()) if len(front) >= least else 0.0
    if back <= _SWAPPED or float((front > -_BACK[0]).mean()) <= _SWAPPED:
        return None
    return (
        f"left and right change places: in {100 * back:.0f} % of the frames that show it, knees and forearms point to "
        "the back of what is named so, as depth sensors see people who turn away; kept as named"
    )


def _bend(hip: NDArray[np.float64], knee: NDArray[np.float64], ankle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far a knee is from the line between hip and ankle, [T, 3], m."""
    line = ankle - hip
    share = ((knee - hip) * line).sum(axis=1) / np.maximum((line**2).sum(axis=1), 1e-9)
    return np.asarray(knee - hip - share[:, None] * line)
