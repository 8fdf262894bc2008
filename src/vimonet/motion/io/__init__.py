"""Read recordings of any format from a path, folder, address or sample name to a `Motion`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from vimonet.motion.io.everyone import load_people
from vimonet.motion.io.loading import detect_format, load, recording_info
from vimonet.motion.io.readers import READERS, Content, Reader, Recording, register, suffixes


def discover() -> None:
    """Import every module of this folder, which registers its reader."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")


discover()

__all__ = [
    "READERS",
    "Content",
    "Reader",
    "Recording",
    "detect_format",
    "load",
    "load_people",
    "recording_info",
    "register",
    "suffixes",
]
