"""A T-pose or A-pose at the start is told apart from the movement, described, and asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vimonet.evidence import measured_answer
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import measure
from vimonet.motion.kinematics.description import describe
from vimonet.motion.motion import resample


def posed(sinking: float, seconds: float) -> Motion:
    """The walking sample behind a pose whose arms sink by so many degrees below the level."""
    walk = load("sample:walk")
    still = walk.joints[:1].copy()
    pelvis = still[0, 0].copy()
    for hip, knee, ankle, foot in ((1, 4, 7, 10), (2, 5, 8, 11)):  # straight legs
        thigh, shank = (np.linalg.norm(still[0, b] - still[0, a]) for a, b in ((hip, knee), (knee, ankle)))
        toe = still[0, foot] - still[0, ankle]
        still[0, knee] = still[0, hip] - [0, thigh, 0]
        still[0, ankle] = still[0, knee] - [0, shank, 0]
        still[0, foot] = still[0, ankle] + toe
    left = still[0, 16] - still[0, 17]
    left = left / np.linalg.norm(left)
    angle = np.radians(sinking)
    for shoulder, elbow, wrist, sign in ((16, 18, 20, 1.0), (17, 19, 21, -1.0)):
        way = sign * left * np.cos(angle) - np.array([0, 1, 0]) * np.sin(angle)
        upper = np.linalg.norm(still[0, elbow] - still[0, shoulder])
        fore = np.linalg.norm(still[0, wrist] - still[0, elbow])
        still[0, elbow] = still[0, shoulder] + way * upper
        still[0, wrist] = still[0, elbow] + way * fore
    assert np.allclose(still[0, 0], pelvis)
    joints = np.concatenate([np.repeat(still, round(seconds * 20), axis=0), walk.joints])
    return Motion(joints.astype(np.float32))


@pytest.mark.parametrize(("sinking", "name", "other"), [(0.0, "T", "A"), (45.0, "A", "T")])
def test_a_pose_at_the_start_is_answered(sinking: float, name: str, other: str) -> None:
    facts = measure(posed(sinking, 1.2))
    said = measured_answer(f"Does it begin with a {name}-pose?", facts)
    assert said is not None and said.startswith("yes, from 0.0 to 1.")
    assert measured_answer(f"Is the person ever in a {other}-pose?", facts) == "no"
    assert measured_answer("Which calibration pose does it start with?", facts) == said.replace("yes", f"{name}-pose")
    assert any(line.startswith(f"begins with: {name}-pose 0.0-1.") for line in facts.lines())


@pytest.mark.parametrize(("fps", "noise"), [(20, 0.01), (60, 0.006), (120, 0.01)])
def test_a_pose_is_held_under_the_noise_of_a_sensor(fps: int, noise: float) -> None:
    joints, _ = resample(posed(0.0, 1.2).joints, 20.0, float(fps))
    rng = np.random.default_rng(5)
    motion = load((joints + rng.normal(0, noise, joints.shape)).astype(np.float32), fps=fps)
    assert any("begins with a T-pose held for 1." in note for note in motion.notes)
    pose = measure(motion).calibration_pose()
    assert pose is not None and pose.name == "T-pose" and pose.end == pytest.approx(1.2, abs=0.25)


@pytest.mark.parametrize("seconds", [8, 16])
def test_arms_that_are_slowly_raised_or_lowered_hold_no_pose(seconds: int) -> None:
    sinking = np.linspace(0, 85, seconds * 20)
    joints = np.concatenate([posed(angle, 0.05).joints[:1] for angle in sinking])
    for way in (joints, joints[::-1]):
        motion = load(np.ascontiguousarray(way), fps=20)
        assert not any("begins with" in note for note in motion.notes)
        assert measure(motion).calibration_pose() is None


def test_a_walk_begins_with_none() -> None:
    facts = measure(load("sample:walk"))
    assert measured_answer("Does the recording start with a T-pose?", facts) == "no"
    assert facts.calibration_pose() is None and not any("-pose" in line for line in facts.lines())


def test_the_takes_that_people_have(shared: Path) -> None:
    folder = next((shared.parent / "cases").glob("24-*"))
    held, only = load(folder / "a_hold.bvh"), load(folder / "b_tpose.bvh")
    for motion, end in ((held, 1.0), (only, 2.0)):
        said = measured_answer("Is the person in a T-pose?", measure(motion))
        assert said is not None and said.startswith("yes, from 0.0 to ")
        assert float(said.split()[-2]) == pytest.approx(end, abs=0.15)
    assert (describe(held) or "").startswith("stands with the arms out (T-pose) for ")
    assert measured_answer("Does it begin with an A-pose?", measure(held)) == "no"
