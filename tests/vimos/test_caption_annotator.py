from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vimonet.motion import Motion, load
from vimonet.motion.kinematics import measure
from vimonet.motion.skeleton import T_POSE
from vimonet.samples import sample_path
from vimonet.vimos.annotators.caption_grammar import VERBS, forms, read
from vimonet.vimos.annotators.caption_questions import FORMS, from_caption, from_captions


def answers(caption: str, tokens: str = "") -> dict[str, set[str]]:
    out: dict[str, set[str]] = {}
    for question in from_caption(caption, tokens):
        out.setdefault(question.form, set()).add(question.answer)
    return out


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a man walks forward.", {"caption_action": {"walking"}, "caption_direction": {"forward"}}),
        ("A person turns 90 degrees to the left.", {"caption_turn": {"left"}, "caption_turn_amount": {"90 degrees"}}),
        ("someone is waving with his right hand", {"caption_used": {"the right hand"}}),
        ("A human raises both arms.", {"caption_moved": {"both arms"}, "caption_action": {"raising both arms"}}),
        ("the person hops 4 times on the left leg", {"caption_count": {"4"}}),
        ("a person makes two little jumps", {"caption_count": {"2"}, "caption_action": {"jumping"}}),
        ("A person takes eight steps backwards.", {"caption_steps": {"8"}, "caption_direction": {"backward"}}),
        ("a person walks slowly in a circle", {"caption_speed": {"slowly"}, "caption_path": {"in a circle"}}),
        ("A person walks straight on.", {"caption_path": {"straight"}}),
        ("a person confidently walks", {"caption_manner": {"confidently"}}),
        ("a person jumps while turning", {"caption_together": {"jumping", "turning"}}),
        ("he picked something up from the floor", {"caption_action": {"picking something up"}}),
    ],
)
def test_what_a_caption_states_is_asked(caption: str, expected: dict[str, set[str]]) -> None:
    found = answers(caption)
    assert {form: found.get(form) for form in expected} == expected


@pytest.mark.parametrize(
    "caption",
    [
        "a man walks forward then waves with his right hand",
        "After walking forward, a man waves with his right hand.",
        "A man waves with his right hand after walking forward.",
        "A man walks forward before waving with his right hand.",
        "a man walks forward. then he waves with his right hand.",
    ],
)
def test_order_in_words(caption: str) -> None:
    found = answers(caption)
    assert found["caption_first"] == found["caption_before"] == found["caption_which_first"] == {"walking"}
    assert found["caption_last"] == found["caption_after"] == {"waving"}
    assert found["caption_direction"] == {"forward"} and found["caption_used"] == {"the right hand"}
    order = {(q.slots["a"], q.answer) for q in from_caption(caption) if q.form == "caption_order"}
    assert order == {("walking", "yes"), ("waving", "no")}


@pytest.mark.parametrize(
    ("caption", "absent"),
    [
        # "and" states no order.
        ("a person walks and waves", {"caption_first", "caption_after", "caption_order", "caption_action"}),
        # Another clause, not understood, may hold anything.
        ("a person walks then flurbs then sits", {"caption_first", "caption_after", "caption_last"}),
        ("a person walks around flurbing", {"caption_action"}),
        # Two limbs, two ways.
        ("a person waves with his left hand and right leg", {"caption_used"}),
        ("a person waves with his left and right hand", {"caption_moved"}),
        ("a person walks forward and backward", {"caption_direction"}),
        ("the person walks forward and then walks backward", {"caption_direction", "caption_direction_is"}),
        # Somebody else, something else, or not for sure.
        ("a person gets pushed to the left", set(FORMS)),
        ("two people walk forward", set(FORMS)),
        ("a person pulls another person forward", set(FORMS)),
        ("his arms swing slowly", set(FORMS)),
        ("a person tries to jump", set(FORMS)),
        ("a person walks or runs", {"caption_action", "caption_first"}),
        ("the person does not jump", set(FORMS)),
        # A purpose or a likeness is no action.
        ("a person bends as if to kick", {"caption_used"}),
        # Not a count, not a way of the whole person, not a side of the turn.
        ("a person walks about four steps", {"caption_steps"}),
        ("a person jumps several times", {"caption_count"}),
        ("a person performs a two legged hop", {"caption_count"}),
        ("a person moves the left hand to the right", {"caption_direction", "caption_direction_is"}),
        ("a person turns on its left foot", {"caption_turn", "caption_used"}),
        ("a person walks in a quarter circle to the left", {"caption_direction", "caption_path"}),
        ("a person walks back", {"caption_direction"}),
        ("A person takes 4 steps starting with the right foot", {"caption_used"}),
        ("", set(FORMS)),
        ("...!?", set(FORMS)),
        ("Ein Mensch läuft", set(FORMS)),
    ],
)
def test_what_it_does_not_state_is_not_asked(caption: str, absent: set[str]) -> None:
    assert not absent & set(answers(caption))


def test_part_of_speech_tokens_decide() -> None:
    """ "waves" after "person" looks like a verb; tokens that call it a noun are believed."""
    assert "caption_action" in answers("a person waves")
    assert not answers("a person waves", "a/DET person/NOUN wave/NOUN")
    assert "caption_action" in answers("a person waves", "a/DET person/NOUN wave/VERB")


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("walk", {"walk", "walks", "walking", "walked"}),
        ("wave", {"wave", "waves", "waving", "waved"}),
        ("punch", {"punch", "punches", "punching", "punched"}),
        ("hop", {"hop", "hops", "hopping", "hopped"}),
        ("run", {"run", "runs", "running", "ran"}),
        ("carry", {"carry", "carries", "carrying", "carried"}),
        ("play", {"play", "plays", "playing", "played"}),
        ("lie", {"lie", "lies", "lying", "lay", "lain"}),
        ("bow", {"bow", "bows", "bowing", "bowed"}),
        ("lower", {"lower", "lowers", "lowering", "lowered"}),
        ("begin", {"begin", "begins", "beginning", "began", "begun"}),
    ],
)
def test_forms_of_verbs(verb: str, expected: set[str]) -> None:
    assert forms(verb) == expected


def test_every_verb_is_read() -> None:
    for verb in sorted(VERBS):
        third = min(form for form in forms(verb) if form.endswith("s") and form != verb)
        assert [event.verb for event in read(f"a person {third} the ball").events] == [verb]


# ---------------------------------------------------------------- absence, wording


def standing(seconds: float = 4.0) -> Motion:
    """A body that stands with its arms down."""
    pose = T_POSE.copy()
    for side, (shoulder, elbow, wrist) in ((1, (16, 18, 20)), (-1, (17, 19, 21))):
        pose[elbow] = pose[shoulder] + np.array([0.03 * side, -0.27, 0.0])
        pose[wrist] = pose[elbow] + np.array([0.02 * side, -0.25, 0.02])
    return Motion(np.repeat(pose[None], int(20 * seconds), axis=0))


def denied(captions: list[str], motion: Motion) -> set[str]:
    found: set[str] = set()
    for seed in range(40):  # which of them are asked is a matter of chance
        asked = from_captions(captions, random.Random(seed), facts=measure(motion))
        found |= {i.slots["do"] for i in asked if i.form == "caption_happens" and i.answer == "no"}
    return found


def test_absent_is_what_neither_words_nor_measures_allow() -> None:
    still = standing()
    assert {"jump", "sit down", "run", "bow", "turn around"} <= denied(["a person claps"], still)
    assert "bow" not in denied(["a person claps and leans"], still)
    assert not denied(["a person claps", "the figure flurbs"], still)  # the second might name anything
    assert not denied(["a person claps", "a man does not move"], still)
    squats = load(sample_path("squats"))
    assert not {"sit down", "kneel", "crawl"} & denied(["a person claps"], squats)
    assert "raise a hand above the head" not in denied(["a person stops"], load(sample_path("wave_right")))
    assert "turn around" not in denied(["a person walks"], load(sample_path("turn_left")))


def test_absence_needs_measures_and_is_no_more_frequent_than_presence() -> None:
    captions, rng = ["a person claps", "someone claps."], random.Random(0)
    assert not [i for i in from_captions(captions, rng) if i.answer == "no"]
    both = [i.answer for i in from_captions(captions, rng, facts=measure(standing())) if i.form == "caption_happens"]
    assert sorted(both) in (["no", "yes"], ["no", "no", "yes"])


def test_unmeasured_is_not_absent() -> None:
    facts = replace(
        measure(standing()), jumps=None, posture=None, trunk_inclination=None, peak_speed=None, hand_height={}
    )
    rng = random.Random(0)
    found = [i for s in range(20) for i in from_captions(["a person claps"], rng, facts=facts) if i.answer == "no"]
    assert not {"jump", "sit down", "bow", "run", "raise a hand above the head"} & {i.slots["do"] for i in found}


def test_captions_that_contradict_give_no_question() -> None:
    found = from_captions(["a person walks slowly", "a person walks quickly"], random.Random(0))
    assert "caption_speed" not in {i.form for i in found}
    found = from_captions(["a person walks forward", "a man stumbles backward"], random.Random(0))
    assert not [i for i in found if i.form == "caption_direction_is" and i.answer == "no"]


def test_words_and_provenance() -> None:
    text = "a man walks forward then waves with his right hand"
    first = from_captions([text], random.Random(3))
    assert first == from_captions([text], random.Random(3))
    for row in first:
        assert row.generator == "caption" and row.evidence["caption"] == text and row.style and row.wording == "seen"
        assert row.question.endswith(("?", ".")) and row.question[0].isupper() and "{" not in row.question
        assert not row.options or row.answer in row.options
    unseen = from_captions([text], random.Random(3), unseen=True)
    assert {i.wording for i in unseen} == {"unseen"} and not {i.question for i in unseen} & {i.question for i in first}


def test_enough_forms_each_in_several_words() -> None:
    assert len(FORMS) >= 15
    assert all(len(set(form["wordings"])) >= 3 for form in FORMS.values())  # type: ignore[call-overload]


def test_real_captions(shared: Path) -> None:
    """Six thousand captions by people: every answer stands in its caption, in one form or another."""
    data = json.loads((shared / "text" / "kitml_annotations_tmr.json").read_text(encoding="utf-8"))
    captions = sorted({a["text"] for entry in data.values() for a in entry["annotations"]})[::3]
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    numbers = {name: str(n) for n, name in enumerate(names)} | {"twice": "2"}
    asked: dict[str, int] = {}
    for caption in captions:
        words = caption.lower().replace("squats", "squat")
        said = set(re.findall(r"[a-z0-9]+", words)) | {numbers[w] for w in numbers if w in words}
        for question in from_caption(caption):
            asked[question.form] = asked.get(question.form, 0) + 1
            if question.form in ("caption_turn", "caption_turn_amount", "caption_steps", "caption_count"):
                assert question.answer.split()[0] in said, (caption, question)
            if question.form in ("caption_used", "caption_moved") and not question.answer.startswith("both"):
                assert question.answer.split()[1] in said, (caption, question)
            if question.form == "caption_direction":
                assert question.answer[:4] in caption.lower() or "ahead" in said, (caption, question)
    assert sum(asked.values()) > 3000 and set(asked) >= set(FORMS) - {"caption_manner", "caption_count"}
