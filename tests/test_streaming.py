"""Following answers while they are generated."""

from __future__ import annotations

import pytest
import torch
from tiny import tiny_model, tiny_motion

from vimonet.inference.assistant import Assistant
from vimonet.inference.streaming import Listener, stream_of
from vimonet.language import GrowingText, without_repeats


@pytest.fixture(scope="module")
def assistant() -> Assistant:
    torch.set_num_threads(1)
    return Assistant(*tiny_model(), name="tiny")


@pytest.mark.parametrize(
    "text", ["a person kicks, then kicks, then turns.", "walking", "  yes", "kicking, then", "a, b, then b.", ""]
)
def test_growing_text_ends_as_the_whole_one(text: str) -> None:
    for size in (1, 3, 50):
        growing = GrowingText()
        pieces = [growing.add(text[k : k + size]) for k in range(0, len(text), size)]
        assert "".join(pieces) + growing.rest() == without_repeats(text.strip())


def test_each_prompt_of_a_batch_is_followed_by_its_own_listener(assistant: Assistant) -> None:
    questions = ["which arm", "what is the person doing", "how many people are there"]
    asked = [assistant.windows(assistant.builder(), question, tiny_motion(40)) for question in questions]
    heard: list[list[str]] = [[], [], []]
    listeners = [[Listener(one.append)] for one in heard]
    answers = assistant.answer_windows(asked, max_new_tokens=6, answer_policy="raw", listeners=listeners)
    alone = [assistant.ask(q, tiny_motion(40), max_new_tokens=6, answer_policy="raw").text for q in questions]
    assert ["".join(one) for one in heard] == [answer.text for answer in answers] == alone
    for (listener,), window in zip(listeners, asked, strict=True):
        assert listener.prompt_tokens == assistant.prepare_inputs(window)["input_ids"].shape[1]
        assert listener.tokens == 6 or listener.ended


def test_a_prompt_that_nobody_waits_for_ends_alone(assistant: Assistant) -> None:
    stays, leaves = Listener(), Listener()
    leaves.left = lambda: stays.tokens >= 2
    asked = [assistant.windows(assistant.builder(), "which arm", tiny_motion(40)) for _ in range(2)]
    whole = assistant.answer_windows(asked, max_new_tokens=12, answer_policy="raw")
    answers = assistant.answer_windows(asked, max_new_tokens=12, answer_policy="raw", listeners=[[stays], [leaves]])
    assert answers[0].text == whole[0].text and leaves.tokens <= 2 < stays.tokens


def test_a_stream_hands_on_the_error_of_its_thread() -> None:
    def work(on_text: object) -> str:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(stream_of(work))
    assert list(stream_of(lambda put: [put("a"), put("b")] and "abc")) == ["a", "b", "c"]
