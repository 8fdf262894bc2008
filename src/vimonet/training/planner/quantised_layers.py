"""A language model in 4 bits on the meta device: the bytes of bitsandbytes' NF4 layers, without bitsandbytes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_BLOCK, _OUTER = 64, 256
"""Weights that share a scale, and scales that share one of their own (double quantisation)."""


class _Linear(torch.autograd.Function):
    """A layer whose weight is written out for every product, forward and backward, and not kept in between."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, packed: Tensor, shape: torch.Size) -> Tensor:
        ctx.shape, ctx.dtype = shape, x.dtype
        ctx.save_for_backward(packed)
        return F.linear(x, torch.empty(shape, dtype=x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] @ torch.empty(ctx.shape, dtype=grads[0].dtype), None, None


class Linear4bit(nn.Linear):
    """Linear layer held in NF4 with double quantisation (QLoRA, arXiv 2305.14314): 4.127 bits a weight."""

    def __init__(self, layer: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.bias = layer.in_features, layer.out_features, layer.bias
        self.shape = layer.weight.shape
        count = layer.weight.numel()
        held = count // 2 + -(-count // _BLOCK) + 4 * -(-count // (_BLOCK * _OUTER))
        self.weight = nn.Parameter(torch.empty(held, dtype=torch.uint8, device=layer.weight.device), False)

    def forward(self, input: Tensor) -> Tensor:
        """[..., in_features] to [..., out_features]."""
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
        out = _Linear.apply(input.to(dtype), self.weight, self.shape)
        return out if self.bias is None else out + self.bias.to(dtype)


def quantise(language_model: Any) -> None:
    """Put 4-bit layers in the place of the linear ones, the head left as it is."""
    head = language_model.get_output_embeddings()
    for module in list(language_model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear and child is not head:
                setattr(module, name, Linear4bit(child))
