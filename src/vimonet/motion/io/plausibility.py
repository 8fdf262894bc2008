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
_FROZEN: Final = 0.5  # s
_PADDING_JUMP: Final = 0.3  # of the body's size, between the last frame and padding
_LOST_JUMP: Final = 0.1  # of the body's size, between a lost joint's place and the origin
_REACH: Final = (2.5, 10.0)  # m from the pelvis: noted, refused
_KNEES_BENT: Final = 0.15  # m from the line between hip and ankle, both knees: Kinect's straight ones bend back by less
_FOREARMS_LEVEL: Final = 0.2  # m over the ground that both forearms together reach at least
_UPRIGHT: Final = 0.85  # of the trunk's length: sensors lose the knees and hands of people who bend
_FRONT_SHARE: Final = (0.1, 0.3)  # least share of frames that tell the front; where forearms decide alone
_BACK: Final = (-0.5, -0.3, -0.8)  # most cosine to the front of knees that point back; of forearms, too; of these alone
_SWAPPED: Final = 0.2  # least share of the frames that tell the front, to the front and to the back alike
_FIRST_ARMS: Final = (-0.36, 0.96)  # sines of `SINKING`, with .01 for rounding
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
        positions = _fill_zeros(positions, mapping, notes)
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
    places = places[whole(np.isfinite(places)).all(axis=1)]
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


def _fill_zeros(positions: NDArray[Any], mapping: dict[str, int], notes: list[str]) -> NDArray[Any]:
    """Interpolate single joints over frames in which they lie at 0, 0, 0, as lost markers do, but for the pelvis."""
    filled = []
    some = (positions[..., 0] == 0).any(axis=0)  # few joints have a coordinate of exactly 0
    for joint, index in mapping.items():
        if joint == "pelvis" or not some[index]:
            continue
        zero = np.asarray(~positions[:, index].any(axis=1))
        if not 0 < zero.mean() < 0.5:
            continue
        place = _filled(positions[:, index], zero)
        size = float(np.median(extent(positions[~zero]).max(axis=1)))
        if float(np.median(norm(place[zero]))) > _LOST_JUMP * size:
            positions = np.array(positions, dtype=np.float64)
            positions[:, index] = place
            filled.append(f"{joint.replace('_', ' ')} {int(zero.sum())}")
    if filled:
        notes.append(f"frames in which a joint lies at 0, 0, 0 interpolated: {', '.join(filled)}")
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
        return  # most begin with arms that hang, and are not looked at in full
    at_first = Limbs(joints[:1], rate)
    for name, sinking in SINKING.items():
        if not at_first.holds(sinking)[0]:
            continue
        for start, end in Limbs(joints, rate).held(sinking)[:1]:
            if start < 0.1 * rate and end < len(joints) - 1:
                notes.append(f"begins with a {name} held for {end / rate:.1f} s, as for calibration")
                return


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
