"""Generate the answers to many prompts in few batches, greedily, with confidences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from vimonet.inference.greedy import greedy
from vimonet.inference.shared_prefix import with_shared_prefix
from vimonet.inference.streaming import Listener, RowStreamer
from vimonet.language import without_repeats

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant
    from vimonet.inference.windows import WindowInput

_BATCH = 32


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
        results.update(zip(chosen, _generate_batch(assistant, inputs, max_new_tokens, following), strict=True))
    return [results[i] for i in range(len(windows))]


def _generate_batch(
    assistant: Assistant, inputs: dict[str, torch.Tensor], max_new_tokens: int, listeners: Sequence[Listener] | None
) -> list[tuple[str, float]]:
    ends, temperature = _ends(assistant), assistant.config.confidence_temperature
    streamer = None if listeners is None else RowStreamer(assistant.processor.tokenizer, listeners, ends)
    follow = None if streamer is None else streamer.put
    tokens, probabilities = greedy(assistant.model, inputs, max_new_tokens, ends, temperature, follow)
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


def is_end(assistant: Assistant, tokens: torch.Tensor) -> torch.Tensor:
    """Mark the tokens that end an answer, bool of the same shape."""
    return torch.isin(tokens, torch.tensor(_ends(assistant), device=tokens.device))


def _ends(assistant: Assistant) -> list[int]:
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
