"""Tables of captions: CSV or JSONL with file, caption and what else is known of a recording."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vimonet.utils.errors import InputError

COLUMNS = ("file", "caption", "start", "end", "split", "action", "licence")


def read_table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered rows of a CSV (with a head) or JSONL table.

    Args:
        path: UTF-8 text; ``.json`` and ``.jsonl`` hold one object a line.

    Returns:
        (line, row) with the keys of `COLUMNS`: text, "" where a cell is empty; ``start``, ``end`` in seconds or None.

    Raises:
        InputError: it cannot be read, a row names no file or one outside the root, or times that are none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such table of captions.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as UTF-8 text ({error}).") from None
    if path.suffix.lower() in (".jsonl", ".json"):
        numbered = list(_json_rows(path, text))
    else:
        reader = csv.DictReader(text.splitlines())
        numbered = [(reader.line_num, row) for row in reader]
    for number, row in numbered:
        where = f"{path.name} line {number}"
        named = {str(k).strip().lower(): v for k, v in row.items() if k is not None}
        named.setdefault("licence", named.get("license"))
        values = {name: named.get(name) for name in COLUMNS}
        if not isinstance(values["file"], str) or not values["file"].strip():
            raise InputError(
                f"{where}: no file is named; expected the columns file, caption[, {', '.join(COLUMNS[2:])}]."
            )
        entry: dict[str, Any] = {k: "" if v is None else str(v).strip() for k, v in values.items()}
        entry["file"] = entry["file"].replace("\\", "/").removeprefix("./")
        if entry["file"].startswith("/") or ".." in entry["file"].split("/"):
            raise InputError(f"{where}: '{entry['file']}' lies outside the root; give paths below it.")
        for column in ("start", "end"):
            entry[column] = _seconds(entry[column], where, column)
        if entry["end"] is not None and entry["end"] <= (entry["start"] or 0.0):
            raise InputError(f"{where}: it ends at {entry['end']:g} s, not after its start; expected start < end.")
        yield number, entry


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InputError(
                    f"{path.name} line {number}: not JSON ({error}); expected one object a line."
                ) from None
            if not isinstance(row, dict):
                raise InputError(f"{path.name} line {number}: expected a JSON object with file and caption.")
            yield number, row


def _seconds(text: str, where: str, column: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{where}: {column} is '{text}'; expected seconds from the start, 0 or more.")
    return value
