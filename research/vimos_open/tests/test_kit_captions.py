from __future__ import annotations

import json
from pathlib import Path

import pytest

from research.vimos_open.kit_captions import main


def test_captions_of_the_train_split_alone(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.mkdir()
    told = {
        "00001": {"annotations": [{"text": " A human Walks\nforward. "}, {"text": "Someone runs."}]},
        "00002": {"annotations": [{"text": "Of the test."}]},
    }
    (text / "kitml_annotations_tmr.json").write_text(json.dumps(told))
    (text / "kitml_train.txt").write_text("00001\n")
    assert main(["--root", str(tmp_path), "-o", str(tmp_path / "out/kit.txt")]) == 0
    assert (tmp_path / "out/kit.txt").read_text() == "a human walks forward.\nsomeone runs.\n"


def test_missing_annotations_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path), "-o", str(tmp_path / "kit.txt")]) == 2
    assert "not the KIT-ML annotations" in capsys.readouterr().err
    assert not (tmp_path / "kit.txt").exists()
