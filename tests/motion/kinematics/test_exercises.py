"""Exercises are counted with their times, depth and tempo; a movement done once is one."""

from __future__ import annotations

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion import Motion, load
from vimonet.motion.kinematics.exercises import EXERCISES, canonical, count_exercise
from vimonet.utils.errors import InputError


@pytest.mark.parametrize("name", ["squats", "squats_coco17"])
def test_squats_of_a_recording_and_of_keypoints(name: str) -> None:
    count = count_exercise(load(f"sample:{name}"), "squat")
    assert len(count.repetitions) == 5 and count.tempo == pytest.approx(35.6, abs=3)
    for one, following in zip(count.repetitions[:-1], count.repetitions[1:], strict=True):
        assert one.start < one.time < one.end <= following.start + 0.15
    deepest = [one.depth or 0.0 for one in count.repetitions]
    if name == "squats":
        assert min(deepest) > 60 and max(deepest) < 140


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize(
    ("action", "exercise"), [("squats", "squat"), ("jumping_jacks", "jumping jack"), ("jumps", "jump")]
)
def test_made_exercises_are_exact(action: str, exercise: str, times: int) -> None:
    for seed in range(2):
        found = count_exercise(generate(action, seed=seed, count=times)[0], exercise)
        assert len(found.repetitions) == times, (action, times, seed)
        assert (found.tempo is None) == (times == 1)


def test_one_kick_is_one() -> None:
    kick = count_exercise(generate("kick", seed=1)[0], "kick")
    assert len(kick.repetitions) == 1 and kick.repetitions[0].depth and kick.unit == "m"


def curls(times: int) -> Motion:
    """A standing body whose right forearm goes up and down."""
    motion, _ = generate("stand", seed=0, duration=max(2.0, 1.5 * times))
    joints = np.repeat(motion.joints[:1], motion.frames, axis=0)
    bend = np.radians(65.0) * (1.0 - np.cos(np.linspace(0.0, 2.0 * np.pi * times, motion.frames)))
    elbow, length = joints[:, 19], np.linalg.norm(joints[:, 21] - joints[:, 19], axis=-1)
    joints[:, 21] = elbow + length[:, None] * np.stack([0 * bend, -np.cos(bend), np.sin(bend)], axis=1)
    return Motion(joints.astype(np.float32))


@pytest.mark.parametrize("times", [1, 4])
def test_curls_have_the_angle_of_the_elbow(times: int) -> None:
    count = count_exercise(curls(times), "biceps curls")
    assert len(count.repetitions) == times
    assert count.repetitions[0].depth == pytest.approx(120, abs=25) and count.unit == "degrees of the elbow"


def test_whatever_repeats_is_named() -> None:
    wave = count_exercise(load("sample:wave_right"))
    assert wave.what == "the right arm" and len(wave.repetitions) >= 3
    assert count_exercise(load("sample:raise_left")).repetitions == ()


@pytest.mark.parametrize(
    ("typed", "name"),
    [("Push ups", "push-up"), ("pushup", "push-up"), ("jumping jacks", "jumping jack"), ("SQUATS", "squat"),
     ("presses", "press")],
)  # fmt: skip
def test_names_as_people_type_them(typed: str, name: str) -> None:
    assert canonical(typed) == name and name in EXERCISES


def test_an_unknown_exercise_is_told_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="burpee: unknown exercise; choose one of squat, lunge"):
        count_exercise(load("sample:walk"), "burpee")


def test_steps_of_a_film_are_refused() -> None:
    flat = load("sample:squats_coco17")
    with pytest.raises(InputError, match="3D"):
        count_exercise(flat, "step")
