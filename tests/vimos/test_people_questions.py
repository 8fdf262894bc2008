"""What people ask is answered from labels and measures, denied where it surely is not so, or declined with a reason."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion.kinematics import Facts, measure
from vimonet.vimos.action_labels import participle, verb_slots
from vimonet.vimos.action_names import paraphrased, renamed
from vimonet.vimos.annotators.kinematic.declined_questions import DECLINED, constant
from vimonet.vimos.annotators.kinematic.label_questions import from_labels
from vimonet.vimos.annotators.kinematic.people_questions import asked_by_people, checks
from vimonet.vimos.contrasts import contained, denied
from vimonet.vimos.types import Part, Question, bare_answer, spoken
from vimonet.vimos.wordings import WORDINGS, ask, read_people

DATA = Path(os.environ.get("VIMONET_DATA", "/nowhere"))


def facts(action: str, **parameters: object) -> Facts:
    return measure(generate(action, seed=1, **parameters)[0])


def labelled(*parts: tuple[str, float, float], known: Facts | None = None, seed: int = 0) -> list[Question]:
    return list(from_labels([Part(*part) for part in parts], known, random.Random(seed)))


def one(questions: list[Question], form: str) -> Question:
    return next(question for question in questions if question.form == form)


def said(question: Question) -> str:
    return spoken(question.answer, question.evidence)


@pytest.mark.parametrize(
    ("text", "options", "bare"),
    [
        ("no, the person walks", ("yes", "no"), "no"),
        ("no, the person walks", (), "no"),
        ("cannot tell, a recording of joints shows no clothes", (), "cannot tell"),
        ("walking, then waving", (), "walking, then waving"),
        ("walking, then waving", ("walking", "waving", "neither"), "walking"),
        ("about 2.5 metres, in a straight line", (), "about 2.5 metres"),
        ("3, the last one is slower", (), "3"),
        ("about 90 degrees to the left, while walking", (), "about 90 degrees to the left"),
        ("the person does not limp, the person walks", (), "the person does not limp"),
        ("a person walks, stops and waves.", (), "a person walks, stops and waves."),
        ("left hand, above the head", ("left", "left hand"), "left hand"),
        ("Yes", ("yes", "no"), "Yes"),
    ],
)
def test_the_bare_answer_of_a_spoken_one(text: str, options: tuple[str, ...], bare: str) -> None:
    assert bare_answer(text, options) == bare
    assert bare_answer(bare, options) == bare
    assert bare_answer(spoken("no", {"detail": "the person walks, then runs"}), ("yes", "no")) == "no"


def test_a_walk_is_no_run_and_a_run_no_walk() -> None:
    walk, run = facts("walk"), facts("run")
    assert {"run", "jog"} <= set(denied([Part("walk", 0, 3)], walk))
    assert "walk" in denied([Part("run", 0, 3)], run)
    assert not {"walk", "limp", "stroll", "stand"} & set(denied([Part("walk", 0, 3)], walk))
    # Somebody who walks, then runs, does both; what only one of the two excludes and the other is, is not denied.
    both = denied([Part("walk", 0, 3), Part("run", 3, 5)], None)
    assert not {"walk", "run", "jog"} & set(both) and "sit down" not in contained("walk")


def test_one_hand_up_denies_both_where_the_facts_agree() -> None:
    one = [Part("wave the left hand", 0, 3)]
    assert "wave both hands" in denied(one, facts("wave", side="left"))
    assert "wave both hands" not in denied(one, facts("wave", side="both"))
    assert "wave the left hand" in contained("wave both hands") and "wave both hands" not in contained("wave")


def test_near_misses_that_share_words_are_asked_most() -> None:
    asked = [q.slots["do"] for seed in range(80) for q in labelled(("wave the left hand", 0.0, 3.0), seed=seed)
             if q.form == "near_yes_no" and q.answer == "no"]  # fmt: skip
    assert asked.count("wave the right hand") + asked.count("wave both hands") > 3 * asked.count("clap") > 0


def test_a_name_that_tells_a_direction_is_asked_for_it() -> None:
    way = one(labelled(("swipe to the left", 0.0, 2.0)), "action_way")
    assert (way.answer, way.slots["do"]) == ("to the left", "swipe")
    assert not [q for q in labelled(("walk", 0.0, 2.0)) if q.form == "action_way"]
    named = [row["action"] for row in read_people("names") if "way" in row]
    sides = {"left", "right"}
    rows = {row["action"]: row.get("way", ["", ""])[1] for row in read_people("names")}
    assert len(named) > 30
    assert not [a for a in named if (found := sides & set(rows[a].split())) and not found <= set(a.split())]


def test_what_an_action_contains() -> None:
    assert "run" in contained("sprint") and "walk" in contained("limp") and "limp" not in contained("walk")
    assert "lift the left leg" not in contained("kick") and "lift a leg" in contained("kick")
    assert "bend forward" in contained("touch the toes") and "lie on the back" in contained("bench press")
    # What one action contains and the other excludes is not denied where both happen.
    assert "lie on the back" not in denied([Part("bench press", 0, 3), Part("walk", 3, 6)], None)


def test_an_action_goes_by_other_names() -> None:
    rng = random.Random(0)
    drawn = [renamed(verb_slots("clap"), "yes", rng) for _ in range(60)]
    phrases = {slots["do"] for slots, _ in drawn}
    assert {"clap", "applaud"} <= phrases and all(answer == "yes" and "noun" in slots for slots, answer in drawn)
    assert all(slots["doing"] == participle(slots["do"]) for slots, _ in drawn)
    slots = {"a": "clapping", "b": "bowing"}
    for named, answer in (renamed(slots, "clapping", rng) for _ in range(30)):
        assert (answer == named["a"] and named["b"] != "bowing") or named == slots
    for named, answer in (renamed(verb_slots("bow"), "the person does not bow", rng) for _ in range(30)):
        assert answer == f"the person does not {named['do']}"
    assert renamed({"limb": "left arm"}, "yes", rng) == ({"limb": "left arm"}, "yes")


def test_every_label_has_paraphrases_and_each_is_asked_of_one() -> None:
    rows, labels = read_people("asks"), {row["action"] for row in read_people("names")}
    texts = [row["text"].lower().strip(" ?.!") for row in rows]
    assert labels <= {row["action"] for row in rows} and len(texts) == len(set(texts))
    kept = {text.lower() for sets in WORDINGS.values() for text in sets["unseen"]}
    assert not kept & {row["text"].lower() for row in rows}
    drawn = {paraphrased("yes_no", {"do": "clap"}, "yes", random.Random(seed)) for seed in range(200)}
    facts = [
        paraphrased("yes_no", {"do": fact}, "no", random.Random(0))
        for fact in ("move backward", "raise the left hand", "jump twice")
    ]
    assert len(drawn) > 20 and None not in {*drawn, *facts}
    assert paraphrased("yes_no", {"do": "frown"}, "no", random.Random(0)) is None


def test_which_action_and_which_way_are_asked_in_words_that_fit_one_label_only() -> None:
    def drawn(form: str, slots: dict[str, str], answer: str) -> set[str | None]:
        return {paraphrased(form, slots, answer, random.Random(seed)) for seed in range(60)}

    letters, swipes = drawn("action", {}, "drawing the letter A in the air"), drawn("action", {}, "swiping to the left")
    assert len(letters) > 5 and len(swipes) > 5 and not letters & swipes
    assert drawn("action", {}, "walking, then waving") == {None}
    left, right = (drawn("way", {"do": "swipe"}, f"to the {side}") for side in ("left", "right"))
    assert len(left) > 5 and not left & right
    assert drawn("way", {"do": "go"}, "down") == {None}  # of sitting down, falling, crouching: no words fit all
    rows = [(row["action"], row["text"].lower()) for row in read_people("asks") if row.get("form") == "action"]
    assert rows and not [text for action, text in rows if action in text or participle(action) in text]


@pytest.mark.parametrize(
    ("action", "label", "back"),
    [
        ("bow", "bow", "straightening up again"),
        ("raise_hand", "raise the left hand", "lowering the hand"),
        ("squats", "squat", "standing up again"),
    ],
)
def test_the_way_back_follows_one_action_where_it_is_measured(action: str, label: str, back: str) -> None:
    known = facts(action, **{"raise_hand": {"side": "left"}, "squats": {"count": 1}}.get(action, {}))
    asked = labelled((label, 0.0, known.duration), known=known)
    assert one(asked, "after").answer == one(asked, "last").answer == back
    assert one(asked, "after").slots == {"a": participle(label)}
    for others in (facts("walk"), None):
        assert not [q for q in labelled((label, 0.0, 3.0), known=others) if q.form in ("after", "last")]


def test_names_of_actions_are_no_other_label() -> None:
    rows = {row["action"]: row["names"] + row["nouns"] for row in read_people("names")}
    names = [name for row in rows.values() for name in row]
    assert len(names) == len(set(names)) and not set(names) & rows.keys()
    side = re.compile(r"\b(left|right)\b")
    # Both sides together are no side; one side alone is a movement's only where its label names it.
    named = {name: set(side.findall(name)) for name in names}
    assert not [n for a, row in rows.items() for n in row if named[n] - set(side.findall(a)) and len(named[n]) == 1]
    slow = facts("walk", speed=0.5)
    assert "stroll" in contained("walk", slow) and "stroll" not in contained("walk", facts("run"))


def test_both_questions_of_a_contradictory_pair_are_asked() -> None:
    asked = [q for seed in range(30) for q in labelled(("walk", 0.0, 4.0), known=facts("walk"), seed=seed)]
    near = {(q.slots["do"], said(q)) for q in asked if q.form == "near_yes_no"}
    assert {("walk", "yes"), ("run", "no, the person walks")} <= near
    assert not {do for do, answer in near if answer == "yes"} & {do for do, answer in near if answer != "yes"}


def test_everyday_forms_of_one_label() -> None:
    asked = labelled(("swing a tennis racket", 0.0, 3.0))
    told = {q.form: said(q) for q in asked}
    assert told["which_sport"] == "tennis" and told["held_object"] == "a tennis racket, judging by the movement"
    assert told["sport_or_everyday"] == "sport, the person swings a tennis racket"
    assert told["fight"] == "no, the person swings a tennis racket"
    assert told["dance_style"] == "no dance, the person swings a tennis racket"
    walk = {q.form: said(q) for q in labelled(("walk", 0.0, 4.0), known=facts("walk"))}
    assert walk["which_sport"] == "no sport, the person walks" and walk["sport_or_everyday"].startswith("everyday")
    assert walk["held_object"] == "cannot tell, joints show no objects"
    assert walk["how_to"] == "Begin standing. Walk forward for about 4 seconds."
    assert walk["describe_for_blind"] == "The person walks forward for about 4 seconds."
    assert walk["why_action"] == "cannot tell, the person walks, but joints do not show why"
    assert walk["false_premise"].startswith("the person does not ") and walk["false_premise"].endswith(
        "the person walks"
    )
    punch = {q.form: said(q) for q in labelled(("punch", 0.0, 3.0))}
    assert punch["fight"] == "cannot tell, the person punches, but only one person is recorded"
    either = one(labelled(("walk", 0.0, 4.0), known=facts("walk"), seed=3), "either_or")
    assert either.answer in ("walking", "neither") and set(either.slots) == {"a", "b"}


def test_forms_of_order_and_time() -> None:
    parts = (("walk", 0.0, 4.0), ("wave the left hand", 4.0, 6.0), ("bow", 6.0, 8.0))
    asked = labelled(*parts)
    assert one(asked, "list_actions").answer == "walking, then waving the left hand, then bowing"
    assert one(asked, "timeline").answer == (
        "walking from 0 to 4, then waving the left hand from 4 to 6, then bowing from 6 to 8 seconds"
    )
    assert said(one(asked, "takes_longest")) == "walking, about 4 seconds"
    moments = {q.slots["t"]: q.answer for seed in range(9) for q in labelled(*parts, seed=seed) if q.form == "at_time"}
    assert moments == {"2": "walking", "5": "waving the left hand", "7": "bowing"}


def test_measures_are_asked_by_yes_or_no() -> None:
    def check(form: str, answer: str) -> dict[str, str]:
        return {q.slots["do"]: said(q) for q in checks([Question(form, form, answer)], random.Random(0)) if q.options}

    assert check("displacement", "backward") == {"go backward": "yes", "go forward": "no, the person goes backward"}
    assert check("speed", "at running pace") == {"move fast": "yes", "move slowly": "no, the person moves fast"}
    assert check("jump_count", "2") == {"jump twice": "yes", "jump three times": "no, the person jumps twice"}
    assert set(check("jump_count", "0").values()) == {"no"}
    assert check("raised_hand", "both hands") == {
        "raise both hands": "yes",
        "raise neither hand": "no, the person raises both hands",
    }
    assert "no, the person stays in place" in check("displacement", "stays in place").values()
    back = [Question("displacement", "displacement", "stays in place"), Question("yes_no", "returns", "yes")]
    assert list(checks(back, random.Random(0))) == []  # who returns went somewhere


def test_what_is_declined_has_one_answer_and_a_reason() -> None:
    for form in DECLINED:
        question = constant(form)
        assert question is not None and question.answer == "cannot tell" and question.evidence["detail"]
        assert bare_answer(said(question)) == "cannot tell"
        assert ask(form, random.Random(0), people=True)
    people = constant("people_count")
    assert people is not None and said(people) == "one, the recording holds one skeleton"
    assert constant("turn") is None
    assert len(WORDINGS["other_language"]["people"]) > 50


def test_no_draw_is_taken_from_the_source_of_chance() -> None:
    rng = random.Random(4)
    state = rng.getstate()
    asked = list(asked_by_people([], [Part("walk", 0.0, 4.0)], None, rng))
    assert rng.getstate() == state and asked
    forms = {q.form for n in range(60) for q in asked_by_people([], [], None, random.Random(n))}
    assert forms >= set(DECLINED) - {"camera_direction"} and "camera_direction" not in forms  # no joints in space


@pytest.mark.skipif(not (DATA / "motion").is_dir(), reason="no recordings (VIMONET_DATA)")
@pytest.mark.parametrize(
    ("source", "action", "right", "wrong"),
    [("bnr", "run", "jog", "walk"), ("bnr", "walk", "walk", "run"), ("utd_mhad", "squat", "squat", "kick")],
)
def test_real_labelled_clips(source: str, action: str, right: str, wrong: str) -> None:
    from research.vimos_open.sources import clips_of

    clips = [clip for clip in clips_of("test", (source,), DATA) if clip.action == action][:12]
    assert clips
    said_no = 0
    for clip in clips:
        known = measure(clip.motion)
        parts = [Part(action, 0.0, clip.motion.duration)]
        assert right in [action, *contained(action, known)] and right not in denied(parts, known)
        said_no += wrong in denied(parts, known)
    assert said_no >= 0.7 * len(clips)
