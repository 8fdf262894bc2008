"""Encode motion and text into one space by a small dual encoder with contrastive training.

The model follows TMR (Petrovich et al., ICCV 2023, arXiv 2305.00976) and the evaluator of Guo et al. (CVPR 2022, arXiv
2204.14109). Each side becomes a unit vector; symmetric InfoNCE trains the pairs of a batch, without negatives whose
captions mean the same. Unlike TMR it has no decoder, and a small transformer reads the text instead of a language model
of 66 M parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.modeling_auto import AutoModel
from transformers.utils import ModelOutput

from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionEncoder, init_motion_weights
from vimonet.utils.errors import InputError


class MotionTextConfig(PretrainedConfig):
    """Configure a `MotionTextModel`.

    Attributes:
        motion_config, keypoint_config: shapes of the towers for 3D motion and 2D keypoints (keys of
            :class:`MotionVQVAEConfig`, without `code_dim`); None for a model without that tower.
        code_dim: channels of a motion token.
        vocab_size, max_text_tokens: vocabulary and longest text; longer texts are truncated.
        width, layers, heads: shape of the transformers over motion tokens and over text tokens.
        embedding_dim: dimension of the shared space.
        temperature: divisor of the cosines (0.1 in TMR).
        dropout: dropout of the transformers.

    Raises:
        InputError: the temperature is not positive, or twice the heads do not divide the width.
    """

    model_type = "motion_text"

    motion_config: dict[str, Any] | None = None
    keypoint_config: dict[str, Any] | None = None
    code_dim: int = 128
    vocab_size: int = 1024
    max_text_tokens: int = 64
    width: int = 128
    layers: int = 2
    heads: int = 4
    embedding_dim: int = 128
    temperature: float = 0.1
    dropout: float = 0.1

    def __post_init__(self, **kwargs: Any) -> None:
        if self.temperature <= 0:
            raise InputError(f"temperature is {self.temperature}; it must be above 0.")
        if self.width % (2 * self.heads):
            raise InputError(f"width is {self.width}; it must be a multiple of twice the heads ({self.heads}).")
        super().__post_init__(**kwargs)


@dataclass
class MotionTextOutput(ModelOutput):
    """Hold the output of `MotionTextModel.forward`.

    Attributes:
        loss: scalar, mean of both directions.
        text_embeds, motion_embeds: unit vectors [N, E].
        logits: [N, N], text by motion.
    """

    loss: Tensor | None = None
    text_embeds: Tensor | None = None
    motion_embeds: Tensor | None = None
    logits: Tensor | None = None


class SequenceHead(nn.Module):
    """Pool tokens of any length to one vector: transformer, attention pooling with one learned query, projection."""

    def __init__(self, input_dim: int, config: MotionTextConfig) -> None:
        super().__init__()
        width = config.width
        self.input = nn.Linear(input_dim, width)
        layer = nn.TransformerEncoderLayer(
            width, config.heads, 4 * width, config.dropout, F.gelu, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.score = nn.Linear(width, 1)
        self.output = nn.Linear(width, config.embedding_dim)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Pool ``tokens`` [N, L, input_dim] -> [N, E] of length 1.

        ``mask``: bool [N, L], False on padding, with a True in every row; None without padding.
        """
        x = self.input(tokens)
        x = self.encoder(x + _positions(x), src_key_padding_mask=None if mask is None else ~mask)
        score = self.score(x).float()
        weight = (score if mask is None else score.masked_fill(~mask[..., None], -torch.inf)).softmax(1)
        return F.normalize(self.output((weight.to(x) * x).sum(1)).float(), dim=-1)


class MotionTextModel(PreTrainedModel):
    """Encode motion and text (see `MotionTextConfig`)."""

    config_class = MotionTextConfig
    base_model_prefix = "motion_text"
    main_input_name = "input_ids"

    def __init__(self, config: MotionTextConfig) -> None:
        super().__init__(config)
        self.motion_tower = _tower(config, config.motion_config)
        self.keypoint_tower = _tower(config, config.keypoint_config)
        # One head for both, because 2D clips are few and a token should mean the same for every sensor.
        self.motion_head = SequenceHead(config.code_dim, config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.width)
        self.text_head = SequenceHead(config.width, config)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        init_motion_weights(module)
        if isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=0.5)
        elif isinstance(module, nn.MultiheadAttention):
            init.xavier_uniform_(module.in_proj_weight)
            init.zeros_(module.in_proj_bias)

    def encode_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode tokens [N, L], padded on the right, and their mask -> [N, E] of length 1."""
        limit = self.config.max_text_tokens
        return self.text_head(self.word_embeddings(input_ids[:, :limit]), attention_mask[:, :limit].bool())

    def encode_motion(self, values: Tensor, mask: Tensor | None, name: str = "motion") -> Tensor:
        """Encode clips to vectors.

        Args:
            values: [N, T, D] normalised features (`MotionFeatureExtractor`).
            mask: bool [N, T], False on padding; None without padding.
            name: ``motion`` (3D) or ``keypoint`` (2D).

        Returns:
            [N, E] of length 1.

        Raises:
            InputError: the model has no tower of that name.
        """
        tower = self.motion_tower if name == "motion" else self.keypoint_tower
        if tower is None:
            kind = "3D motion" if name == "motion" else "2D keypoints"
            raise InputError(
                f"this text-motion encoder was not trained on {kind}; give the other kind, or another encoder."
            )
        tokens = None if mask is None else tower.token_mask(mask)
        return self.motion_head(tower(values.to(tower.input.weight.dtype), mask), tokens)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        motion_values: Tensor | None = None,
        motion_mask: Tensor | None = None,
        keypoint_values: Tensor | None = None,
        keypoint_mask: Tensor | None = None,
        not_negative: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> MotionTextOutput | tuple[Tensor, ...]:
        """Compute symmetric InfoNCE over a batch of pairs (van den Oord et al., arXiv 1807.03748).

        Args:
            input_ids, attention_mask: [N, L]; the texts of the 3D clips come first, then those of the 2D ones.
            motion_values, motion_mask: [N3, T, D], [N3, T]; None when there is no 3D clip.
            keypoint_values, keypoint_mask: [N2, T2, D2], [N2, T2]; N = N3 + N2.
            not_negative: bool [N, N], True where text i may describe motion j, which the softmax leaves out; the
                diagonal is ignored.
            return_dict: False for a tuple.

        Returns:
            Loss, both embeddings, and the logits (text by motion) before `not_negative`.
        """
        sides = []
        if motion_values is not None and motion_mask is not None:
            sides.append(self.encode_motion(motion_values, motion_mask))
        if keypoint_values is not None and keypoint_mask is not None:
            sides.append(self.encode_motion(keypoint_values, keypoint_mask, "keypoint"))
        motion = torch.cat(sides)
        text = self.encode_text(input_ids, attention_mask)
        logits = text @ motion.T / self.config.temperature
        output = MotionTextOutput(info_nce(logits, not_negative), text, motion, logits)
        return output if return_dict is not False else output.to_tuple()


def info_nce(logits: Tensor, not_negative: Tensor | None = None) -> Tensor:
    """Compute the cross-entropy of the diagonal of ``logits`` [N, N] along rows and columns, averaged (a scalar).

    Pairs in ``not_negative`` (bool [N, N], off the diagonal) do not count as wrong answers.
    """
    if not_negative is not None:
        own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(not_negative & ~own, -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def _tower(config: MotionTextConfig, shape: dict[str, Any] | None) -> MotionEncoder | None:
    return None if shape is None else MotionEncoder(MotionVQVAEConfig(**{**shape, "code_dim": config.code_dim}))


def _positions(x: Tensor) -> Tensor:
    """Build sinusoidal positions [L, C] for ``x`` [N, L, C] (Vaswani et al. 2017)."""
    length, width = x.shape[1:]
    rate = torch.exp(torch.arange(0, width, 2, device=x.device) * (-math.log(10000.0) / width))
    angle = torch.arange(length, device=x.device)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=1).to(x.dtype)


AutoConfig.register("motion_text", MotionTextConfig, exist_ok=True)
AutoModel.register(MotionTextConfig, MotionTextModel, exist_ok=True)
