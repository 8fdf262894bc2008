"""Define the motion VQ-VAE with T2M-GPT's architecture (Zhang et al., CVPR 2023, arXiv 2301.06052).

A 1D convolutional encoder downsamples a motion by 4 in time, a quantiser maps each feature to a code, and a mirrored
decoder reconstructs the motion. The language model reads :meth:`MotionVQVAE.encode_features`, the features before
quantisation. :class:`MotionEncoder` also works alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.utils import ModelOutput

from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.quantizers import EMAResetQuantizer, QuantizerOutput, build_quantizer


class ResidualBlock(nn.Module):
    """Compute x + conv1x1(act(conv3(act(x)))) with a dilated first convolution."""

    def __init__(self, width: int, dilation: int, activation: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 1)
        self.activation = ACT2FN[activation]

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Map ``x`` [B, C, T] to the same shape; both are zero where ``mask`` [B, 1, T] is False."""
        return zero(x + self.conv2(self.activation(self.conv1(self.activation(x)))), mask)


def _blocks(config: MotionVQVAEConfig) -> nn.ModuleList:
    # T2M-GPT puts the widest dilation first, in the encoder and in the decoder.
    growth = [config.dilation_growth_rate**i for i in reversed(range(config.depth))]
    return nn.ModuleList([ResidualBlock(config.width, dilation, config.activation) for dilation in growth])


class _DownStage(nn.Module):
    def __init__(self, config: MotionVQVAEConfig) -> None:
        super().__init__()
        stride = config.stride_t
        self.down = nn.Conv1d(config.width, config.width, 2 * stride, stride, stride // 2)
        self.blocks = _blocks(config)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = zero(self.down(x), mask)
        for block in self.blocks:
            x = block(x, mask)
        return x


class _UpStage(nn.Module):
    def __init__(self, config: MotionVQVAEConfig) -> None:
        super().__init__()
        self.blocks = _blocks(config)
        self.up = nn.Conv1d(config.width, config.width, 3, padding=1)
        self.stride = config.stride_t

    def forward(self, x: Tensor, mask: Tensor | None, next_mask: Tensor | None) -> Tensor:
        for block in self.blocks:
            x = block(x, mask)
        return zero(self.up(F.interpolate(x, scale_factor=self.stride, mode="nearest")), next_mask)


class MotionEncoder(nn.Module):
    """Encode motion features to one feature vector per ``config.ratio`` frames."""

    def __init__(self, config: MotionVQVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.input = nn.Conv1d(config.input_dim, config.width, 3, padding=1)
        self.stages = nn.ModuleList([_DownStage(config) for _ in range(config.down_t)])
        self.output = nn.Conv1d(config.width, config.code_dim, 3, padding=1)
        self.activation = ACT2FN[config.activation]

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode ``x`` [B, T, input_dim] to [B, ceil(T / ratio), code_dim].

        ``mask``: bool [B, T], True on unpadded frames, which come first in every row. Padding is zeroed before every
        convolution, so the features of a clip do not depend on its batch; tokens past its end are zero. The last frame
        of a clip is repeated up to a multiple of ``ratio``.
        """
        x, lengths = pad_frames(x, mask, self.config.ratio)
        level = x.shape[1]
        valid = _level_mask(lengths, level, 1)
        x = self.activation(zero(self.embed(zero(x.transpose(1, 2), valid), valid), valid))
        for i, stage in enumerate(self.stages):
            step = self.config.stride_t ** (i + 1)
            valid = _level_mask(lengths, level, step)
            x = stage(x, valid)
        return zero(self.output(x), valid).transpose(1, 2)

    def embed(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """Embed frames ``x`` [B, input_dim, T], which are zero where ``valid`` [B, 1, T] is False: [B, width, T]."""
        return self.input(x)

    def token_mask(self, mask: Tensor) -> Tensor:
        """Reduce a frame mask [B, T] to a token mask [B, ceil(T / ratio)], True if any of a token's frames is."""
        frames = math.ceil(mask.shape[1] / self.config.ratio) * self.config.ratio
        return F.pad(mask, (0, frames - mask.shape[1])).unflatten(1, (-1, self.config.ratio)).any(-1)


class MotionDecoder(nn.Module):
    """Decode token features to motion features, ``config.ratio`` frames per token."""

    def __init__(self, config: MotionVQVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.input = nn.Conv1d(config.code_dim, config.width, 3, padding=1)
        self.stages = nn.ModuleList([_UpStage(config) for _ in range(config.down_t)])
        self.hidden = nn.Conv1d(config.width, config.width, 3, padding=1)
        self.output = nn.Conv1d(config.width, config.input_dim, 3, padding=1)
        self.activation = ACT2FN[config.activation]

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Decode ``tokens`` [B, N, code_dim] to [B, N * ratio, input_dim]; ``mask`` bool [B, N], False on padding."""
        valid = None if mask is None else mask[:, None]
        x = self.activation(zero(self.input(zero(tokens.transpose(1, 2), valid)), valid))
        for stage in self.stages:
            upsampled = None if valid is None else valid.repeat_interleave(self.config.stride_t, -1)
            x, valid = stage(x, valid, upsampled), upsampled
        x = self.activation(zero(self.hidden(x), valid))
        return zero(self.output(x), valid).transpose(1, 2)


@dataclass
class MotionVQVAEOutput(ModelOutput):
    """Output of :meth:`MotionVQVAE.forward`.

    Attributes:
        loss: reconstruction_loss + position_weight * position_loss + commitment_weight * commitment_loss (scalars).
        perplexity: scalar, see `code_perplexity`.
        reconstruction: [B, T, input_dim].
        codes: [B, N] (residual: [B, N, Q]), -1 on padding.
        features: features before quantisation, [B, N, code_dim].
    """

    loss: Tensor | None = None
    reconstruction_loss: Tensor | None = None
    position_loss: Tensor | None = None
    commitment_loss: Tensor | None = None
    perplexity: Tensor | None = None
    reconstruction: Tensor | None = None
    codes: Tensor | None = None
    features: Tensor | None = None


class MotionVQVAE(PreTrainedModel):
    """Motion tokenizer: encoder, quantiser and decoder. See :class:`MotionVQVAEConfig`."""

    config_class = MotionVQVAEConfig
    base_model_prefix = "motion_vqvae"
    main_input_name = "motion_values"
    # Half precision stalls running means and changes the nearest codes.
    _keep_in_fp32_modules_strict = ["quantizer"]
    _no_split_modules = ["ResidualBlock"]

    def __init__(self, config: MotionVQVAEConfig) -> None:
        super().__init__(config)
        self.encoder = MotionEncoder(config)
        self.quantizer = build_quantizer(config)
        self.decoder = MotionDecoder(config)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        init_motion_weights(module)

    def freeze(self) -> MotionVQVAE:
        """Turn off gradients and codebook updates, also after ``train()``; return self."""
        self.requires_grad_(False)
        self.quantizer.frozen = True
        return self

    def encode_features(self, motion_values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute features before quantisation, [B, T, input_dim] -> [B, ceil(T / ratio), code_dim]; mask [B, T]."""
        return self.encoder(motion_values, mask)

    @torch.no_grad()
    def encode(self, motion_values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode to int64 codes [B, ceil(T / ratio)] (residual: [..., Q]), -1 on padding; the codebook stays."""
        training, self.quantizer.training = self.quantizer.training, False
        try:
            return self._quantise(self.encoder(motion_values, mask), mask).codes
        finally:
            self.quantizer.training = training

    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes [B, N] (residual: [B, N, Q]) to motion features [B, N * ratio, input_dim], 0 for code -1."""
        mask = codes >= 0 if codes.ndim == 2 else (codes >= 0).all(-1)
        return self.decoder(self.quantizer.lookup(codes).to(self.dtype), mask)

    def forward(
        self, motion_values: Tensor, mask: Tensor | None = None, return_dict: bool | None = None, **kwargs: Any
    ) -> MotionVQVAEOutput | tuple[Tensor, ...]:
        """Reconstruct ``motion_values`` [B, T, input_dim]; losses are smooth L1 over unpadded frames, as in the paper.

        ``mask``: bool [B, T] as in :class:`MotionEncoder`. In train() mode the codebook is updated unless frozen.
        """
        features = self.encoder(motion_values, mask)
        tokens = self._quantise(features, mask)
        token_mask = None if mask is None else self.encoder.token_mask(mask)
        reconstruction = self.decoder(tokens.quantised, token_mask)[:, : motion_values.shape[1]]
        if mask is not None:
            reconstruction = reconstruction.masked_fill(~mask[..., None], 0.0)
            motion_values = motion_values.masked_fill(~mask[..., None], 0.0)
        reconstruction_loss = _smooth_l1(reconstruction, motion_values, mask)
        loss = reconstruction_loss + self.config.commitment_weight * tokens.commitment_loss
        position_loss = torch.zeros_like(reconstruction_loss)
        if self.config.position_channels:
            part = slice(*self.config.position_channels)
            position_loss = _smooth_l1(reconstruction[..., part], motion_values[..., part], mask)
            loss = loss + self.config.position_weight * position_loss
        output = MotionVQVAEOutput(
            loss=loss,
            reconstruction_loss=reconstruction_loss,
            position_loss=position_loss,
            commitment_loss=tokens.commitment_loss,
            perplexity=tokens.perplexity,
            reconstruction=reconstruction,
            codes=tokens.codes,
            features=features,
        )
        return output if return_dict is not False else output.to_tuple()

    def _quantise(self, features: Tensor, mask: Tensor | None) -> QuantizerOutput:
        return self.quantizer(features, None if mask is None else self.encoder.token_mask(mask))


@torch.no_grad()
def init_motion_weights(module: nn.Module) -> None:
    """Initialise a module of a motion tower as torch does by default (He-uniform, arXiv 1502.01852).

    For the ``_init_weights`` of a model with a :class:`MotionEncoder`; other modules are not changed.
    """
    if isinstance(module, (nn.Conv1d, nn.Linear)):
        init.kaiming_uniform_(module.weight, a=math.sqrt(5))
        if module.bias is not None:
            bound = 1 / math.sqrt(module.weight[0].numel())
            init.uniform_(module.bias, -bound, bound)
    elif isinstance(module, EMAResetQuantizer):
        init.zeros_(module.codebook)
        init.zeros_(module.code_sum)
        init.ones_(module.code_count)
        init.zeros_(module.initialised)


def pad_frames(x: Tensor, mask: Tensor | None, ratio: int) -> tuple[Tensor, Tensor | None]:
    """Repeat the last frame of every clip of ``x`` [B, T, D] up to a multiple of ``ratio``.

    Return ``x`` with T rounded up, and the lengths [B] (multiples of ``ratio``) or None without a mask.
    """
    total = math.ceil(x.shape[1] / ratio) * ratio
    if mask is None:
        extra = total - x.shape[1]
        return (torch.cat([x, x[:, -1:].expand(-1, extra, -1)], 1) if extra else x), None
    frames = mask.sum(1)
    lengths = (frames + ratio - 1) // ratio * ratio
    index = torch.minimum(torch.arange(total, device=x.device)[None], (frames - 1).clamp_min(0)[:, None])
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[2])), lengths


def _level_mask(lengths: Tensor | None, frames: int, step: int) -> Tensor | None:
    """Compute the mask [B, 1, frames / step], True on unpadded steps at this resolution."""
    if lengths is None:
        return None
    return (torch.arange(frames // step, device=lengths.device)[None] < (lengths // step)[:, None])[:, None]


def zero(x: Tensor, mask: Tensor | None) -> Tensor:
    """Zero ``x`` [B, C, T] where ``mask`` bool [B, 1, T] is False."""
    return x if mask is None else x.masked_fill(~mask, 0.0)


def _smooth_l1(prediction: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return F.smooth_l1_loss(prediction, target)
    total = F.smooth_l1_loss(prediction, target, reduction="sum")  # both are zero on padding
    return total / (mask.sum() * target.shape[-1]).clamp_min(1)
