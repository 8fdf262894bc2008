"""Who may call the server: host, origin, token."""

from __future__ import annotations

import pytest
from serve_world import live

from vimonet.cli import main
from vimonet.inference.assistant import load
from vimonet.serve.listening import is_loopback
from vimonet.serve.server_limits import read_limits

TOKEN, OTHER = "correct-horse-battery", "staple-staple-staple"


@pytest.fixture(scope="module")
def server():
    limits = read_limits(overrides=["reading.readers=1", "hosts=motion.example", "origins=https://app.example"])
    with live(lambda: load("nano"), limits=limits, tokens=[TOKEN, OTHER]) as there:
        yield there


def with_token(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **more}


def test_a_token_is_needed_but_for_health_and_the_page(server):
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert server.get(path).status == 200
    for path in ("/v1/models", "/metrics", "/v1/files"):
        refused = server.get(path)
        assert (refused.status, refused.error["type"]) == (401, "authentication_error")
        assert refused.headers["www-authenticate"] == "Bearer"
    assert server.get("/v1/models", with_token(TOKEN)).status == 200
    assert server.get("/v1/models", with_token(OTHER)).status == 200
    for wrong in (TOKEN[:-1], TOKEN + "x", "", TOKEN.upper(), "é"):
        assert server.get("/v1/models", with_token(wrong)).status == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "192.168.1.9", "[::", "localhost.evil"])
def test_other_names_are_refused(server, host):
    assert server.get("/v1/models", with_token(TOKEN, Host=host)).error["code"] == "host_not_allowed"
    assert server.get("/healthz", {"Host": host}).status == 200  # a probe names the machine as it likes


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9", "127.0.0.1:1", "[::1]:80", "motion.example", "Motion.Example"]
)
def test_own_names_are_let_in(server, host):
    assert server.get("/v1/models", with_token(TOKEN, Host=host)).status == 200


def test_pages_of_other_sites_may_not_call(server):
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "", "https://motion.example.evil"):
        reply = server.post("/v1/search", {"query": "a"}, with_token(TOKEN, Origin=origin))
        assert (reply.status, reply.error["code"]) == (403, "origin_not_allowed")
    # What is turned away is counted under its own address.
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    assert server.call("OPTIONS", "/v1/files", None, preflight).status == 200
    counted = server.get("/metrics", with_token(TOKEN)).body.decode()
    for route, status in (("/v1/search", 403), ("/v1/files", 200)):
        assert f'vimonet_requests_total{{route="{route}",status="{status}"}}' in counted
    own = with_token(TOKEN, Origin=server.url)
    assert server.get("/v1/models", own).status == 200
    allowed = server.get("/v1/models", with_token(TOKEN, Origin="https://app.example"))
    assert allowed.status == 200 and allowed.headers["access-control-allow-origin"] == "https://app.example"
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization,content-type"
    assert server.call("OPTIONS", "/v1/chat/completions", None, asked).status == 200


def test_other_machines_need_a_token(capsys, tmp_path):
    assert main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "--token-file" in capsys.readouterr().err
    (tmp_path / "short").write_text("abc\n")
    assert main(["serve", "--token-file", str(tmp_path / "short")]) == 2
    assert "16 or more" in capsys.readouterr().err
    assert main(["serve", "--token-file", str(tmp_path / "none")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_mistakes_of_the_command_line_are_one_sentence(capsys, tmp_path):
    (tmp_path / "limits.yaml").write_text("plases: 3\n")
    for arguments, words in (
        (["--limits", str(tmp_path / "limits.yaml")], "did you mean 'places'"),
        (["places=none"], "whole number"),
        (["--index", str(tmp_path / "none.index")], "none.index"),
        (["--port", "70000"], "cannot listen"),
    ):
        assert main(["serve", *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1 and "Traceback" not in error
    assert main(["serve", "--list-limits"]) == 0
    assert "| `places` | 32 |" in capsys.readouterr().out


def test_loopback():
    assert all(map(is_loopback, ["127.0.0.1", "::1", "localhost", "127.1.2.3"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.0.1", "example.org"]))
