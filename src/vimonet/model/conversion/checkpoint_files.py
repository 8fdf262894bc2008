"""Reading checkpoints of several files, and writing a folder whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vimonet.model.weight_files import read_state_dict
from vimonet.utils.errors import InputError

_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SINGLE = ("model.safetensors", "pytorch_model.bin")


def read_tensors(paths: Sequence[str | os.PathLike[str]]) -> dict[str, Tensor]:
    """All tensors of some checkpoint files, or of folders that hold one in the Hugging Face layout.

    Nothing in a file is executed (``torch.load(weights_only=True)``), and large files are mapped, not read.

    Raises:
        InputError: a file that is missing, damaged or holds other things than tensors; one name in two files.
    """
    tensors: dict[str, Tensor] = {}
    for file in [part for path in paths for part in _parts(Path(path))]:
        found = _read(file)
        if twice := sorted(tensors.keys() & found.keys()):
            raise InputError(f"{file}: holds {twice[0]}, which a file before it holds too; give each part once.")
        tensors |= found
    return tensors


def read_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The config.json of a folder.

    Raises:
        InputError: there is none, or it is no JSON object.
    """
    path = Path(folder) / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict):
        raise InputError(f"{path}: missing or no JSON object; a checkpoint's folder holds its config.json.")
    return config


@contextmanager
def new_folder(out: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder to fill, which gets the name `out` when all went well and vanishes when not.

    Raises:
        InputError: `out` exists and holds something.
    """
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: is there already and not empty; give a new folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part-{os.getpid()}")
    part.mkdir()
    try:
        yield part
        if target.exists():
            target.rmdir()
        os.replace(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _parts(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    for name in _INDEXES:
        if (path / name).is_file():
            try:
                shards = json.loads((path / name).read_text(encoding="utf-8"))["weight_map"].values()
                return [path / shard for shard in sorted(set(shards))]
            except (ValueError, KeyError, AttributeError, TypeError):
                raise InputError(f"{path / name}: no index of weights; copy or download it again.") from None
    for name in _SINGLE:
        if (path / name).is_file():
            return [path / name]
    raise InputError(f"{path}: holds no weights; expected {', '.join((*_SINGLE, *_INDEXES))}.")


def _read(file: Path) -> dict[str, Tensor]:
    if file.suffix != ".safetensors" and file.is_file():
        try:
            loaded = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except Exception:  # an old format that cannot be mapped, or damage, which read_state_dict puts into words
            return read_state_dict(file)
        if isinstance(loaded, dict) and any(isinstance(value, Tensor) for value in loaded.values()):
            return {key: value for key, value in loaded.items() if isinstance(value, Tensor)}
    return read_state_dict(file)


__all__ = ["new_folder", "read_config", "read_tensors"]
