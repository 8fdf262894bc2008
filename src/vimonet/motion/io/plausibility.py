"""Look for what no body does (padding, jumps, flights, a wrong rate): repair the certain, refuse the impossible.

Bounds are those of people: a second in the air is a jump of 1.2 m.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.calibration import SINKING, Limbs
from vimonet.motion.io.limits import NO_BODY
from vimonet.motion.io.rate_check import check_rate
from vimonet.motion.io.readers import Recording
from vimonet.motion.motion import FARTHEST
from vimonet.motion.skeleton import JOINT_NAMES, extent, median, norm, percentile, whole
from vimonet.utils.errors import InputError

_HIGHEST: Final = 30.0  # m above or below the origin; the highest dive is from 27 m
_LONGEST_STEP: Final = 20.0  # m in one frame, where that is faster than _FALLING
_FALLING: Final = 60.0  # m/s, a sky diver
_TELEPORT: Final = (0.5, 15.0)  # m in a frame, and m/s: both
_AIR: Final = (0.5, 1.2)  # m above the floor, for s: more than any jump
_ROOT_HELD: Final = 0.05  # m
_PINNED: Final = 1e-3  # m over the ground: less than any sensor measures of a body that moves
_STEPPING: Final = 0.2  # m that an ankle moves
_FROZEN: Final = 0.5  # s
_PADDING_JUMP: Final = 0.3  # of the body's size, between the last frame and padding
_LOST_JUMP: Final = 0.1  # of the body's size, between a lost joint's place and the origin
_REACH: Final = (2.5, 10.0)  # m from the pelvis: noted, refused
_SINKS: Final = [sine for sines in SINKING.values() for sine in sines]
_FIRST_ARMS: Final = (min(_SINKS) - 0.01, max(_SINKS) + 0.01)  # wider than any pose's by what rounding may take
_BONES: Final = ((1, 4), (2, 5), (4, 7), (5, 8), (16, 18), (17, 19), (18, 20), (19, 21))


def drop_padding(
    recording: Recording, mapping: dict[str, int], notes: list[str]
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Drop frames without a body from both ends, fill those in between, and note a frozen end.

    Args:
        recording: a recording; a frame has no body if all its used joints but the pelvis lie in one place, as zeros do
            that fill up a batch of generated motions, or if none is a number. Of keypoints only zeros at the end are
            padding, since a person may be out of view.
        mapping: {22-joint name: index}.
        notes: receives what was done.

    Returns:
        Positions and confidence of the frames left.
    """
    positions, confidence = recording.positions, recording.confidence
    used = sorted(set(mapping.values()))
    if recording.partial:
        positions, confidence = _drop_unseen_end(positions, confidence, recording.fps, notes)
        lost = _marked(positions) & (positions[..., 0] != 0) & (recording.dimensions == 3)
        if confidence is not None and lost[:, used].any():
            notes.append(f"points at {positions[lost][0, 0]:g} along every axis are taken as not seen")
            confidence = np.where(lost, np.float32(0), confidence)
    elif len(used) > 1:
        empty = _without_body(positions, [joint for joint in used if joint != mapping.get("pelvis")])
        if empty.any() and not empty.all():
            first, last = np.flatnonzero(~empty)[[0, -1]]
            dropped = int(empty[:first].sum() + empty[last + 1 :].sum())
            if dropped:
                notes.append(f"{dropped} frames of padding dropped (all joints in one place, or no number)")
            positions, empty = positions[first : last + 1], empty[first : last + 1]
            confidence = None if confidence is None else confidence[first : last + 1]
            if empty.any():
                positions = _filled(positions, empty)
                notes.append(f"{int(empty.sum())} frames without a body interpolated (all joints in one place)")
        positions = _fill_marked(positions, mapping, notes)
    least = max(3, _FROZEN * recording.fps)
    for part, way in (("last", positions[::-1]), ("first", positions)):
        if not (way[1 : int(least) + 1, used] == way[0, used]).all():
            continue
        frozen = int(np.argmin(np.append((way[:, used] == way[0, used]).all(axis=(1, 2)), False)))
        if least < frozen < len(positions):
            notes.append(f"the {part} {frozen / recording.fps:.1f} s repeat one frame: padding, or a frozen recording")
    return positions, confidence


def _without_body(positions: NDArray[Any], used: list[int]) -> NDArray[np.bool_]:
    """Tell the frames [T] in which all the used joints lie in one place, or are no numbers."""
    places = positions[:: max(1, len(positions) // 60)][:, used]
    places = places[(whole(np.isfinite(places)) & ~_marked(places)).all(axis=1)]
    near = NO_BODY * percentile(extent(places).max(axis=1), 90) if len(places) else 0.0
    # Few frames have two joints so near along an axis, or the first nowhere, and only these are looked at in full.
    one, other = (positions[:, joint, 0] for joint in (used[0], used[-1]))
    empty = np.asarray((np.abs(one - other) <= near) | ~np.isfinite(one))
    if empty.any():
        few = positions[empty][:, used]
        empty[empty] = (extent(few) <= near).all(axis=1) | ~np.isfinite(few).any(axis=(1, 2))
    return empty


def _drop_unseen_end(
    positions: NDArray[Any], confidence: NDArray[np.float32] | None, rate: float, notes: list[str]
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Drop half a second and more of zeros from the end of keypoints; frames that have no numbers stay."""
    if positions[-1].any():
        return positions, confidence
    last = np.flatnonzero(positions.any(axis=(1, 2)))[-1:]
    dropped = len(positions) - 1 - int(last[0]) if len(last) else 0
    if dropped < _FROZEN * rate:
        return positions, confidence
    notes.append(f"{dropped} frames of padding dropped from the end (all points zero)")
    return positions[:-dropped], None if confidence is None else confidence[:-dropped]


def _marked(positions: NDArray[Any]) -> NDArray[np.bool_]:
    """Find the points [T, J] with one number along every axis, 0 or one that recurs: so programs mark lost points."""
    alike = (positions[..., 0] == positions[..., 1]) & (positions[..., 1] == positions[..., 2])
    if not alike.any():
        return np.asarray(alike)
    values, counts = np.unique(positions[alike][:, 0], return_counts=True)
    return np.asarray(alike & np.isin(positions[..., 0], values[(counts > 1) | (values == 0)]))


def _fill_marked(positions: NDArray[Any], mapping: dict[str, int], notes: list[str]) -> NDArray[Any]:
    """Interpolate single joints, except the pelvis, over frames in which they are marked as lost."""
    filled: dict[str, list[str]] = {}
    marked = _marked(positions)
    for joint, index in mapping.items() if marked.any() else ():
        lost = marked[:, index]
        if joint == "pelvis" or not 0 < lost.mean() < 0.5:
            continue
        place = _filled(positions[:, index], lost)
        size = float(np.median(extent(positions[~lost]).max(axis=1)))
        mark = float(positions[lost, index][0, 0])
        if float(np.median(norm(place[lost] - mark))) > _LOST_JUMP * size:
            positions = np.array(positions, dtype=np.float64)
            positions[:, index] = place
            filled.setdefault(f"{mark:g}, {mark:g}, {mark:g}", []).append(
                f"{joint.replace('_', ' ')} {int(lost.sum())}"
            )
    for mark_text, joints in filled.items():
        notes.append(f"frames in which a joint lies at {mark_text} interpolated: {', '.join(joints)}")
    return positions


def _filled(positions: NDArray[Any], empty: NDArray[np.bool_]) -> NDArray[Any]:
    """Interpolate the empty frames linearly in time."""
    time = np.arange(len(positions))
    flat = np.asarray(positions, dtype=np.float64).reshape(len(positions), -1).copy()
    for column in range(flat.shape[1]):
        flat[empty, column] = np.interp(time[empty], time[~empty], flat[~empty, column])
    return flat.reshape(positions.shape)


def padding_rows(rows: NDArray[np.floating], positions_of: Callable[[Any], NDArray[Any]]) -> int:
    """Count the rows of zeros at the end that the body jumps to: parameters that fill up a batch.

    Args:
        rows: [T, C] channels or parameters.
        positions_of: joints [T, J, 3] of rows.
    """
    if rows[-1].any():
        return 0
    zero = np.asarray(~rows.any(axis=1))
    if zero.all():
        return 0
    count = int(np.argmin(zero[::-1]))
    last, padded = positions_of(rows[[len(rows) - count - 1, -1]])
    jump = float(norm(last - padded).max())
    return count if jump > _PADDING_JUMP * float(np.ptp(padded, axis=0).max()) else 0


def held_at_origin(joints: NDArray[Any]) -> bool:
    """Test whether joints [T, 22, 3], m, are root-centred: in every frame the pelvis or the hips' midpoint is at 0."""
    roots = ((joints[:, 1] + joints[:, 2]) / 2, joints[:, 0])
    return min(float(np.abs(root).max()) for root in roots) < _ROOT_HELD


def on_the_floor(joints: NDArray[np.float32], notes: list[str]) -> NDArray[np.float32]:
    """Put the lowest joint on the floor in each frame of a body whose hips or pelvis stay at the origin.

    Args:
        joints: [T, 22, 3], metres, Y up.
        notes: receives what was done.
    """
    if not held_at_origin(joints):
        still = np.ptp(joints[:, 0][:, [0, 2]], axis=0).max() < _PINNED
        if still and len(joints) > 1 and np.ptp(joints[:, [7, 8]], axis=0).max() > _STEPPING:
            notes.append("the pelvis stays over one point to the millimetre: no path through space, it was taken out")
        return joints
    notes.append("hip-centred coordinates: no path through space, lowest joint put on the floor in each frame")
    lowered = joints.copy()
    lowered[..., 1] -= lowered[..., 1].min(axis=1)[:, None]
    return lowered


def examine(
    joints: NDArray[np.float32],
    confidence: NDArray[np.float32] | None,
    rate: float,
    dimensions: int,
    name: str,
    notes: list[str],
    *,
    stated: float | None = None,
) -> list[str]:
    """Examine a placed recording.

    Args:
        joints: [T, 22, 3], metres, Y up; in 2D a torso is 0.5.
        confidence: [T, 22], or None.
        rate: frames/s.
        dimensions: 3 or 2.
        name: for messages.
        notes: receives what a user should know.
        stated: frames/s that the file states, where frames were left out; None: `rate`.

    Returns:
        Lines of the health section of `vimonet inspect`.

    Raises:
        InputError: a place or a movement that cannot be true.
    """
    seen = None if confidence is None or (confidence > 0).all() else confidence > 0
    health = [] if dimensions == 2 else [_bones(joints, seen)]
    if dimensions == 3:
        reach = norm(joints - joints[:, :1])
        if seen is not None:
            reach[~seen] = 0.0
        lowest = np.asarray(joints[..., 1].min(axis=1))
        _refuse_impossible(joints, seen, reach, rate, name)
        jumps = _jumps(joints, seen, rate)
        health.append(_jump_line(joints, jumps, rate, notes))
        health += check_rate(joints, jumps, rate, notes, stated=stated, measured=confidence is None)
        health.append(_air(lowest, rate, notes))
        _note_reach(reach, notes)
        _overturned(joints, lowest, notes)
        _calibration_pose(joints, rate, notes)
    if confidence is not None:
        seen = confidence > 0
        unseen = [JOINT_NAMES[joint].replace("_", " ") for joint in np.flatnonzero(~seen.any(axis=0))]
        health.append(f"joints seen in {100 * seen.mean():.0f} % of frames; never: {', '.join(unseen) or 'none'}")
    return health


def _bones(joints: NDArray[np.float32], seen: NDArray[np.bool_] | None) -> str:
    """Describe how the lengths of arm and leg bones vary over time, and differ between the sides."""
    first, second = np.array(_BONES).T
    bones = np.ascontiguousarray(norm(joints[:, first] - joints[:, second]).T)
    both = None if seen is None else (seen[:, first] & seen[:, second]).T
    known = bones if both is None else [bone[use] for bone, use in zip(bones, both, strict=True)]
    lengths = np.array([median(bone) if len(bone) else np.nan for bone in known])
    changes = [_change(bones)] if seen is None else [_change(bone) for bone in known if len(bone)]
    if not changes:
        return "bone lengths: no bone of an arm or leg is seen"
    left, right = lengths[::2], lengths[1::2]
    apart = np.abs(left - right) / np.maximum((left + right) / 2, 1e-6)
    apart = apart[np.isfinite(apart)]
    sides = f", left and right differ by {100 * median(apart):.1f} %" if len(apart) else ""
    return f"bone lengths vary by {100 * median(np.hstack(changes)):.1f} %{sides}"


def _change(lengths: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure the standard deviation of lengths [..., T] as a share of their mean."""
    return np.asarray(lengths.std(axis=-1) / np.maximum(lengths.mean(axis=-1), 1e-6), dtype=np.float64)


def _refuse_impossible(
    joints: NDArray[np.float32], seen: NDArray[np.bool_] | None, reach: NDArray[np.floating], rate: float, name: str
) -> None:
    advice = "the file is damaged, or give its unit or rate"
    places = joints if seen is None else joints[seen]
    across, high, along = (float(np.abs(places[..., axis]).max(initial=0.0)) for axis in range(3))
    far = max(across, along)
    if far > FARTHEST:
        raise InputError(f"{name}: the body is {far / 1000:.0f} km from the origin, which cannot be true; {advice}.")
    if high > _HIGHEST:
        raise InputError(f"{name}: a joint is {high:.0f} m above or below the floor, which cannot be true; {advice}.")
    if float(reach.max()) > _REACH[1]:
        frame, joint = np.unravel_index(int(reach.argmax()), reach.shape)
        raise InputError(
            f"{name}: the {JOINT_NAMES[joint].replace('_', ' ')} is {reach.max():.0f} m from the pelvis in frame "
            f"{frame + 1}, which cannot be true; {advice}."
        )
    pelvis = joints[:, 0] if seen is None else joints[seen[:, 0], 0]
    step = norm(np.diff(pelvis, axis=0))
    longest = float(step.max(initial=0.0))
    if longest > _LONGEST_STEP and longest * rate > _FALLING:
        raise InputError(f"{name}: the body moves {longest:.0f} m in one frame, which cannot be true; {advice}.")


def _jumps(joints: NDArray[np.float32], seen: NDArray[np.bool_] | None, rate: float) -> NDArray[np.intp]:
    """Find the frames after which the pelvis is elsewhere."""
    step = norm(np.diff(joints[:, 0], axis=0))
    if seen is not None:
        step[~(seen[1:, 0] & seen[:-1, 0])] = 0.0
    usual = median(step) if len(step) else 0.0
    return np.flatnonzero((step > _TELEPORT[0]) & (step * rate > _TELEPORT[1]) & (step > 5 * usual))


def _jump_line(joints: NDArray[np.float32], jumps: NDArray[np.intp], rate: float, notes: list[str]) -> str:
    if len(jumps) == 0:
        return "jumps: none"
    step = norm(joints[jumps + 1, 0] - joints[jumps, 0])
    where = ", ".join(f"{far:.1f} m at {(jump + 1) / rate:.1f} s" for far, jump in zip(step[:5], jumps, strict=False))
    notes.append(f"the body jumps within one frame: {where}{' ...' if len(jumps) > 5 else ''}")
    return f"jumps: {len(jumps)} ({where})"


def _air(lowest: NDArray[np.floating], rate: float, notes: list[str]) -> str:
    """Describe the floor, and when the lowest joint, at heights [T], m, is above it for longer than a jump."""
    floor = percentile(lowest, 5)
    edges = np.flatnonzero(np.diff(lowest > floor + _AIR[0], prepend=False, append=False))
    lengths = edges[1::2] - edges[::2]
    longest, end = 0, 0
    if len(lengths):
        longest, end = int(lengths.max()), int(edges[2 * int(lengths.argmax()) + 1])
    if longest > _AIR[1] * rate:
        height = float(np.median(lowest[end - longest : end])) - floor
        notes.append(
            f"off the floor from {(end - longest) / rate:.1f} to {end / rate:.1f} s, {height:.1f} m above it: stairs, "
            "a climb, or drift"
        )
    return f"floor: lowest joint {floor:+.2f} m, at most {float(lowest.max()) - floor:.2f} m above that"


def _note_reach(reach: NDArray[np.floating], notes: list[str]) -> None:
    """Note joints whose distance from the pelvis, [T, 22], m, is more than a body reaches."""
    far = reach > _REACH[0]
    if far.any():
        torn = ", ".join(JOINT_NAMES[joint].replace("_", " ") for joint in np.flatnonzero(far.any(axis=0)))
        notes.append(f"joints more than {_REACH[0]} m from the pelvis in {int(far.any(axis=1).sum())} frames: {torn}")


def _overturned(joints: NDArray[np.float32], lowest: NDArray[np.floating], notes: list[str]) -> None:
    """Note a body that is upside down, or lies in the air, in nearly every frame: a root that was turned."""
    feet = joints[:, [7, 8], 1].min(axis=1)
    if float(np.mean((joints[:, 15, 1] < joints[:, 0, 1]) & (feet > joints[:, 0, 1]))) > 0.9:
        notes.append("upside down throughout, head below pelvis below feet: --up=-y if the recording is overturned")
    length = norm(joints[:, 15] - (joints[:, 7] + joints[:, 8]) / 2)
    level = np.abs(joints[:, 15, 1] - joints[:, [7, 8], 1].mean(axis=1)) < 0.35 * length
    if level.mean() <= 0.9 or length.mean() <= 1.0:
        return
    floor = percentile(lowest, 5)
    if floor > _AIR[0]:
        notes.append(f"lies throughout, {floor:.1f} m above the floor: --up tells the axis if the recording is tipped")


def _calibration_pose(joints: NDArray[np.float32], rate: float, notes: list[str]) -> None:
    """Note a T-pose or A-pose that is held before the movement begins, as takes begin."""
    arms, trunk = joints[0, 20:22] - joints[0, 16:18], joints[0, 12] - joints[0, 0]
    sinks = -(arms @ trunk) / np.maximum(norm(arms) * norm(trunk), 1e-9)
    if sinks.min() < _FIRST_ARMS[0] or sinks.max() > _FIRST_ARMS[1]:
        return  # most recordings begin with hanging arms: the full check would cost time
    at_first = Limbs(joints[:1], rate)
    for name, sinking in SINKING.items():
        if not at_first.holds(sinking)[0]:
            continue
        for start, end in Limbs(joints, rate).held(sinking)[:1]:
            if start < 0.1 * rate and end < len(joints) - 1:
                notes.append(f"begins with a {name} held for {end / rate:.1f} s, as for calibration")
                return
