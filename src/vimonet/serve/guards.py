"""Guard the server: who may call, how much may come, how long it may take, and what leaves.

Each guard is a plain ASGI application around the next one, from the outside in: `Outside` (headers, log, metrics, the
last resort of an error), `Door` (host, origin, token), `Places` (bounded requests and bodies, deadlines, clients who
leave).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vimonet.serve.listening import is_loopback
from vimonet.serve.server_errors import ApiError, deadline_passed, error_response, our_mistake, too_busy
from vimonet.serve.server_limits import ServerLimits
from vimonet.serve.server_metrics import Metrics

LOG = logging.getLogger("vimonet.serve")
API = "/v1/"
_OPEN = ("/healthz", "/readyz", "/docs", "/docs.css", "/openapi.json", "/")
"""What needs no token: health, the description of the API, and the page, which asks for the token itself."""
_PROBES = ("/healthz", "/readyz")
_MIB = 1 << 20
_LAST_WORDS = 2.0
"""Seconds beyond the deadline in which a stream may end itself with an error that the client can read."""

SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cache-control": "no-store",
}
"""Headers of every response that does not set them itself."""


class Outside:
    """Add safe headers, count and log each request without its content, and turn a failure of ours into 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # no websockets
        start, status = time.perf_counter(), 0

        async def safe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, safe)
        except Exception as error:
            LOG.error("%s failed: %s", route_of(scope), type(error).__name__, exc_info=LOG.isEnabledFor(logging.DEBUG))
            if not status:
                await error_response(our_mistake())(scope, receive, safe)
        finally:
            seconds = time.perf_counter() - start
            self.metrics.count_request(route_of(scope), status or 499, seconds)
            level = logging.DEBUG if scope["path"] in (*_PROBES, "/metrics") else logging.INFO
            LOG.log(level, "%s %s %d %.0f ms", scope["method"], route_of(scope), status or 499, 1000 * seconds)


class Door:
    """Let in requests to this server's own name, from its own page or none, with a token where there is one.

    Args:
        app: the application inside.
        host: address that the server listens on.
        tokens: bearer tokens of which a request must carry one; none: everyone may call.
        limits: names and pages that may call as well.
    """

    def __init__(self, app: ASGIApp, host: str, tokens: Sequence[str], limits: ServerLimits) -> None:
        self.app, self.limits = app, limits
        self.digests = [_digest(f"Bearer {token}") for token in tokens]
        self.loopback = is_loopback(host)
        self.names = {host.lower(), *(name.lower() for name in limits.hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and (error := self._refusal(scope)) is not None:
            await error_response(error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers, path = Headers(scope=scope), scope["path"]
        if path in _PROBES:
            return None
        host = headers.get("host", "")
        if not self._knows(host):
            text = "this server does not go by that name; start it with hosts=NAME to allow one."
            return ApiError(403, text, "host_not_allowed")
        origin = headers.get("origin")
        own = origin in (f"http://{host}", f"https://{host}")
        if origin is not None and not own and origin not in self.limits.origins:
            text = "pages of other sites may not call this server; start it with origins=ADDRESS to allow one."
            return ApiError(403, text, "origin_not_allowed")
        if not self.digests or path in _OPEN or path.startswith("/assets/"):
            return None
        given = _digest(headers.get("authorization", ""))
        if not any([hmac.compare_digest(given, digest) for digest in self.digests]):  # a list: every one is compared
            text = "a token is needed: send 'Authorization: Bearer TOKEN'."
            return ApiError(401, text, "invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
        return None

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names or name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False  # a name that resolves to this machine may be another site's (DNS rebinding)
        return address.is_loopback or not self.loopback


class Places:
    """Admit as many requests as there are places; read each body whole; end work whose client has left or that is late.

    Args:
        app: the application inside, which gets the whole body at once.
        limits: of places, bodies and time.
        wait: estimates the seconds until a new question would be begun.
        metrics: counts places.
    """

    def __init__(self, app: ASGIApp, limits: ServerLimits, wait: Callable[[], float], metrics: Metrics) -> None:
        self.app, self.limits, self.wait, self.metrics = app, limits, wait, metrics
        self.taken, self.held = 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self.app(scope, receive, send)
            return
        limited = scope["method"] == "POST"
        if limited and (self.taken >= self.limits.places or self.wait() > 0.7 * self.limits.deadline_seconds):
            await _discard(receive, self.limits)
            await error_response(too_busy(self.wait()))(scope, receive, send)
            return
        self.taken += limited
        self.metrics.places.set(self.taken)
        held = _Held()
        try:
            await self._work(scope, receive, send, held)
        except ApiError as error:
            await error_response(error)(scope, receive, send)
        finally:
            self.taken -= limited
            self.held -= held.size
            self.metrics.places.set(self.taken)

    async def _work(self, scope: Scope, receive: Receive, send: Send, held: _Held) -> None:
        late = _now() + self.limits.deadline_seconds
        whole = await self._body(held, scope, receive)
        if whole is None:
            return
        scope.setdefault("state", {})["late"] = late
        started = False

        async def replay() -> Message:
            nonlocal whole
            if whole is not None:
                message, whole = {"type": "http.request", "body": whole, "more_body": False}, None
                return message
            await asyncio.Event().wait()  # who left is watched for here, not in the application
            raise AssertionError

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        work = asyncio.ensure_future(self.app(scope, replay, watched))
        left = asyncio.ensure_future(_until_left(receive))
        try:
            await asyncio.wait({work, left}, timeout=late - _now(), return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not left.done() and started:
                await asyncio.wait({work, left}, timeout=_LAST_WORDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone = left.done()
            left.cancel()
            ended = work.done()
            work.cancel()
        try:
            await work
        except asyncio.CancelledError:
            if ended or ((task := asyncio.current_task()) is not None and task.cancelling()):
                raise
            if not gone and not started:
                raise deadline_passed(self.limits.deadline_seconds) from None

    async def _body(self, held: _Held, scope: Scope, receive: Receive) -> bytes | None:
        """Read the whole body; None if the client leaves before its end."""
        most, chunks, more = self.limits.body_mib * _MIB, [], True
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    chunks.append(chunk)
                    held.size += len(chunk)
                    self.held += len(chunk)
                    if held.size > most or self.held > self.limits.bodies_mib * _MIB:
                        chunks.clear()
                        if more:
                            await _discard(receive, self.limits)
                        if held.size <= most:
                            raise too_busy(self.wait())
                        text = f"the request is larger than {self.limits.body_mib} MiB; send a smaller recording."
                        raise ApiError(413, text, "request_too_large")
        except TimeoutError:
            text = f"the request did not arrive within {self.limits.body_seconds:g} s."
            raise ApiError(408, text, "request_timeout") from None
        body = b"".join(chunks)
        kind = Headers(scope=scope).get("content-type", "").lower()
        # Outside of strings each value has one of these before it, and base64 has none of them.
        if "multipart" not in kind and sum(body.count(mark) for mark in b",[{") > self.limits.json_values:
            text = f"the JSON holds more than {self.limits.json_values} values; send recordings as base64 or files."
            raise ApiError(413, text, "request_too_large")
        return body


@dataclass
class _Held:
    """Count the bytes of one request."""

    size: int = 0


async def _discard(receive: Receive, limits: ServerLimits) -> None:
    """Take in the rest of a body without keeping it, within limits: a client reads no answer while it still sends."""
    size, most = 0, limits.body_mib * _MIB
    try:
        async with asyncio.timeout(min(5.0, limits.body_seconds)):
            while size <= most:
                message = await receive()
                size += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _now() -> float:
    return asyncio.get_running_loop().time()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def owner_of(headers: Mapping[str, str]) -> str:
    """Name the owner of uploads: a digest of the key that a client sends; empty for a client without one."""
    key = headers.get("authorization", "")
    return _digest(key).hex() if key else ""


def route_of(scope: Scope) -> str:
    """Name the route of a request, turned away or not, without its ids; ``other`` for an unknown address."""
    if (route := scope.get("route")) is not None:
        return str(getattr(route, "path", "other"))
    declared: Iterable[str] = scope["app"].openapi()["paths"]  # made once
    return next((path for path in declared if compile_path(path)[0].match(scope["path"])), "other")
