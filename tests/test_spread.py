"""Work over many recordings: in one process and by Ray the same outcomes, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vimonet.cli import main
from vimonet.inference.parallel import Work, in_process, on_ray
from vimonet.utils.errors import InputError


def counting(log: Path | None = None, deadly: str = "", deaths: int = 0) -> Work:
    """Work that notes in `log` whom it was asked about, and dies `deaths` times of the name `deadly`."""

    def work(name: str) -> dict[str, Any]:
        if name == deadly and log is not None:
            died = log.with_name("died")
            if (so_far := died.stat().st_size if died.exists() else 0) < deaths:
                died.write_text("+" * (so_far + 1))
                os.kill(os.getpid(), signal.SIGKILL)
        if log is not None:
            with log.open("a") as stream:
                stream.write(f"{name}\n")
        if name.startswith("bad"):
            raise InputError(f"{name}: not a recording.")
        return {"name": name, "length": len(name)}

    return work


def unmade() -> Work:
    raise InputError("model: it is damaged.")


def plain(outcomes: Iterator[Any]) -> list[Any]:
    return [str(outcome) if isinstance(outcome, InputError) else outcome for outcome in outcomes]


def test_in_one_process_work_is_made_when_the_first_is_due() -> None:
    made = []

    def make() -> Work:
        made.append(1)
        return counting()

    assert plain(in_process(make, [])) == [] and made == []
    assert plain(in_process(make, ["a", "bad", "c"])) == [
        {"name": "a", "length": 1},
        "bad: not a recording.",
        {"name": "c", "length": 1},
    ]
    assert made == [1]
    with pytest.raises(InputError, match="damaged"):
        next(in_process(unmade, ["a"]))


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for key in [key for key in os.environ if key.startswith("RAY_")]:
        monkeypatch.delenv(key)
    with pytest.raises(InputError, match="needs Ray; install it with"):
        next(on_ray(counting, ["a"]))


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """One local Ray for the tests below: starting it takes most of their time."""
    if not find_spec("ray"):  # importing it here would be before its settings are made
        pytest.skip("the extra 'ray' is not installed")
    from vimonet.inference import parallel

    with parallel._ray() as ray:
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        assert not ray.init(ignore_reinit_error=True).dashboard_url
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test
        yield ray
        assert workers("raylet")
    assert not ray.is_initialized() and not workers("raylet") and not workers()


def workers(kind: str = "ray::MapWorker") -> list[int]:
    """Processes that descend from this one and work for Ray."""
    import psutil

    below = psutil.Process().children(recursive=True)
    return [each.pid for each in below if each.is_running() and any(kind in word for word in each.cmdline()[:1])]


@pytest.mark.slow
def test_the_same_by_ray_though_a_worker_dies(ray: Any, tmp_path: Path) -> None:
    names = [f"{'bad' if number % 7 == 3 else 'clip'}{number}" for number in range(40)]
    log = tmp_path / "log"
    found = plain(on_ray(partial(counting, log, "clip20", 1), names, workers=2))
    assert found == plain(in_process(counting, names))
    assert (tmp_path / "died").read_text() == "+"
    assert set(log.read_text().split()) == set(names)


@pytest.mark.slow
def test_a_recording_that_kills_its_workers_ends_the_run(
    ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vimonet.inference.parallel._RETRIES", 1)
    outcomes = on_ray(partial(counting, tmp_path / "log", "clip1", 99), ["clip1"], workers=1)
    with pytest.raises(InputError, match="keep dying at or after clip1"):
        list(outcomes)
    assert (tmp_path / "died").read_text() == "++"
    assert capfd.readouterr() == ("", "")  # Ray has much to say about it, on standard output even


def test_work_that_cannot_be_made_is_told_once(ray: Any) -> None:
    with pytest.raises(InputError, match=r"^model: it is damaged\.$"):
        list(on_ray(unmade, ["a", "b"], workers=1))


def test_a_worker_that_cannot_start_is_told(ray: Any) -> None:
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    try:
        with pytest.raises(InputError, match=r"a worker cannot start .*No module named 'test_spread'"):
            list(on_ray(counting, ["a"], workers=1))
    finally:
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


def test_workers_are_counted_from_one() -> None:
    with pytest.raises(InputError, match="workers is 0"):
        next(on_ray(counting, ["a"], workers=0))


# --- vimonet caption --ray ---


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a tiny model and recordings, one of them none."""
    from tiny import tiny_model, tiny_motion

    model, processor = tiny_model()
    model.save_pretrained(tmp_path / "tiny")
    processor.save_pretrained(tmp_path / "tiny")
    (tmp_path / "clips").mkdir()
    for number in range(24):
        np.save(tmp_path / f"clips/{number:02}.npy", tiny_motion(30 + number, seed=number).joints)
    (tmp_path / "clips/05.npy").write_text("nothing")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIMONET_MODEL", "tiny")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.slow
def test_caption_goes_on_by_ray_and_outlives_a_worker(
    ray: Any, library: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    address = (library / "clips").as_uri()
    assert main(["caption", address, "-o", "one.jsonl"]) == 2
    told = capfd.readouterr()
    assert told.out == "" and told.err.count(f"{address}/05.npy") == 1  # at the end
    whole = Path("one.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 23

    begun = b"".join(lines[:3]) + lines[3][:20]  # torn by a kill
    Path("ray.jsonl").write_bytes(begun)
    killed: list[int] = []

    def kill() -> None:
        while not killed and not stop.wait(0.005):
            if Path("ray.jsonl").read_bytes().count(b"\n") > 4:
                killed.append(max(workers()))
                os.kill(killed[0], signal.SIGKILL)

    stop = threading.Event()
    murderer = threading.Thread(target=kill)
    murderer.start()
    try:
        assert main(["caption", address, "-o", "ray.jsonl", "--ray", "--workers", "1"]) == 2
    finally:
        stop.set()
        murderer.join()
    assert killed and capfd.readouterr() == told
    assert Path("ray.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    ("options", "words"), [(["-", "--ray"], "standard input"), (["a.npy", "--workers", "2"], "--ray")]
)
def test_options_that_do_not_go_together(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["caption", *options]) == 2
    assert words in capsys.readouterr().err
