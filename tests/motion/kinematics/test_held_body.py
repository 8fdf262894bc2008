"""Joint angles, places of arms, hands near a part, squats, leans and the pose at a moment, against known truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from held_poses import FORWARD, HEAD, LEFT, UP, arms_along, hand_at, with_joints

from research.vimos_open.synthesis import compose, generate
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.held_body import HeldBody, touches
from vimonet.motion.kinematics.pose_at import arms_over, changes_at, compare_halves, held_at, same_halves


def held(motion: Motion) -> HeldBody:
    found = measure(motion).held
    assert found is not None
    return found


def standing() -> Motion:
    return generate("stand", seed=1, duration=3.0, place=False)[0]


def test_the_peak_of_a_fast_knee_is_not_smoothed_away(shared: Path) -> None:
    walk = shared.parent / "cases" / "07-forward-yes-no-contradicts-measurement" / "walk.bvh"
    if not walk.exists():
        pytest.skip("the case is not here")
    knee = held(load(walk)).angles["left knee"]
    assert (knee.least, knee.most) == (pytest.approx(0.0, abs=1.0), pytest.approx(76.0, abs=1.0))
    assert "knees, degrees bent: left 0 to 76, right 0 to 76" in held(load(walk)).lines()


def test_a_t_pose_is_named_where_it_is_held() -> None:
    still = standing()
    joints = np.array(still.joints, dtype=np.float64)
    joints[:25] = arms_along(still, left=LEFT, right=-LEFT).joints[:25]
    begins = measure(with_joints(still, joints))
    assert (arms_over(begins, 0.0, 1.0) or "").startswith("T-pose")
    assert arms_over(begins, 1.6) == "both arms hang at the sides"
    assert "T-pose" in (held_at(begins, 0.5) or "") and "T-pose" not in (held_at(begins, 2.0) or "")
    assert changes_at(begins, 1.25)[0].startswith("T-pose: both arms stretched out level to the sides, then both arms")


@pytest.mark.parametrize("degrees", [0.0, 45.0, 90.0, 130.0])
def test_the_angle_of_an_elbow_and_a_knee_is_that_of_their_bones(degrees: float) -> None:
    still = standing()
    joints = np.array(still.joints, dtype=np.float64)
    bend = np.radians(degrees)
    lower = -np.cos(bend) * UP
    joints[:, 18], joints[:, 4] = joints[:, 16] - 0.3 * UP, joints[:, 1] - 0.4 * UP
    joints[:, 20] = joints[:, 18] + 0.25 * (lower + np.sin(bend) * FORWARD)
    joints[:, 7] = joints[:, 4] + 0.4 * (lower - np.sin(bend) * FORWARD)
    angles = held(with_joints(still, joints)).angles
    assert angles["left elbow"].most == pytest.approx(degrees, abs=0.1)
    assert angles["left knee"].most == pytest.approx(degrees, abs=0.1)


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        ({"left": LEFT, "right": -LEFT}, "T-pose: both arms stretched out level to the sides"),
        ({"left": FORWARD, "right": FORWARD}, "both arms stretched out forward"),
        ({"left": UP, "right": UP}, "both arms raised above the head"),
        ({"left": -UP, "right": -UP}, "both arms hang at the sides"),
        ({"left": UP, "right": -UP}, "left arm raised above the head, right arm hangs at the side"),
        ({"left": -UP, "right": -LEFT}, "left arm hangs at the side, right arm stretched out to the side"),
    ],
)
def test_straight_arms_are_named_by_where_they_point(ways: dict, words: str) -> None:
    moved = arms_along(standing(), **ways)
    assert arms_over(measure(moved)) == words
    swap = {"left": "right", "right": "left"}
    mirrored = " ".join(swap.get(word, word) for word in words.split())
    assert sorted((arms_over(measure(moved.mirrored())) or "").split(", ")) == sorted(mirrored.split(", "))


def test_hands_on_hips_and_folded_arms_are_told_apart() -> None:
    still = standing()
    joints = np.array(still.joints, dtype=np.float64)
    akimbo, folded = joints.copy(), joints.copy()
    for side, sign in ((0, 1.0), (1, -1.0)):
        akimbo[:, 18 + side] = joints[:, 16 + side] + sign * 0.17 * LEFT - 0.2 * UP
        akimbo[:, 20 + side] = joints[:, 1 + side] + sign * 0.1 * LEFT + 0.08 * UP
        folded[:, 18 + side] = joints[:, 16 + side] + sign * 0.05 * LEFT - 0.25 * UP + 0.06 * FORWARD
        folded[:, 20 + side] = joints[:, 12] - sign * 0.1 * LEFT - 0.25 * UP + 0.22 * FORWARD
    assert arms_over(measure(with_joints(still, akimbo))) == "both hands on the hips"
    assert arms_over(measure(with_joints(still, folded))) == "arms crossed in front of the body"


def test_a_hand_at_the_head_is_found_with_its_time_and_side() -> None:
    found = held(hand_at(standing(), "right", HEAD, 20, 40)).touches
    assert touches("head", found["right"]["head"]) is True
    assert touches("head", found["left"]["head"]) is False
    assert 0.9 < found["right"]["head"].time < 2.0


def test_a_squat_is_as_deep_as_its_thighs() -> None:
    deep = held(generate("squats", seed=2, count=3, depth=0.5)[0]).deep_bend
    shallow = held(generate("squats", seed=2, count=3, depth=0.25)[0]).deep_bend
    assert deep is not None and shallow is not None
    assert deep.depth < shallow.depth - 0.2
    assert min(deep.knees.values()) > max(shallow.knees.values()) + 20
    assert held(standing()).deep_bend is None


@pytest.mark.parametrize("inward", [0.08, 0.0, -0.08])
def test_a_knee_is_inside_the_line_of_hip_and_ankle_by_as_much_as_it_was_moved(inward: float) -> None:
    squat = generate("squats", seed=1, count=1, place=False)[0]
    plain = held(squat).deep_bend
    joints = np.array(squat.joints, dtype=np.float64)
    joints[:, 4, 0] -= inward
    deep = held(with_joints(squat, joints)).deep_bend
    assert plain is not None and deep is not None
    leg = measure(squat).leg_length or 1.0
    assert (deep.inward["left"] - plain.inward["left"]) * leg == pytest.approx(inward, abs=0.02)


@pytest.mark.parametrize("degrees", [-25.0, 0.0, 25.0])
def test_the_trunk_leans_to_the_side_it_was_tilted_to(degrees: float) -> None:
    still = standing()
    joints = np.array(still.joints, dtype=np.float64)
    upper = [j for j in range(22) if j not in (0, 1, 2, 4, 5, 7, 8, 10, 11)]
    a = np.radians(-degrees)
    tilt = np.array([[np.cos(a), -np.sin(a), 0.0], [np.sin(a), np.cos(a), 0.0], [0.0, 0.0, 1.0]])
    joints[:, upper] = joints[:, :1] + (joints[:, upper] - joints[:, :1]) @ tilt.T
    lean = held(with_joints(still, joints)).lean
    assert lean is not None
    assert lean.side == pytest.approx(degrees, abs=3.0)


def test_the_pose_at_a_moment_names_posture_arms_knees_and_lean() -> None:
    up = measure(generate("raise_hand", seed=0, side="left")[0])
    top = held_at(up, up.held.hand_top["left"].time) if up.held else None
    assert top is not None
    assert top.startswith("standing, left arm raised above the head") and top.endswith("knees straight")
    bow = measure(generate("bow", seed=0, degrees=80.0)[0])
    assert "leaning forward" in (held_at(bow, bow.duration / 2) or "")
    walk = measure(generate("walk", seed=0, duration=4.0)[0])
    assert "moving at" in (held_at(walk, 2.0) or "")
    assert held_at(up, -1.0) is None and held_at(up, up.duration + 1.0) is None


def test_sitting_down_changes_the_posture_at_that_time_only() -> None:
    sit = measure(generate("sit_down", seed=0)[0])
    assert sit.posture is not None
    turn = sit.posture[0].end
    assert changes_at(sit, turn)[0] == "from standing to sitting"
    assert changes_at(measure(standing()), 1.5) == []


def test_halves_that_differ_and_halves_that_do_not() -> None:
    still = measure(standing())
    assert (compare_halves(still), same_halves(still)) == ([], True)
    steps = [("stand", {"duration": 3.0}), ("walk", {"duration": 3.0})]
    differs = compare_halves(measure(compose(steps, seed=0)[0]))
    assert any(words.startswith("faster in the second half") for words in differs)
    assert "first stays in place, then moves forward" in differs


def test_hands_press_on_the_ground_when_somebody_gets_up_from_it_and_not_from_a_chair() -> None:
    pressed, free = (held(generate(action, seed=1)[0]).rise_hands for action in ("get_up", "stand_up"))
    assert pressed is not None and free is not None and pressed < 0.3 < free


def test_what_is_not_seen_or_flat_has_no_angles() -> None:
    still = standing()
    confidence = np.ones((still.frames, 22), dtype=np.float32)
    confidence[:, [1, 4, 7]] = 0.0
    hidden = held(replace(still, confidence=confidence))
    assert hidden.legs is None and hidden.deep_bend is None
    assert "left knee" not in hidden.angles and "right knee" in hidden.angles
    assert measure(load("sample:squats_coco17")).held is None


def test_facts_are_written_without_the_pose_of_every_frame() -> None:
    facts: Facts = measure(standing())
    told = facts.to_dict()
    assert json.loads(json.dumps(told))["held"]["angles"]["left knee"]["most"] < 25
    assert "track" not in told["held"]
    assert any(line.startswith("arms: both arms hang at the sides") for line in facts.lines())
