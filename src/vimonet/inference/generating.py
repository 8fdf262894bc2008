"""Generate the answers to many prompts in few batches, greedily, with confidences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from vimonet.inference.greedy import greedy
from vimonet.inference.shared_prefix import with_shared_prefix
from vimonet.language import RESTATEMENT_END, RESTATEMENT_OPENERS, without_repeats
from vimonet.model.configuration_vimonet import RESTATEMENT

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant
    from vimonet.inference.streaming import Listener
    from vimonet.inference.windows import WindowInput

_BATCH = 32
MAX_RESTATEMENT = 32
"""Most tokens of a restated question; they do not count as the answer's."""


class Said(NamedTuple):
    """Hold what a model said: its answer, the confidence of that, and the restated question before it, or ""."""

    text: str
    confidence: float
    restatement: str = ""


class AnswerStart:
    """Find where an answer begins in the tokens of a row: behind the restated question, if the model restates it.

    Args:
        tokenizer: of the model.
        restates: whether the prompt asks for restatements (part ``restatement`` of the context).
        max_new_tokens: length limit of an answer.
    """

    def __init__(self, tokenizer: Any, restates: bool, max_new_tokens: int) -> None:
        self._most = max_new_tokens
        self._end = tokenizer.convert_tokens_to_ids(RESTATEMENT_END) if restates else None
        openers = RESTATEMENT_OPENERS if restates else ()
        self._openers = {tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in openers}

    def __call__(self, tokens: Sequence[int]) -> int | None:
        """Return the index of the answer's first token; None while the question is being restated."""
        if not tokens or tokens[0] not in self._openers:
            return 0
        return tokens.index(self._end) + 1 if self._end in tokens else None

    def limit(self, tokens: Sequence[int]) -> int:
        """Return the most tokens of a row."""
        start = self(tokens)
        return (MAX_RESTATEMENT if start is None else start) + self._most


def generate(
    assistant: Assistant,
    windows: Sequence[WindowInput],
    max_new_tokens: int,
    listeners: Sequence[Listener] | None = None,
) -> list[Said]:
    """Generate the answer to every prompt, in order.

    Prompts of similar length share a batch; for a model with a context, those that differ in their question alone.

    Args:
        assistant: model and processor.
        windows: the prompts.
        max_new_tokens: length limit of an answer, beside the restated question before it.
        listeners: one per prompt, who follow its generation; None for none.
    """
    results: dict[int, Said] = {}
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
) -> list[Said]:
    ends, temperature = _ends(assistant), assistant.config.confidence_temperature
    restates = RESTATEMENT in assistant.config.context
    tokenizer = assistant.processor.tokenizer
    start_of = AnswerStart(tokenizer, restates, max_new_tokens)
    streamer = None
    if listeners is not None:
        from vimonet.inference.streaming import RowStreamer

        streamer = RowStreamer(tokenizer, listeners, ends, start_of)
    follow = None if streamer is None else streamer.put
    most = max_new_tokens + MAX_RESTATEMENT * restates
    tokens, probabilities = greedy(assistant.model, inputs, most, ends, temperature, follow)
    if streamer is not None:
        streamer.end()
    ended = is_end(assistant, tokens)
    results = []
    for row in range(len(tokens)):
        stops = torch.nonzero(ended[row]).flatten()
        length = int(stops[0]) if len(stops) else tokens.shape[1]
        said = tokens[row, :length].tolist()
        start, length = start_of(said) or 0, min(length, start_of.limit(said))
        # An empty answer has the probability of its end token.
        of_tokens = probabilities[row, start : max(length, start + 1)]
        confidence = float(of_tokens.min() if assistant.config.confidence == "least" else of_tokens.mean())
        restatement, text = (
            assistant.processor.decode(part, skip_special_tokens=True).strip()
            for part in (said[:start], said[start:length])
        )
        results.append(Said(without_repeats(text), confidence, restatement))
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
