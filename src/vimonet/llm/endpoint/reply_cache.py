"""Answers of an endpoint on disk, one file each, named by a hash of the whole request."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from vimonet.utils.cache import cache_folder

_FORMAT = 1


def default_cache() -> Path:
    """Where answers are kept when no folder is named: ``endpoint`` in the user's cache folder of ViMoNet."""
    return cache_folder() / "endpoint"


def request_key(url: str, body: dict[str, Any]) -> str:
    """SHA-256 (hex) of a request: address, model, messages with their images, schema and every parameter.

    The key of the service is no part of it: who pays does not change the answer.
    """
    text = json.dumps([_FORMAT, url, body], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class AnswerCache:
    """A folder of answers; threads and processes may share it.

    A file appears whole or not at all (written under a temporary name, then renamed); one that cannot be read is as
    good as absent and is written anew. Two processes that ask the same at the same moment both ask; neither can damage
    the other's file.

    Args:
        folder: made on the first write; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, key: str) -> dict[str, Any] | None:
        """The record kept under a key, None where there is none."""
        if self._folder is None:
            return None
        try:
            record = json.loads(self._path(key).read_bytes())
        except (OSError, ValueError):
            return None
        return record["reply"] if isinstance(record, dict) and record.get("key") == key else None

    def put(self, key: str, reply: dict[str, Any]) -> None:
        """Keep a JSON-ready record.

        Raises:
            OSError: the folder cannot be written.
        """
        if self._folder is None:
            return
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump({"key": key, "reply": reply}, stream, ensure_ascii=False)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _path(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / key[:2] / f"{key}.json"
