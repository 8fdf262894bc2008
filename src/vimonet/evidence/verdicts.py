"""What is shown beside an answer: a measured statement, where in the recording it holds, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

AGREES = "agrees"
CONTRADICTS = "contradicts"
NOT_MEASURABLE = "not measurable"
NOT_CLAIMED = "not claimed"
VERDICTS = (AGREES, CONTRADICTS, NOT_MEASURABLE, NOT_CLAIMED)


@dataclass(frozen=True)
class Span:
    """A stretch of the recording: start and end in seconds, the joints to look at (names of the 22), what is there."""

    start: float
    end: float
    joints: tuple[str, ...] = ()
    label: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; times rounded to a hundredth of a second."""
        times = {"start": round(self.start, 2), "end": round(self.end, 2)}
        return {**times, "joints": list(self.joints), "label": self.label}


@dataclass(frozen=True)
class Evidence:
    """One measured fact that bears on a question, held against the answer.

    Attributes:
        topic: what it is about: a key of `vimonet.evidence.CHECKS`, or ``movement``.
        measured: the fact in words, with units, times and joints.
        verdict: ``agrees``, ``contradicts``, ``not measurable`` (the measure is too near its threshold, or the
            recording does not show the limb) or ``not claimed`` (the answer says nothing that this could deny).
        truth: what the measure itself would answer; empty where it cannot.
        spans: where it happens, in seconds of the recording.
        values: the measured numbers by name, each with its unit (``_m``, ``_s``, ``_deg``, ``_m_s``).
    """

    topic: str
    measured: str
    verdict: str
    truth: str = ""
    spans: tuple[Span, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers rounded to a thousandth."""
        return {
            "topic": self.topic,
            "verdict": self.verdict,
            "measured": self.measured,
            "truth": self.truth,
            "values": {name: round(float(value), 3) for name, value in self.values.items()},
            "spans": [span.to_dict() for span in self.spans],
        }


def compare(truth: object | None, claim: object | None) -> str:
    """The verdict on a claim that is the truth or is not; None: cannot be measured, is not claimed."""
    if truth is None:
        return NOT_MEASURABLE
    if claim is None:
        return NOT_CLAIMED
    return AGREES if truth == claim else CONTRADICTS


def compare_numbers(truth: float | None, claim: float | None, near: float, far: float) -> str:
    """The verdict on a number: it agrees within ``near`` of the measured one and contradicts it beyond ``far``."""
    if truth is None:
        return NOT_MEASURABLE
    if claim is None:
        return NOT_CLAIMED
    off = abs(truth - claim)
    return AGREES if off <= near else CONTRADICTS if off > far else NOT_MEASURABLE


def contradicted(evidence: Sequence[Evidence]) -> bool | None:
    """Whether any of the evidence contradicts the answer; None when none of it could be checked."""
    verdicts = {item.verdict for item in evidence}
    return True if CONTRADICTS in verdicts else False if AGREES in verdicts else None
