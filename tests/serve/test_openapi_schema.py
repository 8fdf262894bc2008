"""schemathesis sends what the OpenAPI document allows and what it forbids: nothing is a fault of the server."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import hypothesis.errors
import pytest
import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.python import asgi
from serve_world import wait_for

from vimonet.serve.server_limits import ServerLimits

EXAMPLES = int(os.environ.get("VIMONET_EXAMPLES", "4"))
"""Requests for each address: VIMONET_EXAMPLES=500 pytest tests/serve/test_openapi_schema.py for more."""


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of an application that runs as long as this file's tests."""
    import vimonet
    from vimonet.serve.app import create_app

    limits = ServerLimits(hosts=("testserver",), new_tokens=4)
    app = create_app(lambda: vimonet.load("nano"), limits=limits)
    with asgi.get_client(app) as client:
        wait_for(lambda: client.get("http://testserver/readyz").status_code == 200, 120)
        client.app = app
        yield client


def test_no_request_is_a_fault_of_the_server(client: Any) -> None:
    tried = set()
    schema = schemathesis.openapi.from_asgi("/openapi.json", client.app)
    for found, mode in itertools.product(list(schema.get_all_operations()), GenerationMode):
        operation = found.ok()

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            reply = case.call(session=client)
            tried.add(f"{case.method} {case.path}")
            assert reply.status_code < 500, (reply.status_code, reply.text[:300], case.as_curl_command()[:500])

        with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # it takes nothing that could be wrong
            send()
    assert {"POST /v1/chat/completions", "POST /v1/motion/facts", "POST /v1/files", "POST /v1/search"} <= tried
