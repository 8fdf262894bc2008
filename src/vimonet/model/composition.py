"""Putting a model together from parts, taking it apart again, and the adapters of its language model."""

from __future__ import annotations

import copy
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from vimonet.model.configuration_vimonet import KEYPOINT_TOKEN, MOTION_TOKEN, ViMoNetConfig
from vimonet.model.modeling_vimonet import ViMoNetForConditionalGeneration
from vimonet.model.motion_vqvae import MotionEncoder, MotionVQVAE
from vimonet.model.processing_vimonet import add_special_tokens

if TYPE_CHECKING:
    from peft import LoraConfig

_LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def build_model(
    config: ViMoNetConfig,
    tokenizer: PreTrainedTokenizerBase,
    *,
    language_model: PreTrainedModel | str | PathLike[str] | None = None,
    motion_tower: MotionVQVAE | MotionEncoder | str | PathLike[str] | None = None,
    keypoint_tower: MotionVQVAE | MotionEncoder | str | PathLike[str] | None = None,
) -> ViMoNetForConditionalGeneration:
    """Compose a model whose token ids, vocabulary and end of sequence agree with the tokenizer.

    Args:
        config: shapes of what is not given below; a given part brings its own config.
        tokenizer: gets ViMoNet's special tokens if it lacks them.
        language_model: a causal LM, or where to load one; its embeddings grow to the tokenizer's size. New from
            ``config.text_config`` when None.
        motion_tower, keypoint_tower: a VQ-VAE or encoder, or where to load a VQ-VAE; new when None.

    Returns:
        The model, in the dtype of its new parts (the default dtype).
    """
    config = copy.deepcopy(config)
    add_special_tokens(tokenizer)
    if isinstance(language_model, (str, PathLike)):
        language_model = AutoModelForCausalLM.from_pretrained(language_model)
    towers = {"motion": _encoder(motion_tower), "keypoint": _encoder(keypoint_tower)}
    for name, tower in towers.items():
        if tower is not None:
            setattr(config, f"{name}_config", tower.config)
    if language_model is not None:
        if int(language_model.config.vocab_size) < len(tokenizer):
            language_model.resize_token_embeddings(len(tokenizer))
        config.text_config = language_model.config
        config.tie_word_embeddings = bool(getattr(language_model.config, "tie_word_embeddings", False))
    else:
        config.text_config.vocab_size = len(tokenizer)
    config.motion_token_id = tokenizer.convert_tokens_to_ids(MOTION_TOKEN)  # type: ignore[assignment]
    config.keypoint_token_id = tokenizer.convert_tokens_to_ids(KEYPOINT_TOKEN)  # type: ignore[assignment]
    part: Any
    for part in (config, config.text_config):
        part.eos_token_id, part.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
        part.bos_token_id = tokenizer.bos_token_id

    model = ViMoNetForConditionalGeneration(config)
    if language_model is not None:
        model.language_model.load_state_dict(language_model.state_dict())
    for name, tower in towers.items():
        if tower is not None:
            getattr(model.vimonet, f"{name}_tower").load_state_dict(tower.state_dict())
    for generation in (model.generation_config, model.language_model.generation_config):
        generation.eos_token_id, generation.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
        generation.bos_token_id = tokenizer.bos_token_id
    return model


def _encoder(tower: Any) -> MotionEncoder | None:
    """The encoder of a VQ-VAE, of a place to load one from, or the encoder itself."""
    if tower is None or isinstance(tower, MotionEncoder):
        return tower
    return (MotionVQVAE.from_pretrained(tower) if isinstance(tower, (str, PathLike)) else tower).encoder


def get_parts(model: nn.Module) -> dict[str, nn.Module]:
    """The parts that train at their own learning rate or are frozen.

    Args:
        model: a `ViMoNetForConditionalGeneration`, bare or wrapped (PEFT, DDP, accelerate).

    Returns:
        ``motion_tower``, ``keypoint_tower`` (only where the model has one), ``translators``, ``language_model``;
        together they hold every parameter exactly once.
    """
    inner = next(module for module in model.modules() if isinstance(module, ViMoNetForConditionalGeneration)).vimonet
    parts = {name: getattr(inner, name) for name in ("motion_tower", "keypoint_tower", "translators", "language_model")}
    return {name: part for name, part in parts.items() if part is not None}


def lora_config(
    rank: int = 8,
    alpha: int = 16,
    dropout: float = 0.05,
    *,
    targets: tuple[str, ...] | list[str] = _LORA_TARGETS,
    train_translators: bool = True,
) -> LoraConfig:
    """Adapters on the language model only (LoRA, arXiv 2106.09685), for ``peft.get_peft_model(model, lora_config())``.

    Args:
        rank, alpha, dropout: as in the paper.
        targets: names of the language model's linear layers to adapt.
        train_translators: train the translators in full beside them; they are then saved with the adapter.
    """
    from peft import LoraConfig

    return LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        # A pattern, not names: the towers and translators must never be matched by accident.
        target_modules=rf".*\blanguage_model\..*\.({'|'.join(targets)})",
        modules_to_save=["translators"] if train_translators else None,
        task_type="CAUSAL_LM",
    )


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Number of parameters per part, tied ones counted once."""
    with torch.no_grad():
        return {name: sum(p.numel() for p in part.parameters()) for name, part in get_parts(model).items()}


__all__ = ["build_model", "count_parameters", "get_parts", "lora_config"]
