"""Readers that misbehave when a recording tells them to, and a server as a process of its own."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from serve_world import wait_for

from vimonet.samples import sample_path

WALK = sample_path("walk").read_bytes()
BROKEN_READERS = (
    sys.executable,
    "-P",
    "-c",
    """
import os, signal, sys, time
from vimonet.motion import load as real
from vimonet.samples import sample_path
import vimonet.serve.reading_child as child

def load(data, name, **options):
    if data == b"hang":
        time.sleep(600)
    if data == b"spin":
        while True:
            pass
    if data == b"swell":
        return bytearray(8 << 30)
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if data == b"shout":
        print("not a reply"), sys.stdout.flush()
        os.write(1, b"nor this")
    if data == b"write":
        import tempfile
        with tempfile.TemporaryFile(buffering=0) as file:
            file.write(b"x")
    if data == b"lie":
        child.array_bytes = lambda array: b"no array at all"
    walk = sample_path("walk").read_bytes()
    return real(walk if data in (b"shout", b"lie") else data, name=name, **options)

child.load = load
sys.exit(child.main())
""",
)
"""Command of a process that reads as usual, but for recordings of one word."""


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def clip(data: bytes, name: str = "x.bvh", **options: Any) -> dict[str, Any]:
    """Body of a request about one recording."""
    return {"motion": {"data": base64_of(data), "name": name, **options}}


def question(data: bytes, text: str = "Which arm is raised?", **options: Any) -> dict[str, Any]:
    """Body of a chat about one recording."""
    part = {"type": "input_motion", "input_motion": {"data": base64_of(data), "name": "x.bvh"}}
    return {
        "model": "nano",
        "messages": [{"role": "user", "content": [part, {"type": "text", "text": text}]}],
        **options,
    }


def gif_of(side: int) -> bytes:
    """A GIF of a few bytes whose header says that it measures `side` x `side` pixels."""
    from PIL import Image

    Image.new("L", (1, 1)).save(written := io.BytesIO(), "GIF")
    gif = bytearray(written.getvalue())
    picture = gif.index(b",") + 5
    gif[6:10] = gif[picture : picture + 4] = side.to_bytes(2, "little") * 2
    return bytes(gif)


@contextlib.contextmanager
def server_process(*limits: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `vimonet serve` as a process of its own on a free port; yield it and its address."""
    import httpx2

    command = [sys.executable, "-m", "vimonet", "serve", "-m", "nano", "--port", "0", *limits]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", first)
        assert found, first
        wait_for(lambda: httpx2.get(found[0] + "/readyz", timeout=60).status_code == 200, 120)
        yield process, found[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
