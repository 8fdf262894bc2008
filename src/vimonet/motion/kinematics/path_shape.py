"""Measure the shape of the path over the ground: straight, curved, round, there and back, zigzag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vimonet.motion.kinematics.gait_categories import path_name
from vimonet.motion.kinematics.preparation import PELVIS, Array, Body, norm, smooth, speed


@dataclass(frozen=True, slots=True)
class PathShape:
    """Describe the shape of the pelvis's path over the ground, steps smoothed out.

    Attributes:
        straightness: distance of its ends as a share of its length; 1 is a straight line.
        turned: sum of its changes of direction, degrees, positive to the left.
        bent: the same sum without regard to direction, degrees.
        swings: number of bends over 35 degrees, each in the other sense than the one before.
        thinness: extent across as a share of the extent along its longest axis.
        closing: distance of its ends as a share of the farthest distance from the start.
    """

    straightness: float
    turned: float
    bent: float
    swings: int
    thinness: float
    closing: float

    @property
    def name(self) -> str | None:
        """Name the shape; None where two names fit."""
        return path_name(self.turned, self.bent, self.straightness, self.closing, self.thinness, self.swings)

    def lines(self) -> list[str]:
        """Return the name of the shape, if it has one."""
        return [f"path shape: {self.name}"] if self.name else []


def path_shape(body: Body) -> PathShape | None:
    """Measure the shape of the path by points 0.35 leg lengths apart; None for a path under three of them.

    The pelvis is smoothed with sigma 0.35 s, so that its sway from step to step is no bend.
    """
    raw = body.joints[:, PELVIS][:, [0, 2]]
    ground = smooth(raw, 0.35, body.fps)
    along = np.concatenate(([0.0], np.cumsum(norm(np.diff(ground, axis=0)))))
    count = int(along[-1] / (0.35 * body.leg))
    if count < 3 or float(speed(ground, body.fps).max()) < 0.2:
        return None
    at = np.linspace(0.0, along[-1], count + 1)
    points = np.stack([np.interp(at, along, ground[:, i]) for i in (0, 1)], axis=1)
    steps = np.diff(points, axis=0)
    way = np.degrees(np.unwrap(np.arctan2(steps[:, 0], steps[:, 1])))
    bends = np.diff(way)
    ends = float(norm(points[-1] - points[0]))
    extent = np.linalg.eigh(np.cov((points - points.mean(axis=0)).T))[0]
    return PathShape(
        straightness=ends / float(along[-1]),
        turned=float(way[-1] - way[0]),
        bent=float(np.abs(bends).sum()),
        swings=_swings(way),
        thinness=float(np.sqrt(max(extent[0], 0.0) / max(extent[1], 1e-9))),
        closing=ends / max(float(norm(points - points[0]).max()), 1e-6),
    )


def _swings(way: Array, least: float = 35.0) -> int:
    """Count the bends of `least` degrees or more, each in the other sense than the one before."""
    count, sense = 0, 0
    low = high = float(way[0])
    for value in way.tolist():
        low, high = min(low, value), max(high, value)
        if sense != 1 and value - low >= least:
            count, sense, high = count + 1, 1, value
        elif sense != -1 and high - value >= least:
            count, sense, low = count + 1, -1, value
    return count
