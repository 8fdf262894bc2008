"""Register readers: each format of recordings names its suffixes, detects its content, and reads it.

A module of this folder that calls ``register(Reader(...))`` adds a format. ``vimonet.motion.load``, the search of
folders, the command line's idea of a file name, help texts and error messages all follow the registry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from vimonet.motion.io.arrays import MAX_BYTES, Archive, read_limited, read_npy
from vimonet.motion.io.recording import Recording
from vimonet.utils.errors import InputError

_HEAD: Final = 65536
_BOM: Final = b"\xef\xbb\xbf"


class Content:
    """Hold one recording's content; the file is read when a detector or a reader asks for it.

    Args:
        source: a path (a folder too), or the bytes themselves.
        name: for messages.
    """

    def __init__(self, source: Path | bytes, name: str) -> None:
        self.source, self.name = source, name
        self.path = None if isinstance(source, bytes) else source

    @property
    def is_folder(self) -> bool:
        """Whether the recording is a folder of files."""
        return self.path is not None and self.path.is_dir()

    @cached_property
    def data(self) -> bytes:
        """All bytes.

        Raises:
            InputError: the file is missing, empty, too large, or cannot be read.
        """
        data = self.source if isinstance(self.source, bytes) else self._read(None)
        self._check_length(len(data))
        return data

    @cached_property
    def start(self) -> bytes:
        """The first 64 KiB, as they are; empty for a folder."""
        if self.path is None or self.is_folder or (self.path.exists() and not self.path.is_file()):  # pipe: read once
            return b"" if self.is_folder else self.data[:_HEAD]
        return self._read(_HEAD)

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB without a byte order mark and leading white space."""
        return self.start.removeprefix(_BOM).lstrip()

    @property
    def text(self) -> bytes:
        """All bytes without a byte order mark."""
        return self.data.removeprefix(_BOM)

    @property
    def is_npy(self) -> bool:
        """Whether it is a .npy array."""
        return self.start.startswith(b"\x93NUMPY")

    @property
    def is_npz(self) -> bool:
        """Whether it is a .npz archive (a ZIP file)."""
        return self.start.startswith((b"PK\x03\x04", b"PK\x05\x06"))

    @cached_property
    def array(self) -> NDArray[Any]:
        """The array of a .npy file."""
        return read_npy(self.data, self.name)

    @cached_property
    def archive(self) -> Archive:
        """The arrays of a .npz file."""
        return Archive(self.data, self.name)

    def _read(self, limit: int | None) -> bytes:
        path = self.path
        assert path is not None
        try:
            if path.is_dir():
                raise InputError(f"{path} is a directory; give one recording.")
            if not path.exists():
                raise InputError(f"{path}: there is no such file; {expected()}.")
            if path.is_file():
                self._check_length(path.stat().st_size)
            with path.open("rb") as stream:
                return read_limited(stream) if limit is None else stream.read(limit)
        except (OSError, ValueError) as problem:
            if isinstance(problem, InputError):
                raise
            raise InputError(f"{path}: it cannot be read ({getattr(problem, 'strerror', None) or problem}).") from None

    def _check_length(self, length: int) -> None:
        if length == 0:
            raise InputError(f"{self.name}: the file is empty; {expected()}.")
        if length > MAX_BYTES:
            raise InputError(f"{self.name}: the file is larger than {MAX_BYTES >> 30} GiB; cut it into recordings.")


@dataclass(frozen=True)
class Reader:
    """Read one format.

    Attributes:
        format: value of ``format=``, such as "bvh".
        title: name in messages and docs, such as "AMC with its ASF".
        suffixes: lower-case suffixes of the files that a search of a folder finds.
        detect: tells whether content is of this format; an `InputError` refuses content that is of no use.
        read: reads content to a `Recording`: ``read(content, fps=, layout=)`` with frames/s, or None for the file's
            own rate, and a key of ``joint_names.LAYOUTS``, or None.
        rank: readers of a lower rank detect first: 0 by the first bytes, 1 by what stands further inside, 2 for
            containers that other formats use too.
    """

    format: str
    title: str
    suffixes: tuple[str, ...]
    detect: Callable[[Content], bool]
    read: Callable[..., Recording]
    rank: int = 0


READERS: Final[dict[str, Reader]] = {}
"""Readers by format, in the order in which they detect."""


def register(reader: Reader) -> Reader:
    """Add a reader; one of the same format is replaced."""
    READERS[reader.format] = reader
    ordered = sorted(READERS.values(), key=lambda one: (one.rank, one.format))
    READERS.clear()
    READERS.update({one.format: one for one in ordered})
    return reader


def suffixes() -> tuple[str, ...]:
    """Suffixes of files worth trying when a folder is searched."""
    return tuple(dict.fromkeys(suffix for reader in READERS.values() for suffix in reader.suffixes))


def expected() -> str:
    """Name every format that is read, for messages."""
    *titles, last = [reader.title for reader in READERS.values()]
    return f"expected {', '.join(titles)} or {last}"


def reader_of(content: Content) -> Reader:
    """Choose the reader by the content.

    Raises:
        InputError: no reader knows it, or the file cannot be read.
    """
    for reader in READERS.values():
        if reader.detect(content):
            return reader
    if content.data.startswith(b"\x80"):
        raise InputError(f"{content.name}: it is a Python pickle, which is never loaded; save joints with numpy.savez.")
    suffix = Path(content.name).suffix.lower()
    claimed = next((one.title for one in READERS.values() if one.suffixes == (suffix,)), None)
    kind = f"a{'n' * (claimed[0] in 'AEIO')} {claimed}, though its name says so" if claimed else "a known recording"
    raise InputError(f"{content.name}: the file is not {kind}; {expected()}.")
