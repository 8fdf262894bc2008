"""Convert chat messages with text, motions and videos to model inputs.

- The chat template writes one placeholder per clip. `__call__` repeats it once per token of the clip and reports the
  offsets, so that `return_assistant_tokens_mask` marks the right tokens.
- The dimensions of a motion decide its placeholder: ``<|motion|>`` in 3D, ``<|keypoints|>`` in 2D.
- Questions are folded (see `normalise_question`) in training and at inference: case and a missing question mark do not
  matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from transformers.feature_extraction_utils import BatchFeature
from transformers.processing_utils import ProcessorMixin
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from vimonet.language import fold_prompt, normalise_prompt
from vimonet.model.chat_templates import CHAT_TEMPLATE, add_special_tokens
from vimonet.model.configuration_vimonet import (
    KEYPOINT_TOKEN,
    MOTION_TOKEN,
    SPECIAL_TOKENS,
    VIDEO_TOKEN,
    HubClass,
    ViMoNetConfig,
    auto_map,
)
from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor, as_motion
from vimonet.model.video_processing_vimonet import ViMoNetVideoProcessor, as_video_frames, build_video_processor
from vimonet.motion import Motion
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames

_PLACEHOLDER = re.compile("|".join(map(re.escape, (MOTION_TOKEN, KEYPOINT_TOKEN, VIDEO_TOKEN))))

_SPECIAL = re.compile("|".join(map(re.escape, (*SPECIAL_TOKENS, VIDEO_TOKEN))), re.IGNORECASE)


def normalise_question(text: str, *, fold: bool = True) -> str:
    """Normalise a question for the model.

    Unify Unicode compatibility forms, remove control tokens and control characters, collapse whitespace. With `fold`,
    remove case and closing punctuation too, so that "Which arm is raised?" equals "which arm is raised".
    """
    text = normalise_prompt(text)
    # Control tokens are matched in any case: folding would turn "<|END|>" into a real one.
    text = " ".join(_SPECIAL.sub(" ", text).split())
    return fold_prompt(text) if fold else text


class ViMoNetProcessor(HubClass, ProcessorMixin):
    """Combine feature extractor, tokenizer and, for a model with a video tower, video processor.

    Args:
        feature_extractor: a `MotionFeatureExtractor` (AutoProcessor finds it by the name of the attribute).
        tokenizer: a fast tokenizer with ViMoNet's special tokens.
        chat_template: Jinja template; None: ViMoNet's own.
        fold_questions: whether to remove case and closing punctuation of user text, see `normalise_question`.
        video_processor: a `ViMoNetVideoProcessor` or its settings; None for a model without a video tower.

    Raises:
        ValueError: the tokenizer lacks a special token.
    """

    def __init__(
        self,
        feature_extractor: MotionFeatureExtractor | None = None,
        tokenizer: PreTrainedTokenizerBase | None = None,
        chat_template: str | None = None,
        fold_questions: bool = True,
        video_processor: ViMoNetVideoProcessor | dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        self.fold_questions = fold_questions
        if isinstance(video_processor, dict):
            video_processor = ViMoNetVideoProcessor(**video_processor)
        self.video_processor = video_processor
        self.auto_map = auto_map(AutoProcessor="ViMoNetProcessor", AutoFeatureExtractor="MotionFeatureExtractor")
        self.motion_token, self.keypoint_token = MOTION_TOKEN, KEYPOINT_TOKEN
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template or CHAT_TEMPLATE)
        if tokenizer is not None:
            needed = SPECIAL_TOKENS if video_processor is None else (*SPECIAL_TOKENS, VIDEO_TOKEN)
            missing = [
                token for token in needed if tokenizer.convert_tokens_to_ids(token) in (None, tokenizer.unk_token_id)
            ]
            if missing:
                raise ValueError(
                    f"The tokenizer lacks {', '.join(missing)}; "
                    "add them with vimonet.model.add_special_tokens(tokenizer)."
                )
            self.motion_token_id = int(tokenizer.convert_tokens_to_ids(MOTION_TOKEN))  # type: ignore[arg-type]
            self.keypoint_token_id = int(tokenizer.convert_tokens_to_ids(KEYPOINT_TOKEN))  # type: ignore[arg-type]
            video: Any = None if video_processor is None else tokenizer.convert_tokens_to_ids(VIDEO_TOKEN)
            self.video_token_id = video

    @classmethod
    def get_attributes(cls) -> list[str]:
        """Name the parts in every folder; transformers would require a video processor too."""
        return ["feature_extractor", "tokenizer"]

    @classmethod
    def get_processor_dict(cls, *args: Any, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read processor_config.json, including the form before 0.2 (``frames`` for the video processor)."""
        settings, kwargs = super().get_processor_dict(*args, **kwargs)
        if (old := settings.pop("frames", None)) is not None:
            names = {"mean": "image_mean", "std": "image_std", "frames": "num_frames"}
            settings["video_processor"] = {names.get(name, name): value for name, value in old.items()}
        return settings, kwargs

    def normalise_question(self, text: str) -> str:
        """Apply `normalise_question` with this processor's folding."""
        return normalise_question(text, fold=self.fold_questions)

    def __call__(
        self,
        text: str | list[str] | None = None,
        motion: Any | Sequence[Any] | None = None,
        images: None = None,
        videos: Any | Sequence[Any] | None = None,
        audio: None = None,
        *,
        fps: float | None = None,
        return_tensors: str | None = None,
        return_text_replacement_offsets: bool = False,
        **kwargs: Any,
    ) -> BatchFeature:
        """Build model inputs from text with placeholders and its clips.

        Args:
            text: one text or a batch, with ``<|motion|>`` or ``<|keypoints|>`` per motion and ``<|video|>`` per video.
            motion: motions in the order of their placeholders in the batch: Motion, array [T, 22, 3] or path.
            videos: videos in the order of their placeholders: path, frames uint8 [N, H, W, 3] or
                `vimonet.video.VideoFrames`; may be nested, a list per text.
            images, audio: not supported; part of transformers' signature.
            fps: frames per second of arrays.
            return_tensors: ``"pt"`` or ``"np"``.
            return_text_replacement_offsets: also return positions and replacements of the placeholders.
            **kwargs: arguments of the tokenizer (``padding``, ``max_length`` ...).

        Returns:
            input_ids and attention_mask; for motions motion_values, motion_mask, keypoint_values, keypoint_mask; for
            videos video_values, video_mask, video_times.

        Raises:
            ValueError: placeholders and clips differ in number, or truncation cut a clip.
            InputError: an unreadable clip, a motion that is too long, or video without a video tower.
        """
        if images is not None or audio is not None:
            raise ValueError("ViMoNet reads text, motion and video; images and audio are not supported.")
        if text is None:
            if motion is None or videos is not None:
                raise ValueError("Give text, or motion alone.")
            return self.feature_extractor(motion, return_tensors=return_tensors, fps=fps)
        texts = [text] if isinstance(text, str) else list(text)
        clips = [] if motion is None else [as_motion(item, fps=fps) for item in _flat(motion)]
        video_frames = [] if videos is None else [self.video_frames(item) for item in _flat(videos)]
        texts, data, offsets = self._expand(texts, clips, video_frames)
        if kwargs.get("padding") is None and return_tensors is not None and len(texts) > 1:
            kwargs["padding"] = True
        encoded = dict(self.tokenizer(texts, **kwargs))
        self._check_truncation(encoded["input_ids"], texts)
        if return_text_replacement_offsets:
            encoded["text_replacement_offsets"] = offsets
        return BatchFeature(
            {**encoded, **data}, tensor_type=return_tensors, skip_tensor_conversion=self.skip_tensor_conversion
        )

    def apply_chat_template(self, conversation: Any, *args: Any, **kwargs: Any) -> Any:
        """Apply the chat template to messages with clips; see `ProcessorMixin.apply_chat_template`.

        A message may hold any number of ``{"type": "motion", "motion": Motion | array | path}`` and ``{"type": "video",
        "video": path | frames}`` (optional ``frames``, ``start``, ``end``) in any order. User text is normalised.
        """
        batched = bool(conversation) and isinstance(conversation[0], (list, tuple))
        prepared = [self._prepare(messages) for messages in (conversation if batched else [conversation])]
        return super().apply_chat_template(prepared if batched else prepared[0], *args, **kwargs)

    def messages(
        self,
        question: str,
        motion: Any = None,
        answer: str | None = None,
        *,
        video: Any = None,
        context: str = "",
        history: Sequence[tuple[str, str]] = (),
    ) -> list[dict[str, Any]]:
        """Write the messages of one question: context, motion, video, question, and the answer if given.

        Args:
            question: the question.
            motion, video: a clip or a list of clips.
            answer: the answer, for training.
            context: text before the clips, as a system message (`vimonet.model.prompt_context`).
            history: earlier questions and answers about the same clips.
        """
        content: list[dict[str, Any]] = []
        for kind, clips in (("motion", motion), ("video", video)):
            content += [] if clips is None else [{"type": kind, kind: clip} for clip in _as_clips(clips)]
        chat: list[dict[str, Any]] = []
        if context:
            chat.append({"role": "system", "content": [{"type": "text", "text": context}]})
        for asked, said in history:
            chat.append({"role": "user", "content": [*content, {"type": "text", "text": asked}]})
            chat.append({"role": "assistant", "content": [{"type": "text", "text": said}]})
            content = []
        chat.append({"role": "user", "content": [*content, {"type": "text", "text": question}]})
        if answer is not None:
            chat.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        return chat

    def video_frames(
        self, video: Any, frames: int | None = None, *, start: float | None = None, end: float | None = None
    ) -> VideoFrames:
        """Choose the key frames of a video for this model; see `as_video_frames`.

        Raises:
            InputError: no video tower, a number of frames that it does not accept, or an unreadable video.
        """
        prepare = self.video_processor
        if prepare is None:
            raise InputError(
                "this model has no video tower, so it cannot read video; give motion, or a model with one."
            )
        if frames is not None and prepare.exact and frames != prepare.num_frames:
            raise InputError(
                f"{frames} frames were asked for, but this model's video tower takes exactly {prepare.num_frames}."
            )
        if isinstance(video, VideoFrames) and frames is None and not prepare.exact and start is None and end is None:
            return video  # chosen already
        return as_video_frames(video, frames or prepare.num_frames, start=start, end=end)

    def _prepare(self, messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Copy the messages with normalised user text and loaded clips."""
        prepared = []
        for message in messages:
            content = message.get("content") or []
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
            prepared.append({**message, "content": [self._prepare_part(part, message["role"]) for part in parts]})
        return prepared

    def _prepare_part(self, part: dict[str, Any], role: str) -> dict[str, Any]:
        kind = part.get("type")
        if kind == "text" and role == "user":
            return {**part, "text": self.normalise_question(part["text"])}
        if kind in ("motion", "keypoints"):
            source = next((part[key] for key in ("motion", "keypoints", "path") if part.get(key) is not None), None)
            if source is None:
                raise ValueError('A motion content needs "motion": a Motion, an array [T, 22, 3] or a path.')
            clip = as_motion(source, fps=part.get("fps"))
            return {"type": "keypoints" if clip.dimensions == 2 else "motion", "motion": _Loaded(clip)}
        if kind == "video":
            source = next((part[key] for key in ("video", "path") if part.get(key) is not None), None)
            if source is None:
                raise ValueError('A video content needs "video": a path, or frames uint8 [N, H, W, 3].')
            span = {"start": part.get("start"), "end": part.get("end")}
            return {"type": "video", "video": _Loaded(self.video_frames(source, part.get("frames"), **span))}
        return part

    def _multimodal_inputs_from_conversations(
        self, conversations: list[list[dict[str, Any]]], *args: Any, **kwargs: Any
    ) -> tuple[list[Any], list[Any], list[Any], dict[str, Any]]:
        # transformers' apply_chat_template passes a message's data to __call__ through this hook.
        def clips(messages: list[dict[str, Any]], key: str, *kinds: str) -> list[Any]:
            return [part[key].clip for message in messages for part in message["content"] if part["type"] in kinds]

        motions = [clip for messages in conversations for clip in clips(messages, "motion", "motion", "keypoints")]
        videos = [clips(messages, "video", "video") for messages in conversations]
        return [], videos, [], {"motion": motions} if motions else {}

    def _expand(
        self, texts: list[str], clips: list[Motion], video_frames: list[VideoFrames]
    ) -> tuple[list[str], dict[str, Any], list[list[dict[str, Any]]]]:
        """Repeat each placeholder once per token of its clip; return texts, clip inputs and offsets."""
        wanted = [match for text in texts for match in _PLACEHOLDER.findall(text)]
        for kind, found, given in (
            ("motion", sum(token != VIDEO_TOKEN for token in wanted), len(clips)),
            ("video", wanted.count(VIDEO_TOKEN), len(video_frames)),
        ):
            if found != given:
                raise ValueError(
                    f"The text has {found} {kind} placeholders and {given} {kind}s were given; they must be equal."
                )
        data = self.feature_extractor.extract_batch(clips) if clips else {}
        if video_frames:
            assert self.video_processor is not None
            data |= self.video_processor(video_frames)
        rows = {2: iter(data.get("keypoint_mask", ())), 3: iter(data.get("motion_mask", ()))}
        motions, videos = iter(clips), iter(video_frames)

        def replacement_of(placeholder: str) -> str:
            if placeholder == VIDEO_TOKEN:
                assert self.video_processor is not None
                return VIDEO_TOKEN * self.video_processor.num_tokens(len(next(videos).images))
            clip = next(motions)
            token = KEYPOINT_TOKEN if clip.dimensions == 2 else MOTION_TOKEN
            return token * self.feature_extractor.num_tokens(int(next(rows[clip.dimensions]).sum()))

        expanded, offsets = [], []
        for text in texts:
            pieces: list[str] = []
            spans: list[dict[str, Any]] = []
            last = grown = 0
            for match in _PLACEHOLDER.finditer(text):
                replacement = replacement_of(match.group())
                start, end = match.span()
                pieces += [text[last:start], replacement]
                new_span = (start + grown, start + grown + len(replacement))
                spans.append(
                    {
                        "type": "video" if match.group() == VIDEO_TOKEN else "motion",
                        "span": (start, end),
                        "new_span": new_span,
                        "text": match.group(),
                        "replacement": replacement,
                    }
                )
                grown += len(replacement) - (end - start)
                last = end
            expanded.append("".join([*pieces, text[last:]]))
            offsets.append(spans)
        return expanded, data, offsets

    def _check_truncation(self, input_ids: Sequence[Sequence[int]], texts: list[str]) -> None:
        ids_of = {MOTION_TOKEN: self.motion_token_id, KEYPOINT_TOKEN: self.keypoint_token_id}
        if self.video_token_id is not None:
            ids_of[VIDEO_TOKEN] = self.video_token_id
        for token, token_id in ids_of.items():
            for ids, text in zip(input_ids, texts, strict=True):
                kept, wanted = list(ids).count(token_id), text.count(token)
                if kept != wanted:
                    raise ValueError(
                        f"{kept} of {wanted} {token} tokens are left after tokenizing; "
                        "do not truncate text that holds a clip."
                    )

    @property
    def model_input_names(self) -> list[str]:
        """Name the inputs of the model's forward."""
        video = () if self.video_processor is None else ("video_values", "video_mask", "video_times")
        return [*self.tokenizer.model_input_names, *self.feature_extractor.model_input_names, *video]


class _Loaded:
    """Hide a loaded clip from transformers' chat normalisation, which from 5.24 on turns dataclasses into dicts."""

    def __init__(self, clip: Any) -> None:
        self.clip = clip


def _as_clips(clips: Any) -> list[Any]:
    return list(clips) if isinstance(clips, (list, tuple)) else [clips]


def _flat(clips: Any) -> list[Any]:
    """Flatten nested lists of clips: transformers passes a list per conversation (motions from 5.24 on)."""
    return [clip for item in clips for clip in _flat(item)] if isinstance(clips, (list, tuple)) else [clips]


def build_processor(
    config: ViMoNetConfig,
    tokenizer: PreTrainedTokenizerBase,
    feature_extractor: MotionFeatureExtractor | None = None,
    *,
    fold_questions: bool = True,
    video_processor: ViMoNetVideoProcessor | None = None,
) -> ViMoNetProcessor:
    """Build the processor of the model of `config`, with the same number of tokens per clip.

    Args:
        config: config of the model.
        tokenizer: gets ViMoNet's special tokens if it lacks them.
        feature_extractor: None: body features without normalisation.
        fold_questions: see `ViMoNetProcessor`.
        video_processor: None: the default of the video tower's family (`build_video_processor` reads saved settings).
    """
    extractor = feature_extractor or MotionFeatureExtractor()
    extractor.ratio = config.ratio
    extractor.queries = config.projector_queries if config.projector == "attentive" else None
    has_video = config.video_config is not None
    if has_video and video_processor is None:
        video_processor = build_video_processor(config)
    add_special_tokens(tokenizer, video=has_video)
    return ViMoNetProcessor(extractor, tokenizer, fold_questions=fold_questions, video_processor=video_processor)
