"""Questions about tracked joints that the image plane answers, against movements filmed from known places."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from research.vimos_open.augment import Pool, make_sample
from vimonet.motion import Motion, load
from vimonet.motion.projection import project
from vimonet.samples import sample_path
from vimonet.vimos.annotators.annotate import questions_of
from vimonet.vimos.annotators.kinematic import from_picture
from vimonet.vimos.types import Clip


def answers(motion: Motion) -> dict[str, str]:
    return {q.slots.get("do", q.form): q.answer for q in from_picture(motion)}


def sideways(motion: Motion) -> Motion:
    """A body that keeps its pose of the first frame and is carried to its own left."""
    joints = np.repeat(motion.joints[:1], 60, axis=0)
    left = (joints[0, 1] - joints[0, 2]) * np.array([1, 0, 1], np.float32)
    return Motion(joints + np.linspace(0, 2, 60, dtype=np.float32)[:, None, None] * left / np.linalg.norm(left))


@pytest.mark.parametrize("azimuth", [90.0, -90.0, 0.0, 180.0])
def test_a_walk_leads_forward_from_every_side(azimuth: float) -> None:
    walk = load(sample_path("walk"))
    told = answers(project(walk, azimuth, 0.0, 8.0))
    assert told["move to another place"] == "yes" and told["displacement"] == "forward"
    back = answers(project(replace(walk, joints=walk.joints[::-1].copy()), azimuth, 0.0, 8.0))
    assert back["displacement"] == "backward", "the same, played from its end"


@pytest.mark.parametrize("azimuth", [0.0, 180.0])
def test_a_way_across_is_named_by_the_side_of_the_body(azimuth: float) -> None:
    moved = sideways(load(sample_path("squats")))
    assert answers(project(moved, azimuth))["displacement"] == "left"
    assert answers(project(moved.mirrored(), azimuth))["displacement"] == "right"


def test_who_stands_stays_and_does_not_turn() -> None:
    still = Motion(np.repeat(load(sample_path("squats")).joints[:1], 60, axis=0))
    told = [(q.form, q.answer) for q in from_picture(project(still))]
    places = [("fact_yes_no", "no"), ("displacement", "stays in place")]
    assert told == [*places, ("fact_yes_no", "no"), ("turn", "does not turn")]
    hidden = np.zeros((60, 22), np.float32)
    assert answers(replace(project(still), confidence=hidden)) == {}, "no trunk, no answer"


def test_tracked_joints_are_asked_what_they_show_and_3d_is_not() -> None:
    walk = load(sample_path("walk"))
    film = project(walk, 90.0, 0.0, 8.0)
    forms = {q.form for q in questions_of(film, (), random.Random(0))[0]}
    assert "displacement" in forms
    clip = Clip("a", "folder", "a", "train", film, "walk", side_known=False)
    sample = make_sample(Pool([clip]), random.Random(0), clip, mode="single")
    assert sample is not None and {"displacement", "more_active_arm"} <= {q.form for q in sample.questions}
    assert sum(q.form == "displacement" for q in questions_of(walk, (), random.Random(0))[0]) == 1
