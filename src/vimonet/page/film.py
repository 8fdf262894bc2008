"""Put a video into a document, so that a page without a server plays it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from vimonet.video import is_video

LARGEST = 20_000_000
"""Bytes of the largest video inside a page."""

_PLAYED = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm"}


def embed_film(document: dict[str, Any], path: Path, *, start: float = 0.0) -> dict[str, Any]:
    """Return the document with the video at `path`; one that browsers do not play, or a large one, is noted instead.

    Args:
        document: of `write_document`.
        path: the video; anything else leaves the document as it is.
        start: second of the video at which the recording starts.
    """
    if not is_video(path):
        return document
    kind = _PLAYED.get(path.suffix.lower())
    if kind is None:
        reason = f"browsers do not play {path.suffix or 'this kind of file'}"
    elif path.stat().st_size > LARGEST:
        reason = f"it is larger than {LARGEST // 1_000_000} MB"
    else:
        data = base64.b64encode(path.read_bytes()).decode()
        return document | {"film": {"type": kind, "data": data, "start": round(start, 3)}}
    return document | {"notes": [*document["notes"], f"the film is not in this page: {reason}"]}
