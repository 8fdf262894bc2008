"""Chats about a clip: every turn with the answer of that clip, nothing answered that no question of it answers."""

from __future__ import annotations

import random

import pytest

from research.vimos_open.synthesis import generate
from vimonet.vimos.action_labels import verb_slots
from vimonet.vimos.annotators.annotate import questions_of
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO
from vimonet.vimos.dialogues import OTHER_HAND, Chat, dialogues_of
from vimonet.vimos.types import Part, Question


def chats(*questions: Question) -> dict[str, Chat]:
    return {chat[0][0]: chat for chat in dialogues_of(questions, random.Random(0))}


def yes_no(do: str, answer: str, form: str = "yes_no", **evidence: str) -> Question:
    return Question("yes_no", form, answer, verb_slots(do), YES_NO, evidence)


def test_turns_have_the_answers_of_the_clip() -> None:
    told = chats(
        Question("action", "action", "waving the right hand"),
        Question("count", "count", "4", verb_slots("wave the right hand")),
        Question("duration", "cycle_time", "about 1.5 seconds"),
        Question("turn", "turn", "left"),
        yes_no("turn", "yes", "fact_yes_no"),
        Question("turn", "turn_amount", "about 90 degrees to the left"),
        Question("speed", "speed", "slowly"),
    )
    assert [answer for _, answer in told["What is he doing?"]] == ["waving the right hand", "4", "about 1.5 seconds"]
    assert [answer for _, answer in told["does she turn?"]] == ["yes", "left", "about 90 degrees to the left"]
    assert told["he looks sad"][1] == ("or is he just walking slowly?", "slowly")
    assert told["is it raining?"][0][1] == "cannot tell, joints do not show the weather"


def test_an_action_is_matched_by_what_the_chat_names() -> None:
    runs = chats(yes_no("run", "yes"), yes_no("jog", "yes"), yes_no("walk", "no", detail="the person runs"))
    assert [answer for _, answer in runs["any running?"]] == ["yes", "yes", "no, the person runs"]
    assert ("walk then?", "no, the person runs") in runs["does she run"]
    both = chats(yes_no("turn to the left", "yes", "fact_yes_no"), yes_no("turn to the right", "no", "fact_yes_no"))
    assert both["was there a turn to the left?"] == [
        ("was there a turn to the left?", "yes"),
        ("and to the right?", "no"),
    ]
    limbs = chats(
        *(
            Question("yes_no", "limb_moves", a, {"limb": limb}, YES_NO)
            for limb, a in (("left arm", "no"), ("right arm", "yes"))
        )
    )
    assert limbs["Is the left arm moving?"] == [("Is the left arm moving?", "no"), ("the right?", "yes")]


def test_a_chat_ends_where_no_question_answers() -> None:
    told = chats(Question("turn", "turn", "right"))
    assert told["Is it a left turn?"][1] == ("hm, how do you know?", "the turn of hips and shoulders was measured")
    assert len(told["Is it a left turn?"]) == 2  # the third turn asks how long it takes
    assert "does she turn?" not in told


def test_a_fall_that_is_not_there_has_no_cause() -> None:
    upright = chats(yes_no("fall", "no", "fact_yes_no"), Question("speed", "speed", "slowly"))
    assert upright["why did she fall?"][0][1] == "cannot tell, no fall is seen"
    fallen = chats(yes_no("fall", "yes", "fact_yes_no"), Question("speed", "speed", "slowly"))
    assert fallen["why did she fall?"][0][1].startswith("cannot tell, a slip")


@pytest.mark.parametrize("action", ["walk", "wave", "fall", "jumps"])
def test_a_clip_has_chats(action: str) -> None:
    motion, _ = generate(action, seed=2)
    name = {"jumps": "jump"}.get(action, action)
    questions, _ = questions_of(motion, [Part(name, 0.0, motion.duration)], random.Random(0), ["clap", "bow", "swim"])
    told = dialogues_of(questions, random.Random(0))
    assert len(told) > 15 and all(2 <= len(chat) <= 5 for chat in told)
    assert told == dialogues_of(questions, random.Random(0))
    doing = {answer for chat in told for question, answer in chat if question == "What is he doing?"}
    assert doing <= {"walking", "waving", "falling", "jumping"}


def test_a_second_turn_asks_the_same_of_the_other_side_or_of_another_action() -> None:
    sides = [
        Question("limb", "limb_moves", answer, {"limb": f"{side} arm"}, YES_NO)
        for side, answer in (("left", "yes"), ("right", "no"))
    ]
    raised = Question("limb", "raised_hand", "left hand", {})
    for seed in range(8):
        asked_on = [chat for chat in dialogues_of(sides, random.Random(seed)) if chat[0][1] in ("yes", "no")]
        ((first, said), (turn, other)) = asked_on[0]
        assert {said, other} == {"yes", "no"} and ("left" in first.lower()) == (said == "yes") and "arm" not in turn
        (chat,) = [
            c for c in dialogues_of([raised], random.Random(seed)) if c[0][1] == "left hand" and c[1][0] in OTHER_HAND
        ]
        assert [answer for _, answer in chat] == ["left hand", "no"]
    acts = [yes_no("walk", "yes"), yes_no("run", "no", detail="the person walks")]
    answers = [sorted(answer for _, answer in chat) for chat in dialogues_of(acts, random.Random(0))]
    assert ["no, the person walks", "yes"] in answers
