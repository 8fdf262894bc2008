"""Define the records that every later step reads: clips with labels, questions before wording, items to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vimonet.motion import Motion


@dataclass(frozen=True)
class Clip:
    """A stretch of one recording with what its source says about it.

    Attributes:
        id: unique name, ``source/recording[@start]``.
        source: corpus it comes from (``bnr``, ``cmu``, ``utd_mhad`` ...).
        recording: the recording it was cut from: the unit of splits and of bootstrap intervals.
        split: ``train``, ``val`` or ``test``.
        motion: 3D or 2D movement, [T, 22, 3], 20 frames/s.
        action: action phrase in the present participle ("waving the right hand"), or None when the source names none.
        captions: sentences about the clip, by people or from the label.
        side_known: False where left and right of the source cannot be trusted.
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
    """A question before it is put into words.

    Attributes:
        kind: what is asked about; scores are reported by it.
        form: key of `wordings.WORDINGS`.
        answer: the right answer.
        slots: words the wording needs (`do`, `does`, `doing`, `a`, `b`, `limb`).
        options: all answers of the form, () when open.
        evidence: the measured values behind the answer.
    """

    kind: str
    form: str
    answer: str
    slots: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A stretch of a movement with its action phrase (base form), in seconds."""

    action: str
    start: float
    end: float


@dataclass(frozen=True)
class Item:
    """One question about one movement, with the answer that can be checked.

    Attributes:
        id: unique name.
        source: corpus.
        recording: bootstrap unit.
        kind: what is asked about (``action``, ``turn`` ...).
        form: question form; majority answers are counted per form.
        question: as a person would write it.
        answer: the right answer.
        options: every answer this form can have; empty when open.
        wording: ``seen`` in training or ``unseen``.
        motion: the movement asked about.
        evidence: measured values the answer rests on.
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
# red, other, given left, so right". A small model does not learn to compare two things within one word, but it can look
# up one after the other. An instruction's evidence may name the steps; only the result is judged.
SO = ", so "
"""Between the steps and the result."""

STEPS = "steps"
"""Key of an instruction's evidence."""


def with_steps(answer: str, evidence: Mapping[str, Any]) -> str:
    """Put the steps that the evidence names before the answer; without steps it stays bare."""
    steps = evidence.get(STEPS, "")
    return f"{steps}{SO}{answer}" if steps else answer


def result_of(text: str) -> str:
    """Take the result behind the steps of an answer, or all of it."""
    return text.rpartition(SO)[2].strip()
