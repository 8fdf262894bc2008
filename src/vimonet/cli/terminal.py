"""How the command line writes: one JSON object or one complaint per line, bold and dim only on a terminal."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def print_json(record: dict[str, Any]) -> None:
    """One line of JSON on standard output, at once: the reader may be a pipe."""
    print(json.dumps(record, ensure_ascii=False), flush=True)


def complain(message: str) -> int:
    """Exactly one line on standard error; returns the exit code of bad input."""
    print(f"vimonet: {one_line(message)}", file=sys.stderr)
    return 2


def one_line(message: str) -> str:
    """A message without line breaks."""
    return " ".join(message.split())


def plain(value: Any) -> str:
    """A value of a description as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items()) or "none"
    return str(value)


def bold(text: str) -> str:
    """Bold on a terminal, unchanged elsewhere or with NO_COLOR."""
    return _styled(text, "1")


def dim(text: str) -> str:
    """Dim on a terminal, unchanged elsewhere or with NO_COLOR."""
    return _styled(text, "2")


def _styled(text: str, code: str) -> str:
    wanted = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\x1b[{code}m{text}\x1b[0m" if wanted else text
