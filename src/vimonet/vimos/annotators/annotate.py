"""Annotate a clip without a model: measured questions, questions from captions, a caption.

Builders of recorded sources call :func:`annotate`; what is drawn for ``vimos-open`` goes the same way, question by
question (`vimonet.vimos.builders.vimos_open.augment`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.vimos.annotators.caption_questions import from_captions
from vimonet.vimos.annotators.kinematic import from_facts, from_parts, from_picture, unknowable
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO, verb_slots
from vimonet.vimos.annotators.kinematic.sequence_questions import absent_actions
from vimonet.vimos.caption_templates import caption
from vimonet.vimos.label_consistency import contradicts
from vimonet.vimos.parquet import Caption, Instruction
from vimonet.vimos.question_forms import style_of
from vimonet.vimos.types import Part, Question
from vimonet.vimos.wordings import ask

MIN_FRAMES = 8
"""Frames under which nothing is measured (0.4 s)."""

UNSEEN_SHARE = 0.4
"""Share of test questions in wordings that training never uses."""

_TOUCH = 0.15  # seconds two labelled stretches may overlap and still count as one after the other

_VERBS = """
answer balance beckon bend bow box catch clap climb cough crawl crouch curl dance dash do draw dribble drink
drop eat fall fight fly get give grab guide hit hold hop hug jog jump kick kneel knock leap lean lie lift look
lower lunge make march move open paddle pick pitch place point pour pull punch push put raise reach rise roll
rotate run salute scratch serve shake shoot show sit skip slash sneak spin sprint squat stand step stomp stretch
stumble swim swing swipe take tap throw touch trip turn twist vault walk wash wave wipe write
"""
VERBS = frozenset(_VERBS.split())
"""Base-form verbs that labels may begin with; a label that begins otherwise ("t-pose") is kept and not asked about."""


NO_ACTION = frozenset(("transition",))
"""Labels of the way from one action to the next (BABEL): kept among the actions, not counted as one."""


def askable(action: str) -> bool:
    """Tell whether a label is a verb phrase that questions can inflect."""
    return action.split(" ", 1)[0] in VERBS


def questions_of(
    motion: Motion,
    parts: Sequence[Part],
    rng: random.Random,
    others: Sequence[str] = (),
) -> tuple[list[Question], Facts | None]:
    """Make the questions that measures and labels answer; returns the measures too.

    Args:
        motion: 3D or 2D.
        parts: labelled stretches in order of time, in seconds of the clip; they may overlap.
        rng: source of chance.
        others: action phrases of the same source, from which absent ones are drawn.

    Returns:
        Questions (of a clip under 8 frames none, and no measures). Order is asked where the stretches are all verb
        phrases one after the other; of overlapping ones only whether each happens.
    """
    if motion.frames < MIN_FRAMES:
        return [], None
    facts = measure(motion)
    parts = [part for part in parts if part.action not in NO_ACTION]
    happening = {part.action for part in parts}
    measured = [*from_facts(facts), *(from_picture(motion) if motion.dimensions == 2 else ())]
    questions = [q for q in measured if not contradicts(q, happening)]
    drawn = sorted({other for other in others if askable(other)})
    told = [part for part in parts if askable(part.action)]
    if told and in_sequence(parts):
        questions += from_parts(told, rng, drawn, facts)
    elif told:
        evidence = {"parts": [(part.action, round(part.start, 2), round(part.end, 2)) for part in parts]}
        for action in sorted({part.action for part in told}):
            questions.append(Question("yes_no", "yes_no", "yes", verb_slots(action), YES_NO, evidence))
        absent = absent_actions(list(parts), drawn, facts)
        for action in rng.sample(absent, min(len(absent), len(told) + 1)):
            questions.append(Question("yes_no", "yes_no", "no", verb_slots(action), YES_NO, evidence))
    questions.append(unknowable(rng))
    return questions, facts


def in_sequence(parts: Sequence[Part]) -> bool:
    """Tell whether stretches follow one another and each of them can be asked about."""
    return all(askable(part.action) for part in parts) and all(
        a.start < b.start and a.end <= b.start + _TOUCH for a, b in pairwise(parts)
    )


def annotate(
    motion: Motion,
    parts: Sequence[Part],
    captions: Sequence[Caption],
    rng: random.Random,
    others: Sequence[str] = (),
    *,
    test: bool = False,
) -> tuple[tuple[Instruction, ...], tuple[Caption, ...]]:
    """Write instructions about a clip (generators ``kinematic`` and ``caption``), and its captions, with one made
    of labels and measures where labels tell enough.

    Args:
        motion, parts, rng, others: as in :func:`questions_of`.
        captions: what the source says, kept as it is and first.
        test: whether two fifths of the questions are worded as training never words them.
    """
    questions, facts = questions_of(motion, parts, rng, others)
    instructions = []
    for question in questions:
        if question.form == "caption":
            continue
        unseen = test and rng.random() < UNSEEN_SHARE
        text = ask(question.form, rng, unseen=unseen, plain=True, **question.slots)
        instructions.append(
            Instruction.of(question, text, style_of(question.form), wording="unseen" if unseen else "seen")
        )
    instructions += from_people(captions, rng, facts, test=test)
    told = list(captions)
    parts = [part for part in parts if part.action not in NO_ACTION]
    if facts is not None and parts and in_sequence(parts):
        told.append(Caption(caption(list(parts), facts, rng), "kinematic"))
    return tuple(instructions), tuple(dict.fromkeys(told))


def from_people(
    captions: Sequence[Caption], rng: random.Random, facts: Facts | None = None, *, test: bool = False
) -> list[Instruction]:
    """Write the questions that people's captions of the whole clip answer (`caption_questions`)."""
    said = [c for c in captions if c.start is None and c.generator == "people"]
    if not said:
        return []
    texts, tokens = [c.text for c in said], [c.tokens for c in said]
    return from_captions(texts, rng, tokens=tokens, facts=facts, unseen=test and rng.random() < UNSEEN_SHARE)
