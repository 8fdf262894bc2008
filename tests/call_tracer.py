"""Collect the files of the package that some work enters: what the tests of walks count."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import vimonet

PACKAGE = Path(vimonet.__file__).parent


def entered(work: Callable[[], object]) -> set[str]:
    """Collect the files of the package in which a function is called while `work` runs."""
    found: set[str] = set()

    def note(frame, event, _):  # type: ignore[no-untyped-def]
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(f"{PACKAGE}/") and frame.f_code.co_name != "<module>":
            found.add(str(Path(name).relative_to(PACKAGE)))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found
