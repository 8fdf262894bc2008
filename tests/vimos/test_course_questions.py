"""Questions about courses, sides and first things: true of made-up motions, and turned about with them."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from research.vimos_open.synthesis import generate
from vimonet.motion import Motion
from vimonet.motion.kinematics import measure
from vimonet.vimos.annotators.kinematic.course_questions import courses
from vimonet.vimos.annotators.kinematic.people_questions import asked_by_people
from vimonet.vimos.types import Question


def answers(motion: Motion) -> dict[tuple[str, str], str]:
    """Map (form, what is asked about) to the answer."""
    about = ("part", "side", "a", "rises")
    return {
        (q.form, next((q.slots[key] for key in about if key in q.slots), "")): q.answer
        for q in courses(measure(motion))
    }


def test_a_squat_is_asked_about_with_true_answers() -> None:
    said = answers(generate("squats", seed=1, count=1)[0])
    assert said["way_first", "the pelvis"] == "down"
    assert said["way_course", "the pelvis"] == "down, then up"
    assert said["peak_third", "the pelvis"] == "in the middle"
    assert said["course_count", "the pelvis go down"] == "1"


def test_sitting_down_played_backwards_exchanges_what_comes_first() -> None:
    motion = generate("sit_down", seed=3)[0]
    back = replace(motion, joints=np.ascontiguousarray(motion.joints[::-1]))
    here, there = answers(motion), answers(back)
    assert (here["way_net", "the body"], there["way_net", "the body"]) == ("down", "up")
    assert (
        here["posture_end_of", "sitting"] == "at the end" and there["posture_end_of", "sitting"] == "at the beginning"
    )
    assert here["posture_order", "standing"] == "standing, then sitting"
    assert there["posture_order", "standing"] == "sitting, then standing"


def test_a_hand_that_is_held_up_until_the_end_is_up_in_the_last_moment() -> None:
    motion, truth = generate("raise_hand", seed=4)
    top = int(np.argmax(motion.joints[:, 20 if truth["side"] == "left" else 21, 1]))
    said = answers(replace(motion, joints=motion.joints[: top + 1]))
    assert said["hand_up_first", truth["side"]] == "no" and said["hand_up_last", truth["side"]] == "yes"


def test_each_side_is_asked_about_by_yes_or_no() -> None:
    facts = measure(generate("raise_hand", seed=4)[0])
    side = facts.raised()
    source = [Question("hand", "raised_hand", f"{side} hand")]
    asked = [q for q in asked_by_people(source, (), facts, random.Random(0)) if q.form == "side_check"]
    assert {(q.slots["limb"].split()[0] == side, q.answer) for q in asked} == {(True, "yes"), (False, "no")}
