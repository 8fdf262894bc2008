"""Weights that come with the package, and which model is meant by a name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

WEIGHTS: Final = Path(__file__).parent
MODELS: Final[tuple[str, ...]] = ("nano", "nano-paired")
"""Names of the models: the first is asked where none is named."""


def model_source(name: str | os.PathLike[str] | None = None) -> str:
    """Resolve a name to the folder or hub id of a model.

    Args:
        name: a folder, a hub id, or one of `MODELS` (a folder of that name in the working directory comes first); where
            None, ``$VIMONET_MODEL``, else nano.
    """
    source = os.fspath(name or os.environ.get("VIMONET_MODEL") or MODELS[0])
    return str(WEIGHTS / source) if source in MODELS and not Path(source).is_dir() else source
