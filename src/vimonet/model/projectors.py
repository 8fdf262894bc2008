"""Modality projectors: from a tower's features to tokens the language model can read.

`linear` and `mlp` keep one token per feature, in time. `attentive` reads the whole clip with a fixed number of learned
queries, so a long clip costs no more than a short one, and its weights say which moments mattered. This is the paper's
"attention that picks the features that matter" (ViMoNet, arXiv 2508.09818), in the form of a perceiver resampler
(Flamingo, arXiv 2204.14198).

Every projector first normalises its input: the features come before quantisation, where their scale is whatever
training left. (Released projectors of video do not, and can be had without.)

A video's features are pooled to a token budget first. Eight frames of 16 x 16 patches are 2,048 features, which the
paper's line feeds whole. Neighbouring patches are nearly equal: pooled to 5 x 6 per frame they are 240 tokens, and
every moment keeps its own.
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
"""Sinusoids of the place in time."""


class LinearProjector(nn.Module):
    """One linear map per feature: [N, L, D] -> [N, L, H]."""

    def __init__(self, input_dim: int, output_dim: int, *, norm: bool = True):
        super().__init__()
        self.norm = nn.LayerNorm(input_dim) if norm else nn.Identity()
        self.linear = nn.Linear(input_dim, output_dim)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, None]:
        """Features [N, L, D] to tokens [N, L, H]; `mask` is not needed, every feature is translated alone."""
        return self.linear(self.norm(features)), None


class MLPProjector(nn.Module):
    """Two layers with GELU (LLaVA-1.5, arXiv 2310.03744): [N, L, D] -> [N, L, H]."""

    def __init__(self, input_dim: int, output_dim: int, *, norm: bool = True):
        super().__init__()
        self.norm = nn.LayerNorm(input_dim) if norm else nn.Identity()
        self.linear_1 = nn.Linear(input_dim, output_dim)
        self.act = nn.GELU()
        self.linear_2 = nn.Linear(output_dim, output_dim)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, None]:
        """Features [N, L, D] to tokens [N, L, H]; `mask` is not needed, every feature is translated alone."""
        return self.linear_2(self.act(self.linear_1(self.norm(features)))), None


class AttentiveProjector(nn.Module):
    """Learned queries cross-attend to the features over time: [N, L, D] -> [N, Q, H]."""

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
        """Pool a clip into a fixed number of tokens.

        Args:
            features: [N, L, D].
            mask: bool [N, L], False where a feature is padding; None when none is.

        Returns:
            Tokens [N, Q, H] and the attention weights [N, heads, Q, L], which sum to 1 over the unpadded L.
        """
        n, length, _ = features.shape
        width = self.queries.shape[-1]
        hidden = self.project(self.norm(features))
        # Keys know their place in time, values do not: a query can ask for "late", and is told what happened there.
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
        """[N, L, H] -> [N, heads, L, H / heads]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def build_projector(
    kind: str, input_dim: int, output_dim: int, *, queries: int = 16, heads: int = 8, norm: bool = True
) -> nn.Module:
    """Make the projector of that name; all take ``(features, mask)`` and return ``(tokens, weights or None)``. Without
    `norm` a ``linear`` or ``mlp`` one reads features as they come.

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
    """Pools a video tower's features to a budget, then translates each: [N, F, P, D] -> [N, K, H].

    Args:
        kind: ``linear`` or ``mlp`` (the paper's, for video).
        norm: whether the pooled features are normalised before they are translated.
        input_dim, output_dim: widths of tower and language model.
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
        self.pooling = build_pooling(pooling, input_dim, rows, columns, budget, heads)
        self.translator = build_projector(kind, input_dim, output_dim, norm=norm)

    def forward(self, features: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Translate clips.

        Args:
            features: [N, F, P, D].
            places: [N, F] places in time.

        Returns:
            Tokens [N, K, H]; their places in time [N, K]; the weights of attentive pooling [N, heads, K, F, P], None
            for the others.
        """
        pooled, token_places, weights = self.pooling(features, places)
        return self.translator(pooled)[0], token_places, weights


class Projectors(nn.Module):
    """One projector per kind of input, under one roof so that they train, freeze and travel as one part.

    With `time` every token also carries its place in the clip (a learned map of sinusoids, shared by all inputs). A
    language model with rotary positions knows how far apart two tokens are, but what it reads out of a token does not
    say when that token was; "is A before B?" needs just that.
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
        # The attentive projector's keys know their place already, and its tokens are of no one moment.
        self.clock = nn.Linear(_CLOCK, output_dim, bias=False) if time and kind != "attentive" else None
        for name, input_dim in input_dims.items():
            self.add_module(name, build_projector(kind, input_dim, output_dim, queries=queries, heads=heads))
        if video is not None:
            self.add_module("video", VideoProjector(output_dim=output_dim, heads=heads, **video))

    def forward(
        self, features: Tensor, name: str, mask: Tensor | None = None, places: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Translate features of the input called `name`; see the projectors for what comes back.

        Args:
            features: [N, L, D]; of ``video`` [N, F, P, D].
            name: ``motion``, ``keypoint`` or ``video``.
            mask: bool [N, L], False on padding; not of video.
            places: of video only, [N, F]: places in time on the scale of motion tokens, so that what happens at one
                time carries one code in both streams.
        """
        if name == "video":
            tokens, places, weights = self.get_submodule(name)(features, places)
        else:
            tokens, weights = self.get_submodule(name)(features, mask)
            places = torch.arange(tokens.shape[1], device=tokens.device)
        return tokens + self.time_code(places).to(tokens.dtype), weights

    def time_code(self, places: Tensor) -> Tensor:
        """What a token carries of its place in time: [...] to [..., H], or 0 in a model without `time`."""
        if self.clock is None:
            return torch.zeros((), device=places.device)
        return self.clock(place_code(places, _CLOCK).to(self.clock.weight.dtype))


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
