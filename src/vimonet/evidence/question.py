"""A question and its answer as the checks read them, with the facts they are held against."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vimonet.evidence.verdicts import Evidence, Span
from vimonet.language import declines, mentions, negated, normalise_question, polarity
from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics.image_plane import ImagePlane


@dataclass(frozen=True)
class Query:
    """One question about one stretch of a recording.

    Attributes:
        facts: measured on that stretch.
        question, answer: normalised; the answer is empty where the model declines.
        yes: the answer to a question of yes or no; None for any other.
        offset: where the stretch begins in the recording, s.
        claim: the question is an open answer asked back: said in passing, not asked for.
        bend_at: second of the stretch at which the trunk is bent most; None where it is not known.
        plane: what the picture tells of a 2D movement; None for 3D, or where the trunk is not seen.
    """

    facts: Facts
    question: str
    answer: str
    yes: bool | None
    offset: float = 0.0
    bend_at: float | None = None
    claim: bool = False
    plane: ImagePlane | None = None

    @classmethod
    def read(
        cls,
        question: str,
        answer: str,
        facts: Facts,
        offset: float = 0.0,
        bend_at: float | None = None,
        plane: ImagePlane | None = None,
    ) -> Query:
        """Read a question and an answer as people and models write them."""
        question, answer = normalise_question(question).replace(", yes or no", ""), normalise_question(answer)
        if declines(answer) or answer.startswith("none of"):
            answer = ""
        # "Left or right?" is not answered by yes.
        yes = None if re.search(r"\bor\b", question) else polarity(answer)
        return cls(facts, question, answer, yes, offset, bend_at, plane=plane)

    def claims(self, pattern: str) -> bool | None:
        """Whether the answer says that what ``pattern`` names happens; None where it does not say."""
        if self.yes is not None:
            return self.yes
        if polarity(self.answer) is not None or not mentions(pattern, self.answer):
            return None
        return not negated(self.answer)

    def asks(self, pattern: str) -> bool:
        """Whether ``pattern`` occurs in the question."""
        return mentions(pattern, self.question)

    def span(self, start: float, end: float, *joints: str, label: str = "") -> Span:
        """A span of this stretch, in the recording's time."""
        return Span(start + self.offset, end + self.offset, joints, label)

    def when(self, start: float, end: float) -> str:
        """A stretch of time in words, in the recording's time."""
        return f"{start + self.offset:.1f}-{end + self.offset:.1f} s"


def finding(
    topic: str,
    measured: str,
    verdict: str,
    truth: str | bool | None = "",
    spans: Sequence[Span] = (),
    values: Mapping[str, float | None] | None = None,
) -> Evidence:
    """Evidence; a truth that is True, False or None becomes yes, no or nothing, a value that is None is left out."""
    words = truth if isinstance(truth, str) else {True: "yes", False: "no", None: ""}[truth]
    known = {name: value for name, value in (values or {}).items() if value is not None}
    return Evidence(topic, measured, verdict, words, tuple(spans), known)
