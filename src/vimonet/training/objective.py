"""The joint objective: cross-entropy on answers, averaged in each modality cell first, the cells weighted then."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional as F

from vimonet.training.data.sampling import CELLS
from vimonet.utils.errors import InputError

IGNORE = -100


def supervised(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions whose output is scored, and what they should predict.

    Args:
        labels: [B, L], not shifted, -100 where nothing is learnt.

    Returns:
        keep [B, L] bool (position t is kept when the label of t + 1 is learnt), targets [N] in row order.
    """
    keep = torch.zeros_like(labels, dtype=torch.bool)
    keep[:, :-1] = labels[:, 1:] != IGNORE
    return keep, labels[:, 1:][keep[:, :-1]]


def cell_counts(labels: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Learnt tokens in each cell of a batch: labels [B, L], cells [B] or [B, L] -> [len(CELLS)] float."""
    learnt = (labels[:, 1:] != IGNORE).to(torch.float64)
    learnt, cells = (learnt.sum(1), cells) if cells.ndim == 1 else (learnt.flatten(), cells[:, 1:].flatten())
    return torch.zeros(len(CELLS), dtype=torch.float64, device=labels.device).index_add_(0, cells, learnt)


def cell_sums(logits: torch.Tensor, targets: torch.Tensor, keep: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Summed cross-entropy (nats) of each cell: logits [N, V], targets [N], keep [B, L], cells [B] or [B, L] ->
    [len(CELLS)].
    """
    nll = F.cross_entropy(logits.float(), targets, reduction="none")
    # A position and the next, which it predicts, are of one question: of one cell.
    of_token = (cells[:, None].expand_as(keep) if cells.ndim == 1 else cells)[keep]
    return torch.zeros(len(CELLS), dtype=nll.dtype, device=nll.device).index_add(0, of_token, nll)


def cell_weights(
    weighting: str, factors: Mapping[str, float], counts: torch.Tensor, sums: torch.Tensor
) -> torch.Tensor:
    """Weight of each cell's mean loss; they sum to 1 over the cells that are present.

    Args:
        weighting: ``equal``: every cell counts the same; ``proportional``: by its tokens (the plain mean over
            tokens); ``uncertainty``: inverse to its loss, the closed form of homoscedastic uncertainty weighting
            (Kendall et al., arXiv 1705.07115; analytical solution: Kirchdorfer et al., arXiv 2408.07985).
        factors: further factor per cell name; 1 where absent.
        counts: learnt tokens per cell in the whole optimiser step, [C].
        sums: detached summed loss per cell, [C], over the same tokens (read by ``uncertainty`` only).
    """
    present = counts > 0
    if weighting == "equal":
        weight = torch.ones_like(counts)
    elif weighting == "proportional":
        weight = counts.clone()
    elif weighting == "uncertainty":
        weight = 1 / (sums.to(counts) / counts.clamp(min=1)).clamp(min=1e-3)
    else:
        raise InputError(f"objective.weighting is {weighting!r}; it can be equal, proportional or uncertainty.")
    unknown = set(factors) - set(CELLS)
    if unknown:
        raise InputError(f"objective.cell_weights names {sorted(unknown)[0]!r}; the cells are {', '.join(CELLS)}.")
    weight = weight * torch.tensor(
        [float(factors.get(cell, 1.0)) for cell in CELLS], dtype=weight.dtype, device=weight.device
    )
    weight = torch.where(present, weight, torch.zeros_like(weight))
    return weight / weight.sum().clamp(min=1e-12)
