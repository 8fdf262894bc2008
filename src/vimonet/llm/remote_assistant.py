"""Ask a language model behind an endpoint, which reads the motion as text.

    with RemoteAssistant(Endpoint(Settings("http://localhost:8000/v1", "qwen3"))) as assistant:
        assistant.ask("Which hand is raised?", motion="walk.bvh").text

`RemoteAssistant` is a `vimonet.inference.answer.MotionAssistant` and replaces `Assistant`, also in the benchmark. An
answer names its endpoint and has no confidence, because a confidence that a language model states is not calibrated.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from vimonet.inference.answer import Answer, MeasuredClip, check_question, pieces
from vimonet.inference.answer_policy import policy_of
from vimonet.llm.endpoint import Endpoint, EndpointError, Request, message
from vimonet.llm.motion_to_text import LEAST_TOKENS, LEVELS, describe_motion
from vimonet.motion import Motion, load
from vimonet.utils.errors import InputError

CAPTION_QUESTION = "Describe the movement in one sentence."

_SYSTEM = """\
You answer questions about how one person moves. You are given what a program measured on a recording of the movement;
left and right are the person's own. Rely on it alone: what it does not show, you do not know. Answer in as few words as
the question allows, without explaining. To a yes/no question answer yes or no. If the measurements do not tell, answer
"cannot tell"."""
_BLIND = "There is no recording: answer as well as the question alone allows."
_PICTURE = "The picture shows the same movement as poses over time, with their times; the left limbs have one colour, \
the right ones another."


class RemoteAssistant:
    """Ask an endpoint about movements, sent as text and optionally as an image.

    Args:
        endpoint: the endpoint, which closes with the assistant.
        level: ``series`` (facts, joint angles and trajectory) or ``facts``.
        max_tokens: token budget of the movement's text.
        image: also send an image of poses over time, for vision models.
        answer_policy: default policy, ``calibrated`` or ``raw``.

    Raises:
        InputError: the level or policy is unknown, or the budget is too small.
    """

    config = None
    """No `ViMoNetConfig`: an endpoint has no towers."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        level: str = "series",
        max_tokens: int = 2000,
        image: bool = False,
        answer_policy: str = "calibrated",
    ) -> None:
        if level not in LEVELS:
            raise InputError(f"motion as text has no level {level!r}; there are {' and '.join(LEVELS)}.")
        if max_tokens < LEAST_TOKENS[level]:
            raise InputError(f"{max_tokens} tokens are too few for {level}; give {LEAST_TOKENS[level]} or more.")
        policy_of(answer_policy)
        self.endpoint, self.level, self.max_tokens, self.image = endpoint, level, max_tokens, image
        self.answer_policy = answer_policy
        self.name = f"{endpoint.settings.model} via {endpoint.settings.base_url}"

    def __repr__(self) -> str:
        return f"RemoteAssistant({self.name!r}, {self.level!r})"

    def __enter__(self) -> RemoteAssistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.endpoint.close()

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
        """Answer a question about a movement.

        Args:
            question: free text, at most 2,000 characters.
            motion: a Motion, a path, or an array [T, 22, 3] in metres with Y up; None asks blind.
            video, frames: ignored, because an endpoint reads movements.
            fps: frames per second of an array (default 20).
            evidence: keep every measurement that bears on the question in ``answer.evidence``, not only contradictions.
            answer_policy: ``calibrated`` or ``raw``; None for the assistant's default.

        Raises:
            InputError: the question or recording is unusable, or the endpoint gives no answer.
        """
        (answer,) = self._answers([(question, motion)], fps, evidence, answer_policy)
        if isinstance(answer, EndpointError):
            raise answer
        return answer

    def caption(self, motion: Any = None, *, fps: float | None = None, answer_policy: str | None = None) -> Answer:
        """Describe a movement in a sentence.

        Raises:
            InputError: as `ask`.
        """
        return self.ask(CAPTION_QUESTION, motion, fps=fps, answer_policy=answer_policy)

    def stream(
        self, question: str, motion: Any = None, *, fps: float | None = None, answer_policy: str | None = None
    ) -> Iterator[str]:
        """Yield the text of `ask` in pieces, after the whole answer has arrived."""
        return pieces(self.ask(question, motion, fps=fps, answer_policy=answer_policy).text)

    def ask_batch(
        self,
        asked: Sequence[Sequence[Any]],
        *,
        fps: float | None = None,
        frames: int | None = None,
        evidence: bool = False,
        answer_policy: str | None = None,
    ) -> list[Answer]:
        """Answer many (question, motion) pairs in order, with parallel requests.

        A failed pair gets an empty answer with its ``error``, so that one refusal does not end a benchmark.

        Raises:
            InputError: a question or recording is unusable, or the endpoint answers no request.
        """
        return [
            Answer("", endpoint=self.name, error=str(answer)) if isinstance(answer, EndpointError) else answer
            for answer in self._answers(asked, fps, evidence, answer_policy)
        ]

    def _answers(
        self, asked: Sequence[Sequence[Any]], fps: float | None, evidence: bool, answer_policy: str | None
    ) -> Iterator[Answer | EndpointError]:
        policy = policy_of(answer_policy or self.answer_policy)
        clips: dict[Any, MeasuredClip] = {}  # a recording of several questions is read and measured once
        texts: dict[Any, tuple[str, list[bytes]]] = {None: (_BLIND, [])}
        keys: list[Any] = []
        for question, motion, *_ in asked:
            check_question(question)
            key = motion if motion is None or isinstance(motion, (str, os.PathLike)) else id(motion)
            keys.append(key)
            if key not in texts:
                read = motion if isinstance(motion, Motion) else load(motion, fps=fps)
                clips[key] = clip = MeasuredClip(read)
                text = describe_motion(read, self.level, max_tokens=self.max_tokens, facts=clip.facts)
                texts[key] = (text, [_strip(read)] if self.image else [])

        def requests() -> Iterator[Request]:
            for (question, *_), key in zip(asked, keys, strict=True):
                text, images = texts[key]
                text = f"{text}\n{_PICTURE}" if images else text
                text = f"{text}\n\nQuestion: {' '.join(question.split())}"
                yield Request([message("system", _SYSTEM), message("user", text, images)])

        for (question, *_), key, reply in zip(asked, keys, self.endpoint.chat_many(requests()), strict=True):
            if isinstance(reply, EndpointError):
                yield reply
                continue
            answer = Answer(
                reply.text.strip(), question=question, endpoint=self.name, cached=reply.cached, all_evidence=evidence
            )
            if key is None:
                yield answer
                continue
            clip = clips[key]
            answer = replace(answer, end=clip.motion.duration, inputs_read=("motion",), clip=clip)
            decision = policy(question, answer.text, None, clip, {})
            yield (answer if decision is None else replace(answer, text=decision.text, provenance=decision.provenance))


def _strip(motion: Motion) -> bytes:
    """Draw the movement's poses as PNG, without name or facts."""
    from vimonet.motion.render import draw_strip

    stream = io.BytesIO()
    draw_strip(motion, width=1200, title=" ", subtitle=" ").save(stream, "PNG")
    return stream.getvalue()
