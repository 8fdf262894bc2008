"""Find people who do what the user's own sentence says, by asking the model about their last seconds.

"alarm when someone climbs" becomes "Is the person climbing?". A sentence that names a measured event is left to the
detector of that event (`measured_of`). Of the embedded models the asked one tells movements
apart better than the text-motion encoder of the search: ``benchmarks/sentences.py`` compares them on held-out clips.
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
_LEAD = r"^(?:[a-z ]*\b(?:alarm|alert|tell|warn|notify|let)(?: me| us)?(?: know)?,? )?(?:when(?:ever)?|if|as soon as) "
_ARTICLE = "(?:(?:an?|the|any|every|each|one|two|my|our|your|his|her|their|this|that) )"
_WORD = r"(?!(?:always|sometimes|does|is|are|has|not|no|nobody|none|nothing)\b)[^\W\d][\w'-]*"
_SUBJECT = f"(?:{_ARTICLE}{_WORD}|{_WORD})(?: {_WORD})*?(?: (?:with|in|on|at|of|from|near) {_ARTICLE}?{_WORD})?"
_PAST = rf"(?!indeed\b)(?=[\w'-]*[aeiouy][\w'-]*[^e]ed\b){_WORD}(?! (?:hands|arms|legs|feet|eyes|hair)\b)"
"""A past participle in -ed: not "red" or "indeed", nor one that describes a limb ("wounded hands")."""
_WHOLE = r"(?!.+\b(?:who|that|which|and)\b)"
"""One clause: a verb of another ("the person who fell moves") is not taken for it."""
_DOING = r"(?!(?:some|any|no|every)?thing\b)\w*[aeiouy]\w*ing\b.*"
_DONE = {
    **dict.fromkeys(("fallen", "fell"), "fall"),
    **dict.fromkeys(("gone", "went"), "go"),
    **dict.fromkeys(("gotten", "got"), "get"),
    **dict.fromkeys(("risen", "rose"), "rise"),
    **dict.fromkeys(("thrown", "threw"), "throw"),
    **dict.fromkeys(("lain", "lay"), "lie"),
    **{"left": "leave", "come": "come", "came": "come", "stood": "stand", "sat": "sit", "knelt": "kneel", "ran": "run"},
}
"""Past of verbs of movement that do not end in -ed -> base form."""
_FORMS = (
    rf"(?:{_SUBJECT} )?(?:(?:is|are) )?(?P<doing>{_DOING})",
    rf"{_SUBJECT} (?:is|are) (?P<doing>.+)",
    rf"{_WHOLE}{_SUBJECT} (?:has|have)(?: just)? (?P<done>{'|'.join(_DONE)}|{_PAST})(?P<rest> .+)?",
    rf"{_WHOLE}{_SUBJECT} (?P<done>fell|collapsed)(?P<rest> .+)?",
    rf"{_SUBJECT} (?P<no>does not|doesn't) (?P<verb>{_WORD})(?P<rest> .+)?",
    rf"{_ARTICLE}?(?:people|children|kids|men|women|they) (?P<verb>{_WORD})(?P<rest> .+)?",
    rf"{_SUBJECT} (?:(?:always|sometimes) )?(?P<verb>does|(?!\w*(?:ss|us|[dknprt]wards)\b){_WORD}s)(?P<rest> .+)?",
)
"""What may follow "if": "climbing", "a child is in bed", "someone has fallen", "she does not move"."""
_HAND = "(?:(?:an?|one|the|his|her|their) )?(?:(?P<side>left|right) )?(?:hand|arm)"
_MEASURED = {
    r"(?:falling|collapsing)(?: (?:down|over|off|out|from|on|onto|to|backwards?|forwards?|sideways)\b.*)?": "fall",
    rf"waving(?: {_HAND})?(?: (?:for|at|to) .+)?": "waving",
    rf"(?:raising|lifting|putting up|holding up) {_HAND}(?: up)?(?: (?:for|at|to) .+)?": "raised_hand",
    r"lying (?:still|motionless)(?: (?:on|in) .+)?": "lying_still",
    "not moving(?: any ?more)?": "not_moving",
    "(?:entering|coming in)(?: (?:the |a |my )?(?:room|view|picture))?|coming into view": "enters",
    "leaving(?: (?:the |a |my )?(?:room|view|picture))?": "leaves",
}
"""Pattern of what somebody is doing -> the measured event for it."""


def question_of(sentence: str) -> str:
    """Turn a sentence into a question: "tell me if my son climbs a wall" to "Is the person climbing a wall?".

    A question stays as it is.

    Raises:
        InputError: it is neither a question nor says what somebody does.
    """
    text = " ".join(sentence.split()).rstrip(".!")
    if text.endswith("?"):
        return text
    told = re.sub(_LEAD, "", text, flags=re.I)
    found = next((match for form in _FORMS if (match := re.fullmatch(form, told, re.I))), None)
    if found is None:
        raise InputError(
            f"the sentence {sentence!r} does not say what somebody does; write 'someone climbs', or a question"
        )
    said = found.groupdict()
    if "doing" in said:
        return f"Is the person {said['doing']}?"
    base = _done(said["done"]) if "done" in said else _base(said["verb"])
    return f"Is the person {'not ' if 'no' in said else ''}{participle(base + (said['rest'] or ''))}?"


def measured_of(question: str) -> dict[str, str] | None:
    """Find the measured event that a question of `question_of` asks for: ``event`` and ``side``; else None."""
    for pattern, event in _MEASURED.items():
        if found := re.fullmatch(rf"Is the person (?:{pattern})\?", question, re.I):
            return {"event": event, "side": (found.groupdict().get("side") or "").lower()}
    return None


def _base(verb: str) -> str:
    """Undo the third person or the past: climbs, tries, catches, goes, waved."""
    if verb.lower() in _DONE or re.search(r"[aeiouy].*[^e]ed$", verb):
        return _done(verb)
    if re.search(r"[^aeiou]ies$", verb):
        return verb[:-3] + "y"
    if re.search(r"(ss|x|z|ch|sh|o)es$", verb):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def _done(verb: str) -> str:
    """Undo the past: fallen, climbed, tripped, carried, moved."""
    if base := _DONE.get(verb.lower()):
        return base
    stem = re.sub(r"i$", "y", verb[:-2])
    if re.search(r"(?<=.[aeiou])([bdgmnprt])\1$", stem):
        return stem[:-1]  # "tripped", not "added"
    # One short syllable would have doubled its consonant: "hoped" is of "hope".
    silent = r"e$|[aeiou]n?[cgsvz]$|^[^aeiou]*[aeiou][^aeiouwxy]$|[dg]l$|mbl$"
    return stem + "e" if re.search(silent, stem) else stem


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
