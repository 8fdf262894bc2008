"""Define chat templates with clips, question folding and special tokens.

A language model answers best in the chat format it was trained on. The control tokens in its vocabulary tell its
family. Each family's template has the roles ``system``, ``user`` and ``assistant``, marks the answer and its end for
the assistant mask, and puts the placeholder of a clip on a line of its own before the question.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass

from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from vimonet.model.configuration_vimonet import END_TOKEN, SPECIAL_TOKENS, VIDEO_TOKEN
from vimonet.utils.errors import InputError

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


def add_special_tokens(tokenizer: PreTrainedTokenizerBase, *, video: bool = False) -> int:
    """Add ViMoNet's special tokens to a tokenizer: ``<|end|>`` ends a text, ``<|pad|>`` pads it on the left.

    Args:
        tokenizer: changed in place.
        video: add ``<|video|>``, for a model with a video tower.

    Returns:
        The number of new tokens, by which `build_model` grows the language model's embeddings.
    """
    pad, end, *others = SPECIAL_TOKENS
    new = tokenizer.add_special_tokens({"pad_token": pad, "eos_token": end})
    others += [VIDEO_TOKEN] * video
    new += tokenizer.add_special_tokens({"extra_special_tokens": others}, replace_extra_special_tokens=False)
    # save_pretrained writes init_kwargs, not the attribute.
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"
    return new


@dataclass(frozen=True)
class ChatFamily:
    """Chat format of a family of language models.

    Attributes:
        name: value of ``--chat``.
        marks: control tokens that identify the family; all must be in the vocabulary.
        end: token that ends an answer.
        system, user: text before and after a message of that role.
        prompt: text that starts the assistant's turn.
        lead: text at the start of an answer, learnt with it.
        after: text behind the end of an answer.
        clips: text before and after the clips of a message, which then follow its text; None: clips stay in place,
            each on a line of its own.
    """

    name: str
    marks: tuple[str, ...]
    end: str
    system: tuple[str, str]
    user: tuple[str, str]
    prompt: str
    lead: str = ""
    after: str = ""
    clips: tuple[str, str] | None = None

    def template(self, system: str = "") -> str:
        """Return the Jinja template; `system` is the default system message."""
        q = json.dumps
        content = _IN_PLACE
        if self.clips is not None:
            content = _BEHIND.format(before=q(self.clips[0]), after=q(self.clips[1]))
        return _TEMPLATE.format(
            content=content,
            default=q(system),
            system_before=q(self.system[0]),
            system_after=q(self.system[1]),
            user_before=q(self.user[0]),
            user_after=q(self.user[1]),
            prompt=q(self.prompt),
            lead=q(self.lead),
            end=q(self.end),
            after=q(self.after),
        )


_HEADER = "<|start_header_id|>{}<|end_header_id|>\n\n"
FAMILIES = (
    ChatFamily(
        "llama3",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|>",
        (_HEADER.format("system"), "<|eot_id|>"),
        (_HEADER.format("user"), "<|eot_id|>"),
        _HEADER.format("assistant"),
    ),
    ChatFamily(
        "qwen",
        ("<|im_start|>", "<|im_end|>"),
        "<|im_end|>",
        ("<|im_start|>system\n", "<|im_end|>\n"),
        ("<|im_start|>user\n", "<|im_end|>\n"),
        "<|im_start|>assistant\n",
        after="\n",
    ),
    ChatFamily("vicuna", ("<s>", "</s>"), "</s>", ("", " "), ("USER: ", " "), "ASSISTANT:", lead=" "),
    # Chosen by name only: its tokenizer is Vicuna's. MotionLLM encodes "INPUT_VIDEO: " separately, hence the space.
    ChatFamily(
        "motionllm",
        ("<s>", "</s>"),
        "</s>",
        ("", " "),
        ("USER: ", " "),
        "ASSISTANT: ",
        clips=(" \n INPUT_VIDEO: ", "."),
    ),
)
"""Families, in the order of detection."""

CHOICES = ("auto", *(family.name for family in FAMILIES), "vimonet")

_TEMPLATE = """\
{{%- macro clip(part, end) -%}}
{{%- if part['type'] == 'motion' -%}}{{{{- '<|motion|>' + end -}}}}
{{%- elif part['type'] == 'keypoints' -%}}{{{{- '<|keypoints|>' + end -}}}}
{{%- elif part['type'] == 'video' -%}}{{{{- '<|video|>' + end -}}}}
{{%- elif part['type'] != 'text' -%}}
{{{{- raise_exception("The type of a content is " + part['type'] + "; expected text, motion or video.") -}}}}
{{%- endif -%}}
{{%- endmacro -%}}
{{%- macro said(content) -%}}
{{%- if content is string -%}}{{{{- content -}}}}
{{%- else -%}}
{content}
{{%- endif -%}}
{{%- endmacro -%}}
{{%- if bos_token is defined and bos_token and not {user_before}.startswith(bos_token) -%}}
{{{{- bos_token -}}}}
{{%- endif -%}}
{{%- set default = {default} -%}}
{{%- if default and messages[0]['role'] != 'system' -%}}
{{{{- {system_before} + default + {system_after} -}}}}
{{%- endif -%}}
{{%- for message in messages -%}}
{{%- if message['role'] == 'system' -%}}{{{{- {system_before} + said(message['content']) + {system_after} -}}}}
{{%- elif message['role'] == 'user' -%}}{{{{- {user_before} + said(message['content']) + {user_after} -}}}}
{{%- elif message['role'] == 'assistant' -%}}
{{{{- {prompt} -}}}}
{{%- generation -%}}{{{{- {lead} + said(message['content']) + {end} -}}}}{{%- endgeneration -%}}
{{{{- {after} -}}}}
{{%- else -%}}
{{{{- raise_exception("The role of a message is " + message['role'] + "; expected system, user or assistant.") -}}}}
{{%- endif -%}}
{{%- endfor -%}}
{{%- if add_generation_prompt -%}}{{{{- {prompt} -}}}}{{%- endif -%}}
"""


_IN_PLACE = """\
{%- for part in content -%}
{%- if part['type'] == 'text' -%}{{- part['text'] -}}{%- else -%}{{- clip(part, '\\n') -}}{%- endif -%}
{%- endfor -%}"""
_BEHIND = """\
{{%- for part in content if part['type'] == 'text' -%}}{{{{- part['text'] -}}}}{{%- endfor -%}}
{{%- for part in content if part['type'] != 'text' -%}}
{{{{- ({before} if loop.first else '') + clip(part, '') + ({after} if loop.last else '') -}}}}
{{%- endfor -%}}"""


def is_own_template(template: str) -> bool:
    """Tell whether a chat template is ViMoNet's own or a family's, with any default system message."""
    if template in (CHAT_TEMPLATE, _BEFORE_VIDEO):
        return True
    for family in FAMILIES:
        before, after = family.template(_MARK).split(json.dumps(_MARK))
        if template.startswith(before) and template.endswith(after):
            default = template[len(before) : len(template) - len(after)]
            with contextlib.suppress(ValueError):
                return isinstance(json.loads(default), str) and len(template) >= len(before) + len(after)
    return False


_BEFORE_VIDEO = CHAT_TEMPLATE.replace("{%- elif part['type'] == 'video' -%}{{- '<|video|>' -}}\n", "").replace(
    "text or motion or video", "text or motion"
)
"""The template of models without a video tower from before 0.2."""
_MARK = "the default system message"


def choose_chat(tokenizer: PreTrainedTokenizerBase, choice: str = "auto", system: str = "") -> tuple[str, str, str]:
    """Choose the chat format of a language model.

    Args:
        tokenizer: tokenizer of the language model.
        choice: a family's name, ``vimonet`` for ViMoNet's own format, or ``auto``: the first family whose tokens are in
            the vocabulary, else ``vimonet``.
        system: default system message; not supported by ``vimonet``.

    Returns:
        Name of the family, chat template, and the token that ends an answer.

    Raises:
        InputError: an unknown choice, a family whose tokens are missing, or a system text for ``vimonet``.
    """
    if choice not in CHOICES:
        raise InputError(f"chat {choice!r} is not known; use one of {', '.join(CHOICES)}.")
    vocabulary = tokenizer.get_vocab()
    for family in FAMILIES:
        lacking = [token for token in family.marks if token not in vocabulary]
        if choice == family.name and lacking:
            raise InputError(f"chat {choice}: the tokenizer lacks {lacking[0]}; leave the choice to auto.")
        if choice == family.name or (choice == "auto" and not lacking):
            return family.name, family.template(system), family.end
    if system:
        raise InputError("ViMoNet's own chat has no system text; leave --system away, or choose a family with --chat.")
    return "vimonet", CHAT_TEMPLATE, END_TOKEN
