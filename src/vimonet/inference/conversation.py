"""Talk about a recording in several turns: each question is asked after the earlier ones and their answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.answer import Answer
    from vimonet.inference.assistant import Assistant

MAX_TURNS = 6
"""Most earlier turns in a prompt; chats in training have at most four."""


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
