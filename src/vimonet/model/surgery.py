"""Add towers, lifters and adapters to a model, and list its parts."""

from __future__ import annotations

import copy
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers.modeling_utils import PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from vimonet.model.build import build_model
from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.modeling_vimonet import ViMoNetForConditionalGeneration
from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.towers.keypoint_lifter import KeypointEncoder, keypoint_encoder
from vimonet.model.towers.video_towers import VideoTower
from vimonet.motion.features.body_features import BODY_DIM

if TYPE_CHECKING:
    from peft import LoraConfig

_LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def add_video_tower(
    model: ViMoNetForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    video_tower: VideoTower | PreTrainedModel | str | PathLike[str] | None = None,
    **settings: Any,
) -> ViMoNetForConditionalGeneration:
    """Copy a trained model with a video tower added; its answers on motion stay the same.

    Args:
        model: a model without a video tower; not changed.
        tokenizer: tokenizer of the model; gets ``<|video|>``.
        video_tower: as in `build_model`; None: new from ``settings["video_config"]``.
        **settings: config fields that begin with ``video_``.

    Returns:
        A new model with an untrained video projector.

    Raises:
        ValueError: the model has a video tower already, or none is given.
        InputError: a video tower that cannot be loaded.
    """
    if model.config.video_config is not None:
        raise ValueError("The model has a video tower already.")
    config = copy.deepcopy(model.config)
    for name, value in settings.items():
        if not name.startswith("video_") or not hasattr(config, name):
            raise ValueError(f"{name} is no setting of a video tower.")
        setattr(config, name, value)
    language_model = copy.deepcopy(model.language_model)
    grown = build_model(config, tokenizer, language_model=language_model, video_tower=video_tower)
    if grown.config.video_config is None:
        raise ValueError("Name a video tower, or give video_config.")
    kept = {name: value for name, value in model.state_dict().items() if ".language_model." not in name}
    grown.load_state_dict(kept, strict=False)
    return grown.train(model.training)


def add_lifter(
    model: ViMoNetForConditionalGeneration, extractor: MotionFeatureExtractor, width: int
) -> ViMoNetForConditionalGeneration:
    """Add an untrained 2D-to-3D lifter to a model in place: see `vimonet.model.towers.keypoint_lifter`.

    The keypoint tower becomes the lifter and a copy of the motion tower; its projector becomes a copy of the motion
    projector.

    Args:
        model: a model with motion and keypoint tower; unchanged if it has a lifter.
        extractor: feature extractor of the model, for the statistics of body features.
        width: channels of the lifter's convolutions.

    Returns:
        The model.

    Raises:
        ValueError: a tower is missing, or the motion tower does not read body features.
    """
    inner, config = model.vimonet, model.config
    if inner.keypoint_tower is None or inner.motion_tower is None:
        raise ValueError("Lifting needs a motion tower and a keypoint tower, and the model lacks one of them.")
    if config.motion_config.input_dim != BODY_DIM:
        raise ValueError("Keypoints are lifted to body features, which the model's motion tower does not read.")
    if isinstance(inner.keypoint_tower, KeypointEncoder):
        return model
    shape = {**config.motion_config.to_dict(), "input_dim": config.keypoint_config.input_dim, "lift_width": width}
    config.keypoint_config = MotionVQVAEConfig.from_dict(shape)
    tower = keypoint_encoder(config.keypoint_config).to(inner.motion_tower.input.weight)
    tower.apply(model._init_weights)
    tower.load_state_dict(inner.motion_tower.state_dict(), strict=False)
    if extractor.mean is not None and extractor.std is not None:
        tower.body_mean.copy_(torch.from_numpy(extractor.mean))  # type: ignore[operator]
        tower.body_std.copy_(torch.from_numpy(extractor.std))  # type: ignore[operator]
    inner.keypoint_tower = tower.train(model.training)
    inner.translators.add_module("keypoint", copy.deepcopy(inner.translators.get_submodule("motion")))
    return model


def get_parts(model: nn.Module) -> dict[str, nn.Module]:
    """Return the parts of a model, each with a learning rate of its own.

    Args:
        model: a `ViMoNetForConditionalGeneration`, or a wrapper around one (PEFT, DDP, accelerate).

    Returns:
        ``motion_tower``, ``keypoint_tower``, ``video_tower`` (if present), ``translators`` (the projectors),
        ``language_model``; each parameter is in exactly one of them.
    """
    inner = next(module for module in model.modules() if isinstance(module, ViMoNetForConditionalGeneration)).vimonet
    names = ("motion_tower", "keypoint_tower", "video_tower", "translators", "language_model")
    return {name: part for name in names if (part := getattr(inner, name)) is not None}


def lora_config(
    rank: int = 8,
    alpha: int = 16,
    dropout: float = 0.05,
    *,
    targets: tuple[str, ...] | list[str] = _LORA_TARGETS,
    train_projectors: bool = True,
) -> LoraConfig:
    """Return the PEFT config of adapters on the language model only (LoRA, arXiv 2106.09685).

    Args:
        rank, alpha, dropout: as in the paper.
        targets: names of the linear layers to adapt.
        train_projectors: train the projectors in full and save them with the adapter.
    """
    from peft import LoraConfig

    return LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        # A pattern instead of names, so that no layer of a tower or projector matches.
        target_modules=rf".*\blanguage_model\..*\.({'|'.join(targets)})",
        modules_to_save=["translators"] if train_projectors else None,
        task_type="CAUSAL_LM",
    )


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Count the parameters of each part; tied ones count once."""
    with torch.no_grad():
        return {name: sum(p.numel() for p in part.parameters()) for name, part in get_parts(model).items()}
