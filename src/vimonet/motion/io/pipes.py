"""Read a recording from a pipe; sockets and devices, which may never end, are refused."""

from __future__ import annotations

import os
import select
from pathlib import Path

from vimonet.motion.io.limits import MAX_BYTES, PIPE_OPEN, PIPE_SILENT
from vimonet.utils.errors import InputError


def read_pipe(path: Path) -> bytes:
    """Read a pipe to its end.

    Raises:
        InputError: it is a socket or device, cannot be opened, or nobody writes to it in time.
    """
    if not path.is_fifo():
        kind = "socket" if path.is_socket() else "device"
        raise InputError(f"{path}: it is a {kind}; give a file, or '-' for standard input.")
    pieces: list[bytes] = []
    total, wait = 0, PIPE_OPEN
    try:
        pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without waiting for a writer
        with open(pipe, "rb", buffering=0) as stream:
            watched = select.poll()
            watched.register(pipe, select.POLLIN)
            while total <= MAX_BYTES:
                watched.poll(1000 * wait)
                piece = stream.read(1 << 20)
                if piece is None and wait == PIPE_SILENT:
                    raise InputError(f"{path}: nothing came through this pipe for {wait} s; give a file.")
                wait = PIPE_SILENT  # somebody holds the other end
                if piece == b"":
                    break
                if piece:
                    pieces.append(piece)
                    total += len(piece)
    except OSError as error:
        raise InputError(f"{path}: the pipe cannot be read ({error.strerror or error}).") from None
    if not pieces:
        raise InputError(f"{path}: it is a pipe to which nobody writes; give a file, or start its writer first.")
    return b"".join(pieces)
