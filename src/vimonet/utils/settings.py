"""Read settings: strict YAML, dataclass trees with a docstring per key, dotted overrides.

Every mistake is one sentence that names the file, the key, and what would be right. Bounds stand in the types
(``Count``, ``Share``), choices are ``Literal``; both are checked when a value is filled in and shown in the help.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import inspect
import math
import textwrap
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml

from vimonet.utils.errors import InputError


class Bounds(NamedTuple):
    """Smallest and largest value of a number; None: no largest."""

    low: float
    high: float | None = None

    def __str__(self) -> str:
        return f"at least {self.low:g}" if self.high is None else f"from {self.low:g} to {self.high:g}"


Count = Annotated[int, Bounds(1)]
"""A whole number of at least 1."""

NonNegative = Annotated[float, Bounds(0)]
"""A number of at least 0."""

Share = Annotated[float, Bounds(0, 1)]
"""A number from 0 to 1."""


class Key(NamedTuple):
    """Describe one key of a settings tree: dotted name, kind in words, default, docstring; a branch has no default."""

    name: str
    kind: str
    default: Any
    help: str
    branch: bool


def read_mapping(path: Path, what: str = "configuration") -> dict[str, Any]:
    """Read the mapping in a YAML file.

    Raises:
        InputError: the file cannot be read, is not YAML, or holds something else.
    """
    try:
        if path.is_file() and path.stat().st_size > _LARGEST:
            raise InputError(f"{path}: {path.stat().st_size:,} bytes; a {what} has at most {_LARGEST:,}")
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if _count(settings, _MOST_VALUES) < 0:
            raise InputError(f"{path}: its aliases stand for more than {_MOST_VALUES:,} values; write them out")
    except InputError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"{path}: the {what} cannot be read ({reason}); a YAML file is expected") from None
    except (
        yaml.YAMLError,
        RecursionError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:  # of odd dates and tags too
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: this is not valid YAML; lines of the form 'key: value' are expected") from None
    if not isinstance(settings, dict):
        raise InputError(f"{path}: a {what} is a mapping of keys to values, not a {type(settings).__name__}")
    return settings


_LARGEST = 1 << 20
_MOST_VALUES = 100_000


def _count(value: Any, room: int) -> int:
    """Return how much of `room` a value leaves with all that its aliases repeat; below 0 where it is too large."""
    room -= 1
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set):
        for one in value:
            if room < 0:
                break
            room = _count(one, room)
    return room


def parse_override(override: str) -> dict[str, Any]:
    """Parse ``dotted.key=value`` into nested mappings; the value is read as YAML.

    Raises:
        InputError: there is no ``=``, or the value is not YAML.
    """
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        raise InputError(f"override {override!r}: write it as key=value, for example trainer.steps=100.")
    try:
        nested: Any = yaml.safe_load(value)
        if _count(nested, _MOST_VALUES) < 0:
            raise ValueError
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError):
        raise InputError(f"override {override!r}: the value after '=' is not valid YAML.") from None
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return nested


def known_key(key: Any, known: Collection[str], where: str) -> str:
    """Return a known key.

    Raises:
        InputError: the key is unknown; the message names the nearest known one.
    """
    if key in known:
        return str(key)
    close = difflib.get_close_matches(str(key), known, n=1)
    if not close:
        # The right name under the wrong branch: compare the last part alone.
        leaves = {name.rpartition(".")[2]: name for name in reversed(list(known))}
        leaf = difflib.get_close_matches(str(key).rpartition(".")[2], leaves, n=1)
        close = [leaves[leaf[0]]] if leaf else []
    top = [name for name in known if "." not in name]
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(top)}."
    raise InputError(f"{where}: unknown key {str(key)!r}; {hint}")


def convert(value: Any, kind: Any, where: str) -> Any:
    """Convert a value to `kind`; YAML reads numbers such as 1e-3 as text, which is accepted.

    Args:
        value: a value read from YAML; None becomes empty text, 0 or an empty list.
        kind: ``str``, ``int``, ``float``, ``bool``, ``list[str]``, ``tuple[str, ...]`` (one word stands for a tuple of
            one), a ``Literal`` of words, or a number annotated with `Bounds`.
        where: file and key, for the error.

    Raises:
        InputError: the value is of another kind, or out of bounds.
    """
    if typing.get_origin(kind) is Annotated:
        base, bounds = typing.get_args(kind)
        number = convert(value, base, where)
        if number < bounds.low or (bounds.high is not None and number > bounds.high):
            raise InputError(f"{where} is {value!r}; it must be {bounds}")
        return number
    if typing.get_origin(kind) is Literal:
        if value in typing.get_args(kind):
            return value
        raise InputError(f"{where} is {value!r}; it can be {', '.join(typing.get_args(kind))}")
    if kind in (int, float):
        try:
            number = None if isinstance(value, bool) else float(value or 0)
        except (TypeError, ValueError, OverflowError):
            number = None
        if number is not None and math.isfinite(number) and (kind is float or number == int(number)):
            return kind(number)
    elif kind is bool:
        if isinstance(value, bool):
            return value
    elif kind is str:
        if value is None or (isinstance(value, (str, int, float)) and not isinstance(value, bool)):
            return "" if value is None else str(value)
    else:
        if kind == tuple[str, ...] and isinstance(value, (str, int, float)) and not isinstance(value, bool):
            value = [value] if value != "" else []
        value = [] if value is None else value
        if isinstance(value, list) and not any(isinstance(part, (list, dict)) or part is None for part in value):
            return (list if kind == list[str] else tuple)(str(part) for part in value)
    raise InputError(f"{where} is {value!r}; {_in_words(kind)} is expected")


def convert_all(values: Mapping[Any, Any], known: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Convert every value of a mapping to the kind that `known` gives for its key.

    Raises:
        InputError: an unknown key or a value of another kind.
    """
    return {
        known_key(key, known, where): convert(value, known[key], f"{where}: {key}") for key, value in values.items()
    }


def fill(settings: Any, tree: Mapping[Any, Any], origin: str) -> list[str]:
    """Write nested mappings into a dataclass tree, merging free-form dictionaries key by key.

    Args:
        settings: a dataclass whose branches are dataclasses, free-form dictionaries, or values `convert` knows.
        tree: nested keys and values.
        origin: file or override, for errors.

    Returns:
        The dotted names of the given keys, without those inside free-form dictionaries.

    Raises:
        InputError: an unknown key (the message names the nearest one) or a value of another kind.
    """
    known = [key.name for key in keys_of(type(settings))]

    def write(node: Any, tree: Mapping[Any, Any], prefix: str) -> Iterator[str]:
        hints = typing.get_type_hints(type(node), include_extras=True)
        for key, value in tree.items():
            dotted = known_key(f"{prefix}{key}", known, origin)
            current = getattr(node, key)
            if not isinstance(current, dict) and not dataclasses.is_dataclass(current):
                setattr(node, key, convert(value, hints[key], f"{origin}: {dotted}"))
            elif value is not None and not isinstance(value, Mapping):
                raise InputError(f"{origin}: '{dotted}' is a mapping that holds further keys, not {value!r}")
            elif isinstance(current, dict):
                setattr(node, key, _merge(current, value or {}))
            else:
                yield from write(current, value or {}, f"{dotted}.")
                continue
            yield dotted

    return list(write(settings, tree, ""))


def keys_of(kind: type) -> list[Key]:
    """List the keys of a dataclass tree in order, branches before their keys."""
    return list(_keys(kind, ""))


def matches(key: str, patterns: Iterable[str]) -> bool:
    """Test whether a dotted key matches one of the patterns: a key, or a branch as ``name.*``."""
    return any(key == pattern or (pattern.endswith(".*") and key.startswith(pattern[:-1])) for pattern in patterns)


def _keys(kind: type, prefix: str) -> Iterator[Key]:
    hints, helps, plain = typing.get_type_hints(kind, include_extras=True), _docstrings(kind), kind()
    for item in dataclasses.fields(kind):
        name, default = f"{prefix}{item.name}", getattr(plain, item.name)
        branch = dataclasses.is_dataclass(default)
        text = helps.get(item.name) or (inspect.getdoc(hints[item.name]) or "" if branch else "")
        yield Key(name, _in_words(hints[item.name]), default, " ".join(text.split()), branch)
        if branch:
            yield from _keys(hints[item.name], f"{name}.")


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return `old` updated with `new`, mappings inside mappings merged too."""
    merged = dict(old)
    for key, value in new.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _in_words(kind: Any) -> str:
    if typing.get_origin(kind) is Annotated:
        base, bounds = typing.get_args(kind)
        return f"{_in_words(base)} {bounds}"
    if typing.get_origin(kind) is Literal:
        return " | ".join(typing.get_args(kind))
    if typing.get_origin(kind) is dict or dataclasses.is_dataclass(kind):
        return "a mapping"
    return {str: "text", int: "a whole number (int)", float: "a number", bool: "true or false (bool)"}.get(
        kind, "a list"
    )


@functools.cache
def _docstrings(kind: type) -> dict[str, str]:
    """Return the attribute docstring of each field of a class."""
    body: Any = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[typing.cast(ast.Name, field.target).id] = str(text.value.value)
    return found
