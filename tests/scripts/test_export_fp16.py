from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import tiny_model, tiny_motion
from tiny_video import tiny_clip_config

import vimonet
from scripts.export_fp16 import export_fp16, main
from vimonet.utils.errors import InputError


def test_half_the_size_and_computed_in_full(tmp_path: Path) -> None:
    model, processor = tiny_model()
    for part in (model, processor):
        part.save_pretrained(tmp_path / "trained")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "README.md").write_text("card")
    digest = export_fp16(tmp_path / "trained", tmp_path / "shipped")
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("trained", "shipped"))
    assert {v.dtype for v in after.values() if v.is_floating_point()} == {torch.float16}
    assert len(digest) == 64 and (tmp_path / "shipped" / "README.md").read_text() == "card"
    loaded = vimonet.load(tmp_path / "shipped")
    for name, value in loaded.model.state_dict().items():
        assert value.dtype == torch.float32 or not value.is_floating_point()
        if name in before:
            torch.testing.assert_close(value, before[name], atol=1e-3, rtol=1e-3)


def test_what_a_model_does_not_read_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, processor = tiny_model(video_config=tiny_clip_config(), video_tokens=8)
    for part in (model, processor):
        part.save_pretrained(tmp_path / "trained")
    assert main([str(tmp_path / "trained"), str(tmp_path / "shipped"), "--without", "keypoint"]) == 0
    whole, kept = (load_file(tmp_path / name / "model.safetensors") for name in ("trained", "shipped"))
    assert set(kept) == {name for name in whole if "keypoint" not in name} < set(whole)
    loaded = vimonet.load(tmp_path / "shipped")
    film = np.zeros((4, 32, 32, 3), np.uint8)
    asked = ("What is the person doing?", tiny_motion(), film)
    assert loaded.ask(*asked).text == vimonet.load(tmp_path / "trained").ask(*asked).text
    with pytest.raises(InputError, match="2D"):
        loaded.ask("What is the person doing?", tiny_motion(dimensions=2))


def test_nothing_to_ship(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty"), str(tmp_path / "out")]) == 2
    assert "model.safetensors is missing; give the output folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    shutil.rmtree(tmp_path / "empty")
