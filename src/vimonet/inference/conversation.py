"""Talk about a recording in several turns: each question is asked after the earlier ones and their answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from vimonet.inference.answer import check_question
from vimonet.language import mirror_text
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.answer import Answer
    from vimonet.inference.assistant import Assistant

MAX_TURNS = 6
"""Most earlier turns in a prompt; chats in training have at most four."""

_LIMB = "hand|arm|wrist|elbow|shoulder|fist|leg|foot|feet|knee|ankle|heel"
_OTHER = re.compile(rf"(?:^|\b(?:and|the|his|her|their|its) )(other)(?: ({_LIMB}|side|one)\b(?!,)|(?=\W*$))", re.I)
_SIDE = re.compile(r"\b(?:left|(?<!, )right|right(?!\?))\b(?! (?:after|away|before|now|then)\b)", re.I)
_BARE = re.compile(r"\W*(?:(?:and|but|now|ok|so|(?:how|what) about)\W+)*(?:the )?other( \w+)?( too| as well)?\W*", re.I)
_WHICH = re.compile(r"which (\w+) (?:(is|was) (.+?)|(does|did) (the person|he|she) (\w+(?: on| with)?))\W*", re.I)

_READING = (("fps", None), ("frames", None), ("leave_out", ()))
"""Options that decide how the recording is read, with their defaults."""


class Chat:
    """Hold a chat about one recording, which is read and measured once; `Assistant.chat` begins one.

    Attributes:
        history: questions and answers so far.
    """

    def __init__(self, assistant: Assistant, motion: Any, video: Any, **options: Any) -> None:
        self._assistant, self._motion, self._video, self._options = assistant, motion, video, options
        self._builder = assistant.builder(*(options.pop(name, default) for name, default in _READING))
        self.history: list[tuple[str, str]] = []

    def ask(self, question: str) -> Answer:
        """Answer a question that may refer to earlier ones ("and the other hand?").

        Raises:
            InputError: an unusable question or recording.
        """
        question = with_side(check_question(question), self.history)
        self._builder.history = tuple(self.history[-MAX_TURNS:])
        answer = self._assistant.answer_with(self._builder, question, self._motion, self._video, **self._options)
        self.history.append((question, answer.text))
        return answer

    def undo(self) -> None:
        """Forget the last turn.

        Raises:
            InputError: the chat has no turn yet.
        """
        if not self.history:
            raise InputError("there is no turn to take back.")
        self.history.pop()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.history)


def with_side(question: str, history: Sequence[tuple[str, str]]) -> str:
    """Replace "the other hand" by the hand opposite to the one that the chat named last, in a question or its answer.

    A question of these words alone ("And the other hand?") becomes the last question that names a side, asked of the
    opposite side, because models take "And the right hand?" for "which hand?". Where no turn names exactly one side (of
    a limb, if a limb is asked about), the question is returned unchanged.
    """
    found = _OTHER.search(question)
    if found is None or re.search(r"\bone\b", question[: found.start()]):
        return question
    limb = (found[2] or "one").lower()
    meant = "" if limb in ("one", "side") else _LIMB
    turn = next((turn for turn in reversed(history) if _side(turn) and re.search(meant, " ".join(turn), re.I)), None)
    if turn is None:
        return question
    side = mirror_text(_side(turn))
    if not _BARE.fullmatch(question):
        return question[: found.start(1)] + side + question[found.end(1) :]
    if _SIDE.search(turn[0]):
        return mirror_text(turn[0])
    if which := _WHICH.fullmatch(turn[0]):
        part, be, state, do, who, act = which.groups()
        what = f"the {side} {limb if meant else part}"
        return f"{be.capitalize()} {what} {state}?" if be else f"{do.capitalize()} {who} {act} {what}?"
    return f"What about the {side} {limb}?"


def _side(turn: tuple[str, str]) -> str:
    """Find the one side that a question names, else its answer; empty for none and for both."""
    named = ({side.lower() for side in _SIDE.findall(text)} for text in turn)
    return next((sides.pop() for sides in named if len(sides) == 1), "")
