"""Register dataset builders: ``vimonet data build NAME``, or ``vimonet data build path/to/builder.py``.

A builder is one file, of this folder or anywhere else, with a frozen dataclass that implements
`vimonet.vimos.dataset_writer.Builder` and has the decorator `register`. Its fields become options of the command.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import pkgutil
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any

from vimonet.utils.errors import InputError

BUILDERS: dict[str, tuple[type[Any], str]] = {}
"""Name of a builder -> its class and one line of help."""


def register(name: str, help: str) -> Callable[[type[Any]], type[Any]]:
    """Register a dataclass as the builder `name`.

    Args:
        name: word after ``vimonet data build``.
        help: one line about its source.
    """

    def add(cls: type[Any]) -> type[Any]:
        BUILDERS[name] = (cls, help)
        return cls

    return add


def option(help: str, default: Any = dataclasses.MISSING, metavar: str = "", flag: str = "") -> Any:
    """Declare a field that is an option of the command, required without a default.

    Args:
        help: meaning; the default is appended.
        default: default value. True makes a flag ``--no-NAME``; a tuple takes several values.
        metavar: placeholder of the value.
        flag: name of the option, if not the field's.
    """
    return dataclasses.field(default=default, metadata={"help": help, "metavar": metavar, "flag": flag})


def find_builders() -> dict[str, tuple[type[Any], str]]:
    """Import and return every builder of the package."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return {name: entry for name, entry in BUILDERS.items() if entry[0].__module__.startswith(f"{__name__}.")}


def load_builder(path: str | os.PathLike[str]) -> tuple[type[Any], str]:
    """Import a builder from a file outside the package; return its class and help.

    A file within a package of its own (folders with ``__init__.py``) is imported by its full name: its relative and
    absolute imports hold, and worker processes find the class.

    Args:
        path: the file, or a folder with ``builder.py``.

    Raises:
        InputError: no such file, a file that cannot be imported, or one that does not register one builder.
    """
    file = Path(path)
    if file.is_dir():
        file = next((f for f in (file / "builder.py", file / "__init__.py") if f.is_file()), file / "builder.py")
    if file.suffix != ".py" or not file.is_file():
        raise InputError(f"{path}: no such builder; give a Python file, or a folder with builder.py.")
    file = file.resolve()
    names = [] if file.name == "__init__.py" else [file.stem]
    root = file.parent
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))  # before the import: worker processes start with the same search path
    try:
        module = importlib.import_module(".".join(names))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be imported ({type(error).__name__}: {reason}); correct the file.") from error
    found = Path(module.__file__ or "")
    if found.resolve() != file:
        raise InputError(f"{path}: the module '{module.__name__}' is already taken by {found}; rename the file.")
    own = [entry for entry in BUILDERS.values() if f"{entry[0].__module__}.".startswith(f"{module.__name__}.")]
    if len(own) != 1:
        reason = f"registers {len(own) or 'no'} builders"
        raise InputError(f"{path}: {reason}; decorate one class with @register(name, help).")
    return own[0]


def add_options(parser: argparse.ArgumentParser, builder: type[Any]) -> None:
    """Add an option for every field that `option` declares, also in nested dataclasses."""
    types = typing.get_type_hints(builder)
    for field in dataclasses.fields(builder):
        if dataclasses.is_dataclass(types[field.name]):
            add_options(parser, typing.cast("type[Any]", types[field.name]))
        elif field.metadata:
            _add_option(parser, field, types[field.name])


def _add_option(parser: argparse.ArgumentParser, field: dataclasses.Field[Any], kind: Any) -> None:
    help, metavar = field.metadata["help"], field.metadata["metavar"] or None
    name = field.metadata["flag"] or field.name.replace("_", "-")
    if field.default is True:
        parser.add_argument(f"--no-{name}", dest=field.name, action="store_false", help=help)
    elif isinstance(field.default, tuple):
        parser.add_argument(f"--{name}", dest=field.name, nargs="+", default=(), metavar=metavar, help=help)
    else:
        needed = field.default is dataclasses.MISSING
        text = help if needed or field.default in (None, "") else f"{help} (default: %(default)s)"
        plain = next((one for one in typing.get_args(kind) if one is not NoneType), kind)
        values: dict[str, Any] = {"required": True} if needed else {"default": field.default}
        parser.add_argument(f"--{name}", dest=field.name, type=plain, metavar=metavar, help=text, **values)


def from_options(builder: type[Any], args: argparse.Namespace) -> Any:
    """Create a builder from the parsed options of `add_options`."""
    types = typing.get_type_hints(builder)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(builder):
        if dataclasses.is_dataclass(types[field.name]):
            values[field.name] = from_options(typing.cast("type[Any]", types[field.name]), args)
        elif field.metadata:
            given = getattr(args, field.name)
            values[field.name] = tuple(given) if isinstance(given, list) else given
    return builder(**values)
