"""Files of deploy/ and space/ agree with the server that they run."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from vimonet.serve.server_limits import ServerLimits, read_limits
from vimonet.utils.settings import keys_of

ROOT = Path(__file__).parents[2]
LIMITS = {key.name: key.default for key in keys_of(ServerLimits)}


@pytest.fixture(scope="module")
def space() -> Any:
    spec = importlib.util.spec_from_file_location("space_app", ROOT / "space" / "app.py")
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


def test_containers_run_without_root_on_a_read_only_file_system() -> None:
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    grace = int(services["vimonet-1"]["stop_grace_period"].rstrip("s"))
    assert grace > LIMITS["drain_seconds"] and services["balancer"]["ports"] == ["127.0.0.1:8080:8080"]
    for file in ("deploy/Dockerfile", "space/Dockerfile"):
        text = (ROOT / file).read_text()
        assert re.findall(r"^USER (\d+):\d+$", text, re.M)[-1] != "0" and "HEALTHCHECK" in text, file


def test_the_balancer_lets_through_what_the_servers_take() -> None:
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    assert re.search(r"client_max_body_size (\d+)m", text)[1] == str(LIMITS["body_mib"])  # type: ignore[index]
    assert int(re.search(r"proxy_read_timeout (\d+)s", text)[1]) > LIMITS["deadline_seconds"]  # type: ignore[index]


def test_limits_that_the_page_names_exist() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text()
    named = set(re.findall(r"`((?:reading\.)?[a-z]+(?:_[a-z]+)+|reading\.[a-z]+|places)`", text))
    assert named - {"api_key"} <= set(LIMITS) and "reading.readers" in named


def test_a_space_is_shown_in_a_frame_of_its_site_alone(space: Any) -> None:
    limits = read_limits(overrides=[*space.LIMITS, "hosts=[user-vimonet.hf.space]"])
    assert limits.hosts == ("user-vimonet.hf.space",) and limits.places < ServerLimits().places
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        policy = (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'")
        start = {"type": "http.response.start", "status": 200, "headers": [policy, (b"x-frame-options", b"DENY")]}
        await send(start)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(space.Framed(app)({"type": "http"}, None, send))
    policy = b"default-src 'self'; frame-ancestors https://huggingface.co"
    assert sent[0]["headers"] == [(b"content-security-policy", policy)]
