"""Serve a page, its files, and a stream to browsers that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from fastapi import FastAPI
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from vimonet.page import html
from vimonet.serve.server_errors import PlainJSON


def add_page(app: FastAPI, name: str = "index.html") -> None:
    """Add the addresses of a page: itself at ``/``, its modules and styles below ``/assets/``.

    Args:
        app: the application.
        name: file of the page.
    """
    policy = {"content-security-policy": html.SERVED_POLICY}

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return Response(html.served_page(name), media_type="text/html; charset=utf-8", headers=policy)

    @app.get("/assets/{name}", include_in_schema=False)
    async def page_file(name: str) -> Response:
        found = html.asset(name)
        if found is None:
            return PlainJSON({"error": {"message": "there is no such file.", "type": "not_found_error"}}, 404)
        return Response(found[0], media_type=found[1], headers=policy)


class LiveStream(StreamingResponse):
    """Send server-sent events for as long as the browser takes them.

    Args:
        messages: the events; the next one is asked for when the one before is on its way, so none piles up.
        patience: seconds in which the browser must take one.
        left: called once, when the stream has ended.
    """

    def __init__(self, messages: AsyncIterator[str], patience: float, left: Callable[[], None]) -> None:
        super().__init__(messages, media_type="text/event-stream")
        self._patience, self._left = patience, left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the browser has gone, takes nothing, or there is no more."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._left()

    async def stream_response(self, send: Send) -> None:
        """Send each event in time."""

        async def timely(message: Message) -> None:
            await asyncio.wait_for(send(message), self._patience)

        with suppress(TimeoutError):
            await super().stream_response(timely)
