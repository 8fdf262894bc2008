"""The server as a process: clients share it without seeing each other, and its readers end with it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from hostile_world import clip, question, server_process
from serve_world import wait_for

from vimonet.samples import sample_path

pytestmark = pytest.mark.slow  # a server starts
LEFT, RIGHT = (sample_path(name).read_bytes() for name in ("raise_left", "wave_right"))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    with server_process("places=4", "batch=2") as found:
        yield found


def post(address: str, path: str, body: dict) -> httpx2.Response:
    with httpx2.Client(base_url=address, timeout=60) as client:
        return client.post(path, json=body)


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


def test_readers_end_with_the_server_that_is_killed(server: tuple[subprocess.Popen[str], str]) -> None:
    """The last test of this server."""
    process, _ = server
    readers = [one for file in Path(f"/proc/{process.pid}/task").glob("*/children") for one in file.read_text().split()]
    assert len(readers) >= 2
    process.kill()
    wait_for(lambda: not any(os.path.exists(f"/proc/{reader}") for reader in readers), 10)
