"""The generator: plausible bodies, planted feet, truth, variety; BVH that comes back; the embedded samples."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import bvhio
import numpy as np
import pytest
from bones import bone_lengths

from research.vimos_open.synthesis import ACTIONS, compose, generate
from scripts.make_samples import COMPOSED, SINGLE, write_samples
from vimonet.motion import Motion, load
from vimonet.motion.io.bvh_writer import write_bvh
from vimonet.motion.kinematics import measure
from vimonet.motion.kinematics.limbs import knee_flexion
from vimonet.utils.errors import InputError

SAMPLES = Path(__import__("vimonet").__file__).parent / "samples"


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_a_body_that_moves_plausibly(action: str) -> None:
    for seed in range(3):
        motion, truth = generate(action, seed=seed)
        joints = motion.joints.astype(np.float64)
        assert np.isfinite(joints).all() and 1.0 < motion.duration < 25.0
        assert bone_lengths(joints).std(axis=0).max() < 1e-5
        assert joints[..., 1].min() > 0.0 and joints[..., 1].min() < 0.06
        pace = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * motion.fps
        assert pace < 12.0  # m/s: nothing jumps from one place to another
        assert truth["action"] == action and truth["label"] == truth["phrase"]
        assert truth["caption"].startswith("A person ") and truth["caption"].endswith(".")
        json.dumps(truth)


@pytest.mark.parametrize("action", ["walk", "run", "squats", "jumps", "sit_down", "kneel", "kick", "turn_in_place"])
def test_knees_and_elbows_bend_the_way_they_can(action: str) -> None:
    for seed in range(3):
        joints = generate(action, seed=seed, place=False)[0].joints.astype(np.float64)
        across = joints[:, 1] - joints[:, 2]
        for hip, knee, ankle in ((1, 4, 7), (2, 5, 8)):
            # The turn from thigh to shank is about the body's left: a knee never bends the other way.
            thigh, shank = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
            bend = (np.cross(thigh, shank) * across).sum(-1)
            straight = np.linalg.norm(np.cross(thigh, shank), axis=-1) < 0.02
            assert (straight | (bend > -1e-3)).all()
        for shoulder, elbow, wrist in ((16, 18, 20), (17, 19, 21)):
            upper, fore = joints[:, elbow] - joints[:, shoulder], joints[:, wrist] - joints[:, elbow]
            hanging = upper[:, 1] < -0.9 * np.linalg.norm(upper, axis=-1)
            facing = np.cross(across, [0.0, 1.0, 0.0])
            assert ((fore - upper * 0.9)[hanging] * facing[hanging]).sum(-1).min(initial=1.0) > -0.01


def test_arms_swing_against_legs() -> None:
    for action in ("walk", "run"):
        joints = generate(action, seed=1, place=False)[0].joints
        legs, arms = joints[:, 7, 2] - joints[:, 8, 2], joints[:, 20, 2] - joints[:, 21, 2]
        assert np.corrcoef(legs, arms)[0, 1] < -0.7


@pytest.mark.parametrize("action", ["walk", "turn_walking", "walk_backward", "side_step"])
def test_planted_feet_do_not_slide(action: str) -> None:
    for seed in range(4):
        motion, _ = generate(action, seed=seed)
        contacts = measure(motion).contacts
        assert contacts is not None
        for column, joint in ((0, 7), (2, 8)):
            moved = np.linalg.norm(np.diff(motion.joints[:, joint][:, [0, 2]], axis=0), axis=-1) * motion.fps
            still = contacts[1:, column] & contacts[:-1, column]
            assert still.mean() > 0.3
            assert np.median(moved[still]) < 0.05


def test_walking_bodies_keep_their_knees_soft() -> None:
    joints = generate("walk", seed=2)[0].joints.astype(np.float64)
    for bend in knee_flexion(joints).values():
        assert 30.0 < bend.max() < 90.0 and np.median(bend) < 40.0


def test_the_same_seed_gives_the_same_motion_and_others_vary() -> None:
    for action in ACTIONS:
        one, two, other = (generate(action, seed=seed)[0] for seed in (5, 5, 6))
        np.testing.assert_array_equal(one.joints, two.joints)
        assert one.frames != other.frames or np.abs(one.joints - other.joints).max() > 0.01
    legs = [measure(generate("walk", seed=seed)[0]).leg_length for seed in range(20)]
    speeds = [generate("walk", seed=seed)[1]["speed"] for seed in range(20)]
    assert np.std(np.array(legs, float)) > 0.02 and np.ptp(speeds) > 0.5


def test_parameters_are_kept() -> None:
    assert generate("turn_walking", seed=0, side="right", degrees=45.0)[1]["turn"] == -45.0
    assert generate("squats", seed=0, count=4)[1]["count"] == 4
    assert generate("walk", seed=0, speed=0.9)[1]["speed"] == 0.9
    assert generate("fall", seed=0, direction="backward")[1]["direction"] == "backward"
    motion, _ = generate("stand", seed=0, fps=30.0, duration=2.0, place=False)
    assert motion.fps == 30.0 and motion.frames == 60
    np.testing.assert_allclose(motion.joints[0, 0, [0, 2]], 0.0, atol=0.05)
    with pytest.raises(InputError, match="unknown action; choose one of stand, walk"):
        generate("fly")
    with pytest.raises(TypeError):
        generate("walk", colour="red")


@pytest.mark.parametrize("seed", range(4))
def test_composed_parts_follow_without_a_jolt(seed: int) -> None:
    motion, truth = compose(
        [
            ("walk", {"duration": 2.5}),
            ("turn_in_place", {"side": "left", "degrees": 90.0}),
            ("wave", {}),
            ("sit_down", {}),
        ],
        seed=seed,
    )
    assert [p["action"] for p in truth["parts"]] == ["walk", "turn_in_place", "wave", "sit_down"]
    assert truth["parts"][-1]["end"] == pytest.approx(motion.duration)
    assert all(a["end"] == b["start"] for a, b in pairwise(truth["parts"]))
    assert np.linalg.norm(np.diff(motion.joints, axis=0), axis=-1).max() * motion.fps < 8.0
    facts = measure(motion)
    assert facts.net_turn == pytest.approx(truth["turn"], abs=8.0)
    assert facts.raised() == truth["parts"][2]["side"]
    assert facts.posture is not None and facts.posture[-1].label == "sitting"
    begin, end = truth["parts"][2]["start"], truth["parts"][2]["end"]
    assert all(begin <= r.start < r.end <= end for r in facts.raised_hands)


def test_parts_that_do_not_stand_cannot_be_joined() -> None:
    with pytest.raises(InputError, match="lie_down"):
        compose([("lie_down", {}), ("walk", {})])
    with pytest.raises(InputError, match="stand_up"):
        compose([("walk", {}), ("stand_up", {})])


@pytest.mark.parametrize("action", ["walk", "crawl", "fall", "lie_down", "jumping_jacks", "turn_in_place"])
def test_bvh_comes_back(action: str, tmp_path: Path) -> None:
    motion, _ = generate(action, seed=4)
    path = write_bvh(motion, tmp_path / "one.bvh")
    back = load(path)
    assert back.frames == motion.frames and back.source == "bvh"
    np.testing.assert_allclose(back.joints, motion.joints, atol=5e-4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.bvh"]


def test_bvh_is_read_by_others(tmp_path: Path) -> None:
    motion, _ = generate("kick", seed=2)
    root = bvhio.readAsHierarchy(str(write_bvh(motion, tmp_path / "kick.bvh")))
    for frame in (0, motion.frames // 2, motion.frames - 1):
        pose = root.loadPose(frame)
        for name, joint in (("LeftHand", 20), ("RightToe", 11), ("Head", 15), ("RightFoot", 8)):
            found = next(j for j, _, _ in pose.layout() if j.Name == name)
            np.testing.assert_allclose(np.array(found.PositionWorld) / 100, motion.joints[frame, joint], atol=1e-3)


def test_bvh_of_changing_bones_keeps_their_mean(tmp_path: Path) -> None:
    motion, _ = generate("walk", seed=0)
    noise = np.random.default_rng(0).normal(0, 0.004, motion.joints.shape).astype(np.float32)
    back = load(write_bvh(replace(motion, joints=motion.joints + noise), tmp_path / "noisy.bvh"))
    assert np.abs(back.joints - motion.joints).mean() < 0.02
    assert bone_lengths(back.joints).std(axis=0).max() < 1e-3


def test_bvh_of_one_frame(tmp_path: Path) -> None:
    motion = Motion(generate("stand", seed=0)[0].joints[:1])
    np.testing.assert_allclose(load(write_bvh(motion, tmp_path / "one.bvh")).joints, motion.joints, atol=5e-4)


def test_samples_are_what_the_generator_writes(tmp_path: Path) -> None:
    written = write_samples(tmp_path)
    films = {p.name for p in SAMPLES.glob("*.mp4")}  # research/fusion/tests/test_embedded_film.py
    shipped = [p for p in SAMPLES.iterdir() if p.name not in ("__init__.py", "__pycache__")]  # it is a module too
    assert {p.name for p in written} | films == {p.name for p in shipped}
    assert sum(p.stat().st_size for p in shipped) < 1_500_000
    for path in written:
        if path.suffix == ".bvh":  # libraries of other machines may differ in the last digit
            np.testing.assert_allclose(load(path).joints, load(SAMPLES / path.name).joints, atol=1e-3)


@pytest.mark.parametrize("name", [*SINGLE, "walk_turn_wave"])
def test_sample_measures_as_its_truth_says(name: str) -> None:
    truth = json.loads((SAMPLES / "truth.json").read_text())[name]
    motion = load(SAMPLES / truth["file"])
    facts = measure(motion)
    assert motion.source_fps == 30.0 and motion.fps == 20.0
    assert facts.duration == pytest.approx(truth["duration"], abs=0.1)
    assert facts.net_turn == pytest.approx(truth["turn"], abs=8.0)
    if "displacement" in truth:
        assert facts.displacement == pytest.approx(truth["displacement"], abs=0.1)
    if "raised" in truth:
        assert facts.raised() == truth["raised"]
    if "count" in truth:
        assert facts.repetitions is not None and facts.repetitions.count == truth["count"]
    if "end_posture" in truth:
        assert facts.posture is not None and facts.posture[-1].label == truth["end_posture"]
    assert bool(facts.falls) == bool(truth.get("fall"))
    assert len(facts.jumps or ()) == truth.get("jumps", 0)
    if "steps" in truth:
        assert facts.steps is not None and abs(len(facts.steps) - truth["steps"]) <= 1


def test_samples_in_other_formats() -> None:
    joints = load(SAMPLES / "wave_right.npy")
    assert joints.dimensions == 3 and measure(joints).raised() == "right"
    seen = load(SAMPLES / "squats_coco17.json")
    assert seen.dimensions == 2 and seen.source == "coco17"
    found = measure(seen).repetitions
    assert found is not None and found.count == 5
    # The camera faces the person, whose left hand is on the right of the image.
    assert np.median(seen.joints[:, 16, 0] - seen.joints[:, 17, 0]) > 0


def test_the_composed_sample_has_three_parts() -> None:
    truth = json.loads((SAMPLES / "truth.json").read_text())["walk_turn_wave"]
    assert [p["action"] for p in truth["parts"]] == [action for action, _ in COMPOSED]
    assert 9.0 < truth["duration"] < 13.0
