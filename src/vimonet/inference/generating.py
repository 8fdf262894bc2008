"""Generate the answers to many prompts in few batches, greedily, with confidences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vimonet.inference.greedy import greedy
from vimonet.inference.streaming import Listener, RowStreamer
from vimonet.language import without_repeats
from vimonet.model.action_matching import weigh
from vimonet.model.generation import CLIP_INPUTS

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant
    from vimonet.inference.windows import WindowInput

_BATCH = 32

_WORTH = 64
"""Least number of shared tokens that are worth a forward pass of their own."""


def generate(
    assistant: Assistant,
    windows: Sequence[WindowInput],
    max_new_tokens: int,
    listeners: Sequence[Listener] | None = None,
) -> list[tuple[str, float]]:
    """Generate text and confidence for every prompt, in order.

    Prompts of similar length share a batch; for a model with a context, those that differ in their question alone.

    Args:
        assistant: model and processor.
        windows: the prompts.
        max_new_tokens: length limit of an answer.
        listeners: one per prompt, who follow its generation; None for none.
    """
    results: dict[int, tuple[str, float]] = {}
    context = assistant.config.context
    for chosen in _same_prompt(windows) if context else _similar_length(windows):
        following = None if listeners is None else [listeners[i] for i in chosen]
        inputs = assistant.prepare_inputs([windows[i] for i in chosen])
        for row, listener in enumerate(following or ()):
            listener.prompt_tokens = int(inputs["attention_mask"][row].sum())
        if context:
            inputs = with_shared_prefix(assistant.model, inputs)
        weighs = weigher(assistant, [windows[i] for i in chosen])
        results.update(zip(chosen, _generate_batch(assistant, inputs, max_new_tokens, following, weighs), strict=True))
    return [results[i] for i in range(len(windows))]


def weigher(assistant: Assistant, windows: Sequence[WindowInput]) -> Callable[[Tensor], Tensor] | None:
    """Make the function that weighs yes against no by the recognised actions of prompts.

    None for a model without a matcher, or whose tokenizer begins both words alike.
    """
    reader, tokenizer = assistant.reader, assistant.processor.tokenizer
    if reader is None or reader.matcher is None or not any(window.actions for window in windows):
        return None
    yes, no = (tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("yes", "no"))
    if yes == no:
        return None
    log_odds = reader.log_odds([(one.question, one.actions) for one in windows])
    return partial(weigh, log_odds=log_odds, yes=yes, no=no, weights=assistant.config.yes_no_weights)


def _generate_batch(
    assistant: Assistant,
    inputs: dict[str, Tensor],
    max_new_tokens: int,
    listeners: Sequence[Listener] | None,
    weighs: Callable[[Tensor], Tensor] | None,
) -> list[tuple[str, float]]:
    ends, temperature = ends_of(assistant), assistant.config.confidence_temperature
    streamer = None if listeners is None else RowStreamer(assistant.processor.tokenizer, listeners, ends)
    follow = None if streamer is None else streamer.put
    tokens, probabilities = greedy(assistant.model, inputs, max_new_tokens, ends, temperature, follow, weighs)
    if streamer is not None:
        streamer.end()
    ended = is_end(assistant, tokens)
    results = []
    for row in range(len(tokens)):
        stops = torch.nonzero(ended[row]).flatten()
        length = int(stops[0]) if len(stops) else tokens.shape[1]
        # An empty answer has the probability of its end token.
        of_tokens = probabilities[row, : max(length, 1)]
        confidence = float(of_tokens.min() if assistant.config.confidence == "least" else of_tokens.mean())
        text = assistant.processor.decode(tokens[row, :length], skip_special_tokens=True).strip()
        results.append((without_repeats(text), confidence))
    return results


def is_end(assistant: Assistant, tokens: Tensor) -> Tensor:
    """Mark the tokens that end an answer, bool of the same shape."""
    return torch.isin(tokens, torch.tensor(ends_of(assistant), device=tokens.device))


def ends_of(assistant: Assistant) -> list[int]:
    """List the ids of the tokens that end an answer."""
    ends = assistant.model.generation_config.eos_token_id
    return [ends] if isinstance(ends, int) else list(ends or [assistant.processor.tokenizer.eos_token_id])


def _similar_length(windows: Sequence[WindowInput]) -> list[list[int]]:
    order = sorted(range(len(windows)), key=lambda i: windows[i].size)
    return [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]


def _same_prompt(windows: Sequence[WindowInput]) -> list[list[int]]:
    """Group the indices of windows whose prompts differ in the question alone, at most `_BATCH` a group."""
    groups: dict[Any, list[int]] = {}
    for i, window in enumerate(windows):
        clips = tuple(id(clip) for clip in (*window.motions, *window.videos))
        groups.setdefault((clips, window.context, window.tokens, window.history), []).append(i)
    return [group[a : a + _BATCH] for group in groups.values() for a in range(0, len(group), _BATCH)]


@torch.inference_mode()
def with_shared_prefix(model: Any, inputs: Any) -> dict[str, Any]:
    """Replace the shared start of all rows by its cache, computed for one row.

    Args:
        model: a `ViMoNetForConditionalGeneration`.
        inputs: from `Assistant.prepare_inputs`, padded on the left; every row has the same clips.

    Returns:
        Inputs of `greedy` with ``past_key_values``; the inputs as they are for one row or a short prefix.
    """
    inputs = dict(inputs)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    rows = [row[kept.bool()] for row, kept in zip(ids, mask, strict=True)]
    shared = _shared_tokens(rows)
    if len(rows) < 2 or shared < _WORTH:
        return inputs
    clips = {name: inputs.pop(name) for names in CLIP_INPUTS.values() for name in names if name in inputs}
    one = {name: value[: len(value) // len(rows)] for name, value in clips.items()}
    prefix = rows[0][None, :shared]
    first = model(input_ids=prefix, attention_mask=torch.ones_like(prefix), use_cache=True, logits_to_keep=1, **one)
    cache = first.past_key_values
    cache.batch_repeat_interleave(len(rows))
    rest = [row[shared:] for row in rows]
    longest = max(len(row) for row in rest)
    pad = torch.full((len(rows), longest), int(model.config.pad_token_id), dtype=ids.dtype, device=ids.device)
    there = torch.zeros_like(pad)
    for number, row in enumerate(rest):
        pad[number, longest - len(row) :], there[number, longest - len(row) :] = row, 1
    head = prefix.expand(len(rows), -1)
    return {
        **inputs,
        "input_ids": torch.cat([head, pad], 1),
        "attention_mask": torch.cat([torch.ones_like(head), there], 1),
        "past_key_values": cache,
    }


def _shared_tokens(rows: list[Tensor]) -> int:
    """Count the tokens that all rows begin with; each keeps at least one of its own."""
    most = min(len(row) for row in rows) - 1
    same = torch.stack([row[:most] == rows[0][:most] for row in rows]).all(0)
    return int(same.long().cumprod(0).sum())
