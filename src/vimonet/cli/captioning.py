"""Captions for many recordings: in order, one line each, resumable after an interruption.

Two ways to resume, because a program that writes to ``> captions.jsonl`` cannot read what stood there before (the
shell has already emptied the file):

* :class:`Journal`: every finished answer is also kept in the user's cache folder, under a key of everything it
  depends on. A rerun takes finished answers from there: the output is whole again within a moment, and work goes on
  where it stopped.
* :class:`CaptionFile` (``-o captions.jsonl``): the output file itself tells what is done; new lines are appended.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import vimonet
from vimonet.motion.io.locations import load_recording, path_of
from vimonet.utils.cache import cache_folder
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant

_KEEP_DAYS = 30
_WHOLE = 256 * 2**20  # larger files are identified by size and time: hashing 14 GB would cost more than a few captions


class Captioner:
    """Captions recordings by name: what `vimonet caption` does with each, in one process or in many.

    Args:
        assistant: who is asked.
        loading: the options of reading a recording, as `vimonet.motion.load` takes them.
    """

    def __init__(self, assistant: Assistant, loading: Mapping[str, Any]) -> None:
        self.assistant, self.loading = assistant, dict(loading)

    @classmethod
    def load(cls, model: str | None, device: str | None, loading: Mapping[str, Any]) -> Captioner:
        """One with a model of its own; arguments as `vimonet.load` takes them.

        Raises:
            InputError: the model is missing or damaged.
        """
        from vimonet.inference.assistant import load

        return cls(load(model, device), loading)

    def __call__(self, name: str) -> dict[str, Any]:
        """The answer for one recording, JSON-ready.

        Raises:
            InputError: it cannot be read.
        """
        return self.assistant.caption(load_recording(name, **self.loading)).to_dict()


def model_fingerprint(model: str | os.PathLike[str]) -> str | None:
    """Name and hash of a model directory, such as ``nano-3f2a91c0``; None for a hub id, whose files may change."""
    folder = Path(model)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    base = _adapter_base(folder)
    if base is not None:
        below = model_fingerprint(base)
        if below is None:
            return None
        digest.update(below.encode())
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        status = file.stat()
        digest.update(f"{file.name}\0{status.st_size}\0".encode())
        if status.st_size <= _WHOLE:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        else:
            digest.update(str(status.st_mtime_ns).encode())
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"


def _adapter_base(folder: Path) -> str | None:
    """The base model an adapter folder names; None for a whole model."""
    try:
        return json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _code_fingerprint() -> str:
    """Version, and size and time of every module: an answer by other code is another answer."""
    package = Path(vimonet.__file__).parent
    digest = hashlib.sha256(f"{vimonet.__version__} {sys.version_info[:2]}".encode())
    for file in sorted(package.rglob("*.py")):
        status = file.stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Journal:
    """Finished captions in the cache folder, kept for 30 days.

    The key is made of the recording (path, size, time), the model, the loading options and the code. It is a
    convenience: where the folder cannot be written, nothing is remembered and nothing fails.

    Args:
        model: fingerprint of the model; None turns the journal off.
        options: what else the answer depends on.
    """

    def __init__(self, model: str | None, options: Mapping[str, Any]) -> None:
        self._context = json.dumps([model, dict(options), _code_fingerprint()], sort_keys=True, default=str)
        self._database: sqlite3.Connection | None = None
        if model is None:
            return
        try:
            folder = cache_folder()
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Autocommit: an answer is on disk before the next one begins; two runs may share the file.
            self._database = sqlite3.connect(folder / "captions.sqlite", timeout=5.0, isolation_level=None)
            self._database.execute("CREATE TABLE IF NOT EXISTS captions (key TEXT PRIMARY KEY, answer TEXT, made REAL)")
            self._database.execute("DELETE FROM captions WHERE made < ?", (time.time() - _KEEP_DAYS * 86400,))
        except (OSError, sqlite3.Error):
            self._database = None

    def _key(self, name: str) -> str | None:
        try:
            path = path_of(name)
            status = os.stat(path)
        except (InputError, OSError):  # nobody's sample; not there, or behind an address
            return None
        if not stat.S_ISREG(status.st_mode):  # a pipe is read once; a folder's time does not tell of its files
            return None
        # A skeleton (.asf) lies beside an .amc: its change matters too.
        skeletons = sorted(Path(path).parent.glob("*.asf")) if path.lower().endswith(".amc") else []
        beside = [(file.name, file.stat().st_mtime_ns) for file in skeletons]
        what = [os.path.abspath(path), status.st_size, status.st_mtime_ns, beside, self._context]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    def get(self, name: str) -> dict[str, Any] | None:
        """The finished answer for a recording that has not changed since, or None."""
        key = self._key(name)
        if key is None or self._database is None:
            return None
        try:
            row = self._database.execute("SELECT answer FROM captions WHERE key = ?", (key,)).fetchone()
            return json.loads(row[0]) if row else None
        except (sqlite3.Error, ValueError):
            return None

    def put(self, name: str, answer: Mapping[str, Any]) -> None:
        """Remember an answer (JSON-ready)."""
        key = self._key(name)
        if key is None or self._database is None:
            return
        try:
            row = (key, json.dumps(answer), time.time())
            self._database.execute("INSERT OR REPLACE INTO captions VALUES (?, ?, ?)", row)
        except sqlite3.Error:
            self._database = None

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()
            self._database = None


class CaptionFile:
    """``captions.jsonl`` that grows: knows which recordings it holds, drops a last line cut off by a kill, appends.

    Args:
        path: the file; made when the first line is written.
        model: fingerprint of the model in use; a file written by another model is refused rather than mixed.
        resume: False starts afresh.

    Raises:
        InputError: the path cannot be such a file, or holds captions of another model.
    """

    def __init__(self, path: str | os.PathLike[str], model: str | None, *, resume: bool = True) -> None:
        self.path = Path(path)
        self.done: set[str] = set()
        self._resume = resume
        self._length = 0
        self._stream: Any = None
        if self.path.is_dir():
            raise InputError(f"{self.path}: this is a directory; give the name of a .jsonl file.")
        if not self.path.parent.is_dir():
            raise InputError(f"{self.path}: the folder {self.path.parent} does not exist; create it or choose another.")
        if resume and self.path.exists():
            self._read(model)

    def _read(self, model: str | None) -> None:
        data = self.path.read_bytes()
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                name = record["file"]
                whole = line.endswith(b"\n") and isinstance(record["text"], str)
            except (ValueError, KeyError, TypeError):
                whole, name = False, None
            if not whole:
                if number == len(lines) and not line.endswith(b"\n") and b'{"file": '.startswith(line[:9]):
                    return  # torn by a kill: it is cut off before the next line is written
                raise InputError(
                    f"{self.path}: line {number} is not a caption; give a file that vimonet wrote, a new name, "
                    "or --no-resume to replace it."
                )
            if model is not None and record.get("model") not in (None, model):
                raise InputError(
                    f"{self.path}: holds captions by {record['model']}, not by {model}; give a new name, "
                    "or --no-resume to replace it."
                )
            self.done.add(str(name))
            self._length += len(line)

    def __enter__(self) -> CaptionFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one line and hand it to the operating system."""
        if self._stream is None:
            if self._resume and self.path.exists():
                os.truncate(self.path, self._length)
                self._stream = self.path.open("ab")
            else:
                self._stream = self.path.open("wb")
        self._stream.write((json.dumps(record, ensure_ascii=False) + "\n").encode())
        self._stream.flush()
