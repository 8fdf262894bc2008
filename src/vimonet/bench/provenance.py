"""What a score was made with: the weights by their hash, the code by its version."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import vimonet
from vimonet.bench.video_span import Video

if TYPE_CHECKING:
    from vimonet.vimos.types import Item

_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth")


def weights_sha256(checkpoint: str | Path) -> str:
    """SHA-256 of a checkpoint's weights.

    Of one file: the hash ``sha256sum`` prints. Of a directory with several weight files (shards, an adapter): the
    hash of the lines ``<hash>  <name>`` of its files in the order of their names, that is of the output of
    ``sha256sum`` in that directory.

    Raises:
        FileNotFoundError: there is no weight file.
    """
    path = Path(checkpoint)
    if path.is_file():
        files = [path]
    else:
        files = next((found for pattern in _WEIGHTS if (found := sorted(path.glob(pattern)))), [])
    if not files:
        raise FileNotFoundError(f"{path}: no weight file ({', '.join(_WEIGHTS)})")
    hashes = []
    for file in files:
        with file.open("rb") as stream:
            hashes.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(files) == 1:
        return hashes[0]
    lines = "".join(f"{digest}  {file.name}\n" for digest, file in zip(hashes, files, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def assistant_sha256(assistant: Any, checkpoint: str | Path | None = None) -> str | None:
    """Hash of the weights an assistant answers with: of its directory where it has one, else of its tensors in memory.

    Args:
        assistant: may have ``directory`` (or ``path``), or ``model`` with ``state_dict()``.
        checkpoint: the directory or file to use instead.

    Returns:
        64 hexadecimal digits, prefixed ``tensors:`` when taken from memory; None for an assistant without weights.
    """
    places = [checkpoint, getattr(assistant, "directory", None), getattr(assistant, "path", None)]
    for place in places:
        if place is not None and Path(place).exists():
            return weights_sha256(place)
    model = getattr(assistant, "model", None)
    if model is None or not hasattr(model, "state_dict"):
        return None
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return "tensors:" + digest.hexdigest()


def code_version() -> str:
    """Package version, with the commit run from its own git checkout (``0.1.0+3f2a91c.modified``)."""
    package = Path(vimonet.__file__).resolve().parent
    top = _git(package, "rev-parse", "--show-toplevel")
    # An environment inside somebody else's repository must not lend its commit.
    if top is None or Path(top).resolve() / "src" / "vimonet" != package:
        return vimonet.__version__
    commit = _git(package, "rev-parse", "--short", "HEAD")
    if commit is None:
        return vimonet.__version__
    return f"{vimonet.__version__}+{commit}{'.modified' if _git(package, 'status', '--porcelain', '--', '.') else ''}"


def items_sha256(items: Sequence[Item]) -> str:
    """Hash of everything asked: ids, questions, answers and the movements themselves."""
    digest = hashlib.sha256()
    motions: dict[int, str] = {}
    for item in items:
        key = id(item.motion)
        if key not in motions:
            motions[key] = _shown_sha256(item.motion)
        digest.update("\x1f".join([item.id, item.question, item.answer, motions[key]]).encode() + b"\x1e")
    return digest.hexdigest()


def _shown_sha256(shown: Any) -> str:
    """Of a movement its joints, of a video its name, size and stretch: a benchmark's videos may be hundreds of GB."""
    if isinstance(shown, Video):
        size = shown.path.stat().st_size if shown.path.is_file() else None
        content = f"{shown.path.name} {size} {shown.start} {shown.end}".encode()
    else:
        content = np.ascontiguousarray(shown.joints).tobytes()
    return hashlib.sha256(content).hexdigest()


def machine() -> str:
    """The machine in a phrase, for the report's wall time."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
