"""Answers held against what can be measured: no model in it, only words and kinematics.

    from vimonet.evidence import examine
    for item in examine("Which way does the person turn?", "right", motion):
        print(item.verdict, "-", item.measured)      # contradicts - turns 89 degrees to the left, 1.4-2.5 s; ...

What a question is about is told by its words; several measures may bear on it. A verdict is only given outside the
dead zones within which a person could dispute the measure, and only on what the answer plainly claims.
"""

from __future__ import annotations

from vimonet.evidence.claims import (
    AGREES,
    CONTRADICTS,
    NOT_CLAIMED,
    NOT_MEASURABLE,
    VERDICTS,
    Evidence,
    Span,
    contradicted,
)
from vimonet.evidence.measured import contradiction, examine, measured_answer
from vimonet.evidence.topics import CHECKS
from vimonet.motion.kinematics.description import describe

__all__ = [
    "AGREES",
    "CHECKS",
    "CONTRADICTS",
    "NOT_CLAIMED",
    "NOT_MEASURABLE",
    "VERDICTS",
    "Evidence",
    "Span",
    "contradicted",
    "contradiction",
    "describe",
    "examine",
    "measured_answer",
]
