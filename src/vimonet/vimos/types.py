"""Define labelled clips, questions before wording, and benchmark items."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vimonet.motion import Motion


@dataclass(frozen=True)
class Clip:
    """Hold a span of one recording with the labels and captions of its source.

    Attributes:
        id: unique name, ``source/recording[@start]``.
        source: corpus (``bnr``, ``cmu``, ``utd_mhad`` ...).
        recording: name of the recording, the unit of splits and of bootstrap intervals.
        split: ``train``, ``val`` or ``test``.
        motion: 3D or 2D movement, [T, 22, 3], 20 frames/s.
        action: action phrase in the base form ("wave the right hand"), or None.
        captions: sentences about the clip, by people or from the label.
        side_known: False where left and right of the source are unreliable.
        licence: licence of the source.
    """

    id: str
    source: str
    recording: str
    split: str
    motion: Motion
    action: str | None = None
    captions: tuple[str, ...] = ()
    side_known: bool = True
    licence: str = ""


@dataclass(frozen=True)
class Question:
    """Hold a question before it is worded.

    Attributes:
        kind: topic; scores are reported by it.
        form: key of `wordings.WORDINGS`.
        answer: the right answer.
        slots: words that fill the wording (`do`, `does`, `doing`, `a`, `b`, `limb`).
        options: all answers of the form, () for an open question.
        evidence: measured values behind the answer.
    """

    kind: str
    form: str
    answer: str
    slots: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """Label a segment of a movement with an action phrase (base form); start and end in s."""

    action: str
    start: float
    end: float


@dataclass(frozen=True)
class Item:
    """Hold one question about one movement, with its right answer.

    Attributes:
        id: unique name.
        source: corpus.
        recording: unit of bootstrap intervals.
        kind: topic (``action``, ``turn`` ...).
        form: question form; majority answers are counted per form.
        question: the wording.
        answer: the right answer.
        options: all answers of the form, empty for an open question.
        wording: ``seen`` in training or ``unseen``.
        motion: the movement.
        evidence: measured values behind the answer.
    """

    id: str
    source: str
    recording: str
    kind: str
    form: str
    question: str
    answer: str
    motion: Motion
    options: tuple[str, ...] = ()
    wording: str = "seen"
    evidence: dict[str, Any] = field(default_factory=dict)


# Chains of thought (Wei et al., 2022, arXiv 2201.11903), written by the generator of a question: "given blue, asked
# red, other, given left, so right". A small model fails to compare two things within one token, but can look them up
# one after the other. Only the result is scored.
SO = ", so "
"""Separator of the steps and the result."""

STEPS = "steps"
"""Key of the steps in an instruction's evidence."""


def with_steps(answer: str, evidence: Mapping[str, Any]) -> str:
    """Prepend the steps in the evidence to the answer, if there are any."""
    steps = evidence.get(STEPS, "")
    return f"{steps}{SO}{answer}" if steps else answer


def result_of(text: str) -> str:
    """Return the result behind the steps of an answer, or the whole answer without steps."""
    return text.rpartition(SO)[2].strip()


# An answer as it is spoken: the bare answer, which is scored, and half a sentence that says more ("no, the person
# walks"; "cannot tell, a recording of joints shows no clothes").
DETAIL = "detail"
"""Key of the detail in an instruction's evidence."""

_MORE = ", "

_CLOSED = frozenset(
    (
        *("yes", "no", "cannot tell", "none of them", "that does not happen", "neither", "both", "none", "one"),
        *("left", "right", "forward", "backward", "stays in place", "does not turn", "does not travel", "slowly"),
        *("at walking pace", "at running pace", "speeds up", "slows down", "keeps its pace", "both equally"),
        *("neither side", "neither hand", "left hand", "right hand", "both hands", "left arm", "right arm", "left leg"),
        *("right leg", "left foot", "right foot", "standing", "sitting", "crouching", "kneeling", "lying", "arms"),
        *("on all fours", "legs", "at the beginning", "in the middle", "at the end", "before", "after", "no sport"),
        *("no dance", "no exercise", "sport", "exercise", "dance", "everyday movement"),
    )
)
"""Bare answers: what follows the comma behind one of them is detail."""

_AMOUNT = re.compile(r"(about |at )?[\d.]+( [a-z]+)?( per second| to the (left|right))?", re.IGNORECASE)


def spoken(answer: str, evidence: Mapping[str, Any]) -> str:
    """Append the detail in the evidence to the answer, if there is any."""
    detail = evidence.get(DETAIL, "")
    return f"{answer}{_MORE}{detail}" if detail else answer


def bare_answer(text: str, options: Sequence[str] = ()) -> str:
    """Return the bare answer of a spoken one; a sequence ("walking, then waving") is bare as it is.

    Args:
        text: an answer, spoken or bare.
        options: all answers of its form; (): a known bare answer or an amount is cut at the first comma.
    """
    text = text.strip()
    lower = text.lower()
    for option in sorted(options, key=len, reverse=True):
        if lower == option.lower() or lower.startswith(option.lower() + _MORE):
            return text[: len(option)]
    head, _, more = text.partition(_MORE)
    if not more or more.startswith("then "):
        return text
    cut = head.lower() in _CLOSED or head.startswith("the person does not ") or _AMOUNT.fullmatch(head)
    return head if cut else text
