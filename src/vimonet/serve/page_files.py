"""Serve a page and its files."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response

from vimonet.page import html
from vimonet.serve.server_errors import PlainJSON


def add_page(app: FastAPI, name: str = "index.html") -> None:
    """Add the addresses of a page: itself at ``/``, its modules and styles below ``/assets/``.

    Args:
        app: the application.
        name: file of the page.
    """
    policy = {"content-security-policy": html.SERVED_POLICY}

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return Response(html.served_page(name), media_type="text/html; charset=utf-8", headers=policy)

    @app.get("/assets/{name}", include_in_schema=False)
    async def page_file(name: str) -> Response:
        found = html.asset(name)
        if found is None:
            return PlainJSON({"error": {"message": "there is no such file.", "type": "not_found_error"}}, 404)
        return Response(found[0], media_type=found[1], headers=policy)
