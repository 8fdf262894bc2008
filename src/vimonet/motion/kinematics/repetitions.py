"""Count how often a movement is repeated, and find the limb that repeats it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.excursions import find_tops, ratio, ratios, reversals, spans_of
from vimonet.motion.kinematics.preparation import Array, Body, median, norm, rank, runs, smooth

ALIKE, ALIKE_TWO, ALIKE_WHOLE = 0.7, 0.82, 0.6  # cosine of neighbours; where there are two only; of the whole body
SAME_SIZE, SAME_TIME = 0.4, 0.5  # smaller to larger of two neighbours
BESIDE = {2: 0.3, 3: 0.18}  # least size of so many repetitions as a share of the largest movement
BESIDE_MANY = 0.1  # of four and more
BESIDE_EVEN = 0.13  # of three even swings of an arm
FAST_PART = 0.5  # least size of two or three fast swings as a share of the whole movement meanwhile
FAST_DOUBT = 0.95  # by which the fast part of a movement must lead to be counted instead of the movement
HALF_SIZE = 0.65  # smaller to larger of two neighbouring half swings
EVEN_SIZE, EVEN_TIME, EVEN_ALIKE = 0.7, 0.65, 0.8  # least to greatest of even half swings; cosine of whole ones
OTHER_SIDE = 0.4  # least score of the other arm or leg as a share of the first one's: both repeat
COMES_BACK = 0.5  # least part of its size by which each of two repetitions comes back
PELVIS_WEIGHT = 3.0  # in a movement of the whole body the pelvis moves least
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
        turns: whether, of a fast part, the whole movement is seen to turn back for three repetitions or more.
    """

    peaks: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    size: float
    alike: float
    turns: bool = False

    @property
    def score(self) -> float:
        """Weight of the chain among others: size, likeness and number of its repetitions."""
        return self.size * self.alike * math.sqrt(len(self.peaks))


def repetitions(body: Body, local: Array, jump_count: int = 0) -> Repetitions | None:
    """Count the repetitions of the movement with the largest repeated amplitude; None if nothing repeats.

    A repetition is an excursion of a signal away from rest and back. Each limb has two signals, of its end joint
    relative to the limb's root in the body's own frame: its position along the axis of greatest variance, and its fast
    part (position minus the Gaussian mean, sigma 0.4 s) along the axis of greatest velocity, for instance the wave of a
    hand that was raised once. Further signals are the pelvis height and the trunk inclination. Excursions are
    candidates; those count that are alike: the path of the limb in space (of the whole body for pelvis and trunk) over
    the time of one, resampled, is compared with that of the next. This is the self-similarity of Cutler and Davis
    (2000) and of RepNet (Dwibedi et al., CVPR 2020), without the network: a throw swings back and forth once each, and
    the two are nothing alike. Two must come back by half of their size each, and few small ones beside a large movement
    of a limb, the trunk or the pelvis go with it. The raise of a hand hides the first swing of its wave in the fast
    part: swings at either end are looked for in the whole movement. The largest repeated movement wins; both arms or
    both legs if the other side repeats as well. `jump_count` replaces the count of the whole body if the recording has
    jumps.

    Args:
        body: prepared recording.
        local: joints [T, 22, 3], m, in the body's own frame.
        jump_count: number of jumps.
    """
    if body.frames < 16:
        return None
    best: list[tuple[float, Repetitions]] = []
    found = signals(body, local)
    once = PELVIS_WEIGHT * float(np.ptp(smooth(body.joints[:, 0, 1], 0.15, body.fps)))
    largest = max(once, *(float(np.ptp(one.values)) for one in found if one.whole is None and one.name != "whole body"))
    reach = {id(one): (PELVIS_WEIGHT if one.name == "whole body" else 1.0) * float(np.ptp(one.values)) for one in found}
    found.sort(key=lambda one: -reach[id(one)])
    matters = 0.0  # score above which a chain may win or be the other side of the winner
    for one in found:
        name, values, path, smallest, whole, course = one
        fast = whole is not None
        weight = PELVIS_WEIGHT if name == "whole body" else 1.0
        if reach[id(one)] < BESIDE_MANY * largest:
            continue
        if jump_count and ("leg" in name or name == "trunk" or (name == "whole body" and jump_count < 2)):
            continue
        replaced = name == "whole body" and jump_count > 0
        alike = ALIKE_WHOLE if name == "whole body" else ALIKE
        chain = find_chain(
            values,
            path,
            smallest,
            body.fps,
            course=course,
            alike=alike,
            least_score=0.0 if replaced else matters / weight,
        )
        if whole is not None and course is not None:
            swings = find_swings(course, whole, smallest)
            chain = max((c for c in (chain, swings) if c is not None), key=lambda c: c.score, default=None)
        if chain is None:
            continue
        count, size = len(chain.peaks), chain.size
        least = BESIDE_EVEN if chain.turns and count == 3 and "arm" in name else BESIDE.get(count, BESIDE_MANY)
        if size * weight < least * largest:
            continue
        if whole is not None and count < 4 and not chain.turns:
            # A single slow movement has a fast part that goes to and fro once, too.
            moved = whole[chain.spans[0][0] : chain.spans[-1][1] + 1]
            moved = np.ptp(moved @ _axes(moved[:, None])[0])
            if size < FAST_PART * float(moved):
                continue
        if replaced:
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
        best.append((weight * size * chain.alike * math.sqrt(count) * sure, result))
        matters = max(matters, OTHER_SIDE * best[-1][0])
    if not best:
        return None
    best.sort(key=lambda x: -x[0])
    score, top = best[0]
    other_side = {"left": "right", "right": "left"}.get(top.limb.split()[0])
    for value, other in best[1:]:
        same = other_side is not None and other.limb == f"{other_side} {top.limb.split()[1]}"
        own = [one for v, one in best if one.limb == top.limb and v > OTHER_SIDE * score]
        agree = [one for one in own if abs(other.count - one.count) <= 1]
        if same and value > OTHER_SIDE * score and agree:
            more = max(top if top in agree else agree[0], other, key=lambda one: one.count)
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
        course: the same along the axis of `values`, [T].
    """

    name: str
    values: Array
    path: Array
    smallest: float
    whole: Array | None = None
    course: Array | None = None


def signals(body: Body, local: Array) -> list[Signal]:
    """List where a repetition may show: pelvis height, trunk inclination, each seen limb and its fast part."""
    leg, fps = body.leg, body.fps
    limbs = local[:, [4, 5, 7, 8, 15, 20, 21]].reshape(body.frames, -1)
    whole = np.concatenate([limbs, 3.0 * body.joints[:, 0, 1:2]], axis=1)
    bend = np.radians(body.tilt) * 0.6 * leg
    out = [Signal("whole body", body.joints[:, 0, 1], whole, 0.06 * leg), Signal("trunk", bend, whole, 0.12 * leg)]
    ends = local[:, [7, 8, 20, 21]] - local[:, [1, 2, 16, 17]]
    fast = ends - smooth(ends, 0.4, fps)
    axes, even = _axes(ends), _axes(fast, even=True)
    for i, name in enumerate(("left leg", "right leg", "left arm", "right arm")):
        if body.seen[name]:
            own, quick = np.ascontiguousarray(ends[:, i]), np.ascontiguousarray(fast[:, i])
            out.append(Signal(name, (own - own.mean(axis=0)) @ axes[i], own, 0.12 * leg))
            least = (0.12 if "leg" in name else 0.06) * leg
            out.append(Signal(name, quick @ even[i], quick, least, own, own @ even[i]))
    return out


def _axes(x: Array, even: bool = False) -> Array:
    """Find the axis of greatest variance of each position [T, N, 3], pointing up: unit vectors [N, 3].

    With `even` the axis is that of the velocity, capped at its median, so that the single raise of a hand does not hide
    its wave.
    """
    x = np.ascontiguousarray(x.transpose(1, 0, 2))
    if even:
        x = x[:, 1:] - x[:, :-1]
        size = norm(x)
        usual = np.array([max(rank(one, 0.5), 1e-6) for one in size])
        x = x / np.maximum(size, usual[:, None])[..., None]
    else:
        x = x - x.mean(axis=1, keepdims=True)
    axes = np.linalg.eigh(np.stack([one.T @ one for one in x]))[1][..., -1]
    return np.where(axes[:, 1:2] >= 0, axes, -axes)


def find_chain(
    x: Array,
    path: Array,
    smallest: float,
    fps: float,
    *,
    course: Array | None = None,
    alike: float = ALIKE,
    least_score: float = 0.0,
) -> Chain | None:
    """Find the longest chain of excursions of a signal that are alike; None for fewer than two.

    Args:
        x: signal [T], m.
        path: positions [T, D] whose course over each excursion is compared.
        smallest: least size of an excursion, m.
        fps: frames per second.
        course: the whole of the movement along the same axis [T], m, if the signal is its fast part, which has no rest;
            else fewer than four excursions, and two in any case, must leave the place where the recording begins and
            ends.
        alike: least cosine of neighbours.
        least_score: chains whose size times cosine times root of their number cannot exceed it are not looked for.
    """
    if float(np.ptp(x)) < smallest:
        return None
    low_end, high_end = rank(x, 0.05), rank(x, 0.95)
    reach = float(np.ptp(x))
    n = max(1, len(x) // 10)
    low = median(x[:n]) + median(x[-n:]) <= low_end + high_end
    best: tuple[float, Chain | None] = (least_score, None)
    for sign in (1.0, -1.0):
        away = (sign > 0) == low
        y = sign * x
        peaks, drops = find_tops(y, 0.7 * smallest, fps)
        least = 2 if away else 4 if course is None else 3
        clean = least if course is None else 2
        line = y.tolist()
        tried = 0
        # Small swings on top of large ones break a chain of these, and the other way round: several levels are tried.
        for share in (0.0, 0.25, 0.5):
            tops = peaks[drops >= share * (high_end - low_end)].tolist()
            weight = 1.0 if away else 0.9
            if len(tops) < clean or len(tops) == tried or reach * math.sqrt(len(tops) + 1) * weight <= best[0]:
                continue
            tried = len(tops)
            chain = _chain(line, path, tops, clean, alike)
            if chain is not None and course is not None:
                chain = _with_ends(chain, course.tolist())
            if chain is None or chain.size < smallest or len(chain.peaks) < least:
                continue
            score = chain.score * weight
            if score > best[0]:
                best = score, chain
    return best[1]


def _chain(x: list[float], path: Array, peaks: list[int], least: int, alike: float) -> Chain | None:
    """Find the longest chain of `least` or more excursions with these peaks of which neighbours are alike."""
    spans = spans_of(x, peaks)
    sizes = [x[peak] - min(x[start], x[end]) for peak, (start, end) in zip(peaks, spans, strict=True)]
    times = [end - start for start, end in spans]
    good = np.array([a > SAME_SIZE and b > SAME_TIME for a, b in zip(ratios(sizes), ratios(times), strict=True)])
    long = [(a, b) for a, b in runs(good) if b - a >= least - 1]
    if not long:
        return None
    first, last = long[0][0], long[-1][1]
    shapes = _shapes(path, np.array(spans[first : last + 1]))
    cosines = np.einsum("pi,pi->p", shapes[1:], shapes[:-1])
    a, b = max(runs(good[first:last] & (cosines > alike)), key=lambda run: run[1] - run[0], default=(0, 0))
    kept = slice(first + a, first + b + 1)
    if b - a < least - 1 or (b - a == 1 and (cosines[a] < ALIKE_TWO or not _come_back(x, peaks[kept], spans[kept]))):
        return None
    return Chain(tuple(peaks[kept]), tuple(spans[kept]), median(np.array(sizes[kept])), float(cosines[a:b].mean()))


def _come_back(x: list[float], peaks: list[int], spans: list[tuple[int, int]]) -> bool:
    """Tell whether each excursion rises and comes back by half of its size: one cut off may be another movement."""
    sides = [(x[peak] - x[start], x[peak] - x[end]) for peak, (start, end) in zip(peaks, spans, strict=True)]
    return all(min(side) >= COMES_BACK * max(side) for side in sides)


def _with_ends(chain: Chain, x: list[float]) -> Chain:
    """Add the swings at either end of a chain that the raise or the return of the limb hides in its fast part.

    In the whole movement x [T] along the same axis tops and dips alternate; half a swing more on either side, as large
    and as long as those within the chain, belongs to it.
    """
    turns = reversals(x, SAME_SIZE * chain.size)
    inside = [k for k, turn in enumerate(turns) if chain.peaks[0] - 2 <= turn <= chain.peaks[-1] + 2]
    if len(inside) < 2:
        return chain
    depths, times = [abs(x[b] - x[a]) for a, b in pairwise(turns)], [b - a for a, b in pairwise(turns)]
    first, last = inside[0], inside[-1]
    depth, time = (median(np.array(one[first:last])) for one in (depths, times))
    like = [ratio(a, depth) > HALF_SIZE and ratio(b, time) > SAME_TIME for a, b in zip(depths, times, strict=True)]
    while first > 0 and like[first - 1]:
        first -= 1
    while last < len(like) and like[last]:
        last += 1
    count = (last - first + 1) // 2
    if count <= len(chain.peaks):
        return chain
    nearest = min(range(first, last + 1), key=lambda k: abs(turns[k] - chain.peaks[0]))
    tops = turns[first + (nearest - first) % 2 : last + 1 : 2][:count]
    half = round(time)
    spans = tuple((max(0, top - half), min(len(x) - 1, top + half)) for top in tops)
    return Chain(tuple(tops), spans, chain.size, chain.alike, count >= 3)


def find_swings(x: Array, path: Array, smallest: float) -> Chain | None:
    """Find the swings, to and fro, of a limb between its raise and its return, as of a hand that waves.

    The path is divided into half swings at the frames in which the limb turns back. A chain is a run of half swings
    that are like their neighbours in size and duration, and whose whole swings (two halves) follow paths of like shape.
    The first half swing often merges with the raise, or the last with the return: a chain of four half swings, which
    must be even (`EVEN_SIZE`, `EVEN_TIME`), is counted as three swings. Fewer than four are no chain.

    Args:
        x: the whole movement along the axis in which it swings [T], m.
        path: positions [T, D], m.
        smallest: least size of a half swing, m.

    Returns:
        The chain with the highest `Chain.score`; None if there is none.
    """
    line, reach = x.tolist(), rank(x, 0.95) - rank(x, 0.05)
    best: Chain | None = None
    known: set[tuple[int, ...]] = set()
    for level in (smallest, 0.25 * reach, 0.5 * reach):
        turns = reversals(line, level) if level >= smallest else []
        if len(turns) < 5 or tuple(turns) in known:
            continue
        known.add(tuple(turns))
        sizes, times = [abs(line[b] - line[a]) for a, b in pairwise(turns)], [b - a for a, b in pairwise(turns)]
        good = np.array([a > HALF_SIZE and b > SAME_TIME for a, b in zip(ratios(sizes), ratios(times), strict=True)])
        for a, b in runs(good):
            if b - a < 3:
                continue
            shapes = _shapes(path, np.array(list(zip(turns[a:b], turns[a + 2 : b + 2], strict=True))))
            cosines = np.einsum("pi,pi->p", shapes[2:], shapes[:-2])
            for first, last in runs(cosines > EVEN_ALIKE):
                halves = slice(a + first, a + last + 3)
                size, time, most = sizes[halves], times[halves], last - first + 3
                if most == 4 and (min(size) < EVEN_SIZE * max(size) or min(time) < EVEN_TIME * max(time)):
                    continue
                tops = turns[a + first : a + last + 4 : 2][: max(3, (most + 1) // 2)]
                half = round(median(np.array(time)))
                spans = tuple((max(0, top - half), min(len(line) - 1, top + half)) for top in tops)
                chain = Chain(tuple(tops), spans, median(np.array(size)), float(cosines[first:last].mean()), True)
                if best is None or chain.score > best.score:
                    best = chain
    return best


def _shapes(path: Array, spans: NDArray[np.intp]) -> Array:
    """Resample the path [T, D] over each span to a unit vector without its mean place: [P, 16 D]."""
    at = spans[:, :1] + (spans[:, 1:] - spans[:, :1]) * _PLACES
    before = np.minimum(at.astype(np.intp), len(path) - 2)
    part = (at - before)[..., None]
    points = path[before] * (1.0 - part) + path[before + 1] * part
    points = (points - points.mean(axis=1, keepdims=True)).reshape(len(spans), -1)
    return points / np.maximum(norm(points), 1e-9)[:, None]
