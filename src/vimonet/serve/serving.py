"""Hold what the routes of one server share, and take recordings out of requests."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from vimonet.motion import Motion
from vimonet.serve.api_types import MotionRequest, ReadingOptions, SearchRequest
from vimonet.serve.attachments import Attachment, attachment_from_form, attachment_of
from vimonet.serve.guards import owner_of
from vimonet.serve.model_worker import ModelWorker
from vimonet.serve.reading_pool import ReadingPool
from vimonet.serve.server_errors import ApiError, bad_request
from vimonet.serve.server_limits import ServerLimits
from vimonet.serve.server_metrics import Metrics
from vimonet.serve.uploads import Uploads

if TYPE_CHECKING:
    from vimonet.retrieval import Hit, Index


@dataclass
class Server:
    """Hold the parts of one server.

    Attributes:
        limits: every limit.
        metrics: what is counted.
        worker: the model and its thread.
        reading: the processes that read recordings.
        uploads: files that clients have sent.
        index: what is searched; None for a server without one.
    """

    limits: ServerLimits
    metrics: Metrics
    worker: ModelWorker
    reading: ReadingPool
    uploads: Uploads
    index: Index | None = None


def server_of(request: Request) -> Server:
    """Return the server that a request has come to."""
    server: Server = request.app.state.server
    return server


Serving = Annotated[Server, Depends(server_of)]


def late(request: Request) -> float:
    """Return the time at which the answer to a request is due, in the event loop's seconds."""
    return float(getattr(request.state, "late", asyncio.get_running_loop().time() + 3600))


async def recording_of(request: Request) -> Attachment:
    """Take the one recording of a request, as JSON (`MotionRequest`) or as a form with ``file`` and reading options.

    Raises:
        ApiError: there is none, or it cannot be taken.
        RequestValidationError: a field is wrong.
    """
    if is_form(request):
        name, data, fields = await form_of(request)
        return attachment_from_form(name, data, _options(fields))
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError):
        text = "the request is neither JSON nor a form; send {\"motion\": ...} or a form with the recording as 'file'."
        raise bad_request(text, code="invalid_json") from None
    asked = checked(MotionRequest, content)
    options = asked.options()
    found = attachment_of("motion", asked.motion, server_of(request).uploads, owner_of(request.headers), "motion")
    found.options.update({key: value for key, value in options.items() if key not in found.options})
    return found


def is_form(request: Request) -> bool:
    """Test whether a request is a form with a file."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def form_of(request: Request) -> tuple[str, bytes, dict[str, str]]:
    """Take a form apart, in memory alone: name and content of its ``file``, and its other fields.

    Raises:
        ApiError: it is no form, or has no file.
    """
    parser = MultiPartParser(request.headers, request.stream(), max_files=1, max_fields=20)
    parser.spool_max_size = sys.maxsize  # the body is in memory already; nothing of a client is written to disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise bad_request(f"the form cannot be read: {error.message.rstrip('.')}.", code="invalid_form") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise bad_request("file: the form has no file; send the recording as 'file'.", "file", "invalid_form")
        fields = {key: value for key, value in form.items() if isinstance(value, str)}
        return file.filename or "", await file.read(), fields
    finally:
        await form.close()


def index_of(server: Server) -> Index:
    """Return the index of a server."""
    if server.index is None:
        raise ApiError(404, "this server has no index; start it with --index.", "no_index")
    return server.index


async def moments(asked: SearchRequest, server: Server) -> list[Hit]:
    """Find moments in the index."""
    index = index_of(server)
    if asked.k > server.limits.hits:
        raise bad_request(f"k: at most {server.limits.hits} hits are given.", "k")
    return await asyncio.wrap_future(server.worker.call(lambda: index.search(asked.query, asked.k)))


async def read_motion(server: Server, attachment: Attachment) -> Motion:
    """Read an attachment as movement."""
    return await server.reading.motion(attachment.name, attachment.data, **attachment.options)


def _options(fields: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in fields.items() if isinstance(value, str) and value}
    if "joint_map" in given:
        try:
            given["joint_map"] = json.loads(given["joint_map"])
        except (ValueError, RecursionError):
            raise bad_request("joint_map: give a JSON object {joint: name in the file}.", "joint_map") from None
    return checked(ReadingOptions, given).options()


def checked(kind: type[Any], content: Any) -> Any:
    """Validate a value as a pydantic model.

    Raises:
        RequestValidationError: it is none.
    """
    try:
        return kind.model_validate(content)
    except (ValidationError, RecursionError) as error:
        raise RequestValidationError(error.errors() if isinstance(error, ValidationError) else []) from None
