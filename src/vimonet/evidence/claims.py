"""Read the claims of questions and answers, and compare them with measurements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from vimonet.language import declines, mentions, negated, normalise_question, number, polarity, whole_words
from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c

AGREES = "agrees"
CONTRADICTS = "contradicts"
NOT_MEASURABLE = "not measurable"
NOT_CLAIMED = "not claimed"
ARM = r"(?:hands?|arms?|wrists?|fists?)"
LEG = r"(?:legs?|foot|feet|ankles?)"
TURN = whole_words(r"\b(?:turn~|rotate~|rotations?\b|spin~|pivot~|twirl~)")
SUBJECT = r"(?:(?:a|the) (?:person|man|woman)|someone|he|she) "
"""Pattern of the subject of a sentence about a movement."""
JUMP = whole_words(r"\b(jump~|hop~|leap~)")
FALL = whole_words(r"\b(fall~|tumble~|collapse~)")
AWAY = r"\b(another place|somewhere else|away|from (its|the|his|her) place)\b"
BY_LIMBS = r"\b(wave~|punch~|clap~|curl~|swing~|throw~|knock~|kick~)"
"""Actions that the repetitions of a limb do not tell apart."""


@dataclass(frozen=True)
class Span:
    """Describe an interval of the recording: start and end, s, the joints concerned (names of the 22), a label."""

    start: float
    end: float
    joints: tuple[str, ...] = ()
    label: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict; times to a hundredth of a second."""
        times = {"start": round(self.start, 2), "end": round(self.end, 2)}
        return {**times, "joints": list(self.joints), "label": self.label}


@dataclass(frozen=True)
class Evidence:
    """Hold one measurement that bears on a question, with its verdict on the answer.

    Attributes:
        topic: a key of `vimonet.evidence.TOPICS`, or ``movement``.
        measured: the measurement in words, with units, times and joints.
        verdict: ``agrees``, ``contradicts``, ``not measurable`` (the value lies in a dead zone, or the recording does
            not show the limb) or ``not claimed`` (the answer makes no claim about it).
        truth: the answer by the measurement; empty if it decides none.
        spans: intervals concerned, in the recording's time.
        values: measured numbers by name with unit (``_m``, ``_s``, ``_deg``, ``_m_s``).
    """

    topic: str
    measured: str
    verdict: str
    truth: str = ""
    spans: tuple[Span, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict; numbers to a thousandth."""
        return {
            "topic": self.topic,
            "verdict": self.verdict,
            "measured": self.measured,
            "truth": self.truth,
            "values": {name: round(float(value), 3) for name, value in self.values.items()},
            "spans": [span.to_dict() for span in self.spans],
        }


def compare(truth: object | None, claim: object | None) -> str:
    """Give the verdict on a claim; a truth of None is not measurable, a claim of None is not claimed."""
    if truth is None:
        return NOT_MEASURABLE
    if claim is None:
        return NOT_CLAIMED
    return AGREES if truth == claim else CONTRADICTS


class Measure(NamedTuple):
    """Hold what is measured on one topic; its words are the lines of `Facts.lines`.

    Attributes:
        truth: the claim that is right; None in a dead zone.
        held: answer to the yes-no question that was asked; None in a dead zone, or if this does not answer it.
        spans, values: as of `Evidence`.
        words: the truth in words, where they differ from the claim.
        stated: least and greatest number that an answer may state; None if none answers.
        tolerance: how near that number must be.
        unclear: claims that are neither right nor wrong.
    """

    truth: str | bool | None
    held: bool | None = None
    spans: Sequence[Span] = ()
    values: Mapping[str, float | None] = MappingProxyType({})
    words: str = ""
    stated: tuple[float, float] | None = None
    tolerance: c.Tolerance = c.EXACT
    unclear: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    """Hold one question about one segment of a recording.

    Attributes:
        facts: facts of the segment.
        question, answer: normalised texts; the answer is empty if the model declines.
        yes: the answer to a yes-no question; None for any other.
        offset: start of the segment in the recording, s.
        claim: whether the question is a claim of an open answer, which was not asked for.
    """

    facts: Facts
    question: str
    answer: str
    yes: bool | None
    offset: float = 0.0
    claim: bool = False

    @classmethod
    def read(cls, question: str, answer: str, facts: Facts, offset: float = 0.0) -> Query:
        """Normalise a question and an answer; arguments as the attributes."""
        question, answer = normalise_question(question).replace(", yes or no", ""), normalise_question(answer)
        if declines(answer) or answer.startswith("none of"):
            answer = ""
        # "Left or right?" is not answered by yes.
        yes = None if re.search(r"\bor\b", question) else polarity(answer)
        return cls(facts, question, answer, yes, offset)

    def named(self, pattern: str) -> bool | None:
        """Test whether an open answer names an event; None if it says nothing about it."""
        return None if not mentions(pattern, self.answer) else not negated(self.answer)

    def stated(self, units: Mapping[str, float]) -> float | None:
        """Read the number that the answer states, in the first of the units (pattern -> factor) that it holds.

        An empty pattern reads a number without a unit.
        """
        text = self.answer.replace("half a ", "0.5 ")
        for unit, factor in units.items():
            if not unit or re.search(rf"(?:\b|\d)(?:{unit})(?![\w/])", text):
                value = number(text, unit)
                return None if value is None else value * factor
        return None

    def asks(self, pattern: str) -> bool:
        """Test whether ``pattern`` occurs in the question."""
        return mentions(pattern, self.question)

    def span(self, start: float, end: float, *joints: str, label: str = "") -> Span:
        """Build a span of this segment in the recording's time."""
        return Span(start + self.offset, end + self.offset, joints, label)


def side(text: str) -> str | None:
    """Read ``left``, ``right``, ``both`` or ``neither`` in an answer; None if it is unclear."""
    left, right = bool(re.search(r"\bleft(?:wards?)?\b", text)), bool(re.search(r"\bright(?:wards?)?\b", text))
    if re.search(r"\b(neither|none|no (hand|arm|leg|foot|one))\b", text):
        return "neither"
    if re.search(r"\b(both|equal(?:ly)?|same)\b", text) or (
        left and right and re.search(r"\b(left|right) and\b", text)
    ):
        return "both"
    return None if left == right else "left" if left else "right"


def side_of_limb(text: str, limb: str) -> str | None:
    """Read the side before a limb (ARM or LEG) in a text: left, right, both; None for none or several."""
    found = set(re.findall(rf"\b(left|right|both)(?: the| of the)? {limb}\b", text))
    return found.pop() if len(found) == 1 else None


def side_of_turn(text: str) -> str | None:
    """Read the side of a turn in a text; None for none or both."""
    after = re.findall(rf"{TURN}(?: (?!and\b|then\b)\w+){{0,4}}? (left|right)\b(?! (?:{ARM}|{LEG}))", text)
    found = set(after) | set(re.findall(r"\b(left|right) turn", text))
    return found.pop() if len(found) == 1 else None


def direction_of(text: str) -> str | None:
    """Read a direction of locomotion in a text: forward, backward, left, right, in place; None if it is unclear."""
    # Sides of turns are no directions of locomotion.
    text = re.sub(rf"{TURN}( (?!and\b|then\b)\w+){{0,4}}? (left|right)\b", " ", text)
    patterns = {
        "forward": r"\b(forwards?|ahead|straight on|advance[sd]?|advancing)\b",
        "backward": r"\b(backwards?|back|retreat(?:s|ed|ing)?)\b",
        "left": rf"\bleft(wards?)?\b(?! (?:{ARM}|{LEG}))",
        "right": rf"\bright(wards?)?\b(?! (?:{ARM}|{LEG}))",
        "in place": r"\b(in place|on the spot|nowhere|does not (move|go|travel|walk)|stays|not moving|stands still)\b",
    }
    found = [name for name, pattern in patterns.items() if re.search(pattern, text)]
    return found[0] if len(found) == 1 else None


def counts_action(question: str) -> bool:
    """Test whether a question counts an action by its name ("how many squats")."""
    asked = r"\b(how many|number of|count) ((full|complete|of|the|his|her|their) )*"
    return mentions(rf"{asked}(jump~|hop~|leap~|squat~)|{asked}{BY_LIMBS}", question)
