"""Our greedy loop against the one of transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import tiny_model, tiny_motion
from transformers import Gemma2Config

from vimonet.inference.assistant import Assistant
from vimonet.inference.generating import with_shared_prefix
from vimonet.inference.greedy import greedy

QUESTIONS = ("which arm is raised", "what", "what is the person doing, to the left or to the right")
OTHER_FAMILY = Gemma2Config(
    vocab_size=400,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
)


@pytest.fixture(scope="module", params=["llama", "gemma2"])
def assistant(request: Any) -> Assistant:
    torch.set_num_threads(1)
    return Assistant(*tiny_model(**({"text_config": OTHER_FAMILY} if request.param == "gemma2" else {})))


def _by_transformers(model: Any, inputs: Any, longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    options: dict[str, Any] = {"max_new_tokens": longest, "do_sample": False, "eos_token_id": None}
    out = model.generate(**inputs, **options, return_dict_in_generate=True, output_logits=True)
    tokens = out.sequences[:, inputs["input_ids"].shape[1] :]
    shares = (torch.stack(out.logits, 1).float() / 1.5).softmax(-1)
    return tokens, shares.gather(-1, tokens[..., None])[..., 0]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_same_tokens_with_the_same_probabilities(assistant: Assistant, rows: int) -> None:
    inputs = assistant.prepare_inputs([(question, tiny_motion(40)) for question in QUESTIONS[:rows]])
    assert rows == 1 or not inputs["attention_mask"].bool().all()
    longest = 70  # more than a cache has room for at once
    tokens, probabilities = greedy(assistant.model, inputs, longest, [], temperature=1.5)
    wanted, shares = _by_transformers(assistant.model, inputs, longest)
    assert tokens.shape == (rows, longest) and torch.equal(tokens, wanted)
    torch.testing.assert_close(probabilities, shares, rtol=1e-3, atol=1e-5)


def test_a_shared_prefix_changes_no_token(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vimonet.inference.generating._WORTH", 4)
    motion = tiny_motion(40)
    inputs = assistant.prepare_inputs([(question, motion) for question in QUESTIONS])
    shared = with_shared_prefix(assistant.model, inputs)
    assert "past_key_values" in shared
    assert torch.equal(greedy(assistant.model, shared, 12, [])[0], greedy(assistant.model, inputs, 12, [])[0])


def test_it_ends_with_the_last_row(assistant: Assistant) -> None:
    inputs = assistant.prepare_inputs([(question, tiny_motion(40)) for question in QUESTIONS])
    whole, _ = greedy(assistant.model, inputs, 20, [])
    ends = {int(row[2]) for row in whole}
    first = [next(i for i, token in enumerate(row.tolist()) if token in ends) for row in whole]
    tokens, _ = greedy(assistant.model, inputs, 20, list(ends))
    assert tokens.shape[1] == max(first) + 1
    assert all(torch.equal(tokens[row, : n + 1], whole[row, : n + 1]) for row, n in enumerate(first))
    left = [[True, False, True], [False, True, False]]
    steps = iter(left)
    assert greedy(assistant.model, inputs, 20, [], follow=lambda tokens: next(steps))[0].shape[1] == 2
