"""The server as a process: clients share it without seeing each other, and it ends with every answer given."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from hostile_world import clip, question, server_process
from serve_world import wait_for

from vimonet.samples import sample_path

LEFT, RIGHT = (sample_path(name).read_bytes() for name in ("raise_left", "wave_right"))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    with server_process("places=4", "batch=2") as found:
        yield found


def post(address: str, path: str, body: dict) -> httpx2.Response:
    with httpx2.Client(base_url=address, timeout=60) as client:
        return client.post(path, json=body)


def places(address: str) -> float:
    """Places that are taken, by the metrics."""
    lines = httpx2.get(address + "/metrics", timeout=60).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("vimonet_places"))


def test_two_clients_never_see_each_others_recording(server: tuple[subprocess.Popen[str], str]) -> None:
    _, address = server

    def client(number: int) -> list[str]:
        recording, name = ((LEFT, "left"), (RIGHT, "right"))[number % 2]
        told = []
        while len(told) < 6:
            reply = post(address, "/v1/chat/completions", question(recording, "Which arm is raised?"))
            if reply.status_code == 429:
                time.sleep(0.05)
                continue
            assert reply.status_code == 200, reply.text
            told.append(reply.json()["choices"][0]["message"]["content"])
            facts = post(address, "/v1/motion/facts", clip(recording, f"{name}.bvh"))
            assert facts.status_code == 429 or facts.json()["name"] == f"{name}.bvh"
        return told

    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(client, range(4)))
    for number, told in enumerate(answers):
        side, other = (("left", "right"), ("right", "left"))[number % 2]
        assert all(side in answer and other not in answer for answer in told), told


def test_clients_that_leave_free_their_places(server: tuple[subprocess.Popen[str], str]) -> None:
    _, address = server
    host, port = address.removeprefix("http://").split(":")
    body = json.dumps(question(LEFT, "Describe the movement.")).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    wait_for(lambda: places(address) == 0, 10)
    for _ in range(3):
        # All four places: two that wait for an answer, two that never send their whole body.
        for sent in (body, body, body[:1000], body[:1000]):
            with socket.create_connection((host, int(port))) as gone:
                gone.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + sent)
                time.sleep(0.02)
        wait_for(lambda: places(address) == 0, 5)  # of a deadline of 60 s
    assert post(address, "/v1/chat/completions", question(LEFT)).status_code == 200


def test_past_the_queue_everybody_is_told_to_wait(server: tuple[subprocess.Popen[str], str]) -> None:
    _, address = server
    with ThreadPoolExecutor(24) as clients:
        replies = list(
            clients.map(lambda n: post(address, "/v1/chat/completions", question((LEFT, RIGHT)[n % 2])), range(24))
        )
    told = [reply.status_code for reply in replies]
    assert set(told) == {200, 429} and told.count(200) >= 4
    for reply in replies:
        if reply.status_code == 429:
            assert int(reply.headers["retry-after"]) >= 1 and "error" in reply.json()


def test_sigterm_answers_what_was_asked_and_ends(server: tuple[subprocess.Popen[str], str]) -> None:
    """The last test of this server."""
    process, address = server
    readers = [one for file in Path(f"/proc/{process.pid}/task").glob("*/children") for one in file.read_text().split()]
    assert len(readers) >= 2
    replies: list[httpx2.Response] = []
    asked = [
        threading.Thread(target=lambda: replies.append(post(address, "/v1/chat/completions", question(LEFT))))
        for _ in range(4)
    ]
    for one in asked:
        one.start()
    wait_for(lambda: places(address) >= 3 or len(replies) > 2, 10)
    process.send_signal(signal.SIGTERM)
    for one in asked:
        one.join()
    assert [reply.status_code for reply in replies] == [200] * 4
    assert process.wait(20) in (0, -signal.SIGTERM)
    wait_for(lambda: not any(os.path.exists(f"/proc/{reader}") for reader in readers), 5)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(address + "/healthz")
