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
from vimonet.motion.io.readers import Recording, plain, usable
from vimonet.motion.joint_names import family_of, map_joints
from vimonet.motion.motion import FPS, Motion, check_fps, fill_unseen, resample
from vimonet.motion.skeleton import JOINT_NAMES, LEG_LENGTH
from vimonet.utils.errors import InputError

CMU_UNIT: Final[float] = 0.0254 / 0.45
"""Metres per unit of CMU's ASF/AMC and its cgspeed conversion: inches at 0.45 scale."""

_UNITS: Final[dict[str, float]] = {
    "m": 1.0,
    "cm": 0.01,
    "mm": 0.001,
    "dm": 0.1,
    "inch": 0.0254,
    "in": 0.0254,
    "ft": 0.3048,
    "cmu": CMU_UNIT,
}
_UP_ROTATIONS: Final[dict[str, list[list[int]]]] = {  # each a proper rotation that takes the axis to +Y
    "Y": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "-Y": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "Z": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
    "-Z": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "X": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
    "-X": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
}
_HUMAN_LEG = (0.42, 1.2)  # metres hip to ankle, small child to giant


def to_motion(recording: Recording, name: str, *, up: str | None = None, unit: str | float | None = None) -> Motion:
    """Turn a recording into a Motion.

    Args:
        recording: recording of a reader.
        name: name of the motion, for messages.
        up: up axis ('y', 'z', '-y' ...); None detects it.
        unit: unit ('cm', 'inch', metres per unit ...); None detects it.

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
    frames = len(recording.positions) * max(1.0, FPS / check_fps(recording.fps, name))
    if frames > MAX_FRAMES:
        raise InputError(
            f"{name}: it has {frames:.0f} frames at {FPS:g} frames/s; at most {MAX_FRAMES} are read at once."
        )
    if not recording.partial:
        _check_finite(recording.positions, recording.names, mapping, name)
    joints, confidence, invented = complete(
        recording.positions, mapping, recording.confidence, partial=recording.partial, dimensions=recording.dimensions
    )
    rest = None
    if recording.rest is not None:
        rest = complete(recording.rest[None], mapping, None, partial=False, dimensions=3)[0][0]
    if invented:
        notes.append("not in the source, interpolated: " + ", ".join(invented))

    details = dict(recording.details)
    if recording.dimensions == 2:
        joints, scale_note = _place_2d(joints, confidence, name)
        details |= {"unit": scale_note, "up": "image (y down)"}
    else:
        joints = _place_3d(joints, confidence, rest, recording, name, up, unit, details, notes)
    rate = check_fps(recording.fps, name)
    if rate != FPS:
        joints, confidence = resample(joints, rate, FPS, confidence=confidence)
    source_fps = recording.source_fps or rate
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
        FPS,
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
    good = usable(positions[:, used]).all(axis=2)
    if not good.all():
        frame, joint = np.argwhere(~good)[0]
        raise InputError(
            f"{name}: joint {plain(names[used[joint]])} is not a finite number in frame {frame + 1} of "
            f"{len(positions)}; every "
            "joint needs three finite coordinates."
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
        scale, unit_text, known = detect_unit(joints, confidence, recording.family or family_of(recording.names), name)
        if not known:
            notes.append(f"unit unknown: scaled by {scale:.4g} so that the legs have an adult's length")
    joints = joints * np.float32(scale)
    if up is not None:
        axis, up_text = parse_up(up), f"{up} (given)"
    elif recording.up is not None:
        axis, up_text = recording.up, f"{recording.up} (by format)"
    else:
        axis = detect_up(joints, confidence, rest)
        up_text = f"{axis} (detected)"
    joints = to_y_up(joints, axis)
    named = map_joints(recording.names) if recording.mapping is None else recording.mapping
    if {"left_foot", "right_foot"} <= named.keys() and is_mirrored(joints, confidence):
        joints = joints * np.array([-1, 1, 1], dtype=np.float32)
        notes.append("left-handed coordinates: x negated so that the named left is the anatomical left")
    if recording.partial and float(np.abs(joints[:, 1] + joints[:, 2]).max()) / 2 < 0.05:
        joints[..., 1] -= joints[..., 1].min(axis=1)[:, None]
        notes.append("hip-centred coordinates: no path through space, lowest joint put on the floor in each frame")
    details |= {"unit": unit_text, "up": up_text}
    return joints


def _place_2d(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, name: str
) -> tuple[NDArray[np.float32], str]:
    """Scale an image to a body: y up, z = 0, median torso 0.5, first pelvis at x = 0, lowest joints (5 %) at 0."""
    assert confidence is not None
    seen = confidence > 0
    joints = joints * np.array([1, -1, 0], dtype=np.float32)

    def median_length(a: int, b: int) -> float:
        both = seen[:, a] & seen[:, b]
        if not both.any():
            return 0.0
        return float(np.median(np.linalg.norm(joints[both, a] - joints[both, b], axis=1)))

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
    joints[~np.isfinite(joints).all(axis=2)] = 0.0
    return fill_unseen(joints.astype(np.float32), seen), f"{scale:.4g} per pixel (torso = 0.5)"


def parse_unit(unit: str | float) -> float:
    """Parse metres per unit of 'm', 'cm', 'mm', 'dm', 'inch', 'ft', 'cmu' or a positive number; else InputError."""
    if isinstance(unit, str) and unit.strip().lower() in _UNITS:
        return _UNITS[unit.strip().lower()]
    try:
        value = float(unit)
    except (TypeError, ValueError):
        value = float("nan")
    if not (np.isfinite(value) and 0 < value < 1e6):
        raise InputError(f"unit {unit!r} is not known; give m, cm, mm, dm, inch, ft, cmu, or metres per unit.")
    return value


def parse_up(up: str) -> str:
    """Parse 'y', '+z', 'Y-up' and the like to 'Y', 'Z', '-Y' ...; else InputError."""
    text = str(up).strip().upper().removesuffix("UP").strip("_ ").removesuffix("-").removeprefix("+")
    if text not in _UP_ROTATIONS:
        raise InputError(f"up axis {up!r} is not known; give one of y, z, x, -y, -z, -x.")
    return text


def to_y_up(joints: NDArray[np.float32], axis: str) -> NDArray[np.float32]:
    """Rotate [..., 3] so that ``axis`` becomes +Y; handedness is kept."""
    if axis == "Y":
        return joints
    return joints @ np.array(_UP_ROTATIONS[axis], dtype=joints.dtype).T


def detect_unit(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, family: str, name: str
) -> tuple[float, str, bool]:
    """Detect metres per unit from the length of the legs (of the arms if no leg is seen).

    Returns:
        Metres per unit, text for `recording_info`, and whether it is a common unit. Metres, centimetres and millimetres
        come before rarer units, so that a child in centimetres is not taken for an adult in inches.

    Raises:
        InputError: the skeleton has no extent.
    """
    length = _limb(joints, confidence, (1, 4, 7), (2, 5, 8))
    expected = LEG_LENGTH
    if length == 0.0:
        length, expected = _limb(joints, confidence, (16, 18, 20), (17, 19, 21)), 0.52
    if not np.isfinite(length) or length <= 1e-9:
        raise InputError(f"{name}: all joints lie in one place; expected a skeleton with legs of some length.")
    adult = length * LEG_LENGTH / expected
    if family.startswith(("cgspeed", "CMU")) and _HUMAN_LEG[0] < adult * CMU_UNIT < _HUMAN_LEG[1]:
        return CMU_UNIT, "CMU unit (inch / 0.45, detected)", True
    for unit in ("m", "cm", "mm", "inch", "cmu", "ft", "dm"):
        if _HUMAN_LEG[0] <= adult * _UNITS[unit] <= _HUMAN_LEG[1]:
            return _UNITS[unit], f"{unit} (detected)", True
    scale = LEG_LENGTH / adult
    return scale, f"{scale:.4g} m (legs set to {LEG_LENGTH:.2f} m)", False


def _limb(joints: NDArray[Any], confidence: NDArray[Any] | None, *chains: tuple[int, int, int]) -> float:
    """Measure the median length of a two-bone limb over sides and (about 500) frames that show it; 0 if none."""
    step = max(1, len(joints) // 500)
    values = joints[::step].astype(np.float64)
    lengths = []
    for a, b, c in chains:
        length = np.linalg.norm(values[:, a] - values[:, b], axis=1) + np.linalg.norm(
            values[:, b] - values[:, c], axis=1
        )
        if confidence is not None:
            length = length[(confidence[::step][:, [a, b, c]] > 0).all(axis=1)]
        lengths.append(length)
    every = np.concatenate(lengths)
    return float(np.median(every)) if len(every) else 0.0


def detect_up(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, rest: NDArray[np.float32] | None
) -> str:
    """Detect the axis along which heads are above feet.

    A rest pose that stands (straight legs below the trunk) decides, unless the movement itself stands upright on
    the ground along another axis (an exporter that turned the root only). Without such a rest pose the mean direction
    from ankles to head decides, if it is clear; else Y.
    """
    values = joints[:: max(1, len(joints) // 500)].astype(np.float64)
    body = values[:, 15] - (values[:, 7] + values[:, 8]) / 2
    if confidence is not None:
        seen = (confidence[:: max(1, len(joints) // 500)][:, [7, 8, 15]] > 0).all(axis=1)
        if not seen.any():  # no legs in view: use the trunk
            body = values[:, 12] - values[:, 0]
        else:
            body = body[seen]
    body = body / np.maximum(np.linalg.norm(body, axis=1, keepdims=True), 1e-9)
    mean = body.mean(axis=0)
    axis = int(np.argmax(np.abs(mean)))
    moving = ("" if mean[axis] > 0 else "-") + "XYZ"[axis]
    standing = None if rest is None else _standing_axis(rest.astype(np.float64))
    if standing is not None and standing != moving:
        lowest = float(np.percentile((np.sign(mean[axis]) * values[..., axis]).min(axis=1), 5))
        if abs(mean[axis]) > 0.9 and abs(lowest) < 0.25 and not moving.startswith("-"):
            return moving
        return standing
    if standing is not None:
        return standing
    if axis == 1 or abs(mean[axis]) < 0.5:
        return moving if axis == 1 and abs(mean[1]) > 0.5 else "Y"
    # In a crawl, heads lie far from feet along a level axis as well; only the true axis has a floor.
    if abs(mean[axis]) < 0.97:
        lowest = (np.sign(mean[axis]) * values[..., axis]).min(axis=1)
        if float(lowest.std()) > max(0.1, 2 * float(values[..., 1].min(axis=1).std())):
            return "Y"
    return moving


def _standing_axis(rest: NDArray[np.float64]) -> str | None:
    """Detect the up axis of a rest pose on straight legs; None for the folded rests of Bandai-Namco or LAFAN1."""
    trunk = rest[12] - rest[0]
    axis = int(np.argmax(np.abs(trunk)))
    sign = np.sign(trunk[axis])
    if np.abs(trunk[axis]) < 0.8 * np.linalg.norm(trunk):
        return None
    for hip, ankle in ((1, 7), (2, 8)):
        leg = rest[ankle] - rest[hip]
        if -sign * leg[axis] < 0.8 * np.linalg.norm(leg):
            return None
    return ("" if sign > 0 else "-") + "XYZ"[axis]


def is_mirrored(joints: NDArray[np.float32], confidence: NDArray[np.float32] | None) -> bool:
    """Detect left-handed coordinates: toes that point forward then have the named left on the right.

    Args:
        joints: [T, 22, 3], Y up, metres, with measured toes.
        confidence: [T, 22] in 0..1, or None.
    """
    values = joints.astype(np.float64)
    toes = (values[:, 10] - values[:, 7]) + (values[:, 11] - values[:, 8])
    left = (values[:, 1] - values[:, 2]) + (values[:, 16] - values[:, 17])
    upright = values[:, 12, 1] - values[:, 0, 1] > 0.2
    if confidence is not None:
        upright &= (confidence[:, [1, 2, 7, 8, 10, 11, 16, 17]] > 0).all(axis=1)
    length = np.linalg.norm(toes[:, [0, 2]], axis=1) * np.linalg.norm(left[:, [0, 2]], axis=1)
    use = upright & (np.linalg.norm(toes[:, [0, 2]], axis=1) > 0.1) & (length > 1e-6)
    if use.sum() < max(1, 0.1 * len(values)):
        return False
    turned = (toes[use, 2] * left[use, 0] - toes[use, 0] * left[use, 2]) / length[use]
    return float(turned.mean()) < -0.5
