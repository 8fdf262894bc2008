"""Judge a frame rate by what bodies do: how fast people run, step and are accelerated, and how they fall.

A rate that is wrong by a factor changes the acceleration of gravity by its square, whatever is done and in whatever
style. Gravity shows in two movements: a body on one foot tips away from that foot like a pendulum turned upside down,
and a body in the air falls. Both are detected without a speed or a time, so that a wrong rate does not hide them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.preparation import MASS, gradient, runs
from vimonet.motion.skeleton import median, norm, percentile

Array = NDArray[np.floating]

_FASTEST: Final = 12.5  # m/s; Bolt ran 12.3 (Berlin 2009, over 20 m)
_FORCES: Final = (11.0, 15.0)  # m/s2 of the body's centre, half and a quarter of the time: more in 4 of 4,831 clips
_FORCES_WITHIN: Final = 0.1  # s
_STEPS_A_SECOND: Final = 6.0  # sprinters take 5
_STRIDE: Final = 0.15  # m between the ankles, to either side of the middle
_EARTH: Final = 9.81  # m/s2
_GRAVITY: Final = (4.3, 28.0)  # m/s2, with their error: lower and higher in 2 and 12 of 6,766 clips at their own rate
_LIKE_A_PENDULUM: Final = 0.5  # correlation of lean and acceleration; sensors' noise and leaning on a wall have none
_FEWEST_STEPS: Final = 3
_STILL: Final = 0.3  # greatest speed of a foot that stands, as a share of the swinging foot's
_STEP_FRAMES, _FLIGHT_FRAMES = 4, 6
_SWING: Final = 0.25  # leg lengths from the place where the other foot leaves the ground
_DOWN, _OFF = 0.12, 0.06  # leg lengths above the floor: most of a standing foot; least of feet in the air
_PARABOLA: Final = 0.985  # share of the way of the body's centre that a parabola explains, in the air
_RISE: Final = 0.03  # leg lengths that the centre rises in the air
_BOTH_MOVE: Final = (0.25, 0.75)  # both feet have this share of the centre's speed, this share of the time: none stands
_HELD: Final = 0.05  # m; a pelvis that moves less is held in place
_MOST_FRAMES: Final = 6_000  # of a recording that are looked at


class Gravity(NamedTuple):
    """Hold the gravity that steps or jumps show, its standard error, both m/s2, and the number of steps or jumps."""

    value: float
    error: float
    number: int


def check_rate(
    joints: NDArray[np.float32],
    jumps: NDArray[np.intp],
    rate: float,
    notes: list[str],
    *,
    stated: float | None = None,
    measured: bool = True,
) -> list[str]:
    """Check the rate of a recording.

    Args:
        joints: [T, 22, 3], metres, Y up.
        jumps: frames after which the pelvis is elsewhere.
        rate: frames/s.
        notes: receives what makes the rate doubtful.
        stated: frames/s that the file states, where frames were left out; None: `rate`.
        measured: whether joints are measured; of estimated ones, which have a confidence, only the speed is checked.

    Returns:
        Lines of the health section: fastest second, gravity.
    """
    step = np.diff(joints[:, 0, [0, 2]].astype(np.float64), axis=0)
    step[jumps] = 0.0
    fastest = _fastest_second(step, rate)
    stated = stated or rate
    body = joints[:_MOST_FRAMES].astype(np.float64)
    shown = show_gravity(body, rate) if measured else {}
    doubt = _too_far(fastest) or _wrong_gravity(list(shown.values()), stated)
    if doubt is None and measured:
        doubt = _forced(body, rate) or _steps_too_often(body, rate)
    if doubt is not None:
        notes.append(f"{doubt}: the rate of {stated:g} frames/s is probably wrong; --fps corrects it")
    found = [f"{one.value:.1f} m/s2 by {one.number} {what}" for what, one in shown.items()]
    return [
        "fastest second: one frame only" if fastest is None else f"fastest second: {fastest:.1f} m/s",
        f"gravity: {', '.join(found) or 'no steps or jumps show it'}",
    ]


def _fastest_second(step: Array, rate: float) -> float | None:
    """Measure the fastest second (or the whole of a shorter recording) along the ground, m/s, from steps [T - 1, 2]."""
    if len(step) == 0:
        return None
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])
    window = min(len(step), max(1, round(rate)))
    return float(norm(path[window:] - path[:-window]).max()) * rate / window


def _too_far(fastest: float | None) -> str | None:
    if fastest is None or fastest <= _FASTEST:
        return None
    return f"the body moves at {fastest:.0f} m/s, faster than anyone runs"


def _wrong_gravity(shown: list[Gravity], rate: float) -> str | None:
    """Say how much too slow or too fast steps and jumps are by their gravity; None where one kind may be right."""
    if not shown:
        return None
    slow = max(one.value + one.error for one in shown) < _GRAVITY[0]
    if not slow and min(one.value - one.error for one in shown) <= _GRAVITY[1]:
        return None
    value = float(np.mean([one.value for one in shown]))
    factor = (_EARTH / max(value, 1e-3)) ** 0.5
    way = f"{factor:.1f} times too slowly" if slow else f"{1 / factor:.1f} times too fast"
    motion = ", unless this is slow motion" if slow else ""
    return (
        f"steps and jumps show {value:.2g} m/s2 of gravity instead of {_EARTH:.2g}, so the body moves about {way} "
        f"({factor * rate:.0f} frames/s would fit{motion})"
    )


def _forced(body: Array, rate: float) -> str | None:
    apart = max(1, round(_FORCES_WITHIN * rate))
    if len(body) < 3 * apart:
        return None
    centre = body.transpose(0, 2, 1) @ MASS
    change = norm(centre[2 * apart :] - 2 * centre[apart:-apart] + centre[: -2 * apart])
    half, quarter = (percentile(change, percent) * (rate / apart) ** 2 for percent in (50, 75))
    if half <= _FORCES[0] and quarter <= _FORCES[1]:
        return None
    return f"the body is accelerated by {half:.0f} m/s2 half of the time, {quarter:.0f} a quarter of it, as nobody is"


def _steps_too_often(body: Array, rate: float) -> str | None:
    across = body[:, 7] - body[:, 8]
    level = across[:, [0, 2]] - across[:, [0, 2]].mean(axis=0)
    along = level @ np.linalg.svd(level, full_matrices=False)[2][0]
    sides = np.sign(along[np.abs(along) > _STRIDE])
    steps = int((np.diff(sides) != 0).sum())
    if steps < 4 or steps * rate <= _STEPS_A_SECOND * len(body):
        return None
    return f"the feet take {steps * rate / len(body):.0f} steps a second, more than a sprinter's"


def show_gravity(body: Array, rate: float) -> dict[str, Gravity]:
    """Measure the gravity that steps and jumps of a body show.

    A body on one foot is accelerated away from it by gravity times its centre's distance from the foot over the
    centre's height. Both sides of this equation are averaged over the time on that foot, with weights that vanish at
    its ends and whose second derivative replaces that of the path, which would amplify noise. The distance is that from
    the nearest point of the sole, so that a body which keeps its balance shows nothing. In the air the centre's path is
    a parabola.

    Args:
        body: [T, 22, 3], metres, Y up.
        rate: frames/s.

    Returns:
        Gravity by "steps" and by "jumps"; without the kind that shows none.
    """
    if len(body) < 2 * _STEP_FRAMES or float(np.ptp(body[:, 0, [0, 2]], axis=0).max()) < _HELD:
        return {}
    leg = median(norm(body[:, [1, 4, 2, 5]] - body[:, [4, 7, 5, 8]]).sum(axis=1)) / 2
    centre = body.transpose(0, 2, 1) @ MASS
    lowest = body[:, [7, 8, 10, 11], 1].reshape(-1, 2, 2).min(axis=1)  # [T, 2] of either foot
    floor = percentile(lowest.min(axis=1), 5)
    lowest, centre[:, 1] = lowest - floor, centre[:, 1] - floor
    pace = norm(gradient((body[:, [7, 8]] + body[:, [10, 11]]) / 2))  # m per frame
    free = body[:, [20, 21], 1].min(axis=1) - floor > 0.3 * leg  # no hand carries the body
    trunk = body[:, 12] - body[:, 0]
    upright = free & (trunk[:, 1] > 0.8 * norm(trunk)) & (body[:, 0, 1] - floor > 0.75 * leg)
    steps: list[tuple[int, int, int]] = []
    for side in (0, 1):
        stands = upright & (pace[:, side] < _STILL * pace[:, 1 - side]) & (lowest[:, side] < _DOWN * leg)
        steps += [(a, b, side) for a, b in runs(stands) if b - a >= _STEP_FRAMES]
    feet = body[:, [[7, 10], [8, 11]]]  # [T, side, ankle and toe, 3]
    spans = np.array(steps, dtype=np.intp).reshape(-1, 3)
    swing = feet[spans[:, 1] - 1, 1 - spans[:, 2]] - feet[spans[:, 0], 1 - spans[:, 2]]
    spans = spans[norm(swing[:, 0] + swing[:, 1]) / 2 > _SWING * leg]
    falls = [
        _falling(centre[a:b, 1], float(norm(centre[b - 1] - centre[a])), pace[a:b], leg)
        for a, b in runs(free & (lowest.min(axis=1) > _OFF * leg))
        if a > 0 and b < len(body)
    ]
    fallen = [fall for fall in falls if fall is not None]
    shown = {}
    if len(spans) >= _FEWEST_STEPS:
        pushes, leans = _tipping(centre, feet[..., [0, 2]], spans)
        if pushes.ravel() @ leans.ravel() > _LIKE_A_PENDULUM * float(np.sqrt((pushes**2).sum() * (leans**2).sum())):
            shown["steps"] = _pooled(pushes, leans, rate)
    if fallen:
        shown["jumps"] = _pooled(np.array(fallen)[:, None], np.ones((len(fallen), 1)), rate)
    return shown


def _tipping(centre: Array, feet: Array, spans: NDArray[np.intp]) -> tuple[Array, Array]:
    """Average acceleration times height, m2 per frame2, and distance from the sole, m: [N, 4], two axes by two weights.

    Args:
        centre: [T, 3] of the body, m above the floor.
        feet: [T, 2, 2, 2] left and right, ankle and toe, places on the ground, m.
        spans: [N, 3] first frame on one foot, frame after the last, that foot.
    """
    first, last, on = spans.T
    frames = last - first
    begins = np.cumsum(frames) - frames  # where each step begins when the frames of all steps are joined
    step = np.repeat(np.arange(len(frames)), frames)
    at = np.arange(len(step)) + (first - begins)[step]
    ground = centre[at][:, [0, 2]].T
    places = np.concatenate([feet[at, on[step]].reshape(-1, 4), centre[at, 1:2]], axis=1).T
    ordered = np.take_along_axis(places, np.lexsort((places, np.broadcast_to(step, places.shape))), axis=1)
    places = 0.5 * (ordered[:, begins + (frames - 1) // 2] + ordered[:, begins + frames // 2])  # medians, [5, N]
    ankle, toe, height = places[:2], places[2:4], places[4]
    heel = ankle - 0.3 * (toe - ankle)
    sole = toe - heel
    off = ground - heel[:, step]
    share = (off * sole[:, step]).sum(axis=0) / np.maximum((sole**2).sum(axis=0), 1e-9)[step]
    off -= np.clip(share, 0.0, 1.0) * sole[:, step]
    weights, curves = (np.concatenate(some, axis=1) for some in zip(*map(_weights, frames.tolist()), strict=True))
    push = np.add.reduceat(ground[:, None] * curves, begins, axis=2) * height
    lean = np.add.reduceat(off[:, None] * weights, begins, axis=2)
    return push.reshape(4, -1).T, lean.reshape(4, -1).T


@lru_cache(maxsize=256)
def _weights(frames: int) -> tuple[Array, Array]:
    """Make an even and an odd weight over time, 0 at its ends, and their second differences, [2, T] each."""
    time = np.linspace(-1, 1, frames)[1:-1]
    even = (1 - time**2) ** 3
    weights = np.stack([even, time * even])
    weights /= np.maximum(norm(weights), 1e-9)[:, None]
    padded = np.pad(weights, ((0, 0), (2, 2)))
    return padded[:, 1:-1], padded[:, 2:] - 2 * padded[:, 1:-1] + padded[:, :-2]


def _falling(height: Array, way: float, pace: Array, leg: float) -> float | None:
    """Measure the downward acceleration of a body in the air, m per frame2; None where something carries it.

    Args:
        height: [T] of the body's centre, m.
        way: m that the centre goes.
        pace: [T, 2] of the feet, m per frame.
        leg: leg length, m.
    """
    if len(height) < _FLIGHT_FRAMES:
        return None
    last = len(height) - 1
    time = np.arange(len(height)) - last / 2
    (curve, slope, middle), (line, mean) = np.polyfit(time, height, 2), np.polyfit(time, height, 1)
    off = height - (curve * time**2 + slope * time + middle)
    straight = height - (line * time + mean)
    rise = -curve * last**2 / 4
    if off @ off > (1 - _PARABOLA) * float(straight @ straight) or rise < _RISE * leg:
        return None
    least = _BOTH_MOVE[0] * max(4 * rise, way) / last
    return None if float((pace.min(axis=1) > least).mean()) < _BOTH_MOVE[1] else float(-2 * curve)


def _pooled(pushes: Array, leans: Array, rate: float) -> Gravity:
    """Pool N steps or jumps, pushes [N, K] over leans [N, K], by least squares; the error is that of their spread."""
    both = (pushes * leans).sum(axis=1) * rate**2
    squares = (leans**2).sum(axis=1)
    total = max(float(squares.sum()), 1e-12)
    value = float(both.sum()) / total
    spread = float(((both - value * squares) ** 2).sum()) * len(both) / max(len(both) - 1, 1)
    return Gravity(value, spread**0.5 / total, len(both))
