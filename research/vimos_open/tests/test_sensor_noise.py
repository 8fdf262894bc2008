from __future__ import annotations

import random
import re

import numpy as np
import pytest

from research.vimos_open.augment import AS_RECORDED, SENSED, Pool, Variants, make_sample
from research.vimos_open.sensor_noise import JITTER, UNSURE, _jitter, _lose, _resized, _slower, sensed, unsure
from research.vimos_open.sources import synthetic_clips
from research.vimos_open.synthesis import generate
from vimonet.motion import Motion
from vimonet.motion.kinematics import measure
from vimonet.motion.skeleton import INDEX, PARENTS, leg_length
from vimonet.vimos.types import Question

_LEFT_WRIST = INDEX["left_wrist"]


def _lengths(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints[:, 1:] - joints[:, list(PARENTS[1:])], axis=-1)


@pytest.mark.parametrize("action", ["walk", "turn_walking", "walk_backward"])
def test_ways_and_turns_stay(action: str) -> None:
    motion, _ = generate(action, seed=3)
    truth = measure(motion)
    for seed in range(12):
        seen = sensed(motion, np.random.default_rng(seed))
        found = measure(seen)
        assert (seen.frames, seen.fps, seen.name) == (motion.frames, motion.fps, motion.name)
        assert found.displacement_direction == truth.displacement_direction
        assert found.net_turn == pytest.approx(truth.net_turn, abs=25)


def test_bodies_differ_and_stay_alike_left_and_right() -> None:
    motion, _ = generate("stand", seed=1)
    joints = motion.joints.astype(np.float64)
    legs, arms = [], []
    for seed in range(30):
        other = _resized(joints, np.random.default_rng(seed))
        ratio = _lengths(other) / _lengths(joints)
        np.testing.assert_allclose(ratio[:, _LEFT_WRIST - 1], ratio[:, _LEFT_WRIST], rtol=1e-4)  # both wrists
        arms.append(ratio[0, _LEFT_WRIST - 1])
        legs.append(leg_length(other) / leg_length(joints))
    assert np.ptp(legs) > 0.2 and np.ptp(arms) > 0.3
    assert 0.7 < min(legs) < 1 < max(legs) < 1.4


def test_longer_legs_go_further() -> None:
    """Speeds in leg lengths stay, and with them what a walk or a run is."""
    motion, _ = generate("walk", seed=2)
    joints = motion.joints.astype(np.float64)
    for seed in range(8):
        other = _resized(joints, np.random.default_rng(seed))
        way, shin = (
            [np.linalg.norm(j[-1, 0] - j[0, 0]) for j in (joints, other)],
            [np.median(_lengths(j)[:, INDEX["left_ankle"] - 1]) for j in (joints, other)],
        )
        assert way[1] / way[0] == pytest.approx(shin[1] / shin[0], rel=0.02)


def test_jitter_is_of_one_to_three_centimetres_and_changes_slowly() -> None:
    noise = np.stack([_jitter(2000, np.random.default_rng(seed)) for seed in range(20)])
    spread = np.sqrt((noise**2).sum(axis=-1).mean(axis=1))  # [seed, joint] m
    hands = spread[:, [INDEX["left_wrist"], INDEX["right_foot"]]]
    assert hands.min() > 0.4 * JITTER[0] and hands.max() < 1.1 * JITTER[1]
    assert spread[:, 0].max() < 0.5 * JITTER[1]
    after_one = (noise[:, 1:] * noise[:, :-1]).mean() / (noise**2).mean()
    assert after_one > 0.7


def test_a_lost_joint_takes_the_straight_way() -> None:
    joints = np.zeros((40, 22, 3))
    joints[:, 5, 1] = np.arange(40)
    joints[:, 5, 0] = np.arange(40) % 2
    before = joints.copy()
    _lose(joints, [5], np.random.default_rng(0))
    np.testing.assert_allclose(joints[..., 1], before[..., 1], atol=1e-9)
    changed = (joints != before).any(axis=-1)
    assert 1 <= changed[:, 5].sum() <= 8
    assert not np.delete(changed, 5, axis=1).any()


def test_a_slow_sensor_keeps_lengths_and_straight_ways() -> None:
    joints = np.zeros((61, 22, 3))
    joints[:, 0, 0] = np.linspace(0, 3, 61)
    np.testing.assert_allclose(_slower(joints, 11.3, 20.0), joints, atol=1e-9)
    joints[:, 0, 1] = np.arange(61) % 2  # swings at 10 Hz: a sensor of 10 frames/s sees none of it
    np.testing.assert_allclose(_slower(joints, 10.0, 20.0)[:, 0, 1], 0, atol=1e-9)
    assert len(_slower(joints[:1], 12.0, 20.0)) == 1


def test_a_third_of_the_samples_is_sensed_and_asked_nothing_unsure() -> None:
    pool = Pool(synthetic_clips("val"))
    drawn = [make_sample(pool, random.Random(seed), mode="single", variants=Variants()) for seed in range(300)]
    by_sensor = [sample for sample in drawn if sample is not None and sample.sensed]
    assert len(by_sensor) / len(drawn) == pytest.approx(SENSED, abs=0.08)
    asked = [q for sample in by_sensor for q in sample.questions]
    assert not {q.form for q in asked} & UNSURE
    assert not [q.answer for q in asked if re.search(r"\d+(\.\d+)? (centi)?metre", q.answer)]
    assert all(sample.motion.dimensions == 3 for sample in by_sensor)
    plain = [make_sample(pool, random.Random(seed), mode="single", variants=AS_RECORDED) for seed in range(40)]
    assert not any(sample is None or sample.sensed for sample in plain)


@pytest.mark.parametrize(
    ("form", "answer", "open_to_doubt"),
    [
        ("step_length", "about 0.61 metres", True),
        ("joint_angle", "30 to 125 degrees", True),
        ("foot_slide", "no", True),
        ("recording_quality", "clean", True),
        ("turn_count", "2", False),
        ("cadence", "141 steps per minute", True),
        ("jump_height", "30 centimetres", True),
        ("higher_foot", "left foot", True),
        ("turn_amount", "90 degrees to the left", False),
        ("displacement", "forward", False),
        ("count", "4", False),
        ("hand_up_time", "about 2 seconds", False),
        ("action", "walking", False),
    ],
)
def test_metres_heights_and_feet_are_left_open(form: str, answer: str, open_to_doubt: bool) -> None:
    assert unsure(Question("", form, answer)) is open_to_doubt


def test_toes_are_at_times_on_the_ankles_or_unseen() -> None:
    motion, _ = generate("walk", seed=2)
    seen = [sensed(motion, np.random.default_rng(seed)) for seed in range(60)]

    def collapsed(one: Motion) -> bool:
        return bool(np.abs(one.joints[:, 10] - one.joints[:, 7]).max() < 1e-6)

    assert 12 <= sum(map(collapsed, seen)) <= 36
    assert 3 <= sum(one.confidence is not None for one in seen) <= 18
