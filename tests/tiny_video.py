"""Random video backbones small enough for a test, saved to disk as their real ones are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    ConvNextV2Config,
    ConvNextV2Model,
    Dinov2Config,
    Dinov2Model,
    ResNetConfig,
    ResNetModel,
    Siglip2VisionConfig,
    Siglip2VisionModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    VideoMAEConfig,
    VideoMAEModel,
    VivitConfig,
    VivitModel,
    VJEPA2Config,
    VJEPA2Model,
)

from vimonet.model import (
    EfficientNetLiteConfig,
    EfficientNetLiteModel,
    LanguageBindVideoConfig,
    LanguageBindVideoModel,
)

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
IMAGES = ["clip", "siglip", "siglip2", "dinov2", "resnet", "convnextv2", "efficientnet_lite"]
FAMILIES = [*IMAGES, "videomae", "vjepa2", "vivit", "languagebind"]


def tiny_backbone(family: str) -> Any:
    """A whole random model of that family, patches of 8 pixels, pictures of 32."""
    torch.manual_seed(0)
    size = {"image_size": 32, "patch_size": 8}
    if family == "clip":  # both halves, as published
        text = {**SMALL, "vocab_size": 50, "max_position_embeddings": 8}
        return CLIPModel(CLIPConfig(vision_config={**SMALL, **size}, text_config=text, projection_dim=16))
    if family == "siglip":
        return SiglipVisionModel(SiglipVisionConfig(**SMALL, **size))
    if family == "siglip2":
        return Siglip2VisionModel(Siglip2VisionConfig(**SMALL, patch_size=8, num_patches=16))
    if family == "dinov2":
        return Dinov2Model(Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, **size))
    if family == "resnet":
        stages = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic"}
        return ResNetModel(ResNetConfig(**stages, image_size=32))
    if family == "convnextv2":
        stages = {"hidden_sizes": [16, 32], "depths": [1, 1], "num_stages": 2}
        return ConvNextV2Model(ConvNextV2Config(**stages, image_size=32, patch_size=4))
    if family == "efficientnet_lite":
        stages = ((1, 3, 1, 1, 8), (2, 3, 2, 2, 12), (1, 5, 2, 2, 16))
        sizes = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "stem": 8}
        return EfficientNetLiteModel(EfficientNetLiteConfig(stages=stages, num_labels=7, **sizes)).eval()
    if family == "videomae":
        return VideoMAEModel(VideoMAEConfig(**SMALL, **size, num_frames=8, tubelet_size=2))
    if family == "vivit":
        return VivitModel(VivitConfig(**SMALL, image_size=32, num_frames=8, tubelet_size=[2, 8, 8]))
    if family == "vjepa2":
        small = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "crop_size": 32, "patch_size": 8}
        predictor = {"pred_hidden_size": 48, "pred_num_attention_heads": 4, "pred_num_hidden_layers": 1}
        return VJEPA2Model(VJEPA2Config(**small, **predictor, frames_per_clip=8))
    return LanguageBindVideoModel(LanguageBindVideoConfig(**SMALL, **size))


def saved_backbone(family: str, folder: Path) -> Path:
    """Folder of a saved tiny model."""
    path = folder / family
    if not path.is_dir():
        tiny_backbone(family).save_pretrained(path)
    return path


def tiny_clip_config() -> CLIPVisionConfig:
    """Config of a tiny video tower that takes any number of frames: 16 patches a frame."""
    return CLIPVisionConfig(**SMALL, image_size=32, patch_size=8)


def tiny_video(frames: int = 12, *, seed: int = 0, size: tuple[int, int] = (40, 60)) -> NDArray[np.uint8]:
    """Random pictures uint8 [frames, H, W, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (frames, *size, 3), dtype=np.uint8)
