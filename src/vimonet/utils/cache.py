"""Locate the cache folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/vimonet``, or the platform's usual folder for caches."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "vimonet"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "vimonet" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vimonet"
    return Path.home() / ".cache" / "vimonet"
