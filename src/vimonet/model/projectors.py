"""Project the features of a tower to tokens of the language model.

`linear` and `mlp` give one token per feature. `attentive` reads the whole clip with a fixed number of learned queries,
so the number of tokens does not depend on the length, and its weights show which moments it attends to. It is the
paper's feature-selecting attention (ViMoNet, arXiv 2508.09818) in the form of a perceiver resampler (Flamingo, arXiv
2204.14198). Projectors normalise their input, since the scale of features before quantisation is arbitrary; released
video projectors do not.

Video features are first pooled to a token budget. Eight frames of 16 x 16 patches are 2,048 features, which the paper
passes on in full. Neighbouring patches are nearly equal: pooled to 5 x 6 per frame they are 240 tokens.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

Pooling = Literal["spatial", "temporal", "attentive", "none"]
Grid = tuple[int, int, int]
"""Frames, rows and columns of features."""
_CLOCK = 32
"""Width of the sinusoidal time embedding before its linear map."""


class LinearProjector(nn.Module):
    """Project each feature by a linear layer: [N, L, D] -> [N, L, H]."""

    def __init__(self, input_dim: int, output_dim: int, *, norm: bool = True):
        super().__init__()
        self.norm = nn.LayerNorm(input_dim) if norm else nn.Identity()
        self.linear = nn.Linear(input_dim, output_dim)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, None]:
        """Project features [N, L, D] to tokens [N, L, H] one by one; `mask` is not read."""
        return self.linear(self.norm(features)), None


class MLPProjector(nn.Module):
    """Project each feature by two layers with GELU (LLaVA-1.5, arXiv 2310.03744): [N, L, D] -> [N, L, H]."""

    def __init__(self, input_dim: int, output_dim: int, *, norm: bool = True):
        super().__init__()
        self.norm = nn.LayerNorm(input_dim) if norm else nn.Identity()
        self.linear_1 = nn.Linear(input_dim, output_dim)
        self.act = nn.GELU()
        self.linear_2 = nn.Linear(output_dim, output_dim)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, None]:
        """Project features [N, L, D] to tokens [N, L, H] one by one; `mask` is not read."""
        return self.linear_2(self.act(self.linear_1(self.norm(features)))), None


class AttentiveProjector(nn.Module):
    """Cross-attend from learned queries to the features over time: [N, L, D] -> [N, Q, H]."""

    def __init__(self, input_dim: int, output_dim: int, queries: int = 16, heads: int = 8):
        super().__init__()
        if output_dim % heads:
            raise ValueError(f"The language model's width {output_dim} is not a multiple of projector_heads={heads}.")
        self.heads = heads
        self.queries = nn.Parameter(torch.randn(queries, output_dim) * output_dim**-0.5)
        self.norm = nn.LayerNorm(input_dim)
        self.project = nn.Linear(input_dim, output_dim)
        self.query = nn.Linear(output_dim, output_dim)
        self.key = nn.Linear(output_dim, output_dim)
        self.value = nn.Linear(output_dim, output_dim)
        self.output = nn.Linear(output_dim, output_dim)
        self.norm_2 = nn.LayerNorm(output_dim)
        self.mlp = nn.Sequential(
            nn.Linear(output_dim, 2 * output_dim), nn.GELU(), nn.Linear(2 * output_dim, output_dim)
        )

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pool clips to a fixed number of tokens.

        Args:
            features: [N, L, D].
            mask: bool [N, L], False on padding; None: no padding.

        Returns:
            Tokens [N, Q, H] and the attention weights [N, heads, Q, L], which sum to 1 over the unpadded L.
        """
        n, length, _ = features.shape
        width = self.queries.shape[-1]
        hidden = self.project(self.norm(features))
        # Keys carry a time embedding and values do not: a query selects by time and reads content.
        keys = self.key(hidden + sinusoids(length, width, hidden.device).to(hidden.dtype))
        queries = self.query(self.queries).expand(n, -1, -1)
        q, k, v = (self._split(x) for x in (queries, keys, self.value(hidden)))
        scores = (q @ k.transpose(-1, -2)).float() * (width // self.heads) ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1)
        pooled = (weights.to(v.dtype) @ v).transpose(1, 2).reshape(n, -1, width)
        tokens = self.queries + self.output(pooled)
        return tokens + self.mlp(self.norm_2(tokens)), weights

    def _split(self, x: Tensor) -> Tensor:
        """Split heads: [N, L, H] -> [N, heads, L, H / heads]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def build_projector(
    kind: str, input_dim: int, output_dim: int, *, queries: int = 16, heads: int = 8, norm: bool = True
) -> nn.Module:
    """Build a projector, a module from ``(features, mask)`` to ``(tokens, attention weights or None)``.

    Args:
        kind: ``linear``, ``mlp`` or ``attentive``.
        input_dim, output_dim: widths of tower and language model.
        queries, heads: of an attentive projector.
        norm: whether a ``linear`` or ``mlp`` projector normalises its input.

    Raises:
        ValueError: unknown kind.
    """
    if kind == "linear":
        return LinearProjector(input_dim, output_dim, norm=norm)
    if kind == "mlp":
        return MLPProjector(input_dim, output_dim, norm=norm)
    if kind == "attentive":
        return AttentiveProjector(input_dim, output_dim, queries, heads)
    raise ValueError(f"projector is {kind!r}; expected 'linear', 'mlp' or 'attentive'.")


class VideoProjector(nn.Module):
    """Pool a video tower's features to a token budget, then project them: [N, F, P, D] -> [N, K, H].

    Args:
        kind: ``linear`` or ``mlp`` (paper), after pooling; ``attentive``: a linear layer, then attentive pooling at
            the language model's width, which costs a fraction of attention to the tower's wide features.
        input_dim, output_dim: widths of tower and language model.
        norm: whether features are normalised before projection.
        pooling, rows, columns, budget, heads: see `build_pooling`.
    """

    def __init__(
        self,
        kind: str,
        input_dim: int,
        output_dim: int,
        *,
        norm: bool = True,
        pooling: Any = "spatial",
        rows: int,
        columns: int,
        budget: int = 256,
        heads: int = 8,
    ):
        super().__init__()
        self.pools_last = kind == "attentive"
        width = output_dim if self.pools_last else input_dim
        self.pooling = build_pooling(pooling, width, rows, columns, budget, heads)
        self.translator = build_projector("linear" if self.pools_last else kind, input_dim, output_dim, norm=norm)

    def forward(self, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pool and project clips.

        Args:
            features: [N, F, P, D].
            places: places in time, [N, F].

        Returns:
            Tokens [N, K, H]; their places in time [N, K]; weights of attentive pooling [N, heads, K, F, P] or None.
        """
        if self.pools_last:
            return self.pooling(self.translator(features)[0], places)
        pooled, token_places, weights = self.pooling(features, places)
        return self.translator(pooled)[0], token_places, weights


class Projectors(nn.Module):
    """Hold the projectors of all modalities, which are trained, frozen and saved as one part.

    With `time` a learned time embedding (shared by all modalities) is added to each token. Rotary positions encode the
    distance of two tokens but not the time of one, which questions such as "is A before B?" need.
    """

    def __init__(
        self,
        kind: str,
        input_dims: dict[str, int],
        output_dim: int,
        *,
        queries: int = 16,
        heads: int = 8,
        time: bool = False,
        video: dict[str, Any] | None = None,
    ):
        super().__init__()
        # The keys of an attentive projector have a time embedding already, and its tokens belong to no single time.
        self.clock = nn.Linear(_CLOCK, output_dim, bias=False) if time and kind != "attentive" else None
        for name, input_dim in input_dims.items():
            self.add_module(name, build_projector(kind, input_dim, output_dim, queries=queries, heads=heads))
        if video is not None:
            self.add_module("video", VideoProjector(output_dim=output_dim, heads=heads, **video))

    def forward(
        self, features: Tensor, name: str, mask: Tensor | None = None, places: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Project features of one modality.

        Args:
            features: [N, L, D]; for ``video`` [N, F, P, D].
            name: ``motion``, ``keypoint`` or ``video``.
            mask: bool [N, L], False on padding; not read for video.
            places: places in time of video, [N, F], in units of motion tokens, so that both modalities share a scale.

        Returns:
            Tokens, and attention weights or None, as the projector of that name.
        """
        if name == "video":
            tokens, places, weights = self.get_submodule(name)(features, places)
        else:
            tokens, weights = self.get_submodule(name)(features, mask)
            places = torch.arange(tokens.shape[1], device=tokens.device)
        return tokens + self.time_code(places).to(tokens.dtype), weights

    def time_code(self, places: Tensor) -> Tensor:
        """Embed places in time: [...] -> [..., H], or 0 in a model without `time`."""
        if self.clock is None:
            return torch.zeros((), device=places.device)
        return self.clock(place_code(places, _CLOCK).to(self.clock.weight.dtype))


def place_code(places: Tensor, width: int) -> Tensor:
    """Compute the sinusoidal embedding of places, which may be fractional: [...] -> float32 [..., width]."""
    half = width // 2
    steps = torch.arange(half, device=places.device, dtype=torch.float32)
    rate = torch.exp(steps * (-math.log(10_000.0) / max(1, half - 1)))
    angle = places.to(torch.float32)[..., None] * rate
    return nn.functional.pad(torch.cat([angle.sin(), angle.cos()], dim=-1), (0, width - 2 * half))


def sinusoids(length: int, width: int, device: torch.device | None = None) -> Tensor:
    """Compute the embedding of places 0 to length - 1: float32 [length, width]."""
    return place_code(torch.arange(length, device=device), width)


def pooled_grid(kind: Pooling, grid: Grid, budget: int) -> Grid:
    """Compute the grid after pooling; (1, 1, budget) for ``attentive``.

    ``spatial`` keeps all frames if each can have a token, ``temporal`` all patches if those of one frame fit; the other
    axis is pooled to the budget. No axis grows.
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
    """Count the tokens of a clip after pooling."""
    frames, rows, columns = pooled_grid(kind, grid, budget)
    return frames * rows * columns


class GridPooling(nn.Module):
    """Average neighbouring patches or frames."""

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
    """Cross-attend from learned queries to all patches of all frames (Flamingo's resampler, arXiv 2204.14198)."""

    def __init__(self, width: int, queries: int, heads: int):
        super().__init__()
        if width % heads:
            raise ValueError(f"The video features' width {width} is not a multiple of projector_heads={heads}.")
        self.queries = nn.Parameter(torch.randn(queries, width) * width**-0.5)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pool clips.

        Args:
            features: [N, F, P, D].
            places: [N, F] places in time.

        Returns:
            Tokens [N, Q, D]; their mean place in time under the attention weights, [N, Q]; the weights
            [N, heads, Q, F, P], which sum to 1 over F and P.
        """
        n, frames, patches, width = features.shape
        hidden = self.norm(features)
        # Keys carry place and time. Values carry the place ("left of the chair") but not the time, as in the projector.
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
    """Build a pooling module from ``(features, places)`` to ``(tokens, places, attention weights or None)``."""
    if kind == "attentive":
        return AttentivePooling(width, budget, heads)
    return GridPooling(kind, rows, columns, budget)
