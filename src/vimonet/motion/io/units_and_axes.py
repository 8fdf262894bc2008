"""Detect the unit and the up axis of a recording from the body that it shows."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.plausibility import held_at_origin
from vimonet.motion.io.readers import Recording
from vimonet.motion.skeleton import LEG_LENGTH, median, norm, percentile
from vimonet.utils.errors import InputError

CMU_UNIT: Final[float] = 0.0254 / 0.45
"""Metres per unit of CMU's ASF/AMC and its cgspeed conversion: inches at 0.45 scale."""

UNITS: Final[dict[str, float]] = {
    **{"m": 1.0, "meters": 1.0, "metres": 1.0, "cm": 0.01, "mm": 0.001, "dm": 0.1},
    **{"inch": 0.0254, "in": 0.0254, "ft": 0.3048, "cmu": CMU_UNIT},
}
"""Metres per unit, by the words of file headers and of users."""
_UP_ROTATIONS: Final[dict[str, list[list[int]]]] = {  # each a proper rotation that takes the axis to +Y
    "Y": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "-Y": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "Z": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
    "-Z": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "X": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
    "-X": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
}
_HUMAN_LEG: Final = (0.42, 1.2)  # metres hip to ankle, small child to giant
_ADULT_LEG: Final = tuple(stature * LEG_LENGTH / 1.7 for stature in (1.3, 2.1))
_LYING_PELVIS: Final = 0.6  # m above the ground, at most
_ACROSS: Final = 2.0  # times as far from feet to head across the picture as up: lies, or x and y are exchanged
_OVERTURNED: Final = 0.75  # of the frames; acrobats are upside down for less of a clip
_STOOD: Final = 1.25  # least ratio of the longest body with the head up to the longest with the feet up, if upright
_STEADY: Final = 0.2  # m: a floor's lowest joint changes by less
_FLOOR: Final = (-0.1, 0.25)  # m: lowest joints of a body on the ground, heels in it and soles below the joints
_SIDEWAYS: Final = 0.6  # of the way from right to left
_STANDS: Final = 0.97  # of the way from feet to head
_BELOW: Final = (0.5, 0.6)  # share of thighs and arms that points down, on all fours: to doubt an axis, to change it
_LEVEL: Final = 0.6  # share of the way from feet to head that points up, on all fours: at most
_LIES: Final = 0.42  # mean way from feet to head: largest part off the up axis over that along it; runs reach .40
_CREEPS: Final = 0.12  # m of knees and hands along the trunk
_ERECT, _OFTEN = 0.85, 0.1  # of straight legs and of the way from feet to head; of the frames
_HEAD_OVER: Final = (0.1, 0.5)  # of the way from feet to head: some; most, where a body without a floor may climb


def parse_unit(unit: str | float) -> float:
    """Parse metres per unit of 'm', 'cm', 'mm', 'dm', 'inch', 'ft', 'cmu' or a positive number; else InputError."""
    if isinstance(unit, str) and unit.strip().lower() in UNITS:
        return UNITS[unit.strip().lower()]
    try:
        value = float(unit)
    except (TypeError, ValueError):
        value = float("nan")
    if not (np.isfinite(value) and 0 < value < 1e6):
        raise InputError(f"unit {unit!r} is not known; give m, cm, mm, dm, inch, ft, cmu, or metres per unit.")
    return value


def state_unit_and_up(recording: Recording, unit: object, up: object) -> None:
    """Take the unit ('mm') and the up axis ('z') that a file states, where they are known words; else detect them."""
    if isinstance(unit, str) and unit.lower() in UNITS:
        recording.unit = UNITS[unit.lower()]
    if isinstance(up, str) and up.upper() in _UP_ROTATIONS:
        recording.up = up.upper()


def parse_size(size: str | tuple[float, float]) -> tuple[float, float]:
    """Parse the size of a picture, '1920x1080' or (1920, 1080); else InputError."""
    parts = size.lower().split("x") if isinstance(size, str) else size
    try:
        width, height = (float(part) for part in parts)
    except (TypeError, ValueError):
        width = height = float("nan")
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise InputError(f"size {size!r} is not known; give width and height of the picture, such as 1920x1080.")
    return width, height


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


class Unit(NamedTuple):
    """Hold a detected unit: metres, text for `recording_info`, and a note for the user or None."""

    metres: float
    text: str
    note: str | None = None


def detect_unit(joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, family: str, name: str) -> Unit:
    """Detect metres per unit from the length of the legs (of the arms if no leg is seen).

    A unit that makes an adult comes before one that makes a child or a giant; then metres, centimetres and millimetres
    before rarer units. No two units make an adult of one length.

    Raises:
        InputError: the skeleton has no extent.
    """
    length = _limb(joints, confidence, (1, 4, 7), (2, 5, 8))
    expected = LEG_LENGTH
    if length == 0.0:
        length, expected = _limb(joints, confidence, (16, 18, 20), (17, 19, 21)), 0.52
    if not np.isfinite(length) or length <= 1e-9:
        raise InputError(
            f"{name}: it shows no leg or arm of any length: joints lie in one place, are never seen, or have "
            "unknown names, which --joint-map tells."
        )
    leg = length * LEG_LENGTH / expected
    cmu_first = family.startswith(("cgspeed", "CMU"))
    units = ("cmu", "m", "cm", "mm", "inch", "ft", "dm") if cmu_first else ("m", "cm", "mm", "inch", "cmu", "ft", "dm")
    fitting = [unit for unit in units if _HUMAN_LEG[0] <= leg * UNITS[unit] <= _HUMAN_LEG[1]]
    adult = [unit for unit in fitting if _ADULT_LEG[0] <= leg * UNITS[unit] <= _ADULT_LEG[1]]
    if not fitting:
        scale = LEG_LENGTH / leg
        note = f"unit unknown: scaled by {scale:.4g} so that the legs have an adult's length"
        return Unit(scale, f"{scale:.4g} m (legs set to {LEG_LENGTH:.2f} m)", note)
    unit = (adult or fitting)[0]
    others = [f"{other} one of {leg * UNITS[other]:.2f} m" for other in fitting if other != unit]
    note = f"unit ambiguous: {unit} makes a leg of {leg * UNITS[unit]:.2f} m, {', '.join(others)}; --unit decides"
    if not adult and not others:
        note = f"{unit} makes a leg of {leg * UNITS[unit]:.2f} m, that of a child or a giant; --unit decides"
    text = "CMU unit (inch / 0.45, detected)" if cmu_first and unit == "cmu" else f"{unit} (detected)"
    return Unit(UNITS[unit], text, note if others or not adult else None)


def _limb(joints: NDArray[Any], confidence: NDArray[Any] | None, *chains: tuple[int, int, int]) -> float:
    """Measure the median length of a two-bone limb over sides and (about 500) frames that show it; 0 if none."""
    step = max(1, len(joints) // 500)
    values = joints[::step].astype(np.float64)
    lengths = []
    for a, b, c in chains:
        length = norm(values[:, a] - values[:, b]) + norm(values[:, b] - values[:, c])
        if confidence is not None:
            length = length[(confidence[::step][:, [a, b, c]] > 0).all(axis=1)]
        lengths.append(length)
    every = np.concatenate(lengths)
    return median(every) if len(every) else 0.0


def detect_up(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, rest: NDArray[np.float32] | None
) -> tuple[str, str | None]:
    """Detect the axis along which heads are above feet, and a note where it is not that of the rest pose.

    A rest pose that stands (straight legs below the trunk) decides, unless the movement itself stands upright on
    the ground along another axis (an exporter that turned the root only). Without such a rest pose the mean direction
    from ankles to head decides, if it is clear and no handstand; else Y. An axis without a floor is changed or doubted,
    and so is one along which the body is never upright, lies on all fours, or is hip-centred and far from upright.
    """
    values = joints[:: max(1, len(joints) // 500)].astype(np.float64)
    seen = None if confidence is None else confidence[:: max(1, len(joints) // 500)]
    mean = _upright(values, seen)
    up, note = _up_by_stance(values, mean, rest)
    fours, clear = _on_all_fours(values, mean)
    if fours is not None and fours != up:
        held = held_at_origin(values)
        floor = not held and _unsteady(values, fours) < min(_STEADY, _unsteady(values, up) / 3)
        if clear and (floor or (held and rest is None and _creeps(values, mean))):
            return fours, f"{fours} is taken as up: knees and hands are below the trunk; --up={up.lower()} if it sits"
        if held or _sideways(values) == up[-1] or _unsteady(values, up) > _STEADY:
            note = note or f"{up} is taken as up: the body sits or climbs; --up={fours.lower()} if it is on all fours"
    return up, note or (None if fours else _never_upright(values, up) or _lies_a_while(values, mean, up))


def _up_by_stance(
    values: NDArray[np.float64], mean: NDArray[np.float64], rest: NDArray[np.float32] | None
) -> tuple[str, str | None]:
    """Detect the up axis by the rest pose, by the mean direction from ankles to head, [3], and by the floor."""
    axis = int(np.argmax(np.abs(mean)))
    moving = _axis(mean)
    standing = None if rest is None else _standing_axis(rest.astype(np.float64))
    if standing is not None:
        turned = standing != moving
        up, note = _turned_root(values, moving, standing, float(np.abs(mean).max())) if turned else (standing, None)
        return (up, note) if note else _by_the_floor(values, mean, up)
    if axis == 1 or abs(mean[axis]) < 0.5:
        if abs(mean[1]) <= 0.5 or axis != 1:
            return _by_the_floor(values, mean, "Y")
        handstand = moving == "-Y" and _stands_on(values, "Y") and not _stands_on(values, "-Y")
        return ("Y", None) if handstand else _by_the_floor(values, mean, moving)
    # In a crawl, heads lie far from feet along a level axis as well; only the true axis has a floor.
    if abs(mean[axis]) < _STANDS and _unsteady(values, "Y") < _STEADY and _sideways(values) != "Y":
        off, own = (float(_lowest(values, one).std()) for one in (moving, "Y"))
        if off > max(0.1 if abs(mean[axis]) > 0.7 else 0.05, 2 * own):
            return "Y", None
    return _by_the_floor(values, mean, moving)


def _on_all_fours(values: NDArray[np.float64], mean: NDArray[np.float64]) -> tuple[str | None, bool]:
    """Name the axis that is up if the body is on all fours, else None; and tell whether that is clear."""
    ways = [values[:, low] - values[:, high] for high, low in ((1, 4), (2, 5), (16, 20), (17, 21))]
    ways = [(way / np.maximum(norm(way), 1e-9)[:, None]).mean(axis=0) for way in ways]
    axis = _axis(-np.sum(ways, axis=0))
    below = min(-_along(ways[0] + ways[1], axis), -_along(ways[2] + ways[3], axis)) / 2
    return (axis, below > _BELOW[1]) if below > _BELOW[0] and abs(_along(mean, axis)) < _LEVEL else (None, False)


def _creeps(values: NDArray[np.float64], mean: NDArray[np.float64]) -> bool:
    """Test whether knees and hands all go to and fro along the trunk, as in a crawl that stays in its place."""
    along = (values[:, [4, 5, 20, 21]] - values[:, :1]) @ (mean / np.maximum(norm(mean), 1e-9))
    return bool((np.ptp(np.percentile(along, (5, 95), axis=0), axis=0) > _CREEPS).all())


def _never_upright(values: NDArray[np.float64], up: str) -> str | None:
    """Doubt the up axis, in a note, of a body that hardly ever stands along it and often along another."""
    hips, ankles = (values[:, [a, b]].mean(axis=1) for a, b in ((1, 2), (7, 8)))
    legs, body = hips - ankles, values[:, 15] - ankles
    thighs = norm(values[:, 1] - values[:, 4]) + norm(values[:, 4] - values[:, 7])
    legs, body = legs / np.maximum(thighs, 1e-9)[:, None], body / np.maximum(norm(body), 1e-9)[:, None]
    lengths = np.sign(legs) * np.minimum(np.abs(legs), np.abs(body)) * (legs * body > 0)
    ahead, back = (lengths > _ERECT).mean(axis=0), (lengths < -_ERECT).mean(axis=0)
    upright = {axis: _along(back if axis.startswith("-") else ahead, axis[-1]) for axis in _UP_ROTATIONS}
    other = max(upright, key=upright.__getitem__)
    if upright[up] > 0.02 or upright[other] < _OFTEN:
        return None
    share = f"{100 * upright[other]:.0f} % of the time"
    return f"hardly ever upright along {up}, taken as up, but {share} along {other}: --up={other.lower()} if it stands"


def _lies_a_while(values: NDArray[np.float64], mean: NDArray[np.float64], up: str) -> str | None:
    """Return a note that the up axis is in doubt if hip-centred joints lean far along another axis on average."""
    axis = _axis(np.where(np.arange(3) == "XYZ".index(up[-1]), 0.0, mean))
    if not held_at_origin(values) or _along(mean, axis) < _LIES * _along(mean, up):
        return None
    told = "the body is not always upright, and hip-centred joints have no floor to check by"
    return f"{up} is taken as up, in doubt: {told}; --up={axis.lower()} if the picture is wrong"


def _by_the_floor(values: NDArray[np.float64], mean: NDArray[np.float64], up: str) -> tuple[str, str | None]:
    """Change an axis along which a body neither stands nor has a floor for the one that has a floor, and note it.

    Args:
        values: [T, 22, 3], metres.
        mean: mean direction from ankles to head, [3].
        up: axis that is up by the body's direction or the format.
    """
    stands = _along(mean, up)
    if stands > _STANDS or held_at_origin(values) or (lost := _unsteady(values, up)) < _STEADY:
        return up, None
    sideways = _sideways(values)
    others = [axis for axis in _UP_ROTATIONS if axis != up and axis[-1] != sideways]
    flat = [axis for axis in others if _unsteady(values, axis) < min(_STEADY, lost / 3)]
    over = [axis for axis in flat if _along(mean, axis) > _HEAD_OVER[0]]
    if len(over) == 1 and stands <= _HEAD_OVER[1]:
        told = f"{over[0]} is up by the floor, which {up} has not"
        return over[0], f"{told}: --up={up.lower()} if the body climbs or hovers"
    listed = [axis for axis in (over or flat) if axis.removeprefix("-") != up.removeprefix("-")]
    if not listed:
        return up, None
    flags = " or ".join(f"--up={axis.lower()}" for axis in listed)
    return up, f"no floor along {up}, but along {' and '.join(listed)}: {flags} if the body crawls or lies there"


def picture_up(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, up: str | None, name: str
) -> tuple[str, str | None]:
    """Tell whether y points down, as in pictures ("-Y"), or up, as in plots and game engines ("Y").

    Args:
        joints: [T, 22, 3], x and y of a picture.
        confidence: [T, 22], 0 where a joint is not seen.
        up: axis that the user gives.
        name: for messages.

    Returns:
        The axis that is up, and a note where it is not "-Y" or not certain.

    Raises:
        InputError: an axis that a picture does not have.
    """
    if up is not None:
        axis = parse_up(up)
        if axis not in ("Y", "-Y"):
            raise InputError(f"{name}: points of a picture have x and y; --up is y or -y (down, as in pictures).")
        return axis, None
    y = joints[..., 1].astype(np.float64)
    seen = np.ones(y.shape, dtype=bool) if confidence is None else confidence > 0
    use = seen[:, [0, 7, 8, 15]].all(axis=1)
    if use.sum() < max(1, 0.1 * len(y)):
        return "-Y", None
    along = np.abs(joints[:, 15, :2] - (joints[:, 7, :2] + joints[:, 8, :2]) / 2).astype(np.float64)[use]
    if float(np.mean(along[:, 0] > _ACROSS * along[:, 1])) > _OVERTURNED:
        return "-Y", "the body lies across the picture throughout: if the file has y before x, exchange them"
    over = (y[:, 15] > y[:, 0]) & (y[:, 0] > (y[:, 7] + y[:, 8]) / 2)  # head below pelvis below feet, y down
    tall = (y[use, 7] + y[use, 8]) / 2 - y[use, 15]
    stood = np.percentile(tall, 95) > _STOOD * np.percentile(-tall, 95)  # falls, then lies with the head to the camera
    if stood or float(over[use].mean()) <= _OVERTURNED:
        return "-Y", None
    hands = seen[:, [20, 21]].all(axis=1) & use
    held = hands.any() and float(np.mean(np.minimum(y[hands, 20], y[hands, 21]) >= y[hands, 15])) > 0.5
    if held:  # on the hands
        return "-Y", "upside down throughout, on the hands: --up y if y points up in the file"
    return "Y", "y points up in the file, else the person were upside down throughout; --up=-y if it is so"


def _turned_root(values: NDArray[np.float64], moving: str, standing: str, clear: float) -> tuple[str, str | None]:
    """Tell a root that was turned against its rest pose from a body that lies, hangs or stands on its hands.

    Args:
        values: [T, 22, 3], metres.
        moving: axis along which heads are above feet.
        standing: axis along which the rest pose stands.
        clear: share of the way from feet to head along ``moving``.
    """
    if clear <= 0.9 or abs(percentile(_lowest(values, moving), 5)) >= _FLOOR[1]:
        return standing, None
    turned = f"the root is turned: the body stands along {moving}, its rest pose along {standing}"
    if not _stands_on(values, standing):
        return moving, turned
    if moving[-1] == standing[-1]:
        return standing, None  # on the hands
    if _unsteady(values, standing) > max(_STEADY, 2 * _unsteady(values, moving)):
        return moving, turned  # what would be a floor is walked away from
    if _unsteady(values, moving) > max(_STEADY, 2 * _unsteady(values, standing)):
        return standing, None  # crawls or rolls
    return standing, f"the body lies throughout, or its root is turned: --up {moving.lower()} if it stands"


def _unsteady(values: NDArray[np.float64], axis: str) -> float:
    """Measure how much the lowest joint changes along an axis, m: 10th to 90th percentile over time."""
    lowest = _lowest(values, axis)
    return percentile(lowest, 90) - percentile(lowest, 10)


def _lowest(values: NDArray[np.float64], axis: str) -> NDArray[np.float64]:
    """Measure the height of the lowest joint along an axis, [T]."""
    sign = -1.0 if axis.startswith("-") else 1.0
    return np.asarray((sign * values[..., "XYZ".index(axis[-1])]).min(axis=1))


def _stands_on(values: NDArray[np.float64], axis: str) -> bool:
    return _FLOOR[0] < percentile(_lowest(values, axis), 5) < _FLOOR[1]


def correct_up(joints: NDArray[np.floating], up: str) -> tuple[str, str | None]:
    """Correct the up axis of a format whose writers differ (SMPL parameters: Z in AMASS, Y elsewhere).

    Args:
        joints: [T, 22, 3], metres.
        up: the axis of the format, "Z"; kept unless the body clearly stands along Y (or X).

    Returns:
        The axis, and a note where it is not ``up`` or uncertain.
    """
    values = np.asarray(joints[:: max(1, len(joints) // 500)], dtype=np.float64)
    mean = _upright(values, None)
    other = _axis(mean)
    if mean[2] >= 0.5 or other[-1] == "Z" or float(np.abs(mean).max()) < 0.6:
        return _by_the_floor(values, mean, up)
    # A body that lies on the ground of the Z axis is no body that stands along Y, unless it has a ground there, too.
    lies = _stands_on(values, up) and float(np.median(values[:, 0, 2])) < _LYING_PELVIS
    if not lies and (other[-1] == "Y" or _stands_on(values, other)):
        return other, f"the body stands along {other}, not along {up} as in AMASS: {other} is up"
    if other[-1] == "Y" and _stands_on(values, other) and float(np.ptp(values[..., 1].min(axis=1))) < _FLOOR[1]:
        return other, f"the body stands on the ground along {other}: {other} is up; --up {up.lower()} if it lies"
    return up, f"the body lies, or {other} is up: --up {other.lower()} decides"


def _upright(values: NDArray[np.float64], confidence: NDArray[np.float32] | None) -> NDArray[np.float64]:
    """Average the direction from ankles to head, [3]; of the trunk where no legs are in view."""
    body = values[:, 15] - (values[:, 7] + values[:, 8]) / 2
    if confidence is not None:
        seen = (confidence[:, [7, 8, 15]] > 0).all(axis=1)
        body = body[seen] if seen.any() else values[:, 12] - values[:, 0]
    return np.asarray((body / np.maximum(np.linalg.norm(body, axis=1, keepdims=True), 1e-9)).mean(axis=0))


def _sideways(values: NDArray[np.float64]) -> str:
    """Name the axis along which the body's left lies, or nothing: its sides keep their place without a floor."""
    left = values[:, 1] - values[:, 2] + values[:, 16] - values[:, 17]
    mean = np.abs((left / np.maximum(norm(left), 1e-9)[:, None]).mean(axis=0))
    return "XYZ"[int(mean.argmax())] if mean.max() > _SIDEWAYS else ""


def _along(direction: NDArray[np.float64], axis: str) -> float:
    return float(direction["XYZ".index(axis[-1])]) * (-1.0 if axis.startswith("-") else 1.0)


def _axis(direction: NDArray[np.float64]) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return ("" if direction[axis] > 0 else "-") + "XYZ"[axis]


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
    return _axis(trunk)
