"""A live server on a free port, in a thread, for tests that call it as any client does."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import uvicorn

from vimonet.samples import sample_path
from vimonet.serve.app import create_app
from vimonet.serve.server_limits import read_limits


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_constant=_no_constant)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} in JSON")


class Live(NamedTuple):
    port: int
    app: Any
    server: uvicorn.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        given = {"Content-Type": "application/json"} if isinstance(body, dict | list) else {}
        if isinstance(body, dict | list):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {**given, **(headers or {})})
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        return self.call("POST", path, body, headers)

    def get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        return self.call("GET", path, None, headers)

    def metric(self, name: str) -> float:
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[-1])
        raise AssertionError(name)


@contextlib.contextmanager
def live(load: Any, **options: Any) -> Iterator[Live]:
    options.setdefault("limits", read_limits(overrides=["reading.readers=1"]))
    app = create_app(load, **options)
    config = uvicorn.Config(app, port=0, access_log=False, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        there = Live(server.servers[0].sockets[0].getsockname()[1], app, server)
        wait_for(lambda: there.get("/readyz").status == 200, 180)
        yield there
    finally:
        server.should_exit = True
        thread.join(30)


def wait_for(done: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def sample(name: str) -> bytes:
    return sample_path(name).read_bytes()


def data_url(data: bytes, name: str = "") -> str:
    named = f";name={name}" if name else ""
    return f"data:application/octet-stream{named};base64,{base64.b64encode(data).decode()}"


def motion_part(name: str) -> dict[str, Any]:
    return {"type": "motion_url", "motion_url": {"url": data_url(sample(name)), "name": sample_path(name).name}}


def chat(*content: Any, model: str = "nano", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": list(content)}], **more}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def form(fields: dict[str, str], file: bytes | None = None, name: str = "walk.bvh") -> tuple[bytes, dict[str, str]]:
    mark = "ViMoNetBoundary"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()
    ]
    if file is not None:
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        parts.append(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + file + b"\r\n")
    return b"".join(parts) + f"--{mark}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={mark}"}
