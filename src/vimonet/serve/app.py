"""Make the server's application.

app = create_app(vimonet.load)
uvicorn.run(app, port=8000)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

import vimonet
from vimonet.serve import chat_routes, file_routes, motion_routes, page_routes
from vimonet.serve.api_document import add_document
from vimonet.serve.guards import Door, Outside, Places
from vimonet.serve.model_worker import ModelWorker
from vimonet.serve.page_files import add_page
from vimonet.serve.reading_pool import ReadingPool
from vimonet.serve.server_errors import PlainJSON, add_error_handlers
from vimonet.serve.server_limits import ServerLimits
from vimonet.serve.server_metrics import Metrics
from vimonet.serve.serving import Server
from vimonet.serve.uploads import Uploads

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant
    from vimonet.retrieval import Index


def create_app(
    load: Callable[[], Assistant],
    *,
    name: str = "",
    limits: ServerLimits | None = None,
    tokens: Sequence[str] = (),
    host: str = "127.0.0.1",
    index: Index | None = None,
    on_failure: Callable[[Exception], None] | None = None,
) -> FastAPI:
    """Make an application that answers with one model.

    Args:
        load: loads the model; called once, in the model's own thread, when the server starts.
        name: name of the model for clients; empty for the model's own.
        limits: every limit.
        tokens: bearer tokens of which each request must carry one; none: everyone who reaches the server may ask.
        host: address that the server listens on, which decides by what names clients may call it.
        index: recordings to search.
        on_failure: called with the error when the model cannot be loaded.
    """
    limits, metrics = limits or ServerLimits(), Metrics()
    worker = ModelWorker(load, limits, metrics, name=name, on_failure=on_failure)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        reading = ReadingPool(limits.reading, metrics)
        app.state.server = Server(limits, metrics, worker, reading, Uploads(limits), index)
        worker.start()
        yield
        worker.close()
        reading.close()

    app = FastAPI(
        title="ViMoNet",
        version=vimonet.__version__,
        summary="Questions, captions and measured facts about how people move; chat as OpenAI's API has it.",
        lifespan=lifespan,
        middleware=[
            Middleware(Outside, metrics=metrics),
            *_cors(limits),
            Middleware(Door, host=host, tokens=tokens, limits=limits),
            Middleware(Places, limits=limits, wait=worker.wait, metrics=metrics),
        ],
        docs_url=None,
        redoc_url=None,
        default_response_class=PlainJSON,
        separate_input_output_schemas=False,
    )
    add_error_handlers(app)
    for routes in (chat_routes, motion_routes, file_routes, page_routes):
        app.include_router(routes.router)
    _add_health(app, worker, metrics)
    add_page(app)
    add_document(app)
    return app


def _cors(limits: ServerLimits) -> list[Middleware]:
    """Let browsers give answers to the pages of other sites that the limits name; to none by default."""
    if not limits.origins:
        return []
    methods, headers = ["GET", "POST", "DELETE"], ["authorization", "content-type"]
    return [
        Middleware(CORSMiddleware, allow_origins=list(limits.origins), allow_methods=methods, allow_headers=headers)
    ]


def _add_health(app: FastAPI, worker: ModelWorker, metrics: Metrics) -> None:
    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["operation"])
    async def health() -> PlainJSON:
        """Tell that the process lives."""
        return PlainJSON({"status": "alive"})

    @app.get("/readyz", tags=["operation"], responses={503: {"description": "The model is loading."}})
    async def ready() -> PlainJSON:
        """Tell whether questions are answered."""
        return PlainJSON({"status": "ready"}) if worker.alive else PlainJSON({"status": "not ready"}, 503)

    @app.get("/metrics", tags=["operation"], response_class=Response)
    async def measured() -> Response:
        """Give the metrics in Prometheus's text format."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
