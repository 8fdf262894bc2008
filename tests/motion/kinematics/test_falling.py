"""Drops and falls: when, how far, and what speaks for one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion.kinematics.falling import FEATURES, drops, find_falls
from vimonet.motion.motion import Motion
from vimonet.motion.projection import project


@pytest.mark.parametrize("action", ["walk", "squats", "bow", "wave", "sit_down", "jumps"])
def test_other_movement_in_a_picture_is_no_fall(action: str) -> None:
    for seed in range(4):
        motion = project(generate(action, seed=70_000 + seed)[0], 60.0, 10.0, 5.0)
        assert find_falls(motion.joints, motion.confidence, motion.fps, True) == []


def test_the_time_of_a_fall() -> None:
    motion = generate("fall", seed=70_001)[0]
    fastest = int(np.argmax(-np.gradient(motion.joints[:, 12, 1])))
    (fall,) = find_falls(motion.joints, None, motion.fps, False)
    assert fall.start < fastest < fall.end and abs(fall.frame - fastest) <= 2
    assert fall.height == pytest.approx(np.ptp(motion.joints[:, 12, 1]), rel=0.25)


def fallen(seconds: float) -> np.ndarray:
    """A generated fall whose body then lies for some seconds."""
    joints = generate("fall", seed=70_001)[0].joints
    return np.concatenate([joints, np.repeat(joints[-1:], round(seconds * 20), axis=0)])


@pytest.mark.parametrize("before", [4, 3])
@pytest.mark.parametrize("held", [4, 8])
def test_a_body_lost_on_its_way_down_is_judged_when_it_is_seen_again(before: int, held: int) -> None:
    joints = generate("fall", seed=70_001)[0].joints
    lost = int(np.argmax(-np.gradient(joints[:, 12, 1]))) - before + 1
    unseen = np.repeat(joints[lost - 1 : lost], held + 50, axis=0)
    motion = project(Motion(np.concatenate([joints[:lost], unseen, np.repeat(joints[-1:], 60, axis=0)])), 60.0, 10.0)
    confidence = np.ones(motion.joints.shape[:2], np.float32)
    confidence[lost + held : lost + held + 50] = 0  # 2.5 s after it has hardly begun to fall, it lies
    (fall,) = find_falls(motion.joints, confidence, 20.0, True)
    assert fall.frame < lost + held and fall.probability > 0.9


def test_whoever_comes_up_again_at_once_has_not_fallen() -> None:
    fall = generate("fall", seed=70_001)[0].joints
    landed = int(np.argmax(fall[:, 12, 1] < 0.35)) + 6
    joints = np.concatenate([fall[:landed], fall[:landed][::-2], np.repeat(fall[:1], 30, axis=0)])
    drop = max(drops(joints, None, 20.0, False), key=lambda one: one.height)
    assert drop.rises > 0.9 and not drop.stays_down
    assert find_falls(joints, None, 20.0, False) == []
    lying = max(drops(fallen(2.0), None, 20.0, False), key=lambda one: one.height)
    assert lying.rises < 0.2 and lying.stays_down


def test_units_do_not_matter() -> None:
    motion = generate("fall", seed=70_001)[0]
    metres, pixels = drops(motion.joints, None, 20.0, False), drops(motion.joints * 300, None, 20.0, False)
    assert np.allclose(metres[0].features, pixels[0].features, atol=1e-6)


def test_a_lower_body_after_the_drop_never_speaks_against_a_fall() -> None:
    from dataclasses import replace

    drop = drops(generate("squats", seed=70_000)[0].joints, None, 20.0, False)[0]
    for index, sign in enumerate(FEATURES.values()):
        pushed = drop.features.copy()
        pushed[index] += sign * 0.5
        assert replace(drop, features=pushed).probability >= drop.probability - 1e-12


def test_the_weights_say_what_they_are() -> None:
    import vimonet.motion.kinematics.falling as module

    path = Path(module.__file__).with_suffix(".json")
    card = json.loads(path.read_text())
    assert path.stat().st_size < 100_000 and card["features"] == list(FEATURES)
    assert card["licence"] and card["learned_from"] and card["falls"] > 100


@pytest.mark.parametrize("frames", [1, 2, 5, 16])
def test_short_or_empty_movements_have_no_fall(frames: int) -> None:
    joints = generate("fall", seed=70_001)[0].joints[:frames]
    assert find_falls(joints, None, 20.0, False) == []
    assert find_falls(joints, np.zeros(joints.shape[:2], np.float32), 20.0, True) == []
    assert find_falls(np.zeros((40, 22, 3), np.float32), None, 20.0, False) == []
