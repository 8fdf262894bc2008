"""Generate greedily: read all prompts in one pass, then take the likeliest token of every row, step by step.

Beside the matrices of a small language model, the bookkeeping of transformers' `generate` and of its caches takes as
long as the matrices. A step of a Llama here calls its layers alone: keys and values go into room that is kept for them,
and the query heads of a group read their keys together instead of copies of them. Other language models take the same
loop with their own forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_ROOM = 64
"""Tokens for which a cache gets room at once."""


@torch.inference_mode()
def greedy(
    model: Any,
    inputs: dict[str, Any],
    max_new_tokens: int,
    ends: Sequence[int],
    temperature: float = 1.0,
    follow: Callable[[list[int]], list[bool]] | None = None,
    weigh: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Generate the tokens of every row until all rows have ended.

    Args:
        model: a `ViMoNetForConditionalGeneration`.
        inputs: from `Assistant.prepare_inputs`, padded on the left, or from `with_shared_prefix`.
        max_new_tokens: length limit of a row.
        ends: ids of the tokens that end a row.
        temperature: by which logits are divided before they become probabilities.
        follow: called at each step with every row's new token; returns for each row True to stop it.
        weigh: called with the logits of the first token, [B, V]; returns those to choose from.

    Returns:
        Tokens, int64 [rows B, steps S], and the probability of each, float32 [B, S]; ignore what follows a row's end.
    """
    inputs = dict(inputs)
    mask, cache = inputs.pop("attention_mask"), inputs.pop("past_key_values", None)
    read = 0 if cache is None else cache.get_seq_length()
    places = mask.cumsum(1) - 1  # padding takes no place
    output = model(
        **inputs | {"input_ids": inputs["input_ids"][:, read:]},
        attention_mask=mask,
        position_ids=places[:, read:].clamp(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    step_of = _LlamaStep if model.language_model.config.model_type == "llama" else _Step
    step = step_of(model.language_model, output.past_key_values, mask, places[:, -1])
    logits, ended = output.logits[:, -1], torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
    logits = logits if weigh is None else weigh(logits)
    stops = torch.tensor(list(ends), device=mask.device)
    tokens, probabilities = [], []
    while True:
        token = logits.argmax(-1)
        tokens.append(token)
        probabilities.append((logits.float() / temperature).softmax(-1).gather(-1, token[:, None])[:, 0])
        ended = ended | torch.isin(token, stops)
        if follow is not None:
            ended = ended | torch.tensor(follow(token.tolist()), device=mask.device)
        if len(tokens) == max_new_tokens or bool(ended.all()):
            return torch.stack(tokens, 1), torch.stack(probabilities, 1)
        logits = step(token)


class _Step:
    """Run a language model on one more token of every row.

    Args:
        language_model: a causal language model with its head.
        cache: of its pass over the prompts.
        mask: [B, L] of the prompts, 0 on padding.
        places: position of the last token of every row, [B].
    """

    def __init__(self, language_model: Any, cache: Any, mask: Tensor, places: Tensor) -> None:
        self.language_model, self.cache, self.mask, self.places = language_model, cache, mask, places

    def __call__(self, tokens: Tensor) -> Tensor:
        """Compute the logits [B, V] after the tokens [B]."""
        self.places = self.places + 1
        self.mask = nn.functional.pad(self.mask, (0, 1), value=1)
        output = self.language_model(
            input_ids=tokens[:, None],
            attention_mask=self.mask,
            position_ids=self.places[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


class _LlamaStep(_Step):
    """Run the layers of a Llama alone; arguments as `_Step`."""

    def __init__(self, language_model: Any, cache: Any, mask: Tensor, places: Tensor) -> None:
        super().__init__(language_model, cache, mask, places)
        self.length = mask.shape[1]
        self.caches = [[layer.keys, layer.values] for layer in cache.layers]  # of each [B, heads, L, D]
        unseen = torch.zeros_like(mask, dtype=language_model.dtype).masked_fill(mask == 0, float("-inf"))
        self.bias = None if bool(mask.all()) else unseen[:, None, None]  # [B, 1, 1, L]

    def __call__(self, tokens: Tensor) -> Tensor:
        """Compute the logits [B, V] after the tokens [B]."""
        if self.length == self.caches[0][0].shape[2]:
            self.caches = [[nn.functional.pad(part, (0, 0, 0, _ROOM)) for part in pair] for pair in self.caches]
            self.bias = None if self.bias is None else nn.functional.pad(self.bias, (0, _ROOM))
        self.places, self.length = self.places + 1, self.length + 1
        body = self.language_model.base_model
        hidden = body.embed_tokens(tokens)
        turn = [part[0][:, None] for part in body.rotary_emb(hidden, self.places[None])]  # [B, 1, D]
        bias = None if self.bias is None else self.bias[..., : self.length]
        for layer, (keys, values) in zip(body.layers, self.caches, strict=True):
            hidden = hidden + self._attend(layer.self_attn, layer.input_layernorm(hidden), turn, keys, values, bias)
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        logits: Tensor = self.language_model.get_output_embeddings()(body.norm(hidden))
        return logits

    def _attend(self, attention: Any, hidden: Tensor, turn: Any, keys: Tensor, values: Tensor, bias: Any) -> Tensor:
        rows, heads, _, width = keys.shape
        cos, sin = turn
        for new, kept in ((attention.k_proj(hidden), keys), (attention.v_proj(hidden), values)):
            new = new.view(rows, heads, width)
            kept[:, :, self.length - 1] = _rotated(new, cos, sin) if kept is keys else new
        asked = _rotated(attention.q_proj(hidden).view(rows, -1, width), cos, sin)
        found = nn.functional.scaled_dot_product_attention(
            asked.view(rows, heads, -1, width),  # the heads of a group as if they were moments
            keys[:, :, : self.length],
            values[:, :, : self.length],
            attn_mask=bias,
            scale=attention.scaling,
        )
        projected: Tensor = attention.o_proj(found.reshape(rows, -1))
        return projected


def _rotated(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-second, first), dim=-1) * sin
