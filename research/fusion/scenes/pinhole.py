"""Where points lie in a scene's picture: the pinhole that the renderer uses, in numpy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from research.fusion.scenes.scene import Camera, Person

Array = NDArray[np.float64]


def axes(camera: Camera) -> Array:
    """Right, up and forward of a camera as rows, [3, 3]."""
    azimuth, elevation = math.radians(camera.azimuth), math.radians(camera.elevation)
    flat = math.cos(elevation)
    forward = -np.array([math.sin(azimuth) * flat, math.sin(elevation), math.cos(azimuth) * flat])
    right = np.array([math.cos(azimuth), 0.0, -math.sin(azimuth)])
    return np.stack([right, np.cross(right, forward), forward])


def position(camera: Camera) -> Array:
    """Where a camera stands, [3]."""
    return np.asarray(camera.target) - camera.distance * axes(camera)[2]


def project(camera: Camera, points: Array) -> Array:
    """Picture coordinates of points.

    Args:
        points: [..., 3] in the room.

    Returns:
        [..., 3]: x to the right and y up, each -1 to 1 over the picture, and the distance along the line of sight, m.
    """
    seen = (points - position(camera)) @ axes(camera).T
    depth = np.maximum(seen[..., 2:], 1e-3)
    return np.concatenate([seen[..., :2] / depth / math.tan(math.radians(camera.angle / 2)), seen[..., 2:]], axis=-1)


def place(person: Person, joints: NDArray[np.float32]) -> Array:
    """A movement [T, 22, 3] where and as it is done in the room."""
    moved = joints.astype(np.float64) - joints[0, 0] * np.array([1.0, 0.0, 1.0])
    sin, cos = math.sin(math.radians(person.turn)), math.cos(math.radians(person.turn))
    x, z = moved[..., 0].copy(), moved[..., 2].copy()
    moved[..., 0] = cos * x + sin * z + person.place[0]
    moved[..., 2] = cos * z - sin * x + person.place[1]
    moved[..., 1] -= person.floor
    return moved
