"""Keep the events of a page on disk, so that a watch that is started again still shows what nobody has acknowledged."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from vimonet.utils.errors import InputError
from vimonet.utils.files import write_text
from vimonet.watch.live_state import Entry, LiveState
from vimonet.watch.stream import Event

FORMAT: Final = "vimonet-watch-events/1"
"""Name and version of the file's layout."""
_EVERY: Final = 1.0  # s between two writings at least


class KeptEvents:
    """Write the events of a page to a file, in a thread of its own, a second after a change.

    Args:
        path: the file; it is read if it exists.
        state: whose events are kept; gets those of the file.
        say: gets remarks for the user.

    Raises:
        InputError: the file holds something else, or its folder does not exist.
    """

    def __init__(self, path: Path, state: LiveState, say: Callable[[str], None]) -> None:
        self.path, self.state, self.say = path, state, say
        if not path.absolute().parent.is_dir():
            raise InputError(f"keep: {path}: its folder does not exist; create it or give another name.")
        if path.exists():
            state.restore(_read(path))
        self._written, self._failed = state.change, False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vimonet page events", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what is not written yet."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._closed.wait(_EVERY):
            self._write()
        self._write()

    def _write(self) -> None:
        change = self.state.change
        if change == self._written:
            return
        try:
            write_text(self.path, json.dumps({"format": FORMAT, "events": self.state.entries()}, indent=1) + "\n")
            self._written, self._failed = change, False
        except OSError as error:  # a full disk must not end the page
            if not self._failed:
                self.say(f"{self.path}: the events cannot be kept ({error.strerror}); trying again.")
            self._failed = True


def _read(path: Path) -> list[Entry]:
    """Read the events of a file; what lasted when it was written is over.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError
        return [_entry(one) for one in content["events"]]
    except OSError as error:
        raise InputError(f"keep: {path}: it cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"keep: {path}: it holds no events of a page; move it away, or give another name.") from None


def _entry(kept: dict[str, Any]) -> Entry:
    start, end, seen = float(kept["time"]), kept["end"], kept["acknowledged"]
    over = str(kept["over"]) or str(kept["text"])
    if end is None:
        over = "the watch was started again"
    event = Event(
        str(kept["event"]), start, start if end is None else float(end), kept["person"], {}, over, str(kept["id"])
    )
    rules = tuple(str(name) for name in kept["rules"])
    return Entry(event, str(kept["text"]), 0, 0, rules, str(kept["message"]), None if seen is None else float(seen))
