"""Define LanguageBind's video encoder (arXiv 2310.01852) and import its published checkpoints.

It is CLIP's vision transformer with temporal attention in front of every layer: each patch (and the class token)
attends to itself in the other frames, then to the other patches of its frame. Patch embedding, attention and MLP are
those of transformers' CLIP. Module names are those of the published checkpoint without the prefix ``vision_model.``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.clip.configuration_clip import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPMLP, CLIPAttention, CLIPPreTrainedModel, CLIPVisionEmbeddings

from vimonet.model.weight_files import ImportReport, read_config, read_state_dict
from vimonet.utils.errors import InputError

_PREFIX = "vision_model."
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_FIELDS = ("hidden_act", "layer_norm_eps", "num_attention_heads", "attention_dropout", "initializer_range")


@strict
class LanguageBindVideoConfig(CLIPVisionConfig):
    """Configuration of [`LanguageBindVideoModel`]; the defaults are the published ViT-L/14's.

    Attributes:
        num_frames: largest number of frames of a clip; each layer has an embedding per frame.
    """

    model_type = "languagebind_video"

    hidden_size: int = 1024
    intermediate_size: int = 4096
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    patch_size: int = 14
    projection_dim: int = 768
    hidden_act: str = "gelu"
    num_frames: int = 8


class LanguageBindLayer(GradientCheckpointingLayer):
    """Apply attention over time, attention over space and an MLP, each pre-normalised with a residual."""

    def __init__(self, config: LanguageBindVideoConfig):
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.temporal_embedding = nn.Parameter(torch.randn(1, config.num_frames, width) * width**-0.5)
        self.temporal_layer_norm1 = nn.LayerNorm(width, eps=eps)
        self.temporal_attn = CLIPAttention(config)
        self.layer_norm1 = nn.LayerNorm(width, eps=eps)
        self.self_attn = CLIPAttention(config)
        self.layer_norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = CLIPMLP(config)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [N, F, L, D] to the same shape; L is the class token and the patches of one frame."""
        n, frames, length, width = hidden.shape
        # Attention over time per token; the embedding stays in the residual, as in the published model.
        x = hidden.transpose(1, 2).reshape(n * length, frames, width) + self.temporal_embedding[:, :frames]
        x = x + self.temporal_attn(self.temporal_layer_norm1(x))[0]
        x = x.view(n, length, frames, width).transpose(1, 2).reshape(n * frames, length, width)
        x = x + self.self_attn(self.layer_norm1(x))[0]
        x = x + self.mlp(self.layer_norm2(x))
        return x.view(n, frames, length, width)


class LanguageBindEncoder(nn.Module):
    """Apply all layers."""

    def __init__(self, config: LanguageBindVideoConfig):
        super().__init__()
        self.layers = nn.ModuleList(LanguageBindLayer(config) for _ in range(config.num_hidden_layers))
        self.gradient_checkpointing = False

    def forward(self, hidden: Tensor) -> list[Tensor]:
        """Return the hidden states [N, F, L, D] before the first layer and after each layer."""
        states = [hidden]
        for layer in self.layers:
            states.append(layer(states[-1]))
        return states


class LanguageBindVideoModel(CLIPPreTrainedModel):
    """Encode clips [N, F, 3, H, W] to one hidden state per frame and patch."""

    config: LanguageBindVideoConfig  # type: ignore[assignment]
    config_class = LanguageBindVideoConfig
    base_model_prefix = "vision_model"
    main_input_name = "pixel_values"
    _no_split_modules = ["LanguageBindLayer", "CLIPVisionEmbeddings"]
    _can_record_outputs = None  # type: ignore[assignment]

    def __init__(self, config: LanguageBindVideoConfig):
        super().__init__(config)
        self.embeddings = CLIPVisionEmbeddings(config)
        # Misspelt in the published checkpoint.
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.encoder = LanguageBindEncoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the patch embedding."""
        return self.embeddings.patch_embedding

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, LanguageBindLayer):
            init.normal_(module.temporal_embedding, std=module.temporal_embedding.shape[-1] ** -0.5)

    def forward(
        self, pixel_values: Tensor, output_hidden_states: bool = False, **kwargs: Any
    ) -> BaseModelOutputWithPooling:
        """Encode clips.

        Args:
            pixel_values: [N, F, 3, H, W], normalised as CLIP's images.
            output_hidden_states: also return the states of all layers.
            **kwargs: not read; transformers passes some.

        Returns:
            last_hidden_state [N, F, L, D] before the last norm (L: class token, then patches row by row),
            pooler_output [N, D] (normed class token, mean over frames), hidden_states: layers + 1 of [N, F, L, D].

        Raises:
            ValueError: more frames than the model has embeddings for.
        """
        n, frames = pixel_values.shape[:2]
        if frames > self.config.num_frames:
            raise ValueError(f"{frames} frames per clip, but this tower takes at most {self.config.num_frames}.")
        embedded = self.pre_layrnorm(self.embeddings(pixel_values.flatten(0, 1)))
        states = self.encoder(embedded.unflatten(0, (n, frames)))
        pooled = self.post_layernorm(states[-1][:, :, 0]).mean(1)
        return BaseModelOutputWithPooling(
            last_hidden_state=states[-1],
            pooler_output=pooled,
            hidden_states=tuple(states) if output_hidden_states else None,
        )


def is_languagebind(config: Mapping[str, Any]) -> bool:
    """Tell whether a config.json belongs to a published LanguageBind video checkpoint."""
    vision = config.get("vision_config") or {}
    return config.get("model_type") == "LanguageBindVideo" or bool(
        isinstance(vision, Mapping) and vision.get("add_time_attn")
    )


def load_released_languagebind(
    folder: str | os.PathLike[str], config: Mapping[str, Any]
) -> tuple[LanguageBindVideoModel, ImportReport]:
    """Load the video tower of a published LanguageBind video checkpoint.

    Args:
        folder: folder with ``model.safetensors`` or ``pytorch_model.bin``; no code in the file is executed.
        config: its config.json, which must name the activation: the class of the checkpoint defaults to quick_gelu, but
            the published ViT-L/14 was trained with gelu.

    Returns:
        The model in eval mode, and the import report.

    Raises:
        InputError: weights missing or damaged, keys missing, or no activation.
    """
    path = next((Path(folder) / name for name in _WEIGHTS if (Path(folder) / name).is_file()), None)
    if path is None:
        raise InputError(f"{folder}: no weights; a LanguageBind checkpoint holds {' or '.join(_WEIGHTS)}.")
    vision = dict(config.get("vision_config") or config)
    if "hidden_act" not in vision:
        raise InputError(f"{folder}: config.json does not name hidden_act (gelu or quick_gelu); add it.")
    fields = {name: vision[name] for name in _FIELDS if name in vision}
    state, ours, report = convert_languagebind(read_state_dict(path), source=str(path), **fields)
    model = LanguageBindVideoModel(ours)
    model.load_state_dict(state)
    return model.eval(), report


def convert_languagebind(
    state: Mapping[str, Tensor], *, source: str = "the checkpoint", **fields: Any
) -> tuple[dict[str, Tensor], LanguageBindVideoConfig, ImportReport]:
    """Extract the video tower from a published state dict.

    Args:
        state: published names, with or without the prefix ``vision_model.``; meta tensors are allowed.
        source: name of the checkpoint in messages.
        **fields: config fields that shapes do not show: ``hidden_act``, ``num_attention_heads``, ``layer_norm_eps``.

    Returns:
        State dict, config and report; its `unused` are text tower, projections, logit scale and ``position_ids``.

    Raises:
        InputError: not this family, or incomplete.
    """
    prefix = _PREFIX if any(key.startswith(_PREFIX) for key in state) else ""
    theirs = {key[len(prefix) :]: key for key in state if key.startswith(prefix)}
    try:
        width, channels, patch, _ = state[theirs["embeddings.patch_embedding.weight"]].shape
        positions = state[theirs["embeddings.position_embedding.weight"]].shape[0]
        frames = state[theirs["encoder.layers.0.temporal_embedding"]].shape[1]
        mlp = state[theirs["encoder.layers.0.mlp.fc1.weight"]].shape[0]
    except KeyError as error:
        raise InputError(f"{source}: not a LanguageBind video checkpoint; it lacks {prefix}{error.args[0]}.") from None
    layers = {key.split(".")[2] for key in theirs if key.startswith("encoder.layers.")}
    sizes = {
        "hidden_size": width,
        "intermediate_size": mlp,
        "num_hidden_layers": len(layers),
        "num_channels": channels,
        "image_size": round((positions - 1) ** 0.5) * patch,
        "patch_size": patch,
        "num_frames": frames,
    }
    config = LanguageBindVideoConfig(**{"num_attention_heads": max(1, width // 64), **fields, **sizes})
    with torch.device("meta"):
        wanted = {name: value.shape for name, value in LanguageBindVideoModel(config).state_dict().items()}
    wrong = [name for name, shape in wanted.items() if name not in theirs or state[theirs[name]].shape != shape]
    if wrong:
        raise InputError(
            f"{source}: not a complete LanguageBind video tower; {len(wrong)} tensors are missing or of another shape, "
            f"the first is {prefix}{wrong[0]} {list(wanted[wrong[0]])}."
        )
    renamed = {theirs[name]: name for name in wanted}
    unused = tuple(key for key in state if key not in renamed)
    report = ImportReport(source, renamed, unused, (), {**sizes, "hidden_act": config.hidden_act})
    return {name: state[theirs[name]] for name in wanted}, config, report


def convert_languagebind_folder(
    files: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]
) -> tuple[list[ImportReport], tuple[str, ...]]:
    """Convert a published LanguageBind video checkpoint.

    Args:
        files: its folder (config.json and weights), or the weights in it.
        out: output folder of the video tower.

    Returns:
        The report, and the unused keys.

    Raises:
        InputError: several files, a folder without config.json, or another family.
    """
    if len(files) != 1:
        raise InputError(f"{len(files)} files were given; LanguageBind is one folder with config.json and weights.")
    given = Path(files[0])
    folder = given if given.is_dir() else given.parent
    if not given.exists():
        raise InputError(f"{given}: no such file or folder; give the folder of a LanguageBind video checkpoint.")
    model, report = load_released_languagebind(folder, read_config(folder))
    model.save_pretrained(out)
    return [report], report.unused
