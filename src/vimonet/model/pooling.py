"""Pool a video tower's features to a token budget, and encode places in time.

Eight frames of 16 x 16 patches are 2,048 features, which the paper's line feeds whole. Neighbouring patches are nearly
equal: pooled to 5 x 6 per frame they are 240 tokens, and every moment keeps its own.
"""

from __future__ import annotations

import math
from typing import Literal

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


Pooling = Literal["spatial", "temporal", "attentive", "none"]
Grid = tuple[int, int, int]
"""Frames, rows and columns of features."""


def pooled_grid(kind: Pooling, grid: Grid, budget: int) -> Grid:
    """Frames, rows and columns that are left after pooling; for ``attentive`` the queries, as (1, 1, budget).

    ``spatial`` keeps all frames as long as there is a token for each, ``temporal`` all patches as long as one frame of
    them fits; what does not fit is pooled along the other axis too. Nothing is ever made larger.
    """
    frames, rows, columns = grid
    if kind == "attentive":
        return 1, 1, budget
    if kind == "none" or frames * rows * columns <= budget:
        return grid
    if kind == "temporal":
        frames = max(1, min(frames, budget // (rows * columns)))
    else:
        frames = min(frames, budget)
    share = budget // frames
    if rows * columns > share:
        # As square as the budget allows: 32 per frame become 5 x 6.
        rows = min(rows, max(1, int(share**0.5)))
        columns = min(columns, share // rows)
    return frames, rows, columns


def count_tokens(kind: Pooling, grid: Grid, budget: int) -> int:
    """Language tokens that a clip of so many features becomes."""
    frames, rows, columns = pooled_grid(kind, grid, budget)
    return frames * rows * columns


class GridPooling(nn.Module):
    """Means over neighbouring patches or frames."""

    def __init__(self, kind: Pooling, rows: int, columns: int, budget: int):
        super().__init__()
        self.kind, self.rows, self.columns, self.budget = kind, rows, columns, budget

    def forward(self, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor, None]:
        """Pool clips.

        Args:
            features: [N, F, P, D]; P is rows * columns.
            places: [N, F] places in time.

        Returns:
            Tokens [N, K, D], frame by frame and row by row; their places in time [N, K]; None.
        """
        n, frames, _, width = features.shape
        grid = pooled_grid(self.kind, (frames, self.rows, self.columns), self.budget)
        if grid != (frames, self.rows, self.columns):
            volume = features.transpose(2, 3).reshape(n, frames, width, self.rows, self.columns)
            pooled = nn.functional.adaptive_avg_pool3d(volume.transpose(1, 2), grid)
            features = pooled.permute(0, 2, 3, 4, 1)
            places = nn.functional.adaptive_avg_pool1d(places.float()[:, None], grid[0])[:, 0]
        return features.reshape(n, -1, width), places.repeat_interleave(grid[1] * grid[2], dim=1), None


class AttentivePooling(nn.Module):
    """Learned queries look at all patches of all frames (perceiver resampler, Flamingo, arXiv 2204.14198)."""

    def __init__(self, width: int, queries: int, heads: int):
        super().__init__()
        if width % heads:
            raise ValueError(f"The video tower's width {width} is not a multiple of projector_heads={heads}.")
        self.queries = nn.Parameter(torch.randn(queries, width) * width**-0.5)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pool clips.

        Args:
            features: [N, F, P, D].
            places: [N, F] places in time.

        Returns:
            Tokens [N, Q, D]; the moments they looked at, [N, Q]: the mean place in time under their weights; the
            weights [N, heads, Q, F, P], which sum to 1 over F and P.
        """
        n, frames, patches, width = features.shape
        hidden = self.norm(features)
        # Keys know where and when they are. Values know where: "left of the chair" must be sayable; but not when, as in
        # the projector.
        when = place_code(places.float(), width)[:, :, None].to(hidden.dtype)
        where = place_code(torch.arange(patches, device=features.device), width)[None, None].flip(-1).to(hidden.dtype)
        hidden = hidden + where
        queries = self.queries.expand(n, -1, -1).to(hidden.dtype)
        flat = ((hidden + when).flatten(1, 2), hidden.flatten(1, 2))
        pooled, weights = self.attention(queries, *flat, average_attn_weights=False)
        weights = weights.float().unflatten(-1, (frames, patches))
        looked = torch.einsum("nhqfp,nf->nq", weights, places.float()) / weights.shape[1]
        return queries + pooled, looked, weights


def build_pooling(kind: Pooling, width: int, rows: int, columns: int, budget: int, heads: int) -> nn.Module:
    """The pooling of that name; all take ``(features, places)`` and give ``(tokens, places, weights or None)``."""
    if kind == "attentive":
        return AttentivePooling(width, budget, heads)
    return GridPooling(kind, rows, columns, budget)
