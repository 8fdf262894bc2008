"""Kicks, lifted legs, hangs, climbs, full turns and held roots, against what the pictures show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.evidence import measured_answer
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.description import describe
from vimonet.motion.projection import project

Clip = Callable[[str, str], Facts]


@pytest.fixture(scope="module")
def clip(shared: Path) -> Clip:
    def read(source: str, key: str) -> Facts:
        folder = shared / ("motion" if source == "cmu20" else "labelled")
        index = json.loads((folder / ("cmu20.index.json" if source == "cmu20" else "index.json")).read_text())
        row = next(r for r in (index if source == "cmu20" else index[source]) if r["id"].startswith(key))
        file = np.load(folder / f"{source}.npz")
        joints = file["joints"][row["start"] : row["start"] + row["frames"]].astype(np.float32)
        return measure(Motion(joints * np.float32(file["scale"])))

    return read


def line(facts: Facts, topic: str) -> str:
    return next((text for text in facts.lines() if text.startswith(topic + ":")), "")


@pytest.mark.parametrize(
    ("source", "key", "side", "time", "height"),
    [
        ("cmu20", "11_01", "right", 3.4, 0.5),  # soccer ball
        ("kinder_gator", "p565_49", "right", 1.2, 0.4),
        ("kinder_gator", "p577_32", "left", 1.9, 0.5),  # "with the other leg"
        ("deepmimic", "humanoid3d_kick", "right", 0.6, 1.1),
        ("deepmimic", "humanoid3d_spinkick", "right", 1.0, 1.4),
        ("ase_amp", "RL_Avatar_Atk_Kick_Motion", "right", 1.2, 1.0),
    ],
)
def test_which_leg_kicks_when_and_how_high(
    clip: Clip, source: str, key: str, side: str, time: float, height: float
) -> None:
    kicks = [swing for swing in clip(source, key).leg_swings or () if swing.kick]
    assert [kick.side for kick in kicks] == [side]
    assert kicks[0].time == pytest.approx(time, abs=0.25) and kicks[0].height == pytest.approx(height, abs=0.12)
    assert kicks[0].speed > 2.0


def test_three_kicks_of_a_martial_artist(clip: Clip) -> None:
    kicks = [swing for swing in clip("precog", "Seq1_12").leg_swings or () if swing.kick]
    assert [kick.side for kick in kicks] == ["right", "left", "right"]


def test_a_leg_lifted_to_the_side_is_no_kick(clip: Clip) -> None:
    facts = clip("kinder_gator", "p734_32")
    assert [(swing.side, swing.kick) for swing in facts.leg_swings or ()] in ([("left", False)], [("left", None)])
    assert line(facts, "lifts a leg").startswith("lifts a leg: left leg 1.") and not line(facts, "kicks")


@pytest.mark.parametrize(("source", "key"), [("cmu20", "02_03"), ("cmu20", "06_01"), ("kinder_gator", "p577_21")])
def test_walks_runs_and_jumps_kick_nobody(clip: Clip, source: str, key: str) -> None:
    assert clip(source, key).leg_swings == ()


def test_a_playground_is_climbed_and_hung_from(clip: Clip) -> None:
    facts = clip("cmu20", "01_09")  # up the bars, hangs and swings at 13.5-15 s, holds itself up until 32 s
    spans = {
        label: [(p.start, p.end) for p in facts.posture or () if p.label == label] for label in ("hanging", "climbing")
    }
    assert any(a < 14.0 < b for a, b in spans["hanging"])
    assert any(a < 5.0 < b for a, b in spans["climbing"]) and any(a < 29.0 < b for a, b in spans["climbing"])
    up = [p for p in facts.posture or () if p.label == "standing" and p.start > 4.5 and p.end < 13.0]
    assert not up
    assert not [s for s in facts.steps or () if 5.0 < s.time < 12.0 or 20.0 < s.time < 31.0]
    assert not facts.jumps or max(j.end - j.start for j in facts.jumps) < 1.2


def test_nobody_on_the_ground_climbs(clip: Clip) -> None:
    for source, key in (("cmu20", "03_03"), ("cmu20", "06_01"), ("mimickit_parc", "humanoid_stairs04")):
        assert {p.label for p in clip(source, key).posture or ()}.isdisjoint({"hanging", "climbing"}), key


def test_getting_up_from_the_back_is_no_jump(clip: Clip) -> None:
    assert not clip("deepmimic", "humanoid3d_getup_faceup").jumps


def test_a_crawl_is_on_all_fours(clip: Clip) -> None:
    posture = clip("deepmimic", "humanoid3d_crawl").posture or ()
    assert sum(p.end - p.start for p in posture if p.label == "on all fours") > 2.5


def test_kneeling_with_a_bow_is_not_on_all_fours() -> None:
    kneel = measure(generate("kneel", seed=0, side="both")[0])
    assert "on all fours" not in {p.label for p in kneel.posture or ()}


@pytest.mark.parametrize(("key", "degrees"), [("05_11", -763), ("05_02", 362)])
def test_turns_of_several_revolutions(clip: Clip, key: str, degrees: float) -> None:
    facts = clip("cmu20", key)  # the pictures show two turns and one
    turn = max(facts.turns or (), key=lambda t: abs(t.degrees))
    assert turn.degrees == pytest.approx(degrees, abs=25)
    assert ("(twice round)" if abs(degrees) > 540 else "(once round)") in line(facts, "turns")


def test_a_walk_held_in_place_keeps_its_steps() -> None:
    walk = load("sample:walk").window(20, 100)  # without the standing before and after
    held = replace(walk, joints=(walk.joints - walk.joints[:, :1] * np.array([1, 0, 1], np.float32)))
    free, facts = measure(walk), measure(held)
    assert free.steps and facts.steps and free.mean_speed
    assert abs(len(facts.steps) - len(free.steps)) <= 1
    assert facts.held_root_speed == pytest.approx(free.mean_speed, rel=0.3)  # the made feet slide a little
    assert "as on a treadmill" in line(facts, "moves") and "treadmill" not in line(free, "moves")


def test_a_real_walk_held_in_place_has_its_speed(shared: Path) -> None:
    facts = measure(load(next((shared.parent / "cases").glob("15-*")) / "walk_inplace.bvh"))
    assert len(facts.steps or ()) == 7  # the walk before its pelvis was held: 7 strikes, 0.87 m/s
    assert facts.held_root_speed == pytest.approx(0.87, abs=0.1)


@pytest.mark.parametrize("key", ["RL_Avatar_Fall_Backward_Motion", "RL_Avatar_Fall_Left_Motion"])
def test_a_fall_that_gets_up_again_stays_a_fall(fallen: Callable[[str], Motion], key: str) -> None:
    motion = fallen(key)  # stands, is knocked over at 1.2 s, is up again after 4 s
    facts = measure(motion)
    words = describe(motion, facts) or ""
    assert (
        words.startswith("drops to the ground and gets up again") and "upright" not in words and "stands" not in words
    )
    assert line(facts, "falls") == "falls: falls 1.1-1.6 s, gets up again"


@pytest.fixture(scope="module")
def fallen(shared: Path) -> Callable[[str], Motion]:
    def read(key: str) -> Motion:
        row = next(r for r in json.loads((shared / "labelled" / "index.json").read_text())["ase_amp"] if r["id"] == key)
        file = np.load(shared / "labelled" / "ase_amp.npz")
        joints = file["joints"][row["start"] : row["start"] + row["frames"]].astype(np.float32)
        return Motion(joints * np.float32(file["scale"]))

    return read


@pytest.mark.parametrize("azimuth", [0.0, 60.0, 120.0, 180.0])
def test_one_camera_sees_a_fall(azimuth: float) -> None:
    for motion in (load("sample:fall"), generate("fall", seed=1, direction="left")[0]):
        facts = measure(project(motion, azimuth, 10.0, 4.0))
        assert facts.falls is None and len(facts.fallen()) == 1, "2D: by the image plane"
        assert line(facts, "falls").endswith("stays down")
        assert facts.fallen()[0][0] == pytest.approx((measure(motion).falls or ())[0].start, abs=0.4)


@pytest.mark.parametrize("action", ["sit_down", "crouch", "bow", "lie_down", "kneel", "squats", "jumps", "walk"])
def test_one_camera_sees_no_fall_where_nobody_falls(action: str) -> None:
    for seed in range(2):
        for azimuth in (0.0, 90.0):
            facts = measure(project(generate(action, seed=seed)[0], azimuth, 10.0, 4.0))
            assert facts.fallen() == () and not line(facts, "falls")


def test_a_projected_fall_that_gets_up_again_stays_a_fall(fallen: Callable[[str], Motion]) -> None:
    for azimuth in (0.0, 90.0):
        motion = project(fallen("RL_Avatar_Fall_Backward_Motion"), azimuth, 10.0, 4.0)
        words = describe(motion) or ""
        assert words.startswith("drops to the ground and gets up again") and "mostly" not in words.split(", ")[1]


@pytest.mark.parametrize(
    ("source", "key", "question", "answer"),
    [
        ("cmu20", "11_01", "Which leg kicks?", "right leg"),
        ("kinder_gator", "p577_32", "Which leg does the person kick with?", "left leg"),
        ("kinder_gator", "p577_32", "Does she kick with the right leg?", "no"),
        ("cmu20", "11_01", "How many times does the person kick?", "1"),
        ("precog", "Seq1_12", "How many times does the person kick?", "3"),
        ("deepmimic", "humanoid3d_kick", "How high is the kick?", "1.1 m"),
        ("cmu20", "01_09", "Is the person climbing?", "yes, from 3.6 to 9.2 s"),
        ("cmu20", "05_11", "How many full turns does she make?", "2"),
        ("cmu20", "05_02", "How often does the dancer spin around?", "1"),
        ("ase_amp", "RL_Avatar_Fall_Left", "Does the person get up again after the fall?", "yes"),
        ("ase_amp", "RL_Avatar_Fall_Left", "How many times does the person fall?", "1"),
        ("cmu20", "06_01", "Which leg kicks?", None),
    ],
)
def test_questions_about_named_events(clip: Clip, source: str, key: str, question: str, answer: str | None) -> None:
    said = measured_answer(question, clip(source, key))
    if answer is not None and answer.startswith("yes, from"):
        assert said is not None and said.startswith("yes, from 3.")
    else:
        assert said == answer
