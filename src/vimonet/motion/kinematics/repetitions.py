"""How often a movement is repeated, and by which limb."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import find_peaks

from vimonet.motion.kinematics.body import Array, Body, rank, smooth
from vimonet.motion.kinematics.limbs import trunk_inclination

MIN_REGULARITY = 0.5


@dataclass(frozen=True, slots=True)
class Repetitions:
    """A repeated movement.

    Attributes:
        count: number of repetitions.
        period: mean time of one, s.
        limb: 'left arm', 'right arm', 'both arms', 'left leg', 'right leg', 'both legs', 'trunk' or 'whole body'.
        start: s.
        end: s.
        regularity: autocorrelation at the period, 0..1; near 0.5 the count is uncertain.
    """

    count: int
    period: float
    limb: str
    start: float
    end: float
    regularity: float


def repetitions(body: Body, local: Array, jump_count: int = 0) -> Repetitions | None:
    """Count the repetitions of the movement with the largest repeated swing, or None when nothing repeats.

    Each limb gives two signals, along the direction its end joint moves most relative to the limb's root in the
    body's own frame: the movement as it is, and its fast part (less its Gaussian mean of sigma 0.4 s: a wave of a
    hand that was raised once). The whole body gives the height of the pelvis, the trunk its inclination. A signal
    counts from its first to its last activity, when its autocorrelation there peaks at 0.5 or more at a lag of 0.25 s
    or longer, and it swings by at least 0.12 leg lengths (0.06 for the pelvis and for fast parts of arms, which must
    also repeat three times). Among these the largest product of swing and regularity wins; both arms or both legs
    when the other side does as much. Two repetitions must be alike (0.6). The repetitions are the peaks with at least
    half the median prominence.
    """
    if body.frames < 16:
        return None
    fps, leg = body.fps, body.leg
    root = [1, 2, 16, 17]
    ends = local[:, [7, 8, 20, 21]] - local[:, root]
    fast = ends - smooth(ends, 0.4, fps)
    names = ("left leg", "right leg", "left arm", "right arm")
    signals: list[tuple[str, Array, float, int]] = [
        ("whole body", body.joints[:, 0, 1], 0.06 * leg, 2),
        ("trunk", np.radians(trunk_inclination(body.joints)) * 0.6 * leg, 0.12 * leg, 2),
    ]
    for i, name in enumerate(names):
        if body.seen[name]:
            signals.append((name, _principal(ends[:, i]), 0.12 * leg, 2))
            signals.append((name, _principal(fast[:, i]), (0.12 if "leg" in name else 0.06) * leg, 3))
    best: list[tuple[float, Repetitions]] = []
    for name, values, smallest, fewest in signals:
        found = _count(name, values, smallest, fewest, fps)
        if found is not None:
            size, result = found
            if jump_count and ("leg" in name or name == "trunk"):
                continue
            if name == "whole body" and jump_count:
                # One jump dips twice, before and after the flight: jumps are counted by their flights.
                if jump_count < 2:
                    continue
                result = replace(result, count=jump_count)
            # The pelvis moves least of all in any movement of the whole body: weigh it up against the limbs it carries.
            best.append(((3.0 if name == "whole body" else 1.0) * size * result.regularity, result))
    if not best:
        return None
    best.sort(key=lambda x: -x[0])
    score, top = best[0]
    partner = {"left arm": "right arm", "right arm": "left arm", "left leg": "right leg", "right leg": "left leg"}.get(
        top.limb
    )
    for value, other in best[1:]:
        if other.limb == partner and value > 0.4 * score and abs(other.count - top.count) <= 1:
            both = "both " + top.limb.split()[1] + "s"
            return replace(top, limb=both, count=max(top.count, other.count))
    return top


def _principal(x: Array) -> Array:
    """Coordinate [T] along the direction of greatest variance of [T, 3], upward where it has an up."""
    x = x - x.mean(axis=0)
    _, vectors = np.linalg.eigh(x.T @ x)
    axis = vectors[:, -1]
    return x @ (axis * (1.0 if axis[1] >= 0 else -1.0))


def _count(name: str, x: Array, smallest: float, fewest: int, fps: float) -> tuple[float, Repetitions] | None:
    """Swing in m and repetitions of one signal, or None."""
    if x.max() - x.min() < smallest:
        return None
    active = _active(x, fps)
    if active is None:
        return None
    a, b = active
    x = x[a:b]
    n = len(x)
    low, high = rank(x, 0.05), rank(x, 0.95)
    if high - low < smallest:
        return None
    time = np.arange(n)
    centred = time - time.mean()
    y = x - x.mean() - centred * float(centred @ x) / float(centred @ centred)
    spectrum = np.fft.rfft(y, 2 * n)
    auto = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[:n] / np.arange(n, 0, -1)
    auto = auto / max(float(auto[0]), 1e-12)
    inner = auto[1:-1]
    lags = np.flatnonzero((inner >= auto[:-2]) & (inner > auto[2:])) + 1
    lags = lags[(lags >= 0.25 * fps) & (lags <= 0.67 * n) & (auto[lags] >= MIN_REGULARITY)]
    if len(lags) == 0:
        return None
    # The first lag that is nearly as good as the best is the period; later ones are its multiples.
    lag = int(lags[np.flatnonzero(auto[lags] >= 0.8 * auto[lags].max())[0]])
    # A movement out of rest and back has one peak per repetition away from rest, and one more on the side of rest.
    rest_low = abs(x[0] - low) + abs(x[-1] - low) <= abs(x[0] - high) + abs(x[-1] - high)
    z = x if rest_low else -x
    padded = np.concatenate(([z.min()], z, [z.min()]))
    peaks, info = find_peaks(padded, prominence=0.25 * (high - low), distance=max(1, round(0.55 * lag)))
    if len(peaks) == 0:
        return None
    count = int((info["prominences"] >= 0.5 * rank(info["prominences"], 0.5)).sum())
    if count < fewest or (count == 2 and auto[lag] < 0.6):
        return None
    return high - low, Repetitions(count, lag / fps, name, a / fps, b / fps, float(min(auto[lag], 1.0)))


def _active(x: Array, fps: float) -> tuple[int, int] | None:
    """The stretch from the first to the last frame in which the signal moves."""
    pace = smooth(np.abs(np.gradient(x)), 0.2, fps)
    on = np.flatnonzero(pace > 0.25 * rank(pace, 0.9))
    if len(on) == 0:
        return None
    a, b = int(on[0]), int(on[-1]) + 1
    return (a, b) if b - a >= 16 else None
