"""Count how often a movement is repeated, and find the limb that repeats it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vimonet.motion.kinematics.limbs import trunk_inclination
from vimonet.motion.kinematics.preparation import Array, Body, find_peaks, norm, rank, runs, smooth

MIN_REGULARITY = 0.5


@dataclass(frozen=True, slots=True)
class Repetitions:
    """Describe a repeated movement.

    Attributes:
        count: number of repetitions.
        period: mean duration of one, s.
        limb: 'left arm', 'right arm', 'both arms', 'left leg', 'right leg', 'both legs', 'trunk' or 'whole body'.
        start: s.
        end: s.
        regularity: autocorrelation at the period, 0..1; near 0.5 the count is uncertain.
        fast: whether it was counted on the fast part of a limb's movement (waves, claps): exact to within one.
    """

    count: int
    period: float
    limb: str
    start: float
    end: float
    regularity: float
    fast: bool = False


def repetitions(body: Body, local: Array, jump_count: int = 0) -> Repetitions | None:
    """Count the repetitions of the movement with the largest repeated amplitude; None if nothing repeats.

    Each limb has two signals, of its end joint relative to the limb's root in the body's own frame: its position along
    the axis of greatest variance, and its fast part (position minus the Gaussian mean, sigma 0.4 s) along the axis of
    greatest velocity, for instance the wave of a hand that was raised once. Further signals are the pelvis height and
    the trunk inclination. A slow signal counts from its first to its last activity if its autocorrelation peaks at 0.5
    or more (0.6 for two repetitions) at a lag of at least 0.25 s and its range is at least 0.12 leg lengths (0.06 for
    the pelvis); repetitions are peaks of at least half the median prominence. A fast signal counts over its longest run
    of five or more swings of similar size and duration (0.06 leg lengths for arms). The largest product of range and
    regularity wins; both arms or both legs if the other side repeats as well. `jump_count` replaces the count of the
    whole body if the recording has jumps.

    Args:
        body: prepared recording.
        local: joints [T, 22, 3], m, in the body's own frame.
        jump_count: number of jumps.
    """
    if body.frames < 16:
        return None
    fps, leg = body.fps, body.leg
    root = [1, 2, 16, 17]
    ends = local[:, [7, 8, 20, 21]] - local[:, root]
    fast = ends - smooth(ends, 0.4, fps)
    names = ("left leg", "right leg", "left arm", "right arm")
    signals: list[tuple[str, Array, float, bool]] = [
        ("whole body", body.joints[:, 0, 1], 0.06 * leg, False),
        ("trunk", np.radians(trunk_inclination(body.joints)) * 0.6 * leg, 0.12 * leg, False),
    ]
    for i, name in enumerate(names):
        if body.seen[name]:
            signals.append((name, _principal(ends[:, i]), 0.12 * leg, False))
            signals.append((name, _principal(fast[:, i], even=True), (0.12 if "leg" in name else 0.06) * leg, True))
    best: list[tuple[float, Repetitions]] = []
    for name, values, smallest, is_fast in signals:
        found = (_count_swings if is_fast else _count)(name, values, smallest, fps)
        if found is not None:
            size, result = found
            if jump_count and ("leg" in name or name == "trunk"):
                continue
            if name == "whole body" and jump_count:
                # One jump dips twice, before and after the flight: jumps are counted by their flights.
                if jump_count < 2:
                    continue
                result = replace(result, count=jump_count)
            # In a movement of the whole body the pelvis moves less than the limbs: weight it up against them.
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


def _principal(x: Array, even: bool = False) -> Array:
    """Project positions [T, 3] on their axis of greatest variance, pointing up: [T].

    With `even` the axis is that of the velocity, capped at its median, so that the single raise of a hand does not hide
    its wave.
    """
    if even:
        y = x[1:] - x[:-1]
        size = norm(y)
        y = y / np.maximum(size, max(rank(size, 0.5), 1e-6))[:, None]
    else:
        y = x = x - x.mean(axis=0)
    _, vectors = np.linalg.eigh(y.T @ y)
    axis = vectors[:, -1]
    return x @ (axis * (1.0 if axis[1] >= 0 else -1.0))


def _count(name: str, x: Array, smallest: float, fps: float) -> tuple[float, Repetitions] | None:
    """Measure the range, m, and the repetitions of one signal, or None."""
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
    # The first lag nearly as high as the best is the period; later ones are its multiples.
    lag = int(lags[np.flatnonzero(auto[lags] >= 0.8 * auto[lags].max())[0]])
    # A movement out of rest and back peaks once per repetition away from rest, and once more at rest.
    rest_low = abs(x[0] - low) + abs(x[-1] - low) <= abs(x[0] - high) + abs(x[-1] - high)
    z = x if rest_low else -x
    padded = np.concatenate(([z.min()], z, [z.min()]))
    peaks, prominences = find_peaks(padded, prominence=0.25 * (high - low), distance=max(1, round(0.55 * lag)))
    if len(peaks) == 0:
        return None
    count = int((prominences >= 0.5 * rank(prominences, 0.5)).sum())
    if count < 2 or (count == 2 and auto[lag] < 0.6):
        return None
    return high - low, Repetitions(count, lag / fps, name, a / fps, b / fps, float(min(auto[lag], 1.0)))


def _count_swings(name: str, x: Array, smallest: float, fps: float) -> tuple[float, Repetitions] | None:
    """Do as `_count` for the fast part of a movement: find the longest run of swings of similar size and duration.

    A wave is found without the raise of the hand before it; regularity is 1 minus the coefficient of variation of the
    swings' durations.
    """
    if x.max() - x.min() < smallest:
        return None
    slope = np.sign(np.diff(x))
    turn = np.flatnonzero(slope[1:] * slope[:-1] < 0) + 1
    if len(turn) < 6:
        return None
    swing, time = np.abs(np.diff(x[turn])), np.diff(turn)
    large = swing > 0.6 * smallest
    size = np.log(np.maximum(swing, 1e-6))
    alike = (np.abs(np.diff(size)) < 0.6) & (np.abs(np.diff(np.log(time))) < 0.9) & large[1:] & large[:-1]
    a, b = max(runs(alike), key=lambda r: r[1] - r[0], default=(0, 0))
    swings = b - a + 1
    if swings < 5:
        return None
    typical = rank(swing[a : b + 1], 0.5)
    regular = 1.0 - float(time[a : b + 1].std() / time[a : b + 1].mean())
    if typical < smallest or regular < MIN_REGULARITY:
        return None
    # Two swings make one repetition; the first and the last swing of the run may be partial.
    count = swings // 2 if swings > 5 else 3
    period = 2.0 * float(time[a : b + 1].mean()) / fps
    return typical, Repetitions(count, period, name, int(turn[a]) / fps, int(turn[b + 1]) / fps, regular, True)


def _active(x: Array, fps: float) -> tuple[int, int] | None:
    """Find the interval from the first to the last frame in which the signal moves."""
    pace = smooth(np.abs(np.gradient(x)), 0.2, fps)
    on = np.flatnonzero(pace > 0.25 * rank(pace, 0.9))
    if len(on) == 0:
        return None
    a, b = int(on[0]), int(on[-1]) + 1
    return (a, b) if b - a >= 16 else None
