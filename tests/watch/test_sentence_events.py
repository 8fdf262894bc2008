"""A user's own sentence: the question it becomes, and events that begin, last and end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from test_body_events import acted, frames

from vimonet.motion.projection import project
from vimonet.utils.errors import InputError
from vimonet.watch.detectors import detectors_for
from vimonet.watch.rules import parse_rules
from vimonet.watch.sentence_events import Sentences, question_of


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("someone climbs", "Is the person climbing?"),
        ("Somebody climbs a wall.", "Is the person climbing a wall?"),
        ("a person is waving both hands", "Is the person waving both hands?"),
        ("when someone carries a box", "Is the person carrying a box?"),
        ("the man throws something", "Is the person throwing something?"),
        ("someone catches a ball", "Is the person catching a ball?"),
        ("someone lies down", "Is the person lying down?"),
        ("someone does push-ups", "Is the person doing push-ups?"),
        ("Does she limp?", "Does she limp?"),
        ("alarm when someone climbs", "Is the person climbing?"),
        ("warn me if the cat jumps", "Is the person jumping?"),
        ("Please let me know as soon as two people fight", "Is the person fighting?"),
        ("climbing", "Is the person climbing?"),
        ("grandma falls", "Is the person falling?"),
        ("the baby climbs out of bed", "Is the person climbing out of bed?"),
        ("someone has fallen", "Is the person falling?"),
        ("tell me if grandma fell down", "Is the person falling down?"),
        ("she has just stood up", "Is the person standing up?"),
        ("the kid has tripped", "Is the person tripping?"),
        ("he has carried a box", "Is the person carrying a box?"),
        ("a man has moved", "Is the person moving?"),
        ("somebody has raised a hand", "Is the person raising a hand?"),
        ("she has danced and smiled", None),
        ("he has wounded hands", None),
        ("nothing has moved", None),
        ("someone has red hair", None),
        ("the person who fell moves", "Is the person moving?"),
        ("they ran", "Is the person running?"),
        ("they waved", "Is the person waving?"),
        ("she moves backwards", "Is the person moving backwards?"),
        ("people need help", "Is the person needing help?"),
        ("the person in bed moves", "Is the person moving?"),
        ("someone with glasses dances", "Is the person dancing?"),
        ("someone cries when he falls", "Is the person crying when he falls?"),
    ],
)
def test_a_sentence_becomes_a_question(sentence: str, question: str | None) -> None:
    if question is not None:
        assert question_of(sentence) == question
        return
    with pytest.raises(InputError, match="what somebody does"):
        question_of(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        " ",
        "climb",
        "red",
        "the bed",
        "my left hand",
        "she walked backwards",
        "nothing",
        "nobody moves",
        "alarm when",
    ],
)
def test_what_nobody_does_is_refused(sentence: str) -> None:
    with pytest.raises(InputError, match="what somebody does"):
        question_of(sentence)
    with pytest.raises(InputError, match="somebody does"):
        detectors_for(parse_rules(f"rules:\n  - {{event: sentence, sentence: '{sentence}'}}\n"))


class Fake:
    """A model that says yes while the neck is low."""

    def ask_batch(self, asked):
        for _, motion in asked:
            low = motion.joints[:, 12, 1].mean() < 1.0
            yield SimpleNamespace(text="Yes, the person crawls." if low else "no", confidence=0.9)


def test_a_sentence_begins_and_ends() -> None:
    detector = Sentences(["someone crawls", "someone crawls"], Fake())
    movement = acted("walk", "crawl", "walk", "walk", seed=2)
    events = [event for frame in frames(movement) for event in detector.push(frame)]
    assert [(e.kind, e.value["sentence"], e.end is None) for e in events] == [
        ("sentence", "someone crawls", True),
        ("sentence", "someone crawls", False),
    ]
    assert detector.gone(1, 99.0) == [] and detector.gone(1, 99.0) == []


@pytest.mark.slow
def test_the_model_tells_crawling_from_walking() -> None:
    (detector,) = detectors_for(parse_rules("rules:\n  - {event: sentence, sentence: someone crawls}\n"))
    begun = {}
    for action in ("crawl", "walk"):
        movement = acted(action, action, seed=2)
        begun[action] = [e for frame in frames(movement, person=action) for e in detector.push(frame)]
    assert begun["crawl"] and not begun["walk"]
    view = project(acted("walk", "walk", seed=2), 90.0, 0.0, 8.0)
    assert not [e for frame in frames(view, person="flat") for e in detector.push(frame)]
