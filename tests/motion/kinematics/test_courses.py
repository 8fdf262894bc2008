"""Courses: which way hips, trunk and hands go, how often, and when they are at their peak."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion import Motion
from vimonet.motion.kinematics import measure
from vimonet.motion.kinematics.courses import Course, half_of


def courses(motion: Motion) -> dict[str, Course]:
    return {course.part: course for course in measure(motion).courses}


def test_a_squat_goes_down_then_up_with_its_lowest_point_in_the_middle() -> None:
    motion = generate("squats", seed=1, count=1)[0]
    hips = courses(motion)["hips"]
    assert (hips.first, hips.net, hips.times, hips.way()) == ("down", "back", 1, "down, then up")
    lowest = int(np.argmin(motion.joints[:, 0, 1])) / motion.fps
    assert abs(hips.peak - lowest) < 0.3
    assert hips.line(motion.duration).startswith("hips: down then up, lowest at ")


@pytest.mark.parametrize("count", [2, 4, 7])
def test_squats_are_counted(count: int) -> None:
    assert courses(generate("squats", seed=2, count=count)[0])["hips"].times == count


def test_sitting_down_goes_down_and_backwards_it_goes_up() -> None:
    motion = generate("sit_down", seed=3)[0]
    assert courses(motion)["hips"].way() == "down"
    back = replace(motion, joints=np.ascontiguousarray(motion.joints[::-1]))
    assert courses(back)["hips"].way() == "up"


def test_a_raised_hand_goes_up_first_and_the_other_has_no_course() -> None:
    motion, truth = generate("raise_hand", seed=4)
    found = courses(motion)
    assert found[f"{truth['side']} hand"].first == "up"
    other = "left" if truth["side"] == "right" else "right"
    assert f"{other} hand" not in found


def test_a_bow_bends_the_trunk_once_and_a_walk_does_not() -> None:
    assert courses(generate("bow", seed=5)[0])["trunk"].times == 1
    assert not courses(generate("walk", seed=5)[0])


def test_an_event_near_the_middle_belongs_to_no_half() -> None:
    assert half_of(0.2, 0.8, 4.0) == "first"
    assert half_of(3.0, 3.4, 4.0) == "second"
    assert half_of(1.9, 2.2, 4.0) is None
    assert half_of(0.5, 3.5, 4.0) is None
