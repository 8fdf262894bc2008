"""Parameters of a model in training: precision, adapters, groups by learning rate, compiled and recomputed blocks,
checkpoints.

A language model of 7 billion weights takes 28 GB in float32, 14 in bfloat16 and about 4 in 4 bits; its optimiser would
take 56 more. With adapters (LoRA) or projectors alone to train, none of that precision is needed beneath them:
activations are bfloat16 anyway (``trainer.bf16``), and trained weights keep float32 and float32 moments.

A checkpoint holds the trained parameters alone: frozen ones lie where they were loaded from. A checkpoint of stage 1
beside a 7B language model holds the projectors, some tens of MB.
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
from vimonet.training.config import LearningRates, LoraSettings, TrainingConfig
from vimonet.utils.errors import InputError

CHECKPOINT_FILE = "trained.safetensors"


def cast_parameters(model: ViMoNetForConditionalGeneration, config: TrainingConfig, *, adapted: bool) -> None:
    """Cast the parameters of `model` in place: a frozen language model to ``language.dtype``, all else to float32.

    Packed 4-bit parameters stay, and so do buffers (rotary frequencies are float32 on purpose).

    Args:
        model: before adapters are added (PEFT gives those float32 weights of its own).
        config: settings.
        adapted: whether the language model's own weights stay as they are, below adapters.
    """
    frozen = adapted or not config.optim.lr.language_model
    held = getattr(torch, config.language.dtype) if frozen else torch.float32
    for name, part in get_parts(model).items():
        for parameter in part.parameters():
            if parameter.is_floating_point():
                parameter.data = parameter.data.to(held if name == "language_model" else torch.float32)


def param_groups(model: Any, rates: LearningRates) -> dict[str, list[nn.Module]]:
    """Group the modules of a ViMoNet model (or of PEFT's around one) by the name of their learning rate."""
    parts = {"projectors" if name == "translators" else name: [part] for name, part in get_parts(model).items()}
    if not rates.projectors:
        each = dict(parts["projectors"][0].named_children())
        parts["keypoint_projector"] = [each.pop("keypoint")] if "keypoint" in each else []
        parts["projectors"] = list(each.values())
    return parts


def with_lora(model: ViMoNetForConditionalGeneration, config: TrainingConfig) -> Any:
    """Put adapters on `model`; parts that train in full beside them are saved with them."""
    from peft import get_peft_model

    lora, rates = config.lora, config.optim.lr
    settings = lora_config(lora.rank, lora.alpha, lora.dropout, targets=lora.targets)
    rate_of = {"translators": rates.projectors, **vars(rates)}
    settings.modules_to_save = [name for name in get_parts(model) if name != "language_model" and rate_of[name]] or None
    wrapped = get_peft_model(model, settings)
    # A path relative to this working directory would be found from no other; a hub id stays as it is.
    base = Path(config.model)
    wrapped.peft_config["default"].base_model_name_or_path = str(base.resolve()) if base.is_dir() else config.model
    return wrapped


def quantization(config: TrainingConfig, lora: LoraSettings | None) -> Any:
    """Return the options of `from_pretrained` for ``lora.quantize``, none where nothing is quantised.

    Linear layers of the language model are held in 4-bit NormalFloat with doubly quantised constants (QLoRA, arXiv
    2305.14314).

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
        # Towers and translators are small and trained or read in full precision, the head is never adapted.
        llm_int8_skip_modules=[
            *(f"vimonet.{part}" for part in ("motion_tower", "keypoint_tower", "video_tower", "translators")),
            "lm_head",
        ],
    )
    device = "cpu" if config.trainer.device == "cpu" else torch.cuda.current_device()
    return {"quantization_config": settings, "device_map": {"": device}}


def blocks_of(language_model: Any) -> list[nn.Module]:
    """The blocks, by the classes that transformers never splits."""
    names = set(language_model._no_split_modules or ())
    return [module for module in language_model.modules() if type(module).__name__ in names]


def compile_blocks(language_model: Any, device: torch.device) -> None:
    """Compile each transformer block in place, for rows of any length (names of weights stay as they are).

    Raises:
        InputError: on a CPU without a C++ compiler.
    """
    if device.type == "cpu" and not shutil.which(os.environ.get("CXX", "g++")):
        raise InputError("trainer.compile needs a C++ compiler on a CPU: install g++, or set trainer.compile=false.")
    for block in blocks_of(language_model):
        block.compile(dynamic=True)


def recompute_blocks(*modules: nn.Module) -> list[nn.Module]:
    """Keep of each block in `modules` only its input: the rest is computed again in the backward pass (activation
    checkpointing, arXiv 1604.06174).

    Returns:
        The blocks. They do so while their own flag ``training`` is set, whatever that of what they hold.

    Raises:
        InputError: there is no block that can do it.
    """
    blocks = [each for module in modules for each in module.modules() if isinstance(each, GradientCheckpointingLayer)]
    if not blocks:
        raise InputError("trainer.gradient_checkpointing: this language model cannot do it; set it to false.")
    function: Any = functools.partial(checkpoint, use_reentrant=False)
    for block in blocks:
        block.gradient_checkpointing = True
        block._gradient_checkpointing_func = function
    return list(blocks)


def save_trained(model: nn.Module, frozen: Iterable[nn.Module], folder: str | Path) -> None:
    """Write the parameters and buffers of `model` that lie outside the `frozen` modules.

    Args:
        model: bare, not wrapped.
        frozen: modules of it.
        folder: made where it is not there.
    """
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
        InputError: a checkpoint that an earlier version wrote.
        RuntimeError: the file lacks something that is trained, or holds something else.
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
        raise RuntimeError(f"{folder}: lacks {lacking[:3]}, holds {unexpected[:3]} that the model has not.")


def _names(model: nn.Module, frozen: Iterable[nn.Module]) -> set[str]:
    """Names of the state of `frozen`, by which `model` knows it."""
    inside = {id(module) for each in frozen for module in each.modules()}
    return {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        if id(module) in inside
        for name in module.state_dict()
        if "." not in name
    }


def _aliases(model: nn.Module) -> dict[str, set[str]]:
    """Other names of each tied parameter."""
    names: dict[int, set[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), set()).add(name)
    return {name: group - {name} for group in names.values() for name in group}
