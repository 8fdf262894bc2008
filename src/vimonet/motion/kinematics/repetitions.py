"""Count how often a movement is repeated, and find the limb that repeats it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.preparation import LIMBS, Array, Body, find_peaks, median, norm, rank, runs, smooth

MIN_PERIOD = 0.25  # s: faster ones are shaking, at the limit of 20 frames/s
ALIKE, ALIKE_TWO, ALIKE_WHOLE = 0.7, 0.82, 0.6  # cosine of neighbours; where there are two only; of the whole body
SAME_SIZE, SAME_TIME = 0.4, 0.5  # smaller to larger of two neighbours
BESIDE = {2: 0.3, 3: 0.18}  # least size of so many repetitions as a share of the largest movement
BESIDE_MANY = 0.1  # of four and more
FAST_PART = 0.5  # least size of two or three fast swings as a share of the whole movement meanwhile
FAST_DOUBT = 0.95  # by which the fast part of a movement must lead to be counted instead of the movement
EDGE = 0.1  # share of its size at which an excursion begins and ends
_PLACES = np.linspace(0.0, 1.0, 16)  # of the points of a resampled repetition


@dataclass(frozen=True, slots=True)
class Repetitions:
    """Describe a repeated movement.

    Attributes:
        count: number of repetitions.
        period: time from one to the next (median), s.
        limb: 'left arm', 'right arm', 'both arms', 'left leg', 'right leg', 'both legs', 'trunk' or 'whole body'.
        start: s.
        end: s.
        regularity: how alike neighbouring repetitions are, 0..1; near 0.7 the count is uncertain.
        fast: whether it was counted on the fast part of a limb's movement (waves, claps): exact to within one.
        times: time of the farthest point of each, s.
    """

    count: int
    period: float
    limb: str
    start: float
    end: float
    regularity: float
    fast: bool = False
    times: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """Hold successive repetitions of one signal.

    Attributes:
        peaks: frame of the farthest point of each.
        spans: first and last frame of each.
        size: how far the signal goes and comes back (median), m.
        alike: mean cosine of neighbours, 0..1.
    """

    peaks: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    size: float
    alike: float


def repetitions(body: Body, local: Array, jump_count: int = 0) -> Repetitions | None:
    """Count the repetitions of the movement with the largest repeated amplitude; None if nothing repeats.

    A repetition is an excursion of a signal away from rest and back. Each limb has two signals, of its end joint
    relative to the limb's root in the body's own frame: its position along the axis of greatest variance, and its fast
    part (position minus the Gaussian mean, sigma 0.4 s) along the axis of greatest velocity, for instance the wave of a
    hand that was raised once. Further signals are the pelvis height and the trunk inclination. Excursions are
    candidates; those count that are alike: the path of the limb in space (of the whole body for pelvis and trunk) over
    the time of one, resampled, is compared with that of the next. This is the self-similarity of Cutler and Davis
    (2000) and of RepNet (Dwibedi et al., CVPR 2020), without the network: a throw swings back and forth once each, and
    the two are nothing alike. The largest repeated movement wins; both arms or both legs if the other side repeats as
    well. `jump_count` replaces the count of the whole body if the recording has jumps.

    Args:
        body: prepared recording.
        local: joints [T, 22, 3], m, in the body's own frame.
        jump_count: number of jumps.
    """
    if body.frames < 16:
        return None
    best: list[tuple[float, Repetitions]] = []
    found = signals(body, local)
    largest = max((float(np.ptp(one.values)) for one in found if one.name in LIMBS and one.whole is None), default=0.0)
    for name, values, path, smallest, whole in found:
        fast = whole is not None
        weight = 3.0 if name == "whole body" else 1.0  # in a movement of the whole body the pelvis moves least
        if float(np.ptp(values)) * weight < BESIDE_MANY * largest:
            continue
        if jump_count and ("leg" in name or name == "trunk" or (name == "whole body" and jump_count < 2)):
            continue
        alike = ALIKE_WHOLE if name == "whole body" else ALIKE
        chain = find_chain(values, path, smallest, body.fps, free=fast, alike=alike)
        if chain is None:
            continue
        count, size = len(chain.peaks), chain.size
        if size * weight < BESIDE.get(count, BESIDE_MANY) * largest:
            continue
        if whole is not None and count < 4:
            # A single slow movement has a fast part that goes to and fro once, too.
            moved = np.ptp(_principal(whole[chain.spans[0][0] : chain.spans[-1][1] + 1, None]))
            if size < FAST_PART * float(moved):
                continue
        if name == "whole body" and jump_count:
            count = jump_count  # one jump dips twice, before and after the flight
        times = np.array(chain.peaks) / body.fps
        result = Repetitions(
            count,
            median(np.diff(times)),
            name,
            chain.spans[0][0] / body.fps,
            chain.spans[-1][1] / body.fps,
            chain.alike,
            fast,
            tuple(times.tolist()),
        )
        sure = FAST_DOUBT if fast else 1.0
        best.append((weight * size * chain.alike * np.sqrt(count) * sure, result))
    if not best:
        return None
    best.sort(key=lambda x: -x[0])
    score, top = best[0]
    other_side = {"left": "right", "right": "left"}.get(top.limb.split()[0])
    for value, other in best[1:]:
        same = other_side is not None and other.limb == f"{other_side} {top.limb.split()[1]}"
        if same and value > 0.4 * score and abs(other.count - top.count) <= 1:
            more = max(top, other, key=lambda one: one.count)
            return replace(more, limb=f"both {top.limb.split()[1]}s")
    return top


class Signal(NamedTuple):
    """Hold where a repetition may show.

    Attributes:
        name: limb, 'trunk' or 'whole body'.
        values: signal [T], m.
        path: positions [T, D], m, whose course over one repetition is compared with that over the next.
        smallest: least size of a repetition, m.
        whole: for the fast part of a movement the whole of it [T, 3], m; else None.
    """

    name: str
    values: Array
    path: Array
    smallest: float
    whole: Array | None


def signals(body: Body, local: Array) -> list[Signal]:
    """List where a repetition may show: pelvis height, trunk inclination, each seen limb and its fast part."""
    leg, fps = body.leg, body.fps
    limbs = local[:, [4, 5, 7, 8, 15, 20, 21]].reshape(body.frames, -1)
    whole = np.concatenate([limbs, 3.0 * body.joints[:, 0, 1:2]], axis=1)
    bend = np.radians(body.tilt) * 0.6 * leg
    out = [
        Signal("whole body", body.joints[:, 0, 1], whole, 0.06 * leg, None),
        Signal("trunk", bend, whole, 0.12 * leg, None),
    ]
    ends = local[:, [7, 8, 20, 21]] - local[:, [1, 2, 16, 17]]
    fast = ends - smooth(ends, 0.4, fps)
    slow_values, fast_values = _principal(ends), _principal(fast, even=True)
    for i, name in enumerate(("left leg", "right leg", "left arm", "right arm")):
        if body.seen[name]:
            out.append(Signal(name, slow_values[i], ends[:, i], 0.12 * leg, None))
            least = (0.12 if "leg" in name else 0.06) * leg
            out.append(Signal(name, fast_values[i], fast[:, i], least, ends[:, i]))
    return out


def _principal(x: Array, even: bool = False) -> Array:
    """Project positions [T, N, 3] each on its axis of greatest variance, pointing up: [N, T].

    With `even` the axis is that of the velocity, capped at its median, so that the single raise of a hand does not hide
    its wave.
    """
    x = np.ascontiguousarray(x.transpose(1, 0, 2))
    if even:
        y = x[:, 1:] - x[:, :-1]
        size = norm(y)
        usual = np.array([max(rank(one, 0.5), 1e-6) for one in size])
        y = y / np.maximum(size, usual[:, None])[..., None]
    else:
        y = x = x - x.mean(axis=1, keepdims=True)
    axes = np.linalg.eigh(np.stack([one.T @ one for one in y]))[1][..., -1]
    return np.stack([one @ (axis if axis[1] >= 0 else -axis) for one, axis in zip(x, axes, strict=True)])


def find_chain(
    x: Array, path: Array, smallest: float, fps: float, *, free: bool = False, alike: float = ALIKE
) -> Chain | None:
    """Find the longest chain of excursions of a signal that are alike; None for fewer than two.

    Args:
        x: signal [T], m.
        path: positions [T, D] whose course over each excursion is compared.
        smallest: least size of an excursion, m.
        fps: frames per second.
        free: whether the signal has no rest, as the fast part of a movement; else fewer than four excursions, and two
            in any case, must leave the place where the recording begins and ends.
        alike: least cosine of neighbours.
    """
    if float(np.ptp(x)) < smallest:
        return None
    low_end, high_end = rank(x, 0.05), rank(x, 0.95)
    reach = float(np.ptp(x))
    n = max(1, len(x) // 10)
    low = median(x[:n]) + median(x[-n:]) <= low_end + high_end
    best: tuple[float, Chain | None] = (0.0, None)
    for sign in (1.0, -1.0):
        away = (sign > 0) == low
        y = sign * x
        peaks, drops = _tops(y, 0.7 * smallest, fps)
        least = 2 if away else 3 if free else 4
        course = y.tolist()
        tried = 0
        # Small swings on top of large ones break a chain of these, and the other way round: several levels are tried.
        for share in (0.0, 0.25, 0.5):
            tops = peaks[drops >= share * (high_end - low_end)].tolist()
            weight = 1.0 if away else 0.9
            if len(tops) < least or len(tops) == tried or reach * math.sqrt(len(tops)) * weight <= best[0]:
                continue
            tried = len(tops)
            chain = _chain(course, path, tops, least, alike)
            if chain is None or chain.size < smallest:
                continue
            score = chain.size * chain.alike * math.sqrt(len(chain.peaks)) * weight
            if score > best[0]:
                best = score, chain
    return best[1]


def excursions(x: Array, level: float, fps: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Find how often a signal [T] rises by at least `level` and comes back.

    Returns:
        Frames of the tops [P], first and last frame of each excursion [P, 2], and its size [P].
    """
    peaks, _ = _tops(x, level, fps)
    spans = np.array(_spans(x.tolist(), peaks.tolist()), dtype=np.intp).reshape(-1, 2)
    return peaks, spans, x[peaks] - np.minimum(x[spans[:, 0]], x[spans[:, 1]])


def _tops(x: Array, level: float, fps: float) -> tuple[NDArray[np.intp], Array]:
    """Find the peaks of a signal, the recording's ends excepted, and their prominences."""
    low = float(x.min())
    distance = max(1, round(MIN_PERIOD * fps))
    peaks, drops = find_peaks(np.concatenate(([low], x, [low])), prominence=level, distance=distance)
    inside = (peaks > 2) & (peaks < len(x) - 1)
    return peaks[inside] - 1, drops[inside]


def _chain(x: list[float], path: Array, peaks: list[int], least: int, alike: float) -> Chain | None:
    """Find the longest chain of `least` or more excursions with these peaks of which neighbours are alike."""
    spans = _spans(x, peaks)
    sizes = [x[peak] - min(x[start], x[end]) for peak, (start, end) in zip(peaks, spans, strict=True)]
    times = [end - start for start, end in spans]
    good = np.array([a > SAME_SIZE and b > SAME_TIME for a, b in zip(_ratios(sizes), _ratios(times), strict=True)])
    long = [(a, b) for a, b in runs(good) if b - a >= least - 1]
    if not long:
        return None
    first, last = long[0][0], long[-1][1]
    shapes = _shapes(path, np.array(spans[first : last + 1]))
    cosines = np.einsum("pi,pi->p", shapes[1:], shapes[:-1])
    a, b = max(runs(good[first:last] & (cosines > alike)), key=lambda run: run[1] - run[0], default=(0, 0))
    if b - a < least - 1 or (b - a == 1 and cosines[a] < ALIKE_TWO):
        return None
    kept = slice(first + a, first + b + 1)
    return Chain(tuple(peaks[kept]), tuple(spans[kept]), median(np.array(sizes[kept])), float(cosines[a:b].mean()))


def _spans(x: list[float], peaks: list[int]) -> list[tuple[int, int]]:
    """Find the frames between which each excursion leaves its lowest level and is back, to a tenth of its size.

    Rest before and after does not belong to it.
    """
    if not peaks:
        return []
    gap = round(median(np.diff(peaks))) if len(peaks) > 1 else len(x)
    bounds = [max(0, peaks[0] - gap), *peaks, min(len(x) - 1, peaks[-1] + gap)]
    lows = [min(x[a : b + 1]) for a, b in pairwise(bounds)]
    out = []
    for peak, before, after in zip(peaks, lows[:-1], lows[1:], strict=True):
        start = end = peak
        level = before + EDGE * (x[peak] - before)
        while x[start] > level:
            start -= 1
        level = after + EDGE * (x[peak] - after)
        while x[end] > level:
            end += 1
        out.append((start, end))
    return out


def _ratios(values: Sequence[float]) -> list[float]:
    """Compute the smaller to the larger of each two neighbours, 0..1 [n - 1]."""
    return [min(a, b) / max(a, b, 1e-9) for a, b in pairwise(values)]


def _shapes(path: Array, spans: NDArray[np.intp]) -> Array:
    """Resample the path [T, D] over each span to a unit vector without its mean place: [P, 16 D]."""
    at = spans[:, :1] + (spans[:, 1:] - spans[:, :1]) * _PLACES
    before = np.minimum(at.astype(np.intp), len(path) - 2)
    part = (at - before)[..., None]
    points = path[before] * (1.0 - part) + path[before + 1] * part
    points = (points - points.mean(axis=1, keepdims=True)).reshape(len(spans), -1)
    return points / np.maximum(norm(points), 1e-9)[:, None]
