"""Questions about how the body is held: true of made-up motions, silent in dead zones, the same each time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from held_poses import FORWARD, HEAD, LEFT, arms_along, hand_at

from research.vimos_open.synthesis import ACTIONS, compose, generate
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import measure
from vimonet.vimos.annotators.kinematic import from_facts
from vimonet.vimos.annotators.kinematic.held_questions import held_in_parts
from vimonet.vimos.question_forms import FORMS
from vimonet.vimos.types import Part, Question

HELD = [*FORMS][[*FORMS].index("arms_position") : [*FORMS].index("lowest_moment") + 1]


def asked(motion: Motion) -> list[Question]:
    return [q for q in from_facts(measure(motion)) if q.form in HELD]


def answers(motion: Motion) -> dict[str, str]:
    return {q.form: q.answer for q in asked(motion)}


def standing() -> Motion:
    return generate("stand", seed=1, duration=3.0, place=False)[0]


@pytest.mark.parametrize(
    ("action", "parameters", "form", "answer"),
    [
        ("stand", {}, "arms_position", "both arms hang at the sides"),
        ("stand", {}, "hands_together", "no"),
        ("stand", {}, "knee_straight", "yes"),
        ("stand", {}, "lean_side", "neither side"),
        ("stand", {}, "effort", "low"),
        ("stand", {}, "compare_halves", "they are alike"),
        ("clap", {"count": 5}, "hands_together", "yes"),
        ("crawl", {}, "knee_straight", "no"),
        ("punch", {"side": "left"}, "which_joint_moves_most", "left wrist"),
        ("punch", {"side": "right"}, "which_joint_moves_most", "right wrist"),
        ("kick", {"side": "right"}, "least_active_limb", "left leg"),
        ("squats", {"count": 3, "depth": 0.3}, "squat_depth", "above parallel"),
        ("squats", {"count": 3, "depth": 0.3}, "knee_caving", "no"),
        ("get_up", {}, "hands_to_get_up", "yes"),
        ("bow", {"degrees": 80.0}, "back_straight", "no strong rounding"),
    ],
)
def test_what_is_asked_is_true_and_mostly_asked(
    action: str, parameters: dict[str, Any], form: str, answer: str
) -> None:
    given = [answers(generate(action, seed=seed, **parameters)[0]).get(form) for seed in range(6)]
    assert set(given) - {None} == {answer}


@pytest.mark.parametrize("degrees", [45.0, 80.0])
def test_the_deepest_lean_is_asked_in_degrees(degrees: float) -> None:
    motion = generate("bow", seed=1, degrees=degrees)[0]
    said, tilt = answers(motion)["trunk_lean"], measure(motion).trunk_inclination
    assert tilt is not None and abs(int(said.split()[1]) - tilt) <= 1
    assert "trunk_lean" not in answers(standing())


def test_sides_follow_the_hand_that_goes_to_the_head() -> None:
    for side in ("left", "right"):
        found = [q for q in asked(hand_at(standing(), side, HEAD, 15, 40)) if q.slots.get("part") == "head"]
        assert {(q.form, q.answer) for q in found} == {("hand_to_body", "yes"), ("which_hand_to_body", f"{side} hand")}
        assert found[0].evidence["detail"].startswith(f"the {side} hand, at ")


def test_a_t_pose_and_arms_stretched_forward_are_told_apart() -> None:
    apart, ahead = arms_along(standing(), left=LEFT, right=-LEFT), arms_along(standing(), left=FORWARD, right=FORWARD)
    assert answers(apart)["arms_position"] == "T-pose: both arms stretched out level to the sides"
    assert answers(ahead)["arms_position"] == "both arms stretched out forward"


def test_angles_are_those_of_the_facts_and_the_range_is_their_difference() -> None:
    walk = generate("walk", seed=3, duration=4.0)[0]
    held = measure(walk).held
    assert held is not None
    for q in asked(walk):
        if q.form == "joint_angle":
            angle = held.angles[q.slots["joint"]]
            assert q.answer == f"{angle.least:.0f} to {angle.most:.0f} degrees"
        elif q.form == "range_of_motion":
            assert q.answer == f"{held.angles[q.slots['joint']].range:.0f} degrees"


def test_the_peak_of_one_jump_is_in_its_flight_and_repeated_ones_have_none() -> None:
    once = generate("jumps", seed=0, count=1, height=0.3)[0]
    jump = next(q for q in asked(once) if q.form == "peak_of_jump")
    assert jump.evidence["start"] < float(jump.answer.split()[1]) < jump.evidence["end"]
    assert "peak_of_jump" not in answers(generate("jumps", seed=0, count=3, height=0.3)[0])


def test_a_moment_is_described_as_its_posture() -> None:
    sit = generate("sit_down", seed=0)[0]
    told = {q.slots["t"]: q.answer for q in held_in_parts((), measure(sit))}
    facts = measure(sit)
    assert told and facts.posture is not None
    for t, answer in told.items():
        label = next(p.label for p in facts.posture if p.start <= float(t) < p.end)
        assert answer.startswith((label, "upright"))
    assert [q.answer for q in asked(sit)] == [q.answer for q in asked(sit)]


def test_what_is_not_in_the_picture_is_named_in_2d_where_nothing_else_is_asked() -> None:
    flat = load("sample:squats_coco17")
    assert {q.form for q in asked(flat)} == {"what_is_seen"}
    assert answers(flat)["what_is_seen"] == "the whole body"


@pytest.mark.parametrize("action", [*ACTIONS])
def test_every_question_can_be_written(action: str) -> None:
    for q in asked(generate(action, seed=1)[0]):
        assert q.answer and json.loads(json.dumps(q.evidence)), q
        assert not q.options or q.answer in q.options, q
        assert isinstance(q.evidence.get("detail", ""), str)


def test_the_arms_are_told_during_the_action_asked_about() -> None:
    steps = [("stand", {"duration": 2.0}), ("raise_hand", {"side": "left", "hold": True})]
    motion, truth = compose(steps, seed=0)
    spans = [(part["start"], part["end"]) for part in truth["parts"]]
    parts = [Part("stand", *spans[0]), Part("raise the left hand", spans[1][0] + 1.5, spans[1][1])]
    told = {q.slots["a"]: q.answer for q in held_in_parts(parts, measure(motion))}
    assert told["standing"] == "both arms hang at the sides"
    assert told["raising the left hand"].startswith("left arm raised")
