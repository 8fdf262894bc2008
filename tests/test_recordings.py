"""Recordings by name: folders and addresses are listed alike, and read alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from vimonet.cli import main
from vimonet.motion import load
from vimonet.motion.io.locations import find_recordings, is_address, load_recording
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
