"""The processor: chat messages with text and motions in, model inputs out.

Notable choices:

- the chat template writes one placeholder per motion; `__call__` replaces it with as many as the clip becomes tokens,
  and reports where the text grew, so that `return_assistant_tokens_mask` marks the right tokens;
- a motion chooses its own placeholder: 3D motions take ``<|motion|>``, 2D keypoints ``<|keypoints|>``, whatever the
  text says;
- questions are folded (see `normalise_question`) on the way in, in training as in use: case or a missing question mark
  cannot matter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from transformers.feature_extraction_utils import BatchFeature
from transformers.processing_utils import ProcessorMixin
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from vimonet.model.configuration_vimonet import KEYPOINT_TOKEN, MOTION_TOKEN, SPECIAL_TOKENS, ViMoNetConfig
from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor, as_motion
from vimonet.motion import Motion

CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- if message['role'] == 'user' -%}
{{- '<|user|>' -}}
{%- elif message['role'] == 'assistant' -%}
{{- '<|assistant|>' -}}
{%- else -%}
{{- raise_exception("The role of a message is " + message['role'] + "; expected user or assistant.") -}}
{%- endif -%}
{%- set content = message['content'] -%}
{%- set parts = [{'type': 'text', 'text': content}] if content is string else content -%}
{%- if message['role'] == 'assistant' -%}
{%- generation -%}
{%- for part in parts -%}{{- part['text'] -}}{%- endfor -%}{{- '<|end|>' -}}
{%- endgeneration -%}
{%- else -%}
{%- for part in parts -%}
{%- if part['type'] == 'text' -%}{{- part['text'] -}}
{%- elif part['type'] == 'motion' -%}{{- '<|motion|>' -}}
{%- elif part['type'] == 'keypoints' -%}{{- '<|keypoints|>' -}}
{%- else -%}{{- raise_exception("The type of a content is " + part['type'] + "; expected text or motion.") -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""

_PLACEHOLDER = re.compile("|".join(map(re.escape, (MOTION_TOKEN, KEYPOINT_TOKEN))))
_SPECIAL = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)), re.IGNORECASE)


def normalise_question(text: str, *, fold: bool = True) -> str:
    """The form in which a question reaches the model.

    Unicode compatibility forms are unified, control tokens and control characters removed, whitespace runs become one
    space. With `fold`, also case and closing punctuation go, so that "Which arm is raised?" and "which arm is raised"
    are one question.
    """
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    # In any case of letters, for folding would turn them all into the real thing.
    text = " ".join(_SPECIAL.sub(" ", text).split())
    if fold:
        text = text.lower().rstrip(" ?!.…,;:") or text.lower()
    return text


_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


class ViMoNetProcessor(ProcessorMixin):
    """Feature extractor and tokenizer in one.

    Args:
        feature_extractor: a `MotionFeatureExtractor` (the attribute's name is how AutoProcessor finds it).
        tokenizer: a fast tokenizer that has ViMoNet's special tokens.
        chat_template: Jinja template; ViMoNet's own where none is given.
        fold_questions: whether user text loses case and closing punctuation, see `normalise_question`.
    """

    def __init__(
        self,
        feature_extractor: MotionFeatureExtractor | None = None,
        tokenizer: PreTrainedTokenizerBase | None = None,
        chat_template: str | None = None,
        fold_questions: bool = True,
        **kwargs: Any,
    ):
        self.fold_questions = fold_questions
        self.motion_token, self.keypoint_token = MOTION_TOKEN, KEYPOINT_TOKEN
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template or CHAT_TEMPLATE)
        if tokenizer is not None:
            missing = [
                token
                for token in SPECIAL_TOKENS
                if tokenizer.convert_tokens_to_ids(token) in (None, tokenizer.unk_token_id)
            ]
            if missing:
                raise ValueError(
                    f"The tokenizer lacks {', '.join(missing)}; "
                    "add them with vimonet.model.add_special_tokens(tokenizer)."
                )
            self.motion_token_id = int(tokenizer.convert_tokens_to_ids(MOTION_TOKEN))  # type: ignore[arg-type]
            self.keypoint_token_id = int(tokenizer.convert_tokens_to_ids(KEYPOINT_TOKEN))  # type: ignore[arg-type]

    def normalise_question(self, text: str) -> str:
        """`normalise_question` with this processor's folding."""
        return normalise_question(text, fold=self.fold_questions)

    def __call__(
        self,
        text: str | list[str] | None = None,
        motion: Any | Sequence[Any] | None = None,
        images: None = None,
        videos: None = None,
        audio: None = None,
        *,
        fps: float | None = None,
        return_tensors: str | None = None,
        return_text_replacement_offsets: bool = False,
        **kwargs: Any,
    ) -> BatchFeature:
        """Make model inputs of text with placeholders and the motions they stand for.

        Args:
            text: one text or a batch; ``<|motion|>`` or ``<|keypoints|>`` once per motion.
            motion: the motions in the order of their placeholders over the whole batch: Motion, array [T, 22, 3] or
                path.
            images, videos, audio: not read; here because transformers passes them.
            fps: frames per second of arrays.
            return_tensors: ``"pt"`` or ``"np"``.
            return_text_replacement_offsets: also say where placeholders stood and what they became.
            **kwargs: for the tokenizer (``padding``, ``max_length`` ...).

        Returns:
            input_ids and attention_mask; motion_values, motion_mask, keypoint_values, keypoint_mask where there are
            such motions.

        Raises:
            ValueError: placeholders and motions do not match in number, or truncation cut a motion.
            InputError: a motion that cannot be read or is too long.
        """
        if images is not None or videos is not None or audio is not None:
            raise ValueError("ViMoNet reads text and motion; images, videos and audio are not supported.")
        if text is None:
            if motion is None:
                raise ValueError("Give text, motion or both.")
            return self.feature_extractor(motion, return_tensors=return_tensors, fps=fps)
        texts = [text] if isinstance(text, str) else list(text)
        clips = [] if motion is None else [as_motion(item, fps=fps) for item in _as_clips(motion)]
        texts, data, offsets = self._expand(texts, clips)
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
        path}``.

        User text is normalised, motions are loaded once and choose their placeholder. See
        `ProcessorMixin.apply_chat_template`.
        """
        batched = bool(conversation) and isinstance(conversation[0], (list, tuple))
        prepared = [self._prepare(messages) for messages in (conversation if batched else [conversation])]
        return super().apply_chat_template(prepared if batched else prepared[0], *args, **kwargs)

    def messages(self, question: str, motion: Any = None, answer: str | None = None) -> list[dict[str, Any]]:
        """The chat of one question: the motion first, then the question, then the answer when there is one."""
        content: list[dict[str, Any]] = [] if motion is None else [{"type": "motion", "motion": motion}]
        chat = [{"role": "user", "content": [*content, {"type": "text", "text": question}]}]
        if answer is not None:
            chat.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        return chat

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
            return {"type": "keypoints" if clip.dimensions == 2 else "motion", "motion": clip}
        return part

    def _multimodal_inputs_from_conversations(
        self, conversations: list[list[dict[str, Any]]], *args: Any, **kwargs: Any
    ) -> tuple[list, list, list, dict[str, Any]]:
        # The hook through which transformers' apply_chat_template hands a message's data to __call__.
        clips = [
            part["motion"]
            for messages in conversations
            for message in messages
            for part in message["content"]
            if part["type"] in ("motion", "keypoints")
        ]
        return [], [], [], {"motion": clips} if clips else {}

    def _expand(
        self, texts: list[str], clips: list[Motion]
    ) -> tuple[list[str], dict[str, Any], list[list[dict[str, Any]]]]:
        """Replace each placeholder by as many as its clip becomes tokens."""
        found = sum(len(_PLACEHOLDER.findall(text)) for text in texts)
        if found != len(clips):
            raise ValueError(
                f"The text has {found} motion placeholders and {len(clips)} motions were given; they must be equal."
            )
        data = dict(self.feature_extractor(clips)) if clips else {}
        rows = {2: iter(data.get("keypoint_mask", ())), 3: iter(data.get("motion_mask", ()))}
        order = iter(clips)
        expanded, offsets = [], []
        for text in texts:
            pieces: list[str] = []
            spans: list[dict[str, Any]] = []
            last = grown = 0
            for match in _PLACEHOLDER.finditer(text):
                clip = next(order)
                token = KEYPOINT_TOKEN if clip.dimensions == 2 else MOTION_TOKEN
                replacement = token * self.feature_extractor.num_tokens(int(next(rows[clip.dimensions]).sum()))
                start, end = match.span()
                pieces += [text[last:start], replacement]
                new_span = (start + grown, start + grown + len(replacement))
                spans.append(
                    {
                        "type": "motion",
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
        for token, token_id in ((MOTION_TOKEN, self.motion_token_id), (KEYPOINT_TOKEN, self.keypoint_token_id)):
            for ids, text in zip(input_ids, texts, strict=True):
                kept, wanted = list(ids).count(token_id), text.count(token)
                if kept != wanted:
                    raise ValueError(
                        f"{kept} of {wanted} {token} tokens are left after tokenizing; "
                        "do not truncate text that holds a motion."
                    )

    @property
    def model_input_names(self) -> list[str]:
        """Names of everything the model's forward reads."""
        return [*self.tokenizer.model_input_names, *self.feature_extractor.model_input_names]


def _as_clips(motion: Any) -> list[Any]:
    return list(motion) if isinstance(motion, (list, tuple)) else [motion]


def add_special_tokens(tokenizer: PreTrainedTokenizerBase) -> int:
    """Give a tokenizer ViMoNet's special tokens, with ``<|end|>`` ending a text and ``<|pad|>`` padding it on the left.

    Returns:
        How many tokens were new; the language model's embeddings grow by that (`build_model` sees to it).
    """
    pad, end, *others = SPECIAL_TOKENS
    new = tokenizer.add_special_tokens({"pad_token": pad, "eos_token": end})
    new += tokenizer.add_special_tokens({"extra_special_tokens": others}, replace_extra_special_tokens=False)
    # The attribute alone is not saved with the tokenizer.
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"
    return new


def build_processor(
    config: ViMoNetConfig,
    tokenizer: PreTrainedTokenizerBase,
    feature_extractor: MotionFeatureExtractor | None = None,
    *,
    fold_questions: bool = True,
) -> ViMoNetProcessor:
    """A processor that agrees with the model of `config` about tokens per clip. Adds missing special tokens to the
    tokenizer.
    """
    extractor = feature_extractor or MotionFeatureExtractor()
    extractor.ratio = config.ratio
    extractor.queries = config.translator_queries if config.translator == "attentive" else None
    add_special_tokens(tokenizer)
    return ViMoNetProcessor(extractor, tokenizer, fold_questions=fold_questions)


__all__ = ["ViMoNetProcessor", "add_special_tokens", "build_processor", "normalise_question"]
