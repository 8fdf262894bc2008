"""Hold uploads in memory: their owner's alone, and gone when answered unless they were asked to stay."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vimonet.serve.server_errors import ApiError
from vimonet.serve.server_limits import ServerLimits

PREFIX = "file-"


@dataclass(frozen=True)
class Upload:
    """Hold one upload.

    Attributes:
        id: cannot be guessed.
        owner: see `vimonet.serve.guards.owner_of`.
        name: file name that the client gave.
        data: content.
        purpose: as the client gave it.
        created, expires: Unix times, s.
        stays: whether it outlives its first answer.
    """

    id: str
    owner: str
    name: str
    data: bytes
    purpose: str
    created: float
    expires: float
    stays: bool

    def to_dict(self) -> dict[str, Any]:
        """Describe the upload as OpenAI's API does."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.data),
            "created_at": int(self.created),
            "expires_at": int(self.expires),
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


class Uploads:
    """Hold the uploads of one server process.

    Args:
        limits: of number, size and time.
        clock: gives the Unix time, s.
    """

    def __init__(self, limits: ServerLimits, clock: Callable[[], float] = time.time) -> None:
        self._limits, self._clock = limits, clock
        self._held: dict[str, Upload] = {}

    def __len__(self) -> int:
        self._drop_expired()
        return len(self._held)

    def add(self, owner: str, name: str, data: bytes, purpose: str, stay: float | None) -> Upload:
        """Keep an upload for `stay` seconds, or until its first answer.

        Raises:
            ApiError: it is empty, asks to stay too long, or the store is full.
        """
        limits, now = self._limits, self._clock()
        if not data:
            raise ApiError(400, "the file is empty.", "empty_file", param="file")
        if stay is not None and not 1 <= stay <= limits.stay_seconds:
            text = f"a file may stay from 1 to {limits.stay_seconds} s."
            raise ApiError(400, text, "invalid_value", param="expires_after")
        self._drop_expired()
        size = sum(len(one.data) for one in self._held.values()) + len(data)
        if len(self._held) >= limits.files or size > limits.files_mib << 20:
            soonest = min((one.expires for one in self._held.values()), default=now)
            wait = str(max(1, min(60, int(soonest - now) + 1)))
            text = "this server holds as many files as it may; delete some, or send the recording with the question."
            raise ApiError(429, text, "storage_full", headers={"Retry-After": wait})
        upload = Upload(
            PREFIX + secrets.token_urlsafe(24),
            owner,
            name,
            data,
            purpose,
            now,
            now + (limits.unused_seconds if stay is None else stay),
            stay is not None,
        )
        self._held[upload.id] = upload
        return upload

    def get(self, owner: str, id: str) -> Upload:
        """Return an upload of this owner.

        Raises:
            ApiError: there is none of that id; another owner's is as if it did not exist.
        """
        self._drop_expired()
        upload = self._held.get(id)
        if upload is None or upload.owner != owner:
            text = "there is no such file; a file is gone once it is answered about, unless expires_after was given."
            raise ApiError(404, text, "file_not_found", param="file_id")
        return upload

    def list(self, owner: str) -> list[Upload]:
        """List the uploads of an owner, newest first; a client without a key cannot be told from others: none."""
        self._drop_expired()
        return [one for one in reversed(self._held.values()) if owner and one.owner == owner]

    def delete(self, owner: str, id: str) -> None:
        """Forget an upload.

        Raises:
            ApiError: there is none of that id.
        """
        del self._held[self.get(owner, id).id]

    def answered(self, upload: Upload) -> None:
        """Forget an upload that has been answered about, unless it stays."""
        if not upload.stays:
            self._held.pop(upload.id, None)

    def _drop_expired(self) -> None:
        now = self._clock()
        for id in [one.id for one in self._held.values() if one.expires <= now]:
            del self._held[id]
