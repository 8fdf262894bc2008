from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from vimonet.training.parameters import CHECKPOINT_FILE, load_trained, save_trained
from vimonet.utils.errors import InputError


class Model(nn.Module):
    """A frozen part, tied weights and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.norm = nn.BatchNorm1d(3)


def test_what_is_frozen_is_left_out_and_what_is_tied_written_once(tmp_path: Path) -> None:
    saved, loaded = Model(), Model()
    save_trained(saved, [saved.frozen], tmp_path)
    names = {"embedding.weight", *(f"norm.{name}" for name in saved.norm.state_dict())}
    assert load_file(tmp_path / CHECKPOINT_FILE).keys() == names
    before = loaded.frozen.state_dict()["0.weight"].clone()
    load_trained(loaded, [loaded.frozen], tmp_path)
    assert torch.equal(loaded.embedding.weight, saved.embedding.weight)
    assert loaded.head.weight is loaded.embedding.weight
    assert torch.equal(loaded.frozen.state_dict()["0.weight"], before)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    model = Model()
    with pytest.raises(InputError, match="earlier version"):
        load_trained(model, [], tmp_path)
    save_trained(model, [model.frozen], tmp_path)
    with pytest.raises(RuntimeError, match=r"frozen\.0\.weight"):
        load_trained(model, [], tmp_path)
