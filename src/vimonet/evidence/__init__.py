"""Answers held against what can be measured: no model in it, only words and kinematics.

    from vimonet.evidence import examine
    for item in examine("Which way does the person turn?", "right", motion):
        print(item.verdict, "-", item.measured)      # contradicts - turns 89 degrees to the left, 1.4-2.5 s; ...

What a question is about is told by its words; several measures may bear on it. A verdict is only given outside the
dead zones within which a person could dispute the measure, and only on what the answer plainly claims.
"""

from __future__ import annotations

import re
from dataclasses import replace

from vimonet.evidence.measured import measured_answer
from vimonet.evidence.question import Query, finding
from vimonet.evidence.topics import CHECKS, denies, is_open, of_claims, of_question
from vimonet.evidence.verdicts import (
    AGREES,
    CONTRADICTS,
    NOT_CLAIMED,
    NOT_MEASURABLE,
    VERDICTS,
    Evidence,
    Span,
    contradicted,
)
from vimonet.language import negated, polarity
from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.description import describe
from vimonet.motion.kinematics.image_plane import image_plane

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


def examine(
    question: str, answer: str, motion: Motion | Facts, *, facts: Facts | None = None, offset: float = 0.0
) -> tuple[Evidence, ...]:
    """The measured facts that bear on a question, each held against the answer.

    Args:
        question: in the asker's words.
        answer: in the model's words.
        motion: the movement the answer is about, or what `measure` gave for it.
        facts: what `measure` gave for the motion, where that is known already.
        offset: where it begins in the recording, s; all times are the recording's.

    Returns:
        Evidence, most telling first; empty when nothing that is measured bears on the question.
    """
    facts = motion if isinstance(motion, Facts) else facts or measure(motion)
    bend_at = None if isinstance(motion, Facts) else _most_bent(motion, facts)
    plane = image_plane(motion) if isinstance(motion, Motion) and motion.dimensions == 2 else None
    query = Query.read(question, answer, facts, offset, bend_at, plane)
    topics = of_question(query.question)
    names_action = bool(re.match(r"(\w+(?<!th)ing)\b", query.answer)) and topics not in (
        ["posture"],
        ["speed"],
        ["order"],
    )
    found = [] if names_action else [CHECKS[topic](query) for topic in topics]
    if not found and query.yes is None and not denies(query.question) and (is_open(query.question) or names_action):
        # What was asked can be anything: the answer's own claims are asked back, as if it had been "yes" to each.
        if query.answer and not negated(query.answer + query.question) and polarity(query.answer) is None:
            claims = replace(Query.read(query.answer, "yes", facts, offset, bend_at, plane), claim=True)
            found = [CHECKS[topic](claims) for topic in of_claims(claims.question)]
        found = [item for item in found if item is not None] or [_movement(query)]
    if query.yes is False and len(found) > 1:
        # "No" to one thing and another denies the two together, not each.
        found = [replace(item, verdict=NOT_CLAIMED) if item and item.truth == "yes" else item for item in found]
    return tuple(item for item in found if item is not None)


def contradiction(question: str, answer: str, motion: Motion | Facts) -> bool | None:
    """Whether an answer contradicts what can be measured; None where it cannot be checked.

    None: nothing measured bears on the question, the measure is near its threshold or the limb is not seen, or the
    answer claims nothing that could be denied (it declines, or names an action that no measure knows).
    """
    return contradicted(examine(question, answer, motion))


def _most_bent(motion: Motion, facts: Facts) -> float | None:
    """The second at which the trunk is bent most."""
    if facts.trunk_inclination is None:
        return None
    from vimonet.motion.kinematics.limbs import trunk_inclination

    return int(trunk_inclination(motion.joints).argmax()) / motion.fps


def _movement(query: Query) -> Evidence:
    """What can be said about the whole where an answer claims nothing that is measured."""
    lines = [line for line in query.facts.lines() if not line.startswith(("duration", "activity", "not seen"))]
    if query.offset:
        lines = [line for line in lines if "-" not in line]  # their times are the stretch's own
    measured = "; ".join(lines) or "nothing beyond how much each limb moves"
    return finding("movement", measured, NOT_CLAIMED, "", (), query.facts.limb_activity)
