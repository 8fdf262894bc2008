"""Stream to browsers that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send


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
