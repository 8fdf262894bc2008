from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import vimos_world
from vimos_world import MadeBuilder, finish, record, tree

import vimonet
from vimonet.utils.errors import InputError
from vimonet.vimos.dataset_writer import Attached, Shard, build, chunk
from vimonet.vimos.reading import read_records, splits_of


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "made"
    return finish(folder, MadeBuilder())


def test_counts_skipped_and_order(whole):
    assert whole.rows == {"test": 5, "train": 21}
    assert len(whole.skipped) == 4 and whole.skipped[0].reason == "not readable."
    assert {name: len(paths) for name, paths in splits_of(whole.folder).items()} == {"test": 2, "train": 6}
    names = [r.id for r in read_records(whole.folder, "train")]
    assert names == sorted(names) and len(set(names)) == 21


def test_workers_give_the_same_bytes_as_none(whole, tmp_path):
    finish(tmp_path / "made", MadeBuilder(), workers=2)
    assert tree(tmp_path / "made") == tree(whole.folder)


@pytest.mark.slow
def test_ten_random_kills_resume_to_the_same_bytes(whole, tmp_path):
    out, rng = tmp_path / "made", random.Random(5)
    environment = {**os.environ, "PYTHONPATH": str(Path(vimonet.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    killed, seen = 0, set()
    for attempt in range(10):
        processes = int(attempt in (3, 7))  # a worker needs its own imports, so most of the kills go without
        command = [sys.executable, vimos_world.__file__, str(out), str(processes), "0.05"]
        process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"  # imports are done, the build begins
        # Some kills wait for a further shard, so that a slow machine is not always killed before it has done anything.
        target = len(list(out.glob("*/*.parquet"))) + rng.choice((0, 1, 1))
        while process.poll() is None and len(list(out.glob("*/*.parquet"))) < target:
            time.sleep(0.002)
        try:
            process.wait(timeout=rng.uniform(0.0, 0.3))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
            process.wait()
        process.stdout.close()
        seen.add(len(list(out.glob("*/*.parquet"))))
    assert killed >= 5 and len(seen) > 2  # else nothing was interrupted, or nothing was ever continued
    finish(out, MadeBuilder())
    assert tree(out) == tree(whole.folder)


def test_a_killed_copy_leaves_parts_that_the_next_build_clears(whole, tmp_path):
    out = tmp_path / "made"
    finish(out, MadeBuilder())
    (out / "train" / "00002.parquet").unlink()
    (out / "train" / "00002.parquet.77.part").write_bytes(b"PAR1 torn")
    finish(out, MadeBuilder())
    assert tree(out) == tree(whole.folder)


def test_death_before_the_first_file_had_its_name(whole, tmp_path):
    out = tmp_path / "made"
    out.mkdir()
    (out / "build.json.part").write_text("{")
    finish(out, MadeBuilder())
    assert tree(out) == tree(whole.folder)


def test_other_settings_are_refused_and_overwritten_when_asked(tmp_path):
    build(MadeBuilder(train=8), tmp_path / "d", workers=0, progress=False)
    with pytest.raises(InputError, match="other settings"):
        build(MadeBuilder(train=4), tmp_path / "d", workers=0, progress=False)
    result = build(MadeBuilder(train=4), tmp_path / "d", workers=0, overwrite=True, progress=False)
    assert result.rows["train"] == 3 and len(list((tmp_path / "d" / "train").iterdir())) == 1


def test_a_folder_of_something_else_is_never_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="this folder holds other files"):
            build(MadeBuilder(), tmp_path, workers=0, overwrite=overwrite, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


class _Films(MadeBuilder):
    def shards(self):
        return [Shard("train", 0, (0, 1))]

    def records(self, shard):
        for index in shard.keys:
            yield Attached(str(Path(__file__)), f"video/{index}.mp4")
            yield replace(record(index), video=f"video/{index}.mp4")


def test_attached_files_come_along(tmp_path):
    build(_Films(), tmp_path / "d", workers=0, progress=False)
    assert (tmp_path / "d" / "video" / "1.mp4").read_bytes() == Path(__file__).read_bytes()
    assert not list((tmp_path / "d").rglob("*.part"))


class _Nothing(MadeBuilder):
    def records(self, shard):
        from vimonet.vimos.dataset_writer import Skipped

        yield Skipped("a.bvh", "broken.")


def test_nothing_usable_leaves_nothing_behind(tmp_path):
    with pytest.raises(InputError, match=r"a\.bvh: broken"):
        build(_Nothing(), tmp_path / "d", workers=0, progress=False)
    assert not (tmp_path / "d").exists()


def test_chunks_hold_every_key_once():
    shards = chunk("train", range(10), 4)
    assert [s.keys for s in shards] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]
    assert [s.path for s in shards] == [f"train/0000{n}.parquet" for n in range(3)]


def test_row_groups_are_small_enough_to_stream(whole):
    for paths in splits_of(whole.folder).values():
        for path in paths:
            file = pq.ParquetFile(path)
            assert all(file.metadata.row_group(i).num_rows <= 64 for i in range(file.num_row_groups))


SLOW = """
import os, time
from dataclasses import dataclass
from pathlib import Path
from vimonet.vimos.builders import option, register
from vimonet.vimos.dataset_writer import Skipped, chunk

@register("slow", "waits")
@dataclass(frozen=True)
class Slow:
    seed: int = option("seed", 0, "N")
    name = "slow"

    def settings(self):
        return {"builder": "slow"}

    def shards(self):
        return chunk("train", range(40), 1)

    def records(self, shard):
        Path(f"worker-{os.getpid()}").touch()
        time.sleep(0.5)
        yield Skipped("x", "waits")

    def describe(self):
        return ""
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_build_that_is_stopped_takes_its_workers_along(how, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": str(Path(vimonet.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "vimonet", "data", "build", "slow.py", "-o", "out"]
    # A shell that runs the tests in its background has Ctrl-C ignored in every process.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    while process.poll() is None and len(list(tmp_path.glob("out/train/*.parquet"))) < 2:
        time.sleep(0.05)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in said
    workers = [int(path.name.rpartition("-")[2]) for path in tmp_path.glob("worker-*")]
    assert workers
    end = time.monotonic() + 20
    while time.monotonic() < end and any(map(is_running, workers)):
        time.sleep(0.1)
    assert not any(map(is_running, workers))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
