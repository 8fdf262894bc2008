"""Answers by a language model behind an endpoint, which reads the motion as text: no weights, no training.

    with RemoteAssistant(Endpoint(Settings("http://localhost:8000/v1", "qwen3"))) as assistant:
        assistant.ask("Which hand is raised?", motion="walk.bvh").text

It has the shape of `vimonet.inference.assistant.Assistant` and can stand where one does, in the benchmark too. Every
answer names its source, and has no confidence: an endpoint's own word for how sure it is means nothing that
could be calibrated.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vimonet.evidence import Evidence, examine
from vimonet.llm.endpoint import Endpoint, EndpointError, Request, message
from vimonet.llm.motion_to_text import LEAST_TOKENS, LEVELS, describe_motion
from vimonet.motion import Motion, load
from vimonet.utils.errors import InputError

MAX_QUESTION = 2000
CAPTION_QUESTION = "Describe the movement in one sentence."

_SYSTEM = """\
You answer questions about how one person moves. You are given what a program measured on a recording of the movement;
left and right are the person's own. Rely on it alone: what it does not show, you do not know. Answer in as few words as
the question allows, without explaining. To a yes/no question answer yes or no. If the measurements do not tell, answer
"cannot tell"."""
_BLIND = "There is no recording: answer as well as the question alone allows."
_PICTURE = "The picture shows the same movement as poses over time, with their times; the left limbs have one colour, \
the right ones another."


@dataclass(frozen=True)
class RemoteAnswer:
    """What an endpoint said: the fields of `vimonet.inference.assistant.Answer`, and where the answer comes from.

    Attributes:
        text: the answer.
        confidence: always None.
        start, end: seconds of the recording that were looked at; 0 and 0 without one.
        windows: always empty: the text covers the whole recording.
        source: ``motion as text, MODEL via URL`` (``question alone, ...`` for a blind one).
        cached: nothing was asked for it now.
        evidence: measured facts held against the answer; None when they were not asked for.
    """

    text: str
    confidence: float | None = None
    start: float = 0.0
    end: float = 0.0
    windows: tuple[RemoteAnswer, ...] = ()
    source: str = ""
    cached: bool = field(default=False, compare=False)
    evidence: tuple[Evidence, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        plain: dict[str, Any] = {
            "text": self.text,
            "confidence": self.confidence,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "source": self.source,
        }
        if self.evidence is not None:
            plain["evidence"] = [item.to_dict() for item in self.evidence]
        return plain

    def __str__(self) -> str:
        return self.text


class RemoteAssistant:
    """Asks an endpoint about movements, each told as text and, on request, as a picture.

    Args:
        endpoint: what is asked; closed with the assistant.
        level: ``series`` (facts, joint angles and trajectory) or ``facts``.
        max_tokens: budget of the text that tells the movement.
        picture: also send a strip of poses over time, for models that see.

    Raises:
        InputError: an unknown level, or a budget too small for it.
    """

    def __init__(
        self, endpoint: Endpoint, *, level: str = "series", max_tokens: int = 2000, picture: bool = False
    ) -> None:
        if level not in LEVELS:
            raise InputError(f"motion as text has no level {level!r}; there are {' and '.join(LEVELS)}.")
        if max_tokens < LEAST_TOKENS[level]:
            raise InputError(f"{max_tokens} tokens are too few for {level}; give {LEAST_TOKENS[level]} or more.")
        self.endpoint, self.level, self.max_tokens, self.picture = endpoint, level, max_tokens, picture
        self.name = f"{endpoint.settings.model} via {endpoint.settings.base_url}"

    def __repr__(self) -> str:
        return f"RemoteAssistant({self.name!r}, {self.level!r})"

    def __enter__(self) -> RemoteAssistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.endpoint.close()

    def ask(
        self, question: str, motion: Any = None, *, fps: float | None = None, evidence: bool = False
    ) -> RemoteAnswer:
        """Answer a question about a movement.

        Args:
            question: in the asker's words, at most 2,000 characters.
            motion: a Motion, a path, or an array [T, 22, 3] in metres with Y up; None asks blind.
            fps: frames per second of an array (20 where not given).
            evidence: also measure what bears on the question: ``answer.evidence``.

        Raises:
            InputError: an unusable question or recording, or no answer from the endpoint.
        """
        told = _as_motion(motion, fps)
        (answer,) = self._answers([(question, told)])
        if isinstance(answer, EndpointError):
            raise answer
        if not evidence:
            return answer
        return replace(answer, evidence=() if told is None else examine(question, answer.text, told))

    def caption(self, motion: Any, *, fps: float | None = None) -> RemoteAnswer:
        """Describe a movement in a sentence.

        Raises:
            InputError: as `ask`.
        """
        return self.ask(CAPTION_QUESTION, motion, fps=fps)

    def ask_batch(self, pairs: Sequence[tuple[str, Any]]) -> list[RemoteAnswer]:
        """Answer many (question, motion) pairs, several at a time, in order.

        A pair the endpoint has no usable answer for gets an empty one, so that one refusal does not end a benchmark.

        Raises:
            InputError: an unusable question or recording, or an endpoint that answers nothing at all.
        """
        told = [(question, _as_motion(motion, None)) for question, motion in pairs]
        return [
            RemoteAnswer("", source=f"no answer: {answer}") if isinstance(answer, EndpointError) else answer
            for answer in self._answers(told)
        ]

    def _answers(self, pairs: Sequence[tuple[str, Motion | None]]) -> Iterator[RemoteAnswer | EndpointError]:
        texts: dict[int, tuple[str, list[bytes]]] = {}  # a recording asked many questions is told once
        for question, motion in pairs:
            _check_question(question)
            if motion is not None and id(motion) not in texts:
                told = describe_motion(motion, self.level, max_tokens=self.max_tokens)
                texts[id(motion)] = (told, [_strip(motion)] if self.picture else [])

        def requests() -> Iterator[Request]:
            for question, motion in pairs:
                told, images = (_BLIND, []) if motion is None else texts[id(motion)]
                told = f"{told}\n{_PICTURE}" if images else told
                text = f"{told}\n\nQuestion: {' '.join(question.split())}"
                yield Request([message("system", _SYSTEM), message("user", text, images)])

        for (_, motion), reply in zip(pairs, self.endpoint.chat_many(requests()), strict=True):
            if isinstance(reply, EndpointError):
                yield reply
                continue
            how = "question alone" if motion is None else "motion as text" + (" and picture" if self.picture else "")
            end = 0.0 if motion is None else motion.duration
            yield RemoteAnswer(reply.text.strip(), None, 0.0, end, (), f"{how}, {self.name}", reply.cached)


def _as_motion(motion: Any, fps: float | None) -> Motion | None:
    if motion is None or isinstance(motion, Motion):
        return motion
    return load(os.fspath(motion) if isinstance(motion, os.PathLike) else motion, fps=fps)


def _check_question(question: str) -> None:
    if not isinstance(question, str):
        raise InputError(f"the question is a {type(question).__name__}; expected text.")
    if len(question) > MAX_QUESTION:
        raise InputError(f"the question has {len(question):,} characters; at most {MAX_QUESTION:,} are read.")
    if not question.strip():
        raise InputError("the question is empty; ask something, such as 'what is the person doing?'.")


def _strip(motion: Motion) -> bytes:
    """A PNG of the movement's poses; neither name nor facts are written on it."""
    from vimonet.motion.render import draw_strip

    stream = io.BytesIO()
    draw_strip(motion, width=1200, title=" ", subtitle=" ").save(stream, "PNG")
    return stream.getvalue()
