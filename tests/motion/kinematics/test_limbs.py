"""Raised hands, activity, steps and contacts; sides flip in the mirror."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion import Motion
from vimonet.motion.kinematics import measure
from vimonet.motion.kinematics.preparation import hysteresis, runs

OTHER = {"left": "right", "right": "left", "both": "both", "none": "none"}


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("action", ["raise_hand", "wave"])
@pytest.mark.parametrize("seed", range(4))
def test_the_raised_hand_is_named(action: str, side: str, seed: int) -> None:
    motion, _ = generate(action, seed=seed, side=side)
    facts = measure(motion)
    assert facts.raised() == side
    for up in facts.raised_hands:
        assert up.height == pytest.approx(facts.hand_height[up.side])
        assert 0 < up.start < up.end <= facts.duration


@pytest.mark.parametrize("action", ["walk", "squats", "bow", "kick", "sit_down"])
def test_no_hand_is_raised_in_other_actions(action: str) -> None:
    assert all(measure(generate(action, seed=seed)[0]).raised() == "none" for seed in range(5))


def test_reaching_up_when_lying_is_not_raising() -> None:
    motion, _ = generate("raise_hand", seed=1, side="left", place=False)
    lying = replace(motion, joints=(motion.joints @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])).astype(np.float32))
    assert measure(lying).raised() == "none"


@pytest.mark.parametrize("action", ["wave", "raise_hand", "turn_walking", "side_step", "kick", "punch", "walk"])
@pytest.mark.parametrize("seed", range(3))
def test_sides_flip_in_the_mirror(action: str, seed: int) -> None:
    motion, _ = generate(action, seed=seed)
    one, two = measure(motion), measure(motion.mirrored())
    assert two.raised() == OTHER[one.raised()]
    assert two.net_turn == pytest.approx(-one.net_turn, abs=0.1)  # type: ignore[operator]
    assert two.steps is not None and one.steps is not None
    assert [(s.time, OTHER[s.side]) for s in two.steps] == [(s.time, s.side) for s in one.steps]
    for limb, value in one.limb_activity.items():
        first, _, rest = limb.partition(" ")
        mirrored = f"{OTHER[first]} {rest}" if rest else limb
        assert two.limb_activity[mirrored] == pytest.approx(value, abs=1e-4)
    swap = {"left": "right", "right": "left"}.get(one.displacement_direction or "", one.displacement_direction)
    assert two.displacement_direction == swap
    assert one.contacts is not None and two.contacts is not None
    np.testing.assert_array_equal(two.contacts, one.contacts[:, [2, 3, 0, 1]])


@pytest.mark.parametrize(("action", "limb"), [("wave", "arm"), ("punch", "arm"), ("kick", "leg")])
def test_the_busiest_limb(action: str, limb: str) -> None:
    for seed in range(4):
        for side in ("left", "right"):
            activity = measure(generate(action, seed=seed, side=side)[0]).limb_activity
            same_kind = {k: v for k, v in activity.items() if k.endswith(limb)}
            assert max(same_kind, key=same_kind.__getitem__) == f"{side} {limb}"


@pytest.mark.parametrize("action", ["walk", "run", "walk_backward", "side_step", "turn_walking"])
@pytest.mark.parametrize("seed", range(4))
def test_steps_are_counted_and_alternate(action: str, seed: int) -> None:
    motion, truth = generate(action, seed=seed)
    steps = measure(motion).steps
    assert steps is not None
    assert abs(len(steps) - truth["steps"]) <= 1 + (action == "side_step")
    changes = sum(a.side != b.side for a, b in pairwise(steps))
    assert changes >= len(steps) - 2


@pytest.mark.parametrize("action", ["stand", "squats", "jumps", "jumping_jacks", "kick", "crawl", "bow", "wave"])
def test_no_steps_without_stepping(action: str) -> None:
    assert all(len(measure(generate(action, seed=seed)[0]).steps or ()) <= 1 for seed in range(4))


def test_contacts_of_standing_and_jumping() -> None:
    standing = measure(generate("stand", seed=0)[0]).contacts
    assert standing is not None and standing.shape[1] == 4 and standing.mean() > 0.98
    motion, truth = generate("jumps", seed=2, count=3, height=0.3)
    contacts = measure(motion).contacts
    assert contacts is not None
    for off, on in zip(truth["take_offs"], truth["landings"], strict=True):
        assert not contacts[round((off + on) / 2 * motion.fps)].any()


def test_an_unseen_arm_is_said_and_never_raised() -> None:
    motion, _ = generate("raise_hand", seed=0, side="left")
    confidence = np.ones(motion.joints.shape[:2], np.float32)
    confidence[:, [18, 20]] = 0
    facts = measure(replace(motion, confidence=confidence))
    assert facts.seen == {"left arm": False, "right arm": True, "left leg": True, "right leg": True, "head": True}
    assert facts.raised() == "none" and "left arm" not in facts.limb_activity and "left" not in facts.hand_height


def test_without_legs_the_ground_cannot_be_told() -> None:
    motion, _ = generate("wave", seed=0, side="left")
    confidence = np.ones(motion.joints.shape[:2], np.float32)
    confidence[:, [4, 5, 7, 8, 10, 11]] = 0
    facts = measure(replace(motion, confidence=confidence))
    assert facts.posture is None and facts.jumps is None and facts.steps is None and facts.falls is None
    assert facts.raised() == "left"


def test_two_dimensions_tell_only_the_image_plane() -> None:
    motion, _ = generate("wave", seed=0, side="right", place=False)
    image = motion.joints.copy()
    image[..., 2] = 0
    facts = measure(replace(motion, joints=image, dimensions=2))
    assert facts.raised() == "right"
    assert facts.displacement is None and facts.net_turn is None and facts.posture is None and facts.turns is None


def test_intervals() -> None:
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.zeros(3, bool)) == []
    assert hysteresis(np.array([0.0, 0.5, 1.5, 0.5, 0.0, 0.5]), 1.0, 0.2) == [(1, 4)]


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_very_short_motions_are_measured(frames: int) -> None:
    motion, _ = generate("walk", seed=0)
    short = Motion(motion.joints[:frames])
    facts = measure(short)
    assert facts.duration == pytest.approx(frames / 20)
    assert facts.lines() and facts.to_dict()["displacement_direction"] == "in place"
