"""Load everyone in a recording: a motion for each person of a detector's file, a capture of several, or a video."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from vimonet.motion.io.loading import errors_in_full, load, on_this_machine, renamed_errors
from vimonet.motion.io.readers import Content, read_limited
from vimonet.motion.motion import Motion
from vimonet.utils.errors import InputError

_LISTED: Final = 8  # people named in a note
_BRIEF: Final = 0.5  # s; who is in view for less (and for less than half of the recording) is left out


def load_people(source: Any, **options: Any) -> list[Motion]:
    """Load everyone in a recording, the one whom `load` reads first; the content is parsed once.

    Args:
        source: as of `load`.
        options: as of `load`, without ``person``.

    Returns:
        A motion for each person, by number, which is in ``details["person"]``; ``details["people"]`` lists everyone.
        Notes of the first name those left out: in view for less than half a second, or not readable as a body.

    Raises:
        InputError: the source cannot be read, or nobody in it.
    """
    if isinstance(source, (str, Path)) and str(source) != "-":
        given = str(source)
        with on_this_machine(given) as path, renamed_errors(given, path):
            return _everyone(Content(Path(path), Path(path).name or path), options)
    if isinstance(source, (str, bytes, bytearray, memoryview)):
        data = read_limited(sys.stdin.buffer) if isinstance(source, str) else bytes(source)
        name = options.pop("name", None) or ("stdin" if isinstance(source, str) else "motion")
        return _everyone(Content(data, "standard input"), {**options, "name": name})
    return [load(source, **options)]


def load_recording_people(name: str, **options: Any) -> list[Motion]:
    """Load everyone in a recording; errors contain the given name, as those of `load_recording`.

    Raises:
        InputError: the recording cannot be read.
    """
    with errors_in_full(name):
        return load_people(name, **options)


def _everyone(content: Content, options: dict[str, Any]) -> list[Motion]:
    """Load everyone of one content; who is no body is left out if another is one."""
    found: list[Motion] = []
    failed: dict[int, InputError] = {}
    try:
        found.append(load(content, **options))
    except InputError as error:
        if len(content.people) < 2:
            raise
        failed[content.chosen] = error
    brief, first = [], content.chosen
    longest = max((one["frames"] for one in content.people.values()), default=0)
    for number, seen in ((int(key), one) for key, one in content.people.items()):
        if number == first:
            continue
        if seen["frames"] < min(_BRIEF * content.source_fps, longest / 2):
            brief.append(number)
            continue
        try:
            found.append(load(content, person=number, **options))
        except InputError as error:
            failed[number] = error
    if not found:
        raise next(iter(failed.values()))
    notes = [f"person {number} is left out: {str(error).rstrip('.')}" for number, error in failed.items()]
    if brief:
        listed = ", ".join(map(str, brief[:_LISTED])) + (" ..." if len(brief) > _LISTED else "")
        notes.append(f"left out, in view for less than {_BRIEF:g} s: person {listed}")
    found.sort(key=lambda one: one.details.get("person", 1))
    return [replace(found[0], notes=(*found[0].notes, *notes)), *found[1:]]
