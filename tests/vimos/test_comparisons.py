"""Questions about two clips: answers that follow from both, none where the difference is unclear."""

from __future__ import annotations

import random

import numpy as np

from vimonet.motion import Motion, load
from vimonet.motion.kinematics import measure
from vimonet.vimos.comparisons import ALIKE, CLIPS, ask_about, comparisons, verdict, worded
from vimonet.vimos.types import Question
from vimonet.vimos.wordings import read_people

WALK = Motion(load("sample:walk").joints, name="walk")
STAND = Motion(np.repeat(WALK.joints[:1], 60, axis=0), name="stand")


def asked(first: Motion, second: Motion, *labels: list[str], others: tuple[str, ...] = ()) -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = {}
    pair = measure(first), measure(second)
    for question in comparisons(pair, (labels[0], labels[1]), others, random.Random(0)):
        found.setdefault(question.form.removeprefix("compare_"), []).append(question)
    return found


def answer(found: dict[str, list[Question]], form: str) -> str:
    return found[form][0].answer


def test_measures_are_compared() -> None:
    found = asked(WALK, STAND, ["walk"], ["stand still"])
    for form in ("faster", "longer", "more_steps"):
        assert answer(found, form) == CLIPS[0]
    for form in ("slower", "shorter", "fewer_steps"):
        assert answer(found, form) == CLIPS[1]
    told = {form: worded(found[form][0], random.Random(0))[1] for form in ("more_steps", "fewer_steps")}
    assert told == {"more_steps": "8 and 0: the first clip", "fewer_steps": "8 and 0: the second clip"}
    assert verdict(told["fewer_steps"]) == CLIPS[1] and verdict("the second clip") == CLIPS[1]
    assert "higher_jump" not in found  # nobody jumps
    assert "farther" not in found  # who stands has no path that could be told
    half = Motion(WALK.joints[: WALK.frames // 2], name="half")
    assert answer(asked(half, WALK, ["walk"], ["walk"]), "farther") == CLIPS[1]
    turned = asked(STAND, WALK, ["stand still"], ["walk"])
    assert answer(turned, "faster") == CLIPS[1] and answer(turned, "slower") == CLIPS[0]


def test_what_is_alike_and_what_is_unclear() -> None:
    twice = asked(WALK, WALK, ["walk"], ["walk"])
    assert {question.answer for form in ("faster", "longer", "more_steps") for question in twice[form]} == {ALIKE}
    shorter = Motion(WALK.joints[: int(0.87 * WALK.frames)], name="shorter")  # more than 1/12, less than 1/4
    assert "longer" not in asked(WALK, shorter, ["walk"], ["walk"])


def test_actions_are_compared() -> None:
    found = asked(WALK, STAND, ["walk"], ["stand still"], others=("punch",))
    which = {question.slots["do"]: question.answer for question in found["action"]}
    assert which == {"walk": CLIPS[0], "punch": "neither"}  # who walks may stand still for a moment
    assert {question.answer for question in found["both"]} == {"no"}
    assert [(question.slots["nth"], question.answer) for question in found["of"]] == [
        ("first", "walking"),
        ("second", "standing still"),
    ]
    assert answer(found, "same") == "no" and answer(asked(WALK, WALK, ["walk"], ["walk"]), "same") == "yes"
    assert asked(WALK, WALK, ["walk"], ["walk"])["both"][0].answer == "yes"
    # A clip without labels may hold anything.
    assert [question.answer for question in asked(WALK, STAND, ["walk"], [])["of"]] == ["walking"]
    assert "action" not in asked(WALK, STAND, ["walk"], [])


def test_every_form_has_wordings_that_fit() -> None:
    rows = read_people("comparisons")
    forms = {row["form"] for row in rows}
    pairs = ask_about((WALK, ["walk"]), (STAND, ["stand still"]), ("punch",), 40, random.Random(1))
    assert len(pairs) == 40 and all(question and "{" not in question for question, _ in pairs)
    assert all(sum(row["form"] == form for row in rows) >= 20 for form in forms)
    found = asked(WALK, STAND, ["walk"], ["stand still"])
    assert {f"compare_{form}" for form in found} <= forms
    assert pairs == ask_about((WALK, ["walk"]), (STAND, ["stand still"]), ("punch",), 40, random.Random(1))
