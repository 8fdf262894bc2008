"""Where the viewer stands: plain orthographic or perspective projection of [.., 3] metres to pixels.

The viewpoints are named from the person's first facing: a clip looks the same whichever way its world was turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.motion import Motion

Array = NDArray[np.float64]

# (azimuth from the front towards the person's right, elevation), degrees. From the person's right, walking forward runs
# from left to right on the page, as a reader expects.
VIEWS: dict[str, tuple[float, float]] = {
    "front": (0.0, 6.0),
    "side": (90.0, 6.0),
    "three-quarter": (42.0, 12.0),
    "top": (0.0, 90.0),
}
_UP = np.array([0.0, 1.0, 0.0])


def first_facing(motion: Motion) -> Array:
    """Unit vector [3] in the ground plane: where the person faces at the start; +Z for 2D or when it cannot be told."""
    forward = np.array([0.0, 0.0, 1.0])
    if motion.dimensions == 2:
        return forward
    from vimonet.motion.kinematics import facing

    found = np.asarray(facing(motion.joints[: min(motion.frames, 40)])[0], dtype=np.float64)
    norm = float(np.hypot(found[0], found[2]))
    return np.array([found[0], 0.0, found[2]]) / norm if np.isfinite(norm) and norm > 1e-6 else forward


def floor_height(motion: Motion) -> float:
    """Height of the ground: what the lowest joint reaches in its low moments; one bad frame does not matter."""
    heights = np.where(motion.seen, motion.joints[..., 1], np.inf).min(axis=1)
    heights = heights[np.isfinite(heights)]
    return float(np.percentile(heights, 5)) if heights.size else 0.0


@dataclass(frozen=True)
class Camera:
    """A viewpoint: screen axes in the world, pixels per metre and, for perspective, the viewing distance in metres."""

    right: Array
    up: Array
    towards: Array  # unit vector from the target to the viewer: larger depth is nearer
    scale: float
    centre: tuple[float, float]  # pixel of the target
    distance: float | None = None  # None: orthographic

    @classmethod
    def look(
        cls, facing: Array, view: str, *, scale: float, centre: tuple[float, float], distance: float | None = None
    ) -> Camera:
        """A camera for one of VIEWS, for a person facing ``facing`` (unit, ground plane)."""
        azimuth, elevation = np.radians(VIEWS[view])
        if view == "top":  # a map: the first facing points up the page
            return cls(np.cross(-_UP, facing), facing, _UP, scale, centre, distance)
        rightwards = -np.cross(_UP, facing)
        around = np.cos(azimuth) * facing + np.sin(azimuth) * rightwards
        towards = np.cos(elevation) * around + np.sin(elevation) * _UP
        right = np.cross(-towards, _UP)
        right /= np.linalg.norm(right)
        return cls(right, np.cross(right, -towards), towards, scale, centre, distance)

    def project(self, points: Array, target: Array) -> tuple[Array, Array, Array]:
        """Points [..., 3] and target [3], metres, to pixels [..., 2], depth [...] in metres and magnification [...]."""
        relative = np.asarray(points, dtype=np.float64) - target
        depth = relative @ self.towards
        magnification = np.ones_like(depth)
        if self.distance is not None:
            # Points level with the viewer or behind have no image; they are held at a tenth of the distance.
            magnification = self.distance / np.maximum(self.distance - depth, 0.1 * self.distance)
        factor = self.scale * magnification
        x = self.centre[0] + factor * (relative @ self.right)
        y = self.centre[1] - factor * (relative @ self.up)
        return np.stack([x, y], axis=-1), depth, magnification
