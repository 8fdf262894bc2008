"""Reading in a process of its own: the same motion as in this one, and nothing a recording does ends the server."""

from __future__ import annotations

import gc
import io
import os
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile_world import BROKEN_READERS, WALK, gif_of

from vimonet.motion import load
from vimonet.samples import sample_path
from vimonet.serve.reading_process import ReadingBusyError, ReadingLimits, ReadingProcess
from vimonet.utils.errors import InputError


@pytest.fixture(scope="module")
def reading() -> Iterator[ReadingProcess]:
    """Two processes and a spare, whose readers hang, swell or crash when they are told to."""
    with ReadingProcess(
        ReadingLimits(reading_seconds=2, recording_seconds=60.0, unpacked_mib=8), command=BROKEN_READERS
    ) as found:
        found.read("warm.bvh", WALK)
        yield found


def npz(**arrays: np.ndarray) -> bytes:
    np.savez_compressed(stream := io.BytesIO(), **arrays)
    return stream.getvalue()


def test_a_recording_comes_back_as_it_is_read_here(reading: ReadingProcess) -> None:
    for sample in ("walk", "squats_coco17"):
        data = sample_path(sample).read_bytes()
        here, there = load(data, name="a client's"), reading.read("a client's", data)
        np.testing.assert_array_equal(here.joints, there.joints)
        np.testing.assert_array_equal(here.seen, there.seen)
        for key in ("name", "fps", "source", "source_fps", "dimensions", "notes"):
            assert getattr(here, key) == getattr(there, key), key
    assert reading.read("fast", WALK, fps=240).frames < load(WALK).frames


def test_a_name_opens_no_file(reading: ReadingProcess) -> None:
    for name in ("sample:walk", str(sample_path("walk")), "s3://bucket/walk.bvh", "-"):
        with pytest.raises(InputError):
            reading.read(name, b"nothing")


def test_what_is_wrong_is_said_as_on_the_command_line(reading: ReadingProcess) -> None:
    with pytest.raises(InputError) as here:
        load(WALK[:400], name="cut.bvh")
    with pytest.raises(InputError) as there:
        reading.read("cut.bvh", WALK[:400])
    assert str(here.value) == str(there.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hang", "longer than the 2 s"),
        (b"spin", "longer than the 2 s"),
        (b"swell", "more memory"),
        (b"crash", "ended the process"),
        (b"lie", "nothing usable"),
        (b"write", "cannot be read"),
    ],
)
def test_a_reader_that_fails_costs_one_request(reading: ReadingProcess, data: bytes, said: str) -> None:
    begun = time.monotonic()
    with pytest.raises(InputError, match=said) as error:
        reading.read("x.bvh", data)
    assert str(error.value).startswith("x.bvh: ") and time.monotonic() - begun < 8
    ready = [child._process.pid for child in reading._ready]
    assert reading.read("next.bvh", WALK).frames > 0
    assert reading._ready[0]._process.pid in ready  # the spare read it: nobody waited for a new process


def test_what_a_library_prints_is_no_reply(reading: ReadingProcess) -> None:
    assert reading.read("x.bvh", b"shout").frames == load(WALK).frames


def test_a_process_killed_while_it_is_idle_or_at_work_is_replaced(reading: ReadingProcess) -> None:
    for child in list(reading._ready):
        os.kill(child._process.pid, signal.SIGKILL)
    assert reading.read("idle.bvh", WALK).frames > 0
    at_work = reading._ready[0]._process.pid
    told = threading.Timer(0.3, os.kill, (at_work, signal.SIGKILL))
    told.start()
    with pytest.raises(InputError, match="longer than"):  # read again by another, which hangs as well
        reading.read("x.bvh", b"hang")
    assert len(reading._ready) == 3


def test_a_client_that_leaves_ends_the_reading(reading: ReadingProcess) -> None:
    begun = time.monotonic()
    with pytest.raises(InputError, match="left"):
        reading.read("x.bvh", b"hang", left=lambda: time.monotonic() - begun > 0.3)
    assert time.monotonic() - begun < 1.3


def test_archives_and_pictures_are_refused_by_what_they_say_of_themselves(reading: ReadingProcess) -> None:
    bomb = npz(joints=np.zeros((20_000, 22, 3)))
    assert len(bomb) < 100_000
    with pytest.raises(InputError, match="unpacked it holds 10 MiB; this server reads up to 8 MiB"):
        reading.read("bomb.npz", bomb)
    with zipfile.ZipFile(many := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(12):
            archive.writestr(f"{number}.npy", bytes(1 << 20))
    with pytest.raises(InputError, match="unpacked it holds 12 MiB"):
        reading.read("many.npz", many.getvalue())
    from PIL import Image

    Image.new("L", (6000, 6000)).save(large := io.BytesIO(), "PNG")
    with pytest.raises(InputError, match="6000x6000 pixels; this server reads up to 8"):
        reading.frames("large.png", large.getvalue())
    begun = time.monotonic()
    for read in (reading.read, reading.frames):
        with pytest.raises(InputError, match="16000x16000 pixels"):
            read("large.gif", gif_of(16_000))
    assert time.monotonic() - begun < 1.5  # nothing is decoded
    Image.new("RGB", (64, 48), (200, 10, 10)).save(small := io.BytesIO(), "PNG")
    frames = reading.frames("small.png", small.getvalue())
    assert frames.images.shape == (1, 48, 64, 3) and tuple(frames.images[0, 0, 0]) == (200, 10, 10)


def test_a_recording_may_last_only_so_long(reading: ReadingProcess) -> None:
    joints = np.repeat(load(WALK).joints[:1], 1300, axis=0)
    np.save(stream := io.BytesIO(), joints)
    with pytest.raises(InputError, match="it lasts 65 s; this server reads up to 60 s"):
        reading.read("long.npy", stream.getvalue(), fps=20)


def test_frames_of_a_video_are_those_that_are_read_here(reading: ReadingProcess) -> None:
    from vimonet import video

    data = sample_path("wave_right.mp4").read_bytes()
    here, there = video.read(data, 4), reading.frames("w.mp4", data, count=4)
    np.testing.assert_array_equal(here.images, there.images)
    np.testing.assert_array_equal(here.times, there.times)
    assert there.name == "w.mp4" and there.info is not None and there.info.size == here.info.size  # type: ignore[union-attr]


def test_secrets_of_the_server_do_not_reach_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIMONET_API_KEY", "secret-of-the-server")
    with ReadingProcess(ReadingLimits(readers=1)) as one:
        one.read("walk.bvh", WALK)
        child = one._ready[0]._process.pid
        assert b"secret-of-the-server" not in Path(f"/proc/{child}/environ").read_bytes()


def test_more_recordings_than_processes_wait_and_are_then_told_so() -> None:
    with ReadingProcess(ReadingLimits(readers=1, reading_seconds=1), command=BROKEN_READERS) as one:
        one.read("warm.bvh", WALK)
        one._free.acquire()
        with pytest.raises(ReadingBusyError):
            one.read("x.bvh", WALK)
        one._free.release()
    with pytest.raises(ReadingBusyError):
        one.read("x.bvh", WALK)  # closed


def test_readings_leave_nothing_open() -> None:
    gc.collect()  # what earlier tests left to the collector is not counted
    with ReadingProcess(ReadingLimits(readers=1, readings=5)) as one:
        counts = []
        for _ in range(12):
            one.read("walk.bvh", WALK)
            counts.append((len(os.listdir("/proc/self/fd")), threading.active_count()))
        assert counts[-1] == counts[0]
