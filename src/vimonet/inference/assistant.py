"""Ask a model about movements.

    import vimonet
    model = vimonet.load()
    model.ask("Which arm is raised?", motion="walk.bvh").text
    model.ask("What is in the hand?", motion="walk.bvh", video="walk.mp4").text

Notable choices:

- inputs are a motion, a video, both or neither; ``answer.inputs_read`` lists what was read;
- ``answer.confidence`` is the mean probability of the answer's tokens, calibrated on validation answers;
- a recording longer than the model's window is answered window by window, each answer with its times; a model with a
  context answers once, from facts and recognised actions of the whole recording;
- a named policy turns the model's words (``answer.model_text``) into the answer: `vimonet.inference.answer_policy`;
- ``answer.evidence`` holds the measurements that contradict the answer, with ``evidence=True`` all that bear on it;
- all windows and questions run as padded batches through one greedy loop, `vimonet.inference.greedy`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import torch

from vimonet.inference.answer import Answer, check_question, join_windows, pieces
from vimonet.inference.answer_policy import AnswerPolicy, keeps_words, policy_of
from vimonet.inference.conversation import Chat
from vimonet.inference.generating import ends_of, generate, is_end, weigher
from vimonet.inference.greedy import greedy
from vimonet.inference.streaming import Listener, stream_of
from vimonet.inference.windows import InputBuilder, PromptContexts, WindowInput
from vimonet.model.action_network import ActionNetwork
from vimonet.model.action_recognition import ActionRecogniser, Recognised
from vimonet.model.hub import load_network, load_pretrained, load_reader
from vimonet.model.modeling_vimonet import ViMoNetForConditionalGeneration
from vimonet.model.processing_vimonet import ViMoNetProcessor
from vimonet.utils.errors import InputError
from vimonet.weights import model_source

if TYPE_CHECKING:
    from vimonet.inference.attention import TemporalAttention
    from vimonet.model.question_reader import QuestionReader


class Assistant:
    """Answer questions with a model and its processor; `load` makes one.

    Args:
        model, processor: from `load_pretrained`.
        name: name of the model, for messages.
        reader: says in plain words what a question asks, behind it in the prompt; None for a model without.
        network: names actions beside the model's tokens; None for a model without.
    """

    def __init__(
        self,
        model: ViMoNetForConditionalGeneration,
        processor: ViMoNetProcessor,
        name: str = "model",
        reader: QuestionReader | None = None,
        network: ActionNetwork | None = None,
    ):
        self.model = model.eval()
        self.processor, self.name, self.reader, self.network = processor, name, reader, network
        # Generation continues on the right, so padding goes on the left.
        self.processor.tokenizer.padding_side = "left"

    def __repr__(self) -> str:
        return f"Assistant({self.name!r}, {self.device})"

    @property
    def config(self) -> Any:
        """Config of the model, a `ViMoNetConfig`."""
        return self.model.config

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.device

    @property
    def window_frames(self) -> int:
        """Length of a window, frames at 20 frames/s."""
        return int(self.processor.feature_extractor.max_frames)

    def ask(
        self,
        question: str,
        motion: Any = None,
        video: Any = None,
        *,
        fps: float | None = None,
        frames: int | None = None,
        max_new_tokens: int | None = None,
        evidence: bool = False,
        answer_policy: str | None = None,
        leave_out: Sequence[str] = (),
    ) -> Answer:
        """Answer a question about a movement.

        Args:
            question: at most 2,000 characters.
            motion: a Motion, a path, or an array [T, 22, 3] in metres with Y up; a list of these for several clips in
                one prompt; None for none.
            video: a path, frames uint8 [N, H, W, 3], or a list of these; its time 0 is that of the motion. A model
                without a video tower answers from the motion, or from the movement in the video if no motion is
                given. Without motion and video the question is asked blind.
            fps: frames per second of an array of joints; 20 by default.
            frames: key frames of a video; None for the number in the model's config (8).
            max_new_tokens: length limit of the answer; None: 80 for a model with a context, else 48.
            evidence: include measurements that agree in ``answer.evidence``.
            answer_policy: ``calibrated`` or ``raw``; None for the policy of the model's config.
            leave_out: parts of the prompt to leave out: ``tokens``, ``frames`` (the tokens of a video's frames),
                ``facts``, ``actions``, ``seen``; for ablations.

        Raises:
            InputError: an unusable question or recording, or a video of which this model reads nothing.
        """
        options: dict[str, Any] = {"evidence": evidence, "answer_policy": answer_policy}
        builder = self.builder(fps, frames, leave_out)
        return self.answer_with(builder, question, motion, video, max_new_tokens=max_new_tokens, **options)

    def caption(
        self,
        motion: Any = None,
        video: Any = None,
        *,
        fps: float | None = None,
        frames: int | None = None,
        max_new_tokens: int = 64,
        answer_policy: str | None = None,
    ) -> Answer:
        """Describe a movement: `ask` with the question captions were trained on."""
        options: dict[str, Any] = {"max_new_tokens": max_new_tokens, "answer_policy": answer_policy}
        return self.ask(self.config.caption_question, motion, video, fps=fps, frames=frames, **options)

    def ask_batch(
        self,
        asked: Sequence[Sequence[Any]],
        *,
        fps: float | None = None,
        frames: int | None = None,
        max_new_tokens: int | None = None,
        evidence: bool = False,
        answer_policy: str | None = None,
        leave_out: Sequence[str] = (),
    ) -> list[Answer]:
        """Answer many (question, motion) pairs or (question, motion, video) triples in order, in batches; see `ask`."""
        builder = self.builder(fps, frames, leave_out)
        return self._ask(builder, asked, max_new_tokens, evidence, answer_policy)

    def builder(
        self, fps: float | None = None, frames: int | None = None, leave_out: Sequence[str] = ()
    ) -> InputBuilder:
        """Make a builder of inputs, which reads and measures each recording once; arguments as in `ask`."""
        contexts = None
        if self.config.context or leave_out:
            tower = self.model.vimonet.video_tower
            classifier = tower.backbone if tower is not None and "seen" in self.config.context else None
            contexts = PromptContexts(self.processor, self.config, self._recogniser, classifier, leave_out)
        return InputBuilder(self.processor, self.config, self.name, fps=fps, frames=frames, contexts=contexts)

    def chat(self, motion: Any = None, video: Any = None, **options: Any) -> Chat:
        """Begin a chat about a recording; arguments as in `ask`."""
        return Chat(self, motion, video, **options)

    def actions(self, motion: Any) -> tuple[Recognised, ...]:
        """Recognise the actions of a recording over time; empty if the model names none.

        Raises:
            InputError: the recording cannot be read, or is of a kind that this model does not read.
        """
        contexts = PromptContexts(self.processor, self.config, self._recogniser, None, ())
        builder = InputBuilder(self.processor, self.config, self.name)
        return contexts.actions_of(builder.recorded(motion).whole)

    def answer_with(
        self,
        builder: InputBuilder,
        question: str,
        motion: Any = None,
        video: Any = None,
        *,
        max_new_tokens: int | None = None,
        evidence: bool = False,
        answer_policy: str | None = None,
    ) -> Answer:
        """Answer one question with a builder that holds the recording and the chat so far."""
        return self._ask(builder, [(question, motion, video)], max_new_tokens, evidence, answer_policy)[0]

    @property
    def _longest(self) -> int:
        return 80 if self.config.context else 48

    @cached_property
    def _recogniser(self) -> ActionRecogniser | None:
        named = self.config.action_phrases and "actions" in self.config.context
        return ActionRecogniser(self.model, self.processor.tokenizer, self.network) if named else None

    def _ask(
        self,
        builder: InputBuilder,
        asked: Sequence[Sequence[Any]],
        max_new_tokens: int | None,
        evidence: bool,
        answer_policy: str | None,
    ) -> list[Answer]:
        policy_of(answer_policy or self.config.answer_policy)
        windows = [self.windows(builder, question, *clips) for question, *clips in asked]
        options: dict[str, Any] = {"evidence": evidence, "answer_policy": answer_policy}
        return self.answer_windows(windows, max_new_tokens=max_new_tokens, **options)

    def windows(self, builder: InputBuilder, question: str, motion: Any = None, video: Any = None) -> list[WindowInput]:
        """Build the prompts of one question, for `answer_windows`; arguments and errors as in `ask`."""
        return builder.windows(self._check_question(question), motion, video)

    def answer_windows(
        self,
        asked: Sequence[Sequence[WindowInput]],
        *,
        max_new_tokens: int | None = None,
        evidence: bool = False,
        answer_policy: str | None = None,
        listeners: Sequence[Sequence[Listener]] | None = None,
    ) -> list[Answer]:
        """Answer questions whose prompts are built, in order, in batches.

        Args:
            asked: the prompts of each question, from `windows`.
            listeners: one per prompt, who follow the generation; None for none.
            max_new_tokens, evidence, answer_policy: as in `ask`.

        Raises:
            InputError: `max_new_tokens` is below 1, or an unknown policy.
        """
        if max_new_tokens is None:
            max_new_tokens = self._longest
        if max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {max_new_tokens}; an answer needs at least 1.")
        policy = policy_of(answer_policy or self.config.answer_policy)
        following = None if listeners is None else [one for group in listeners for one in group]
        flat = [window for group in asked for window in group]
        generated = iter(generate(self, flat, max_new_tokens, following))
        answers = []
        for group in asked:
            parts = [replace(self._decide(policy, window, *next(generated)), all_evidence=evidence) for window in group]
            answers.append(parts[0] if len(parts) == 1 else join_windows(parts, group[0].recording))
        return answers

    def keeps_words(self, windows: Sequence[WindowInput], answer_policy: str | None = None) -> bool:
        """Test whether the answer certainly begins with the model's words, so that they can be shown as they come."""
        if len(windows) != 1:
            return False
        (one,), policy = windows, policy_of(answer_policy or self.config.answer_policy)
        if one.clip is None:
            return True
        reads_facts = "facts" in self.config.context
        return keeps_words(policy, one.question, one.clip, beside_video=bool(one.videos), reads_facts=reads_facts)

    def stream(
        self,
        question: str,
        motion: Any = None,
        video: Any = None,
        *,
        fps: float | None = None,
        frames: int | None = None,
        max_new_tokens: int | None = None,
        answer_policy: str | None = None,
    ) -> Iterator[str]:
        """Yield the text of `ask` in pieces; arguments as there.

        Words come as the model generates them where the policy cannot change them (`keeps_words`). Otherwise the whole
        answer is decided first.
        """
        windows = self.windows(self.builder(fps, frames), question, motion, video)
        options: dict[str, Any] = {"max_new_tokens": max_new_tokens, "answer_policy": answer_policy}
        if not self.keeps_words(windows, answer_policy):
            return pieces(self.answer_windows([windows], **options)[0].text)

        def generate(on_text: Callable[[str], None]) -> str:
            return self.answer_windows([windows], listeners=[[Listener(on_text)]], **options)[0].text

        return stream_of(generate)

    def attention(
        self,
        question: str,
        motion: Any = None,
        video: Any = None,
        *,
        fps: float | None = None,
        frames: int | None = None,
        max_new_tokens: int | None = None,
    ) -> list[TemporalAttention]:
        """Measure how strongly the answer attends to each moment of the recording; arguments as in `ask`.

        Returns:
            One `TemporalAttention` per window and clip, for `vimonet.inference.attention.draw_attention`.

        Raises:
            InputError: as `ask`, and for a question without a recording.
        """
        from vimonet.inference.attention import answer_attention, projector_attention

        builder = self.builder(fps, frames)
        found: list[TemporalAttention] = []
        for window in builder.windows(self._check_question(question), motion, video):
            if not window.inputs_read:
                raise InputError("a blind question attends to nothing; give a motion or a video.")
            inputs = dict(self.prepare_inputs([window]))
            with torch.inference_mode():
                weights = self.model(**inputs, logits_to_keep=1).projector_attentions
            longest, weigh = max_new_tokens or self._longest, weigher(self, [window])
            tokens = greedy(self.model, inputs, longest, ends_of(self), weigh=weigh)[0][0]
            answer = tokens[~is_end(self, tokens)]
            found += projector_attention(weights, inputs, self.config.ratio, window.start)
            if len(answer):
                found += answer_attention(self.model, self.processor, inputs, answer, window.start)
        return found

    def prepare_inputs(self, asked: Sequence[WindowInput | Sequence[Any]]) -> dict[str, torch.Tensor]:
        """Build the model's padded inputs for `greedy` and for `generate`.

        Args:
            asked: (question, motion) pairs, (question, motion, video) triples or `WindowInput`, each of one window.
        """
        chats = [
            self.processor.messages(
                one.question,
                (one.motions or None) if one.tokens else None,
                video=(one.videos or None) if one.tokens and one.frames else None,
                context=one.context,
                history=one.history,
            )
            if isinstance(one, WindowInput)
            else self.processor.messages(one[0], *one[1:2], video=one[2] if len(one) > 2 else None)
            for one in self._with_readings(asked)
        ]
        return self.processor.apply_chat_template(
            chats,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=True,
            processor_kwargs={"padding": True},
        ).to(self.device)

    def _with_readings(self, asked: Sequence[WindowInput | Sequence[Any]]) -> list[WindowInput | Sequence[Any]]:
        """Write behind the questions of prompts what is read in them; those about several clips stay as they are."""
        alone = [one for one in asked if _of_one_clip(one)]
        if self.reader is None or not alone:
            return list(asked)
        texts = list(dict.fromkeys(text for one in alone for text in (one.question, *dict(one.history))))
        said = dict(zip(texts, self.reader(texts), strict=True))
        return [
            replace(one, question=said[one.question], history=tuple((said[text], told) for text, told in one.history))
            if _of_one_clip(one)
            else one
            for one in asked
        ]

    def _decide(self, policy: AnswerPolicy, window: WindowInput, model_text: str, confidence: float) -> Answer:
        """Turn model text into the answer of one window by a policy."""
        clip = window.clip
        answer = Answer(
            model_text,
            confidence,
            window.start,
            window.end,
            inputs_read=window.inputs_read,
            question=window.question,
            clip=clip,
        )
        if clip is None:  # nothing to measure, or several clips of which any could be meant
            return answer
        thresholds, beside = self.config.abstention_thresholds, bool(window.videos)
        reads_facts = "facts" in self.config.context
        decision = policy(
            window.question, model_text, confidence, clip, thresholds, beside_video=beside, reads_facts=reads_facts
        )
        return answer if decision is None else replace(answer, text=decision.text, provenance=decision.provenance)

    def _check_question(self, question: str) -> str:
        """Normalise and check a question."""
        return check_question(self.processor.normalise_question(check_question(question)))


def _of_one_clip(one: WindowInput | Sequence[Any]) -> TypeGuard[WindowInput]:
    return isinstance(one, WindowInput) and len(one.motions) < 2 and len(one.videos) < 2


def load(name_or_dir: str | os.PathLike[str] | None = None, device: str | torch.device | None = None) -> Assistant:
    """Load a model.

    Args:
        name_or_dir: a model folder, a hub id, or a model of the package (``mini``, ``nano``, ``nano-paired``); None for
            ``$VIMONET_MODEL``, else mini if it is fetched, else nano.
        device: ``cpu``, ``cuda`` ...; None for the CPU.

    Raises:
        InputError: the folder, its config or its weights are missing or damaged.
    """
    source = model_source(name_or_dir)
    model, processor = load_pretrained(source)
    reader, network = load_reader(source), load_network(source, processor.feature_extractor)
    try:
        placed: Any = model.to(torch.device(device or "cpu"))  # type: ignore[arg-type]
        return Assistant(placed, processor, Path(source).name, reader, network)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {str(device)!r} cannot be used: {str(error).splitlines()[0]}") from None


__all__ = ["Answer", "Assistant", "load"]
