"""Follow answers while they are generated: text as it comes, tokens counted, prompts dropped that nobody waits for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import TextStreamer

from vimonet.language import GrowingText


@dataclass
class Listener:
    """Follow the answer to one prompt.

    Attributes:
        on_text: called with each new piece of text, in the thread that generates; None where nobody reads it yet.
        left: tells whether nobody waits for the answer any more; its generation then ends.
        prompt_tokens: length of the prompt, with the tokens of its clips.
        tokens: tokens generated, without the end token.
        ended: whether the model ended the answer itself; False at the length limit.
    """

    on_text: Callable[[str], None] | None = None
    left: Callable[[], bool] = lambda: False
    prompt_tokens: int = 0
    tokens: int = 0
    ended: bool = False
    _text: GrowingText = field(default_factory=GrowingText, repr=False)

    def add(self, piece: str, *, last: bool = False) -> None:
        """Take in a piece of the model's words; give on what cannot change any more."""
        new = self._text.add(piece)
        if last:
            new += self._text.rest()
        if new and self.on_text is not None:
            self.on_text(new)


class _Row(TextStreamer):
    """Decode the tokens of one prompt into whole words."""

    def __init__(self, tokenizer: Any, listener: Listener) -> None:
        super().__init__(tokenizer, skip_special_tokens=True)
        self.listener = listener

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Hand on decoded text."""
        self.listener.add(text, last=stream_end)


class RowStreamer:
    """Hand the tokens of a batch to the listeners of its rows.

    Args:
        tokenizer: of the model.
        listeners: one per row.
        ends: ids of the tokens that end an answer.
    """

    def __init__(self, tokenizer: Any, listeners: Sequence[Listener], ends: Sequence[int]) -> None:
        self.rows, self.ends = [_Row(tokenizer, listener) for listener in listeners], set(ends)

    def put(self, tokens: Sequence[int]) -> list[bool]:
        """Take in the next token of every row; tell which rows nobody waits for."""
        for row, token in zip(self.rows, tokens, strict=True):
            listener = row.listener
            if listener.ended or listener.left():
                continue
            if token in self.ends:
                listener.ended = True
                row.end()
            else:
                listener.tokens += 1
                if listener.on_text is not None:
                    row.put(torch.tensor([token]))
        return [row.listener.left() for row in self.rows]

    def end(self) -> None:
        """Flush the rows that reached the length limit."""
        for row in self.rows:
            if not row.listener.ended:
                row.end()


def stream_of(work: Callable[[Callable[[str], None]], str]) -> Iterator[str]:
    """Yield text while a function generates it in a thread.

    Args:
        work: takes a function to call with each piece, and returns the whole text, which the pieces begin.
    """
    pieces: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()
    whole = ""

    def run() -> None:
        nonlocal whole
        try:
            whole = work(pieces.put)
            pieces.put(None)
        except BaseException as error:
            pieces.put(error)

    threading.Thread(target=run, daemon=True).start()
    given = ""
    while (piece := pieces.get()) is not None:
        if isinstance(piece, BaseException):
            raise piece
        given += piece
        yield piece
    if whole.startswith(given) and len(whole) > len(given):
        yield whole[len(given) :]
