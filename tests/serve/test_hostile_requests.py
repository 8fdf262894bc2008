"""What a client may send to harm a server, or by mistake: a 4xx in a sentence, and the next client gets its answer."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile_world import BROKEN_READERS, WALK, base64_of, clip, gif_of, question
from serve_world import Live, form, live

from vimonet.inference.assistant import load as load_model
from vimonet.motion import load
from vimonet.serve import reading_process
from vimonet.serve.server_limits import ServerLimits

SHARED = Path(__file__).parents[3] / "shared"
ALL = os.environ.get("VIMONET_ALL_INPUTS") == "1"
"""Whether every input is posted, not every fifth: VIMONET_ALL_INPUTS=1 pytest tests/serve/test_hostile_requests.py."""


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    """A server with low limits, whose readers hang, swell or crash when they are told to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading_process, "_CHILD", BROKEN_READERS)
        reading = reading_process.ReadingLimits(reading_seconds=2, unpacked_mib=8, recording_seconds=60.0)
        limits = ServerLimits(body_mib=2, json_values=2000, reading=reading)
        with live(lambda: load_model("nano"), limits=limits) as there:
            yield there


def refused(server: Live, body: dict, status: int = 400) -> str:
    """The sentence with which a request is refused; the server answers the next one."""
    reply = server.post("/v1/motion/facts", body)
    assert reply.status == status, reply.body
    assert server.post("/v1/motion/facts", clip(WALK)).status == 200
    return str(reply.error["message"])


def test_a_body_without_a_length_is_counted_as_it_comes(server: Live) -> None:
    reply = server.post("/v1/motion/facts", iter([bytes(1 << 20)] * 3))
    assert reply.status == 413 and "2 MiB" in reply.error["message"]


def test_json_has_limits_of_size_and_depth(server: Live) -> None:
    assert "2000 values" in refused(server, {"motion": [0] * 2001}, 413)
    for text in (
        "[" * 1500,
        '{"motion":' * 600,
        '{"motion": NaN}',
        '{"motion": 1e999}',
        "\ud800".encode("utf-8", "surrogatepass"),
    ):
        reply = server.post("/v1/motion/facts", text, {"content-type": "application/json"})
        assert 400 <= reply.status < 500, text


def test_a_bomb_is_refused_by_what_it_says_of_itself(server: Live) -> None:
    np.savez_compressed(bomb := io.BytesIO(), joints=np.zeros((20_000, 22, 3)))
    assert "unpacked it holds 10 MiB" in refused(server, clip(bomb.getvalue(), "bomb.npz"))


def test_pictures_and_durations_have_limits(server: Live) -> None:
    assert "16000x16000 pixels" in refused(server, clip(gif_of(16_000), "large.gif"))
    np.save(long := io.BytesIO(), np.repeat(load(WALK).joints[:1], 1300, axis=0))
    assert "lasts 65 s" in refused(server, clip(long.getvalue(), "long.npy", fps=20))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hang", "longer than the 2 s"),
        (b"spin", "longer than the 2 s"),
        (b"swell", "more memory"),
        (b"crash", "ended the process"),
        (b"lie", "nothing usable"),
    ],
)
def test_a_reader_that_fails_costs_its_client_alone(server: Live, data: bytes, said: str) -> None:
    assert said in refused(server, clip(data))


def test_a_reader_that_is_killed_is_replaced(server: Live) -> None:
    process = server.app.state.server.reading._process  # type: ignore[attr-defined]
    for _ in range(2):
        for child in list(process._ready):
            os.kill(child._process.pid, signal.SIGKILL)
        assert server.post("/v1/chat/completions", question(WALK)).status == 200


def test_nothing_of_this_machine_is_opened(server: Live, tmp_path: Path) -> None:
    (tmp_path / "secret.bvh").write_bytes(WALK)
    path = str(tmp_path / "secret.bvh")
    addresses = (path, f"file://{path}", "sample:walk", "s3://bucket/walk.bvh", "http://127.0.0.1:9/x", "-", "../x.bvh")
    for address in addresses:
        for source in ({"url": address}, {"data": address}, {"file_id": address}):
            reply = server.post("/v1/motion/facts", {"motion": source})
            assert 400 <= reply.status < 500, source
        # A name is a name: the recording is the bytes.
        assert server.post("/v1/motion/facts", clip(WALK, address)).status == 200
        reply = server.post("/v1/motion/facts", clip(b"no recording", address))
        assert reply.status == 400 and str(tmp_path) not in reply.error["message"]
    joints = {"motion": {"data": base64_of(WALK), "joint_map": path}}
    assert server.post("/v1/motion/facts", joints).status == 400


def inputs() -> list[Path]:
    found = [
        file
        for folder in ("fuzz", "cases")
        for file in sorted((SHARED / folder).rglob("*"))
        if file.is_file() and file.suffix not in (".txt", ".md")
    ]
    return found if ALL else found[::5]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the inputs of other issues are not here")
def test_damaged_and_unusual_recordings_never_give_a_500(server: Live) -> None:
    slowest = 0.0
    for file in inputs():
        data = file.read_bytes()
        start = time.monotonic()
        for reply in (
            server.post("/v1/motion/facts", clip(data, file.name)),
            server.post("/v1/motion/caption", *form({}, data, file.name)),
        ):
            assert reply.status in (200, 400, 413), (file.name, reply.status, reply.body[:300])
            if reply.status != 200:
                told = reply.error["message"]
                assert told.isprintable() and len(told) <= 1000, file.name
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 20
    assert server.get("/healthz").status == 200
