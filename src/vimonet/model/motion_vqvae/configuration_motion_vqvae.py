"""Configuration of the motion VQ-VAE, of its quantisers and of its encoder alone."""

from __future__ import annotations

import math
from typing import Any

from transformers import PretrainedConfig

from vimonet.utils.errors import InputError

ACTIVATIONS = ("relu", "gelu", "silu")
QUANTIZERS = ("ema_reset", "residual", "fsq")
_HUMANML3D_DIM = 263


class MotionVQVAEConfig(PretrainedConfig):
    """Configuration of `vimonet.model.motion_vqvae.modeling_motion_vqvae`. The defaults are T2M-GPT's on HumanML3D.

    Attributes:
        input_dim: channels of a frame.
        width, depth, dilation_growth_rate, activation: of the residual blocks; activation is relu, gelu or silu.
        code_dim: channels of a token.
        num_codes: codebook entries (ema_reset, residual).
        down_t, stride_t: down_t stages, each shortening time by stride_t, which is even.
        quantizer: ema_reset, residual or fsq.
        num_quantizers: codebooks of residual.
        fsq_levels: levels per dimension of fsq; their product is the number of codes.
        ema_decay: of the codebook's running means.
        freeze_codebook: the codebook never changes, in train() mode too.
        commitment_weight, position_weight: of the loss terms.
        position_channels: [start, stop) of the local joint positions in a frame, which the loss counts once more;
            default [4, 67] for HumanML3D's 263 features, none for others.
        lift_width: channels of the lifter of a keypoint tower (`vimonet.model.towers.keypoint_lifter`); 0 for none.

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
        self.fsq_levels = list(self.fsq_levels or (8, 8, 8))  # 512 codes, as many as the codebook of the paper
        if self.position_channels is None and self.input_dim == _HUMANML3D_DIM:
            self.position_channels = [4, 67]
        super().__post_init__(**kwargs)

    @property
    def ratio(self) -> int:
        """Frames per token."""
        return int(self.stride_t**self.down_t)

    @property
    def codebook_size(self) -> int:
        """Number of distinct codes of one codebook, for every quantiser."""
        return math.prod(self.fsq_levels or ()) if self.quantizer == "fsq" else self.num_codes
