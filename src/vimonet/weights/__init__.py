"""Hold the weights that come with the package, and resolve the names of models and parts to folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vimonet.utils.errors import InputError
from vimonet.utils.files import cache_folder

WEIGHTS: Final = Path(__file__).parent
MODELS: Final[tuple[str, ...]] = ("nano", "nano-paired")
"""Names of the models: the first is asked where none is named."""
MINI: Final = "mini"
"""Name of the model with a pretrained language model: the default once ``vimonet fetch mini`` has joined it."""
PARTS: Final[tuple[str, ...]] = ("smollm2-135m-instruct", "efficientnet-lite0", "all-minilm-l6-v2")
"""Parts that ``vimonet fetch mini`` fetches: a language model, an image tower and a sentence encoder."""


def model_source(name: str | os.PathLike[str] | None = None) -> str:
    """Resolve a name to the folder or hub id of a model.

    Args:
        name: a folder, a hub id, ``mini``, or one of `MODELS` (a folder of that name in the working directory comes
            first); where None, ``$VIMONET_MODEL``, else mini if it is fetched, else nano.

    Raises:
        InputError: mini is named and not fetched.
    """
    chosen = name or os.environ.get("VIMONET_MODEL") or (MINI if mini_folder().is_dir() else MODELS[0])
    source = os.fspath(chosen)
    if source == MINI and not Path(source).is_dir():
        if not mini_folder().is_dir():
            raise InputError("mini is not in the cache yet; run 'vimonet fetch mini' once.")
        return str(mini_folder())
    return str(WEIGHTS / source) if source in MODELS and not Path(source).is_dir() else source


def mini_folder() -> Path:
    """Return the folder of mini, joined from this version's adapter, whether it is there or not."""
    return cache_folder() / "models" / f"mini-{_adapter_digest()}"


def _adapter_digest() -> str:
    """Compute a short digest of the shipped adapter's description, so that a new adapter is joined anew."""
    import hashlib

    try:
        text = (WEIGHTS / MINI / "settings.json").read_bytes()
    except OSError:
        return "none"
    return hashlib.sha256(text).hexdigest()[:12]


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
