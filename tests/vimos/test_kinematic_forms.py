"""Every question form: made by something, answered within its options, worded, weighed, and true of made-up motions."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from typing import Any

import pytest
from held_poses import HEAD, hand_at

from research.vimos_open.sources import PHRASES
from research.vimos_open.synthesis import ACTIONS, compose, generate
from research.vimos_open.time_warp import join
from vimonet.motion import Motion
from vimonet.motion.kinematics import measure
from vimonet.vimos.action_labels import participle
from vimonet.vimos.annotators.kinematic import (
    CANNOT_TELL,
    NEVER,
    from_facts,
    from_parts,
    unknowable,
)
from vimonet.vimos.annotators.kinematic.people_questions import asked_by_people
from vimonet.vimos.annotators.kinematic.sequence_questions import kind_of
from vimonet.vimos.label_consistency import contradicts
from vimonet.vimos.question_forms import FORMS
from vimonet.vimos.types import Part, Question
from vimonet.vimos.wordings import WORDINGS, asked_as

OTHERS = ["throw a ball", "swim", "climb a ladder", "wave the left hand", "sneak", "golf", "kick a ball"]
MADE_ELSEWHERE = {"caption", "count"}  # by make_sample, from captions and repetitions
SEQUENCES: list[list[tuple[str, dict[str, Any]]]] = [
    [("turn_in_place", {"side": "left", "degrees": 90.0}), ("turn_in_place", {"side": "right", "degrees": 120.0})],
    [("walk", {"duration": 3.0}), ("wave", {"side": "left"}), ("jumps", {"count": 2})],
    [("stand", {"duration": 1.0}), ("raise_hand", {"side": "right"}), ("raise_hand", {"side": "left"})],
    [("walk", {"duration": 2.0}), ("run", {"duration": 2.5})],
    [("stand", {"duration": 2.0}), ("turn_in_place", {"side": "left", "degrees": 90.0}), ("stand", {"duration": 2.0})],
    [("stand", {"duration": 2.0}), ("jumps", {"count": 1, "height": 0.3})],
    [("walk", {"duration": 3.0}), ("walk_backward", {"duration": 3.5})],
]


def phrase(action: str, parameters: dict[str, Any]) -> str:
    side = parameters.get("side", "left")
    return PHRASES[action].format(side=side, hand="both hands" if side == "both" else f"the {side} hand")


def asked(motion: Motion, parts: list[Part] | None = None, seed: int = 0) -> list[Question]:
    facts = measure(motion)
    measured = list(from_facts(facts))
    told = from_parts(parts, random.Random(seed), OTHERS, facts) if parts else ()
    return [*measured, *told, *asked_by_people(measured, parts or (), facts, random.Random(f"{seed}{motion.frames}"))]


def sequence(steps: list[tuple[str, dict[str, Any]]], seed: int) -> list[Question]:
    motion, truth = compose(steps, seed=seed)
    spans = [(part["start"], part["end"]) for part in truth["parts"]]
    parts = [Part(phrase(*step), *span) for step, span in zip(steps, spans, strict=True)]
    return asked(motion, parts, seed)


def joined(names: tuple[str, ...], seed: int) -> list[Question]:
    motion, spans = join([generate(name, seed=seed)[0] for name in names])
    parts = [Part(phrase(name, {}), a / 20, b / 20) for name, (a, b) in zip(names, spans, strict=True)]
    return asked(motion, parts, seed)


def everything() -> Iterator[Question]:
    for action in ACTIONS:
        for seed in range(3):
            motion, truth = generate(action, seed=seed)
            told = phrase(action, {"side": truth.get("side", "left")})
            yield from asked(motion, [Part(told, 0.0, motion.duration)], seed)
    for steps in SEQUENCES:
        for seed in range(3):
            yield from sequence(steps, seed)
    for seed in range(3):
        yield from joined(("walk", "clap", "bow"), seed)
        yield from joined(("raise_hand", "turn_walking"), seed)
    yield from asked(hand_at(generate("stand", seed=0)[0], "right", HEAD))
    yield unknowable(random.Random(0))


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return list(everything())


def answers(found: list[Question]) -> dict[str, str]:
    return {q.form: q.answer for q in found}


def test_at_least_sixty_forms_each_with_a_style_wordings_and_a_weight() -> None:
    assert len(FORMS) >= 60
    assert {name for name, form in FORMS.items() if form.wordings is None} <= set(WORDINGS)
    assert {"sequence", "direction", "body_part", "reasoning", "hallucination"} <= {
        form.style for form in FORMS.values()
    }
    assert all(set(form.needs) <= {"depth", "side", "legs"} for form in FORMS.values())
    assert min(form.weight for form in FORMS.values()) > 0


def test_every_form_is_made_by_some_clip(questions: list[Question]) -> None:
    assert set(FORMS) - MADE_ELSEWHERE - {q.form for q in questions} == set()
    assert {q.form for q in questions} <= set(FORMS)


def test_closed_answers_are_among_the_options_and_say_what_they_rest_on(questions: list[Question]) -> None:
    for q in questions:
        assert not q.options or q.answer in (*q.options, CANNOT_TELL), q
        assert len(set(q.options)) == len(q.options), q
        assert json.loads(json.dumps(q.evidence)), q
        if "start" in q.evidence:
            assert q.evidence["start"] >= 0, q


def test_every_wording_has_the_slots_its_form_gives(questions: list[Question]) -> None:
    for q in {q.form: q for q in questions}.values():
        lists = FORMS[q.form].wordings or WORDINGS[q.form]
        for wording in (*lists["seen"], *lists["unseen"]):
            needed = {name for _, name, _, _ in string.Formatter().parse(wording) if name}
            assert needed <= {"who", *q.slots}, (q.form, wording)


def test_no_wording_asks_two_things() -> None:
    owner: dict[str, str] = {}
    for form, sets in WORDINGS.items():
        for wording in (*sets["seen"], *sets["unseen"]):
            # The yes/no forms ask the same of a label and of a measure.
            other = owner.setdefault(wording.lower().rstrip("?."), asked_as(form))
            assert other == asked_as(form) or {other, asked_as(form)} == {"yes_no", "fact_yes_no"}, (wording, other)


@pytest.mark.parametrize(
    ("action", "parameters", "form", "answer"),
    [
        ("walk", {"duration": 4.0}, "leaves_circle", "yes"),
        ("walk", {"duration": 4.0}, "returns", "no"),
        ("walk", {"duration": 4.0}, "same_facing", "yes"),
        ("walk", {"duration": 4.0}, "first_half", "forward"),
        ("walk_backward", {"duration": 4.0}, "second_half", "backward"),
        ("walk", {"duration": 4.0}, "repeated", "yes"),
        ("walk", {"duration": 4.0}, "both_feet_off", "no"),
        ("walk", {"duration": 4.0}, "arms_alike", "no"),
        ("side_step", {"side": "left"}, "sideways_drift", "left"),
        ("side_step", {"side": "right"}, "sideways_drift", "right"),
        ("stand", {}, "leaves_circle", "no"),
        ("stand", {}, "holds_still", "yes"),
        ("stand", {}, "torso", "stays upright"),
        ("stand", {}, "turn_count", "0"),
        ("stand", {}, "jump_count", "0"),
        ("stand", {}, "raise_count", "0"),
        ("stand", {}, "one_leg", "no"),
        ("turn_in_place", {"side": "left", "degrees": 90.0}, "turn_count", "1"),
        ("turn_in_place", {"side": "left", "degrees": 180.0}, "same_facing", "no"),
        ("turn_in_place", {"side": "right", "degrees": 120.0}, "turns_both_ways", "no"),
        ("raise_hand", {"side": "left"}, "higher_hand", "left hand"),
        ("raise_hand", {"side": "right"}, "most_active_limb", "right arm"),
        ("raise_hand", {"side": "both"}, "first_hand_up", "both at once"),
        ("raise_hand", {"side": "left"}, "raise_count", "1"),
        ("raise_hand", {"side": "both"}, "arms_alike", "yes"),
        ("wave", {"side": "left", "count": 5}, "arms_alike", "no"),
        ("clap", {"count": 5}, "arms_alike", "yes"),
        ("wave", {"side": "left", "count": 5}, "repeated_limb", "left arm"),
        ("clap", {"count": 5}, "hand_over_head", "no"),
        ("jumping_jacks", {"count": 4}, "hand_over_head", "yes"),
        ("kick", {"side": "left", "height": 0.9}, "higher_foot", "left foot"),
        ("kick", {"side": "right", "height": 0.9}, "higher_foot", "right foot"),
        ("bow", {"degrees": 80.0}, "torso", "bends far over"),
        ("squats", {"count": 4, "depth": 0.5}, "goes_low", "yes"),
        ("squats", {"count": 4}, "stays_on_feet", "yes"),
        ("jumps", {"count": 3, "height": 0.25}, "jump_count", "3"),
        ("jumps", {"count": 3, "height": 0.25}, "jump_again", "yes"),
        ("jumps", {"count": 1, "height": 0.3}, "jump_again", "no"),
        ("jumps", {"count": 3, "height": 0.3}, "jump_height", "about 30 centimetres"),
        ("jumps", {"count": 2, "height": 0.25}, "both_feet_off", "yes"),
        ("sit_down", {}, "posture_change", "from standing to sitting"),
        ("stand_up", {}, "posture_change", "from sitting to standing"),
        ("walk", {}, "posture_change", "it stays the same"),
        ("sit_down", {}, "stays_on_feet", "no"),
        ("lie_down", {}, "lying_side", "face up"),
        ("lie_down", {}, "danger", "no"),
        ("fall", {"direction": "forward"}, "danger", "yes"),
        ("fall", {"direction": "forward"}, "lying_side", "face down"),
        ("fall", {"direction": "left"}, "goes_low", "yes"),
    ],
)
def test_what_is_asked_is_true_and_mostly_asked(action: str, parameters: dict, form: str, answer: str) -> None:
    given = [answers(asked(generate(action, seed=seed, **parameters)[0])).get(form) for seed in range(6)]
    # Near a threshold nothing is asked; what is asked must be right, and something must be asked.
    assert set(given) - {None} == {answer}


def number(text: str) -> float:
    return float(next(word for word in text.split() if word[0].isdigit()))


def test_times_are_those_of_the_parts() -> None:
    parts = [Part("walk", 0.0, 2.1), Part("clap", 2.4, 3.4), Part("bow", 3.7, 8.0)]
    order = {participle(part.action): part for part in parts}
    seen = set()
    for seed in range(30):
        for q in from_parts(parts, random.Random(seed), OTHERS):
            seen.add(q.form)
            if q.form == "part_start":
                assert number(q.answer) == pytest.approx(order[q.slots["a"]].start, abs=0.25)
            elif q.form == "part_end":
                assert number(q.answer) == pytest.approx(order[q.slots["a"]].end, abs=0.25)
            elif q.form == "part_time":
                part = order[q.slots["a"]]
                assert number(q.answer) == pytest.approx(part.end - part.start, abs=0.26)
            elif q.form == "longer_action":
                assert set(q.options) == {q.slots["a"], q.slots["b"]}
                longest = max(q.options, key=lambda name: order[name].end - order[name].start)
                assert q.answer == longest
            elif q.form == "last_of_two":
                assert q.answer == max(q.options, key=lambda name: order[name].start)
            elif q.form == "between":
                assert (q.slots, q.answer) == ({"a": "walking", "b": "bowing"}, "clapping")
            elif q.form == "second_action":
                assert q.answer == "clapping"
            elif q.form == "third_action":
                assert q.answer == "bowing"
            elif q.form == "action_number":
                assert q.answer == "3"
            elif q.form in ("choice", "choice_or_none"):
                named = [option for option in q.options if option in order]
                assert [q.answer] == (named or ["none of them"])
            elif q.form == "not_happening":
                assert [q.answer] == [option for option in q.options if option not in order]
            elif q.form == "at_beginning":
                assert q.answer == ("yes" if q.slots["do"] == "walk" else "no")
            elif q.form == "at_end":
                assert q.answer == ("yes" if q.slots["do"] == "bow" else "no")
    assert {"part_start", "longer_action", "between", "choice_or_none", "not_happening", "at_end"} <= seen


def test_two_turns_are_told_apart() -> None:
    for seed in range(3):
        found = answers(sequence(SEQUENCES[0], seed))
        assert found.get("turn_count", "2") == "2"
        assert found["turns_both_ways"] == "yes"
        assert (found["first_turn"], found["last_turn"]) == ("left", "right")


def test_the_hand_that_goes_up_first_is_named_first() -> None:
    for seed in range(3):
        assert answers(sequence(SEQUENCES[2], seed))["first_hand_up"] == "right hand"


def test_speeding_up_and_an_even_pace_are_told_apart() -> None:
    for seed in range(4):
        walk = generate("walk", seed=seed, duration=6.0)[0].window(30, 80)
        assert answers(asked(walk)).get("pace_change", "keeps its pace") == "keeps its pace"
    paces = {answers(sequence(SEQUENCES[3], seed)).get("pace_change") for seed in range(4)}
    assert paces - {None} == {"speeds up"}


def test_an_event_is_timed_and_an_absent_one_never_happens() -> None:
    for seed in range(3):
        found = sequence(SEQUENCES[5], seed)
        jump = next(q for q in found if q.form == "start_second" and q.slots["do"] == "jump")
        assert number(jump.answer) == pytest.approx(jump.evidence["start"], abs=0.25)
        assert jump.evidence["start"] > 2.0
        never = {q.slots["do"]: q.answer for q in found if q.form == "when_or_never"}
        assert never["turn"] == NEVER
        assert never.get("jump") != NEVER


def test_the_hand_of_what_does_not_happen_is_no_hand() -> None:
    parts = [Part("walk", 0.0, 3.0)]
    facts = measure(generate("walk", seed=0, duration=3.0)[0])
    found = {q.answer for seed in range(5) for q in from_parts(parts, random.Random(seed), OTHERS, facts)
             if q.form == "used_hand"}  # fmt: skip
    assert found == {NEVER}
    waving = [Part("wave the right hand", 0.0, 3.0)]
    found = {q.answer for q in from_parts(waving, random.Random(0), OTHERS) if q.form == "used_hand"}
    assert found == {"right hand"}


def test_kinds_of_activity_and_none_where_it_is_open() -> None:
    assert kind_of("walk") == "locomotion"
    assert kind_of("do push-ups") == "exercise"
    assert kind_of("wave the left hand") == "gesture"
    assert kind_of("sit down") == "change of posture"
    assert kind_of("dance") is None
    assert kind_of("walk and turn left") is None


def test_a_count_of_nothing_does_not_deny_the_label() -> None:
    assert contradicts(Question("count", "jump_count", "0"), {"jump rope"})
    assert contradicts(Question("yes_no", "repeated", "no"), {"wave the left hand"})
    assert contradicts(Question("yes_no", "stays_on_feet", "yes"), {"sit down"})
    assert contradicts(Question("when", "when_or_never", NEVER, {"do": "turn"}), {"walk and turn left"})
    assert not contradicts(Question("count", "jump_count", "0"), {"walk"})
