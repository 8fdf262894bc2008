"""Which model is meant by a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from vimonet.weights import MODELS, WEIGHTS, model_source


def test_a_name_of_the_package_is_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VIMONET_MODEL", raising=False)
    monkeypatch.setenv("VIMONET_CACHE", str(tmp_path / "cache"))  # without mini
    monkeypatch.chdir(tmp_path)
    assert model_source() == str(WEIGHTS / "nano")
    for name in MODELS:
        assert model_source(name) == str(WEIGHTS / name)
        monkeypatch.setenv("VIMONET_MODEL", name)
        assert model_source() == str(WEIGHTS / name)
    assert model_source("owner/model") == "owner/model" and model_source(tmp_path) == str(tmp_path)


def test_a_folder_of_that_name_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nano").mkdir()
    assert model_source("nano") == "nano"
