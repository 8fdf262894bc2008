from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx2")
from fake_endpoint import FakeEndpoint, drop, garbage, says, slow, status

from vimonet.llm.endpoint import Endpoint, EndpointError, Request, Settings, message
from vimonet.llm.endpoint.http import RateLimit
from vimonet.llm.endpoint.messages import parse
from vimonet.utils.errors import InputError

NUMBER = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
ASK = [message("user", "how many?")]
KEY = "sk-secret-0123456789"


def endpoint(fake: FakeEndpoint, **settings: Any) -> Endpoint:
    return Endpoint(Settings(fake.url, "m", backoff=0.01, **{"timeout": 5.0, **settings}))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "trouble",
    [
        status(429, retry_after="0"),
        status(500),
        status(503),
        garbage,
        drop,
        slow(1.0),
        says("I would say three"),
        says('{"n": 3'),
        says('{"n": "three"}'),
        says('{"m": 3}'),
        says(""),
    ],
    ids=["429", "500", "503", "garbage", "drop", "slow", "no-json", "cut-json", "wrong-type", "wrong-key", "empty"],
)
def test_recovers_from_each_trouble(trouble: Any, tmp_path: Path) -> None:
    with (
        FakeEndpoint(lambda body: '{"n": 3}', [trouble, trouble]) as fake,
        endpoint(fake, timeout=0.3, cache=tmp_path) as asked,
    ):
        reply = asked.chat(ASK, schema=NUMBER)
        assert reply.value == {"n": 3}
        assert reply.model == "fake-1"
        assert asked.usage.retries == 2
        assert len(fake.bodies) == 3
    assert all(path.suffix == ".json" for path in files(tmp_path))


def test_waits_as_long_as_retry_after_says() -> None:
    with FakeEndpoint(misbehave=[status(429, retry_after="0.7")]) as fake, endpoint(fake) as asked:
        asked.chat(ASK)
        assert fake.times[1] - fake.times[0] >= 0.7


def test_retry_after_may_be_a_date_and_holds_every_thread() -> None:
    late = formatdate(time.time() + 2, usegmt=True)
    with FakeEndpoint(misbehave=[status(429, retry_after=late)]) as fake, endpoint(fake, workers=1) as asked:
        list(asked.chat_many([Request(ASK), Request([message("user", "other")])]))
        assert fake.times[1] - fake.times[0] >= 0.9  # a date has whole seconds


def test_gives_up_on_a_wait_that_is_too_long() -> None:
    with FakeEndpoint(misbehave=[status(429, retry_after="86400")]) as fake, endpoint(fake) as asked:
        with pytest.raises(EndpointError, match="asks to wait 86400 s") as error:
            asked.chat(ASK)
        assert error.value.fatal


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeEndpoint(misbehave=[status(500)] * 5) as fake, endpoint(fake) as asked:
        pauses: list[float] = []
        monkeypatch.setattr(asked, "_sleep", lambda seconds: pauses.append(seconds) if seconds else None)
        asked.chat(ASK)
    for attempt, pause in enumerate(pauses):
        assert 0.5 * 0.01 * 2**attempt <= pause <= 0.01 * 2**attempt
    assert len(pauses) == 5


def test_a_bad_answer_is_shown_with_what_is_wrong() -> None:
    with FakeEndpoint(lambda body: '{"n": 3}', [says('{"n": "three"}')]) as fake, endpoint(fake) as asked:
        asked.chat(ASK, schema=NUMBER)
        shown = fake.bodies[1]["messages"]
        assert shown[-2] == {"role": "assistant", "content": '{"n": "three"}'}
        assert "'three' is not of type 'integer' at ['n']" in shown[-1]["content"]
        assert fake.bodies[0]["response_format"]["json_schema"]["schema"] == NUMBER
        assert json.dumps(NUMBER, sort_keys=True) in fake.bodies[0]["messages"][0]["content"]


def test_an_answer_cut_off_gets_more_room() -> None:
    cut = says('{"n": ', finish="length")
    with FakeEndpoint(lambda body: '{"n": 3}', [cut]) as fake, endpoint(fake, max_tokens=50) as asked:
        asked.chat(ASK, schema=NUMBER)
        assert [body["max_tokens"] for body in fake.bodies] == [50, 100]


def test_gives_up_with_one_sentence() -> None:
    with FakeEndpoint(lambda body: "never") as fake, endpoint(fake, attempts=3) as asked:
        with pytest.raises(EndpointError, match="no usable answer in 3 attempts: no JSON object in it") as error:
            asked.chat(ASK, schema=NUMBER)
        assert not error.value.fatal
        assert len(fake.bodies) == 3


@pytest.mark.parametrize(
    ("text", "renamed"),
    [("unknown parameter: response_format", None), ("use max_completion_tokens instead of max_tokens", True)],
)
def test_drops_or_renames_what_the_server_refuses(text: str, renamed: bool | None, tmp_path: Path) -> None:
    with (
        FakeEndpoint(lambda body: '{"n": 3}', [status(400, text=text)]) as fake,
        endpoint(fake, cache=tmp_path) as asked,
    ):
        assert asked.chat(ASK, schema=NUMBER).value == {"n": 3}
        if renamed:
            assert "max_tokens" not in fake.bodies[1] and fake.bodies[1]["max_completion_tokens"] == 1024
        else:
            assert "response_format" not in fake.bodies[1]
        with endpoint(fake, cache=tmp_path) as again:
            assert again.chat(ASK, schema=NUMBER).cached
        assert len(fake.bodies) == 2


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (status(401, text=f"Incorrect API key provided: {KEY}"), r"401: Incorrect API key provided: \[key\]; check"),
        (status(404, text="no model m"), "no model m; check the address and the model's name"),
        (status(429, text="no money", kind="insufficient_quota"), "no money"),
    ],
)
def test_what_cannot_get_better_is_not_repeated(trouble: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FakeEndpoint(misbehave=[trouble] * 6) as fake, endpoint(fake) as asked:
        with pytest.raises(EndpointError, match=said) as error:
            asked.chat(ASK)
        assert error.value.fatal and len(fake.bodies) == 1
        assert KEY not in str(error.value)


def test_the_key_is_sent_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("MY_KEY", KEY)
    with FakeEndpoint() as fake, endpoint(fake, key_env="MY_KEY", cache=tmp_path) as asked:
        asked.chat(ASK)
        assert fake.headers[0]["Authorization"] == f"Bearer {KEY}"
        seen = caplog.text + repr(asked) + "".join(path.read_text() for path in files(tmp_path))
        assert KEY not in seen and "POST" in caplog.text


def test_no_key_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with FakeEndpoint() as fake, endpoint(fake) as asked:
        asked.chat(ASK)
        assert "Authorization" not in fake.headers[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"base_url": "localhost:8000"}, "is no address of an endpoint"),
        ({"base_url": "http://u:p@host/v1"}, "holds a user, password or query"),
        ({"base_url": "http://host:99999/v1"}, "is no address"),
        ({"model": " "}, "has no name"),
        ({"workers": 0}, "workers is 0"),
        ({"requests_per_minute": 0.5}, "requests_per_minute is 0.5"),
        ({"price_in": -1.0}, "price_in is -1"),
    ],
)
def test_bad_settings_are_one_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Endpoint(Settings(**{"base_url": "http://localhost/v1", "model": "m", **settings}))


def test_a_key_that_is_none_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret\nX-Other: 1")
    with pytest.raises(InputError, match=r"\$OPENAI_API_KEY holds") as error:
        Endpoint(Settings("http://localhost/v1", "m"))
    assert "secret" not in str(error.value)


def test_nobody_there_is_told_at_once() -> None:
    with FakeEndpoint() as fake:
        url = fake.url
    started = time.monotonic()
    with Endpoint(Settings(url, "m", backoff=0.01)) as asked, pytest.raises(EndpointError, match="cannot be reached"):
        asked.chat(ASK)
    assert time.monotonic() - started < 3


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(InputError, match="extra 'llm'"):
        Endpoint(Settings("http://localhost/v1", "m"))


def test_images_travel_as_data_urls() -> None:
    png = b"\x89PNG\r\n\x1a\nrest"
    with FakeEndpoint() as fake, endpoint(fake) as asked:
        asked.chat([message("user", "what?", [png])])
        (_, image) = fake.bodies[0]["messages"][0]["content"]
        assert image == {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgpyZXN0"}}
    with pytest.raises(InputError, match="neither PNG nor JPEG"):
        message("user", "what?", [b"GIF89a"])


# ---------------------------------------------------------------- counting


def test_counts_tokens_and_cost() -> None:
    with (
        FakeEndpoint(lambda body: '{"n": 3}', [says("?")], usage=(1000, 50)) as fake,
        endpoint(fake, price_in=2.0, price_out=8.0) as asked,
    ):
        reply = asked.chat(ASK, schema=NUMBER)
        assert (reply.prompt_tokens, reply.completion_tokens) == (2000, 100)  # the unusable answer was paid for too
        assert asked.usage.cost == pytest.approx(2000 * 2e-6 + 100 * 8e-6)
        assert "2 requests" in str(asked.usage) and "cost 0.0048" in str(asked.usage)


def test_estimates_when_the_server_does_not_count() -> None:
    with FakeEndpoint(usage=None) as fake, endpoint(fake) as asked:
        asked.chat(ASK)
        assert asked.usage.estimated == 1 and asked.usage.prompt_tokens > 0 and asked.usage.cost is None


# ---------------------------------------------------------------- cache


def test_the_cache_is_keyed_by_the_whole_request(tmp_path: Path) -> None:
    with FakeEndpoint(lambda body: '{"n": 3}') as fake:
        variants: list[dict[str, Any]] = [{}, {"temperature": 0.5}, {"seed": 1}, {"max_tokens": 9}]
        for settings in [*variants, *variants]:
            with endpoint(fake, cache=tmp_path, **settings) as asked:
                asked.chat(ASK)
        with endpoint(fake, cache=tmp_path) as asked:
            asked.chat(ASK, schema=NUMBER)
            asked.chat([message("user", "how many?", [b"\x89PNG"])])
            asked.chat([message("user", "how many?", [b"\x89PNG2"])])
        assert len(fake.bodies) == len(variants) + 3


def test_cached_answers_cost_nothing(tmp_path: Path) -> None:
    with FakeEndpoint(lambda body: '{"n": 3}', [says("?")]) as fake:
        with endpoint(fake, cache=tmp_path) as first:
            before = first.chat(ASK, schema=NUMBER)
        with endpoint(fake, cache=tmp_path, price_in=1.0) as second:
            after = second.chat(ASK, schema=NUMBER)
            assert after.value == before.value and after.cached and not before.cached
            assert second.usage.requests == 0 and second.usage.cost == 0
        assert len(fake.bodies) == 2


def test_a_damaged_file_is_asked_anew(tmp_path: Path) -> None:
    with FakeEndpoint() as fake, endpoint(fake, cache=tmp_path) as asked:
        asked.chat(ASK)
        (kept,) = files(tmp_path)
        kept.write_bytes(kept.read_bytes()[:20])
        assert asked.chat(ASK).text == "fine"
        assert asked.chat(ASK).cached and len(fake.bodies) == 2


def test_the_same_request_is_never_under_way_twice(tmp_path: Path) -> None:
    with FakeEndpoint(misbehave=[slow(0.2)]) as fake, endpoint(fake, cache=tmp_path, workers=8) as asked:
        replies = list(asked.chat_many(Request(ASK) for _ in range(20)))
        assert {reply.text for reply in replies if not isinstance(reply, EndpointError)} == {"fine"}
        assert len(fake.bodies) == 1 and len(replies) == 20


_RUN = """
import sys
from pathlib import Path
from vimonet.llm.endpoint import Endpoint, Request, Settings, message
url, cache = sys.argv[1:]
with Endpoint(Settings(url, "m", cache=Path(cache), workers=3)) as asked:
    for reply in asked.chat_many(Request([message("user", f"question {i}")]) for i in range(30)):
        print(reply.text, flush=True)
"""


def test_a_killed_run_asks_nothing_twice(tmp_path: Path) -> None:
    """Killed twice without a chance to tidy up; every answer that had reached the disk is asked for once."""
    with FakeEndpoint(lambda body: body["messages"][0]["content"]) as fake:
        command = [sys.executable, "-c", _RUN, fake.url, str(tmp_path)]
        kept: set[str] = set()

        def kept_files() -> list[Path]:  # an answer counts once it has its name, not while it is being written
            return list(tmp_path.rglob("*.json"))

        def asked_since(start: int) -> list[str]:
            return [body["messages"][0]["content"] for body in fake.bodies[start:]]

        for stop in (5, 17):
            fake.troubles = [None] * (stop - len(kept)) + [slow(60)] * 3  # the next three hang: killed in mid-request
            before = len(fake.bodies)
            run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            deadline = time.monotonic() + 30
            while len(kept_files()) < stop and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            assert len(kept_files()) == stop
            assert not kept & set(asked_since(before))
            kept = {json.loads(path.read_text())["reply"]["text"] for path in kept_files()}
        fake.troubles = []
        before = len(fake.bodies)
        run_out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        assert run_out == [f"question {i}" for i in range(30)]
        assert sorted(asked_since(before)) == sorted(set(run_out) - kept)
    assert all(path.suffix == ".json" for path in files(tmp_path))


# ---------------------------------------------------------------- many at once


def test_many_keep_their_order_and_failures_stand_in_place() -> None:
    def answer(body: dict[str, Any]) -> str:
        text = body["messages"][1]["content"]
        return "no" if text == "q3" else json.dumps({"n": int(text[1:])})

    with FakeEndpoint(answer) as fake, endpoint(fake, workers=5, attempts=2) as asked:
        requests = [Request([message("user", f"q{i}")], NUMBER) for i in range(25)]
        out = list(asked.chat_many(requests))
        assert isinstance(out[3], EndpointError)
        assert [None if isinstance(r, EndpointError) else r.value["n"] for r in out] == [
            None if i == 3 else i for i in range(25)
        ]


def test_a_fatal_error_stops_the_run() -> None:
    with FakeEndpoint(misbehave=[None, None, *[status(401)] * 90]) as fake, endpoint(fake, workers=2) as asked:
        with pytest.raises(EndpointError, match="401"):
            list(asked.chat_many(Request([message("user", str(i))]) for i in range(90)))
        assert len(fake.bodies) < 20


# ---------------------------------------------------------------- rate limit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def _most_in_a_minute(times: list[float], weights: list[int]) -> int:
    return max(sum(w for t, w in zip(times, weights, strict=True) if start <= t < start + 59.999) for start in times)


def test_requests_per_minute() -> None:
    clock = Clock()
    limit = RateLimit(7, clock=lambda: clock.now, sleep=clock.sleep)
    times = []
    for _ in range(40):
        limit.acquire(1)
        times.append(clock.now)
        clock.now += 0.5
    assert _most_in_a_minute(times, [1] * 40) == 7
    assert clock.now < 6 * 60  # and no slower than it must be


def test_tokens_per_minute() -> None:
    clock = Clock()
    limit = RateLimit(None, 1000, clock=lambda: clock.now, sleep=clock.sleep)
    weights, times = [300, 300, 300, 300, 50, 900, 2000, 10], []
    for tokens in weights:
        limit.acquire(tokens)
        times.append(clock.now)
    # The one of 2,000 passes alone.
    assert _most_in_a_minute(times[:6], weights[:6]) <= 1000
    assert times[6] >= times[5] + 60 and times[7] >= times[6] + 60


def test_true_counts_replace_the_estimate() -> None:
    clock = Clock()
    limit = RateLimit(None, 1000, clock=lambda: clock.now, sleep=clock.sleep)
    for _ in range(10):
        limit.settle(limit.acquire(900), 10)
    limit.acquire(900)
    assert clock.now == 0.0
    limit.acquire(900)
    assert clock.now == 60.0


def test_the_endpoint_obeys_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured where requests are let go: when they arrive depends on the machine's load."""
    monkeypatch.setattr("vimonet.llm.endpoint.http._MINUTE", 0.4)
    with FakeEndpoint() as fake, endpoint(fake, requests_per_minute=3, workers=4) as asked:
        let_go: list[float] = []
        acquire = asked._limit.acquire

        def spy(tokens: int) -> list[float]:
            ticket = acquire(tokens)
            let_go.append(ticket[0])
            return ticket

        monkeypatch.setattr(asked._limit, "acquire", spy)
        list(asked.chat_many(Request([message("user", str(i))]) for i in range(9)))
        assert len(fake.bodies) == len(let_go) == 9
        let_go.sort()
        assert all(let_go[k + 3] - let_go[k] >= 0.4 - 1e-6 for k in range(6))


# ---------------------------------------------------------------- JSON out of text


@pytest.mark.parametrize(
    "text",
    [
        '{"n": 3}',
        '```json\n{"n": 3}\n```',
        'Sure! Here it is: {"n": 3} Anything else?',
        '<think>{"n": 9} or {</think>{"n": 3}',
        'The set {a} has {"n": 3}',
    ],
)
def test_json_is_found_among_words(text: str) -> None:
    assert parse(text, NUMBER) == ({"n": 3}, None)


@pytest.mark.parametrize("text", ["", "{", '{"n": NaN}', '{"n": 3, "m": 1}', "[" * 10_000, '{"a":' * 5000, "[3]"])
def test_what_is_no_such_json_is_refused(text: str) -> None:
    value, problem = parse(text, NUMBER)
    assert value is None and problem


MALFORMED = [
    {"choices": [{"message": "fine"}]},
    {"choices": [{"message": None}]},
    {"choices": [{"message": ["fine"]}]},
    {"choices": ["fine"]},
    {"choices": {}},
    {"choices": []},
    [],
    "fine",
    None,
    b"[" * 100_000,
    b'{"choices": [{"message": {"content": ' + b"9" * 5000 + b"}}]}",
    b"\xff\xfe\x00",
    b"",
]


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body)[:30])
def test_a_malformed_reply_is_an_endpoint_error(body: Any) -> None:
    def odd(handler: Any, _: Any) -> bool:
        handler.say(body)
        return True

    refused = pytest.raises(EndpointError, match="something that is no chat completion")
    with FakeEndpoint(misbehave=[odd] * 2) as fake, endpoint(fake, attempts=2) as client, refused:
        client.chat(ASK)


@pytest.mark.parametrize(
    "extra", [{"usage": []}, {"usage": {"prompt_tokens": -1, "completion_tokens": True}}, {"model": ["x" * 999]}]
)
def test_odd_parts_of_a_good_reply_do_no_harm(extra: dict[str, Any], tmp_path: Path) -> None:
    def odd(handler: Any, _: Any) -> bool:
        handler.say({"choices": [{"message": {"content": "ok \ud83d"}, "finish_reason": {}}], **extra})
        return True

    with FakeEndpoint(misbehave=[odd]) as fake, endpoint(fake, cache=tmp_path) as client:
        reply = client.chat(ASK)
    assert reply.text == "ok ?" and len(reply.model) <= 200
    assert reply.prompt_tokens >= 0


def _stream(handler: Any, chunk: bytes, every: float, most: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    for _ in range(most):
        handler.wfile.write(chunk)
        time.sleep(every)


def test_an_endless_body_ends_at_the_cap() -> None:
    def endless(handler: Any, _: Any) -> bool:
        _stream(handler, b" " * (1 << 20), 0.0, 1 << 20)
        return True

    with FakeEndpoint(misbehave=[endless]) as fake, endpoint(fake, timeout=60.0) as client:
        began = time.monotonic()
        with pytest.raises(EndpointError, match="more than 16 MB"):
            client.chat(ASK)
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_trickling_answer_ends_at_the_deadline(where: str) -> None:
    def trickle(handler: Any, _: Any) -> bool:
        if where == "headers":
            for letter in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500:
                handler.wfile.write(bytes([letter]))
                handler.wfile.flush()
                time.sleep(0.05)
        _stream(handler, b" ", 0.05, 500)
        return True

    said: list[str] = []
    with FakeEndpoint(misbehave=[trickle]) as fake:
        client = Endpoint(Settings(fake.url, "m", timeout=0.5, attempts=1), said.append)
        began = time.monotonic()
        with client, pytest.raises(EndpointError, match="no whole answer in time"):
            client.chat(ASK)
        assert 0.4 < time.monotonic() - began < 5


def test_a_compressed_answer_is_not_unpacked() -> None:
    def packed(handler: Any, _: Any) -> bool:
        handler.say(gzip.compress(b" " * (64 << 20)), headers={"Content-Encoding": "gzip"})
        return True

    with FakeEndpoint(misbehave=[packed]) as fake, endpoint(fake) as client:
        with pytest.raises(EndpointError, match="compressed"):
            client.chat(ASK)
        assert fake.headers[0]["Accept-Encoding"] == "identity"


def test_the_user_is_told_while_the_endpoint_lets_us_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    from vimonet.llm import endpoint as module

    said: list[str] = []
    monkeypatch.setattr(module, "_SILENT", 0.2)
    with FakeEndpoint(misbehave=[slow(0.7)]) as fake, Endpoint(Settings(fake.url, "m", timeout=5.0), said.append) as ep:
        ep.chat(ASK)
    assert said and said[0].startswith(f"{fake.url}: no answer after 0 s; waiting up to 5 s")
    said.clear()
    trouble = status(429, retry_after="7", text="busy \x1b[31m")
    with FakeEndpoint(misbehave=[trouble]) as fake, Endpoint(Settings(fake.url, "m"), said.append) as ep:
        monkeypatch.setattr(ep, "_sleep", lambda seconds: None)
        monkeypatch.setattr(ep._limit, "hold", lambda seconds: None)
        ep.chat(ASK)
    assert said == [f"{fake.url}: the endpoint answered 429: busy [31m; asking again in 7 s"]


def test_waits_that_a_service_asks_for_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    with FakeEndpoint(misbehave=[status(429, retry_after="250")] * 6) as fake, endpoint(fake) as client:
        monkeypatch.setattr(client, "_sleep", waits.append)
        monkeypatch.setattr(client._limit, "hold", lambda seconds: None)
        with pytest.raises(EndpointError, match=r"asks to wait 750 s \(3 attempts\)"):
            client.chat(ASK)
    assert [wait for wait in waits if wait] == [250.0, 250.0]


@pytest.mark.parametrize("text", ["{" * 3_000_000, "<think>" * 400_000, "</think>" * 400_000])
def test_a_hostile_answer_is_parsed_at_once(text: str) -> None:
    began = time.process_time()
    assert parse(text, NUMBER)[1] == "no JSON object in it"
    assert time.process_time() - began < 3
    assert parse('<think>{"n": 1}</think> so <think>{</think>{"n": 3}', NUMBER) == ({"n": 3}, None)
