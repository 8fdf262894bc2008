"""Modality projectors: from a tower's features to tokens the language model can read.

`linear` and `mlp` keep one token per feature, in time. `attentive` reads the whole clip with a fixed number of learned
queries, so a long clip costs no more than a short one, and its weights say which moments mattered. This is the paper's
"attention that picks the features that matter" (ViMoNet, arXiv 2508.09818), in the form of a perceiver resampler
(Flamingo, arXiv 2204.14198).

Every projector first normalises its input: the features come before quantisation, where their scale is whatever
training left. (Released projectors of video do not, and can be had without.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vimonet.model.pooling import build_pooling, place_code, sinusoids

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
        pooling, rows, columns, budget, heads: see `vimonet.model.pooling`.
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
