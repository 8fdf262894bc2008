"""Configure the motion VQ-VAE, its quantiser and its encoder."""

from __future__ import annotations

import math
from typing import Any

from transformers import PretrainedConfig

from vimonet.utils.errors import InputError

ACTIVATIONS = ("relu", "gelu", "silu")
QUANTIZERS = ("ema_reset", "residual", "fsq")
_HUMANML3D_DIM = 263


class MotionVQVAEConfig(PretrainedConfig):
    """Configuration of `MotionVQVAE`; the defaults are T2M-GPT's on HumanML3D.

    Attributes:
        input_dim: channels of a frame.
        width, depth, dilation_growth_rate, activation: shape of the residual blocks; activation is relu, gelu or silu.
        code_dim: channels of a token.
        num_codes: codebook entries (ema_reset, residual).
        down_t, stride_t: number of downsampling stages, and the even factor of each.
        quantizer: ema_reset, residual or fsq.
        num_quantizers: codebooks of residual.
        fsq_levels: levels per dimension of fsq; their product is the number of codes.
        ema_decay: decay of the codebook's running means.
        freeze_codebook: whether the codebook stays fixed in train() mode.
        commitment_weight, position_weight: weights of the loss terms.
        position_channels: [start, stop) of the local joint positions in a frame, which have an extra loss; default
            [4, 67] for HumanML3D's 263 features, none for others.
        lift_width: channels of a keypoint tower's lifter (`vimonet.model.towers.keypoint_lifter`); 0: no lifter.

    Raises:
        InputError: an unknown activation or quantizer, an odd stride_t.
    """

    model_type = "motion_vqvae"

    input_dim: int = _HUMANML3D_DIM
    width: int = 512
    code_dim: int = 512
    num_codes: int = 512
    down_t: int = 2
    stride_t: int = 2
    depth: int = 3
    dilation_growth_rate: int = 3
    activation: str = "relu"
    quantizer: str = "ema_reset"
    num_quantizers: int = 4
    fsq_levels: list[int] | None = None
    ema_decay: float = 0.99
    freeze_codebook: bool = False
    commitment_weight: float = 0.02
    position_weight: float = 0.5
    position_channels: list[int] | None = None
    lift_width: int = 0

    def __post_init__(self, **kwargs: Any) -> None:
        if self.activation not in ACTIVATIONS:
            raise InputError(f"activation {self.activation!r} is not known; use one of {', '.join(ACTIVATIONS)}.")
        if self.quantizer not in QUANTIZERS:
            raise InputError(f"quantizer {self.quantizer!r} is not known; use one of {', '.join(QUANTIZERS)}.")
        if self.stride_t < 2 or self.stride_t % 2:
            raise InputError(f"stride_t is {self.stride_t}; it must be even.")
        self.fsq_levels = list(self.fsq_levels or (8, 8, 8))  # 512 codes, the codebook size of T2M-GPT
        if self.position_channels is None and self.input_dim == _HUMANML3D_DIM:
            self.position_channels = [4, 67]
        super().__post_init__(**kwargs)

    @property
    def ratio(self) -> int:
        """Return the frames per token."""
        return int(self.stride_t**self.down_t)

    @property
    def codebook_size(self) -> int:
        """Return the number of codes of one codebook."""
        return math.prod(self.fsq_levels or ()) if self.quantizer == "fsq" else self.num_codes
