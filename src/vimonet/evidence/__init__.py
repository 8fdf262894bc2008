"""Compare answers with measurements, by words and kinematics, without a model.

    from vimonet.evidence import examine
    for item in examine("Which way does the person turn?", "right", motion):
        print(item.verdict, "-", item.measured)      # contradicts - turns: left 89 degrees 1.4-2.5 s; ...

The words of a question select the measurements that bear on it. An answer gets a verdict only on its clear claims and
outside the dead zones, in which observers could disagree.
"""

from __future__ import annotations

from vimonet.evidence.checks import TOPICS
from vimonet.evidence.claims import AGREES, CONTRADICTS, NOT_CLAIMED, NOT_MEASURABLE, Evidence, Span
from vimonet.evidence.measured import contradiction, examine, measured_answer
from vimonet.motion.kinematics.description import describe

__all__ = [
    "AGREES",
    "CONTRADICTS",
    "NOT_CLAIMED",
    "NOT_MEASURABLE",
    "TOPICS",
    "Evidence",
    "Span",
    "contradiction",
    "describe",
    "examine",
    "measured_answer",
]
