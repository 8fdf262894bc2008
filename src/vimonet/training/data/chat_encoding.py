"""A question and its answer as token ids, in the chat template the model is used with.

What is learnt is, token for token, what `ViMoNetProcessor.apply_chat_template` writes for the same question. To let
several questions share one copy of a clip, the text is cut behind its last placeholder: what stands before it is the
same for every question (the prefix), what stands behind it belongs to one (the block). Placeholders are special tokens,
which no tokenizer merges across, so the cut changes no token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from vimonet.model.chat_templates import CHAT_TEMPLATE, normalise_question
from vimonet.model.configuration_vimonet import KEYPOINT_TOKEN, MOTION_TOKEN, VIDEO_TOKEN

Block = tuple[list[int], list[bool]]
"""Token ids, and which of them are learnt."""

Clips = tuple[tuple[str, int], ...]
"""Placeholder and number of tokens of each clip of a question, in the order of `ViMoNetProcessor.messages`."""

_TYPES = {MOTION_TOKEN: "motion", KEYPOINT_TOKEN: "keypoints", VIDEO_TOKEN: "video"}
_PLACEHOLDER = re.compile("|".join(map(re.escape, _TYPES)))
_REMEMBERED = 200_000


@dataclass
class TurnWriter:
    """Writes turns.

    Args:
        tokenizer: a fast tokenizer with ViMoNet's placeholders.
        chat_template: of the processor; must mark answers as generation.
        fold_questions: as the processor's: questions are folded exactly as in use.
        supervise: 'answer' learns what the template marks as generation; 'all' also the question (language stage).
    """

    tokenizer: Any
    chat_template: str = CHAT_TEMPLATE
    fold_questions: bool = True
    supervise: str = "answer"
    _blocks: dict[tuple[str | None, str, Clips], Block] = field(default_factory=dict, repr=False)
    _heads: dict[tuple[str, ...], str | None] = field(default_factory=dict, repr=False)
    _prefixes: dict[Clips, list[int]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._special = dict(self.tokenizer.special_tokens_map)

    def prefix(self, clips: Clips) -> list[int]:
        """Token ids that every question about `clips` begins with; empty without clips, or where the template says the
        question before them.
        """
        if clips not in self._prefixes:
            head = self._head(tuple(token for token, _ in clips))
            self._prefixes[clips] = [] if head is None else self._encode(_expanded(head, clips))["input_ids"]
        return self._prefixes[clips]

    def block(self, question: str | None, answer: str, clips: Clips = ()) -> Block:
        """What follows the prefix: one question with its answer, or an answer alone.

        The first token of a block is never learnt: the last one of the prefix cannot predict several successors.
        """
        head = self._head(tuple(token for token, _ in clips))
        key = (question, answer, clips if head is None else clips[-1:])
        found = self._blocks.get(key)
        if found is None:
            found = self._write(question, answer, clips, head)
            if len(self._blocks) < _REMEMBERED:
                self._blocks[key] = found
        return found

    def _write(self, question: str | None, answer: str, clips: Clips, head: str | None) -> Block:
        text, spans = self._render(question, answer, tuple(token for token, _ in clips))
        if head is None:
            text, moved = _expanded(text, clips), _growth(text, clips)
            spans = [(moved(start), moved(end)) for start, end in spans]
            skipped = 0
        else:
            # Behind the placeholder, as it stands in the whole: some tokenizers treat the start of a text differently.
            cut, last = len(head), clips[-1][0]
            text, skipped = last + text[cut:], 1
            spans = [(start - cut + len(last), end - cut + len(last)) for start, end in spans]
        encoded = self._encode(text, return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"][skipped:], encoded["offset_mapping"][skipped:]
        if self.supervise == "all":
            learnt = [True] * len(ids)
        else:
            learnt = [any(a < end and b > start for start, end in spans) for a, b in offsets]
        learnt[:1] = [False]
        return ids, learnt

    def _head(self, kinds: tuple[str, ...]) -> str | None:
        """The text up to the last placeholder, where no question stands before it; None otherwise."""
        if kinds not in self._heads:
            self._heads[kinds] = None
            if kinds:
                text, _ = self._render("one", "answer", kinds)
                other, _ = self._render("other", "answer", kinds)
                head = text[: [match.end() for match in _PLACEHOLDER.finditer(text)][-1]]
                self._heads[kinds] = head if other.startswith(head) else None
        return self._heads[kinds]

    def _render(self, question: str | None, answer: str, kinds: tuple[str, ...]) -> tuple[str, list[tuple[int, int]]]:
        """The text with one placeholder per clip, and the spans of it that are generated."""
        content: list[dict[str, str]] = [{"type": _TYPES[token]} for token in kinds]
        if question is not None:
            content.append({"type": "text", "text": normalise_question(question, fold=self.fold_questions)})
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}] if content else []
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
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
    """`text` with each placeholder as often as its clip becomes tokens."""
    counts = iter(clips)
    return _PLACEHOLDER.sub(lambda match: match.group() * next(counts)[1], text)


def _growth(text: str, clips: Clips) -> Any:
    """Function from a position in `text` to the one in its expanded form."""
    steps = [
        (match.end(), len(token) * (count - 1))
        for match, (token, count) in zip(_PLACEHOLDER.finditer(text), clips, strict=True)
    ]
    return lambda position: position + sum(grown for end, grown in steps if end <= position)
