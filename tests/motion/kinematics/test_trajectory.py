"""Heading, turns, displacement and speed against movements whose truth is known, and under rigid moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion import Motion
from vimonet.motion.kinematics import facing, heading, measure
from vimonet.motion.skeleton import T_POSE


def turned(motion: Motion, degrees: float, x: float = 0.0, z: float = 0.0) -> Motion:
    a = np.radians(degrees)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return replace(motion, joints=(motion.joints @ about_y.T + [x, 0, z]).astype(np.float32))


@pytest.mark.parametrize(
    ("degrees", "forward"), [(0, (0, 0, 1)), (90, (1, 0, 0)), (180, (0, 0, -1)), (-90, (-1, 0, 0))]
)
def test_facing_of_a_turned_pose(degrees: float, forward: tuple[float, float, float]) -> None:
    pose = turned(Motion(np.tile(T_POSE, (5, 1, 1))), degrees)
    np.testing.assert_allclose(facing(pose.joints), np.tile(forward, (5, 1)), atol=1e-5)


def test_plus_x_is_the_left_of_someone_who_faces_plus_z() -> None:
    left = turned(Motion(np.tile(T_POSE, (5, 1, 1))), 30.0)
    assert np.degrees(heading(left.joints)[0]) == pytest.approx(30.0, abs=1e-3)
    assert facing(left.joints)[0, 0] > 0


@pytest.mark.parametrize(
    ("axis", "degrees"), [("pitch", 88), ("pitch", -88), ("roll", 88), ("roll", -88), ("pitch", 110)]
)
def test_heading_survives_lying_down(axis: str, degrees: float) -> None:
    a = np.radians(degrees)
    c, s = np.cos(a), np.sin(a)
    lie = (
        np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        if axis == "pitch"
        else np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    )
    joints = np.tile(T_POSE @ lie.T, (6, 1, 1))
    for around in (0.0, 70.0, 180.0):
        angle = np.degrees(heading(turned(Motion(joints.astype(np.float32)), around).joints)[0])
        assert (angle - around + 180) % 360 - 180 == pytest.approx(0.0, abs=5.0)  # the neck sits behind the pelvis


def test_an_inverted_trunk_takes_the_heading_of_its_neighbours() -> None:
    t = np.linspace(0, 2 * np.pi, 60)  # a somersault: pitch all the way round
    c, s, o, i = np.cos(t), np.sin(t), np.zeros(60), np.ones(60)
    over = np.stack([np.stack([i, o, o], 1), np.stack([o, c, -s], 1), np.stack([o, s, c], 1)], axis=1)
    joints = np.einsum("tij,kj->tki", over, T_POSE)
    assert np.abs(np.degrees(heading(joints))).max() < 5.0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("action", ["turn_walking", "turn_in_place"])
def test_turns_have_the_right_sign_size_and_number(action: str, seed: int) -> None:
    motion, truth = generate(action, seed=seed)
    facts = measure(motion)
    assert facts.net_turn == pytest.approx(truth["turn"], abs=8.0)
    assert facts.turns is not None and len(facts.turns) == 1
    assert facts.turns[0].degrees == pytest.approx(truth["turn"], abs=15.0)
    assert 0 <= facts.turns[0].start < facts.turns[0].end <= facts.duration


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("action", "name"), [("walk", "forward"), ("run", "forward"), ("walk_backward", "backward"), ("side_step", None)]
)
def test_displacement_and_direction(action: str, name: str | None, seed: int) -> None:
    motion, truth = generate(action, seed=seed)
    facts = measure(motion)
    assert facts.displacement == pytest.approx(truth["displacement"], abs=0.08)
    assert facts.displacement_direction == facts.locomotion_direction == (name or truth["side"])
    assert facts.path_length == pytest.approx(truth["path_length"], abs=0.15)
    assert facts.peak_speed == pytest.approx(truth["speed"], rel=0.12)
    assert facts.turns == ()


def test_who_stands_goes_nowhere() -> None:
    facts = measure(generate("stand", seed=1)[0])
    assert facts.displacement_direction == "in place"
    assert facts.path_length is not None and facts.path_length < 0.1
    assert not facts.turns and not facts.steps and not facts.jumps and not facts.falls and facts.repetitions is None


def test_walking_backward_around_a_bend_stays_backward() -> None:
    motion, _ = generate("turn_walking", seed=0, side="left", degrees=180.0, speed=1.0)
    back = replace(motion, joints=motion.joints[::-1].copy())
    facts = measure(back)
    assert facts.locomotion_direction == "backward"
    assert facts.net_turn == pytest.approx(-180.0, abs=8.0)


@pytest.mark.parametrize("action", ["turn_walking", "side_step", "wave", "fall", "squats"])
def test_nothing_changes_when_the_world_is_turned_and_shifted(action: str) -> None:
    motion, _ = generate(action, seed=3)
    one, two = measure(motion), measure(turned(motion, 137.0, x=5.0, z=-3.0))
    assert one.displacement == pytest.approx(two.displacement, abs=1e-3)
    assert one.net_turn == pytest.approx(two.net_turn, abs=0.05)
    assert one.displacement_direction == two.displacement_direction
    assert one.raised() == two.raised()
    assert one.posture is not None and two.posture is not None
    assert [p.label for p in one.posture] == [p.label for p in two.posture]
    assert one.steps == two.steps
    assert one.limb_activity == pytest.approx(two.limb_activity, abs=1e-3)
    assert (one.repetitions and one.repetitions.count) == (two.repetitions and two.repetitions.count)
