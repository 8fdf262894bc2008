"""Take recordings out of requests: data URLs, base64, forms and ids of uploads; no address is ever opened."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import unquote

from vimonet.motion.io.readers import READERS, suffixes
from vimonet.motion.joint_names import LAYOUTS
from vimonet.serve.api_types import LONGEST_NAME, Source
from vimonet.serve.server_errors import bad_request
from vimonet.serve.uploads import PREFIX, Upload, Uploads
from vimonet.video import is_video

Kind = Literal["motion", "video", "image"]
_DATA_URL = re.compile(r"data:[\w.+/-]{0,127}(?P<options>(?:;[\w.-]{1,40}=[^;,]{0,300}){0,8});base64,", re.ASCII)
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"BM", b"GIF8")


@dataclass(frozen=True)
class Attachment:
    """Hold the bytes of one recording, video or picture of a request.

    Attributes:
        kind: what the client calls it; a video is known by its content.
        name: file name without folders.
        data: content.
        options: arguments of `vimonet.motion.load`.
        upload: the upload it came from.
    """

    kind: Kind
    name: str
    data: bytes
    options: dict[str, Any]
    upload: Upload | None = None

    @property
    def digest(self) -> str:
        """What tells it from every other one: questions about equal ones share a pass of the model."""
        about = repr((self.kind, self.name, sorted(self.options.items())))
        return hashlib.sha256(self.data).hexdigest() + about

    @property
    def is_video(self) -> bool:
        """Whether the content is a video."""
        return is_video(self.data)


def attachment_of(kind: Kind, source: Source, uploads: Uploads, owner: str, where: str) -> Attachment:
    """Take the bytes out of a source.

    Args:
        kind: what the client calls it.
        source: exactly one of its ``url``, ``data``, ``file_id`` and ``file_data`` is given.
        uploads: the server's uploads.
        owner: who asks.
        where: field of the request, for errors.

    Raises:
        ApiError: none or several are given, an address, no base64, or an unknown file.
    """
    given = {key: value for key in ("url", "data", "file_id", "file_data") if (value := getattr(source, key))}
    if len(given) != 1:
        raise bad_request(f"{where}: give one of url, data and file_id.", where)
    ((key, value),) = given.items()
    options, name = source.options(), source.name or source.filename or ""
    if key == "file_id" or (key == "url" and value.startswith(PREFIX)):
        upload = uploads.get(owner, value)
        return Attachment(kind, _safe_name(name or upload.name, kind, options), upload.data, options, upload)
    inside = _DATA_URL.match(value)
    if inside is None and key == "url":
        text = f"{where}: addresses and paths are never opened; send a data URL (data:...;base64,...) or a file id."
        raise bad_request(text, where, "unsupported_url")
    if inside is not None:
        named = re.search(r";(?:file)?name=([^;]*)", inside["options"])
        name = name or (unquote(named[1]) if named else "")
        value = value[inside.end() :]
    data = _decoded(value)
    if data is None:
        raise bad_request(f"{where}: it is not base64.", where, "invalid_base64")
    if not data:
        raise bad_request(f"{where}: the recording is empty.", where)
    return Attachment(kind, _safe_name(name, kind, options), data, options)


def _decoded(text: str) -> bytes | None:
    """Decode base64, with or without line breaks; None if it is none."""
    for given in (text, "".join(text.split())):
        with suppress(binascii.Error, ValueError):
            return base64.b64decode(given, validate=True)
    return None


def attachment_from_form(name: str, data: bytes, options: dict[str, Any]) -> Attachment:
    """Take a recording that came as a form's file.

    Raises:
        ApiError: it is empty.
    """
    if not data:
        raise bad_request("file: the recording is empty.", "file")
    return Attachment("motion", _safe_name(name, "motion", options), data, options)


def is_picture(data: bytes) -> bool:
    """Test whether content begins like a picture's."""
    return data.startswith(_IMAGES)


def _safe_name(name: str, kind: Kind, options: dict[str, Any]) -> str:
    """Make a file name of what a client calls it; a ``format`` that is only a suffix (``npz``) becomes its end."""
    name = PurePosixPath(name.replace("\\", "/")).name
    name = "".join(character for character in name if character.isprintable())[-LONGEST_NAME:] or kind
    suffix = "." + str(options.get("format", "")).lower().lstrip(".")
    if options.get("format") not in (None, *READERS, *LAYOUTS) and suffix in suffixes():
        del options["format"]
        name = name if name.lower().endswith(suffix) else name + suffix
    return name
