"""Places, batches, deadlines, clients who leave, and the end of the process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serve_world import chat, data_url, form, live, motion_part, sample, text, wait_for

from vimonet.inference.assistant import Assistant, load
from vimonet.serve.server_limits import ServerLimits, limits_table, read_limits
from vimonet.serve.uploads import Uploads
from vimonet.utils.errors import InputError

QUESTION = chat(text("Which way does the person turn?"))


class Gate:
    """A model that answers when it is let."""

    def __init__(self) -> None:
        self.open, self.batches = threading.Event(), []
        self.open.set()

    def load(self) -> Assistant:
        assistant = load("nano")
        answer = assistant.answer_windows

        def gated(asked, *, listeners=None, **options):
            if listeners is not None:  # not the warm-up
                self.batches.append(len(asked))
                while not self.open.wait(0.01):
                    if all(one.left() for group in listeners for one in group):
                        break
            return answer(asked, listeners=listeners, **options)

        assistant.answer_windows = gated
        return assistant


@pytest.fixture(scope="module")
def gate():
    return Gate()


@pytest.fixture(scope="module")
def server(gate):
    limits = read_limits(overrides=["places=6", "batch=4", "reading.readers=1", "body_mib=1"])
    with live(gate.load, limits=limits) as there:
        yield there


@pytest.fixture
def shut(gate):
    gate.open.clear()
    gate.batches.clear()
    yield gate
    gate.open.set()


def ask_raw(port, body):
    """Send a request and leave the connection open."""
    data = json.dumps(body).encode()
    there = socket.create_connection(("127.0.0.1", port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(data)}\r\n"
    there.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + data)
    return there


def test_past_the_places_429_and_nothing_lost(server, shut):
    with ThreadPoolExecutor(12) as threads:
        asked = [threads.submit(server.post, "/v1/chat/completions", QUESTION) for _ in range(12)]
        wait_for(lambda: sum(one.done() for one in asked) == 6)
        refused = [one.result() for one in asked if one.done()]
        shut.open.set()
        replies = [one.result() for one in asked]
    assert sorted(reply.status for reply in replies) == [200] * 6 + [429] * 6
    for reply in refused:
        assert 1 <= int(reply.headers["retry-after"]) <= 60 and reply.error["type"] == "rate_limit_error"
    assert len({r.json["choices"][0]["message"]["content"] for r in replies if r.status == 200}) == 1
    assert server.metric("vimonet_places_taken") == 0


def test_what_waits_is_answered_in_one_pass(server, shut):
    questions = ["Which way does the person turn?", "Is the person walking?", "Which hand is raised?", "What happens?"]
    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(server.post, "/v1/chat/completions", QUESTION)
        wait_for(lambda: shut.batches == [1])
        bodies = [chat(motion_part("turn_left"), text(question)) for question in questions]
        rest = [threads.submit(server.post, "/v1/chat/completions", body) for body in bodies]
        wait_for(lambda: server.metric("vimonet_questions_waiting") == 4)
        shut.open.set()
        replies = [one.result() for one in (first, *rest)]
    assert shut.batches == [1, 4]
    said = [reply.json["choices"][0]["message"]["content"] for reply in replies[1:]]
    alone = [server.post("/v1/chat/completions", body).json["choices"][0]["message"]["content"] for body in bodies]
    assert said == alone


def test_one_bad_question_does_not_harm_its_batch(server, shut):
    flat = {"type": "motion_url", "motion_url": {"url": data_url(sample("squats_coco17")), "name": "a.json"}}
    with ThreadPoolExecutor(4) as threads:
        threads.submit(server.post, "/v1/chat/completions", QUESTION)
        wait_for(lambda: shut.batches == [1])
        bad = threads.submit(server.post, "/v1/chat/completions", chat(text("<|motion|>")))
        good = threads.submit(server.post, "/v1/chat/completions", chat(flat, text("what is the person doing?")))
        wait_for(lambda: server.metric("vimonet_questions_waiting") == 2)
        shut.open.set()
        assert (bad.result().status, good.result().status) == (400, 200)
    assert "empty" in bad.result().error["message"]


def test_clients_at_the_same_time_get_their_own_recording(server):
    names = ["turn_left", "turn_right", "squats", "wave_right"]
    bodies = [chat(motion_part(name), text("Which way does the person turn?")) for name in names]
    alone = [server.post("/v1/chat/completions", body).json for body in bodies]
    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(lambda k: server.post("/v1/chat/completions", bodies[k % 4]).json, range(24)))
    for k, reply in enumerate(replies):
        assert [one["name"] for one in reply["vimonet"]["recordings"]] == [f"{names[k % 4]}.bvh"]
        assert reply["choices"][0]["message"] == alone[k % 4]["choices"][0]["message"]
        assert reply["vimonet"]["evidence"] == alone[k % 4]["vimonet"]["evidence"]


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_frees_the_place_within_a_second(server, shut, stream):
    running = ask_raw(server.port, {**QUESTION, "stream": stream})
    wait_for(lambda: shut.batches == [1])
    waiting = [ask_raw(server.port, {**QUESTION, "stream": stream}) for _ in range(3)]
    wait_for(lambda: server.metric("vimonet_questions_waiting") == 3)
    start = time.monotonic()
    for one in (*waiting, running):
        one.close()
    wait_for(lambda: server.metric("vimonet_places_taken") == 0)
    assert server.metric("vimonet_questions_waiting") == 0
    assert time.monotonic() - start < 1
    shut.open.set()
    assert server.post("/v1/chat/completions", QUESTION).status == 200


def test_a_deadline_is_kept(server, shut, monkeypatch):
    monkeypatch.setattr(server.app.state.server.limits, "deadline_seconds", 0.7)
    start = time.monotonic()
    reply = server.post("/v1/chat/completions", QUESTION)
    assert (reply.status, reply.error["code"]) == (504, "deadline_exceeded")
    assert 0.7 <= time.monotonic() - start < 2.5
    wait_for(lambda: server.metric("vimonet_places_taken") == 0)


def test_who_could_not_be_answered_in_time_is_refused_at_once(server, shut, monkeypatch):
    worker = server.app.state.server.worker
    wait_for(lambda: worker.wait() == 0)  # who left before is forgotten
    monkeypatch.setattr(worker, "_seconds_each", 100.0)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(server.post, "/v1/chat/completions", QUESTION)  # nothing waits: it is tried
        wait_for(lambda: shut.batches == [1])
        assert server.post("/v1/chat/completions", QUESTION).status == 429
        shut.open.set()
        assert first.result().status == 200
    worker._seconds_each = 0.0
    assert server.post("/v1/chat/completions", QUESTION).status == 200


def test_a_failure_of_ours_is_500_without_its_words(server, monkeypatch, gate):
    from vimonet.serve import chat_routes

    monkeypatch.setattr(chat_routes, "check_request", lambda *_: 1 / 0)
    reply = server.post("/v1/chat/completions", QUESTION)
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert b"ZeroDivision" not in reply.body and "content-security-policy" in reply.headers


def test_a_failing_pass_fails_its_questions_alone(gate, server, monkeypatch):
    worker = server.app.state.server.worker
    answer = worker.assistant.answer_windows
    monkeypatch.setattr(worker.assistant, "answer_windows", lambda *_, **__: 1 / 0)
    assert server.post("/v1/chat/completions", QUESTION).status == 500
    worker.assistant.answer_windows = answer
    assert server.post("/v1/chat/completions", QUESTION).status == 200


def test_large_bodies_are_refused(server):
    big = chat({"type": "input_motion", "input_motion": {"data": "A" * (2 << 20)}}, text("hi"))
    assert (reply := server.post("/v1/chat/completions", big)).status == 413
    assert reply.error["code"] == "request_too_large"
    many = {"model": "nano", "messages": [{"role": "user", "content": [text("a")] * 30_000}]}
    assert server.post("/v1/chat/completions", json.dumps(many).replace(" ", "").encode()).status == 413
    body, headers = form({}, b"x" * (2 << 20))
    assert server.post("/v1/files", body, headers).status == 413
    assert server.metric("vimonet_places_taken") == 0


def test_a_body_that_never_ends_gives_its_place_back():
    limits = read_limits(overrides=["body_seconds=0.5", "reading.readers=1"])
    with live(lambda: load("nano"), limits=limits) as there:
        slow = socket.create_connection(("127.0.0.1", there.port))
        slow.sendall(b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{")
        slow.settimeout(5)
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
        assert there.metric("vimonet_places_taken") == 0
        slow.close()


def test_uploads_are_bounded_and_expire():
    now = [1000.0]
    uploads = Uploads(read_limits(overrides=["files=2", "files_mib=1", "unused_seconds=60"]), lambda: now[0])
    first = uploads.add("a", "one", b"1", "user_data", None)
    uploads.add("a", "two", b"2", "user_data", 600)
    from vimonet.serve.server_errors import ApiError

    with pytest.raises(ApiError, match="as many files") as full:
        uploads.add("a", "three", b"3", "user_data", None)
    assert full.value.status == 429
    now[0] += 61
    assert [one.name for one in uploads.list("a")] == ["two"] and len({first.id}) == 1
    with pytest.raises(ApiError, match="as many files"):
        uploads.add("a", "big", b"3" * (1 << 20), "user_data", None)
    with pytest.raises(ApiError, match="may stay"):
        uploads.add("a", "long", b"3", "user_data", 1e6)


def test_limits_are_read_and_checked(tmp_path):
    (tmp_path / "limits.yaml").write_text("places: 5\nreading:\n  reading_seconds: 7\n")
    limits = read_limits(tmp_path / "limits.yaml", ["batch=2", "hosts=[a.example, b.example]"])
    assert (limits.places, limits.reading.reading_seconds, limits.batch) == (5, 7, 2)
    assert limits.hosts == ("a.example", "b.example") and limits.deadline_seconds == ServerLimits().deadline_seconds
    for override, words in (("place=1", "did you mean 'places'"), ("places=0", "at least 1"), ("places=x", "whole")):
        with pytest.raises(InputError, match=words):
            read_limits(overrides=[override])


@pytest.mark.slow
def test_sigterm_finishes_what_was_accepted():
    command = [sys.executable, "-m", "vimonet", "serve", "--model", "nano", "--port", "0", "reading.readers=1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        port = int(process.stderr.readline().split("//")[1].split("/")[0].rpartition(":")[2])
        there = __import__("serve_world").Live(port, None, None)
        wait_for(lambda: there.get("/readyz").status == 200)
        with ThreadPoolExecutor(8) as threads:
            body = chat(motion_part("walk_turn_wave"), text("describe the movement in a sentence"))
            asked = [threads.submit(there.post, "/v1/chat/completions", body) for _ in range(8)]
            wait_for(lambda: there.metric("vimonet_places_taken") == 8 or any(one.done() for one in asked))
            process.send_signal(signal.SIGTERM)
            assert [one.result().status for one in asked] == [200] * 8
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.stderr.close()
    assert Path("/proc").is_dir() is False or not os.path.exists(f"/proc/{process.pid}")


def test_the_docs_list_every_limit():
    docs = Path(__file__).parents[2] / "docs" / "serve.md"
    assert limits_table() in docs.read_text("utf-8"), (
        "write the table of 'vimonet serve --list-limits' into docs/serve.md"
    )
