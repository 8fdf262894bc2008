"""Write files whole or not at all, read JSON objects, and locate the cache folder."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vimonet.utils.errors import InputError


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], *, suffix: str | None = None) -> Iterator[Path]:
    """Yield a temporary sibling that replaces ``path`` on success and is deleted on failure.

    Args:
        path: the file's name.
        suffix: end of the sibling's name; ``path``'s own by default, for writers that choose a format by it.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=suffix or path.suffix, dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp's 0600 is for secrets
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file whole or not at all; end its last line."""
    with whole_file(path, suffix=".part") as part:
        part.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")


def read_object(path: str | os.PathLike[str], hint: str) -> dict[str, Any]:
    """Read the JSON object in a file.

    Raises:
        InputError: it is missing or holds something else; ``hint`` tells what belongs there.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        wrong = "not readable as JSON object" if Path(path).exists() else "missing"
        raise InputError(f"{path}: {wrong}; {hint}.")
    return found


def cache_folder() -> Path:
    """Return ``$VIMONET_CACHE``, else ``$XDG_CACHE_HOME/vimonet``, else the platform's usual folder for caches."""
    if os.environ.get("VIMONET_CACHE"):
        return Path(os.environ["VIMONET_CACHE"])
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "vimonet"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "vimonet" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vimonet"
    return Path.home() / ".cache" / "vimonet"
