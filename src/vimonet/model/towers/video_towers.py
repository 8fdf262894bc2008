"""Wrap the vision and video backbones of transformers, and LanguageBind, as video towers with one output shape.

An image backbone (CLIP, SigLIP, SigLIP2, DINOv2, ResNet, ConvNeXt, EfficientNet-Lite ...) reads each frame alone; a
video backbone (VideoMAE, V-JEPA 2, ViViT, LanguageBind) reads the clip. Class and register tokens are dropped, so that
each feature belongs to one patch and one time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.modeling_auto import AutoModel

from vimonet.model.projectors import Grid
from vimonet.model.towers.languagebind import is_languagebind, load_released_languagebind
from vimonet.utils.errors import InputError, first_line
from vimonet.weights import part_source

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Family:
    """Input and output conventions of a family of backbones.

    Attributes:
        video: reads whole clips instead of single frames.
        exact: its position embeddings fix the number of frames.
        convolutional: returns a feature map [N, D, rows, columns].
        layer: hidden state to read; None: the output.
        mean, std: statistics of its input images.
        fit, resample, antialias: scaling of frames, see `ViMoNetVideoProcessor`.
    """

    video: bool = False
    exact: bool = False
    convolutional: bool = False
    layer: int | None = None
    mean: tuple[float, ...] = _IMAGENET[0]
    std: tuple[float, ...] = _IMAGENET[1]
    fit: str = "crop"
    resample: str = "bicubic"
    antialias: bool = True


FAMILIES: dict[str, Family] = {
    "resnet": Family(convolutional=True),
    "convnext": Family(convolutional=True),
    "convnextv2": Family(convolutional=True),
    # The second-to-last layer, which LLaVA, Video-LLaVA and MotionLLM read from CLIP.
    "clip_vision_model": Family(layer=-2, mean=_CLIP[0], std=_CLIP[1]),
    "efficientnet_lite": Family(mean=(127 / 255,) * 3, std=(128 / 255,) * 3),
    "languagebind_video": Family(
        True, True, layer=-2, mean=_CLIP[0], std=_CLIP[1], resample="bilinear", antialias=False
    ),
    "siglip_vision_model": Family(mean=_HALF[0], std=_HALF[1], fit="stretch", resample="bilinear"),
    "siglip2_vision_model": Family(mean=_HALF[0], std=_HALF[1], fit="stretch", resample="bilinear"),
    "videomae": Family(True, True, resample="bilinear"),
    "vjepa2": Family(True, resample="bilinear"),
    "vivit": Family(True, True, mean=_HALF[0], std=_HALF[1], resample="bilinear"),
}


def family_of(config: PreTrainedConfig) -> Family:
    """Return the family of a backbone's config.

    Raises:
        ValueError: a video backbone with an unknown order of tokens, or no backbone with patches.
    """
    known = FAMILIES.get(config.model_type)
    if known is not None:
        return known
    if getattr(config, "num_frames", None) or getattr(config, "frames_per_clip", None):
        videos = ", ".join(name for name, family in FAMILIES.items() if family.video)
        raise ValueError(f"{config.model_type} is a video backbone that is not known here; known are {videos}.")
    if _side(config) is None or not getattr(config, "hidden_size", None):
        raise ValueError(
            f"{config.model_type} is no vision backbone of patches (its config needs image_size, patch_size and "
            "hidden_size)."
        )
    return Family()


def image_side(config: PreTrainedConfig) -> int:
    """Return the height and width of a backbone's input images in pixels."""
    side, patch = _side(config), _patch(config)
    assert side is not None
    return side // patch * patch


def feature_grid(config: PreTrainedConfig, frames: int) -> Grid:
    """Return the frames, rows and columns of a backbone's features for a clip of `frames` frames."""
    rows = image_side(config) // _patch(config)
    return -(-frames // tubelet(config)), rows, rows


def tubelet(config: PreTrainedConfig) -> int:
    """Return the frames per feature: above 1 with tubelet embeddings only."""
    size = getattr(config, "tubelet_size", 1) if family_of(config).video else 1
    return int(size[0] if isinstance(size, (list, tuple)) else size)


def clip_frames(config: PreTrainedConfig) -> int | None:
    """Return the required number of frames of a clip; None if any number is accepted."""
    return int(config.num_frames) if family_of(config).exact else None


def _convolutional(config: PreTrainedConfig) -> bool:
    return FAMILIES.get(config.model_type, Family()).convolutional


def _patch(config: PreTrainedConfig) -> int:
    size: Any = getattr(config, "patch_size", None)
    if _convolutional(config):
        # Pixels per feature: the stem's stride (4 in a ResNet), doubled by each stage after the first.
        halvings = len(config.hidden_sizes) - (not getattr(config, "downsample_in_first_stage", False))
        return int(size or 4) * 2**halvings
    if size is None and isinstance(getattr(config, "tubelet_size", None), (list, tuple)):
        size = config.tubelet_size[-1]
    return int(size[-1] if isinstance(size, (list, tuple)) else size or 0)


def _side(config: PreTrainedConfig) -> int | None:
    if not _patch(config):
        return None
    size: Any = getattr(config, "image_size", None) or getattr(config, "crop_size", None)
    if size is None and _convolutional(config):
        size = 224  # convolutions accept any size; ImageNet weights were trained on this one
    if size is None and config.model_type == "siglip2_vision_model":
        size = int(config.num_patches**0.5) * _patch(config)
    return None if size is None else int(size[0] if isinstance(size, (list, tuple)) else size)


class VideoTower(nn.Module):
    """Wrap a backbone, so that features have one shape. A frozen tower stays in eval mode and keeps no activations.

    Args:
        config: config of the backbone.
        layer: hidden state to read, an index of ``hidden_states``; None: the family's default.
        backbone: backbone with weights; None: new from the config.
    """

    def __init__(self, config: PreTrainedConfig, layer: int | None = None, backbone: PreTrainedModel | None = None):
        super().__init__()
        self.family = family_of(config)
        self.layer = self.family.layer if layer is None else layer
        self.backbone = AutoModel.from_config(config) if backbone is None else backbone
        self.config: PreTrainedConfig = self.backbone.config
        # The predictor is used in pre-training only.
        if config.model_type == "vjepa2":
            self.backbone.predictor = None

    @property
    def dim(self) -> int:
        """Return the width of a feature."""
        return int(self.config.hidden_sizes[-1] if self.family.convolutional else self.config.hidden_size)

    @property
    def frozen(self) -> bool:
        """Tell whether no parameter is trained."""
        return not any(parameter.requires_grad for parameter in self.parameters())

    def train(self, mode: bool = True) -> VideoTower:
        """Set the mode; a frozen tower stays in eval mode."""
        super().train(mode and not self.frozen)
        return self

    def forward(self, values: Tensor) -> Tensor:
        """Encode clips.

        Args:
            values: frames normalised for the backbone, [N, F, 3, H, W].

        Returns:
            Features [N, F', P, D]: F' = ceil(F / tubelet) times, P patches row by row.

        Raises:
            ValueError: a number of frames that the backbone does not accept, or features that are no grid of patches.
        """
        wanted = clip_frames(self.config)
        if wanted is not None and values.shape[1] != wanted:
            raise ValueError(f"{values.shape[1]} frames per clip, but {self.config.model_type} takes {wanted}.")
        values = values.to(next(self.backbone.parameters()).dtype)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            hidden = self._hidden(values)
        moments, rows, columns = feature_grid(self.config, values.shape[1])
        if self.config.model_type == "languagebind_video":
            return hidden[:, :, 1:]
        per_clip = moments if self.family.video else 1
        extra = hidden.shape[1] - per_clip * rows * columns
        if extra < 0:
            raise ValueError(f"{self.config.model_type} gives {hidden.shape[1]} features, no {rows} x {columns} grid.")
        # Class and register tokens come first.
        return hidden[:, extra:].reshape(len(values), moments, rows * columns, -1)

    def _hidden(self, values: Tensor) -> Tensor:
        """Compute the hidden state of the chosen layer: [N, L, D] of clips, [N * F, L, D] of images."""
        inputs: dict[str, Any]
        if self.config.model_type == "vjepa2":
            inputs = {"pixel_values_videos": self._whole_tubelets(values), "skip_predictor": True}
        elif self.config.model_type == "siglip2_vision_model":
            inputs = self._naflex(values.flatten(0, 1))
        else:
            inputs = {"pixel_values": values if self.family.video else values.flatten(0, 1)}
        if self.family.convolutional:
            # Convolutions are fastest in this layout, on CPU and GPU.
            inputs["pixel_values"] = inputs["pixel_values"].contiguous(memory_format=torch.channels_last)
            return self.backbone(**inputs).last_hidden_state.flatten(2).transpose(1, 2)
        if self.layer is None or self.layer == -1:
            return self.backbone(**inputs).last_hidden_state
        states = getattr(self.backbone(**inputs, output_hidden_states=True), "hidden_states", None)
        if states is None:
            raise ValueError(
                f"{self.config.model_type} has an output and no layers to choose from; leave the layer out."
            )
        return states[self.layer]

    def _whole_tubelets(self, values: Tensor) -> Tensor:
        lacking = -values.shape[1] % tubelet(self.config)
        return torch.cat([values, values[:, -1:].expand(-1, lacking, -1, -1, -1)], 1) if lacking else values

    def _naflex(self, images: Tensor) -> dict[str, Tensor]:
        """Build SigLIP2's inputs: flattened patches (row, column, channel inside) and the shape of the grid."""
        patch = _patch(self.config)
        tiles = images.unfold(2, patch, patch).unfold(3, patch, patch)  # [B, 3, h, w, p, p]
        n, _, rows, columns = tiles.shape[:4]
        flat = tiles.permute(0, 2, 3, 4, 5, 1).reshape(n, rows * columns, -1)
        shape = torch.tensor([[rows, columns]] * n, device=images.device)
        return {
            "pixel_values": flat,
            "pixel_attention_mask": torch.ones(flat.shape[:2], dtype=torch.long, device=images.device),
            "spatial_shapes": shape,
        }


def load_video_tower(source: str | os.PathLike[str]) -> PreTrainedModel:
    """Load a pretrained backbone.

    Args:
        source: folder or hub id of a vision or video model, of a model with a vision part (CLIP, SigLIP2), or of
            LanguageBind as published; or one of `vimonet.weights.PARTS`.

    Raises:
        InputError: no such model, no access to the hub, missing weights, or an unknown kind of backbone.
    """
    source = part_source(source)
    try:
        settings, _ = PreTrainedConfig.get_config_dict(source)
        if is_languagebind(settings):
            return load_released_languagebind(_fetched(source), settings)[0]
        config: Any = AutoConfig.from_pretrained(source)
        config = getattr(config, "vision_config", None) or config
        family_of(config)
        model, report = AutoModel.from_pretrained(source, config=config, output_loading_info=True)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        if Path(source).is_dir():
            raise InputError(
                f"{source}: no video tower can be loaded from this folder ({first_line(error)})."
            ) from None
        raise InputError(
            f"{source}: neither a local folder nor a model on the hub ({first_line(error)}); on a machine with network "
            "access fetch it with 'hf download', then give its folder."
        ) from None
    if lacking := sorted(report["missing_keys"]):
        raise InputError(f"{source}: the weights lack {len(lacking)} tensors of the tower, such as {lacking[0]}.")
    return model.eval()


def _fetched(source: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return the folder itself, or the local copy of a hub id."""
    if Path(source).is_dir():
        return source
    from huggingface_hub import snapshot_download

    return snapshot_download(str(source), allow_patterns=["config.json", "*.safetensors", "pytorch_model.bin"])
