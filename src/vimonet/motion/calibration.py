"""Find calibration poses: a T-pose, an A-pose or an N-pose held still, as motion capture takes begin."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.skeleton import norm

STILL: Final = 0.15  # m/s of the fastest limb: holds a pose
HELD: Final = 0.4  # s
SINKING: Final = {"T-pose": (-0.35, 0.35), "A-pose": (0.35, 0.95)}
"""Pose -> sines between which straight arms sink below the level."""
_BENT, _BENT_LOOSE = 0.05, 0.15  # path over the elbow beyond the straight way, as a share of it
_MEAN, _APART = 0.1, 0.25  # s
_SINKS = 0.25  # of a sine: arms that sink or rise by more in a stretch move through it
_LOOSER = 0.1  # of the sines, for a pose that may be meant


@dataclass(frozen=True, slots=True)
class HeldPose:
    """Describe a calibration pose that is held.

    Attributes:
        name: 'T-pose', 'A-pose' or 'N-pose' (arms along the body; at the start only, where it precedes a movement).
        start, end: s.
        sure: False where arms are so bent or so low that it may be another pose.
    """

    name: str
    start: float
    end: float
    sure: bool


def held_poses(joints: NDArray[np.floating], rate: float) -> tuple[HeldPose, ...]:
    """Find the calibration poses of joints [T, 22, 3], m, that are held for 0.4 s or more, in order of time.

    Legs are straight, arms straight, hands and feet slower than 0.15 m/s. Arms of a T-pose sink by less than 20 degrees
    below the level, those of an A-pose by less than 70.
    """
    found: list[HeldPose] = []
    limbs = Limbs(joints, rate)
    if not limbs.still[1:].any():
        return ()  # never still
    for name, sinking in SINKING.items():
        loose = limbs.held((sinking[0] - _LOOSER, sinking[1] + _LOOSER), _BENT_LOOSE)
        sure = limbs.held(sinking)
        found += [HeldPose(name, a / rate, b / rate, True) for a, b in sure]
        found += [
            HeldPose(name, a / rate, b / rate, False)
            for a, b in loose
            if not any(first < b and a < last for first, last in sure)
        ]
    hanging = limbs.holds((0.9, 1.01), aside=-1.0)
    end = int(np.argmin(np.append(hanging, False)))
    if 2 * HELD * rate <= end < len(joints):
        found.append(HeldPose("N-pose", 0.0, end / rate, True))
    return tuple(sorted(found, key=lambda pose: (pose.start, not pose.sure)))


class Limbs:
    """Hold the measures of arms and legs that tell a calibration pose, of joints [T, 22, 3], m, at ``rate`` frames/s.

    Attributes:
        rate: frames/s.
        still: hands and feet are slower than `STILL`, bool [T].
        straight: straight legs in line with the trunk, bool [T].
        detour: path over the elbow beyond the straight way, as a share of it, [T, 2].
        sinks: sine of the arms below the level, [T, 2].
        aside: cosine between an arm and the line of the shoulders, [T, 2].
    """

    def __init__(self, joints: NDArray[np.floating], rate: float) -> None:
        self.rate = rate
        self.still = _still(joints[:, [7, 8, 20, 21]], rate)
        trunk, lateral = joints[:, 12:13] - joints[:, 0:1], joints[:, 16:17] - joints[:, 17:18]
        shoulders, elbows, wrists = joints[:, 16:18], joints[:, 18:20], joints[:, 20:22]
        arms = wrists - shoulders
        reach = norm(arms)
        way = norm(elbows - shoulders) + norm(wrists - elbows)
        self.detour = (way - reach) / np.maximum(reach, 1e-9)
        self.sinks = -_cosine(arms, trunk)
        self.aside = _cosine(arms, lateral) * np.array([1.0, -1.0])
        self.straight = (_cosine(joints[:, 7:9] - joints[:, 1:3], -trunk) > 0.9).all(axis=1)

    def held(self, sinking: tuple[float, float], bent: float = _BENT) -> list[tuple[int, int]]:
        """List the spans (start, end), frames, of 0.4 s and more in which the pose is held and the arms do not sink."""
        held = self.holds(sinking, bent)
        edges = [0, *(np.flatnonzero(np.diff(held)) + 1).tolist(), len(held)]
        found = [(a, b) for a, b in pairwise(edges) if b > a and held[a] and b - a >= HELD * self.rate]
        return [
            (a, b) for a, b in found if np.ptp(np.percentile(self.sinks[a:b], (5, 95), axis=0), axis=0).max() < _SINKS
        ]

    def holds(self, sinking: tuple[float, float], bent: float = _BENT, aside: float = 0.3) -> NDArray[np.bool_]:
        """Tell the frames [T] of a still pose on straight legs.

        Args:
            sinking: least and greatest sine of the arms below the level.
            bent: greatest `detour` of the arms.
            aside: least cosine between the arms and the line of the shoulders.
        """
        arms = (self.detour < bent) & (sinking[0] <= self.sinks) & (self.sinks < sinking[1]) & (self.aside > aside)
        return np.asarray(self.still & self.straight & arms.all(axis=1))


def _still(points: NDArray[np.floating], rate: float) -> NDArray[np.bool_]:
    """Mark the frames, bool [T], in which all points [T, K, 3], m, are slower than `STILL`.

    Against sensor noise, averages over a tenth of a second, a quarter of a second apart, are compared; where they are
    near enough, every frame from the first average to the second is marked.
    """
    near, apart = max(1, round(_MEAN * rate)), max(1, round(_APART * rate))
    if len(points) < near + apart:
        near, apart = 1, len(points) - 1
    total = np.cumsum(np.pad(points.astype(np.float64), ((1, 0), (0, 0), (0, 0))), axis=0)
    means = (total[near:] - total[:-near]) / near
    slow = norm(means[apart:] - means[: len(means) - apart]).max(axis=1) * rate < STILL * max(1, apart)
    return np.convolve(slow, np.ones(near + apart)) > 0.5


def _cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.einsum("tji,tji->tj", a, np.broadcast_to(b, a.shape)) / np.maximum(norm(a) * norm(b), 1e-9)
