"""Weights that come with the package or are fetched once, and which folder is meant by a name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vimonet.utils.errors import InputError
from vimonet.utils.files import cache_folder

WEIGHTS: Final = Path(__file__).parent
MODELS: Final[tuple[str, ...]] = ("nano", "nano-paired")
"""Names of the models: the first is asked where none is named."""
PARTS: Final[tuple[str, ...]] = ("smollm2-135m-instruct", "efficientnet-lite0")
"""Names of the pretrained parts of `mini`: language model and image tower, which ``vimonet fetch mini`` fetches."""


def model_source(name: str | os.PathLike[str] | None = None) -> str:
    """Resolve a name to the folder or hub id of a model.

    Args:
        name: a folder, a hub id, or one of `MODELS` (a folder of that name in the working directory comes first); where
            None, ``$VIMONET_MODEL``, else nano.
    """
    source = os.fspath(name or os.environ.get("VIMONET_MODEL") or MODELS[0])
    return str(WEIGHTS / source) if source in MODELS and not Path(source).is_dir() else source


def part_folder(name: str) -> Path:
    """Return the folder of a pretrained part in the user's cache, whether it is there or not."""
    return cache_folder() / "parts" / name


def part_source(name: str | os.PathLike[str]) -> str:
    """Resolve a name to the folder or hub id of a part.

    Args:
        name: a folder, a hub id, or one of `PARTS` (a folder of that name in the working directory comes first).

    Raises:
        InputError: a part that is not fetched yet.
    """
    source = os.fspath(name)
    if source not in PARTS or Path(source).is_dir():
        return source
    folder = part_folder(source)
    if not folder.is_dir():
        raise InputError(f"{source}: not in the cache yet; run 'vimonet fetch mini' once.")
    return str(folder)
