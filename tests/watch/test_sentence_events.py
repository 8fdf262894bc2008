"""A user's own sentence: what stands out of the others begins, lasts and ends."""

from __future__ import annotations

import numpy as np
import pytest
from test_body_events import acted, frames

from vimonet.motion.projection import project
from vimonet.utils.errors import InputError
from vimonet.watch.detectors import detectors_for
from vimonet.watch.rules import parse_rules
from vimonet.watch.sentence_events import Sentences, standardised


class Fake:
    """An encoder of two directions: movement is east when somebody crawls, else north."""

    def texts(self, sentences):
        return np.array([[1, 0, 0] if "crawls" in s else [0, 1, i % 3] for i, s in enumerate(sentences)], np.float32)

    def clips(self, clips):
        low = [clip.joints[:, 12, 1].mean() < 1.0 for clip in clips]
        return np.array([[1, 0, 0] if one else [0, 0.7, 0.7] for one in low], np.float32)

    def unread(self, dimensions: int) -> str:
        return ""


def test_standing_out_is_relative_to_other_sentences() -> None:
    movements, others = np.eye(2, dtype=np.float32), np.array([[0.1, 0.5], [0.3, 0.5]], np.float32)
    scores = standardised(movements, np.array([[0.9, 0.5]], np.float32), others)
    assert scores[0, 0] == pytest.approx(7.0, abs=0.01) and scores[1, 0] == pytest.approx(0.0)


def test_a_sentence_begins_and_ends() -> None:
    detector = Sentences(["someone crawls", "someone crawls"], Fake())
    movement = acted("walk", "crawl", "walk", "walk", seed=2)
    events = [event for frame in frames(movement) for event in detector.push(frame)]
    assert [(e.kind, e.value["sentence"], e.end is None) for e in events] == [
        ("sentence", "someone crawls", True),
        ("sentence", "someone crawls", False),
    ]
    assert detector.gone(1, 99.0) == [] and detector.gone(1, 99.0) == []


def test_the_shipped_encoder_tells_crawling_from_walking() -> None:
    (detector,) = detectors_for(parse_rules("rules:\n  - {event: sentence, sentence: someone crawls}\n"))
    for flat in (False, True):
        begun = {}
        for action in ("crawl", "walk"):
            movement = acted(action, action, action, seed=2)
            view = project(movement, 90.0, 0.0, 5.0) if flat else movement
            begun[action] = [e for frame in frames(view, person=f"{action}{flat}") for e in detector.push(frame)]
        assert begun["crawl"] and not begun["walk"], flat


def test_an_empty_sentence_is_refused() -> None:
    with pytest.raises(InputError):
        detectors_for(parse_rules("rules:\n  - {event: sentence, sentence: ' '}\n"))
