"""Encode question-answer pairs in the model's chat template, and pack them into rows.

The tokens equal those of `ViMoNetProcessor.apply_chat_template`. The text is split behind its last special token before
the question (a placeholder, or the mark of the user's turn): the prefix with clips and context is the same for every
question about a sample, the segment behind it belongs to one question or one chat. No tokenizer merges across special
tokens, so the split changes no token. A packed sample is one copy of the prefix with its segments. Each segment attends
to the prefix and itself, never to another segment, and its positions continue those of the prefix: the loss equals that
of separate questions at a fraction of the cost.

============= ==================================================================================
packing
============= ==================================================================================
shared_prefix a row per clip: its questions behind one copy of its tokens
multi_sample  several packed samples per row of at most ``max_tokens`` (first-fit decreasing)
none          a padded row per question: the reference for the other two
============= ==================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.utils.chat_template_utils import render_jinja_template

from vimonet.model.chat_templates import CHAT_TEMPLATE
from vimonet.model.configuration_vimonet import KEYPOINT_TOKEN, MOTION_TOKEN, VIDEO_TOKEN
from vimonet.model.processing_vimonet import normalise_question

IGNORE = -100
"""Label of a position that does not enter the loss."""

Segment = tuple[list[int], list[bool]]
"""Token ids, and which of them are learnt."""

Turns = tuple[str | None, ...]
"""Questions and answers of a chat, in turn."""

Clips = tuple[tuple[str, int], ...]
"""Placeholder and number of tokens of each clip of a question, in the order of `ViMoNetProcessor.messages`."""

_TYPES = {MOTION_TOKEN: "motion", KEYPOINT_TOKEN: "keypoints", VIDEO_TOKEN: "video"}
_PLACEHOLDER = re.compile("|".join(map(re.escape, _TYPES)))
_REMEMBERED = 200_000


@dataclass
class ChatEncoder:
    """Encode question-answer pairs as token ids.

    Args:
        tokenizer: a fast tokenizer with ViMoNet's placeholders.
        chat_template: chat template of the processor; must mark answers as generation.
        fold_questions: as in the processor: fold the case of questions as inference does.
        supervise: 'answer' learns the text that the template marks as generation, 'all' also the question.
    """

    tokenizer: Any
    chat_template: str = CHAT_TEMPLATE
    fold_questions: bool = True
    supervise: str = "answer"
    _segments: dict[tuple[Any, ...], Segment] = field(default_factory=dict, repr=False)
    _cuts: dict[tuple[tuple[str, ...], bool], tuple[str, int] | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._special = dict(self.tokenizer.special_tokens_map)
        added = sorted((str(token) for token in self.tokenizer.get_added_vocab()), key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, added))) if added else _PLACEHOLDER

    def prefix(self, clips: Clips, context: str = "") -> list[int]:
        """Return the token ids before every question about `clips`; empty if the template puts the question first."""
        cut = self._cut(clips, context)
        if cut is None:
            return []
        text, _ = self._render(("one", "answer"), tuple(token for token, _ in clips), context)
        ids: list[int] = self._encode(_expanded(text[: len(text) - cut[1]], clips))["input_ids"]
        return ids

    def segment(
        self, question: str | None, answer: str, clips: Clips = (), context: str = "", more: Turns = ()
    ) -> Segment:
        """Encode a question with its answer, or an answer alone, as the segment behind the prefix.

        The first token is never learnt: the last token of the prefix cannot predict several successors.

        Args:
            question, answer: the first turn.
            clips, context: what stands before it.
            more: further questions and answers of the chat, in turn.
        """
        cut = self._cut(clips, context)
        turns = (question, answer, *more)
        # Behind a cut, the segment does not depend on what stands before it.
        key = (turns, clips, context) if cut is None else (turns, cut[0])
        found = self._segments.get(key)
        if found is None:
            found = self._write(turns, clips, context, cut)
            if len(self._segments) < _REMEMBERED:
                self._segments[key] = found
        return found

    def _write(self, turns: Turns, clips: Clips, context: str, cut: tuple[str, int] | None) -> Segment:
        kinds = tuple(token for token, _ in clips)
        text, spans = self._render(turns, kinds, context)
        if cut is None:
            text, moved = _expanded(text, clips), _growth(text, clips)
            spans = [(moved(start), moved(end)) for start, end in spans]
            skipped = 0
        else:
            # Keep the special token in front: some tokenizers encode the start of a text differently.
            last, behind = cut
            first, _ = self._render(("one", "answer"), kinds, context)
            head = len(first) - behind
            text, skipped = last + text[head:], 1
            spans = [(start - head + len(last), end - head + len(last)) for start, end in spans]
        encoded = self._encode(text, return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"][skipped:], encoded["offset_mapping"][skipped:]
        if self.supervise == "all":
            learnt = [True] * len(ids)
        else:
            learnt = [any(a < end and b > start for start, end in spans) for a, b in offsets]
        learnt[:1] = [False]
        return ids, learnt

    def _cut(self, clips: Clips, context: str) -> tuple[str, int] | None:
        """Find the last special token before the question, and how much text of ("one", "answer") is behind it.

        None where nothing is shared: no clips and no context, or a template that puts the question first.
        """
        key = (tuple(token for token, _ in clips), bool(context))
        if key not in self._cuts:
            self._cuts[key] = None
            if clips or context:
                text, _ = self._render(("one", "answer"), key[0], "x" * key[1])
                other, _ = self._render(("two", "answer"), key[0], "x" * key[1])
                shared = next(i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b)
                last = [match for match in self._marks.finditer(text) if match.end() <= shared]
                if last and len(_PLACEHOLDER.findall(text[: last[-1].end()])) == len(clips):
                    self._cuts[key] = (last[-1].group(), len(text) - last[-1].end())
        return self._cuts[key]

    def _render(self, turns: Turns, kinds: tuple[str, ...], context: str) -> tuple[str, list[tuple[int, int]]]:
        """Render the text with one placeholder per clip; return it with the character spans of the answers."""
        content: list[dict[str, str]] = [{"type": _TYPES[token]} for token in kinds]
        messages: list[dict[str, Any]] = []
        if context:
            messages.append({"role": "system", "content": [{"type": "text", "text": context}]})
        for question, answer in zip(turns[::2], turns[1::2], strict=True):
            if question is not None:
                content = [*content, {"type": "text", "text": normalise_question(question, fold=self.fold_questions)}]
            if content:
                messages.append({"role": "user", "content": content})
            messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
            content = []
        rendered: Any = render_jinja_template(
            conversations=[messages],
            chat_template=self.chat_template,
            return_assistant_tokens_mask=True,
            **self._special,
        )
        texts, spans = rendered
        return texts[0], spans[0]

    def _encode(self, text: str, **options: Any) -> Any:
        return self.tokenizer(text, add_special_tokens=False, **options)


def _expanded(text: str, clips: Clips) -> str:
    """Repeat each placeholder in `text` once per token of its clip."""
    counts = iter(clips)
    return _PLACEHOLDER.sub(lambda match: match.group() * next(counts)[1], text)


def _growth(text: str, clips: Clips) -> Any:
    """Return the function from a position in `text` to the position in its expanded form."""
    steps = [
        (match.end(), len(token) * (count - 1))
        for match, (token, count) in zip(_PLACEHOLDER.finditer(text), clips, strict=True)
    ]
    return lambda position: position + sum(grown for end, grown in steps if end <= position)


PACKINGS = ("shared_prefix", "multi_sample", "none")


@dataclass(frozen=True)
class PackedSample:
    """Hold questions behind one copy of their clips.

    Attributes:
        sample: index of the sample.
        prefix: token ids up to and including the clips; empty if each segment is a whole text.
        segments: the questions.
    """

    sample: int
    prefix: Sequence[int]
    segments: Sequence[Segment]

    def __len__(self) -> int:
        return len(self.prefix) + sum(len(ids) for ids, _ in self.segments)


def fill_rows(samples: Sequence[PackedSample], packing: str, max_tokens: int) -> list[list[PackedSample]]:
    """Fill rows with packed samples.

    Args:
        samples: packed samples, those of one clip adjacent; with ``none`` each holds one question.
        packing: see the module.
        max_tokens: longest row in tokens; only a single packed sample may exceed it.
    """
    if packing == "none":
        return [[sample] for sample in samples]
    rows: list[list[PackedSample]] = []
    if packing == "shared_prefix":
        for sample in samples:
            if rows and rows[-1][0].sample == sample.sample:
                rows[-1].append(sample)
            else:
                rows.append([sample])
        return rows
    # First-fit decreasing needs at most 11/9 of the optimal number of rows, up to a constant (Johnson, 1973).
    room: list[int] = []
    for sample in sorted(samples, key=len, reverse=True):
        place = next((row for row, left in enumerate(room) if left >= len(sample)), None)
        if place is None:
            rows.append([sample])
            room.append(max_tokens - len(sample))
        else:
            rows[place].append(sample)
            room[place] -= len(sample)
    return rows


def write_rows(rows: Sequence[Sequence[PackedSample]], pad: int) -> dict[str, NDArray[np.int64]]:
    """Pad rows to arrays.

    Returns:
        int64 [B, L]: ``ids``; ``labels`` (`IGNORE` = not learnt); ``positions`` (from 0 in every packed sample);
        ``segments`` (0 in a prefix, from 1 in its questions, -1 on padding); ``packed`` (number in the row);
        ``samples`` (-1 on padding).
    """
    length = max(sum(len(packed) for packed in row) for row in rows)
    # Multiples of 8 keep the number of distinct shapes small for allocator and kernels.
    length += -length % 8
    shape = (len(rows), length)
    empty = {"ids": pad, "labels": IGNORE, "positions": 0, "segments": -1, "packed": 0, "samples": -1}
    arrays = {name: np.full(shape, value, np.int64) for name, value in empty.items()}
    for index, row in enumerate(rows):
        place = 0
        for number, packed in enumerate(row):
            start, prefix = place, len(packed.prefix)
            arrays["ids"][index, place : place + prefix] = packed.prefix
            arrays["positions"][index, place : place + prefix] = np.arange(prefix)
            arrays["segments"][index, place : place + prefix] = 0
            place += prefix
            for segment, (ids, learnt) in enumerate(packed.segments, start=1):
                here = slice(place, place + len(ids))
                arrays["ids"][index, here] = ids
                arrays["labels"][index, here] = np.where(learnt, ids, IGNORE)
                arrays["positions"][index, here] = np.arange(prefix, prefix + len(ids))
                arrays["segments"][index, here] = segment
                place += len(ids)
            arrays["packed"][index, start:place] = number
            arrays["samples"][index, start:place] = packed.sample
    return arrays


def segment_mask(segments: torch.Tensor, packed: torch.Tensor | None = None) -> torch.Tensor:
    """Build the attention mask of packed rows.

    Position i attends to j <= i of its own packed sample if j is in the prefix or in the segment of i. Padding attends
    to itself alone, because a row of the softmax must not be empty.

    Args:
        segments: [B, L], 0 in a prefix, from 1 in questions, -1 on padding.
        packed: [B, L], number of the packed sample in its row; None for one per row.

    Returns:
        [B, 1, L, L] bool, True = attend.
    """
    length = segments.shape[1]
    query, key = segments[:, :, None], segments[:, None, :]
    allowed = (query == key) | (key == 0)
    allowed &= key >= 0
    if packed is not None:
        allowed &= packed[:, :, None] == packed[:, None, :]
    allowed &= torch.ones(length, length, dtype=torch.bool).tril()
    allowed |= torch.eye(length, dtype=torch.bool)
    return allowed[:, None]


def additive_mask(mask: torch.Tensor) -> torch.Tensor:
    """Convert a boolean mask to the additive one of eager attention: 0 where True, else the lowest float32."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, torch.finfo(torch.float32).min)
