"""Read weight files: check that a file is whole, read its tensors, and report what an import did with each."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vimonet.utils.errors import InputError

_WRAPPERS = ("net", "state_dict", "model", "vq_model", "vae")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did with each key of the file.

    renamed: file's key -> our key, for every tensor used. unused: keys of the file left aside (other parts of a
    larger model, optimiser state). missing: keys of ours the file does not hold and that were set otherwise (running
    means of the codebook, which released files lack). config: the sizes found.
    """

    source: str
    renamed: dict[str, str]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    config: dict[str, Any]

    def lines(self) -> list[str]:
        """The report in readable lines."""
        counts = f"{len(self.renamed)} tensors used, {len(self.unused)} left aside, {len(self.missing)} set here"
        return [
            f"{self.source}: {counts}",
            "sizes: " + ", ".join(f"{name} {value}" for name, value in self.config.items()),
            *(f"  {theirs} -> {ours}" for theirs, ours in self.renamed.items()),
            *(f"  left aside: {key}" for key in self.unused),
            *(f"  set here: {key}" for key in self.missing),
        ]


def check_safetensors(path: Path) -> None:
    """Check that a safetensors file is whole: 8 bytes of header length, a JSON header, and the bytes it promises.

    Raises:
        InputError: missing, cut off, or another format.
    """
    if not path.is_file():
        raise InputError(f"{path}: missing; the index names it as a part of the weights.")
    size = path.stat().st_size
    with open(path, "rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= size - 8:
            raise InputError(
                f"{path}: {size:,} bytes that are no whole safetensors file; copy or download the weights again."
            )
        try:
            header = json.loads(stream.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise InputError(
                f"{path}: the header is no safetensors header; copy or download the weights again."
            ) from None
    promised = 8 + length + max(ends, default=0)
    if size != promised:
        raise InputError(
            f"{path}: {size:,} bytes, but {promised:,} are needed; the file is cut off, copy or download it again."
        )


def read_state_dict(path: str | Path) -> dict[str, Any]:
    """Tensors of a checkpoint file, unwrapped from ``net``, ``state_dict`` and the like. Never unpickles objects."""
    import torch

    file = Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file; give the path of a .pth, .ckpt or .safetensors checkpoint.")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded: Any = load_file(file)
        else:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = "it holds objects other than tensors" if "weights_only" in str(error).lower() else "it cannot be read"
        raise InputError(
            f"{file}: {reason}; give a checkpoint of plain tensors, complete, as .pth or .safetensors."
        ) from error
    while isinstance(loaded, dict) and not any(isinstance(value, torch.Tensor) for value in loaded.values()):
        inner = next((loaded[key] for key in _WRAPPERS if isinstance(loaded.get(key), dict)), None)
        if inner is None:
            break
        loaded = inner
    found = loaded.items() if isinstance(loaded, dict) else ()
    tensors = {key: value for key, value in found if isinstance(value, torch.Tensor)}
    if not tensors:
        where = "a T2M-GPT-family checkpoint holds them under 'net' or 'state_dict'"
        raise InputError(f"{file}: holds no tensors; {where}.")
    return tensors
