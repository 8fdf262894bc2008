"""Questions about a movement whose answers follow from measured facts, labels and the order of joined parts.

Every generator abstains where the measure is near its threshold: a question whose answer a person could dispute is not
asked. Wording is left open (`vimonet.vimos.wordings`), so that one question can be asked in many ways.
"""

from __future__ import annotations

from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.vimos.annotators.kinematic.closed_answers import CANNOT_TELL, NEVER, WHEN, YES_NO, verb_slots
from vimonet.vimos.annotators.kinematic.event_questions import events
from vimonet.vimos.annotators.kinematic.image_plane_questions import from_picture
from vimonet.vimos.annotators.kinematic.limb_questions import limbs
from vimonet.vimos.annotators.kinematic.locomotion_questions import travel, turning
from vimonet.vimos.annotators.kinematic.posture_questions import posture
from vimonet.vimos.annotators.kinematic.reasoning_questions import from_chance
from vimonet.vimos.annotators.kinematic.sequence_questions import from_parts
from vimonet.vimos.annotators.kinematic.unanswerable_questions import all_unknown, unknowable
from vimonet.vimos.question_forms import FORMS
from vimonet.vimos.types import Question

__all__ = [
    "CANNOT_TELL",
    "NEVER",
    "WHEN",
    "YES_NO",
    "all_unknown",
    "from_chance",
    "from_facts",
    "from_parts",
    "from_picture",
    "unknowable",
    "verb_slots",
]


def from_facts(facts: Facts) -> Iterator[Question]:
    """Questions that measured facts answer. Works for 2D motions too, with what their facts hold."""
    yield from travel(facts)
    yield from turning(facts)
    yield from limbs(facts)
    yield from posture(facts)
    yield from events(facts)
    for form in tuple(FORMS.values()):
        if form.ask is not None:
            yield from form.ask(facts)
