"""Serve ViMoNet on one or many machines with Ray Serve, which starts, watches and replaces the replicas.

    uv pip install -e '.[serve]' 'ray[serve]>=2.60,<2.64'
    serve run deploy.ray_app:app          # in the repository's root

The same application as `vimonet serve`, once per replica. Settings come from the environment of the replicas:
``VIMONET_MODEL``, ``VIMONET_REPLICAS`` (2), ``VIMONET_TOKEN_FILE`` (bearer tokens, one a line), ``VIMONET_LIMITS``
(``LIMIT=VALUE LIMIT=VALUE ...``; at least ``hosts=NAME`` for the name by which clients call the cluster).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ray import serve

REPLICAS = int(os.environ.get("VIMONET_REPLICAS", "2"))
PLACES = 32


def build() -> Any:
    """Make the application of one replica, which counts as running when its model answers."""
    import vimonet
    from vimonet.serve.app import create_app
    from vimonet.serve.server_limits import read_limits

    limits = read_limits(overrides=[f"places={PLACES}", *os.environ.get("VIMONET_LIMITS", "").split()])
    file = os.environ.get("VIMONET_TOKEN_FILE")
    tokens = Path(file).read_text(encoding="utf-8").split() if file else []
    failures: list[Exception] = []
    app = create_app(
        lambda: vimonet.load(os.environ.get("VIMONET_MODEL")),
        limits=limits,
        tokens=tokens,
        host="0.0.0.0",
        on_failure=failures.append,
    )
    start = app.router.lifespan_context

    @asynccontextmanager
    async def until_ready(app: Any) -> AsyncIterator[Any]:
        async with start(app) as state:
            while not app.state.server.worker.alive:
                if failures:
                    raise failures[0]
                await asyncio.sleep(0.1)
            yield state

    app.router.lifespan_context = until_ready
    return app


@serve.deployment(
    name="vimonet",
    num_replicas=REPLICAS,
    # More than there are places: the replica itself refuses what is too much, with 429 and Retry-After.
    max_ongoing_requests=2 * PLACES,
    graceful_shutdown_timeout_s=60,
    health_check_period_s=5,
    health_check_timeout_s=10,
    ray_actor_options={"num_cpus": float(os.environ.get("VIMONET_CPUS", "1"))},
)
@serve.ingress(build)
class Replica:
    """Run the application in a process of its own."""


app = Replica.bind()
