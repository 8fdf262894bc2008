"""Two writers of one output: the second is told who writes, a dead writer's lock is taken over."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import vimonet
from vimonet.cli import main
from vimonet.motion.io.loading import path_of
from vimonet.utils.errors import InputError
from vimonet.utils.locks import Lock, only_writer, turn_of

HOLD = """
import os, sys, time
from vimonet.utils.locks import Lock
lock = Lock(sys.argv[1])
assert lock.take() is None
if "fork" in sys.argv and os.fork() == 0:
    os.write(1, b"child %d\\n" % os.getpid())
    os.close(1)
    time.sleep(60)
os.write(1, b"held\\n")
time.sleep(60)
"""


def holder(output: Path, *words: str) -> tuple[subprocess.Popen[str], list[str]]:
    command = [sys.executable, "-c", HOLD, str(output), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, sorted(process.stdout.readline().strip() for _ in range(1 + len(words)))


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    out = tmp_path / "captions.jsonl"
    process, _ = holder(out)
    try:
        with pytest.raises(InputError) as refused, only_writer(out):
            pytest.fail("two writers")
        assert f"captions.jsonl: process {process.pid} (" in str(refused.value)
        assert "is writing it; wait until it has ended, or give another output." in str(refused.value)
        assert (tmp_path / ".captions.jsonl.lock").exists()
    finally:
        process.kill()
        process.wait()
    with only_writer(out):
        assert json.loads((tmp_path / ".captions.jsonl.lock").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_taken_over_though_its_child_lives(tmp_path: Path) -> None:
    process, said = holder(tmp_path / "run", "fork")
    child = int(said[0].split()[1])
    try:
        assert Lock(tmp_path / "run").take() is not None
        process.kill()
        process.wait()
        with only_writer(tmp_path / "run"):
            assert Lock(tmp_path / "run").take() is not None
        assert list(tmp_path.iterdir()) == []
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_turn_of_a_shared_output_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with turn_of(tmp_path / "poses.npz") as waited:
        assert not waited
    process, _ = holder(tmp_path / "poses.npz")
    threading.Timer(0.5, process.kill).start()
    with turn_of(tmp_path / "poses.npz") as waited:
        assert waited
    process.wait()
    assert capsys.readouterr().err.startswith(f"vimonet: waiting for process {process.pid} (")


def test_a_lock_of_another_machine_is_never_taken_for_dead(tmp_path: Path) -> None:
    mine, other = Lock(tmp_path / "out"), Lock(tmp_path / "out")
    assert mine.take() is None
    file = tmp_path / ".out.lock"
    file.write_text(json.dumps({"pid": 2**22 + 7, "host": "elsewhere", "space": "", "command": "vimonet", "since": 0}))
    found = other.take()
    assert found is not None and not found.is_dead()
    assert str(found).startswith(f"process {2**22 + 7} on elsewhere (vimonet, since 19")
    file.write_text("{")
    assert str(other.take()) == "another process"


def test_a_folder_that_cannot_be_written_is_left_to_the_writer(tmp_path: Path) -> None:
    with only_writer(tmp_path / "no such folder" / "out"):
        pass


def taken(output: Path) -> Lock:
    lock = Lock(output)
    assert lock.take() is None
    return lock


def test_every_long_job_refuses_an_output_that_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("clips").mkdir()
    shutil.copy(path_of("sample:walk"), "clips/walk.bvh")
    jobs = {
        "out.jsonl": ["caption", "clips", "-o", "out.jsonl"],
        "clips.index": ["index", "clips", "-o", "clips.index"],
        "built": ["data", "build", "folder", "--root", str(tmp_path / "clips"), "-o", "built", "--workers", "0"],
    }
    for output, command in jobs.items():
        lock = taken(Path(output))
        assert main(command) == 2, command
        said = capsys.readouterr().err.splitlines()[-1]
        assert f"{output}: process {os.getpid()} (" in said and "is writing it; wait until it has ended, or" in said
        assert not [path for path in (tmp_path / output).glob("*")]
        lock.free()


def test_a_benchmark_refuses_a_folder_that_is_being_written(tmp_path: Path) -> None:
    from bench_world import Observer, make_items

    from vimonet.bench import Options, evaluate

    lock = taken(tmp_path / "bench")
    options = Options(out=tmp_path / "bench", controls=(), samples=10, evidence=False, progress=False)
    with pytest.raises(InputError, match=f"bench: process {os.getpid()} .* is writing it"):
        evaluate(Observer(), make_items(), options)
    lock.free()
    evaluate(Observer(), make_items(), options)


@pytest.mark.slow
def test_a_training_run_refuses_an_output_that_is_being_written(tmp_path: Path) -> None:
    from vimonet.training.config import make_config
    from vimonet.training.run_folder import Run

    config = make_config({}, [f"output={tmp_path / 'run'}"])
    first, second = Run(config, "pretrain-lm"), Run(config, "pretrain-lm")
    first.callbacks()
    with pytest.raises(InputError, match=f"run: process {os.getpid()} .* give another output"):
        second.callbacks()
    with pytest.raises(ZeroDivisionError):
        first.train(_Broken())
    second.callbacks()


class _Broken:
    def train(self, **_: object) -> None:
        raise ZeroDivisionError


def test_poses_are_estimated_once_by_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vimonet.motion import pose

    video = str(tmp_path / "clip.mp4")
    shutil.copy(Path(vimonet.__file__).parent / "samples" / "wave_right.mp4", video)
    monkeypatch.setenv("VIMONET_CACHE", str(tmp_path / "cache"))
    made: list[int] = []

    def slow(*_: object, **__: object) -> list[pose.Poses]:
        made.append(1)
        time.sleep(0.5)
        points, confidence = np.ones((4, 17, 2)), np.ones((4, 17))
        return [pose.Poses(points, confidence, 20.0, "coco17", (64, 64), 1, (), "fake", ())]

    monkeypatch.setattr(pose, "estimate_people", slow)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: pose.estimate_people_cached(video), range(2)))
    assert len(made) == 1 and len(found) == 2
    assert [file.suffix for file in (tmp_path / "cache" / "poses").iterdir()] == [".npz"]
