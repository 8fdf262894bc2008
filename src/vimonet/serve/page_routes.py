"""Give the page what it needs beside the API: samples, and recordings of the index with small pictures.

A client names a sample by its name in a fixed list and a recording by its number in the index; no path is taken.
"""

from __future__ import annotations

import asyncio
import io
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter
from starlette.responses import Response

from vimonet.motion import load
from vimonet.page.document import thumbnail, write_document
from vimonet.samples import list_samples, sample_path
from vimonet.serve.api_types import SearchRequest
from vimonet.serve.server_errors import ApiError, PlainJSON
from vimonet.serve.serving import Server, Serving, index_of, moments
from vimonet.utils.errors import InputError

router = APIRouter(tags=["page"])


@router.get("/v1/page")
async def about(server: Serving) -> PlainJSON:
    """Say what the page may offer: the model's name, whether it compares two recordings, samples, an index."""
    alive = server.worker.alive
    return PlainJSON(
        {
            "model": server.worker.name if alive else "",
            "compares": alive and server.worker.assistant.config.compares,
            "search": server.index is not None,
            "samples": await server.reading.work(_samples),
        }
    )


@router.get("/v1/page/samples/{name}", response_class=Response)
async def sample(name: str) -> Response:
    """Give the file of an embedded recording."""
    if name not in list_samples():
        raise ApiError(404, "there is no such sample.", "not_found")
    path = sample_path(name)
    return _file(path.name, path.read_bytes())


@router.post("/v1/page/search")
async def search(asked: SearchRequest, server: Serving) -> PlainJSON:
    """Find moments in the index, each with a few poses to draw."""
    found, index = await moments(asked, server), index_of(server)
    numbers = {str(index.root / entry.path): number for number, entry in enumerate(index.entries)}

    def hits() -> list[dict[str, Any]]:
        out = []
        for hit in found:
            number = numbers[hit.path]
            span = {"start": hit.start, "end": hit.end, "score": hit.score}
            try:
                poses = thumbnail(load(hit.path), hit.start, hit.end)
            except InputError:
                continue  # it has gone since the index was made
            out.append({"entry": number, "path": index.entries[number].path, **span, "thumbnail": poses})
        return out

    return PlainJSON({"object": "page.search", "hits": await server.reading.work(hits)})


@router.get("/v1/page/recordings/{entry}")
async def recording(entry: int, server: Serving) -> PlainJSON:
    """Write a recording of the index as a document."""
    path = _path(server, entry)
    motion = await server.reading.work(lambda: load(str(path)))
    assistant = server.worker.assistant
    actions = await asyncio.wrap_future(server.worker.call(lambda: assistant.actions(motion)))
    written = await server.reading.work(lambda: write_document(motion, actions=actions, model=server.worker.name))
    return PlainJSON(written)


@router.get("/v1/page/recordings/{entry}/file", response_class=Response)
async def recording_file(entry: int, server: Serving) -> Response:
    """Give a recording of the index to ask about: its file, or the joints of one that is a folder."""
    path = _path(server, entry)

    def content() -> tuple[str, bytes]:
        if path.is_file() and path.suffix.lower() != ".amc":  # whose skeleton is another file
            return path.name, path.read_bytes()
        stream = io.BytesIO()
        np.save(stream, load(str(path)).joints)
        return f"{path.stem}.npy", stream.getvalue()

    return _file(*await server.reading.work(content))


def _file(name: str, content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream", headers={"x-file-name": quote(name)})


def _path(server: Server, entry: int) -> Path:
    index = index_of(server)
    if not 0 <= entry < len(index.entries):
        raise ApiError(404, "there is no such recording in the index.", "not_found")
    return index.root / index.entries[entry].path


@cache
def _samples() -> list[dict[str, Any]]:
    """List the samples that this machine reads, with small pictures; a video needs a pose estimator."""
    out = []
    for name in list_samples():
        try:
            poses = thumbnail(load(f"sample:{name}"))
        except InputError:
            continue
        title = name.replace("_", " ").capitalize()
        out.append({"name": name, "title": title, "thumbnail": poses})
    return out
