"""Measure the path over the ground by halves, the symmetry of the arms, and standing on one leg."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vimonet.motion.kinematics.preparation import ANKLE, PELVIS, SHOULDER, WRIST, Array, Body, norm, runs, smooth, speed
from vimonet.motion.kinematics.trajectory import ends_mean, relative_angle


@dataclass(frozen=True, slots=True)
class GroundPath:
    """Describe the path of the pelvis, half by half.

    Attributes:
        farthest: greatest distance from the start, m.
        half_distance: displacement in the first and in the second half of the time, m.
        half_angle: its direction, degrees from the facing direction as that half began, positive = left.
        half_speed: mean speed in each half, m/s.
    """

    farthest: float
    half_distance: tuple[float, float]
    half_angle: tuple[float, float]
    half_speed: tuple[float, float]


def ground_path(body: Body, angle: Array) -> GroundPath:
    """Measure the path of the pelvis (smoothed with sigma 0.15 s), given the heading [T] in radians."""
    ground = smooth(body.joints[:, PELVIS, [0, 2]], 0.15, body.fps)
    pace = speed(ground, body.fps)
    origin = ends_mean(ground, body.fps, 0.1)[0]
    middle = max(1, body.frames // 2)
    distance, direction, mean = [], [], []
    for a, b in ((0, middle), (min(middle, body.frames - 1), body.frames)):
        net = ground[b - 1] - ground[a]
        distance.append(float(np.hypot(*net)))
        direction.append(relative_angle(net, float(ends_mean(angle[a:b], body.fps)[0])))
        mean.append(float(pace[a:b].mean()))
    return GroundPath(
        float(norm(ground - origin).max()),
        (distance[0], distance[1]),
        (direction[0], direction[1]),
        (mean[0], mean[1]),
    )


def arm_asymmetry(body: Body, local: Array) -> float:
    """Measure how far the left wrist is from the mirrored right one, seen from the shoulders: mean, arm lengths.

    It is near 0 when both arms do the same at the same time, and large when they alternate, as in walking.
    """
    left = local[:, WRIST["left"]] - local[:, SHOULDER["left"]]
    right = local[:, WRIST["right"]] - local[:, SHOULDER["right"]]
    return float(norm(left - right * np.array([-1.0, 1.0, 1.0])).mean() / body.arm)


def one_leg_time(body: Body) -> float:
    """Measure the longest time in s on one leg: one foot down, the other ankle 0.25 leg lengths higher, pelvis high."""
    ankles = body.joints[:, [ANKLE["left"], ANKLE["right"]], 1]
    lifted = np.abs(ankles[:, 0] - ankles[:, 1]) > 0.25 * body.leg
    planted = ankles.min(axis=1) - body.floor < 0.25 * body.leg
    high = body.joints[:, PELVIS, 1] - body.floor > 0.8 * body.stand
    return max((b - a for a, b in runs(lifted & planted & high)), default=0) / body.fps
