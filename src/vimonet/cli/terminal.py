"""Write to the terminal: one JSON object or one error per line, bold and dim only where a terminal shows them."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def print_json(record: dict[str, Any]) -> None:
    """Print one line of JSON and flush it, because the reader may be a pipe."""
    print(json.dumps(record, ensure_ascii=False), flush=True)


def complain(message: str) -> int:
    """Print an error as exactly one line on standard error; return the exit code of bad input."""
    print(f"vimonet: {one_line(message)}", file=sys.stderr)
    return 2


def one_line(message: str) -> str:
    """Join a message into one line."""
    return " ".join(message.split())


def plain(value: Any) -> str:
    """Format a value of a description for a person."""
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
    """Make text bold on a terminal; leave it unchanged elsewhere and with NO_COLOR."""
    return _styled(text, "1")


def dim(text: str) -> str:
    """Make text dim on a terminal; leave it unchanged elsewhere and with NO_COLOR."""
    return _styled(text, "2")


def _styled(text: str, code: str) -> str:
    wanted = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\x1b[{code}m{text}\x1b[0m" if wanted else text
