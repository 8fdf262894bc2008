"""Read the claims of questions and answers, and compare them with measurements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from vimonet.language import declines, mentions, negated, normalise_question, polarity, whole_words
from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics.image_plane import ImagePlane

AGREES = "agrees"
CONTRADICTS = "contradicts"
NOT_MEASURABLE = "not measurable"
NOT_CLAIMED = "not claimed"
VERDICTS = (AGREES, CONTRADICTS, NOT_MEASURABLE, NOT_CLAIMED)
ARM = r"(?:hands?|arms?|wrists?|fists?)"
LEG = r"(?:legs?|foot|feet|ankles?)"
TURN = whole_words(r"\b(?:turn~|rotate~|rotations?\b|spin~|pivot~|twirl~)")
SUBJECT = r"(?:(?:a|the) (?:person|man|woman)|someone|he|she) "
"""Pattern of the subject of a sentence about a movement."""
JUMP = whole_words(r"\b(jump~|hop~|leap~)")
FALL = whole_words(r"\b(fall~|tumble~|collapse~)")
RAISE = whole_words(r"\b(raise~|lift~|put up\b|hold up\b|held up\b|reach~)")
AWAY = r"\b(another place|somewhere else|away|from (its|the|his|her) place)\b"
MADE_BY = {
    "arm": r"wave~|punch~|clap~|curl~|swing~|throw~|knock~",
    "leg": r"kick~",
    "knees": r"squat~",
}
"""Body part -> actions that are counted by its rhythm."""


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
        topic: a key of `vimonet.evidence.CHECKS`, or ``movement``.
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


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Compare a stated quantity with the measured one: near it agrees, far from it contradicts, between neither.

    Attributes:
        near, far: least distances, in `unit`.
        near_share, far_share: distances as a share of the measured value; the larger of the two counts.
        unit: unit of `near` and `far`.
        why: the reason for the numbers.
    """

    near: float
    far: float
    near_share: float
    far_share: float
    unit: str
    why: str

    def bounds(self, value: float) -> tuple[float, float]:
        """Compute the distances within which a statement agrees and beyond which it contradicts."""
        return max(self.near, self.near_share * value), max(self.far, self.far_share * value)


# Quantities that an answer states.
DISTANCE_TOLERANCE: Final = Tolerance(
    0.35, 0.6, 0.15, 0.25, "m", "people round to half a metre, long distances to metres"
)
SPEED_TOLERANCE: Final = Tolerance(0.2, 0.2, 0.25, 0.25, "m/s", "mean and peak speed are both called the speed")
ANGLE_TOLERANCE: Final = Tolerance(25.0, 40.0, 0.0, 0.0, "degrees", "people name eighths of a turn")
FLEXION_TOLERANCE: Final = Tolerance(15.0, 30.0, 0.0, 0.0, "degrees", "markers and cameras differ by 5 to 10")
STEPS_TOLERANCE: Final = Tolerance(1.0, 1.0, 0.15, 0.15, "steps", "the first and the last step are counted or not")
JUMP_TOLERANCE: Final = Tolerance(0.12, 0.24, 0.3, 0.6, "m", "pelvis, head and feet rise by different heights")
EVENT_TOLERANCE: Final = Tolerance(0.6, 1.2, 0.2, 0.4, "s", "both ends of an event are known to a quarter of a second")
DURATION_TOLERANCE: Final = Tolerance(0.6, 1.1, 0.1, 0.1, "s", "people round to seconds")
MOMENT_TOLERANCE: Final = Tolerance(0.5, 1.2, 0.0, 0.0, "s from the event", "people round to half a second")
RAISE_TOLERANCE: Final = Tolerance(0.5, 2.5, 0.0, 0.0, "s from the raise", "a hand goes up before and down after it")


def compare_numbers(truth: float | None, claim: float | None, near: float, far: float) -> str:
    """Give the verdict on a number: it agrees within ``near`` of the truth and contradicts it beyond ``far``."""
    if truth is None:
        return NOT_MEASURABLE
    if claim is None:
        return NOT_CLAIMED
    off = abs(truth - claim)
    return AGREES if off <= near else CONTRADICTS if off > far else NOT_MEASURABLE


def contradicted(evidence: Sequence[Evidence]) -> bool | None:
    """Test whether any evidence contradicts the answer; None if none gives a verdict."""
    verdicts = {item.verdict for item in evidence}
    return True if CONTRADICTS in verdicts else False if AGREES in verdicts else None


@dataclass(frozen=True)
class Query:
    """Hold one question about one segment of a recording.

    Attributes:
        facts: facts of the segment.
        question, answer: normalised texts; the answer is empty if the model declines.
        yes: the answer to a yes-no question; None for any other.
        offset: start of the segment in the recording, s.
        claim: whether the question is a claim of an open answer, which was not asked for.
        inclined_at: time of the greatest trunk inclination in the segment, s; None if unknown.
        plane: measurements of a 2D movement in the image plane; None for 3D, or if the trunk is not seen.
    """

    facts: Facts
    question: str
    answer: str
    yes: bool | None
    offset: float = 0.0
    inclined_at: float | None = None
    claim: bool = False
    plane: ImagePlane | None = None

    @classmethod
    def read(
        cls,
        question: str,
        answer: str,
        facts: Facts,
        offset: float = 0.0,
        inclined_at: float | None = None,
        plane: ImagePlane | None = None,
    ) -> Query:
        """Normalise a question and an answer; arguments as the attributes."""
        question, answer = normalise_question(question).replace(", yes or no", ""), normalise_question(answer)
        if declines(answer) or answer.startswith("none of"):
            answer = ""
        # "Left or right?" is not answered by yes.
        yes = None if re.search(r"\bor\b", question) else polarity(answer)
        return cls(facts, question, answer, yes, offset, inclined_at, plane=plane)

    def claims(self, pattern: str) -> bool | None:
        """Test whether the answer claims an event named by ``pattern``; None if it claims nothing about it."""
        if self.yes is not None:
            return self.yes
        if polarity(self.answer) is not None or not mentions(pattern, self.answer):
            return None
        return not negated(self.answer)

    def asks(self, pattern: str) -> bool:
        """Test whether ``pattern`` occurs in the question."""
        return mentions(pattern, self.question)

    def span(self, start: float, end: float, *joints: str, label: str = "") -> Span:
        """Build a span of this segment in the recording's time."""
        return Span(start + self.offset, end + self.offset, joints, label)

    def when(self, start: float, end: float) -> str:
        """Write an interval of this segment in the recording's time."""
        return f"{start + self.offset:.1f}-{end + self.offset:.1f} s"


def finding(
    topic: str,
    measured: str,
    verdict: str,
    truth: str | bool | None = "",
    spans: Sequence[Span] = (),
    values: Mapping[str, float | None] | None = None,
) -> Evidence:
    """Build evidence: a truth of True, False or None becomes "yes", "no" or "", values of None are left out."""
    words = truth if isinstance(truth, str) else {True: "yes", False: "no", None: ""}[truth]
    known = {name: value for name, value in (values or {}).items() if value is not None}
    return Evidence(topic, measured, verdict, words, tuple(spans), known)


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


def counted_action(question: str) -> str:
    """Name the body part that counts an action ("how many squats": knees), ``flight`` for jumps, or empty."""
    parts = {"flight": "jump~|hop~|leap~", **MADE_BY}
    asked = r"\b(how many|number of|count) ((full|complete|of|the|his|her|their) )*"
    return next((part for part, actions in parts.items() if mentions(rf"{asked}({actions})", question)), "")


def alternatives(question: str) -> tuple[str, str] | None:
    """Read the two actions of a question about their order; None for any other question."""
    if not mentions(r"\b(first|earlier|before the other|last|later|second)\b", question):
        return None
    found = re.search(
        r"(?:^|[,:] |\b(?:does|do|did|is|was|he|she|it|they|person|first|last|which) )"
        r"(\w+ing\b[^,?]*?) or (\w+ing\b[^,?]*)",
        question,
    )
    found = found or re.search(
        r"\b(?:he|she|it|they|person|man|woman) (?:first |last )?(\w+)\b[^,?]*? or (\w+)\b[^,?]*\b(?:first|last)\b",
        question,
    )
    return (found[1], re.sub(r" (first|last|earlier|later)\W*$", "", found[2])) if found else None
