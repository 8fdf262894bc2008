"""Read what several prompts share once: the context and the clips of a recording, before each of its questions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vimonet.model.generation import CLIP_INPUTS

_WORTH = 64
"""Least number of shared tokens that are worth a forward pass of their own."""


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
