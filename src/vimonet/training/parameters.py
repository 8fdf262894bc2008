"""Prepare a model's parameters for training: precision, adapters, learning-rate groups, checkpointing, saving.

The weights of a 7B language model take 28 GB in float32, 14 in bfloat16 and about 4 in 4 bits; AdamW's moments take 56
more. A frozen or adapted language model is therefore kept in low precision, while trained weights and their moments are
float32. A training checkpoint holds the trained parameters alone; frozen ones are loaded from their source.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from vimonet.model import ViMoNetForConditionalGeneration, get_parts, lora_config
from vimonet.model.weight_files import check_finite, check_safetensors
from vimonet.training.config import LearningRates, LoraSettings, TrainingConfig
from vimonet.utils.errors import InputError

CHECKPOINT_FILE = "trained.safetensors"


def cast_parameters(model: ViMoNetForConditionalGeneration, config: TrainingConfig, *, adapted: bool) -> None:
    """Cast a frozen or adapted language model to ``language.dtype`` and all other parameters to float32, in place.

    Packed 4-bit parameters and buffers keep their dtype (rotary frequencies need float32).

    Args:
        model: the model before adapters are added (PEFT makes those float32).
        config: settings.
        adapted: whether adapters are trained instead of the language model's own weights.
    """
    frozen = adapted or not config.optim.lr.language_model
    held = getattr(torch, config.language.dtype) if frozen else torch.float32
    for name, part in get_parts(model).items():
        for parameter in part.parameters():
            if parameter.is_floating_point():
                parameter.data = parameter.data.to(held if name == "language_model" else torch.float32)


def param_groups(model: Any, rates: LearningRates) -> dict[str, list[nn.Module]]:
    """Group the modules of a ViMoNet model (or a PEFT model around one) by the name of their learning rate."""
    parts = {"projectors" if name == "translators" else name: [part] for name, part in get_parts(model).items()}
    if not rates.projectors:
        each = dict(parts["projectors"][0].named_children())
        parts["keypoint_projector"] = [each.pop("keypoint")] if "keypoint" in each else []
        parts["projectors"] = list(each.values())
    return parts


def with_lora(model: ViMoNetForConditionalGeneration, config: TrainingConfig) -> Any:
    """Add LoRA adapters to `model`, new or those of ``lora.start``; other trained parts are saved with them.

    Raises:
        InputError: ``lora.start`` holds no adapter, or one of other shapes or layers.
    """
    from peft import get_peft_model

    lora, rates = config.lora, config.optim.lr
    settings = lora_config(lora.rank, lora.alpha, lora.dropout, targets=lora.targets)
    rate_of = {"translators": rates.projectors, **vars(rates)}
    settings.modules_to_save = [name for name in get_parts(model) if name != "language_model" and rate_of[name]] or None
    wrapped = get_peft_model(model, settings)
    if lora.start:
        _go_on_from(wrapped, Path(lora.start))
    # A relative path would be valid in this working directory only; a hub id stays as it is.
    base = Path(config.model)
    wrapped.peft_config["default"].base_model_name_or_path = str(base.resolve()) if base.is_dir() else config.model
    return wrapped


def _go_on_from(wrapped: Any, folder: Path) -> None:
    """Put the weights of an adapter folder into adapters of the same shape."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    file = folder / "adapter_model.safetensors"
    if not file.is_file():
        raise InputError(f"lora.start is {folder}, which holds no adapter_model.safetensors: name an adapter's folder.")
    check_safetensors(file)
    weights = load_file(file)
    check_finite(weights, file)
    own = {name: value.shape for name, value in get_peft_model_state_dict(wrapped).items()}
    if {name: value.shape for name, value in weights.items()} != own:
        raise InputError(
            f"lora.start: the adapter in {folder} has other layers or another rank; set lora.* to its own."
        )
    set_peft_model_state_dict(wrapped, {name: value.float() for name, value in weights.items()})


def quantization(config: TrainingConfig, lora: LoraSettings | None) -> Any:
    """Return the options of `from_pretrained` for ``lora.quantize``; empty without quantisation.

    Linear layers of the language model become 4-bit NormalFloat with double quantisation (QLoRA, arXiv 2305.14314).

    Raises:
        InputError: bitsandbytes or a GPU is missing.
    """
    if lora is None or lora.quantize == "none":
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InputError(
            "lora.quantize needs bitsandbytes, which is not installed: install vimonet[quantize], or set "
            "lora.quantize=none."
        )
    if not torch.cuda.is_available() and config.trainer.device != "cpu":
        raise InputError(
            "lora.quantize needs a GPU and there is none; set lora.quantize=none, or trainer.device=cpu to try it "
            "slowly."
        )
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=lora.quantize,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if config.trainer.bf16 else torch.float32,
        # Towers and projectors are small and need full precision; the head is never adapted.
        llm_int8_skip_modules=[
            *(f"vimonet.{part}" for part in ("motion_tower", "keypoint_tower", "video_tower", "translators")),
            "lm_head",
        ],
    )
    device = "cpu" if config.trainer.device == "cpu" else torch.cuda.current_device()
    return {"quantization_config": settings, "device_map": {"": device}}


def causal_lm_of(model: nn.Module, head: nn.Module) -> Any:
    """Return the causal language model in `model` that the output head belongs to."""
    name = next(name for name, module in model.named_modules() if module is head)
    return model.get_submodule(name.rpartition(".")[0])


def blocks_of(language_model: Any) -> list[nn.Module]:
    """List the transformer blocks: the modules that transformers never splits over devices."""
    names = set(language_model._no_split_modules or ())
    return [module for module in language_model.modules() if type(module).__name__ in names]


def compile_blocks(language_model: Any, device: torch.device) -> None:
    """Compile each transformer block in place for rows of any length; parameter names stay the same.

    Raises:
        InputError: on a CPU without a C++ compiler.
    """
    if device.type == "cpu" and not shutil.which(os.environ.get("CXX", "g++")):
        raise InputError("trainer.compile needs a C++ compiler on a CPU: install g++, or set trainer.compile=false.")
    for block in blocks_of(language_model):
        block.compile(dynamic=True)


def recompute_blocks(*modules: nn.Module) -> list[nn.Module]:
    """Turn on activation checkpointing (arXiv 1604.06174) for each block in `modules`, and return the blocks.

    A block recomputes while its own ``training`` flag is set, whatever the flags of its submodules.

    Raises:
        InputError: no block supports it.
    """
    blocks = [each for module in modules for each in module.modules() if isinstance(each, GradientCheckpointingLayer)]
    if not blocks:
        raise InputError("trainer.gradient_checkpointing: this language model does not support it; set it to false.")
    function: Any = functools.partial(checkpoint, use_reentrant=False)
    for block in blocks:
        block.gradient_checkpointing = True
        block._gradient_checkpointing_func = function
    return list(blocks)


def save_trained(model: nn.Module, frozen: Iterable[nn.Module], folder: str | Path) -> None:
    """Save the parameters and buffers of the unwrapped `model` that lie outside its `frozen` modules."""
    left_out = _names(model, frozen)
    kept: dict[str, torch.Tensor] = {}
    seen: set[tuple[int, torch.Size]] = set()
    for name, value in model.state_dict().items():
        place = (value.data_ptr(), value.shape)
        if name in left_out or (value.numel() and place in seen):
            continue  # tied weights are written once
        seen.add(place)
        kept[name] = value.detach().contiguous().cpu()
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_file(kept, Path(folder) / CHECKPOINT_FILE)


def load_trained(model: nn.Module, frozen: Iterable[nn.Module], folder: str | Path) -> None:
    """Restore what `save_trained` wrote.

    Raises:
        InputError: a checkpoint of an earlier version.
        RuntimeError: missing or unexpected parameters.
    """
    if not (Path(folder) / CHECKPOINT_FILE).is_file():
        raise InputError(
            f"{folder}: holds no {CHECKPOINT_FILE}, so an earlier version wrote it; give resume=false to start anew."
        )
    found = load_file(Path(folder) / CHECKPOINT_FILE)
    missing, unexpected = model.load_state_dict(found, strict=False)
    tied = _aliases(model)
    lacking = [
        name for name in missing if name not in _names(model, frozen) and not tied.get(name, set()) & found.keys()
    ]
    if lacking or unexpected:
        raise RuntimeError(f"{folder}: missing parameters {lacking[:3]}, unexpected parameters {unexpected[:3]}.")


def _names(model: nn.Module, frozen: Iterable[nn.Module]) -> set[str]:
    """Return the state-dict names in `model` of the `frozen` modules."""
    inside = {id(module) for each in frozen for module in each.modules()}
    return {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        if id(module) in inside
        for name in module.state_dict()
        if "." not in name
    }


def _aliases(model: nn.Module) -> dict[str, set[str]]:
    """Map each parameter name to the other names of the same tied parameter."""
    names: dict[int, set[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), set()).add(name)
    return {name: group - {name} for group in names.values() for name in group}
