from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vimonet.cli import build_parser, main
from vimonet.cli.convert import SOURCES


@pytest.fixture
def projector(tmp_path):
    shapes = {"0.weight": (6, 4), "0.bias": (6,), "2.weight": (6, 6), "2.bias": (6,)}
    state = {f"model.mm_projector.{name}": torch.randn(shape) for name, shape in shapes.items()}
    save_file({**state, "lm_head.weight": torch.ones(2, 2)}, tmp_path / "llava.safetensors")
    return tmp_path / "llava.safetensors"


def test_report_of_every_key(projector, tmp_path, capsys):
    assert main(["convert", "video-llava", str(projector), "-o", str(tmp_path / "out"), "--keys"]) == 0
    printed = capsys.readouterr().out
    assert "4 keys used, 4 of them renamed" in printed and "kind mlp, input_dim 4, output_dim 6" in printed
    assert "renamed: model.mm_projector.2.bias -> linear_2.bias" in printed and "unused: lm_head.weight" in printed
    written = (tmp_path / "out" / "conversion.txt").read_text()
    assert written.strip() in printed
    assert (tmp_path / "out" / "projector" / "projector.safetensors").is_file()
    card = (tmp_path / "out" / "README.md").read_text()
    assert "vimonet convert video-llava" in card and "the licence of the converted weights" in card


def test_sums_without_keys(projector, tmp_path, capsys):
    assert main(["convert", "video-llava", str(projector), "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "1 keys unused" in printed and "lm_head" not in printed and f"written: {tmp_path / 'out'}" in printed


def test_bad_input_is_one_sentence(projector, tmp_path, capsys):
    out = str(tmp_path / "out")
    for arguments, message in (
        (["video-llava", "absent.bin"], "absent.bin: no such file"),
        (["languagebind", str(tmp_path)], "config.json: missing"),
        (["video-llava", str(projector), "--adapter"], "--adapter has no meaning for video-llava"),
        (["motionllm", str(projector), "--mean", "m.npy"], "--mean has no meaning for motionllm"),
        (["t2m-gpt", str(projector), "--lora-alpha", "3"], "--lora-alpha has no meaning for t2m-gpt"),
    ):
        assert main(["convert", *arguments, "-o", out]) == 2
        error = capsys.readouterr().err
        assert message in error and "Traceback" not in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_without_statistics_is_told(shared, tmp_path, capsys):
    file = str(shared / "golden" / "vqvae_small.safetensors")
    assert main(["convert", "motiongpt", file, "-o", str(tmp_path / "out")]) == 0
    assert "no --mean and --std" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == "motion_vqvae"
    np.save(tmp_path / "m.npy", np.ones(263))
    np.save(tmp_path / "s.npy", np.zeros(263))
    arguments = [file, "-o", str(tmp_path / "two"), "--mean", str(tmp_path / "m.npy"), "--std", str(tmp_path / "s.npy")]
    assert main(["convert", "motiongpt", *arguments]) == 2
    assert "not above 0" in capsys.readouterr().err


def test_names_are_those_of_the_library():
    from vimonet.model import conversion

    assert SOURCES == conversion.SOURCES


def test_commands_of_the_page_are_understood():
    """They need weights that are not here, so they are parsed only."""
    page = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    commands = re.findall(r"^vimonet (.+)$", page, re.MULTILINE)
    assert len(commands) >= 7
    for command in commands:
        args = build_parser().parse_args(shlex.split(command, comments=True))
        assert args.command in ("compose", "convert", "ask", "chat", "fetch")
