"""What the image plane tells: ways, sizes and turns of movements filmed from known places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vimonet.motion import Motion, load
from vimonet.motion.kinematics.image_plane import TRUNK, image_plane
from vimonet.motion.projection import project
from vimonet.samples import sample_path


def standing(frames: int = 60) -> Motion:
    return Motion(np.repeat(load(sample_path("squats")).joints[:1], frames, axis=0))


def turned(degrees: float, frames: int = 60) -> Motion:
    """A standing body that turns evenly about the vertical through its pelvis."""
    joints = standing(frames).joints.copy()
    angle = np.radians(np.linspace(0, degrees, frames))[:, None]
    moved = joints - joints[:, :1]
    x = np.cos(angle) * moved[..., 0] + np.sin(angle) * moved[..., 2]
    z = np.cos(angle) * moved[..., 2] - np.sin(angle) * moved[..., 0]
    return Motion(np.stack([x, moved[..., 1], z], axis=-1) + joints[:, :1])


@pytest.mark.parametrize(("azimuth", "shows"), [(0.0, "front"), (180.0, "back"), (90.0, "side"), (-90.0, "side")])
def test_who_stands_stays_and_shows_one_side(azimuth: float, shows: str) -> None:
    plane = image_plane(project(standing(), azimuth))
    assert plane is not None and plane.travels is False and plane.shows == shows
    assert plane.turns is (None if shows == "side" else False), "from the side a width of nothing tells no turn"
    assert abs(plane.across) < 0.01 and plane.nearer == pytest.approx(1.0)


def test_a_walk_goes_across_from_the_side_and_grows_from_the_front() -> None:
    walk = load(sample_path("walk"))
    left, right, front, back = (image_plane(project(walk, azimuth, 0.0, 8.0)) for azimuth in (90, -90, 0, 180))
    assert left is not None and right is not None and front is not None and back is not None
    assert left.travels and left.across < -2 and right.across > 2
    assert left.across == pytest.approx(-right.across, rel=0.2)
    assert front.travels and front.nearer > 1.35 and abs(front.across) < 0.5
    assert back.nearer < 1 / 1.35


@pytest.mark.parametrize(
    ("degrees", "turns"), [(180.0, True), (-180.0, True), (0.0, False), (20.0, False), (70.0, None)]
)
def test_a_turn_shows_front_and_back(degrees: float, turns: bool | None) -> None:
    plane = image_plane(project(turned(degrees)))
    assert plane is not None and plane.turns is turns and plane.travels is False


def test_without_a_trunk_in_view_nothing_is_told() -> None:
    film = project(standing())
    confidence = np.ones((60, 22), np.float32)
    confidence[:31, TRUNK[0]] = 0
    assert image_plane(replace(film, confidence=confidence)) is None
    confidence[30, TRUNK[0]] = 1
    assert image_plane(replace(film, confidence=confidence)) is not None
