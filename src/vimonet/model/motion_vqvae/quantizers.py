"""Quantise the motion VQ-VAE's features with one of three quantisers.

A quantiser maps features ``[B, N, C]`` to a :class:`QuantizerOutput`, and codes back to features. ``residual`` and
``fsq`` come from ``vector-quantize-pytorch``. ``ema_reset`` reproduces the update that released HumanML3D checkpoints
were trained with (dead codes replaced in each step by the first rows of the batch, running sums kept), which that
library does not offer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from vimonet.model.motion_vqvae.configuration_motion_vqvae import QUANTIZERS, MotionVQVAEConfig
from vimonet.utils.errors import InputError


class QuantizerOutput(NamedTuple):
    """Output of a quantiser.

    Attributes:
        quantised: [B, N, C] with straight-through gradient, zero where masked.
        codes: int64 [B, N] (residual: [B, N, Q]), -1 where masked.
        commitment_loss: mean squared distance of features to their (detached) codes, scalar.
        perplexity: exp of the entropy of the code frequencies in the batch, scalar.
    """

    quantised: Tensor
    codes: Tensor
    commitment_loss: Tensor
    perplexity: Tensor


class Quantizer(nn.Module):
    """Share masking, loss and perplexity between quantisers; ``frozen`` turns codebook updates off."""

    def __init__(self, num_codes: int, frozen: bool) -> None:
        super().__init__()
        self.num_codes = num_codes
        self.frozen = frozen

    @property
    def updating(self) -> bool:
        """Tell whether the next forward may update the codebook."""
        return self.training and not self.frozen

    def forward(self, features: Tensor, mask: Tensor | None = None) -> QuantizerOutput:
        """Quantise ``features`` [B, N, C]; ``mask`` bool [B, N], False on padding."""
        # float32: bfloat16 distances change the nearest code, and bfloat16 running means stall.
        with torch.autocast(device_type=features.device.type, enabled=False):
            x = features.float()
            quantised, codes = self._quantise(x, mask)
            if mask is not None:
                codes = codes.masked_fill(~mask.view(mask.shape + (1,) * (codes.ndim - 2)), -1)
                quantised = quantised.masked_fill(~mask[..., None], 0.0)
            loss = _masked_mean((x - quantised.detach()).square(), mask)
            perplexity = self._perplexity(codes)
        return QuantizerOutput(quantised.to(features.dtype), codes, loss, perplexity)

    def lookup(self, codes: Tensor) -> Tensor:
        """Look up the features [B, N, C] of codes [B, N] or [B, N, Q]; zeros for code -1."""
        raise NotImplementedError

    def _quantise(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _perplexity(self, codes: Tensor) -> Tensor:
        levels = codes.unsqueeze(-1) if codes.ndim == 2 else codes
        return torch.stack([code_perplexity(level, self.num_codes) for level in levels.unbind(-1)]).mean()


class EMAResetQuantizer(Quantizer):
    """T2M-GPT's codebook: exponential moving averages, dead codes reset from the batch (arXiv 2301.06052, section 3.1).

    The training output uses the codebook before the update. Running sums are in the state dict, unlike in released
    checkpoints, so a resumed training is exact. Under ``torch.distributed`` sums and reset rows are global.
    """

    codebook: Tensor
    code_sum: Tensor
    code_count: Tensor
    initialised: Tensor

    def __init__(self, num_codes: int, dim: int, decay: float = 0.99, frozen: bool = False) -> None:
        super().__init__(num_codes, frozen)
        self.decay = decay
        self.register_buffer("codebook", torch.zeros(num_codes, dim))
        self.register_buffer("code_sum", torch.zeros(num_codes, dim))
        self.register_buffer("code_count", torch.ones(num_codes))
        self.register_buffer("initialised", torch.tensor(False))

    @torch.no_grad()
    def set_codebook(self, codebook: Tensor, count: float = 8.0) -> None:
        """Set ``codebook`` [K, C]; an unused code is reset after log(count) / (1 - decay) steps (208)."""
        self.codebook.copy_(codebook)
        self.code_sum.copy_(codebook * count)
        self.code_count.fill_(count)
        self.initialised.fill_(True)

    def lookup(self, codes: Tensor) -> Tensor:
        """See :meth:`Quantizer.lookup`."""
        return F.embedding(codes.clamp_min(0), self.codebook).masked_fill((codes < 0)[..., None], 0.0)

    def _quantise(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        rows = x.detach().flatten(0, 1) if mask is None else x.detach()[mask]
        if self.updating and not self.initialised:
            codebook = self._first_rows(rows)
            self.codebook.copy_(codebook)
            self.code_sum.copy_(codebook)
            self.code_count.fill_(1.0)
            self.initialised.fill_(True)
        flat = x.detach().flatten(0, 1)
        distance = (
            flat.square().sum(-1, keepdim=True) - 2 * flat @ self.codebook.t() + self.codebook.square().sum(-1)[None]
        )
        codes = distance.argmin(-1).view(x.shape[:-1])
        quantised = x + (self.lookup(codes) - x).detach()
        if self.updating:
            self._update(rows, codes.flatten() if mask is None else codes[mask])
        return quantised, codes

    @torch.no_grad()
    def _update(self, rows: Tensor, codes: Tensor) -> None:
        onehot = F.one_hot(codes, self.num_codes).to(rows.dtype).t()
        total, count = onehot @ rows, onehot.sum(-1)
        if _distributed():
            dist.all_reduce(total)
            dist.all_reduce(count)
        # Keep float32 and this order of operations: counts lie exactly on the threshold of 1.
        self.code_sum.copy_(self.decay * self.code_sum + (1.0 - self.decay) * total)
        self.code_count.copy_(self.decay * self.code_count + (1.0 - self.decay) * count)
        alive = (self.code_count >= 1.0)[:, None]
        # `where` instead of a weighted sum, in which a count of 0 would spread NaN.
        self.codebook.copy_(torch.where(alive, self.code_sum / self.code_count[:, None], self._first_rows(rows)))

    def _first_rows(self, rows: Tensor) -> Tensor:
        """Return the first ``num_codes`` rows of the global batch, repeated with slight noise if there are fewer."""
        if _distributed():
            rows = _gather_rows(rows[: self.num_codes], self.num_codes)
        if len(rows) == 0:
            return self.codebook.clone()
        if len(rows) < self.num_codes:
            repeats = math.ceil(self.num_codes / len(rows))
            rows = rows.repeat(repeats, 1)
            rows = rows + torch.randn_like(rows) * (0.01 / math.sqrt(rows.shape[1]))
        rows = rows[: self.num_codes].contiguous()
        if _distributed():
            dist.broadcast(rows, src=0)  # the noise must be the same in all processes
        return rows


class ResidualQuantizer(Quantizer):
    """Residual VQ (SoundStream, arXiv 2107.03312): each codebook quantises the residual of the one before."""

    def __init__(self, num_codes: int, dim: int, decay: float, num_quantizers: int, frozen: bool = False) -> None:
        super().__init__(num_codes, frozen)
        from vector_quantize_pytorch import ResidualVQ

        self.vq = ResidualVQ(
            num_quantizers=num_quantizers,
            dim=dim,
            codebook_size=num_codes,
            decay=decay,
            threshold_ema_dead_code=1,
            commitment_weight=0.0,  # `Quantizer.forward` computes the loss, over unpadded tokens
            rotation_trick=False,
            # k-means would initialise the codebook on the first call even in eval().
            kmeans_init=False,
        )
        _save_all_buffers(self.vq)

    def lookup(self, codes: Tensor) -> Tensor:
        """See :meth:`Quantizer.lookup`."""
        found = self.vq.get_output_from_indices(codes.clamp_min(0))
        return found.masked_fill((codes < 0).any(-1)[..., None], 0.0)

    def _quantise(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        self._synchronise()
        quantised, codes, *_ = self.vq(x, mask=mask, freeze_codebook=not self.updating)
        return quantised, codes

    def _synchronise(self) -> None:
        # The library checks for a process group on construction; a Trainer may create it later.
        if self.updating and _distributed():
            for module in self.vq.modules():
                if hasattr(module, "all_reduce_fn") and not module.use_ddp:
                    from vector_quantize_pytorch.vector_quantize_pytorch import sample_vectors_distributed

                    module.use_ddp = True
                    module.all_reduce_fn = dist.all_reduce
                    module.replace_sample_fn = sample_vectors_distributed


class FSQQuantizer(Quantizer):
    """Finite scalar quantisation (arXiv 2309.15505), which has no codebook to learn."""

    def __init__(self, levels: list[int], dim: int, frozen: bool = False) -> None:
        super().__init__(math.prod(levels), frozen)
        from vector_quantize_pytorch import FSQ

        self.levels = list(levels)
        # FSQ reads tensor values on construction, which fails on from_pretrained's meta device.
        with torch.device("cpu"):
            self.fsq = FSQ(levels=self.levels, dim=dim)
        _save_all_buffers(self.fsq)

    def lookup(self, codes: Tensor) -> Tensor:
        """See :meth:`Quantizer.lookup`."""
        return self.fsq.indices_to_codes(codes.clamp_min(0)).masked_fill((codes < 0)[..., None], 0.0)

    def _quantise(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        quantised, codes = self.fsq(x)
        return quantised, codes.long()


def build_quantizer(config: MotionVQVAEConfig) -> Quantizer:
    """Build the quantiser that ``config.quantizer`` names; InputError for an unknown name."""
    dim, frozen = config.code_dim, config.freeze_codebook
    if config.quantizer == "ema_reset":
        return EMAResetQuantizer(config.num_codes, dim, config.ema_decay, frozen)
    if config.quantizer == "residual":
        return ResidualQuantizer(config.num_codes, dim, config.ema_decay, config.num_quantizers, frozen)
    if config.quantizer == "fsq":
        return FSQQuantizer(config.fsq_levels or [], dim, frozen)
    raise InputError(f"quantizer {config.quantizer!r} is not known; use one of {', '.join(QUANTIZERS)}.")


def _save_all_buffers(module: nn.Module) -> None:
    """Add every buffer to the state dict; ``from_pretrained`` leaves other buffers empty (meta device)."""
    for part in module.modules():
        part._non_persistent_buffers_set.clear()


def code_perplexity(codes: Tensor, num_codes: int) -> Tensor:
    """Compute exp of the entropy of the code frequencies, 1 to num_codes; negative codes (padding) are ignored."""
    counts = torch.bincount(codes[codes >= 0].flatten(), minlength=num_codes).float()
    frequency = counts / counts.sum().clamp_min(1.0)
    return torch.exp(-(frequency * torch.log(frequency + 1e-7)).sum())


def _masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return values.mean()
    weight = mask[..., None].to(values.dtype)
    return (values * weight).sum() / (weight.sum() * values.shape[-1]).clamp_min(1.0)


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _gather_rows(rows: Tensor, capacity: int) -> Tensor:
    """Concatenate the rows of all ranks, at most ``capacity``."""
    size = torch.tensor([len(rows)], device=rows.device)
    sizes = [torch.zeros_like(size) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, size)
    padded = rows.new_zeros(capacity, rows.shape[1])
    padded[: len(rows)] = rows
    gathered = [torch.zeros_like(padded) for _ in sizes]
    dist.all_gather(gathered, padded)
    return torch.cat([part[: int(n)] for part, n in zip(gathered, sizes, strict=True)])[:capacity]
