"""The text around the clips: the chat template, how a question is written, and the special tokens of a tokenizer."""

from __future__ import annotations

import re
import unicodedata

from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from vimonet.model.configuration_vimonet import SPECIAL_TOKENS, VIDEO_TOKEN

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
{%- elif part['type'] == 'video' -%}{{- '<|video|>' -}}
{%- else -%}{{- raise_exception("The type of a content is " + part['type'] + "; expected text or motion or video.") -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""

_SPECIAL = re.compile("|".join(map(re.escape, (*SPECIAL_TOKENS, VIDEO_TOKEN))), re.IGNORECASE)


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


def add_special_tokens(tokenizer: PreTrainedTokenizerBase, *, video: bool = False) -> int:
    """Give a tokenizer ViMoNet's special tokens, with ``<|end|>`` ending a text and ``<|pad|>`` padding it on the left.

    Args:
        tokenizer: is changed.
        video: with ``<|video|>``, which only a model with a video tower needs.

    Returns:
        How many tokens were new; the language model's embeddings grow by that (`build_model` sees to it).
    """
    pad, end, *others = SPECIAL_TOKENS
    new = tokenizer.add_special_tokens({"pad_token": pad, "eos_token": end})
    others += [VIDEO_TOKEN] * video
    new += tokenizer.add_special_tokens({"extra_special_tokens": others}, replace_extra_special_tokens=False)
    # The attribute alone is not saved with the tokenizer.
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"
    return new


__all__ = ["CHAT_TEMPLATE", "add_special_tokens", "normalise_question"]
