"""Ask what people ask: labels in everyday forms, facts by yes or no, and declined forms."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from vimonet.motion.kinematics import Facts
from vimonet.vimos.action_labels import participle, third_person, verb_slots
from vimonet.vimos.action_names import limb_of
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO, aside, yes_no
from vimonet.vimos.annotators.kinematic.declined_questions import declined
from vimonet.vimos.annotators.kinematic.held_questions import held_in_parts
from vimonet.vimos.annotators.kinematic.label_questions import from_labels
from vimonet.vimos.annotators.kinematic.sequence_questions import USED_HAND
from vimonet.vimos.types import DETAIL, Part, Question

_TIMES = ("once", "twice", "three times")
_WAYS = {"forward": "go forward", "backward": "go backward", "left": "go to the left", "right": "go to the right"}

Check = dict[str, tuple[str, tuple[str, ...]]]


def _numbers(do: str) -> Check:
    """Map a count to the phrase that it makes true and to those of higher counts; lower ones are true as well."""
    phrases = [f"{do} {times}" for times in _TIMES]
    counted = {str(n + 1): (phrase, tuple(phrases[n + 1 :])) for n, phrase in enumerate(phrases)}
    return {"0": (f"not {do}", tuple(phrases)), **counted}


CHECKS: dict[str, Check] = {
    "displacement": {
        "forward": (_WAYS["forward"], (_WAYS["backward"],)),
        "backward": (_WAYS["backward"], (_WAYS["forward"],)),
        "left": (_WAYS["left"], (_WAYS["right"],)),
        "right": (_WAYS["right"], (_WAYS["left"],)),
        "stays in place": ("stay in place", tuple(_WAYS.values())),
    },
    "speed": {
        "slowly": ("move slowly", ("move fast",)),
        "at walking pace": ("move at walking pace", ("move fast",)),
        "at running pace": ("move fast", ("move slowly",)),
    },
    "pace_change": {"speeds up": ("speed up", ("slow down",)), "slows down": ("slow down", ("speed up",))},
    "raised_hand": {
        "left hand": ("raise the left hand", ("raise the right hand", "raise both hands")),
        "right hand": ("raise the right hand", ("raise the left hand", "raise both hands")),
        "both hands": ("raise both hands", ("raise neither hand",)),
        "neither hand": ("raise neither hand", ("raise the left hand", "raise the right hand")),
    },
    "jump_count": _numbers("jump"),
    "raise_count": _numbers("raise a hand"),
}
"""Form -> closed answer -> phrase that is true then, and phrases that are false at every time of the clip."""

_LIMB_FORMS = {
    "raised_hand": (("hand", "goes up", "go up"), ("arm", "is lifted", "get lifted")),
    "used_hand": (("hand", "does the {a}", "do the {a}"),),
    "more_active_arm": (("arm", "moves more", "move more"),),
    "more_active_leg": (("leg", "moves more", "move more"),),
    "higher_foot": (("foot", "gets higher", "get higher"),),
    "higher_hand": (("hand", "gets higher", "get higher"),),
    "first_step": (("foot", "steps first", "step first"),),
    "standing_leg": (("leg", "carries the body", "carry the body"),),
}
"""Form about a side -> limb, and what it does."""

_UNDERWAY = frozenset(("returns", "path_length"))
"""Forms asked of somebody who moves about: an end at the start then denies no direction."""


def asked_by_people(
    questions: Sequence[Question], parts: Sequence[Part], facts: Facts | None, rng: random.Random
) -> Iterator[Question]:
    """Ask what people ask about a clip; the state of `rng` does not change.

    Args:
        questions: questions about its facts.
        parts: labels in order of time that follow one another; () where there are none or they are not to be trusted.
        facts: measured on the movement.
        rng: random generator; draws come from a copy.
    """
    own = aside(rng)
    yield from checks(questions, own)
    yield from sides(questions, facts)
    yield from _limb(questions, parts, facts)
    yield from from_labels(parts, facts, own)
    yield from held_in_parts(parts, facts)
    yield from declined(facts, own)


def checks(questions: Sequence[Question], rng: random.Random) -> Iterator[Question]:
    """Ask by yes or no for directions, speeds, sides and counts: for the true one, and for a false one."""
    moves_about = bool(_UNDERWAY & {question.form for question in questions})
    for question in questions:
        true, wrong = CHECKS.get(question.form, {}).get(question.answer, ("", ()))
        if not true or (question.answer == "stays in place" and moves_about):
            continue
        never, evidence = true.startswith("not "), dict(question.evidence)
        if " neither " not in true and not never:
            yield Question("yes_no", "fact_check", "yes", verb_slots(true), YES_NO, evidence)
        if wrong:
            denied = evidence if never else {**evidence, DETAIL: f"the person {third_person(true)}"}
            yield Question("yes_no", "fact_check", "no", verb_slots(rng.choice(wrong)), YES_NO, denied)
            slots = verb_slots(rng.choice(wrong))
            yield Question("premise", "false_premise", f"the person does not {slots['do']}", slots, (), denied)


def sides(questions: Sequence[Question], facts: Facts | None) -> Iterator[Question]:
    """Ask of each side by yes or no where a question has a side as its answer; of the leg that kicks, too."""
    for question in questions:
        for limb, does, do in _LIMB_FORMS.get(question.form, ()):
            which = next((side for side in ("left", "right", "both", "neither") if side in question.answer), None)
            if which is None or (which == "both" and "more" in does):
                continue
            words = {key: text.format(**question.slots) for key, text in (("does", does), ("do", do))}
            yield from _by_side(limb, words, which, dict(question.evidence))
    if len(kicks := _kicks(facts)) == 1:
        for limb in ("leg", "foot"):
            yield from _by_side(limb, {"does": "kicks", "do": "kick"}, next(iter(kicks)), {"kicks": sorted(kicks)})


def _kicks(facts: Facts | None) -> set[str]:
    return {swing.side for swing in (facts.leg_swings if facts else None) or () if swing.kick}


def _limb(questions: Sequence[Question], parts: Sequence[Part], facts: Facts | None) -> Iterator[Question]:
    """Ask which hand or leg does the one labelled action: the label tells, or the arm that moves more, or the kick."""
    found = limb_of(parts[0].action) if len(parts) == 1 else None
    if found is None:
        return
    arms = {q.answer.split()[0] for q in questions if q.form == "more_active_arm" and q.answer.endswith("arm")}
    named = {"left", "right"} & set(parts[0].action.split()) if found[0] != parts[0].action else set()
    which = named or (arms if found[1] == "hand" else _kicks(facts))
    if len(which) == 1:
        answer, evidence = f"{next(iter(which))} {found[1]}", {"label": parts[0].action}
        options = USED_HAND if found[1] == "hand" else ("left leg", "right leg")
        yield Question("hand", f"used_{found[1]}", answer, {"a": participle(found[0])}, options, evidence)


def _by_side(limb: str, words: dict[str, str], which: str, evidence: dict[str, object]) -> Iterator[Question]:
    for side in ("left", "right"):
        happens = which in (side, "both")
        detail = {} if happens or which == "neither" else {DETAIL: f"the {which} {limb}"}
        slots = {"limb": f"{side} {limb}", **words}
        yield Question("yes_no", "side_check", yes_no(happens), slots, YES_NO, {**evidence, **detail})
