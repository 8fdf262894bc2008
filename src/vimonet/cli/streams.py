"""Make standard output and error safe: closed, full, ASCII only, and without control characters from files."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

_STYLES = re.compile(r"(\x1b\[[012]m)")
"""What this program writes itself: bold, dim, and their end."""
_SUSPICIOUS = re.compile(r"[^\n\t\x20-\x7e\xa0-\xac\xae-\u05ff]")
"""Everything but the letters of common alphabets, where looking at each letter can be spared."""


class PlainText(io.TextIOWrapper):
    """Write text, with a blank for every control character, so that a file's name cannot steer a terminal.

    Errors of writing (a full disk, a closed pipe) name the stream by `label`.
    """

    label = "standard output"

    def write(self, text: str) -> int:
        """Write a text; a carriage return at its start is a progress bar's own."""
        if _SUSPICIOUS.search(text):
            start = "\r" if text.startswith("\r") else ""
            parts = _STYLES.split(text[len(start) :])
            text = start + "".join(part if index % 2 else printable(part) for index, part in enumerate(parts))
        with self._named():
            return super().write(text)

    def flush(self) -> None:
        """Hand over what was written."""
        with self._named():
            super().flush()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.label) from None


def printable(text: str) -> str:
    """Replace every character that is not printable, but for line ends and tabs, by a blank."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks as JSON does, so that a line of JSON stays one."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end].encode("utf-16-be", errors="surrogatepass")
    units = [int.from_bytes(letters[at : at + 2], "big") for at in range(0, len(letters), 2)]
    return "".join(f"\\u{unit:04x}" for unit in units), error.end


def prepare_streams() -> None:
    """Guard the streams of a process of our own; one that the caller has closed is replaced by nowhere."""
    codecs.register_error("vimonet", _escaped)
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and not isinstance(stream, PlainText):
            plain = PlainText(
                stream.buffer,
                encoding=stream.encoding,
                errors="vimonet",
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            plain.label = {"stdout": "standard output", "stderr": "standard error"}[name]
            setattr(sys, name, plain)


def abandon(stream: Any) -> None:
    """Send what is left of a broken stream nowhere: Python would report it again when it closes the stream."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
