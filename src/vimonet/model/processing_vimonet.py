"""The processor: chat messages with text, motions and videos in, model inputs out.

Notable choices:

- the chat template writes one placeholder per clip; `__call__` replaces it with as many as the clip becomes tokens,
  and reports where the text grew, so that `return_assistant_tokens_mask` marks the right tokens;
- a motion chooses its own placeholder: 3D motions take ``<|motion|>``, 2D keypoints ``<|keypoints|>``, whatever the
  text says;
- questions are folded (see `normalise_question`) on the way in, in training as in use: case or a missing question mark
  cannot matter.
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
from vimonet.model.video_processing_vimonet import (
    ViMoNetVideoProcessor,
    as_video_frames,
    build_video_processor,
)
from vimonet.motion import Motion
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames

_PLACEHOLDER = re.compile("|".join(map(re.escape, (MOTION_TOKEN, KEYPOINT_TOKEN, VIDEO_TOKEN))))

_SPECIAL = re.compile("|".join(map(re.escape, (*SPECIAL_TOKENS, VIDEO_TOKEN))), re.IGNORECASE)


def normalise_question(text: str, *, fold: bool = True) -> str:
    """The form in which a question reaches the model.

    Unicode compatibility forms are unified, control tokens and control characters removed, whitespace runs become one
    space. With `fold`, also case and closing punctuation go, so that "Which arm is raised?" and "which arm is raised"
    are one question.
    """
    text = normalise_prompt(text)
    # In any case of letters, for folding would turn them all into the real thing.
    text = " ".join(_SPECIAL.sub(" ", text).split())
    return fold_prompt(text) if fold else text


class ViMoNetProcessor(HubClass, ProcessorMixin):
    """Feature extractor, tokenizer and, for a model that sees video, what prepares its frames.

    Args:
        feature_extractor: a `MotionFeatureExtractor` (the attribute's name is how AutoProcessor finds it).
        tokenizer: a fast tokenizer that has ViMoNet's special tokens.
        chat_template: Jinja template; ViMoNet's own where none is given.
        fold_questions: whether user text loses case and closing punctuation, see `normalise_question`.
        video_processor: a `ViMoNetVideoProcessor` or its settings; None for a model that sees no video.

    Raises:
        ValueError: the tokenizer lacks a special token that is needed.
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
        """Name the parts that every folder holds; transformers takes a video processor for one of them."""
        return ["feature_extractor", "tokenizer"]

    @classmethod
    def get_processor_dict(cls, *args: Any, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read processor_config.json, also as versions before 0.2 wrote it (``frames`` for the video processor)."""
        settings, kwargs = super().get_processor_dict(*args, **kwargs)
        if (old := settings.pop("frames", None)) is not None:
            names = {"mean": "image_mean", "std": "image_std", "frames": "num_frames"}
            settings["video_processor"] = {names.get(name, name): value for name, value in old.items()}
        return settings, kwargs

    def normalise_question(self, text: str) -> str:
        """`normalise_question` with this processor's folding."""
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
        """Make model inputs of text with placeholders and the clips they stand for.

        Args:
            text: one text or a batch; ``<|motion|>`` or ``<|keypoints|>`` once per motion, ``<|video|>`` per video.
            motion: the motions in the order of their placeholders over the whole batch: Motion, array [T, 22, 3] or
                path.
            videos: the same for videos: path, pictures uint8 [N, H, W, 3], `vimonet.video.VideoFrames`; may be
                nested, a list per text.
            images, audio: not read; here because transformers passes them.
            fps: frames per second of arrays.
            return_tensors: ``"pt"`` or ``"np"``.
            return_text_replacement_offsets: also say where placeholders stood and what they became.
            **kwargs: for the tokenizer (``padding``, ``max_length`` ...).

        Returns:
            input_ids and attention_mask; motion_values, motion_mask, keypoint_values, keypoint_mask where there are
            such motions; video_values, video_mask, video_times where there are videos.

        Raises:
            ValueError: placeholders and clips do not match in number, or truncation cut a clip.
            InputError: a clip that cannot be read, a motion that is too long, or video without a video tower.
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
        """As in transformers, for messages whose content may hold ``{"type": "motion", "motion": Motion | array |
        path}`` and ``{"type": "video", "video": path | pictures}`` (with ``frames``, ``start``, ``end`` if wanted), as
        many as there are and in any order.

        User text is normalised, clips are loaded once, motions choose their placeholder. See
        `ProcessorMixin.apply_chat_template`.
        """
        batched = bool(conversation) and isinstance(conversation[0], (list, tuple))
        prepared = [self._prepare(messages) for messages in (conversation if batched else [conversation])]
        return super().apply_chat_template(prepared if batched else prepared[0], *args, **kwargs)

    def messages(
        self, question: str, motion: Any = None, answer: str | None = None, *, video: Any = None
    ) -> list[dict[str, Any]]:
        """The chat of one question: the motion first, then the video, the question, and the answer when there is one.

        `motion` and `video` may each be a list of clips.
        """
        content: list[dict[str, Any]] = []
        for kind, clips in (("motion", motion), ("video", video)):
            content += [] if clips is None else [{"type": kind, kind: clip} for clip in _as_clips(clips)]
        chat = [{"role": "user", "content": [*content, {"type": "text", "text": question}]}]
        if answer is not None:
            chat.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        return chat

    def video_frames(
        self, video: Any, frames: int | None = None, *, start: float | None = None, end: float | None = None
    ) -> VideoFrames:
        """Key frames of a video as this model wants them; see `as_video_frames`.

        Raises:
            InputError: the model sees no video, takes another number of frames, or the video cannot be read.
        """
        prepare = self.video_processor
        if prepare is None:
            raise InputError(
                "this model has no video tower and sees no video; give motion, or use a model that has one."
            )
        if frames is not None and prepare.exact and frames != prepare.num_frames:
            raise InputError(
                f"{frames} frames were asked for, but this model's video tower takes {prepare.num_frames}."
            )
        if isinstance(video, VideoFrames) and frames is None and not prepare.exact and start is None and end is None:
            return video  # chosen already
        return as_video_frames(video, frames or prepare.num_frames, start=start, end=end)

    def _prepare(self, messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """A copy of the messages with normalised user text and loaded motions; the caller's own are left as they
        are.
        """
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
                raise ValueError('A video content needs "video": a path, or pictures uint8 [N, H, W, 3].')
            span = {"start": part.get("start"), "end": part.get("end")}
            return {"type": "video", "video": _Loaded(self.video_frames(source, part.get("frames"), **span))}
        return part

    def _multimodal_inputs_from_conversations(
        self, conversations: list[list[dict[str, Any]]], *args: Any, **kwargs: Any
    ) -> tuple[list, list, list, dict[str, Any]]:
        # The hook through which transformers' apply_chat_template hands a message's data to __call__.
        def clips(messages: list[dict[str, Any]], key: str, *kinds: str) -> list[Any]:
            return [part[key].clip for message in messages for part in message["content"] if part["type"] in kinds]

        motions = [clip for messages in conversations for clip in clips(messages, "motion", "motion", "keypoints")]
        videos = [clips(messages, "video", "video") for messages in conversations]
        return [], videos, [], {"motion": motions} if motions else {}

    def _expand(
        self, texts: list[str], clips: list[Motion], video_frames: list[VideoFrames]
    ) -> tuple[list[str], dict[str, Any], list[list[dict[str, Any]]]]:
        """Replace each placeholder by as many as its clip becomes tokens."""
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
        """Names of everything the model's forward reads."""
        video = () if self.video_processor is None else ("video_values", "video_mask", "video_times")
        return [*self.tokenizer.model_input_names, *self.feature_extractor.model_input_names, *video]


class _Loaded:
    """Carry a loaded clip through transformers' chat normalisation, which from 5.24 on turns dataclasses into dicts."""

    def __init__(self, clip: Any) -> None:
        self.clip = clip


def _as_clips(clips: Any) -> list[Any]:
    return list(clips) if isinstance(clips, (list, tuple)) else [clips]


def _flat(clips: Any) -> list[Any]:
    """Flatten nested lists of clips, in order: transformers gives a list per conversation (motions from 5.24 on)."""
    return [clip for item in clips for clip in _flat(item)] if isinstance(clips, (list, tuple)) else [clips]


def build_processor(
    config: ViMoNetConfig,
    tokenizer: PreTrainedTokenizerBase,
    feature_extractor: MotionFeatureExtractor | None = None,
    *,
    fold_questions: bool = True,
    video_processor: ViMoNetVideoProcessor | None = None,
) -> ViMoNetProcessor:
    """Build the processor that agrees with the model of `config` about tokens per clip.

    Missing special tokens are added to the tokenizer. Give `video_processor` for a video tower with settings of its own
    (`build_video_processor(config, folder)` reads them from its folder).
    """
    extractor = feature_extractor or MotionFeatureExtractor()
    extractor.ratio = config.ratio
    extractor.queries = config.projector_queries if config.projector == "attentive" else None
    sees = config.video_config is not None
    if sees and video_processor is None:
        video_processor = build_video_processor(config)
    add_special_tokens(tokenizer, video=sees)
    return ViMoNetProcessor(extractor, tokenizer, fold_questions=fold_questions, video_processor=video_processor)
