"""ViMoNet: an open system that understands how people move.

Three lines from a recording to an answer::

    import vimonet
    model = vimonet.load()
    print(model.ask("Which arm is raised?", motion="walk.bvh").text)
"""

from __future__ import annotations as _annotations

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING

from vimonet.utils.auto_classes import register_lazily as _register_lazily

if _TYPE_CHECKING:
    from vimonet.inference.answer import Answer
    from vimonet.inference.assistant import Assistant, load
    from vimonet.motion import Motion

__version__ = "0.2.0"
__all__ = ["Answer", "Assistant", "Motion", "__version__", "load"]

_HOMES = {
    "Answer": "vimonet.inference.answer",
    "Assistant": "vimonet.inference.assistant",
    "Motion": "vimonet.motion",
    "load": "vimonet.inference.assistant",
}


def __getattr__(name: str) -> object:
    # Imported on first use: reading or drawing a recording must not wait for torch.
    if name in _HOMES:
        return getattr(_importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vimonet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)


_register_lazily()
