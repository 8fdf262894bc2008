"""Find people who do what the user's own sentence says, by the text-motion encoder of the search.

A sentence fits if its cosine with the last seconds of movement stands out from the cosines of other sentences: cosines
of one movement go up and down together. ``benchmarks/sentences.py`` compares this with asking a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError
from vimonet.watch.look import Span
from vimonet.watch.pose_window import PoseWindow
from vimonet.watch.stream import Event, PersonId, PoseFrame

if TYPE_CHECKING:
    from vimonet.retrieval.text_motion_encoder import TextMotionEncoder

OTHERS: Final = (
    *("a person stands still", "a person walks forward", "a person runs", "a person walks backward", "a person turns"),
    *("a person sits down", "a person stands up", "a person sits", "a person lies on the ground", "a person falls"),
    *("a person bends over", "a person picks something up", "a person squats", "a person kneels", "a person crawls"),
    *("a person jumps", "a person does jumping jacks", "a person kicks", "a person punches", "a person throws a ball"),
    *("a person waves a hand", "a person raises both arms", "a person claps", "a person points", "a person bows"),
    *("a person climbs", "a person dances", "a person does push-ups", "a person stretches", "a person swings a racket"),
)
"""Sentences against which the user's stands out: everyday movement, one of each kind."""
STANDS_OUT: Final = 2.0
"""Standard deviations above the other sentences from which the sentence fits."""
_SECONDS, _EVERY, _IN_A_ROW = 3.0, 1.0, 2


def standardised(
    movements: NDArray[np.float32], sentences: NDArray[np.float32], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Measure how far sentences stand out for each movement: unit vectors [N, E], [S, E], [O, E] to [N, S]."""
    field = movements @ others.T
    spread = np.maximum(field.std(axis=1, keepdims=True), 1e-6)
    return np.asarray((movements @ sentences.T - field.mean(axis=1, keepdims=True)) / spread, np.float32)


class Sentences:
    """Detect what sentences say.

    Args:
        sentences: what somebody does: "someone climbs".
        encoder: text-motion encoder; the shipped one by default.

    Raises:
        InputError: a sentence is empty.
    """

    def __init__(self, sentences: Sequence[str], encoder: TextMotionEncoder | None = None) -> None:
        if encoder is None:
            from vimonet.retrieval.text_motion_encoder import TextMotionEncoder

            encoder = TextMotionEncoder.load()
        self.sentences = list(dict.fromkeys(sentences))
        self.encoder = encoder
        self._texts, self._others = encoder.texts(self.sentences), encoder.texts(OTHERS)
        self._people: dict[PersonId, _Seen] = {}

    def push(self, frame: PoseFrame) -> Sequence[Event]:
        """Take the next frame of one person; look at the last seconds once a second."""
        person = self._people.setdefault(frame.person, _Seen(len(self.sentences)))
        person.window.push(frame)
        if frame.time < person.due or person.window.duration < 0.8 * _SECONDS:
            return ()
        person.due = frame.time + _EVERY
        try:
            motion = person.window.motion()
            if motion.dimensions not in (2, 3) or self.encoder.unread(motion.dimensions):
                return ()
            scores = standardised(self.encoder.clips([motion]), self._texts, self._others)[0]
        except InputError:  # too little of the body is seen
            return ()
        events: list[Event] = []
        for i, sentence in enumerate(self.sentences):
            fits = bool(scores[i] >= STANDS_OUT)
            person.fits[i] = person.fits[i] + 1 if fits else 0
            if person.fits[i] >= _IN_A_ROW:
                text = f"person {frame.person}: {sentence}"
                start = frame.time - _EVERY
                value = {"sentence": sentence, "stands_out": round(float(scores[i]), 2)}
                events += person.spans[i].begin(start, frame.person, text, **value)
            elif not fits:
                events += person.spans[i].over(frame.time)
        return events

    def gone(self, person: PersonId, time: float) -> Sequence[Event]:
        """End what lasts."""
        seen = self._people.pop(person, None)
        return [event for span in (seen.spans if seen else ()) for event in span.over(time)]


class _Seen:
    def __init__(self, count: int) -> None:
        self.window = PoseWindow(_SECONDS)
        self.due = -np.inf
        self.fits = [0] * count
        self.spans = [Span("sentence") for _ in range(count)]
