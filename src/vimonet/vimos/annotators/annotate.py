"""Annotate a clip without a model: measured questions, questions from captions, a caption.

Builders of recorded sources call `annotate`; ``vimos-open`` draws single questions of `questions_of`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.categories import CAPTION_PACE, CAPTION_TURN, side_of
from vimonet.vimos.action_labels import third_person, verb_slots
from vimonet.vimos.annotators.caption_questions import from_captions
from vimonet.vimos.annotators.kinematic import from_facts, from_parts, from_picture, unknowable
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO
from vimonet.vimos.annotators.kinematic.people_questions import asked_by_people
from vimonet.vimos.annotators.kinematic.sequence_questions import absent_actions
from vimonet.vimos.label_consistency import contradicts
from vimonet.vimos.parquet import Caption, Instruction
from vimonet.vimos.question_forms import style_of
from vimonet.vimos.types import Part, Question
from vimonet.vimos.wordings import ask

MIN_FRAMES = 8
"""Fewest frames of a clip that is measured (0.4 s)."""

UNSEEN_SHARE = 0.4
"""Share of test questions with unseen wordings."""

_TOUCH = 0.15  # seconds by which consecutive labelled segments may overlap

_VERBS = """
answer balance beckon bend bow box catch clap climb cough crawl crouch curl dance dash do draw dribble drink
drop eat fall fight fly get give grab guide hit hold hop hug jog jump kick kneel knock leap lean lie lift look
lower lunge make march move open paddle pick pitch place point pour pull punch push put raise reach rise roll
rotate run salute scratch serve shake shoot show sit skip slash sneak spin sprint squat stand step stomp stretch
stumble swim swing swipe take tap throw touch trip turn twist vault walk wash wave wipe write
"""
VERBS = frozenset(_VERBS.split())
"""Base-form verbs at the start of labels; no question is asked about a label that starts otherwise ("t-pose")."""


NO_ACTION = frozenset(("transition",))
"""BABEL's labels between two actions: rows keep them, and no question counts them."""


def askable(action: str) -> bool:
    """Tell whether questions can inflect a label as a verb phrase."""
    return action.split(" ", 1)[0] in VERBS


def questions_of(
    motion: Motion, parts: Sequence[Part], rng: random.Random, others: Sequence[str] = ()
) -> tuple[list[Question], Facts | None]:
    """Make the questions that measurements and labels answer.

    Consecutive verb phrases give questions about order; overlapping ones give only yes/no questions.

    Args:
        motion: 3D or 2D clip.
        parts: labelled segments in order of time, in s of the clip, which may overlap.
        rng: random generator.
        others: action phrases of the same source, from which absent ones are drawn.

    Returns:
        Questions and the measured facts; no questions and None for a clip under 8 frames.
    """
    if motion.frames < MIN_FRAMES:
        return [], None
    facts = measure(motion)
    parts = [part for part in parts if part.action not in NO_ACTION]
    happening = {part.action for part in parts}
    measured = [*from_facts(facts), *(from_picture(motion) if motion.dimensions == 2 else ())]
    questions = [q for q in measured if not contradicts(q, happening)]
    drawn = sorted({other for other in others if askable(other)})
    verbal = [part for part in parts if askable(part.action)]
    ordered = verbal if in_sequence(parts) else []
    questions += asked_by_people(questions, ordered, facts, rng)
    if ordered:
        questions += from_parts(ordered, rng, drawn, facts)
    elif verbal:
        evidence = {"parts": [(part.action, round(part.start, 2), round(part.end, 2)) for part in parts]}
        for action in sorted({part.action for part in verbal}):
            questions.append(Question("yes_no", "yes_no", "yes", verb_slots(action), YES_NO, evidence))
        absent = absent_actions(list(parts), drawn, facts)
        for action in rng.sample(absent, min(len(absent), len(verbal) + 1)):
            questions.append(Question("yes_no", "yes_no", "no", verb_slots(action), YES_NO, evidence))
    questions.append(unknowable(rng))
    return questions, facts


def in_sequence(parts: Sequence[Part]) -> bool:
    """Tell whether all segments are verb phrases that follow one another."""
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
    """Write the instructions of a clip (generators ``kinematic`` and ``caption``) and extend its captions.

    Args:
        motion, parts, rng, others: as in `questions_of`.
        captions: captions of the source, which come first and unchanged.
        test: give two fifths of the questions unseen wordings.

    Returns:
        Instructions, and captions with one made of labels and measurements where the labels are consecutive actions.
    """
    questions, facts = questions_of(motion, parts, rng, others)
    instructions = []
    for question in questions:
        if question.form == "caption":
            continue
        unseen = test and rng.random() < UNSEEN_SHARE
        text = ask(question.form, rng, unseen=unseen, plain=True, people=False, **question.slots)
        instructions.append(
            Instruction.of(question, text, style_of(question.form), wording="unseen" if unseen else "seen")
        )
    instructions += from_people(captions, rng, facts, test=test)
    written = list(captions)
    parts = [part for part in parts if part.action not in NO_ACTION]
    if facts is not None and parts and in_sequence(parts):
        written.append(Caption(caption(list(parts), facts, rng), "kinematic"))
    return tuple(instructions), tuple(dict.fromkeys(written))


def from_people(
    captions: Sequence[Caption], rng: random.Random, facts: Facts | None = None, *, test: bool = False
) -> list[Instruction]:
    """Write the questions that people's captions of the whole clip answer (`caption_questions`)."""
    own = [c for c in captions if c.start is None and c.generator == "people"]
    if not own:
        return []
    texts, tokens = [c.text for c in own], [c.tokens for c in own]
    return from_captions(texts, rng, tokens=tokens, facts=facts, unseen=test and rng.random() < UNSEEN_SHARE)


_TRAVELLING = ("walk", "run", "sprint", "sneak", "crawl", "jog")


def caption(parts: list[Part], facts: Facts, rng: random.Random) -> str:
    """Write a caption such as "a person walks forward and turns left".

    Direction, pace and turning are mentioned where the facts are clear, and then at random, because people's captions
    mention only some of them.

    Args:
        parts: actions in order of time.
        facts: measured on the whole movement.
        rng: random generator.
    """
    phrases = []
    for part in parts:
        words = third_person(part.action)
        verb = part.action.split()[0]
        if verb in _TRAVELLING and len(parts) == 1 and words == third_person(verb):
            words += _manner(facts, rng)
        phrases.append(words)
    subject = rng.choice(("a person", "a person", "a person", "the person", "someone", "a man"))
    return f"{subject} {', then '.join(phrases)}."


def _manner(facts: Facts, rng: random.Random) -> str:
    out = ""
    relative = (facts.mean_speed or 0) / (facts.leg_length or 1)
    if facts.locomotion_direction in ("forward", "backward"):
        out += " forward" if facts.locomotion_direction == "forward" else " backward"
    elif facts.locomotion_direction in ("left", "right"):
        out += f" sideways to the {facts.locomotion_direction}"
    if relative and rng.random() < 0.4:
        pace = CAPTION_PACE.name(relative)
        out += f" {pace}" if pace else ""
    turns = None if facts.net_turn is None else CAPTION_TURN.decide(abs(facts.net_turn))
    if turns:
        out += f" and turns {side_of(facts.net_turn or 0.0)}"
    elif turns is False and rng.random() < 0.2:
        out += " in a straight line"
    return out
