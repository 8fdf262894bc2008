"""Ask about a movement where measured facts, labels and the order of joined parts give the answer.

Every generator abstains in a dead zone of `motion.kinematics.categories`: a question whose answer a person could
dispute is not asked. Wording is left open (`vimonet.vimos.wordings`), so that one question can be asked in many ways.
"""

from __future__ import annotations

from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.vimos.annotators.kinematic.body_questions import limbs, posture
from vimonet.vimos.annotators.kinematic.closed_answers import CANNOT_TELL, NEVER, WHEN, YES_NO, all_unknown, unknowable
from vimonet.vimos.annotators.kinematic.course_questions import courses
from vimonet.vimos.annotators.kinematic.event_questions import events
from vimonet.vimos.annotators.kinematic.gait_questions import gait
from vimonet.vimos.annotators.kinematic.held_questions import held
from vimonet.vimos.annotators.kinematic.joint_questions import joints
from vimonet.vimos.annotators.kinematic.locomotion_questions import from_picture, travel, turning
from vimonet.vimos.annotators.kinematic.moment_questions import moments
from vimonet.vimos.annotators.kinematic.sequence_questions import from_chance, from_parts
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
]


def from_facts(facts: Facts) -> Iterator[Question]:
    """Ask what measured facts answer; of 2D motions too, with what their facts hold."""
    yield from travel(facts)
    yield from turning(facts)
    yield from limbs(facts)
    yield from posture(facts)
    yield from events(facts)
    yield from gait(facts)
    yield from moments(facts)
    yield from joints(facts)
    yield from held(facts)
    yield from courses(facts)
    for form in tuple(FORMS.values()):
        if form.ask is not None:
            yield from form.ask(facts)
