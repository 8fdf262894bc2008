"""Questions in, answers out: the three-line interface.

    import vimonet
    model = vimonet.load()
    model.ask("Which arm is raised?", motion="walk.bvh").text
    model.ask("What is in the hand?", motion="walk.bvh", video="walk.mp4").text

Notable choices:

- motion, video, both or neither: what is there is read, and an answer says what was (``answer.read``);
- an answer carries its confidence, named as what it is: the mean probability of its tokens, calibrated on validation
  answers;
- a recording longer than the model's window is asked about window by window, each answer with its times;
- an action that is not likely is not named: what the joints do is said instead, and marked as measured (``source``);
- with ``evidence=True`` an answer comes with the measured facts that bear on the question, and whether they agree;
- everything is a batch: windows, and many questions at once, run through one padded `generate`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vimonet.evidence import Evidence, examine
from vimonet.inference.answer_policy import MODEL, instead
from vimonet.inference.windows import Prompts, Query, as_query, split_windows
from vimonet.model.generation import without_repeats
from vimonet.model.hub import load_pretrained
from vimonet.model.modeling_vimonet import ViMoNetForConditionalGeneration
from vimonet.model.processing_vimonet import ViMoNetProcessor
from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.utils.errors import InputError
from vimonet.weights import model_source

if TYPE_CHECKING:
    from vimonet.inference.attention import Moments

MAX_QUESTION = 2000
_BATCH = 32


@dataclass(frozen=True)
class Answer:
    """What the model said, how sure it was, and what it looked at.

    Attributes:
        text: the answer; for a recording of several windows, the distinct consecutive answers with their times.
        confidence: mean probability the model gave the tokens of its own words, 0..1, also where they were put aside;
            over several windows, their mean.
        start, end: seconds of the recording that were looked at; 0 and 0 without one.
        windows: the answers window by window; empty when one window held the recording.
        evidence: measured facts that bear on the question, held against the answer (of every window against its own
            stretch, in the recording's time); None when it was not asked for.
        read: what the model read beside the question: ``motion``, ``video``, both or neither.
        source: where the text comes from: ``model``, or what stands in for its words where they named no likely action:
            ``measured`` on the joints, or ``withheld`` for "cannot tell" (`vimonet.inference.answer_policy`);
            ``mixed`` over windows that differ.
        said: the model's own words where they were put aside, else empty.
    """

    text: str
    confidence: float
    start: float = 0.0
    end: float = 0.0
    windows: tuple[Answer, ...] = ()
    evidence: tuple[Evidence, ...] | None = None
    read: tuple[str, ...] = ()
    source: str = MODEL
    said: str = ""

    @property
    def own(self) -> str:
        """The model's own words, whatever stands in for them: what a benchmark of the model scores."""
        return self.said or self.text

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; ``windows`` only where there are several, ``evidence`` only where it was asked for, ``read`` only
        where a video was, ``said`` only where the text is not the model's.
        """
        plain: dict[str, Any] = {
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "source": self.source,
        }
        if self.said:
            plain["said"] = self.said
        if self.evidence is not None:
            plain["evidence"] = [item.to_dict() for item in self.evidence]
        if "video" in self.read:
            plain["read"] = list(self.read)
        return {**plain, "windows": [window.to_dict() for window in self.windows]} if self.windows else plain

    def __str__(self) -> str:
        return self.text


class Assistant:
    """A model and its processor, ready to be asked. Make one with `load`."""

    def __init__(self, model: ViMoNetForConditionalGeneration, processor: ViMoNetProcessor, name: str = "model"):
        self.model = model.eval()
        self.processor = processor
        self.name = name
        # Generation continues on the right, so padding belongs on the left.
        self.processor.tokenizer.padding_side = "left"

    def __repr__(self) -> str:
        return f"Assistant({self.name!r}, {self.device})"

    @property
    def config(self) -> Any:
        """The model's `ViMoNetConfig`."""
        return self.model.config

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.model.device

    @property
    def window_frames(self) -> int:
        """Longest stretch, in frames at 20 frames/s, that is read at once."""
        return int(self.processor.feature_extractor.max_frames)

    def ask(
        self,
        question: str,
        motion: Any = None,
        video: Any = None,
        *,
        fps: float | None = None,
        frames: int | None = None,
        max_new_tokens: int = 48,
        evidence: bool = False,
    ) -> Answer:
        """Answer a question about a movement.

        Args:
            question: in the asker's words, at most 2,000 characters.
            motion: a Motion, a path, or an array [T, 22, 3] in metres with Y up; a list of such for several clips in
                one prompt; None for none.
            video: a path, or pictures uint8 [N, H, W, 3]; likewise a list. Its time 0 is the motion's. A model without
                a video tower reads the movement in it where no motion is given, and else answers from the motion.
                With neither motion nor video the question is asked blind.
            fps: frames per second of an array of joints (20 where not given).
            frames: key frames of a video; None for the model's own number (8).
            max_new_tokens: longest answer.
            evidence: also measure what bears on the question: ``answer.evidence``.

        Raises:
            InputError: an unusable question or recording; video given alone to a model that can make nothing of it.
        """
        prompts = Prompts(self.processor, self.config, self.name, fps=fps, frames=frames)
        return self._ask([(question, motion, video)], prompts, max_new_tokens, evidence)[0]

    def caption(
        self,
        motion: Any = None,
        video: Any = None,
        *,
        fps: float | None = None,
        frames: int | None = None,
        max_new_tokens: int = 64,
    ) -> Answer:
        """Describe a movement: `ask` with the question captions were trained on."""
        question = self.config.caption_question
        return self.ask(question, motion, video, fps=fps, frames=frames, max_new_tokens=max_new_tokens)

    def ask_batch(
        self, pairs: Sequence[Sequence[Any]], *, max_new_tokens: int = 48, evidence: bool = False
    ) -> list[Answer]:
        """Answer many (question, motion) pairs or (question, motion, video) triples together, in order; each as `ask`
        would.
        """
        return self._ask(pairs, Prompts(self.processor, self.config, self.name), max_new_tokens, evidence)

    def stream(
        self,
        question: str,
        motion: Any = None,
        video: Any = None,
        *,
        fps: float | None = None,
        frames: int | None = None,
        max_new_tokens: int = 48,
    ) -> Iterator[str]:
        """Pieces of the answer as they come, over one window: the recording, or the first of a longer one."""
        from threading import Thread

        from transformers import TextIteratorStreamer

        prompts = Prompts(self.processor, self.config, self.name, fps=fps, frames=frames)
        inputs = self._inputs([prompts.windows(self._check_question(question), motion, video)[0].query])
        streamer = TextIteratorStreamer(
            self.processor.tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=120
        )
        arguments = {**inputs, "max_new_tokens": max_new_tokens, "do_sample": False, "streamer": streamer}
        worker = Thread(target=self.model.generate, kwargs=arguments, daemon=True)
        worker.start()
        yield from streamer
        worker.join()

    def moments(
        self,
        question: str,
        motion: Any = None,
        video: Any = None,
        *,
        fps: float | None = None,
        frames: int | None = None,
        max_new_tokens: int = 48,
    ) -> list[Moments]:
        """Which moments the answer looked at, for `vimonet.inference.attention.draw_moments`; arguments as in `ask`.

        Returns:
            Per window and clip, weights [tokens, time] and the seconds they belong to: of an attentive translator's
            queries, or else of the answer's tokens by the language model's attention.

        Raises:
            InputError: as `ask`, and for a question asked blind.
        """
        from vimonet.inference.attention import answer_moments, projector_moments

        prompts = Prompts(self.processor, self.config, self.name, fps=fps, frames=frames)
        found: list[Moments] = []
        for query, start, _ in prompts.windows(self._check_question(question), motion, video):
            if not query.read:
                raise InputError("a blind question looks at no moment; give a motion or a video.")
            inputs = dict(self._inputs([query]))
            with torch.inference_mode():
                said = self.model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)[0]
                looked = self.model(**inputs, logits_to_keep=1).projector_attentions
            said = said[inputs["input_ids"].shape[1] :]
            answer = said[~self._is_end(said)]
            found += projector_moments(looked, inputs, self.config.ratio, start)
            if len(answer):
                found += answer_moments(self.model, self.processor, inputs, answer, start)
        return found

    def _ask(
        self, asked: Sequence[Sequence[Any]], prompts: Prompts, max_new_tokens: int, evidence: bool = False
    ) -> list[Answer]:
        if max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {max_new_tokens}; an answer needs at least 1.")
        windows = [prompts.windows(self._check_question(question), *clips) for question, *clips in asked]
        said = iter(self._generate([window.query for parts in windows for window in parts], max_new_tokens))
        known: dict[int, Facts] = {}

        def facts(clip: Motion) -> Facts:
            """Of a clip, measured once however many questions are about it."""
            if id(clip) not in known:
                known[id(clip)] = measure(clip)
            return known[id(clip)]

        answers = []
        for own in windows:
            parts = []
            for query, start, end in own:
                text, confidence = next(said)
                part = self._likely(Answer(text, confidence, start, end, read=query.read), query, facts)
                parts.append(_examined(part, query, facts) if evidence else part)
            answers.append(parts[0] if len(parts) == 1 else join_windows(parts))
        return answers

    def _likely(self, answer: Answer, query: Query, facts: Callable[[Motion], Facts]) -> Answer:
        """The answer, or what stands in for the name of an action that is not likely; of one movement, seen alone."""
        clip = query.motion
        if not isinstance(clip, Motion) or query.videos:
            return answer
        config = self.config
        floors = config.action_floor, config.caption_floor, config.picture_floor
        found = instead(query.question, answer.text, answer.confidence, clip, *floors, facts)
        return answer if found is None else replace(answer, text=found[0], source=found[1], said=answer.text)

    def _generate(self, queries: list[Query], max_new_tokens: int) -> list[tuple[str, float]]:
        """Greedy answers and confidences, in order; clips of like length share a batch."""
        order = sorted(range(len(queries)), key=lambda i: queries[i].size)
        results: dict[int, tuple[str, float]] = {}
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            inputs = self._inputs([queries[i] for i in chosen])
            results.update(zip(chosen, self._generate_batch(inputs, max_new_tokens), strict=True))
        return [results[i] for i in range(len(queries))]

    def _inputs(self, queries: Sequence[Sequence[Any]]) -> dict[str, torch.Tensor]:
        asked = map(as_query, queries)
        return self.processor.apply_chat_template(
            [self.processor.messages(query.question, query.motion, video=query.video) for query in asked],
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=True,
            processor_kwargs={"padding": True},
        ).to(self.device)

    @torch.inference_mode()
    def _generate_batch(self, inputs: dict[str, torch.Tensor], max_new_tokens: int) -> list[tuple[str, float]]:
        output = self.model.generate(
            **inputs, max_new_tokens=max_new_tokens, do_sample=False, return_dict_in_generate=True, output_logits=True
        )
        tokens = output.sequences[:, inputs["input_ids"].shape[1] :]  # [B, S]
        logits = torch.stack(output.logits, dim=1).float() / self.config.confidence_temperature  # [B, S, V]
        chances = logits.softmax(dim=-1).gather(-1, tokens[..., None])[..., 0]
        ended = self._is_end(tokens)
        results = []
        for row in range(len(tokens)):
            stops = torch.nonzero(ended[row]).flatten()
            length = int(stops[0]) if len(stops) else tokens.shape[1]
            # An empty answer is still a choice: the model's, to end at once.
            confidence = float(chances[row, : max(length, 1)].mean())
            text = self.processor.decode(tokens[row, :length], skip_special_tokens=True).strip()
            results.append((without_repeats(text), confidence))
        return results

    def _is_end(self, tokens: torch.Tensor) -> torch.Tensor:
        ends = self.model.generation_config.eos_token_id
        ends = [ends] if isinstance(ends, int) else list(ends or [self.processor.tokenizer.eos_token_id])
        return torch.isin(tokens, torch.tensor(ends, device=tokens.device))

    def _check_question(self, question: str) -> str:
        if not isinstance(question, str):
            raise InputError(f"the question is a {type(question).__name__}; expected text.")
        if len(question) > MAX_QUESTION:
            raise InputError(f"the question has {len(question):,} characters; at most {MAX_QUESTION:,} are read.")
        question = self.processor.normalise_question(question)
        if not question:
            raise InputError("the question is empty; ask something, such as 'what is the person doing?'.")
        return question


def load(name_or_dir: str | os.PathLike[str] | None = None, device: str | torch.device | None = None) -> Assistant:
    """Load a model to ask.

    Args:
        name_or_dir: a model folder, a hub id, or a model of the package (``nano``, ``nano-paired``); where None,
            ``$VIMONET_MODEL``, else nano.
        device: ``cpu``, ``cuda`` ...; the CPU where None.

    Raises:
        InputError: the folder, its config or its weights are missing or damaged; one sentence naming the file.
    """
    source = model_source(name_or_dir)
    model, processor = load_pretrained(source)
    try:
        return Assistant(model.to(torch.device(device or "cpu")), processor, Path(source).name)  # type: ignore[arg-type]
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {str(device)!r} cannot be used: {str(error).splitlines()[0]}") from None


def join_windows(parts: Sequence[Answer]) -> Answer:
    """One answer of the windows' answers: equal neighbours merged, each with its times; confidence is their mean."""
    confidence = float(np.mean([part.confidence for part in parts]))
    found = None if parts[0].evidence is None else tuple(item for part in parts for item in part.evidence or ())
    read = tuple(kind for kind in ("motion", "video") if any(kind in part.read for part in parts))
    sources = {part.source for part in parts}
    return Answer(
        _joined([(part.text, part.start, part.end) for part in parts]),
        confidence,
        parts[0].start,
        parts[-1].end,
        tuple(parts),
        found,
        read,
        source=sources.pop() if len(sources) == 1 else "mixed",
        said=_joined([(part.own, part.start, part.end) for part in parts]) if any(part.said for part in parts) else "",
    )


def _joined(texts: Sequence[tuple[str, float, float]]) -> str:
    """Texts with their times; the text alone where all are equal."""
    merged: list[tuple[str, float, float]] = []
    for text, start, end in texts:
        if merged and merged[-1][0] == text:
            start = merged.pop()[1]
        merged.append((text, start, end))
    return merged[0][0] if len(merged) == 1 else "; ".join(f"{a:.1f}-{b:.1f} s: {text}" for text, a, b in merged)


def _examined(answer: Answer, query: Query, facts: Callable[[Motion], Facts]) -> Answer:
    """An answer with its evidence."""
    clip = query.motion
    if not isinstance(clip, Motion):
        return replace(answer, evidence=())  # nothing to measure, or several, of which no one knows which is meant
    found = examine(query.question, answer.text, clip, facts=facts(clip), offset=answer.start)
    return replace(answer, evidence=found)


__all__ = ["Answer", "Assistant", "load", "split_windows"]
