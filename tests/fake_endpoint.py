"""A chat endpoint on this machine that answers as it is told, and misbehaves as it is told.

with FakeEndpoint(answer=lambda body: '{"n": 3}', misbehave=[status(429, retry_after=1), drop]) as fake:
    ask(fake.url)
    fake.bodies  # every request that came, in order of arrival
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Trouble = Callable[["Handler", Body], bool]
"""Takes an exchange over; True where it answered itself (or not at all), False to let the usual answer follow."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fake = self.server.fake
        with fake.lock:
            fake.bodies.append(body)
            fake.headers.append(dict(self.headers))
            fake.times.append(time.monotonic())
            trouble = fake.troubles.pop(0) if fake.troubles else None
        if trouble is not None and trouble(self, body):
            return
        self.say(fake.completion(fake.answer(body)))

    def say(self, answer: Any, code: int = 200, headers: dict[str, str] | None = None) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(code)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    fake: FakeEndpoint
    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        pass  # a client that gave up waiting is part of the test


class FakeEndpoint:
    """Listens on a free port of the local host while in a ``with`` statement.

    Args:
        answer: request body -> what the model says.
        misbehave: troubles for the first requests to arrive, one each; None behaves.
        usage: tokens (prompt, completion) stated with every answer; None states none.
        finish: finish_reason of the answers.
    """

    def __init__(
        self,
        answer: Callable[[Body], str] = lambda body: "fine",
        misbehave: Sequence[Trouble | None] = (),
        usage: tuple[int, int] | None = (100, 10),
        finish: str = "stop",
    ) -> None:
        self.answer, self.troubles, self.tokens, self.finish = answer, list(misbehave), usage, finish
        self.bodies: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.lock = threading.Lock()

    def __enter__(self) -> FakeEndpoint:
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.fake = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def completion(self, text: str) -> dict[str, Any]:
        said: dict[str, Any] = {
            "model": "fake-1",
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": self.finish}],
        }
        if self.tokens is not None:
            said["usage"] = {"prompt_tokens": self.tokens[0], "completion_tokens": self.tokens[1]}
        return said


def status(code: int, *, retry_after: str | None = None, text: str = "not now", kind: str | None = None) -> Trouble:
    """Refuse with an HTTP status, as OpenAI words its errors."""

    def trouble(handler: Handler, body: Body) -> bool:
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        handler.say({"error": {"message": text, "code": kind}}, code, headers)
        return True

    return trouble


def says(text: str, finish: str = "stop") -> Trouble:
    """Answer properly, with another text than usual: JSON cut off, JSON that breaks the schema."""

    def trouble(handler: Handler, body: Body) -> bool:
        said = handler.server.fake.completion(text)
        said["choices"][0]["finish_reason"] = finish
        handler.say(said)
        return True

    return trouble


def garbage(handler: Handler, body: Body) -> bool:
    """Status 200 with a body that is no JSON."""
    handler.say(b'{"choices": [{"mess')
    return True


def drop(handler: Handler, body: Body) -> bool:
    """Hang up without an answer."""
    handler.close_connection = True
    handler.connection.close()
    return True


def slow(seconds: float) -> Trouble:
    """Answer properly, but late."""

    def trouble(handler: Handler, body: Body) -> bool:
        time.sleep(seconds)
        return False

    return trouble
