"""Recordings by name: folders and addresses are listed alike, and read alike."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from video_clips import make

import vimonet.motion.pose as estimation
from vimonet import Answer
from vimonet.cli import main
from vimonet.motion import Motion, load
from vimonet.motion.io import pipes
from vimonet.motion.io.addresses import is_address
from vimonet.motion.io.loading import find_recordings, list_recordings, load_recording
from vimonet.motion.pose import Person
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of recordings with names that an address must quote, one folder of a JSON per frame, and other files."""
    folder = tmp_path / "a library"
    (folder / "deep/per frame").mkdir(parents=True)
    shutil.copy(sample_path("walk"), folder / "walk #1 (50%).bvh")
    shutil.copy(sample_path("wave_right"), folder / "deep")
    (folder / "notes.txt").write_text("none")
    for number in range(12):
        points = [value for joint in range(25) for value in (300 + 5 * joint, 400 + 9 * joint + number, 0.9)]
        frame = {"people": [{"pose_keypoints_2d": points}]}
        (folder / f"deep/per frame/{number:04}_keypoints.json").write_text(json.dumps(frame))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_folder_and_its_address_hold_the_same(library: Path) -> None:
    here = find_recordings(["a library"])
    assert here == ["a library/deep/per frame", "a library/deep/wave_right.bvh", "a library/walk #1 (50%).bvh"]
    there = find_recordings([library.as_uri()])
    root = library.as_uri()
    assert there == [f"{root}/deep/per%20frame", f"{root}/deep/wave_right.bvh", f"{root}/walk%20%231%20%2850%25%29.bvh"]
    assert find_recordings([f"{root}/", *there]) == there  # found once, and what was found is found again
    for path, address in zip(here, there, strict=True):
        left, right = load_recording(path), load_recording(address)
        np.testing.assert_array_equal(left.joints, right.joints)
        assert left.name == right.name


def test_what_is_named_like_a_recording_and_is_none_is_listed_and_told(
    library: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (library / "empty.bvh").mkdir()
    (library / "lost.bvh").symlink_to("nowhere.bvh")
    os.mkfifo(library / "pipe.bvh")  # opened as a file, it would wait for a writer for ever
    monkeypatch.setattr(pipes, "PIPE_OPEN", 0)
    shutil.copy(sample_path("walk"), library / "two\nlines.bvh")
    (library / "cut.bvh").write_text("HIERARCHY")
    found = list_recordings(library).recordings
    assert {"empty.bvh", "lost.bvh", "pipe.bvh", "two\nlines.bvh"} < set(found)
    assert main(["inspect", "a library", "--json"]) == 2
    out, err = capsys.readouterr()
    assert {json.loads(line)["file"] for line in out.splitlines()} == {
        f"a library/{name}" for name in ("deep/per frame", "deep/wave_right.bvh", "two\nlines.bvh", "walk #1 (50%).bvh")
    }
    summary, *listed = err.splitlines()
    assert summary == "vimonet: 4 recordings failed:"
    bad = ("cut", "empty", "lost", "pipe")
    assert [line.split(":")[0] for line in listed] == [f"  a library/{name}.bvh" for name in bad]
    assert listed[-1].endswith("it is a pipe to which nobody writes; give a file, or start its writer first.")
    assert main(["inspect", library.as_uri()]) == 2
    assert "pipe.bvh: it cannot be read (it is neither a file nor a folder)." in capsys.readouterr().err


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A named pipe, whose writer must come at once."""
    os.mkfifo(tmp_path / "pipe.bvh")
    monkeypatch.setattr(pipes, "PIPE_OPEN", 0)
    return tmp_path / "pipe.bvh"


def test_a_pipe_is_read_to_its_end(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `vimonet inspect <(cat walk.bvh)`: more than a pipe holds at once, from a writer who is late."""
    monkeypatch.setattr(pipes, "PIPE_OPEN", 5)
    data = sample_path("walk").read_bytes()
    assert len(data) > 1 << 16
    late = threading.Timer(0.2, pipe.write_bytes, [data])
    late.start()
    motion = load(pipe)
    late.join()
    np.testing.assert_array_equal(motion.joints, load("sample:walk").joints)
    assert motion.name == "pipe"


@pytest.mark.parametrize(
    "command", ["inspect IT", "ask IT what", "caption IT", "view IT -o a.html", "count IT", "render IT -o a.png",
                "convert-motion IT a.csv", "pose IT -o a.json", "ask sample:walk IT what"],
)  # fmt: skip
def test_every_command_refuses_a_pipe_without_a_writer(
    pipe: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.replace("IT", str(pipe)).split()) == 2
    err = capsys.readouterr().err
    assert f"{pipe}: it is {'no file' if 'pose' in command else 'a pipe to which nobody writes'}; " in err


def test_a_pipe_whose_writer_is_silent_is_refused(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "PIPE_SILENT", 0)
    writer = os.open(pipe, os.O_RDWR)
    with pytest.raises(InputError, match="nothing came through this pipe for 0 s; give a file"):
        load(pipe)
    os.close(writer)


def test_sockets_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "a.bvh"))
    with pytest.raises(InputError, match=r"a\.bvh: it is a socket; give a file, or '-'"):
        load(tmp_path / "a.bvh")
    with pytest.raises(InputError, match=r"/dev/zero: it is a device; "):  # 2 GiB of zeros were read before
        load("/dev/zero")


def test_a_pipe_in_a_folder_is_told_by_index_and_dataset(
    library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipes, "PIPE_OPEN", 0)
    shutil.rmtree(library / "deep")
    for name in ("pipe.bvh", "film.mp4", "frames/0_keypoints.json"):
        (library / name).parent.mkdir(exist_ok=True)
        os.mkfifo(library / name)
    told = "it is a pipe to which nobody writes"
    for command in ("index LIBRARY -o all.index", "data build folder --root LIBRARY --out made"):
        assert main(["a library" if word == "LIBRARY" else word for word in command.split()]) == 2
        err = capsys.readouterr().err
        assert "vimonet: 3 recordings failed:" in err
        assert err.count(told) == 3 - ("data" in command), err


def test_an_empty_folder_among_others_does_not_end_a_batch(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (library / "nothing").mkdir()
    with pytest.raises(InputError, match="no recording in this folder"):
        find_recordings(["a library/nothing"])
    assert main(["inspect", "a library/nothing", "a library/deep/wave_right.bvh", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["file"] == "a library/deep/wave_right.bvh"
    assert err.splitlines()[1].startswith("  a library/nothing: this folder holds no recording; give a file")


def test_an_amc_behind_an_address_brings_its_skeleton(shared: Path, tmp_path: Path) -> None:
    motion = min(shared.glob("**/*.amc"), key=lambda path: path.stat().st_size, default=None)
    if motion is None:
        pytest.skip("no AMC is here")
    np.testing.assert_array_equal(load_recording(motion.as_uri()).joints, load(motion).joints)
    shutil.copy(motion, tmp_path)
    address = (tmp_path / motion.name).as_uri()
    with pytest.raises(InputError, match="no skeleton file is beside it") as told:
        load_recording(address)
    assert str(told.value).startswith(f"{address}: ") and f"into {tmp_path.as_uri()}" in str(told.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("file:///no/such/walk.bvh", ("file:///no/such/walk.bvh", "no such file")),
        ("http://example.org/walk.bvh", ("http://example.org", "s3://")),
        ("s3://key:secret@bucket/walk.bvh", ("bucket", "environment")),
        ("file:///tmp/walk.bvh#1", ("%23",)),
        ("sample:nobody", ("nobody",)),
    ],
)
def test_what_cannot_be_read(name: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError) as told:
        load_recording(name)
    assert all(word in str(told.value) for word in words) and "secret" not in str(told.value)
    assert main(["inspect", name]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_error_names_the_address_and_no_copy(library: Path) -> None:
    bad = library / "bad.bvh"
    bad.write_text("nothing")
    with pytest.raises(InputError) as told:
        load_recording(bad.as_uri())
    assert str(told.value).startswith(f"{bad.as_uri()}: the file is not a BVH")
    shutil.rmtree(library / "deep")
    for file in library.glob("*.bvh"):
        file.unlink()
    with pytest.raises(InputError, match="no recording in this folder"):
        find_recordings([library.as_uri()])


def test_other_commands_read_addresses_too(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", (library / "deep/wave_right.bvh").as_uri()]) == 0
    assert "wave_right" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["walk.bvh", "://b", "C:\\clips", "C://clips", "-", "sample:walk", "what ://?"])
def test_what_is_no_address(name: str) -> None:
    assert not is_address(name)


def test_a_name_means_the_same_everywhere(library: Path) -> None:
    """`sample:` and addresses are resolved by `load` itself, so every way in takes them."""
    squats = load(sample_path("squats"))
    assert load("sample:squats").name == squats.name == "squats"
    np.testing.assert_array_equal(load("sample:squats").joints, squats.joints)
    np.testing.assert_array_equal(
        load((library / "deep/wave_right.bvh").as_uri()).joints, load("sample:wave_right").joints
    )
    with pytest.raises(InputError, match="did you mean sample:squats"):
        load("sample:squat")


def test_videos_are_recordings_of_a_folder(tmp_path: Path) -> None:
    for file in ("b.bvh", "b.gif", "b.mp4", "alone.MKV", "sub/c.mp4", "sub/c.txt", ".hidden/d.mp4", ".e.bvh"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    found = list_recordings(tmp_path)
    assert found.recordings == ["alone.MKV", "b.bvh", "sub/c.mp4"]
    assert found.videos == {"b.bvh": "b.mp4"}  # the video of that recording, and not one of its own
    assert find_recordings([str(tmp_path)]) == [str(tmp_path / file) for file in found.recordings]
    assert find_recordings([tmp_path.as_uri()]) == [f"{tmp_path.as_uri()}/{file}" for file in found.recordings]


class Standing:
    """A pose estimator that sees one person in every frame."""

    layout, name = "coco17", "standing 1, for tests"

    def people(self, image: np.ndarray) -> list[Person]:
        from vimonet.motion.joint_names import LAYOUTS

        x = np.linspace(60, 100, len(LAYOUTS["coco17"]))
        return [Person(np.stack([x, 20 + 1.5 * (x - 60)], axis=1), np.full(len(x), 0.9))]

    def close(self) -> None:
        pass


@pytest.fixture
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two videos and a recording; the cache folder is empty."""
    from vimonet.cli import shared

    class Namer:
        def caption(self, motion: Motion, *, answer_policy: str | None = None) -> Answer:
            return Answer(f"{motion.name} in {motion.dimensions}D", 0.5, 0.0, motion.duration)

    monkeypatch.setattr(shared, "assistant", lambda args: Namer())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VIMONET_POSE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vids").mkdir()
    make(tmp_path / "vids/one.mp4", 30, size=(160, 120))
    make(tmp_path / "vids/two.mp4", 40, size=(160, 120))
    shutil.copy(sample_path("walk"), tmp_path / "vids")
    return tmp_path / "vids"


def test_caption_and_index_read_the_videos_of_a_folder(
    videos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(estimation, "estimator_of", lambda name: Standing())
    assert main(["caption", "vids"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "vids/one.mp4\tone in 2D",
        "vids/two.mp4\ttwo in 2D",
        "vids/walk.bvh\twalk in 3D",
    ]
    assert main(["index", "vids", "-o", "vids.index"]) == 0
    assert "3 recordings" in capsys.readouterr().err
    kept = sorted((videos.parent / "cache/vimonet/poses").iterdir())
    assert [file.suffix for file in kept] == [".npz", ".npz"]  # estimated once for both commands, kept as arrays


def test_without_an_estimator_the_rest_of_a_folder_goes_on(
    videos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    for command, done in ((["caption", "vids"], "vids/walk.bvh\twalk in 3D\n"), (["index", "vids", "-o", "i"], "")):
        assert main(command) == 2
        out, err = capsys.readouterr()
        told = [line for line in err.splitlines() if line.startswith("  ") and "mediapipe 0.10.21" in line]
        assert out == done and len(told) == 2 and "one.mp4" in told[0] and "two.mp4" in told[1]
    assert "1 recordings" in err and "2 could not be read" in err


def test_captions_beside_the_recordings_are_no_recording(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for film in videos.glob("*.mp4"):
        film.unlink()
    for _ in range(2):
        assert main(["caption", "vids", "-o", "vids/captions.jsonl"]) == 0
    assert len((videos / "captions.jsonl").read_text().splitlines()) == 1
