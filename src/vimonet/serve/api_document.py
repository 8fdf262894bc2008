"""Describe the API: the OpenAPI document, and a page of it without any script."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.responses import HTMLResponse, Response

from vimonet.serve.api_types import MotionRequest, ReadingOptions

_ERRORS = {
    "400": "The request cannot be used; the message says why.",
    "401": "A token is needed.",
    "403": "This name or page may not call the server.",
    "404": "There is no such thing.",
    "408": "The request did not arrive in time.",
    "413": "The request is too large.",
    "429": "Every place is taken; ask again after Retry-After seconds.",
    "503": "The model is loading, or the server is shutting down.",
    "504": "The deadline has passed.",
}
_RECORDING = ("/v1/motion/facts", "/v1/motion/caption", "/v1/motion/document", "/v1/pose")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "code{background:#8883;padding:.1em .3em;border-radius:.3em}dt{margin-top:1em}"
)


def add_document(app: FastAPI) -> None:
    """Add the OpenAPI document at /openapi.json (FastAPI's own address) and the page at /docs."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(
                get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    page: list[str] = []

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        if not page:
            page.append(_page(app.openapi()))
        policy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        return HTMLResponse(page[0], headers={"content-security-policy": policy})

    @app.get("/docs.css", include_in_schema=False)
    async def style() -> Response:
        return Response(_STYLE, media_type="text/css")


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """Add the requests that are forms or JSON, the shape of errors, and the token."""
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    _, defined = models_json_schema(
        [(MotionRequest, "validation"), (ReadingOptions, "validation")], ref_template="#/components/schemas/{model}"
    )
    schemas.update(defined["$defs"])
    text = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    fields = {"message": {"type": "string"}, "type": {"type": "string"}, "param": text, "code": text}
    schemas["Error"] = {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "object", "required": list(fields), "properties": fields}},
    }
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    failed = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            if path.startswith("/v1/"):
                operation["security"] = [{}, {"token": []}]
                for status, meaning in _ERRORS.items():
                    operation["responses"].setdefault(status, {"description": meaning, "content": failed})
            if path in _RECORDING:
                operation["requestBody"] = _recording()
    upload = {"file": {"type": "string", "format": "binary"}, "purpose": {"type": "string", "default": "user_data"}}
    upload |= {"expires_after[anchor]": {"const": "created_at"}, "expires_after[seconds]": {"type": "integer"}}
    document["paths"]["/v1/files"]["post"]["requestBody"] = _form(upload)
    return document


def _recording() -> dict[str, Any]:
    fields = {name: {"type": "string"} for name in ReadingOptions.model_fields}
    body = _form({"file": {"type": "string", "format": "binary"}, **fields})
    body["content"]["application/json"] = {"schema": {"$ref": "#/components/schemas/MotionRequest"}}
    return body


def _form(fields: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": ["file"], "properties": fields}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _page(document: dict[str, Any]) -> str:
    """Write the document as a page of text."""
    rows = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            text = escape(operation.get("description") or operation.get("summary", ""))
            rows.append(f"<dt><code>{method.upper()} {escape(path)}</code></dt><dd>{text}</dd>")
    schemas = []
    for name, schema in sorted(document["components"]["schemas"].items()):
        fields = ", ".join(f"<code>{escape(field)}</code>" for field in schema.get("properties", {}))
        schemas.append(f"<dt><code>{escape(name)}</code></dt><dd>{escape(schema.get('description', ''))} {fields}</dd>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>ViMoNet API</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs.css">'
        f"<h1>ViMoNet {escape(document['info']['version'])}</h1><p>{escape(document['info'].get('summary', ''))}</p>"
        '<p>The whole description for programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"<h2>Addresses</h2><dl>{''.join(rows)}</dl><h2>What requests hold</h2><dl>{''.join(schemas)}</dl></html>"
    )
