from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterable

import pytest

from research.vimos_open.augment import hide
from research.vimos_open.synthesis import generate
from vimonet.motion.kinematics import measure
from vimonet.vimos.action_labels import verb_slots
from vimonet.vimos.annotators.kinematic import CANNOT_TELL, from_facts, from_parts
from vimonet.vimos.label_consistency import absent_from, contradicts
from vimonet.vimos.types import Part, Question
from vimonet.vimos.wordings import WORDINGS, ask, read_people, typo


def answers(questions: Iterable[Question]) -> dict[tuple[str, str], str]:
    return {(q.form, q.slots.get("do", "")): q.answer for q in questions}


@pytest.mark.parametrize(
    ("action", "parameters", "form", "answer"),
    [
        ("walk", {}, "displacement", "forward"),
        ("walk_backward", {}, "displacement", "backward"),
        ("side_step", {"side": "left"}, "displacement", "left"),
        ("side_step", {"side": "right"}, "displacement", "right"),
        ("turn_in_place", {"side": "left", "degrees": 90}, "turn", "left"),
        ("turn_in_place", {"side": "right", "degrees": 90}, "turn", "right"),
        ("wave", {"side": "left"}, "raised_hand", "left hand"),
        ("wave", {"side": "right"}, "more_active_arm", "right arm"),
        ("raise_hand", {"side": "both"}, "raised_hand", "both hands"),
        ("run", {"speed": 3.6}, "speed", "at running pace"),
        ("stand", {}, "speed", "does not travel"),
        ("sit_down", {}, "posture_end", "sitting"),
        ("lie_down", {}, "posture_end", "lying"),
    ],
)
def test_measured_answers_agree_with_what_was_generated(action: str, parameters: dict, form: str, answer: str) -> None:
    for seed in range(3):
        motion, _ = generate(action, seed=seed, **parameters)
        found = answers(from_facts(measure(motion)))
        # Near a threshold nothing is asked; what is asked must be right.
        assert found.get((form, ""), answer) == answer


@pytest.mark.parametrize(("action", "do"), [("jumps", "jump"), ("fall", "fall"), ("bow", "bend over")])
def test_events_are_affirmed_where_they_happen_and_denied_elsewhere(action: str, do: str) -> None:
    happened = answers(from_facts(measure(generate(action, seed=1)[0])))
    still = answers(from_facts(measure(generate("stand", seed=1)[0])))
    assert happened["fact_yes_no", do] == "yes"
    assert still["fact_yes_no", do] == "no"


def test_a_hidden_arm_cannot_be_told() -> None:
    motion, _ = generate("wave", seed=0, side="left")
    for seed in range(8):
        hidden, limbs = hide(motion, random.Random(seed))
        found = answers(from_facts(measure(hidden)))
        expected = CANNOT_TELL if any("arm" in limb for limb in limbs) else "left hand"
        assert found["raised_hand", ""] == expected


def test_order_questions_follow_the_parts() -> None:
    parts = [Part("walk", 0, 2), Part("clap", 2.3, 4), Part("sit down", 4.3, 6)]
    for seed in range(10):
        for q in from_parts(parts, random.Random(seed), ["jump", "run"]):
            order = ["walking", "clapping", "sitting down"]
            if q.form == "order":
                earlier = order.index(q.slots["a"]) < order.index(q.slots["b"])
                assert q.answer == ("before" if earlier else "after")
            elif q.form == "order_yes_no":
                earlier = order.index(q.slots["a"]) < order.index(q.slots["b"])
                assert q.answer == ("yes" if earlier else "no")
            elif q.form == "after":
                assert order.index(q.answer) == order.index(q.slots["a"]) + 1
            elif q.form == "yes_no":
                assert q.answer == ("yes" if q.slots["do"] in ("walk", "clap", "sit down") else "no")
            elif q.form == "action":
                assert q.answer == "walking, then clapping, then sitting down"


def test_nothing_is_called_absent_that_is_part_of_what_happens() -> None:
    assert not absent_from("walk", {"walk and turn left"})
    assert not absent_from("wave the left hand", {"wave both hands"})
    assert absent_from("wave the left hand", {"wave the right hand"})
    assert absent_from("jump", {"walk"})


def test_a_measured_no_does_not_deny_the_label() -> None:
    no = Question("yes_no", "fact_yes_no", "no", {"do": "jump"})
    assert contradicts(no, {"jump rope"})
    assert not contradicts(no, {"walk"})


def test_wordings_are_many_and_the_unseen_ones_apart() -> None:
    for form, sets in WORDINGS.items():
        assert len(sets["seen"]) >= 9 and len(sets["seen"]) + len(sets["unseen"]) >= 12, form
        assert sets["unseen"], form
        trained = {w.lower() for w in (*sets["seen"], *sets["people"])}
        assert not trained & {w.lower() for w in sets["unseen"]}, form


def test_what_people_type_is_drawn_for_training_alone() -> None:
    turn = WORDINGS["turn"]
    assert len(turn["people"]) > 70 and not set(turn["people"]) & set(turn["seen"] + turn["unseen"])
    asked = [ask("turn", random.Random(n), people=True) for n in range(300)]
    own = {ask("turn", random.Random(n), plain=True, unseen=unseen) for n in range(300) for unseen in (False, True)}
    assert len(set(asked)) > 40 and not set(asked) & own
    assert len(own) == len(turn["seen"]) + len(turn["unseen"])
    # What the comparable figures were drawn with, word for word.
    assert ask("turn", random.Random(3), plain=True) == "To which side is the person turning?"
    assert ask("count", random.Random(5), plain=True, unseen=True, **verb_slots("jump")) == (
        "Tell me the number of times the person jumps."
    )


def test_intents_without_wordings_of_ours_have_those_of_people() -> None:
    weather = WORDINGS["weather"]
    assert weather["unseen"] and set(weather["seen"]) < set(weather["people"])
    assert not set(weather["unseen"]) & set(weather["people"])
    assert {ask("weather", random.Random(n), plain=True) for n in range(2000)} == set(weather["seen"])
    assert ask("either_or", random.Random(0), plain=True, unseen=True, a="walking", b="running") in (
        "Walking? Or should I call it running?",
        "Could you help me decide whether the person is walking or running?",
    )


def test_slips_are_not_made_twice_and_lead_ins_stand_before_questions_alone() -> None:
    slipped = [row["text"] for row in read_people("wordings") if row["register"] == "typo" and row["form"] == "speed"]
    asked = [ask("speed", random.Random(n), people=True) for n in range(2000)]
    assert {text for text in slipped if "{" not in text} <= set(asked)
    led = {text.partition(" clip, ")[2].split()[0] for text in asked if text.startswith("In this clip, ")}
    assert led and led <= {"how", "is", "at", "does", "what", "which", "would"}, led


def test_a_slip_never_touches_words_that_carry_the_answer() -> None:
    rng = random.Random(0)
    text = "Does turning right happen before or after walking?"
    for _ in range(200):
        slipped = typo(text, rng)
        assert "right" in slipped and "before" in slipped and "after" in slipped


def test_plain_questions_are_the_wording_itself() -> None:
    asked = {ask("turn", random.Random(seed), plain=True) for seed in range(50)}
    assert asked <= {
        w.format(who="the person")[:1].upper() + w.format(who="the person")[1:] for w in WORDINGS["turn"]["seen"]
    }


def test_questions_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import random; from vimonet.vimos.annotators.kinematic import from_parts;"
        "from vimonet.vimos.types import Part;"
        "parts = [Part(a, i, i + 1.0) for i, a in enumerate(['walk', 'clap', 'bow', 'run'])];"
        "print([q.slots.get('do') for q in from_parts(parts, random.Random(0), ['jump', 'kick'])])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
