"""Which actions happen, and in which order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics.categories import LONGER_ACTION, LONGER_BY
from vimonet.vimos.action_labels import participle
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO, about, at, halves, verb_slots
from vimonet.vimos.annotators.kinematic.reasoning_questions import absent_actions, from_chance
from vimonet.vimos.types import Part, Question


def from_parts(
    parts: list[Part], rng: random.Random, others: list[str], facts: Facts | None = None
) -> Iterator[Question]:
    """Questions about which action happens, and in which order.

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
    for action in rng.sample(absent, min(len(absent), len(happening) + 1)):
        yield Question("yes_no", "yes_no", "no", verb_slots(action), YES_NO, evidence)
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
    """Second and third action, what lies between, how long each lasts, when it begins and ends."""
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
