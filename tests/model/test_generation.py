"""What is said twice in a row is said once."""

from __future__ import annotations

import pytest
from tiny import tiny_model, tiny_motion

from vimonet.inference.assistant import Assistant
from vimonet.language import without_repeats


@pytest.mark.parametrize(
    ("said", "once"),
    [
        ("kicking, then kicking", "kicking"),
        ("kicking, then kicking, then kicking, then walking", "kicking, then walking"),
        ("a person kicks, then kicks.", "a person kicks."),
        ("Someone walks forward, then walks forward, then kicks.", "Someone walks forward, then kicks."),
        ("kicking", "kicking"),
        ("", ""),
        ("walking, then kicking, then walking", "walking, then kicking, then walking"),
        ("raises the left hand, then hand", "raises the left hand, then hand"),
        ("walks and kicks, then kicks", "walks and kicks, then kicks"),
        ("a person kicks. then, then.", "a person kicks. then, then."),
    ],
)
def test_equal_neighbours_are_one(said: str, once: str) -> None:
    assert without_repeats(said) == once
    assert without_repeats(once) == once


def test_every_answer_goes_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = Assistant(*tiny_model())
    monkeypatch.setattr(assistant.processor, "decode", lambda *args, **kwargs: "to the left, then to the left")
    motion = tiny_motion()
    answers = [
        assistant.ask("Which way?", motion),
        *assistant.ask_batch([("Which way?", motion), ("Which way?", None)]),
    ]
    assert {answer.model_text for answer in answers} == {"to the left"}
