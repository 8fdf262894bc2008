"""Write files whole or not at all, read JSON objects, and locate the cache folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from vimonet.utils.errors import InputError


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], *, suffix: str | None = None) -> Iterator[Path]:
    """Yield a temporary sibling that replaces ``path`` on success and is deleted on failure.

    Args:
        path: the file's name.
        suffix: end of the sibling's name; ``path``'s own by default, for writers that choose a format by it.

    Raises:
        OSError: the file cannot be written (a full disk, no permission); it names ``path``.
    """
    path = Path(path)
    with named(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=suffix or path.suffix, dir=path.parent)
    os.close(handle)
    try:
        with named(path):
            yield Path(name)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp's 0600 is for secrets
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


@contextlib.contextmanager
def named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let an error of writing name the output, whatever library raises it; errors about other files keep their name.

    Args:
        path: file or folder that is written.

    Raises:
        OSError: the writing failed; an error of another type that tells of a full disk becomes one.
    """
    try:
        yield
    except Exception as error:
        full = disk_is_full(error)
        if not full and not isinstance(error, OSError):
            raise
        if isinstance(error, OSError) and not _is_about(error, Path(path)):
            raise
        number = errno.ENOSPC if full else getattr(error, "errno", None) or errno.EIO
        raise OSError(number, os.strerror(number), os.fspath(path)) from error


def _is_about(error: OSError, path: Path) -> bool:
    """Tell whether an error is about an output, its temporary sibling, something within it, or names no file."""
    if isinstance(error, ConnectionError | TimeoutError):
        return False
    names = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    return not names or any(
        name == path or path in name.parents or (name.parent == path.parent and name.name.startswith(f".{path.stem}."))
        for name in names
    )


def disk_is_full(error: BaseException) -> bool:
    """Tell whether an error, or one that led to it, says that there is no room left."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(sign in str(seen) for sign in _FULL):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


_FULL = ("No space left on device", "os error 28", "Disk quota exceeded", "PytorchStreamWriter failed writing")
"""What errors of libraries say of a full disk (Arrow, safetensors, torch)."""


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file whole or not at all; end its last line."""
    with whole_file(path, suffix=".part") as part:
        part.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")


def is_special(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is a pipe, socket or device, whose reading may never end."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


_LARGEST_JSON = 256 << 20  # bytes; the largest tokenizers have some 40 million


def append(stream: IO[bytes], data: bytes) -> None:
    """Append to an unbuffered file, wholly or not at all.

    Raises:
        OSError: the file cannot be written; it names the file, which is as long as before.
    """
    before = os.fstat(stream.fileno()).st_size
    with named(stream.name):
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[stream.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(stream.fileno(), before)
                if not before:
                    os.unlink(stream.name)
            raise


def read_object(path: str | os.PathLike[str], hint: str) -> dict[str, Any]:
    """Read the JSON object in a file.

    Raises:
        InputError: it is missing or holds something else; ``hint`` tells what belongs there.
    """
    try:
        if Path(path).stat().st_size > _LARGEST_JSON:
            raise InputError(f"{path}: {Path(path).stat().st_size:,} bytes, no description is as long; {hint}.")
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except InputError:
        raise
    except (OSError, ValueError, RecursionError):
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
