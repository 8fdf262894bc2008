"""Keep the replies of an endpoint in a folder, so that a killed run pays for none of them again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from vimonet.utils.files import cache_folder, write_text

_FORMAT = 1  # of the cache's keys
_FIELDS = {"text": str, "model": str, "prompt_tokens": int, "completion_tokens": int, "cut": bool}
"""What every reply holds, and of which type."""


class ReplyCache:
    """Keep replies in a folder, one file each, that threads and processes may share; None keeps nothing.

    A file appears whole or not at all; one that cannot be read counts as absent and is written anew. Two processes that
    ask the same at the same moment both ask; neither can damage the other's file.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, key: str) -> dict[str, Any] | None:
        """Give the record kept under a key, None where there is none."""
        if self._folder is None:
            return None
        try:
            record = json.loads(self._path(self._folder, key).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        reply = record.get("reply") if isinstance(record, dict) and record.get("key") == key else None
        whole = isinstance(reply, dict) and all(isinstance(reply.get(name), kind) for name, kind in _FIELDS.items())
        return reply if whole else None

    def put(self, key: str, reply: dict[str, Any]) -> None:
        """Keep a JSON-ready record.

        Raises:
            OSError: the folder cannot be written.
        """
        if self._folder is None:
            return
        path = self._path(self._folder, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"key": key, "reply": reply}, ensure_ascii=False))

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / key[:2] / f"{key}.json"


def default_cache() -> Path:
    """Name the folder of replies when none is given: ``endpoint`` in the user's cache folder of ViMoNet."""
    return cache_folder() / "endpoint"


def request_key(url: str, body: dict[str, Any]) -> str:
    """SHA-256 (hex) of a request: address, model, messages with their images, schema and every parameter.

    The key of the service is no part of it: who pays does not change the reply.
    """
    text = json.dumps([_FORMAT, url, body], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
