"""Find people who do what the user's own sentence says, by asking the model about their last seconds.

"someone climbs" becomes "Is the person climbing?". Of the embedded models the asked one tells movements apart better
than the text-motion encoder of the search: ``benchmarks/sentences.py`` compares them on held-out clips.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from vimonet.utils.errors import InputError
from vimonet.vimos.action_labels import participle
from vimonet.watch.look import Span
from vimonet.watch.pose_window import PoseWindow
from vimonet.watch.stream import Event, PersonId, PoseFrame

if TYPE_CHECKING:
    from vimonet.inference.answer import Answer
    from vimonet.inference.assistant import Assistant

MODEL: Final = "nano"
"""The model that is asked: a stream leaves no time for a larger one."""
SURE: Final = 0.7
"""Least confidence of a yes that counts."""
_SECONDS, _EVERY, _IN_A_ROW = 3.0, 1.0, 2
_SUBJECT = re.compile(
    r"(?:when(?:ever)? |if )?"
    r"(?:some(?:one|body)|any(?:one|body)|(?:a|the|one) (?:person|man|woman|child)|he|she)\s+(.+)",
    re.IGNORECASE,
)


def question_of(sentence: str) -> str:
    """Turn a sentence into a question: "someone climbs a wall" to "Is the person climbing a wall?".

    A question stays as it is.

    Raises:
        InputError: it is neither a question nor says what somebody does.
    """
    text = " ".join(sentence.split()).rstrip(".!")
    if text.endswith("?"):
        return text
    found = _SUBJECT.fullmatch(text)
    if found is None:
        raise InputError(
            f"the sentence {sentence!r} does not say what somebody does; write 'someone climbs', or a question"
        )
    verb, _, rest = found[1].partition(" ")
    if verb.lower() == "is":
        return f"Is the person {rest}?"
    return f"Is the person {participle(' '.join(part for part in (_base(verb), rest) if part))}?"


def _base(verb: str) -> str:
    """Undo the third person: climbs, tries, catches, goes."""
    if re.search(r"[^aeiou]ies$", verb):
        return verb[:-3] + "y"
    if re.search(r"(ss|x|z|ch|sh|o)es$", verb):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def agreement(answer: Answer) -> float:
    """Measure how sure an answer is that it is so, 0..1."""
    sure = 0.5 if answer.confidence is None else answer.confidence
    text = answer.text.lower()
    return sure if text.startswith("yes") else 1.0 - sure if text.startswith("no") else 0.5


class Sentences:
    """Detect what sentences say.

    Args:
        sentences: what somebody does: "someone climbs"; or questions.
        assistant: the model; `MODEL` by default.

    Raises:
        InputError: a sentence that does not say what somebody does.
    """

    def __init__(self, sentences: Sequence[str], assistant: Assistant | None = None) -> None:
        self.questions = {sentence: question_of(sentence) for sentence in sentences}
        if assistant is None:
            from vimonet.inference.assistant import load

            assistant = load(MODEL)
        self.assistant = assistant
        self._people: dict[PersonId, _Seen] = {}

    def push(self, frame: PoseFrame) -> Sequence[Event]:
        """Take the next frame of one person; ask about the last seconds once a second."""
        person = self._people.setdefault(frame.person, _Seen(self.questions))
        person.window.push(frame)
        if frame.time < person.due or person.window.duration < 0.8 * _SECONDS:
            return ()
        person.due = frame.time + _EVERY
        try:
            motion = person.window.motion()
            answers = self.assistant.ask_batch([(question, motion) for question in self.questions.values()])
        except InputError:  # too little of the body is seen
            return ()
        events: list[Event] = []
        for sentence, answer in zip(self.questions, answers, strict=True):
            sure, span = agreement(answer), person.spans[sentence]
            person.fits[sentence] = person.fits[sentence] + 1 if sure >= SURE else 0
            if person.fits[sentence] >= _IN_A_ROW:
                value = {"sentence": sentence, "confidence": round(sure, 2)}
                text = f"person {frame.person}: {sentence}"
                events += span.begin(frame.time - _EVERY, frame.person, text, **value)
            elif not person.fits[sentence]:
                events += span.over(frame.time)
        return events

    def gone(self, person: PersonId, time: float) -> Sequence[Event]:
        """End what lasts."""
        seen = self._people.pop(person, None)
        return [event for span in (seen.spans.values() if seen else ()) for event in span.over(time)]


class _Seen:
    def __init__(self, sentences: dict[str, str]) -> None:
        self.window = PoseWindow(_SECONDS)
        self.due = -np.inf
        self.fits = dict.fromkeys(sentences, 0)
        self.spans = {sentence: Span("sentence") for sentence in sentences}
