"""Strict YAML: every mistake is one sentence that names the file, the key, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from vimonet.utils.errors import InputError


def read_mapping(path: Path, what: str = "configuration") -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        InputError: the file cannot be read, is no YAML, or holds something else.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"{path}: the {what} cannot be read ({reason}); a YAML file is expected") from None
    except (yaml.YAMLError, RecursionError):
        raise InputError(f"{path}: this is no valid YAML; lines of the form 'key: value' are expected") from None
    if not isinstance(settings, dict):
        raise InputError(f"{path}: a {what} is a mapping of keys to values, not a {type(settings).__name__}")
    return settings


def known_key(key: Any, known: Collection[str], where: str) -> str:
    """The key, if it is known.

    Raises:
        InputError: it is not; the nearest known one is named.
    """
    if key in known:
        return str(key)
    close = difflib.get_close_matches(str(key), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    raise InputError(f"{where}: unknown key {str(key)!r}; {hint}")


def convert(value: Any, kind: Any, where: str) -> Any:
    """A value as ``kind`` (``str``, ``int``, ``float``, ``bool``, ``list[str]`` or ``tuple[str, ...]``).

    An absent value is empty text, 0 or an empty list; one word stands for a list of one.

    Raises:
        InputError: it is of another kind.
    """
    wanted = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a list")
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind in (list[str], tuple[str, ...]):
        make = list if kind == list[str] else tuple
        if value is None or value == "":
            return make()
        if isinstance(value, str) or number:
            return make([str(value)])
        if isinstance(value, list) and not any(isinstance(part, (list, dict)) or part is None for part in value):
            return make(str(part) for part in value)
    elif kind is str:
        if value is None:
            return ""
        if isinstance(value, str) or number:
            return str(value)
    elif value is None and kind in (int, float):
        return kind(0)
    elif kind is float and number:
        return float(value)
    elif isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise InputError(f"{where} is {value!r}; {wanted} is expected")


def convert_all(values: Mapping[Any, Any], known: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Every value of a mapping as the kind that `known` gives for its key.

    Raises:
        InputError: an unknown key or a value of another kind.
    """
    return {
        known_key(key, known, where): convert(value, known[key], f"{where}: {key}") for key, value in values.items()
    }
