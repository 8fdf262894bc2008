"""Shapes as triangles: rounded cones, boxes, and textured rectangles. Numpy only."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from research.fusion.scenes.scene import WALLS, Room

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Mesh:
    """Triangles: points and normals [N, 3], corners [M, 3] counter-clockwise from outside, texture places [N, 2]."""

    points: Array
    normals: Array
    corners: NDArray[np.uint16]
    texture: Array | None = None


def rounded_cone(
    length: float, first: float, last: float, wide: float = 1.0, deep: float = 1.0, sides: int = 14, flat: bool = False
) -> Mesh:
    """A cone from radius `first` at the origin to `last` at y = `length`, its ends half spheres, or `flat`.

    Args:
        wide, deep: stretch along x and z.
    """
    if flat:
        rings = [(0.0, 0.0, 0.0, -1.0), (first, 0.0, 0.0, -1.0), (first, 0.0, 1.0, 0.0)]
        rings += [(last, length, 1.0, 0.0), (last, length, 0.0, 1.0), (0.0, length, 0.0, 1.0)]
    else:
        bow = np.linspace(0.0, np.pi / 2, 5)
        rings = [(first * np.sin(a), -first * np.cos(a), np.sin(a), -np.cos(a)) for a in bow]
        rings += [(last * np.cos(a), length + last * np.sin(a), np.cos(a), np.sin(a)) for a in bow]
    radius, height, out, up = (np.array(column, np.float32)[:, None] for column in zip(*rings, strict=True))
    around = np.linspace(0, 2 * np.pi, sides + 1, dtype=np.float32)[None]
    sin, cos = np.sin(around), np.cos(around)
    ones = np.ones_like(around)
    points = np.stack([radius * cos * wide, height * ones, radius * sin * deep], -1).reshape(-1, 3)
    normals = np.stack([out * cos / wide, up * ones, out * sin / deep], -1).reshape(-1, 3)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    start = (np.arange(len(rings) - 1)[:, None] * (sides + 1) + np.arange(sides)[None]).ravel()
    next_ring = start + sides + 1
    corners = np.concatenate(
        [np.stack([start, next_ring, start + 1], 1), np.stack([start + 1, next_ring, next_ring + 1], 1)]
    )
    return Mesh(points.astype(np.float32), normals.astype(np.float32), corners.astype(np.uint16))


def block(width: float, height: float, depth: float) -> Mesh:
    """A box that stands on the origin."""
    points: list[NDArray[np.float64]] = []
    normals: list[NDArray[np.float64]] = []
    corners: list[list[int]] = []
    half = np.array([width / 2, height / 2, depth / 2])
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            u, v = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
            start = len(points)
            points += [(normal + a * u + b * v) * half for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            normals += [normal] * 4
            order = (0, 1, 2, 0, 2, 3) if sign > 0 else (0, 2, 1, 0, 3, 2)
            corners += [[start + i for i in order[:3]], [start + i for i in order[3:]]]
    placed = np.array(points, np.float32) + np.array([0, height / 2, 0], np.float32)
    return Mesh(placed, np.array(normals, np.float32), np.array(corners, np.uint16))


def rectangle(corner: Array, along: Array, up: Array, repeat: tuple[float, float]) -> Mesh:
    """A rectangle seen from the side of ``along x up``, its texture repeated."""
    points = np.stack([corner, corner + along, corner + along + up, corner + up])
    normal = np.cross(along, up)
    normals = np.repeat((normal / np.linalg.norm(normal))[None], 4, 0)
    u, v = repeat
    texture = np.array([[0, 0], [u, 0], [u, v], [0, v]], np.float32)
    corners = np.array([[0, 1, 2], [0, 2, 3]], np.uint16)
    return Mesh(points.astype(np.float32), normals.astype(np.float32), corners, texture)


_TONES = {"tiles": (0.74, 0.73, 0.70), "planks": (0.66, 0.47, 0.29), "carpet": (0.45, 0.44, 0.50)}


def floor_tone(room: Room) -> tuple[float, float, float]:
    """Mean colour of a room's floor."""
    rng = random.Random(f"floor/{room.grain}")
    shade = rng.uniform(0.85, 1.12)
    r, g, b = (min(0.95, c * shade * rng.uniform(0.95, 1.05)) for c in _TONES[room.floor])
    return r, g, b


def floor_texture(room: Room, size: int = 128) -> NDArray[np.uint8]:
    """Two metres of floor as a texture [size, size, 3]: tiles with joints, planks of several tones, or carpet."""
    rng = np.random.default_rng(room.grain)
    shade = np.ones((size, size), np.float32)
    if room.floor == "tiles":
        step = size // 4
        checks = (np.arange(size)[:, None] // step + np.arange(size)[None] // step) % 2
        shade -= 0.22 * checks
        shade[::step] = shade[:, ::step] = 0.6
    elif room.floor == "planks":
        wide = size // 8
        for row in range(8):
            cut = int(rng.integers(size))
            tones = rng.uniform(0.82, 1.12, 2)
            shade[row * wide : (row + 1) * wide] = np.where((np.arange(size) + cut) % size < size // 2, *tones)
            shade[row * wide] = 0.6
    else:
        shade += rng.uniform(-0.12, 0.12, (size, size)).astype(np.float32)
        shade[:, :: size // 8] *= 0.93
    return _coloured(shade, floor_tone(room))


def wall_texture(room: Room, size: int = 128) -> NDArray[np.uint8]:
    """One metre of wall as a texture [size, size, 3]: plain, in stripes or of bricks."""
    shade = np.ones((size, size), np.float32)
    if room.wall == "stripes":
        shade[:, (np.arange(size) // (size // 4)) % 2 == 1] = 0.82
    elif room.wall == "bricks":
        high, wide = size // 8, size // 4
        shade[np.arange(size) % high < 2] = 0.72
        for row in range(8):
            columns = (np.arange(size) + (row % 2) * wide // 2) % wide < 2
            shade[row * high : (row + 1) * high, columns] = 0.72
    return _coloured(shade, WALLS[room.colour])


def _coloured(shade: Array, tone: tuple[float, float, float]) -> NDArray[np.uint8]:
    return np.rint(255 * np.clip(shade[..., None] * np.array(tone, np.float32), 0, 1)).astype(np.uint8)
