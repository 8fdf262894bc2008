"""Fixed position code of the transformer (arXiv 1706.03762)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def place_code(places: Tensor, width: int) -> Tensor:
    """Sines and cosines of places, which need not be whole numbers: [...] to float32 [..., width]."""
    half = width // 2
    steps = torch.arange(half, device=places.device, dtype=torch.float32)
    rate = torch.exp(steps * (-math.log(10_000.0) / max(1, half - 1)))
    angle = places.to(torch.float32)[..., None] * rate
    return nn.functional.pad(torch.cat([angle.sin(), angle.cos()], dim=-1), (0, width - 2 * half))


def sinusoids(length: int, width: int, device: torch.device | None = None) -> Tensor:
    """The code of places 0, 1, ... length - 1: float32 [length, width]."""
    return place_code(torch.arange(length, device=device), width)


__all__ = ["place_code", "sinusoids"]
