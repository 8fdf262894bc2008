"""Ask which actions happen and in which order: by name, among distractors, by kind, at an end, with a hand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics.categories import LONGER_ACTION, LONGER_BY
from vimonet.vimos.action_labels import participle, verb_slots
from vimonet.vimos.annotators.kinematic.closed_answers import NEVER, YES_NO, about, at, halves
from vimonet.vimos.annotators.kinematic.label_questions import told
from vimonet.vimos.label_consistency import absent_from, may_happen
from vimonet.vimos.types import DETAIL, Part, Question

NONE_OF_THEM = "none of them"
KINDS = {
    "locomotion": ("walk", "run", "sprint", "jog", "crawl", "sneak", "step"),
    "exercise": ("squat", "lunge", "do push-ups", "do pull-ups", "do sit-ups", "do jumping jacks", "bench", "curl"),
    "sport": ("bowl", "shoot a basketball", "dribble", "serve", "pitch", "swing a golf", "swing a tennis",
              "swing a baseball", "kick a ball"),
    "gesture": ("wave", "beckon", "bow", "point", "clap", "show someone", "answer with", "raise the left hand",
                "raise the right hand", "raise both hands", "swipe", "draw"),
    "change of posture": ("sit down", "stand up", "kneel", "crouch", "lie down", "get up"),
}  # fmt: skip
"""Kind of activity -> how its action phrases begin; a phrase under none of them is not asked about."""

_NOUNS = {
    "locomotion": ("way of moving", "gait"),
    "exercise": ("exercise", "drill", "workout move"),
    "sport": ("sports move", "sporting action", "technique"),
    "gesture": ("gesture", "hand movement", "sign"),
    "change of posture": ("change of posture", "transfer"),
}
"""Kind of activity -> what people call it."""

HAND_ACTIONS = {"wave": "waving", "raise": "raising a hand"}
USED_HAND = ("left hand", "right hand", "both hands", NEVER)


def kind_of(action: str) -> str | None:
    """Name the kind of activity of an action phrase; None where it is open to dispute."""
    if " and " in action:
        return None
    for kind, beginnings in KINDS.items():
        if any(action == start or action.startswith(start + " ") for start in beginnings):
            return kind
    return None


def absent_actions(parts: list[Part], others: list[str], facts: Facts | None) -> list[str]:
    """List those of `others` that surely do not happen: neither named, nor part of what is named, nor measured."""
    happening = {part.action for part in parts}
    return [o for o in others if absent_from(o, happening) and not (facts and may_happen(o, facts))]


def from_chance(facts: Facts | None, parts: list[Part], rng: random.Random, others: list[str]) -> Iterator[Question]:
    """Ask with drawn distractors: what happens among several, what does not, at which end, with which hand.

    Args:
        facts: measured on the movement; what was measured is never a distractor.
        parts: stretches with their actions, in order of time.
        rng: source of chance.
        others: action phrases from which distractors are drawn.
    """
    if not parts:
        return
    evidence = {"parts": [(part.action, round(part.start, 2), round(part.end, 2)) for part in parts]}
    absent = absent_actions(parts, others, facts)
    doing = [participle(part.action) for part in parts]
    yield from _choices(doing, [participle(o) for o in absent], rng, evidence)
    if len(parts) == 1:
        kind = kind_of(parts[0].action)
        if kind:
            yield Question("activity", "activity", kind, {}, tuple(KINDS), evidence)
            for noun in _NOUNS[kind]:
                yield Question("action", "action_of_kind", doing[0], {"noun": noun}, (), evidence)
    elif len(set(doing)) == len(doing):
        yield from _ends(parts, absent, rng)
    yield from _hand(parts, absent, facts, rng)


def _choices(doing: list[str], absent: list[str], rng: random.Random, evidence: dict[str, Any]) -> Iterator[Question]:
    absent = list(dict.fromkeys(absent))
    if len(absent) < 2:
        return
    three = (right := rng.choice(doing), *rng.sample(absent, 2))
    three = tuple(rng.sample(three, 3))
    yield Question("choice", "choice", right, dict(zip("abc", three, strict=True)), three, evidence)
    two = rng.sample(absent, 2)
    answer = NONE_OF_THEM
    if rng.random() < 0.6:
        answer = two[rng.randrange(2)]
        at = two.index(answer)
        answer = two[at] = rng.choice(doing)
    options = (*two, NONE_OF_THEM)
    yield Question("choice", "choice_or_none", answer, {"a": two[0], "b": two[1]}, options, evidence)
    if len(set(doing)) > 1:
        missing = rng.choice(absent)
        trio = tuple(rng.sample([*rng.sample(sorted(set(doing)), 2), missing], 3))
        yield Question("choice", "not_happening", missing, dict(zip("abc", trio, strict=True)), trio, evidence)


def _ends(parts: list[Part], absent: list[str], rng: random.Random) -> Iterator[Question]:
    """Ask whether an action is done at an end; "no" for another's place, or for what is absent."""
    for form, right, wrong in (("at_beginning", 0, -1), ("at_end", -1, 0)):
        here, there = parts[right], parts[wrong]
        happens = rng.random() < 0.5
        away = rng.choice(absent) if absent and rng.random() < 0.4 else there.action
        # What is part of the other action ("walk and turn left" holds a walk) cannot be denied there.
        if not happens and not absent_from(away, {here.action}):
            continue
        evidence = {"start": here.start, "end": here.end, "action": here.action}
        slots = verb_slots(here.action if happens else away)
        yield Question("yes_no", form, "yes" if happens else "no", slots, YES_NO, evidence)


def _hand(parts: list[Part], absent: list[str], facts: Facts | None, rng: random.Random) -> Iterator[Question]:
    """Ask for the hand, where the label tells it; "that does not happen" where it is surely absent."""
    sides = {"the left hand": "left hand", "the right hand": "right hand", "both hands": "both hands"}
    for verb, doing in sorted(HAND_ACTIONS.items()):
        named = [part for part in parts if part.action.split()[0] == verb]
        sided = [part for part in named if part.action.removeprefix(verb + " ") in sides]
        if len(named) == len(sided) == 1 and not (verb == "raise" and any("wave" in part.action for part in parts)):
            span = {"start": sided[0].start, "end": sided[0].end}
            answer = sides[sided[0].action.removeprefix(verb + " ")]
            yield Question("hand", "used_hand", answer, {"a": doing}, USED_HAND, span)
        elif facts is not None and not facts.raised_hands and not named and any(o.split()[0] == verb for o in absent):
            yield Question("hand", "used_hand", NEVER, {"a": doing}, USED_HAND, {"raised_hands": 0})


def from_parts(
    parts: list[Part], rng: random.Random, others: list[str], facts: Facts | None = None
) -> Iterator[Question]:
    """Ask which action happens, and in which order.

    Args:
        parts: stretches with their actions, in order of time.
        rng: source of chance (which negatives are asked).
        others: action phrases from which the absent ones are drawn; what happens here, or may, is left out.
        facts: measured on the movement: nothing is called absent that was measured.
    """
    yield from _named(parts, rng, others, facts)
    yield from _timed(parts, rng)
    yield from from_chance(facts, parts, rng, others)


def _named(parts: list[Part], rng: random.Random, others: list[str], facts: Facts | None) -> Iterator[Question]:
    doing = [participle(part.action) for part in parts]
    evidence = {"parts": [(part.action, round(part.start, 2), round(part.end, 2)) for part in parts]}
    whole = ", then ".join(doing)
    yield Question("action" if len(parts) == 1 else "action_composed", "action", whole, {}, (), evidence)
    happening = {part.action for part in parts}
    for action in sorted(happening):  # a set has another order in every process, and the draws below depend on it
        yield Question("yes_no", "yes_no", "yes", verb_slots(action), YES_NO, evidence)
    absent = absent_actions(parts, others, facts)
    denied = {**evidence, DETAIL: told(parts)}
    for action in rng.sample(absent, min(len(absent), len(happening) + 1)):
        yield Question("yes_no", "yes_no", "no", verb_slots(action), YES_NO, denied)
    if len(parts) < 2 or any(a == b for a, b in pairwise(doing)):
        return
    yield Question("order", "first", doing[0], {}, (), evidence)
    yield Question("order", "last", doing[-1], {}, (), evidence)
    if len(set(doing)) < len(doing):
        return
    at = rng.randrange(len(doing) - 1)
    yield Question("order", "after", doing[at + 1], {"a": doing[at]}, (), evidence)
    yield Question("order", "before", doing[at], {"a": doing[at + 1]}, (), evidence)
    first, second = doing[at], doing[at + 1]
    if rng.random() < 0.5:
        yield Question("order", "order", "before", {"a": first, "b": second}, ("before", "after"), evidence)
    else:
        yield Question("order", "order", "after", {"a": second, "b": first}, ("before", "after"), evidence)
    a, b, answer = (first, second, "yes") if rng.random() < 0.5 else (second, first, "no")
    yield Question("order", "order_yes_no", answer, {"a": a, "b": b}, YES_NO, evidence)


def _timed(parts: list[Part], rng: random.Random) -> Iterator[Question]:
    """Ask for the second and third action, what lies between, how long each lasts, when it begins and ends."""
    doing = [participle(part.action) for part in parts]
    evidence = {"parts": [(part.action, round(part.start, 2), round(part.end, 2)) for part in parts]}
    number = len(set(doing))
    yield Question("count", "action_number", str(number), {}, ("1", "2", "3", "4"), evidence)
    if len(parts) < 2 or number < len(doing):
        return
    spans = [{**evidence, "start": part.start, "end": part.end} for part in parts]
    yield Question("order", "second_action", doing[1], {}, (), spans[1])
    if len(parts) > 2:
        yield Question("order", "third_action", doing[2], {}, (), spans[2])
        at_first = rng.randrange(len(doing) - 2)
        slots = {"a": doing[at_first], "b": doing[at_first + 2]}
        yield Question("order", "between", doing[at_first + 1], slots, (), spans[at_first + 1])
    one, two = sorted(rng.sample(range(len(doing)), 2), key=lambda _: rng.random())
    pair, slots = (doing[one], doing[two]), {"a": doing[one], "b": doing[two]}
    yield Question("order", "last_of_two", doing[max(one, two)], slots, pair, evidence)
    yield Question("order", "first_of_two", doing[min(one, two)], slots, pair, evidence)
    lengths = [parts[i].end - parts[i].start for i in (one, two)]
    longer = LONGER_ACTION.decide(max(lengths) / max(min(lengths), 1e-9))
    if longer and LONGER_BY.decide(abs(lengths[0] - lengths[1])):
        yield Question("order", "longer_action", pair[lengths.index(max(lengths))], slots, pair, evidence)
    i = rng.randrange(len(parts))
    what = {"a": doing[i]}
    yield Question("duration", "part_time", about(halves(parts[i].end - parts[i].start), "second"), what, (), spans[i])
    i = rng.randrange(1, len(parts))
    yield Question("timing", "part_start", at(parts[i].start), {"a": doing[i]}, (), spans[i])
    i = rng.randrange(len(parts) - 1)
    yield Question("timing", "part_end", at(parts[i].end), {"a": doing[i]}, (), spans[i])
