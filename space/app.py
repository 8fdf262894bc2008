"""Run the server in a Hugging Face Space: open to every visitor, with lower limits, shown inside huggingface.co."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

import vimonet
from vimonet.serve.app import create_app
from vimonet.serve.server_limits import read_limits

PORT = int(os.environ.get("PORT", "7860"))
FRAME = "https://huggingface.co"
"""The site whose pages show a Space in a frame."""
LIMITS = (
    *(
        "places=16",
        "body_mib=32",
        "bodies_mib=128",
        "files=50",
        "files_mib=128",
        "unused_seconds=300",
        "stay_seconds=900",
    ),
    *("reading.reading_seconds=15", "reading.recording_seconds=120"),
)

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Framed:
    """Let one site show the page in a frame, which the server forbids to every site."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Handle one request."""

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, value.replace(b"frame-ancestors 'none'", b"frame-ancestors " + FRAME.encode()))
                    for name, value in message["headers"]
                    if name.lower() != b"x-frame-options"
                ]
            await send(message)

        await self.app(scope, receive, framed)


def main() -> None:
    """Serve until the Space ends."""
    name = os.environ.get("SPACE_HOST", "")  # user-vimonet.hf.space
    limits = read_limits(overrides=[*LIMITS, *([f"hosts=[{name}]"] if name else [])])
    app = create_app(vimonet.load, limits=limits, host="0.0.0.0")
    options: dict[str, Any] = {"access_log": False, "server_header": False, "log_level": "warning"}
    uvicorn.run(Framed(app), host="0.0.0.0", port=PORT, timeout_graceful_shutdown=limits.drain_seconds, **options)


if __name__ == "__main__":
    main()
