"""Checkpoints of a run that hold what it trains, and nothing else.

What is frozen lies where it was loaded from: a checkpoint of stage 1 beside a 7B language model holds the translators,
some tens of MB. Names are those of the model's modules, whatever `save_pretrained` would rename.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from vimonet.utils.errors import InputError

FILE = "trained.safetensors"


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
    save_file(kept, Path(folder) / FILE)


def load_trained(model: nn.Module, frozen: Iterable[nn.Module], folder: str | Path) -> None:
    """Restore what `save_trained` wrote.

    Raises:
        InputError: a checkpoint that an earlier version wrote.
        RuntimeError: the file lacks something that is trained, or holds something else.
    """
    if not (Path(folder) / FILE).is_file():
        raise InputError(f"{folder}: holds no {FILE}, so an earlier version wrote it; give resume=false to start anew.")
    found = load_file(Path(folder) / FILE)
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


__all__ = ["FILE", "load_trained", "save_trained"]
