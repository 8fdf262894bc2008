"""Take in files, list a client's own, describe and delete them, as OpenAI's files API does."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from vimonet.serve.attachments import attachment_from_form
from vimonet.serve.guards import owner_of
from vimonet.serve.server_errors import PlainJSON, bad_request
from vimonet.serve.serving import Serving, form_of, is_form

router = APIRouter(tags=["files"])


@router.post("/v1/files")
async def upload(request: Request, server: Serving) -> PlainJSON:
    """Take in a recording or video; it is gone once an answer has used it, unless expires_after is given."""
    if not is_form(request):
        raise bad_request("send the file as multipart/form-data with a part 'file'.", "file", "invalid_form")
    name, data, fields = await form_of(request)
    taken = attachment_from_form(name, data, {})
    purpose = fields.get("purpose", "user_data")
    if not re.fullmatch(r"[a-z_-]{1,40}", purpose):
        raise bad_request("purpose: give a word such as user_data.", "purpose")
    found = server.uploads.add(owner_of(request.headers), taken.name, taken.data, purpose, _stay(fields))
    server.metrics.files.set(len(server.uploads))
    return PlainJSON(found.to_dict())


@router.get("/v1/files")
async def list_files(request: Request, server: Serving) -> PlainJSON:
    """List the files that were sent with this client's key."""
    data = [one.to_dict() for one in server.uploads.list(owner_of(request.headers))]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return PlainJSON({"object": "list", "data": data, "has_more": False, **ends})


@router.get("/v1/files/{file_id}")
async def describe_file(file_id: str, request: Request, server: Serving) -> PlainJSON:
    """Describe a file."""
    return PlainJSON(server.uploads.get(owner_of(request.headers), file_id).to_dict())


@router.get("/v1/files/{file_id}/content", response_class=Response)
async def download_file(file_id: str, request: Request, server: Serving) -> Response:
    """Return the content of a file, as its client sent it."""
    found = server.uploads.get(owner_of(request.headers), file_id)
    return Response(found.data, media_type="application/octet-stream", headers={"content-disposition": "attachment"})


@router.delete("/v1/files/{file_id}")
async def delete_file(file_id: str, request: Request, server: Serving) -> PlainJSON:
    """Forget a file."""
    server.uploads.delete(owner_of(request.headers), file_id)
    server.metrics.files.set(len(server.uploads))
    return PlainJSON({"id": file_id, "object": "file", "deleted": True})


def _stay(fields: dict[str, Any]) -> float | None:
    """Read for how long a file is asked to stay: the form fields of OpenAI's ``expires_after``."""
    anchor, seconds = (fields.get(f"expires_after[{key}]") for key in ("anchor", "seconds"))
    if seconds is None:
        return None
    if anchor not in (None, "created_at") or not re.fullmatch(r"[0-9]{1,9}", seconds, re.ASCII):
        raise bad_request("expires_after: give anchor created_at and seconds, a whole number.", "expires_after")
    return float(seconds)
