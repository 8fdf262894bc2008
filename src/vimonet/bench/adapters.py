"""Adapt models to the benchmark: ViMoNet models, endpoints and baselines.

An adapter has ``name``, ``reads`` (its inputs, ``motion`` and ``video``), and ``ask_batch``, which takes
``[(question, shown), ...]`` and returns `Answer`s; the benchmark scores the answer policy ``raw``. An adapter that can
choose among options by likelihood also has ``choose_batch``, which takes ``[(question, shown, options), ...]``.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vimonet.bench.baselines import MajorityAnswer, NearestNeighbour, fit_question_only
from vimonet.bench.items import VideoSpan
from vimonet.bench.tasks import plain_question
from vimonet.inference.answer import Answer
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant
    from vimonet.inference.windows import InputBuilder, WindowInput
    from vimonet.llm.remote_assistant import RemoteAssistant
    from vimonet.video import VideoFrames
    from vimonet.vimos.types import Item

BASELINE_MODELS = ("majority", "nearest", "question-only")
KEY_FRAMES = 8

_SYSTEM = """\
You answer questions about a video, given as frames in the order of time. Answer in as few words as the question allows,
without explaining; to a multiple choice question answer with the letter."""


class Adapter(Protocol):
    """Describe the interface of a model under test."""

    name: str
    reads: frozenset[str]

    def ask_batch(self, asked: Sequence[tuple[str, Any]]) -> Sequence[Answer]:
        """Answer (question, Motion | VideoSpan | None) pairs, in order."""


class MotionModel:
    """Ask a ViMoNet model, which reads motions, and videos if it has a video tower.

    Args:
        assistant: assistant of `vimonet.load`.
        directory: folder of its weights, for their hash; None hashes the tensors in memory.
        name: name in the report (default: the assistant's).
        leave_out: parts of the prompt to leave out, as in `Assistant.ask`.

    Attributes:
        reads: ``motion``, ``video`` or both, by the towers of the model's config.
    """

    def __init__(
        self,
        assistant: Assistant,
        directory: str | Path | None = None,
        name: str | None = None,
        leave_out: Sequence[str] = (),
    ) -> None:
        self._options: dict[str, Any] = {"answer_policy": "raw", **({"leave_out": leave_out} if leave_out else {})}
        self.assistant, self.model = assistant, getattr(assistant, "model", None)
        self.directory = directory
        self.name = name or str(getattr(assistant, "name", "model"))
        towers = {"motion": ("motion_config", "keypoint_config"), "video": ("video_config",)}
        config = getattr(assistant, "config", None)
        self.reads = frozenset({"motion"})
        if config is not None:
            self.reads = frozenset(
                kind for kind, keys in towers.items() if any(getattr(config, key, None) is not None for key in keys)
            )

    def ask_batch(self, asked: Sequence[tuple[str, Any]]) -> Sequence[Answer]:
        """Answer by greedy decoding.

        Raises:
            InputError: the model has no video tower for a video, or a video cannot be decoded.
        """
        if not any(isinstance(shown, VideoSpan) for _, shown in asked):
            return self.assistant.ask_batch(list(asked), **self._options)
        videos = {shown: self.video_frames(shown) for _, shown in asked if isinstance(shown, VideoSpan)}
        return self.assistant.ask_batch(
            [
                (question, None, videos[shown]) if isinstance(shown, VideoSpan) else (question, shown)
                for question, shown in asked
            ],
            **self._options,
        )

    def video_frames(self, video: VideoSpan) -> VideoFrames:
        """Read the key frames of a video, as many as the model takes.

        Raises:
            InputError: the model has no video tower, or the video cannot be decoded.
        """
        if "video" not in self.reads:
            raise InputError(
                f"{self.name} reads no video; leave the video tasks out, or ask an endpoint with --base-url"
            )
        clip = video.clip(self.assistant.processor.video_processor.num_frames)
        start = video.start or 0.0
        end = clip.duration if video.end is None else min(video.end, clip.duration)
        return replace(clip, times=clip.times - start, duration=end - start)

    def choose_batch(self, asked: Sequence[tuple[str, Any, Sequence[str]]]) -> list[Answer]:
        """Choose the most likely option as a whole answer with its end token; confidence is its share of the options.

        The prompts are those of `ask_batch`. Log-likelihoods of a recording that is read in windows are summed.
        """
        builder = self.assistant.builder(leave_out=self._options.get("leave_out", ()))
        return [self._choose(builder, *one) for one in asked]

    def _choose(self, builder: InputBuilder, question: str, shown: Any, options: Sequence[str]) -> Answer:
        motion, video = (None, self.video_frames(shown)) if isinstance(shown, VideoSpan) else (shown, None)
        windows = self.assistant.windows(builder, question, motion, video)
        found = [self.log_likelihoods(window, options) for window in windows]
        shares = sum(found[1:], found[0]).softmax(dim=0)
        best = int(shares.argmax())
        return Answer(options[best], float(shares[best]))

    def log_likelihoods(self, window: WindowInput | Sequence[Any], options: Sequence[str]) -> Any:
        """Compute log P(option, end token | prompt), float64 [len(options)].

        Args:
            window: a prompt, as `Assistant.prepare_inputs` takes it.
            options: texts to score.
        """
        import torch

        from vimonet.inference.generating import weigher
        from vimonet.inference.windows import WindowInput

        assistant, tokenizer = self.assistant, self.assistant.processor.tokenizer
        inputs = assistant.prepare_inputs([window])
        weigh = weigher(assistant, [window]) if isinstance(window, WindowInput) else None
        ends = assistant.model.generation_config.eos_token_id
        end = (ends[0] if isinstance(ends, list) else ends) if ends is not None else tokenizer.eos_token_id
        found = []
        with torch.inference_mode():
            for option in options:
                tokens = tokenizer(option, add_special_tokens=False)["input_ids"] + [end]
                answer = torch.tensor([tokens], device=assistant.device)
                ids = torch.cat([inputs["input_ids"], answer], dim=1)
                mask = torch.ones_like(ids)
                logits = assistant.model(**{**inputs, "input_ids": ids, "attention_mask": mask}).logits[0]
                logits = logits[-len(tokens) - 1 : -1].double()
                if weigh is not None:
                    logits[:1] = weigh(logits[:1])
                steps = logits.log_softmax(dim=-1)
                found.append(steps.gather(1, answer[0][:, None]).sum().cpu())
        return torch.stack(found)


class EndpointModel:
    """Ask an OpenAI-compatible endpoint: motions as text or images of poses, videos as key frames.

    Args:
        remote: assistant for questions about movements.
        frames: key frames of a video.
    """

    reads = frozenset({"motion", "video"})

    def __init__(self, remote: RemoteAssistant, frames: int = KEY_FRAMES) -> None:
        self.remote, self.frames = remote, frames
        shown = f"{remote.level}{' and image' if remote.image else ''}"
        self.name = f"{remote.endpoint.settings.model} ({shown})"

    def ask_batch(self, asked: Sequence[tuple[str, Any]]) -> list[Answer]:
        """Answer with parallel requests; a failed request gives an empty answer."""
        videos = [k for k, (_, shown) in enumerate(asked) if isinstance(shown, VideoSpan)]
        others = [k for k in range(len(asked)) if k not in set(videos)]
        found: dict[int, Answer] = {}
        if others:
            found.update(
                zip(others, self.remote.ask_batch([asked[k] for k in others], answer_policy="raw"), strict=True)
            )
        if videos:
            found.update(zip(videos, self._about_videos([asked[k] for k in videos]), strict=True))
        return [found[k] for k in range(len(asked))]

    def _about_videos(self, asked: Sequence[tuple[str, VideoSpan]]) -> list[Answer]:
        from vimonet.llm.endpoint import EndpointError, Request, message

        def requests() -> Any:
            for question, video in asked:
                images = [_jpeg(image) for image in video.key_frames(self.frames)]
                yield Request([message("system", _SYSTEM), message("user", question, images)])

        replies = self.remote.endpoint.chat_many(requests())
        return [Answer("" if isinstance(reply, EndpointError) else reply.text.strip()) for reply in replies]


class BaselineModel:
    """Ask a baseline as a model; it looks up the item, and so the form, of each question.

    Args:
        name: one of :data:`BASELINE_MODELS`.
        train_items: training items.
        items: items that will be asked.
        seed: seed of the question-only baseline.
    """

    reads = frozenset({"motion", "video"})

    def __init__(self, name: str, train_items: Sequence[Item], items: Sequence[Item], seed: int = 0) -> None:
        self.name = name
        self._items = {item.question: item for item in items}
        self._majority = MajorityAnswer(train_items)
        self._nearest = NearestNeighbour(train_items) if name == "nearest" else None
        self._blind: Any = None
        if name == "question-only":
            self._blind = fit_question_only(train_items, seed)

    def ask_batch(self, asked: Sequence[tuple[str, Any]]) -> list[Answer]:
        """Answer each question; an unknown question, such as a mirrored one, gets an empty answer."""
        return [Answer(self._answer(question, shown)) for question, shown in asked]

    def _answer(self, question: str, shown: Any) -> str:
        item = self._items.get(question)
        if self._blind is not None:
            return str(self._blind.answer(plain_question(item) if item else question))
        if item is None:
            return ""
        if self._nearest is not None and shown is not None and not isinstance(shown, VideoSpan):
            found = self._nearest.answer(replace(item, motion=shown))
            if found is not None:
                return found
        return self._majority.answer(item)


def open_model(name: str | None = None, device: str | None = None, leave_out: Sequence[str] = ()) -> MotionModel:
    """Open a ViMoNet model by folder or hub id; the default model for None.

    Args:
        name: folder or hub id.
        device: device of the model.
        leave_out: parts of the prompt to leave out, as in `Assistant.ask`.

    Raises:
        InputError: the model is missing or damaged.
    """
    import vimonet

    loaded = vimonet.load(name, device=device)
    origin = name or getattr(getattr(loaded, "config", None), "_name_or_path", None)
    return MotionModel(loaded, origin if origin and Path(origin).exists() else None, name, leave_out)


def _jpeg(image: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    return stream.getvalue()
