"""Find falls in 3D joints and in the keypoints of a picture: fast drops of the neck, judged by a small network.

Every fast drop of the neck is a candidate. What is measured of it (how fast and far, the body before and after) is in
body lengths (trunk and leg), so that it holds for joints in metres and for a picture alike. A network of eight hidden
units, which each measure can only push one way (a lower body after the drop never speaks against a fall), gives the
probability. Its weights and what it learned from are in ``falling.json``; ``research/falls`` trains it.
"""

from __future__ import annotations

import functools
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.preparation import VISIBLE, Array, find_peaks, norm, rank, smooth

BEFORE: Final = 1.2
"""Seconds that a drop may take before its fastest moment."""
SETTLED, AFTER = 0.35, 1.2
"""Seconds after the fastest moment between which the body after the drop is measured."""
LOST: Final = 5.0
"""Seconds during which a body that is lost from sight as it drops is waited for: it is judged when seen again."""
SURE, STAYS, RISES = 0.95, 2.6, 0.6
"""Probability below which a fall must stay down; for how many seconds, rising by which share of the drop at most."""
_LEAST_SPEED, _LEAST_DROP, _STILL_SPEED = 0.55, 0.18, 0.15  # of a candidate: body lengths/s, lengths; of its ends
_LEAST_SEEN = 0.15  # s after the fastest moment in which the trunk is seen: less is a body that leaves the picture
_TORSOS = 2.7  # trunk and leg in torsos, where no leg is seen
_LEAST_TORSO = 0.1  # body lengths of the longest trunk: less is a body without one, whose lengths mean nothing
_PAST, _ALIKE = 8.0, 0.5  # s and log ratio of sizes within which earlier drops are the same movement repeated
_PLAUSIBLE_SPEED = 3.3  # body lengths/s: free fall from standing ends at 3.9
_BELOW = 0.4  # body lengths of the neck under the feet that stood: more is another body, or a camera that moved
_LEGS = ((1, 4, 7), (2, 5, 8))
_SHAPE = (1, 2, 4, 5, 7, 8, 16, 17)  # hips, knees, ankles, shoulders

FEATURES: Final[dict[str, int]] = {
    "neck_speed": 1,
    "pelvis_speed": 1,
    "neck_drop": 1,
    "pelvis_drop": 1,
    "trunk_before": 1,
    "trunk_after": -1,
    "height_before": 1,
    "height_after": -1,
    "neck_over_floor": -1,
    "pelvis_over_floor": -1,
    "shank_after": -1,
    "duration": 1,
    "up_before": -1,
    "up_after": -1,
    "like_before": -1,
    "seen_after": 1,
    "jump": -1,
    "stretch": -1,
    "too_fast": -1,
    "too_low": -1,
    "rebound": -1,
    "moves_after": -1,
    "width_before": -1,
    "width_after": 1,
    "feet_drop": -1,
}
"""What is measured of a drop, and whether more of it speaks for a fall (1) or against it (-1)."""
_LENGTHS: Final = frozenset(
    (
        *("neck_speed", "pelvis_speed", "neck_drop", "pelvis_drop", "height_before", "height_after", "neck_over_floor"),
        *("pelvis_over_floor", "shank_after", "up_before", "up_after", "too_fast", "moves_after", "feet_drop"),
    )
)  # in body lengths


@dataclass(frozen=True, slots=True, eq=False)
class Drop:
    """Describe a fast drop of the neck.

    Attributes:
        frame: the fastest moment.
        start, end: first and last frame of the drop.
        height: how far the neck sinks, in the units of the joints.
        speed: greatest downward speed of the neck, units/s.
        rises: share of the drop by which the neck comes up again within `STAYS`.
        features: float64 [len(FEATURES)].
    """

    frame: int
    start: int
    end: int
    height: float
    speed: float
    rises: float
    features: Array

    @property
    def probability(self) -> float:
        """Probability that it is a fall, 0..1."""
        net = _network()
        x = np.clip((self.features * net["sign"] - net["middle"]) / net["spread"], -3.0, 3.0)
        score = float(np.tanh(x @ net["hidden"] + net["hidden_bias"]) @ net["out"]) + float(net["out_bias"])
        return float(1.0 / (1.0 + np.exp(-score)))

    @property
    def stays_down(self) -> bool:
        """Whether the body stays down as far as it is seen; a drop that is `SURE` to be a fall counts without."""
        return self.rises < RISES or self.probability >= SURE


@functools.cache
def _network() -> dict[str, Array]:
    found = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    net = {key: np.array(value) for key, value in found["weights"].items()}
    return net | {"sign": np.array(list(FEATURES.values())), "threshold": np.array(found["threshold"])}


def least_probability() -> float:
    """Return the probability from which a drop counts as a fall: chosen for one false alarm an hour or fewer."""
    return float(_network()["threshold"])


def find_falls(
    joints: Array, confidence: NDArray[np.float32] | None, fps: float, flat: bool, least: float | None = None
) -> list[Drop]:
    """Find the drops that are falls with a probability of `least`, by default that of an alarm: see `drops`.

    Of those that are not `SURE` the body must stay down.
    """
    least = least_probability() if least is None else least
    return [drop for drop in drops(joints, confidence, fps, flat) if drop.stays_down and drop.probability >= least]


def drops(joints: Array, confidence: NDArray[np.float32] | None, fps: float, flat: bool) -> list[Drop]:
    """Find the fast drops of the neck, and measure them.

    Args:
        joints: [T, 22, 3], Y up, in any unit.
        confidence: [T, 22]; None if every joint is seen.
        fps: frames/s.
        flat: whether the joints are those of a picture.
    """
    seen = np.ones(joints.shape[:2], bool) if confidence is None else np.asarray(confidence) > VISIBLE
    trunk = (seen[:, 16] | seen[:, 17]) & (seen[:, 1] | seen[:, 2])
    if trunk.sum() < max(4, 0.3 * fps):
        return []
    calm = _moving_median(_filled(np.asarray(joints, np.float64), seen), 5 if flat else 3)
    sharp = smooth(calm, 0.05, fps)
    scale, legs = body_length(sharp, seen, flat)
    body = _Body(sharp, calm[:, 12, 1], trunk, scale, fps, flat, legs)
    if body.longest < _LEAST_TORSO:
        return []
    found: list[Drop] = []
    padded = np.concatenate(([0.0], body.down, [0.0]))
    peaks, _ = find_peaks(padded, prominence=0.2, height=_LEAST_SPEED, distance=max(1, round(0.3 * fps)))
    for peak in (peaks - 1).tolist():
        drop = body.describe(min(max(peak, 0), len(joints) - 1), found)
        if drop is not None:
            found.append(drop)
    return found


def body_length(joints: Array, seen: NDArray[np.bool_], flat: bool) -> tuple[float, bool]:
    """Measure the length of trunk and leg, in the units of the joints, and whether a leg is seen.

    A picture foreshortens the body: its length is then the greatest that is seen. Without legs it follows from the
    trunk.

    Args:
        joints: [T, 22, 3].
        seen: [T, 22].
        flat: whether the joints are those of a picture.
    """
    trunk = (seen[:, 16] | seen[:, 17]) & (seen[:, 1] | seen[:, 2])
    if not trunk.any():
        return 1e-6, False
    torso = norm(joints[:, 12] - joints[:, 0])
    legs = [k for k in _LEGS if (seen[:, k].all(axis=1) & trunk).mean() > 0.2]
    scale = _TORSOS * rank(torso[trunk], 0.9)
    if legs:
        leg = np.mean(
            [norm(joints[:, b] - joints[:, a]) + norm(joints[:, c] - joints[:, b]) for a, b, c in legs], axis=0
        )
        scale = max(rank((torso + leg)[trunk], 0.9 if flat else 0.5), 0.8 * scale)
    return max(float(scale), 1e-6), bool(legs)


class _Body:
    """Hold the signals of one movement in body lengths, from which drops are described."""

    def __init__(
        self, joints: Array, neck: Array, trunk: NDArray[np.bool_], scale: float, fps: float, flat: bool, legs: bool
    ) -> None:
        self.y, self.neck, self.scale = joints[..., 1] / scale, neck / scale, scale
        self.fps, self.trunk, self.legs = fps, trunk, legs
        self.down = -np.gradient(smooth(self.y[:, 12], 0.05, fps)) * fps
        self.down_pelvis = -np.gradient(smooth(self.y[:, 0], 0.05, fps)) * fps
        self.ankle = np.minimum(self.y[:, 7], self.y[:, 8])
        trunk_height = self.y[:, 12] - self.y[:, 0]
        self.height = self.y[:, 12] - self.ankle if legs else trunk_height + 0.6
        self.torso = norm(joints[:, 12] - joints[:, 0]) / scale
        self.rise, self.longest = trunk_height, max(rank(self.torso, 0.9 if flat else 0.5), 1e-6)
        legs_length = [norm(joints[:, b] - joints[:, a]) for k in _LEGS for a, b in itertools.pairwise(k)]
        self.long = self.torso + 0.5 * np.sum(legs_length, axis=0) / scale if legs else self.torso / self.longest
        self.shank = 0.5 * (self.y[:, 4] + self.y[:, 5]) - self.ankle
        # Width over height, as an angle: 0 a vertical line, 90 a level one.
        body = joints[:, _SHAPE]
        wide = norm(body[:, :, [0, 2]].max(axis=1) - body[:, :, [0, 2]].min(axis=1))
        self.width = np.degrees(np.arctan2(wide, np.ptp(body[:, :, 1], axis=1)))
        self.moves = norm(np.gradient(smooth(joints[:, _SHAPE], 0.1, fps), axis=0)).mean(axis=1) * fps / scale

    def _typical(self, x: Array, start: float, end: float) -> float:
        """Compute the median from one frame to another, over the frames that show the trunk if any does."""
        a = int(np.clip(round(start), 0, len(x) - 1))
        rows = slice(a, int(np.clip(round(end), a + 1, len(x))))
        shown = self.trunk[rows]
        return float(np.median(x[rows][shown] if shown.any() else x[rows]))

    def _settled(self, peak: int) -> tuple[float, float]:
        """Find the frames after the drop; of a body that is lost meanwhile they go on until enough are seen."""
        start, end = peak + SETTLED * self.fps, peak + AFTER * self.fps
        shown = round(start) + np.flatnonzero(self.trunk[round(start) : round(peak + LOST * self.fps)])
        if not len(shown) or (shown < end).sum() >= 0.5 * (end - start):
            return start, end
        return start, max(end, float(shown[: round(end - start)][-1] + 1))

    def describe(self, peak: int, earlier: list[Drop]) -> Drop | None:
        """Measure the drop whose fastest moment is frame `peak`; None if it is small."""
        frames, fps, down = len(self.y), self.fps, self.down
        a = b = peak
        while a > 0 and down[a - 1] > _STILL_SPEED and peak - a < BEFORE * fps:
            a -= 1
        while b < frames - 1 and down[b + 1] > _STILL_SPEED and b - peak < 0.9 * fps:
            b += 1
        first = max(0.0, a - 0.5 * fps), float(max(a, 1))
        settled = self._settled(peak)
        sunk = float(self.y[a, 12] - self.y[b, 12])
        neck_drop = self._typical(self.y[:, 12], *first) - self._typical(self.y[:, 12], *settled)
        until = peak + round(AFTER * fps)
        if max(neck_drop, sunk) < _LEAST_DROP or self.trunk[peak + 1 : until].sum() < _LEAST_SEEN * fps:
            return None
        floor = self._typical(self.ankle, *first)
        around = slice(max(0, peak - round(0.5 * fps)), peak + round(0.5 * fps) + 1)
        before = slice(max(0, a - round(0.7 * fps)), max(a, 1))
        after = slice(b, min(frames, until) if until > b else b + 1)
        like = sum(
            (peak - drop.frame) / fps < _PAST
            and abs(float(np.log(max(drop.features[2], 1e-3) / max(neck_drop, 1e-3)))) < _ALIKE
            for drop in earlier
        )
        # Where a picture shows the body upright for a moment alone, the length over all frames is too small.
        stood = max(0.5 * self.longest, self._typical(self.torso, a - 0.5 * fps, a + 0.2 * fps))
        longest = max(self.longest, stood)
        tall = max(1.0, self._typical(self.long, a - 0.5 * fps, a + 0.2 * fps))
        low, end = self._typical(self.y[:, 12], *settled), settled[1]
        later = self.y[round(settled[0]) : round(max(end, peak + STAYS * fps)), 12]
        later = later[self.trunk[round(settled[0]) :][: len(later)]]
        rises = (rank(later, 0.95) - float(later.min())) / max(neck_drop, 0.1) if len(later) else 0.0
        over = self._typical(self.y[:, 12], *settled) - floor if self.legs else self._typical(self.height, *settled)
        values = {
            "neck_speed": down[peak],
            "pelvis_speed": self.down_pelvis[around].max(),
            "neck_drop": neck_drop,
            "pelvis_drop": self._typical(self.y[:, 0], *first) - self._typical(self.y[:, 0], *settled),
            "trunk_before": self._typical(self.rise, *first) / longest,
            "trunk_after": self._typical(self.rise, *settled) / longest,
            "height_before": self._typical(self.height, *first),
            "height_after": self._typical(self.height, *settled),
            "neck_over_floor": over,
            "pelvis_over_floor": self._typical(self.y[:, 0], *settled) - floor if self.legs else 0.3,
            "shank_after": self._typical(self.shank, *settled) if self.legs else 0.2,
            "duration": (b - a) / fps,
            "up_before": max(0.0, float((-down[before]).max())),
            "up_after": max(0.0, float((-down[after]).max())),
            "like_before": min(float(like), 4.0),
            "seen_after": self.trunk[peak:until].sum() / max(1, until - peak),
            "jump": np.abs(np.diff(self.neck[max(0, a - 1) : b + 2])).max() / max(abs(sunk), 0.1),
            "stretch": self.torso[a : b + round(0.5 * fps)].max() / stood,
            "too_fast": max(0.0, float(down[peak]) - _PLAUSIBLE_SPEED),
            "too_low": max(0.0, -_BELOW - over),
            "rebound": max(0.0, self._typical(self.y[:, 12], end - 0.35 * fps, end) - low) / max(neck_drop, 0.1),
            "moves_after": self._typical(self.moves, *settled),
            "width_before": self._typical(self.width, *first),
            "width_after": self._typical(self.width, *settled),
            "feet_drop": max(0.0, floor - self._typical(self.ankle, *settled)) if self.legs else 0.0,
        }
        features = np.array([float(values[name]) / (tall if name in _LENGTHS else 1.0) for name in FEATURES])
        return Drop(peak, a, b, max(neck_drop, sunk) * self.scale, float(down[peak]) * self.scale, rises, features)


def _filled(joints: Array, seen: NDArray[np.bool_]) -> Array:
    """Interpolate joints over the frames that do not show them; hold the ends."""
    out, frames = joints.copy(), np.arange(len(joints))
    for j in np.flatnonzero(seen.any(axis=0) & ~seen.all(axis=0)):
        for axis in range(3):
            out[:, j, axis] = np.interp(frames, frames[seen[:, j]], joints[seen[:, j], j, axis])
    return out


def _moving_median(x: Array, width: int) -> Array:
    """Filter [T, ...] by the moving median of `width` frames, which removes bodies misplaced for a frame or two."""
    if len(x) <= width:
        return x
    half = width // 2
    padded = np.pad(x, [(half, half)] + [(0, 0)] * (x.ndim - 1), mode="edge")
    return np.asarray(np.median(np.stack([padded[k : k + len(x)] for k in range(width)]), axis=0))
