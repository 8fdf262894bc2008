"""Turns that refer to earlier ones: "the other hand" is the side that was not named last."""

from __future__ import annotations

import pytest

from vimonet.inference.assistant import load
from vimonet.inference.conversation import with_side

WHICH = ("Which hand is raised?", "left hand, at 2 s")
WHETHER = ("Is the left hand raised?", "no, the right hand")


@pytest.mark.parametrize(
    ("history", "question", "read"),
    [
        ([WHICH], "And the other hand?", "Is the right hand raised?"),
        ([("Which leg does he lift?", "right leg")], "the other one too?", "Does he lift the left leg?"),
        ([WHETHER], "other hand as well?", "Is the right hand raised?"),
        ([WHETHER], "what about the other?", "Is the right hand raised?"),
        ([("What does the person do?", "raises the left arm")], "And the other arm?", "What about the right arm?"),
        ([("Does he lean left?", "yes")], "And the other side?", "Does he lean right?"),
        # A turn that says more keeps its words.
        ([WHICH], "Does the other arm hang down?", "Does the right arm hang down?"),
        ([WHICH, ("When?", "at 2 s")], "And the other hand?", "Is the right hand raised?"),
        ([WHICH, ("Which way does he turn?", "right")], "Is his other foot ahead?", "Is his right foot ahead?"),
    ],
)
def test_the_other_one_is_named(history, question, read):
    assert with_side(question, history) == read


@pytest.mark.parametrize(
    ("history", "question"),
    [
        ([], "And the other hand?"),
        ([("Is the person walking?", "yes")], "And the other hand?"),
        ([("Is the left or the right hand raised?", "both")], "And the other hand?"),
        ([("Which way does he turn?", "left, right after 2 s")], "Is the other hand raised?"),
        ([("The person sits, right?", "yes, right away")], "And the other one?"),
        ([WHICH], "Does one hand touch the other hand?"),
        ([WHICH], "On the other hand, is she tired?"),
        ([WHICH], "Do the feet touch each other?"),
        ([WHICH], "And the right hand?"),
    ],
)
def test_what_names_no_side_stays(history, question):
    assert with_side(question, history) == question


@pytest.mark.parametrize(("name", "side"), [("raise_left", "left"), ("wave_right", "right")])
def test_a_chat_denies_the_other_hand_and_comes_back(name, side):
    chat = load("nano").chat(f"sample:{name}")
    assert side in chat.ask("Which hand is raised?").text
    assert chat.ask("And the other hand?").text.startswith("no")
    chat.ask("And the other one?")
    assert [question for question, _ in chat][-1] == f"Is the {side} hand raised?"
