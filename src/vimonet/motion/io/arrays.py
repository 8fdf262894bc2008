"""Read .npy and .npz bytes without trusting them: no pickle, no allocation by a declared size."""

from __future__ import annotations

import ast
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError

MAX_BYTES: Final = 2 << 30
"""Largest file, and largest member of an archive once unpacked."""
LARGEST: Final = 1e9
"""No coordinate, angle or offset of a body is larger in any unit; beyond it, sums and squares could overflow."""


def plain(text: object, limit: int = 40) -> str:
    """Make a name from a file fit for a one-sentence message: printable, on one line, not long."""
    shown = "".join(c if c.isprintable() else " " for c in str(text))
    return shown if len(shown) <= limit else shown[:limit] + "..."


def usable(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where a number is finite and not larger than ``LARGEST``."""
    with np.errstate(invalid="ignore"):
        return np.abs(values) <= LARGEST


def read_limited(stream: IO[bytes]) -> bytes:
    """Read a stream, at most one byte beyond ``MAX_BYTES``; in pieces, as read(n) may reserve n bytes at once."""
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
        dtype, shape = np.dtype(header["descr"]), header["shape"]
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
            f"{name}: the array {list(shape)} is declared but only {len(data) - begin - size} bytes "
            "of it are present; the file "
            "is truncated."
        )
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError):
        raise InputError(f"{name}: the .npy file is damaged; expected an array saved with numpy.save.") from None


class Archive(Mapping[str, NDArray[Any]]):
    """Map the names of a .npz file to its arrays, each read when asked for."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            self._members = {i.filename.removesuffix(".npy"): i for i in self._zip.infolist() if not i.is_dir()}
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise InputError(
                f"{name}: the .npz archive is damaged or truncated; expected one saved with numpy.savez."
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, key: str) -> NDArray[Any]:
        member = self._members[key]
        label = f"{self._name}: {plain(key)}"
        if member.file_size > MAX_BYTES:
            raise InputError(
                f"{label} unpacks to {member.file_size >> 20} MiB; at most {MAX_BYTES >> 20} MiB are read."
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
        """Read the first of ``keys`` that is there, as a number; None when none is."""
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
