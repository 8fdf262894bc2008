"""Whether a file of weights is whole."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from vimonet.errors import InputError


def check_safetensors(path: Path) -> None:
    """Check that a safetensors file is whole: 8 bytes of header length, a JSON header, and the bytes it promises.

    Raises:
        InputError: missing, cut off, or another format.
    """
    if not path.is_file():
        raise InputError(f"{path}: missing; the index names it as a part of the weights.")
    size = path.stat().st_size
    with open(path, "rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= size - 8:
            raise InputError(
                f"{path}: {size:,} bytes that are no whole safetensors file; copy or download the weights again."
            )
        try:
            header = json.loads(stream.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise InputError(
                f"{path}: the header is no safetensors header; copy or download the weights again."
            ) from None
    promised = 8 + length + max(ends, default=0)
    if size != promised:
        raise InputError(
            f"{path}: {size:,} bytes, but {promised:,} are needed; the file is cut off, copy or download it again."
        )
