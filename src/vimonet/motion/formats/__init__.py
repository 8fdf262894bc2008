"""Loaders (being written)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vimonet.motion.motion import Motion


def load(source: Any, *, fps: float | None = None, up: str | None = None, unit: str | float | None = None,
         format: str | None = None, name: str | None = None) -> Motion:
    """Load (temporary: motions and arrays only)."""
    return source if isinstance(source, Motion) else Motion.from_array(source, fps or 20.0)


def sniff(source: str | Path) -> str:
    """Temporary."""
    raise NotImplementedError


def describe(source: Any, **options: Any) -> dict[str, Any]:
    """Temporary."""
    raise NotImplementedError
