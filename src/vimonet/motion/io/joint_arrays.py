"""Read arrays, .npy or .npz: joints [T, 22, 3], 24- and 52-joint SMPL variants, any named joints, and features.

HumanML3D's features are those of Guo et al., CVPR 2022: 263 numbers per frame, decoded to joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io import keypoints
from vimonet.motion.io.body_score import choose_layout, looked_at
from vimonet.motion.io.frame_times import placed, rows_in_time, settled, stated_rate, time_key
from vimonet.motion.io.readers import Archive, Content, Reader, Recording, numeric, plain, register, usable
from vimonet.motion.io.units_and_axes import state_unit_and_up
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.motion import check_fps
from vimonet.motion.skeleton import JOINT_NAMES, whole
from vimonet.utils.errors import InputError

_KEYS: Final = (
    *("joints", "joints3d", "joints_3d", "positions", "keypoints3d", "keypoints_3d", "keypoints"),
    *("keypoints2d", "keypoints_2d", "motion", "xyz", "arr_0", "poses", "pose"),
)
_OF_SMPL: Final = ("trans", "transl", "betas")
_STATED: Final = ("unit", "up")
_NAME_KEYS: Final = ("names", "joint_names", "keypoint_names", "marker_names", "labels")
_EXPECTED: Final = (
    "expected joints [frames, 22, 3] (also 24 or 52 SMPL joints), HumanML3D features [frames, 263], or keypoints of a "
    "known layout [frames, 17, 2 or 3]"
)


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read an array by its shape; options and errors as `read_array` and `read_archive`."""
    if content.is_npy:
        return read_array(content.array, content.name, fps=fps, layout=layout)
    return read_archive(content.archive, content.name, fps=fps, layout=layout)


def _is_humanml3d(content: Content) -> bool:
    return content.is_npy and content.array.ndim >= 2 and content.array.shape[-1] == 263


register(Reader("humanml3d", "HumanML3D npy", (".npy",), _is_humanml3d, read))
register(
    Reader(
        "joints", "joint npy or npz", (".npy", ".npz"), lambda content: content.is_npy or content.is_npz, read, rank=2
    )
)


def holds_positions(archive: Archive) -> bool:
    """Test whether the `poses` of an archive are joints in space, which form a body, and not rotations."""
    key = next((one for one in ("poses", "pose") if one in archive), None)
    if key is None or any(one in archive for one in _OF_SMPL) or archive[key].shape[2:] != (3,):
        return False
    try:
        return bool(_by_the_body(numeric(archive[key], key), key))
    except InputError:
        return False


def read_archive(archive: Archive, name: str, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read joints from an npz.

    Keys are ``joints`` (or ``positions``, ``keypoints`` ..., or the only array), and optionally ``names``, ``fps``,
    ``confidence`` [T, J], ``scale`` (metres per stored unit), ``unit`` ('mm') and ``up`` ('z').

    Raises:
        InputError: no such array, and as ``read_array``.
    """
    key = next((k for k in _KEYS if k in archive), None)
    if key is None:
        if len(archive) != 1:
            some = ", ".join(plain(key) for key in list(archive)[:6]) or "nothing"
            raise InputError(
                f"{name}: the archive holds {some}; expected an array called joints, or AMASS's poses and trans."
            )
        key = next(iter(archive))
    array = numeric(archive[key], f"{name}: {key}")
    scale = archive.number("scale")
    if scale is not None:
        if not np.isfinite(scale) or scale <= 0:
            raise InputError(f"{name}: scale is {scale}; expected a positive number.")
        factor = np.full(array.shape[-1] if array.ndim else 1, scale)
        if "2d" in key and factor.size == 3:
            factor[2] = 1.0  # the third column of 2D keypoints is their confidence
        array = array * factor
    names = next((tuple(str(n) for n in archive[k].reshape(-1)) for k in _NAME_KEYS if k in archive), None)
    confidence = archive.get("confidence")
    notes: list[str] = []
    stamps = archive[key_of_times] if (key_of_times := time_key(archive)) is not None else np.zeros(0)
    timed = placed(stamps.reshape(-1).tolist()) if array.ndim == 3 and stamps.size == len(array) else None
    if timed is not None:
        array, notes = rows_in_time(array, timed.order), timed.notes
        confidence = None if confidence is None else rows_in_time(confidence, timed.order)
    rate = settled(stated_rate(archive, name), timed and timed.rate, notes) if fps is None else fps
    recording = read_array(array, name, fps=rate, names=names, confidence=confidence, layout=layout)
    recording.notes += notes
    if recording.dimensions == 3:
        stated = (str(archive[key].reshape(-1)[0]) if key in archive and archive[key].size else None for key in _STATED)
        state_unit_and_up(recording, *stated)
    return recording


def read_array(
    array: NDArray[Any],
    name: str,
    *,
    fps: float | None = None,
    names: tuple[str, ...] | None = None,
    confidence: NDArray[Any] | None = None,
    layout: str | None = None,
) -> Recording:
    """Read an array by its shape.

    Args:
        array: [T, J, 3] or [T, J, 2]; a leading axis of length 1 is dropped; MDM's [22, 3, T] is turned; [T, 263] is
        HumanML3D.
        name: for messages.
        fps: rate; 20 when not given, as HumanML3D's.
        names: J joint names, for skeletons of any other kind.
        confidence: [T, J].
        layout: a key of ``joint_names.LAYOUTS``; None chooses by the number of joints and the shape of the body.

    Raises:
        InputError: no known shape, no frames, not finite (3D joints), missing essential joints.
    """
    values = numeric(np.asarray(array), name)
    shape = list(values.shape)
    while values.ndim > 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 3 and values.shape[:2] == (22, 3) and values.shape[2] != 3:
        values = np.moveaxis(values, 2, 0)
    if values.ndim == 2 and values.shape[1] in (2, 3) and values.shape[0] in (17, 22, 24, 25, 33, 52):
        values = values[None]
    if values.ndim >= 2 and values.shape[-1] == 263:
        return _read_humanml3d(values, name, fps=fps)
    if values.ndim == 2 and values.shape[1] == 251:
        raise InputError(
            f"{name}: features of 251 numbers are KIT-ML's 21-joint ones, which are not read; {_EXPECTED}."
        )
    if values.ndim == 4 and values.shape[3] in (2, 3, 4):
        raise InputError(
            f"{name}: the array has four axes, {shape}, as of several people; save one of them, array[0] if "
            f"the first axis counts people, array[:, 0] if it counts frames, as [frames, points, {shape[-1]}]."
        )
    if values.ndim != 3 or values.shape[2] not in (2, 3, 4):
        raise InputError(f"{name}: the array has shape {shape}; {_EXPECTED}.")
    if values.shape[0] == 0:
        raise InputError(f"{name}: the array holds no frames; at least one is needed.")
    count, width = values.shape[1], values.shape[2]
    if names is not None and len(names) != count:
        raise InputError(f"{name}: {len(names)} joint names are given for {count} joints; expected one each.")
    if layout is not None:
        if layout not in LAYOUTS or len(LAYOUTS[layout]) != count:
            raise InputError(f"{name}: layout {layout!r} does not have {count} joints; known: {', '.join(LAYOUTS)}.")
        names = LAYOUTS[layout]
    bodies = count in (22, 24, 52, 55) and width == 3 and confidence is None
    if names is None and bodies and not keypoints.is_thin(values):
        layout, note = _by_the_body(values, name)
        chosen = [] if note is None else [note]
        order, rate = LAYOUTS[layout], _rate(fps, name, chosen)
        fixed = {joint: order.index(joint) for joint in JOINT_NAMES} if set(JOINT_NAMES) <= set(order) else None
        return Recording(values, order, rate, "joints", family=layout, mapping=fixed, notes=chosen)
    if names is not None and width == 3 and confidence is None and not _in_picture(values, names):
        body = tuple(names)
        notes: list[str] = []
        return Recording(values, body, _rate(fps, name, notes), "joints", family=layout, notes=notes)
    return keypoints.from_points(values, name, fps=fps, names=names, confidence=confidence)


def _in_picture(values: NDArray[Any], names: Sequence[str]) -> bool:
    """Test whether (x, y, ?) are points of a picture."""
    return keypoints.third_is_confidence(values, names) or keypoints.is_thin(values)


def _by_the_body(values: NDArray[Any], name: str) -> tuple[str, str | None]:
    """Choose between SMPL's order of joints and others of the same number; a note on the choice."""
    some = values[looked_at(len(values))]
    return choose_layout(some, whole(usable(some)), name)


def _rate(fps: float | None, name: str, notes: list[str]) -> float:
    if fps is None:
        notes.append("frame rate not given: 20 frames/s assumed, as HumanML3D's")
    return check_fps(20.0 if fps is None else fps, name)


def _read_humanml3d(array: NDArray[Any], name: str, *, fps: float | None = None) -> Recording:
    """Decode HumanML3D features [T, 263], not normalised; 20 frames/s when ``fps`` is None.

    Raises:
        InputError: not finite, no frames, or normalised with a mean and standard deviation that the file does not have.
    """
    from vimonet.motion.features.humanml3d_features import (
        humanml3d_joints,  # other formats save its import
    )

    values = numeric(array, name)
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2 or values.shape[1] != 263:
        raise InputError(f"{name}: features have shape {list(array.shape)}; expected [frames, 263].")
    if len(values) == 0:
        raise InputError(f"{name}: the features hold no frames; at least one is needed.")
    if not usable(values).all():
        frame = int(np.argwhere(~usable(values))[0, 0])
        raise InputError(
            f"{name}: the features are not finite in frame {frame + 1} of {len(values)}; expected numbers only."
        )
    filled = np.flatnonzero(values.any(axis=1))
    padding = len(values) - 1 - int(filled[-1]) if len(filled) else 0
    notes = [f"{padding} frames of padding dropped from the end (all features zero)"] if padding else []
    values = values[: len(values) - padding]
    contacts, height = values[:, -4:], values[:, 3]
    if contacts.min() < -0.5 or contacts.max() > 1.5 or not 0 < float(np.median(height)) < 3:
        raise InputError(
            f"{name}: the root height ({float(np.median(height)):.2f}) or the foot contacts are not HumanML3D's; give "
            "features that are not normalised (multiply by Std.npy and add Mean.npy)."
        )
    return Recording(
        positions=np.asarray(humanml3d_joints(np.asarray(values, dtype=np.float32))),
        names=JOINT_NAMES,
        fps=check_fps(20.0 if fps is None else fps, name),
        format="humanml3d",
        family="humanml3d22",
        mapping={joint: i for i, joint in enumerate(JOINT_NAMES)},
        unit=1.0,
        up="Y",
        notes=notes,
    )
