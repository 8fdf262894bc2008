"""Define the `Answer` of local and remote models and the interface that gives it; importing it needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from vimonet.evidence import CONTRADICTS, Evidence, examine
from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.utils.errors import InputError

MODEL, MEASURED, WITHHELD, MIXED = "model", "measured", "withheld", "mixed"
"""Provenance of a text: the model's words, a measurement, "cannot tell" for the words, or several of these."""
MAX_QUESTION = 2000
"""Most characters of a question."""


class MeasuredClip:
    """Hold a motion, or one window of it, and measure it once, when its facts are first needed.

    Args:
        motion: the movement.
        offset: its start in the recording, s.
    """

    def __init__(self, motion: Motion, offset: float = 0.0) -> None:
        self.motion, self.offset = motion, offset

    @cached_property
    def facts(self) -> Facts:
        """Facts of the motion, measured on first access."""
        return measure(self.motion)

    def examine(self, question: str, text: str) -> tuple[Evidence, ...]:
        """Compare an answer with the facts; times are in the recording's time."""
        return examine(question, text, self.motion, facts=self.facts, offset=self.offset)


@dataclass(frozen=True)
class Answer:
    """Hold an answer: text, provenance, confidence, and the part of the recording that was read.

    Evidence and facts are measured on first access.

    Attributes:
        text: the answer; for a recording of several windows, the distinct consecutive answers with their times.
        confidence: mean probability of the tokens of `model_text`, 0..1, calibrated, mean over windows; None
            for an endpoint, which states none.
        start, end: interval of the recording that was read, s; 0 and 0 without a recording.
        windows: the answers window by window; empty for a recording of one window.
        inputs_read: what the model read beside the question: ``motion``, ``video``, both or neither.
        provenance: ``model``, ``measured``, ``withheld`` or ``mixed``: see `vimonet.inference.answer_policy`.
        model_text: the model's words, whatever the text is.
        question: the question as asked.
        endpoint: ``MODEL via URL`` of a remote answer; empty for a model of this machine.
        error: reason why an endpoint gave no answer.
        cached: whether the answer came from the cache of an endpoint.
        clip: the motion that was read; None for none or several in one prompt.
        all_evidence: whether `evidence` includes measurements that agree.
    """

    text: str
    confidence: float | None = None
    start: float = 0.0
    end: float = 0.0
    windows: tuple[Answer, ...] = ()
    inputs_read: tuple[str, ...] = ()
    provenance: str = MODEL
    model_text: str = None  # type: ignore[assignment]  # `text` by default
    question: str = field(default="", compare=False)
    endpoint: str = ""
    error: str = ""
    cached: bool = field(default=False, compare=False)
    clip: MeasuredClip | None = field(default=None, repr=False, compare=False)
    all_evidence: bool = field(default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.model_text is None:
            object.__setattr__(self, "model_text", self.text)

    @property
    def facts(self) -> Facts | None:
        """Facts of the motion; None without one."""
        return None if self.clip is None else self.clip.facts

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """Measurements that contradict the text; with ``evidence=True`` every one that bears on the question.

        Every window is compared with its own segment, in the recording's time.
        """
        if self.windows:
            return tuple(item for window in self.windows for item in window.evidence)
        if self.clip is None:
            return ()
        found = self.clip.examine(self.question, self.text)
        return found if self.all_evidence else tuple(item for item in found if item.verdict == CONTRADICTS)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict; ``windows``, ``endpoint`` and ``error`` only where they are not empty."""
        plain: dict[str, Any] = {
            "text": self.text,
            "model_text": self.model_text,
            "provenance": self.provenance,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "inputs_read": list(self.inputs_read),
            "evidence": [item.to_dict() for item in self.evidence],
        }
        plain |= {key: value for key in ("endpoint", "error") if (value := getattr(self, key))}
        return {**plain, "windows": [window.to_dict() for window in self.windows]} if self.windows else plain

    def __str__(self) -> str:
        return self.text


class MotionAssistant(Protocol):
    """Answer questions about movements: a model of this machine or an endpoint."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def config(self) -> Any:
        """Config of the model; None for an endpoint."""

    def ask(
        self,
        question: str,
        motion: Any = None,
        video: Any = None,
        *,
        fps: float | None = None,
        frames: int | None = None,
        evidence: bool = False,
        answer_policy: str | None = None,
    ) -> Answer:
        """Answer one question."""

    def ask_batch(
        self,
        asked: Sequence[Sequence[Any]],
        *,
        fps: float | None = None,
        frames: int | None = None,
        evidence: bool = False,
        answer_policy: str | None = None,
    ) -> list[Answer]:
        """Answer (question, motion) pairs or (question, motion, video) triples, in order."""

    def caption(self, motion: Any = None, *, fps: float | None = None, answer_policy: str | None = None) -> Answer:
        """Describe a movement in a sentence."""

    def stream(
        self, question: str, motion: Any = None, *, fps: float | None = None, answer_policy: str | None = None
    ) -> Iterator[str]:
        """Yield the pieces of an answer."""


def check_question(question: object) -> str:
    """Return a valid question.

    Raises:
        InputError: the question is not text, empty, or too long.
    """
    if not isinstance(question, str):
        raise InputError(f"the question is a {type(question).__name__}; expected text.")
    if len(question) > MAX_QUESTION:
        raise InputError(f"the question has {len(question):,} characters; at most {MAX_QUESTION:,} are read.")
    if not question.strip():
        raise InputError("the question is empty; ask something, such as 'what is the person doing?'.")
    return question


def join_windows(parts: Sequence[Answer], clip: MeasuredClip | None = None) -> Answer:
    """Join the answers of a recording's windows: merge equal neighbours, add times, average the confidence.

    Args:
        parts: the answers in order of time.
        clip: the whole recording, for the facts of the joined answer.
    """
    confidences = [part.confidence for part in parts if part.confidence is not None]
    provenances = {part.provenance for part in parts}
    return Answer(
        _joined([(part.text, part.start, part.end) for part in parts]),
        sum(confidences) / len(confidences) if confidences else None,
        parts[0].start,
        parts[-1].end,
        tuple(parts),
        tuple(kind for kind in ("motion", "video") if any(kind in part.inputs_read for part in parts)),
        provenances.pop() if len(provenances) == 1 else MIXED,
        _joined([(part.model_text, part.start, part.end) for part in parts]),
        parts[0].question,
        clip=clip,
        all_evidence=parts[0].all_evidence,
    )


def _joined(texts: Sequence[tuple[str, float, float]]) -> str:
    """Join texts with their times; return the text alone if all are equal."""
    merged: list[tuple[str, float, float]] = []
    for text, start, end in texts:
        if merged and merged[-1][0] == text:
            start = merged.pop()[1]
        merged.append((text, start, end))
    return merged[0][0] if len(merged) == 1 else "; ".join(f"{a:.1f}-{b:.1f} s: {text}" for text, a, b in merged)


def pieces(text: str) -> Iterator[str]:
    """Yield a text word by word, as a stream does."""
    words = text.split(" ")
    yield from (word if k == 0 else f" {word}" for k, word in enumerate(words))
