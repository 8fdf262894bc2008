"""`vimonet convert-motion`: one recording in, another format out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vimonet.cli import main
from vimonet.motion import load


def test_a_recording_becomes_another_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    target = tmp_path / "walk.trc"
    assert main(["convert-motion", "sample:walk", str(target), "--out-fps", "60", "--out-unit", "cm"]) == 0
    printed = capsys.readouterr()
    assert "cm, y up, 60 frames/s" in printed.out and f"wrote {target}" in printed.err
    source, back = load("sample:walk"), load(target)
    assert load(target, target_fps=None).fps == 60
    np.testing.assert_allclose(back.joints, source.joints, atol=0.01)


def test_wrong_names_are_refused_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for target, flags, word in (
        ("walk.fbx", [], ".bvh, .npy"),
        ("walk.npz", ["--rigid"], "--rigid"),
        ("no/walk.bvh", [], "folder"),
    ):
        assert main(["convert-motion", "no-such-recording.bvh", str(tmp_path / target), *flags]) == 2
        assert word in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
