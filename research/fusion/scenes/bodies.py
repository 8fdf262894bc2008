"""A body of rounded cones around 22 joints: dressed, with a face that shows where it looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from research.fusion.scenes.meshes import Mesh, rounded_cone
from research.fusion.scenes.scene import CLOTHES, HAIR, SKIN, Person
from vimonet.motion.skeleton import INDEX

Array = NDArray[np.float64]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class PackedSample:
    """A part of a body.

    Attributes:
        mesh: around the origin, its length along y.
        colour: red, green, blue in 0..1.
        turns: rotation of every frame, [T, 3, 3], columns x (the body's left), y (along the part), z.
        places: its origin in every frame, [T, 3].
    """

    mesh: Mesh
    colour: Colour
    turns: Array
    places: Array


def pieces(person: Person, joints: Array) -> list[PackedSample]:
    """The parts of a body.

    Args:
        person: clothes and shape.
        joints: [T, 22, 3] in the room.
    """
    g, shirt, trousers, skin = person.girth, CLOTHES[person.shirt], CLOTHES[person.trousers], SKIN[person.skin]
    at = {name: joints[:, index] for name, index in INDEX.items()}
    hips, shoulders = at["left_hip"] - at["right_hip"], at["left_shoulder"] - at["right_shoulder"]
    made: list[PackedSample] = []

    def add(
        a: Array,
        b: Array,
        radii: tuple[float, float],
        colour: Colour,
        across: Array,
        wide: float = 1.0,
        more: float = 0.0,
    ) -> None:
        frame = _frames(b - a, across)
        length = float(np.median(np.linalg.norm(b - a, axis=1))) + more
        made.append(PackedSample(rounded_cone(length, radii[0], radii[1], wide), colour, frame, a))

    add(at["pelvis"], at["spine2"], (0.095 * g, 0.09 * g), trousers, hips, 1.45)
    add(at["spine1"], at["spine3"], (0.1 * g, 0.105 * g), shirt, shoulders, 1.5)
    add(at["spine3"], at["neck"], (0.1 * g, 0.062), shirt, shoulders, 1.45, -0.04)
    add(at["left_shoulder"], at["right_shoulder"], (0.062 * g, 0.062 * g), shirt, at["neck"] - at["spine3"])
    add(at["neck"], at["head"], (0.05, 0.048), skin, shoulders)
    for side in ("left", "right"):
        hip, knee, ankle, foot = (at[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "foot"))
        shoulder, elbow, wrist = (at[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
        add(hip, knee, (0.088 * g, 0.062 * g), trousers, hips)
        add(knee, ankle, (0.06 * g, 0.047 * g), trousers, hips)
        add(ankle, foot, (0.045, 0.04), (0.13, 0.11, 0.10), hips, 1.05, 0.05)
        add(shoulder, elbow, (0.056 * g, 0.046 * g), shirt, hips)
        add(elbow, wrist, (0.044 * g, 0.034 * g), shirt if person.long_sleeves else skin, hips)
        add(wrist, wrist + 0.6 * (wrist - elbow), (0.038, 0.034), skin, hips, 1.0, -0.06)
    return made + _head(person, at["head"], at["head"] - at["neck"], shoulders, skin)


def _head(person: Person, at: Array, up: Array, across: Array, skin: Colour) -> list[PackedSample]:
    """Head, hair, eyes and nose: placed in the frame of neck and shoulders."""
    frame, s, hair = _frames(up, across), person.head, HAIR[person.hair]

    def part(
        x: float, y: float, z: float, radius: float, colour: Colour, length: float = 0.0, wide: float = 1.0
    ) -> PackedSample:
        offset = frame @ np.array([x * s, y * s, z * s])
        return PackedSample(rounded_cone(length * s, radius * s, radius * s, wide), colour, frame, at + offset)

    made = [part(0, 0.045, 0.015, 0.093, skin, 0.05, 0.93), part(0, 0.085, -0.012, 0.105, hair, 0.025, 0.97)]
    made += [part(x, 0.075, 0.1, 0.013, (0.05, 0.05, 0.06)) for x in (-0.034, 0.034)]
    made += [part(0, 0.045, 0.11, 0.02, skin)]
    if person.long_hair:
        made.append(part(0, -0.1, -0.06, 0.075, hair, 0.16, 1.15))
    return made


def _frames(along: Array, across: Array) -> Array:
    """Right-handed frames [T, 3, 3]: y along one vector, x as near as can be to another."""
    y = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    x = across - (across * y).sum(1, keepdims=True) * y
    small = np.linalg.norm(x, axis=1) < 1e-4
    if small.any():  # the limb lies along the line: any perpendicular will do
        spare = np.where(np.abs(y[:, :1]) < 0.9, np.array([[1.0, 0, 0]]), np.array([[0, 0, 1.0]]))
        x[small] = np.cross(y, spare)[small]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)
