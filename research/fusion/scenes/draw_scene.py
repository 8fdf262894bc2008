"""Scenes from a seed: what people wear, their shapes, the room, the light, where things stand, the camera.

Training and test scenes differ in what a body and a room can be: test bodies are thinner or thicker than any of
training, and test rooms combine floor, pattern and colour as no room of training does.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from research.fusion.scenes import pinhole
from research.fusion.scenes.scene import (
    CLOTHES,
    FLOORS,
    HAIR,
    HEIGHTS,
    KINDS,
    LAMP,
    LAMP_HEIGHT,
    OBJECTS,
    PATTERNS,
    SKIN,
    WALLS,
    Camera,
    Ground,
    Lamp,
    Light,
    Person,
    Prop,
    Room,
    Scene,
)
from vimonet.motion.kinematics import heading

Joints = NDArray[np.float32]
Array = NDArray[np.float64]

FARTHEST = 7.5
"""Metres of the camera from its target beyond which people are too small in the picture: such a scene is drawn anew."""

_TEST_ROOMS = 4
"""One in so many combinations of floor, pattern and colour is kept for the test."""


def draw_scene(
    movements: Sequence[Joints], changes: Sequence[float], rng: random.Random, test: bool = False, tries: int = 12
) -> Scene | None:
    """A scene for one or two people, in which what is asked about can be seen.

    Args:
        movements: joints [T, 22, 3] of each; of two, the second stands beside the first.
        changes: seconds at which the lamp changes its colour; without any the lamp keeps one.
        rng: source of chance.
        test: whether bodies and rooms are those kept for the test.
        tries: arrangements tried.

    Returns:
        The scene, or None when no arrangement showed everything.
    """
    people = _people(len(movements), movements, rng, test)
    room = draw_room(rng, test)
    light = Light(rng.uniform(0, 360), rng.uniform(40, 70), rng.uniform(-1, 1), rng.uniform(0.5, 0.62))
    kinds, colours = rng.sample(KINDS, 2), rng.sample(sorted(OBJECTS), 2)
    shades = rng.sample(sorted(LAMP), len(changes) + 1)
    for _ in range(tries):
        view = rng.uniform(-70, 70) + (180 if rng.random() < 0.2 else 0)
        placed = _side_by_side(people, movements, view, rng)
        bodies = [pinhole.place(person, joints) for person, joints in zip(placed, movements, strict=True)]
        facing = float(np.degrees(heading(bodies[0].astype(np.float32))[0]))
        camera = Camera(facing + view, rng.uniform(6, 26), 6.0, (0.0, 0.9, 0.0))
        props = tuple(
            Prop(kind, colour, spot, rng.uniform(0, 360))
            for kind, colour, spot in zip(kinds, colours, _spots(bodies, facing, rng), strict=True)
        )
        behind = -pinhole.axes(camera)[2] * np.array([1, 0, 1])
        middle = np.concatenate([b[:, 0] for b in bodies]).mean(0)
        side = pinhole.axes(camera)[0] * rng.choice((-1, 1)) * rng.uniform(0.9, 1.5)
        at = middle - behind / np.linalg.norm(behind) * rng.uniform(0.7, 1.3) + side
        lamp = Lamp((float(at[0]), float(at[2])), tuple(zip((0.0, *map(float, changes)), shades, strict=True)))
        scene = _framed(Scene(placed, props, lamp, room, light, camera), bodies)
        if scene is not None and shown(scene, bodies):
            return scene
    return None


def draw_room(rng: random.Random, test: bool) -> Room:
    """A room out of those for training, or out of those kept for the test; its size comes with the scene."""
    while True:
        floor, wall, colour = rng.choice(FLOORS), rng.choice(PATTERNS), rng.choice(sorted(WALLS))
        if kept_for_test(floor, wall, colour) == test:
            return Room(floor, wall, colour, rng.randrange(10**6), (0.0, 0.0), (3.0, 3.0))


def kept_for_test(floor: str, wall: str, colour: str) -> bool:
    """Whether a combination of floor, wall pattern and wall colour is seen in the test alone."""
    return zlib.crc32(f"room/{floor}/{wall}/{colour}".encode()) % _TEST_ROOMS == 0


def draw_girth(rng: random.Random, test: bool) -> float:
    """Thickness of a body: 0.86 to 1.16 in training, thinner or thicker in the test."""
    if not test:
        return rng.uniform(0.86, 1.16)
    return rng.uniform(0.74, 0.84) if rng.random() < 0.5 else rng.uniform(1.18, 1.32)


def _people(number: int, movements: Sequence[Joints], rng: random.Random, test: bool) -> tuple[Person, ...]:
    """Different shirts and hair for two, and none in the colour of their own trousers."""
    shirts, hair = rng.sample(sorted(CLOTHES), number), rng.sample(sorted(HAIR), number)
    made = []
    for i in range(number):
        trousers = rng.choice([colour for colour in sorted(CLOTHES) if colour != shirts[i]])
        floor = float(np.quantile(movements[i][..., 1].min(axis=1), 0.1)) - 0.035
        made.append(
            Person(
                *(shirts[i], trousers, hair[i], rng.choice(sorted(SKIN)), rng.random() < 0.5, rng.random() < 0.5),
                *(draw_girth(rng, test), rng.uniform(0.95, 1.08)),
                floor=floor,
            )
        )
    return tuple(made)


def _side_by_side(
    people: tuple[Person, ...], movements: Sequence[Joints], view: float, rng: random.Random
) -> tuple[Person, ...]:
    """Two stand apart across the line of sight, facing about alike."""
    if len(people) == 1:
        return people
    first, second = (float(np.degrees(heading(joints)[0])) for joints in movements)
    azimuth = np.radians(first + view)
    right = np.array([np.cos(azimuth), -np.sin(azimuth)])
    apart = right * rng.uniform(1.15, 1.5) * rng.choice((-1, 1))
    turn = first - second + rng.uniform(-40, 40)
    return people[0], replace(people[1], place=(float(apart[0]), float(apart[1])), turn=turn)


def _spots(bodies: list[Array], facing: float, rng: random.Random) -> list[Ground]:
    """One place to the left and one to the right of the first person, nobody's way."""
    path = np.concatenate([body[:, 0] for body in bodies])[:, [0, 2]]
    start = bodies[0][0, 0, [0, 2]]
    signs = rng.sample((-1, 1), 2)
    spots = []
    for sign in signs:
        angle = np.radians(facing + sign * rng.uniform(50, 100))
        toward = np.array([np.sin(angle), np.cos(angle)])
        reach = rng.uniform(0.85, 1.15)
        while np.linalg.norm(path - (start + reach * toward), axis=1).min() < 0.65 and reach < 3.0:
            reach += 0.1
        spot = start + reach * toward
        spots.append((float(spot[0]), float(spot[1])))
    return spots


def _framed(scene: Scene, bodies: list[Array]) -> Scene | None:
    """The scene with its camera as near as shows all of it, in a room that holds all of it."""
    corners = [body.reshape(-1, 3) for body in bodies] + [body[:, 15] + np.array([0, 0.22, 0]) for body in bodies]
    for prop in scene.props:
        corners.append(
            np.array([[prop.place[0] + a, h, prop.place[1]] for a in (-0.3, 0.3) for h in (0.0, HEIGHTS[prop.kind])])
        )
    if scene.lamp is not None:
        corners.append(np.array([[scene.lamp.place[0], h, scene.lamp.place[1]] for h in (0.0, LAMP_HEIGHT + 0.3)]))
    points = np.concatenate(corners)
    low, high = points.min(0), points.max(0)
    middle = (low + high) / 2
    for distance in np.arange(3.2, FARTHEST, 0.2):
        camera = replace(
            scene.camera, distance=float(distance), target=(float(middle[0]), float(middle[1]), float(middle[2]))
        )
        seen = pinhole.project(camera, points)
        if seen[:, 2].min() > 0.8 and np.abs(seen[:, :2]).max() < 0.94:
            half = (float(high[0] - low[0]) / 2 + 0.7, float(high[2] - low[2]) / 2 + 0.7)
            room = replace(
                scene.room, centre=(float(middle[0]), float(middle[2])), half=(max(2.2, half[0]), max(2.2, half[1]))
            )
            return replace(scene, camera=camera, room=room)
    return None


def shown(scene: Scene, bodies: list[Array]) -> bool:
    """Whether nobody hides another, a prop or the lamp for long, and the props are apart in the picture."""
    where = [pinhole.project(scene.camera, body) for body in bodies]
    middle = [w[:, 0, 0] for w in where]
    if len(bodies) == 2 and (
        np.abs(middle[0] - middle[1]).min() < 0.22 or len(np.unique(np.sign(middle[0] - middle[1]))) > 1
    ):
        return False
    things = [np.array([p.place[0], 0.3, p.place[1]]) for p in scene.props]
    if scene.lamp is not None:
        things.append(np.array([scene.lamp.place[0], LAMP_HEIGHT, scene.lamp.place[1]]))
    places = [pinhole.project(scene.camera, thing) for thing in things]
    for n, place in enumerate(places):
        if any(np.hypot(*(place[:2] - other[:2])) < 0.22 for other in places[:n]):
            return False
        for w in where:
            near = np.hypot(w[..., 0] - place[0], w[..., 1] - place[1]).min(axis=1) < 0.1
            if (near & (w[:, 0, 2] < place[2])).mean() > 0.25:
                return False
    return True
