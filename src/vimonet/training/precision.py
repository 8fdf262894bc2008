"""What weights are held in while training: trained ones in float32, a frozen language model in less.

A language model of 7 billion weights takes 28 GB in float32, 14 in bfloat16 and about 4 in 4 bits; its optimiser would
take 56 more. With adapters (LoRA) or translators alone to train, none of that precision is needed beneath them:
activations are bfloat16 anyway (``schedule.bf16``), and what is trained keeps float32 weights and moments.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import nn

from vimonet.model import ViMoNetForConditionalGeneration, get_parts
from vimonet.training.config import TrainingConfig
from vimonet.utils.errors import InputError

_WHOLE = ("motion_tower", "keypoint_tower", "video_tower", "translators")


def hold(model: ViMoNetForConditionalGeneration, config: TrainingConfig, *, adapted: bool) -> None:
    """Cast the parameters of `model` in place: the language model to ``language.dtype``, all else to float32.

    Args:
        model: before adapters are added (PEFT gives those float32 weights of its own).
        config: settings.
        adapted: whether the language model's own weights stay as they are, below adapters; where they are trained in
            full, they are float32.
    """
    frozen = adapted or not config.learning_rate.language_model
    held = getattr(torch, config.language.dtype) if frozen else torch.float32
    for name, part in get_parts(model).items():
        cast(part, held if name == "language_model" else torch.float32)


def cast(module: nn.Module, dtype: torch.dtype) -> None:
    """Cast parameters but for packed 4-bit ones; buffers stay (rotary frequencies are float32 on purpose)."""
    for parameter in module.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)


def quantization(config: TrainingConfig) -> Any:
    """Options of `from_pretrained` for ``lora.quantize``: the language model's linear layers in 4-bit NormalFloat with
    doubly quantised constants (QLoRA, arXiv 2305.14314); none where nothing is quantised.

    Raises:
        InputError: bitsandbytes or a GPU is missing.
    """
    if config.lora.quantize == "none":
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InputError(
            "lora.quantize needs bitsandbytes, which is not installed: install vimonet[quantize], or set "
            "lora.quantize=none."
        )
    if not torch.cuda.is_available() and config.schedule.device != "cpu":
        raise InputError(
            "lora.quantize needs a GPU and there is none; set lora.quantize=none, or schedule.device=cpu to try it "
            "slowly."
        )
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=config.lora.quantize,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if config.schedule.bf16 else torch.float32,
        # Towers and translators are small and trained or read in full precision, the head is never adapted.
        llm_int8_skip_modules=[*(f"vimonet.{part}" for part in _WHOLE), "lm_head"],
    )
    device = "cpu" if config.schedule.device == "cpu" else torch.cuda.current_device()
    return {"quantization_config": settings, "device_map": {"": device}}


__all__ = ["cast", "hold", "quantization"]
