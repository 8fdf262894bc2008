"""Check an answer on one topic: what is measured, what the answer claims, and whether the two agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from vimonet.evidence import body_checks as body
from vimonet.evidence import locomotion_checks as locomotion
from vimonet.evidence.claims import (
    AGREES,
    ARM,
    CONTRADICTS,
    FALL,
    JUMP,
    LEG,
    NOT_MEASURABLE,
    Evidence,
    Measure,
    Query,
    compare,
    direction_of,
    side,
    side_of_turn,
)

_PLACE = r"\b(in place|on the spot|nowhere|not (travel|move|go)|stays?|still)\b"
_METRES = {r"cm|centimet(?:er|re)s?": 0.01, r"m|met(?:er|re)s?": 1.0}
_DEGREES = {r"degrees?|deg|°": 1.0}


class Topic(NamedTuple):
    """Hold how a topic is measured, how a claim about it is read, and the units of numbers that may be stated.

    Attributes:
        lines: topics of `Facts.lines` that say what is measured.
        measure: measures it for a query; None where the recording does not show it, or for another question.
        claim: reads the claim of an open answer.
        units: patterns of units -> factor.
    """

    lines: tuple[str, ...]
    measure: Callable[[Query], Measure | None]
    claim: Callable[[Query], str | bool | None] = lambda q: None
    units: Mapping[str, float] = {}


def _one_of(patterns: Mapping[str, str]) -> Callable[[Query], str | None]:
    """Read the only label whose pattern occurs in the answer."""

    def read(q: Query) -> str | None:
        found = [label for label, pattern in patterns.items() if re.search(pattern, q.answer)]
        return found[0] if len(found) == 1 else None

    return read


def _turned(q: Query) -> str | None:
    claim = side_of_turn(q.answer) or (None if re.search(rf"\b({ARM}|{LEG})\b", q.answer) else side(q.answer))
    if claim in ("left", "right"):
        return claim
    return "does not turn" if re.search(r"\b(not|no|neither|none|straight)\b", q.answer) else None


TOPICS: dict[str, Topic] = {
    "steps": Topic(("steps",), locomotion.steps, units={r"steps?": 1.0, "": 1.0}),
    "count": Topic(
        ("turns", "jumps", "repeats"),
        body.count,
        units={r"times?|repetitions?|reps|cycles|rounds|jumps?|turns?": 1.0, "": 1.0},
    ),
    "turn": Topic(("turns",), locomotion.turn, _turned, _DEGREES),
    "distance": Topic(("moves",), locomotion.distance, _one_of({"stays": _PLACE}), _METRES),
    "speed": Topic(
        ("speed",),
        locomotion.speed,
        _one_of(
            {
                "does not travel": rf"{_PLACE}|\bdoes not\b",
                "slowly": r"\bslow",
                "at walking pace": r"\bwalk",
                "at running pace": r"\brun|\bjog|\bsprint",
            }
        ),
        {r"m/s|met(?:er|re)s? (?:a|per) second": 1.0},
    ),
    "direction": Topic(("moves",), locomotion.direction, lambda q: direction_of(q.answer)),
    "gait": Topic(("steps", "speed"), locomotion.gait),
    "raised hand": Topic(("hands", "not seen"), body.raised_hand, lambda q: side(q.answer)),
    "arms": Topic(("activity", "not seen"), partial(body.more_active, limb="arm"), lambda q: side(q.answer)),
    "legs": Topic(("activity", "not seen"), partial(body.more_active, limb="leg"), lambda q: side(q.answer)),
    "limb": Topic(("activity", "not seen"), body.limb),
    "posture": Topic(("posture",), body.posture, _one_of(body.POSTURES)),
    "jump": Topic(("jumps",), body.jump, lambda q: q.named(JUMP), _METRES),
    "fall": Topic(("falls",), body.fall, lambda q: q.named(FALL)),
}
"""Topic -> its measure, its claims, its units."""


def check(name: str, q: Query) -> Evidence:
    """Check the answer of a query on one topic."""
    topic = TOPICS[name]
    found = topic.measure(q)
    said = lines_of(q, topic.lines)
    if found is None:
        return Evidence(name, f"not measurable here; {said}".rstrip("; "), NOT_MEASURABLE)
    truth = found.truth if isinstance(found.truth, str) else {True: "yes", False: "no", None: ""}[found.truth]
    known = {key: value for key, value in found.values.items() if value is not None}
    return Evidence(name, said, _verdict(topic, found, q), found.words or truth, tuple(found.spans), known)


def lines_of(q: Query, topics: tuple[str, ...]) -> str:
    """Write what is measured on topics of `Facts.lines`, in the recording's time."""

    def later(span: re.Match[str]) -> str:
        return f"{float(span[1]) + q.offset:.1f}-{float(span[2]) + q.offset:.1f} s"

    lines = [line for line in q.facts.lines() if line.startswith(tuple(f"{topic}:" for topic in topics))]
    return re.sub(r"\b(\d+\.\d)-(\d+\.\d) s", later, "; ".join(lines))


def _verdict(topic: Topic, found: Measure, q: Query) -> str:
    if q.yes is not None:
        return compare(found.held, q.yes)
    claim = topic.claim(q)
    verdict = NOT_MEASURABLE if claim in found.unclear else compare(found.truth, claim)
    value = None if found.stated is None else q.stated(topic.units)
    if value is None or found.stated is None or verdict == CONTRADICTS:
        return verdict
    low, high = found.stated
    near, far = found.tolerance.bounds(low if value < low else high)
    off = max(low - abs(value), abs(value) - high, 0.0)
    return AGREES if off <= near else CONTRADICTS if off > far else NOT_MEASURABLE
