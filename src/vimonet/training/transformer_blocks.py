"""What is done to the transformer blocks of a language model, block by block."""

from __future__ import annotations

import functools
import os
import shutil
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from vimonet.utils.errors import InputError


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
        raise InputError("schedule.compile needs a C++ compiler on a CPU: install g++, or set schedule.compile=false.")
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
        raise InputError("schedule.gradient_checkpointing: this language model cannot do it; set it to false.")
    function: Any = functools.partial(checkpoint, use_reentrant=False)
    for block in blocks:
        block.gradient_checkpointing = True
        block._gradient_checkpointing_func = function
    return list(blocks)
