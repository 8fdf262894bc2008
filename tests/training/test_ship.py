from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import tiny_model

import vimonet
from vimonet.training.ship import main, ship


def test_half_the_size_and_computed_in_full(tmp_path: Path) -> None:
    model, processor = tiny_model()
    for part in (model, processor):
        part.save_pretrained(tmp_path / "trained")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "README.md").write_text("card")
    digest = ship(tmp_path / "trained", tmp_path / "shipped")
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("trained", "shipped"))
    assert {v.dtype for v in after.values() if v.is_floating_point()} == {torch.float16}
    assert len(digest) == 64 and (tmp_path / "shipped" / "README.md").read_text() == "card"
    loaded = vimonet.load(tmp_path / "shipped")
    for name, value in loaded.model.state_dict().items():
        assert value.dtype == torch.float32 or not value.is_floating_point()
        if name in before:
            torch.testing.assert_close(value, before[name], atol=1e-3, rtol=1e-3)


def test_nothing_to_ship(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty"), str(tmp_path / "out")]) == 2
    assert "no model.safetensors is here" in capsys.readouterr().err
    assert not (tmp_path / "out").exists() and main([]) == 2
    shutil.rmtree(tmp_path / "empty")
