"""The registry of readers: a new format is one file; everything that lists formats follows it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vimonet.cli import build_parser, main
from vimonet.motion import io, load
from vimonet.motion.io import READERS
from vimonet.motion.io.loading import find_recordings, names_a_file
from vimonet.motion.skeleton import T_POSE
from vimonet.utils.errors import InputError

TINY = '''
"""A format of one still pose: the text TINY and the height of the pelvis, m."""

import numpy as np

from vimonet.motion.io.readers import Reader, register
from vimonet.motion.io.readers import Recording
from vimonet.motion.skeleton import JOINT_NAMES, T_POSE


def read(content, *, fps=None, layout=None):
    height = float(content.text.split()[1])
    joints = np.repeat(T_POSE[None], 8, axis=0) + [0, height, 0]
    return Recording(joints, JOINT_NAMES, fps or 20.0, "tiny", unit=1.0, up="Y")


register(Reader("tiny", "TINY text", (".tiny",), lambda content: content.head.startswith(b"TINY"), read))
'''


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of a new format among the readers, and a folder with a file of it."""
    modules, folder = tmp_path / "modules", tmp_path / "clips"
    modules.mkdir()
    folder.mkdir()
    (modules / "tiny_format.py").write_text(TINY)
    (folder / "stand.tiny").write_text("TINY 0.9\n")
    (folder / "disguised.txt").write_text("TINY 0.5\n")
    monkeypatch.setattr(io, "__path__", [*io.__path__, str(modules)])
    monkeypatch.chdir(tmp_path)
    before = dict(READERS)
    io.discover()
    yield folder
    READERS.clear()
    READERS.update(before)
    sys.modules.pop("vimonet.motion.io.tiny_format")


def test_a_new_format_is_one_file(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    motion = load(tiny / "stand.tiny")
    np.testing.assert_allclose(motion.joints[0], T_POSE + np.array([0, 0.9, 0]), atol=1e-6)
    assert load(tiny / "disguised.txt").source == io.detect_format(b"TINY 1") == "tiny"  # told by the content
    assert load(b"TINY 0.9", format="tiny", fps=40).frames == 4
    assert find_recordings(["clips"]) == ["clips/stand.tiny"]
    assert names_a_file("walk.tiny")
    assert main(["inspect", "clips/stand.tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "tiny"
    with pytest.raises(InputError, match=r"expected .*TINY text"):
        load(b"nothing")
    with pytest.raises(InputError, match="not a TINY text, though its name says so"):
        Path("bad.tiny").write_text("nothing")
        load("bad.tiny")


def test_formats_and_suffixes() -> None:
    formats = (
        "amass",
        "asf/amc",
        "bvh",
        "c3d",
        "csv",
        "gltf",
        "humanml3d",
        "joints",
        "keypoints",
        "mvnx",
        "ntu",
        "smpl",
        "trc",
        "video",
    )
    assert set(READERS) == set(formats)
    assert {".bvh", ".amc", ".npy", ".npz", ".json", ".jsonl", ".mp4", ".mkv"} <= set(io.suffixes())
    assert not names_a_file("walk.tiny")
    for name in ("a.bvh", "clips/B.MP4", "07.asf", "x.jsonl", "x.3gp"):
        assert names_a_file(name)
    for text in ("Is it walk.bvh?", "what is in clip.mp4", "bvh"):
        assert not names_a_file(text)


def test_the_help_names_a_suffix_of_every_reader() -> None:
    told = build_parser().epilog or ""
    for reader in READERS.values():
        assert any(suffix in told for suffix in reader.suffixes), reader.format


def test_the_page_of_formats_names_every_suffix_and_title() -> None:
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()
    for reader in READERS.values():
        assert f"`{reader.format}`" in page
        assert all(f"`{suffix}`" in page for suffix in reader.suffixes), reader.format


def test_known_formats_are_read_or_refused_with_the_next_step(shared: Path) -> None:
    told = {
        "walk.fbx": "Blender",
        "walk_ascii.fbx": "Blender",
        "ik.mot": "OpenSim",
        "gvhmr.pt": "PyTorch",
        "clip.c3d": "C3D",
    }
    told |= {"walk.glb": "glTF", "walk.gltf": "glTF"}
    folder = shared.parent / "cases" / "20-known-formats-refused-without-advice"
    for name, says in told.items():
        with pytest.raises(InputError, match=says):
            load(folder / name)
    assert load(folder / "mp.csv").dimensions == 2
    assert load(folder / "pose2sim.trc").joints[0, 0, 1] == pytest.approx(0.91, abs=0.03)
