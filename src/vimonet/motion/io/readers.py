"""Register the readers of formats, each with suffixes, detection and reading.

A module of this folder that calls ``register(Reader(...))`` adds a format to ``vimonet.motion.load``, folder search,
the command line, help texts and error messages.
"""

from __future__ import annotations

import ast
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.limits import LARGEST, MAX_BYTES, MAX_MEMBER, MAX_RATIO, SMALL_MEMBER
from vimonet.motion.io.pipes import read_pipe
from vimonet.motion.io.unread_formats import advice
from vimonet.motion.motion import FPS
from vimonet.utils.errors import InputError
from vimonet.utils.files import is_special

_T = TypeVar("_T")
_HEAD: Final = 65536
_BOM: Final = b"\xef\xbb\xbf"


class Content:
    """Hold the content of one recording; a file is read on first access, a pipe at once: its bytes come only once.

    Args:
        source: a path (also of a folder), or bytes.
        name: name for messages.
        joint_map: {joint of the 22: joint name in the file}, where the user says so.
        person: number of the person to read, of several; None for the first.
        target_fps: frames/s of the motion that is wanted; None for the rate of the recording. A reader may leave out
            frames that this rate does not need.

    Attributes:
        people, chosen, source_fps: who is in it, the number of the person read, and frames/s, once it was read.
    """

    def __init__(
        self,
        source: Path | bytes,
        name: str,
        *,
        joint_map: Mapping[str, str] | None = None,
        person: int | None = None,
        target_fps: float | None = FPS,
    ) -> None:
        if isinstance(source, Path) and not os.path.isfile(source) and is_special(source):
            source = read_pipe(source)
        self.source: Path | bytes = source
        self.name, self.joint_map, self.person = name, joint_map or {}, person
        self.target_fps = target_fps
        self.people: dict[str, Any] = {}
        self.chosen, self.source_fps = 1, FPS
        self._kept: Any = None
        self.path = None if isinstance(source, bytes) else source

    def once(self, make: Callable[[], _T]) -> _T:
        """Return what ``make`` returned the first time: what a reader parses before it chooses a person."""
        if self._kept is None:
            self._kept = make()
        return self._kept

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
        """First 64 KiB; empty for a folder."""
        if self.is_folder:
            return b""
        return self.data[:_HEAD] if self.path is None else self._read(_HEAD)

    @cached_property
    def head(self) -> bytes:
        """First 64 KiB as UTF-8 without byte order mark and leading white space."""
        return as_utf8(self.start).lstrip()

    @property
    def text(self) -> bytes:
        """All bytes as UTF-8 without byte order mark."""
        return as_utf8(self.data)

    @property
    def is_npy(self) -> bool:
        """Whether the content is a .npy array."""
        return self.start.startswith(b"\x93NUMPY")

    @property
    def is_npz(self) -> bool:
        """Whether the content is a .npz archive (a ZIP file)."""
        return self.start.startswith((b"PK\x03\x04", b"PK\x05\x06"))

    @cached_property
    def array(self) -> NDArray[Any]:
        """Array of a .npy file."""
        return read_npy(self.data, self.name)

    @cached_property
    def archive(self) -> Archive:
        """Arrays of a .npz file."""
        return Archive(self.data, self.name)

    def _read(self, limit: int | None) -> bytes:
        path = self.path
        assert path is not None
        try:
            if path.is_dir():
                raise InputError(f"{path}: it is a folder; give one recording.")
            if path.is_symlink() and not path.exists():
                raise InputError(f"{path}: it is a link to {path.readlink()}, which does not exist; mend the link.")
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


@dataclass
class Recording:
    """Hold joint positions in the form of their file.

    Attributes:
        positions: [T, J, 3] in the file's unit and axes (2D: z is 0 and y points down as in an image).
        names: J joint names.
        fps: frames per second of ``positions``.
        format: ``bvh``, ``amass``, ``coco17`` ...
        source_fps: rate of the file if ``positions`` are already decimated; None for ``fps``.
        source_frames: frames in the file, likewise.
        confidence: [T, J] in 0..1, of pose estimators.
        rest: [J, 3] rest pose, a hint for the up axis.
        dimensions: 3 or 2.
        family: skeleton family; None to recognise it by the names.
        mapping: {22-joint name: index}; None to find it by the names.
        unit: metres per unit if the format fixes it.
        up: up axis if the format fixes it.
        fractions: whether x and y are fractions of a picture whose size the file does not tell.
        partial: whether joints may be missing or unseen (keypoints); otherwise a missing required joint is an error.
        notes: phrases for the user.
        details: further entries for `vimonet.motion.recording_info`.
    """

    positions: NDArray[Any]
    names: tuple[str, ...]
    fps: float
    format: str
    source_fps: float | None = None
    source_frames: int | None = None
    confidence: NDArray[np.float32] | None = None
    rest: NDArray[Any] | None = None
    dimensions: int = 3
    family: str | None = None
    mapping: dict[str, int] | None = None
    unit: float | None = None
    up: str | None = None
    partial: bool = False
    fractions: bool = False
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """Read one format.

    Attributes:
        format: value of ``format=``, such as "bvh".
        title: name in messages and docs, such as "AMC with its ASF".
        suffixes: lower-case suffixes of files in a folder search.
        detect: tests whether content is of this format; an `InputError` refuses unusable content.
        read: ``read(content, fps=, layout=)`` returns a `Recording`; fps in frames/s, None for the rate of the file;
            layout is a key of ``joint_names.LAYOUTS`` or None.
        rank: order of detection: 0 for detection by the first bytes, 1 further inside, 2 for containers that other
            formats share.
        listed: whether a folder search takes files of the suffixes; a CSV may hold any table.
    """

    format: str
    title: str
    suffixes: tuple[str, ...]
    detect: Callable[[Content], bool]
    read: Callable[..., Recording]
    rank: int = 0
    listed: bool = True


READERS: Final[dict[str, Reader]] = {}
"""Readers by format, in order of detection."""


def register(reader: Reader) -> Reader:
    """Add a reader, or replace the reader of its format."""
    READERS[reader.format] = reader
    ordered = sorted(READERS.values(), key=lambda one: (one.rank, one.format))
    READERS.clear()
    READERS.update({one.format: one for one in ordered})
    return reader


def suffixes(*, listed: bool = False) -> tuple[str, ...]:
    """List the suffixes of the formats; ``listed``: those of files that a folder search takes."""
    readers = [reader for reader in READERS.values() if reader.listed or not listed]
    return tuple(dict.fromkeys(suffix for reader in readers for suffix in reader.suffixes))


def expected() -> str:
    """List the readable formats for messages."""
    *titles, last = [reader.title for reader in READERS.values()]
    return f"expected {', '.join(titles)} or {last}"


def reader_of(content: Content) -> Reader:
    """Choose the reader by content.

    Raises:
        InputError: no reader knows it, or the file cannot be read.
    """
    suffix = Path(content.name).suffix.lower()
    # Readers of the suffix are tried first; the content decides.
    for reader in sorted(READERS.values(), key=lambda reader: suffix not in reader.suffixes):
        if reader.detect(content):
            return reader
    if (sentence := advice(content.head, suffix)) is not None:
        raise InputError(f"{content.name}: {sentence}.")
    claimed = next((one.title for one in READERS.values() if one.suffixes == (suffix,)), None)
    kind = f"a{'n' * (claimed[0] in 'AEIO')} {claimed}, though its name says so" if claimed else "a known recording"
    raise InputError(f"{content.name}: the file is not {kind}; {expected()}.")


def as_utf8(data: bytes) -> bytes:
    """Drop the byte order mark of a text, and recode UTF-16 (with its mark, or plain Latin letters without one)."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace").encode()
    if data[1:8:2] == bytes(4):
        return data.decode("utf-16-le", errors="replace").encode()
    if data[0:7:2] == bytes(4):
        return data.decode("utf-16-be", errors="replace").encode()
    return data.removeprefix(_BOM)


def plain(text: object, limit: int = 40) -> str:
    """Shorten a name from a file to one printable line for messages."""
    shown = "".join(c if c.isprintable() else " " for c in str(text))
    return shown if len(shown) <= limit else shown[:limit] + "..."


def usable(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Test where a number is finite and not larger than ``LARGEST``."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.abs(values) <= LARGEST


def read_limited(stream: IO[bytes]) -> bytes:
    """Read a stream in chunks, at most one byte beyond ``MAX_BYTES``; read(n) may allocate n bytes at once."""
    pieces, total = [], 0
    while total <= MAX_BYTES and (piece := stream.read(min(1 << 20, MAX_BYTES + 1 - total))):
        pieces.append(piece)
        total += len(piece)
    return b"".join(pieces)


def read_npy(data: bytes, name: str) -> NDArray[Any]:
    """Read the array of a .npy file; InputError for pickled objects, a damaged header or missing data."""
    try:
        major = data[6]
        (size,), begin = (struct.unpack("<H", data[8:10]), 10) if major == 1 else (struct.unpack("<I", data[8:12]), 12)
        if size > 65536:
            raise ValueError("header too long")
        header = ast.literal_eval(data[begin : begin + size].decode("latin1"))
        dtype, shape, by_columns = np.dtype(header["descr"]), header["shape"], header["fortran_order"]
        if major not in (1, 2, 3) or len(header) != 3 or not isinstance(shape, tuple):
            raise ValueError("unknown header")
    except (IndexError, struct.error, ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError):
        raise InputError(f"{name}: the .npy header is damaged; expected an array saved with numpy.save.") from None
    if dtype.hasobject:
        raise InputError(
            f"{name}: it holds pickled Python objects, which are never loaded; save a plain numeric array."
        )
    if dtype.kind not in "fiubUS":
        raise InputError(f"{name}: it holds {dtype} values; expected numbers.")
    count = 1
    for length in shape:
        if not isinstance(length, int) or length < 0:
            raise InputError(f"{name}: the .npy header is damaged; expected an array saved with numpy.save.")
        count *= length
    if count * dtype.itemsize > len(data) - begin - size:
        raise InputError(
            f"{name}: the array {list(shape)} is declared but only {len(data) - begin - size} bytes of it are present; "
            "the file is truncated."
        )
    try:
        values = np.frombuffer(data, dtype, count, begin + size) if count * dtype.itemsize else np.zeros(0, dtype)
        return values.reshape(shape, order="F" if by_columns else "C").copy()
    except (ValueError, MemoryError):
        raise InputError(f"{name}: the .npy file is damaged; expected an array saved with numpy.save.") from None


class Archive(Mapping[str, NDArray[Any]]):
    """Map the names of a .npz file to its arrays, each read on access."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            self._members = {i.filename.removesuffix(".npy"): i for i in self._zip.infolist() if not i.is_dir()}
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise InputError(
                f"{name}: the .npz archive is damaged or truncated; expected one saved with numpy.savez."
            ) from None

    def __contains__(self, key: object) -> bool:
        return key in self._members  # a Mapping would unpack the array

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, key: str) -> NDArray[Any]:
        member = self._members[key]
        label = f"{self._name}: {plain(key)}"
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{label} is packed by another method than numpy's; save it with numpy.savez_compressed.")
        if member.file_size > MAX_MEMBER:
            raise InputError(
                f"{label} unpacks to {member.file_size >> 20} MiB; at most {MAX_MEMBER >> 20} MiB are read."
            )
        if member.file_size > max(SMALL_MEMBER, MAX_RATIO * member.compress_size):
            raise InputError(
                f"{label} unpacks to {member.file_size >> 20} MiB from {member.compress_size >> 10} KiB; no recording "
                f"packs better than {MAX_RATIO} times."
            )
        try:
            with self._zip.open(member) as stream:
                data = read_limited(stream)
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError, NotImplementedError, zlib.error):
            raise InputError(f"{label} cannot be unpacked; the archive is damaged or truncated.") from None
        if not data.startswith(b"\x93NUMPY"):
            raise InputError(f"{label} is not a numpy array; expected an archive saved with numpy.savez.")
        return read_npy(data, label)

    def number(self, *keys: str) -> float | None:
        """Read the first existing one of ``keys`` as a number, or None."""
        for key in keys:
            if key in self._members:
                value = self[key]
                try:
                    return float(value.reshape(-1)[0])
                except (ValueError, IndexError):
                    raise InputError(f"{self._name}: {key} is not a number; expected frames per second.") from None
        return None


def numeric(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the array if it holds finite or infinite numbers; InputError for text."""
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name}: it holds {array.dtype} values; expected numbers.")
    return array
