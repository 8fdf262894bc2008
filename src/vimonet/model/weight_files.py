"""Read and check weight files, report the keys of an import, and write a folder atomically."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vimonet.utils.errors import InputError, first_line
from vimonet.utils.files import named, read_object

_WRAPPERS = ("net", "state_dict", "model", "vq_model", "vae")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Record of an import, key by key.

    Attributes:
        source: the file.
        renamed: key of the file -> key of the model, for every tensor that is used.
        unused: other keys of the file (other parts of a larger model, optimiser state).
        missing: keys of the model that the file lacks and that are initialised (running means of the codebook).
        config: sizes found in the file.
    """

    source: str
    renamed: dict[str, str]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    config: dict[str, Any]


def check_safetensors(path: Path) -> None:
    """Check that a safetensors file is whole: its header, and the bytes that the header lists.

    Raises:
        InputError: missing, truncated, or another format.
    """
    if not path.is_file():
        raise InputError(f"{path}: this part of the weights is missing; copy or download it again.")
    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: {path.stat().st_size:,} bytes, no whole safetensors file ({first_line(error)}); "
            "it is cut off or damaged, copy or download it again."
        ) from None


def indexed_files(index: Path) -> list[Path]:
    """List the files of a weight index (``model.safetensors.index.json``), which lie beside it.

    Raises:
        InputError: it is no such index, or names a file in another folder.
    """
    named = read_object(index, "copy or download the model again").get("weight_map")
    names = sorted(set(named.values())) if isinstance(named, dict) and all(map(_is_text, named.values())) else []
    if not names:
        raise InputError(f"{index}: no index of weights; copy or download it again.")
    for name in names:
        if name in ("", ".", "..") or any(sign in name for sign in ("/", "\\", "\0", ":")):
            raise InputError(f"{index}: names {name!r}; the files of an index lie in its own folder.")
    return [index.parent / name for name in names]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def check_finite(state: Mapping[str, Any], where: str | os.PathLike[str]) -> None:
    """Check that weights are numbers.

    Args:
        state: names and tensors.
        where: file or folder, for the error.

    Raises:
        InputError: a weight is NaN or infinite.
    """
    for name, value in state.items():
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.element_size() == 1:
            continue
        # The sum finds out in one pass; where it overflows, each number is looked at.
        if not torch.isfinite(value.sum(dtype=torch.float32)) and not torch.isfinite(value).all():
            bad = int((~torch.isfinite(value)).sum())
            raise InputError(
                f"{os.fspath(where)}: {bad:,} of the {value.numel():,} weights of {name} are NaN or infinite; "
                "the training diverged or the file is damaged, use another checkpoint."
            )


def has_bfloat16() -> bool:
    """Tell whether this processor has instructions that multiply bfloat16; without them float32 is faster."""
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def read_state_dict(path: str | Path) -> dict[str, Any]:
    """Read the tensors of a checkpoint file, unwrapped from ``net``, ``state_dict`` ..., without unpickling."""
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
    check_finite(tensors, file)
    return tensors


_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SINGLE = ("model.safetensors", "pytorch_model.bin")


def read_tensors(paths: Sequence[str | os.PathLike[str]]) -> dict[str, Tensor]:
    """Read all tensors of checkpoint files, or of folders in the Hugging Face layout.

    No code in a file is executed (``torch.load(weights_only=True)``); large files are memory-mapped.

    Raises:
        InputError: a file that is missing, damaged or holds other objects than tensors; one name in two files.
    """
    tensors: dict[str, Tensor] = {}
    for file in [part for path in paths for part in _parts(Path(path))]:
        found = _read(file)
        if twice := sorted(tensors.keys() & found.keys()):
            raise InputError(f"{file}: holds {twice[0]}, which an earlier file holds too; give each part once.")
        tensors |= found
    return tensors


def read_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the config.json of a folder; InputError if it is missing or no JSON object."""
    return read_object(Path(folder) / "config.json", "a checkpoint's folder holds its config.json")


@contextmanager
def new_folder(out: str | os.PathLike[str]) -> Iterator[Path]:
    """Create a temporary folder that is renamed to `out` on success and deleted on failure.

    Raises:
        InputError: `out` exists and is not empty.
    """
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: exists already and is not empty; give a new folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part-{os.getpid()}")
    try:
        part.mkdir()
        with named(part):
            yield part
        if target.exists():
            target.rmdir()
        os.replace(part, target)
    except OSError as error:
        if error.filename == os.fspath(part):
            raise OSError(error.errno, error.strerror, os.fspath(target)) from error
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _parts(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    for name in _INDEXES:
        if (path / name).is_file():
            return indexed_files(path / name)
    for name in _SINGLE:
        if (path / name).is_file():
            return [path / name]
    raise InputError(f"{path}: holds no weights; expected {', '.join((*_SINGLE, *_INDEXES))}.")


def _read(file: Path) -> dict[str, Tensor]:
    if file.suffix != ".safetensors" and file.is_file():
        try:
            loaded = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except Exception:  # an old format that cannot be mapped, or damage, which read_state_dict reports
            return read_state_dict(file)
        if isinstance(loaded, dict) and any(isinstance(value, Tensor) for value in loaded.values()):
            return {key: value for key, value in loaded.items() if isinstance(value, Tensor)}
    return read_state_dict(file)
