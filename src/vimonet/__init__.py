"""ViMoNet: an open system that understands how people move.

Three lines from a recording to an answer::

    import vimonet
    model = vimonet.load()
    print(model.ask("Which arm is raised?", motion="walk.bvh").text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vimonet.inference.assistant import Answer, Assistant, load
    from vimonet.motion import Motion

__version__ = "0.2.0"
__all__ = ["Answer", "Assistant", "Motion", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # Imported on first use: reading or drawing a recording must not wait for torch.
    if name in {"load", "Answer", "Assistant"}:
        from vimonet.inference import assistant

        return getattr(assistant, name)
    if name == "Motion":
        from vimonet.motion import Motion

        return Motion
    raise AttributeError(f"module 'vimonet' has no attribute {name!r}")
