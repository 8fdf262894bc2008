"""Shape every error as OpenAI's API does, in JSON that never holds NaN."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from vimonet.utils.errors import InputError

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_WORDS = {404: "there is no such address; /docs lists them.", 405: "this address does not know that method."}


class ApiError(Exception):
    """Report a request that gets no answer.

    Attributes:
        status: HTTP status.
        message: one sentence for the client.
        code: short name of the mistake, for programs.
        param: the field of the request that is wrong.
        headers: further headers, such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.headers = status, message, code, param, headers

    def body(self) -> dict[str, Any]:
        """Return the error as OpenAI writes it."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


class PlainJSON(JSONResponse):
    """Answer with JSON in ASCII in which a number that is not finite is null."""

    def render(self, content: Any) -> bytes:
        """Write the body."""
        return plain_json(content).encode("ascii")


def plain_json(value: Any) -> str:
    """Write JSON without NaN or infinity, and with lone surrogates escaped."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def too_busy(seconds: float) -> ApiError:
    """Make the error of a server whose places are taken."""
    wait = max(1, min(60, math.ceil(seconds)))
    text = f"every place of this server is taken; ask again in {wait} s."
    return ApiError(429, text, "too_many_requests", headers={"Retry-After": str(wait)})


def bad_request(message: str, param: str | None = None, code: str = "invalid_value") -> ApiError:
    """Make the error of a request that cannot be used."""
    return ApiError(400, message, code, param=param)


def deadline_passed(seconds: float) -> ApiError:
    """Make the error of a request that took too long."""
    return ApiError(504, f"no answer within {seconds:g} s; ask less at once, or again later.", "deadline_exceeded")


def our_mistake() -> ApiError:
    """Make the error of a failure that is not the client's."""
    return ApiError(500, "this server made a mistake; its log names the kind.", "internal_error")


def error_response(error: ApiError) -> Response:
    """Make the response of an error."""
    return PlainJSON(error.body(), error.status, headers=dict(error.headers or {}))


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of a request in one shape; none repeats what the client sent."""

    async def own(_: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return error_response(error)

    async def unusable(_: Request, error: Exception) -> Response:
        return error_response(bad_request(str(error), code="unusable_input"))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first: Mapping[str, Any] = next(iter(error.errors()), {})
        where = ".".join(str(part) for part in first.get("loc", ()) if part not in ("body", "query", "path"))
        said = str(first.get("msg", "it cannot be read")).removeprefix("Value error, ").rstrip(".")
        kind = request.headers.get("content-type", "").lower()
        if not where and first.get("type") != "missing" and "json" not in kind:
            where, said = "Content-Type", "JSON needs the header 'Content-Type: application/json'"
        return error_response(bad_request(f"{where or 'the request'}: {said}.", where or None))

    async def framework(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        text = _WORDS.get(error.status_code) or str(error.detail)
        code = "not_found" if error.status_code == 404 else "invalid_request"
        return error_response(ApiError(error.status_code, text, code, headers=error.headers))

    app.add_exception_handler(ApiError, own)
    app.add_exception_handler(InputError, unusable)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, framework)
