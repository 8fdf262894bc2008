"""Prepare a recording for measuring: fill gaps, smooth jitter, measure the body and the floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vimonet.motion import Motion
from vimonet.motion.skeleton import cross as cross
from vimonet.motion.skeleton import median as median
from vimonet.motion.skeleton import norm as norm

Array = NDArray[np.floating]

PELVIS, SPINE3, NECK, HEAD = 0, 9, 12, 15
HIP = {"left": 1, "right": 2}
KNEE = {"left": 4, "right": 5}
ANKLE = {"left": 7, "right": 8}
FOOT = {"left": 10, "right": 11}
SHOULDER = {"left": 16, "right": 17}
ELBOW = {"left": 18, "right": 19}
WRIST = {"left": 20, "right": 21}
SIDES = ("left", "right")
VISIBLE = 0.1  # confidence above which a joint counts as seen
LIMBS = ("left arm", "right arm", "left leg", "right leg", "head")
END_JOINT = {"left arm": 20, "right arm": 21, "left leg": 7, "right leg": 8, "head": HEAD}
# Joints needed to measure a limb; feet and heads are missing from many skeletons.
_LIMB_JOINTS = {
    "left arm": (16, 18, 20),
    "right arm": (17, 19, 21),
    "left leg": (1, 4, 7),
    "right leg": (2, 5, 8),
    "head": (15,),
}
_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)

# Share of body mass near each joint, after the usual segment tables (de Leva 1996), rounded.
MASS = np.zeros(22)
MASS[[0, 3, 9, 15]] = (0.12, 0.15, 0.20, 0.08)
MASS[[1, 2]], MASS[[4, 5]], MASS[[7, 8]] = 0.05, 0.075, 0.03
MASS[[16, 17]], MASS[[18, 19]], MASS[[20, 21]] = 0.03, 0.025, 0.015
MASS /= MASS.sum()


@dataclass(frozen=True, slots=True)
class Body:
    """Hold the smoothed joints of one recording, and the sizes of its body.

    Attributes:
        joints: [T, 22, 3] m, gaps filled, outliers of one frame removed, Gaussian-smoothed (sigma 0.075 s).
        sharp: the same before smoothing, which would cut the extremes of fast joints.
        fps: frames per second.
        leg: median length hip-knee-ankle, mean of both sides, m.
        arm: median length shoulder-elbow-wrist, mean of both sides, m.
        floor: height of the floor: 5th percentile over time of the lowest joint, m.
        stand: height of the pelvis above the floor with straight legs, m.
        seen: limb -> whether the recording shows it.
        dimensions: 3, or 2 for keypoints in the image plane.
        tilt: inclination of the trunk, degrees [T], see :func:`trunk_inclination`.
        pace: speed of every joint, m/s [T, 22].
        clear: height of each foot above the ground under it, m [T, 2], see :func:`clearance`.
    """

    joints: Array
    sharp: Array
    fps: float
    leg: float
    arm: float
    floor: float
    stand: float
    seen: dict[str, bool]
    dimensions: int
    tilt: Array
    pace: Array
    clear: Array

    @property
    def frames(self) -> int:
        """Number of frames T."""
        return int(self.joints.shape[0])


def prepare(motion: Motion) -> Body:
    """Prepare a Motion for measuring: see :class:`Body`."""
    joints: Array = np.asarray(motion.joints, dtype=np.float64)
    confidence = motion.confidence
    seen = limbs_seen(confidence)
    if confidence is not None:
        joints = _fill(joints, np.asarray(confidence) > VISIBLE)
    sharp = _median3(joints)
    joints = smooth(sharp, 0.075, motion.fps)
    leg = float(np.mean([_length(joints, HIP[s], KNEE[s], ANKLE[s]) for s in SIDES]))
    arm = float(np.mean([_length(joints, SHOULDER[s], ELBOW[s], WRIST[s]) for s in SIDES]))
    floor = rank(joints[:, :, 1].min(axis=1), 0.05)
    ankle = rank(joints[:, [7, 8], 1].min(axis=1), 0.05) - floor
    hips = rank(norm(joints[:, 0] - 0.5 * (joints[:, 1] + joints[:, 2])), 0.5)
    stand = leg + min(max(ankle, 0.0), 0.2 * leg) + 0.7 * hips
    sizes = max(leg, 1e-3), max(arm, 1e-3), floor, max(stand, 1e-3)
    fps = float(motion.fps)
    over_time = trunk_inclination(joints), speed(joints, fps), clearance(joints, fps)
    return Body(joints, sharp, fps, *sizes, seen, motion.dimensions, *over_time)


def trunk_inclination(joints: Array) -> Array:
    """Measure the angle of pelvis-neck from the vertical, degrees [T]: 0 upright, 90 level, over 90 head down."""
    up = unit(joints[:, NECK] - joints[:, PELVIS])
    return np.degrees(np.arccos(np.clip(up[:, 1], -1.0, 1.0)))


def clearance(joints: Array, fps: float) -> Array:
    """Measure the height of each foot above the ground under it, m [T, 2] (left, right).

    It is that of the lower of ankle and toe, each above its lowest height within a second, so that stairs and slopes
    are not taken for flight.
    """
    height = joints[:, [7, 8, 10, 11], 1]
    height = height - lowest_around(height, round(fps))
    return np.minimum(height[:, :2], height[:, 2:])


def share_seen(confidence: NDArray[np.float32] | None, joints: Sequence[int]) -> float:
    """Compute the share of frames in which all of the joints are seen, from confidences [T, 22] or None."""
    if confidence is None:
        return 1.0
    return float((np.asarray(confidence)[:, list(joints)] > VISIBLE).all(axis=1).mean())


def limbs_seen(confidence: NDArray[np.float32] | None) -> dict[str, bool]:
    """Test for each limb whether half of the frames show all its joints, from confidences [T, 22] or None."""
    return {limb: share_seen(confidence, _LIMB_JOINTS[limb]) >= 0.5 for limb in LIMBS}


def _length(joints: Array, a: int, b: int, c: int) -> float:
    upper, lower = joints[:, b] - joints[:, a], joints[:, c] - joints[:, b]
    return rank(norm(upper) + norm(lower), 0.5)


def _fill(joints: Array, visible: NDArray[np.bool_]) -> Array:
    """Interpolate over frames in which a joint is not seen; a joint never seen follows its parent."""
    joints = joints.copy()
    frames = np.arange(len(joints))
    for j in range(22):
        ok = visible[:, j]
        if ok.all():
            continue
        if ok.any():
            for axis in range(3):
                joints[:, j, axis] = np.interp(frames, frames[ok], joints[ok, j, axis])
        elif j > 0:
            joints[:, j] = joints[:, _PARENTS[j]]
        else:
            joints[:, 0] = 0.5 * (joints[:, 1] + joints[:, 2])
    return joints


def _median3(x: Array) -> Array:
    """Filter by the median of three frames, which removes one-frame glitches of depth sensors only."""
    if len(x) < 3:
        return x
    a, b, c = x[:-2], x[1:-1], x[2:]
    out = x.copy()
    out[1:-1] = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return out


def smooth(x: Array, seconds: float, fps: float) -> Array:
    """Smooth x [T, ...] over time by a Gaussian of standard deviation `seconds`, truncated at three; hold the ends.

    Sums are in the order of ``scipy.ndimage.gaussian_filter1d``, whose import takes longer than measuring.
    """
    sigma = max(seconds * fps, 1e-3)
    radius = int(3.0 * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    weights = weights / weights.sum()
    held = _hold_ends(x, radius)
    out = held[radius : radius + len(x)] * weights[radius]
    pair = np.empty_like(out)
    for k, weight in enumerate(weights[:radius].tolist()):
        np.add(held[k : k + len(x)], held[2 * radius - k : 2 * radius - k + len(x)], out=pair)
        pair *= weight
        out += pair
    return out


def lowest_around(x: Array, reach: int) -> Array:
    """Compute the moving minimum of x [T, ...] over `reach` frames before and after each."""
    least, width = _hold_ends(x, reach), 1
    while 2 * width <= 2 * reach + 1:  # minima over 2, 4, 8 ... frames; two of the widest cover the window
        least = np.minimum(least[:-width], least[width:])
        width *= 2
    return np.minimum(least[: len(x)], least[len(least) - len(x) :])


def _hold_ends(x: Array, frames: int) -> Array:
    out = np.empty((len(x) + 2 * frames, *x.shape[1:]))
    out[:frames], out[frames : frames + len(x)], out[frames + len(x) :] = x[:1], x, x[-1:]
    return out


def ramp(x: Array, low: float, high: float) -> Array:
    """Map x to 0 below `low`, 1 above `high`, linear between; it falls if high < low."""
    return np.clip((x - low) / (high - low), 0.0, 1.0)


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """List the half-open frame intervals in which `mask` holds."""
    framed = np.zeros(len(mask) + 2, dtype=bool)
    framed[1:-1] = mask
    edges = (framed[1:] != framed[:-1]).nonzero()[0].tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def hysteresis(x: Array, enter: float, stay: float) -> list[tuple[int, int]]:
    """List the intervals in which x stays above `stay` and rises above `enter` at least once."""
    return [(a, b) for a, b in runs(x > stay) if x[a:b].max() > enter]


def unit(v: Array) -> Array:
    """Scale vectors to length one; a zero vector stays zero."""
    return v / np.maximum(norm(v), 1e-9)[..., None]


def rank(x: Array, share: float) -> float:
    """Return the nearest-rank percentile of x [T] at `share` (0..1), without numpy's overhead."""
    k = min(int(share * len(x)), len(x) - 1)
    return float(np.partition(x, k)[k])


def gradient(x: Array) -> Array:
    """Compute the change of x [T, ...] per frame by central differences, ``numpy.gradient`` without its overhead."""
    out = np.empty_like(x)
    if len(x) < 2:
        out[:] = 0.0
        return out
    np.subtract(x[2:], x[:-2], out=out[1:-1])
    out[1:-1] /= 2.0
    out[0], out[-1] = x[1] - x[0], x[-1] - x[-2]
    return out


def speed(x: Array, fps: float) -> Array:
    """Compute the speed [T, ...], units/s, of positions [T, ..., D] by central differences."""
    return norm(gradient(x)) * fps


def find_peaks(
    x: Array, *, prominence: float, height: float = -np.inf, distance: int = 1
) -> tuple[NDArray[np.intp], Array]:
    """Find the peaks of x [T] by the definitions of ``scipy.signal.find_peaks``, whose import takes half a second.

    Args:
        x: a signal.
        prominence: least drop from the peak to the higher of the two valleys beside it, up to the next higher value.
        height: least value at the peak.
        distance: least number of frames between peaks; of two that are nearer the higher one stays.

    Returns:
        Frames [P] (the middle of a level top) and prominences [P].
    """
    edges = (x[1:] != x[:-1]).nonzero()[0]
    first, last = np.concatenate(([0], edges + 1)), np.concatenate((edges, [len(x) - 1]))
    level = x[first]
    rises = level[1:] > level[:-1]
    tops = (rises[:-1] & ~rises[1:]).nonzero()[0] + 1
    peaks = (first[tops] + last[tops]) // 2
    drops = _prominences(level, tops)
    if height > -np.inf:
        high = x[peaks] >= height
        peaks, drops = peaks[high], drops[high]
    if distance > 1 and len(peaks) > 1:
        apart = _apart(peaks, x[peaks], distance)
        peaks, drops = peaks[apart], drops[apart]
    clear = drops >= prominence
    return peaks[clear], drops[clear]


def _prominences(level: Array, tops: NDArray[np.intp]) -> Array:
    """Compute the prominence of each top of a signal without level stretches, by one pass from either side."""
    if len(tops) == 0:
        return np.zeros(0)
    highs = level[tops].tolist()
    valleys = np.minimum.reduceat(
        level, np.concatenate(([0], tops))
    ).tolist()  # before the first top ... after the last
    left = _bases(highs, valleys[:-1])
    right = _bases(highs[::-1], valleys[:0:-1])[::-1]
    return np.array([high - max(a, b) for high, a, b in zip(highs, left, right, strict=True)])


def _bases(highs: list[float], valleys: list[float]) -> list[float]:
    """Find the lowest valley between each top and the last higher one before it."""
    out: list[float] = []
    higher: list[tuple[float, float]] = []
    for high, base in zip(highs, valleys, strict=True):
        while higher and higher[-1][0] <= high:
            base = min(base, higher.pop()[1])
        higher.append((high, base))
        out.append(base)
    return out


def _apart(peaks: NDArray[np.intp], heights: Array, distance: int) -> NDArray[np.bool_]:
    """Tell the peaks that stay where of two nearer than `distance` the higher one does."""
    places = peaks.tolist()
    keep = [True] * len(places)
    for i in np.argsort(heights)[::-1].tolist():
        if keep[i]:
            for step in (-1, 1):
                k = i + step
                while 0 <= k < len(places) and abs(places[k] - places[i]) < distance:
                    keep[k] = False
                    k += step
    return np.array(keep)
