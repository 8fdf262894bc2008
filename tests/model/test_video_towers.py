from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from tiny_video import FAMILIES, SMALL, saved_backbone, tiny_backbone
from transformers import BertConfig, PreTrainedConfig, TimesformerConfig

from vimonet.model import LanguageBindVideoModel, VideoTower, load_video_tower
from vimonet.model.towers.video_towers import family_of, feature_grid
from vimonet.utils.errors import InputError

VIDEO = {"videomae", "vjepa2", "vivit", "languagebind"}
TUBELETS = {"videomae", "vjepa2", "vivit"}


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    return tmp_path_factory.mktemp("backbones")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_backbone_gives_one_shape(family, disk):
    """Loaded from disk by its folder's name: [clips, moments, patches, width], with the saved weights."""
    source = saved_backbone(family, disk)
    backbone = load_video_tower(source)
    tower = VideoTower(backbone.config, backbone=backbone).eval()
    values = torch.randn(2, 8, 3, 32, 32)
    with torch.no_grad():
        features = tower(values)
    assert features.shape == (2, 4 if family in TUBELETS else 8, 16, tower.dim)
    assert feature_grid(tower.config, 8) == (features.shape[1], 4, 4)
    theirs = tiny_backbone(family).state_dict()
    ours = tower.backbone.state_dict()
    found = [name for name in ours if name in theirs or f"vision_model.{name}" in theirs]
    assert found and all(
        torch.equal(ours[name], theirs[name] if name in theirs else theirs[f"vision_model.{name}"]) for name in found
    )
    assert len(found) == len(ours)
    assert "torchvision" not in sys.modules


@pytest.mark.parametrize("family", FAMILIES)
def test_a_feature_belongs_to_its_patch_and_moment(family):
    """Gradients say where a feature comes from: most of all from its own patch, in an image backbone from its frame
    alone.
    """
    model = tiny_backbone(family)
    tower = VideoTower(getattr(model, "vision_model", model).config).eval()
    values = torch.randn(1, 8, 3, 32, 32, requires_grad=True)
    step = 2 if family in TUBELETS else 1
    moment, row, column = 1, 2, 3
    tower.layer = 0 if family not in ("vivit", "efficientnet_lite") else None  # what goes in has not been mixed yet
    features = tower(values)
    features[0, moment, row * 4 + column].pow(2).sum().backward()
    influence = values.grad[0].abs().sum(1).reshape(8 // step, step, 4, 8, 4, 8).sum((1, 3, 5))  # [moments, 4, 4]
    most = np.unravel_index(int(influence.argmax()), influence.shape)
    # Strided kernels of odd size look up and left of the patch's middle; with TensorFlow's padding down and right.
    up, down = (1, 0) if tower.family.convolutional else (0, 1) if family == "efficientnet_lite" else (0, 0)
    assert most[0] == moment and row - up <= most[1] <= row + down and column - up <= most[2] <= column + down
    if family not in VIDEO:
        assert influence[[0, *range(2, 8)]].abs().max() == 0


def test_layers_are_counted_as_in_transformers():
    model = tiny_backbone("clip").vision_model.eval()
    values = torch.randn(1, 2, 3, 32, 32)
    with torch.no_grad():
        states = model(values[0], output_hidden_states=True).hidden_states
        assert len(states) == SMALL["num_hidden_layers"] + 1
        # -2 by default, as the line the paper stands in reads CLIP.
        assert torch.equal(VideoTower(model.config, backbone=model)(values)[0], states[-2][:, 1:])
        assert torch.equal(VideoTower(model.config, -1, model)(values)[0], states[-1][:, 1:])


def test_a_frozen_tower_stays_in_eval_and_keeps_no_graph():
    tower = VideoTower(tiny_backbone("siglip").config)
    values = torch.randn(1, 2, 3, 32, 32)
    assert tower.train().training and tower(values).requires_grad
    tower.requires_grad_(False)
    assert not tower.train().training and not tower(values).requires_grad


def test_vjepa_needs_no_predictor_and_takes_odd_frames():
    tower = VideoTower(tiny_backbone("vjepa2").config).eval()
    assert not any("predictor" in name for name in tower.state_dict())
    assert tower(torch.randn(1, 5, 3, 32, 32)).shape == (1, 3, 16, 48)


def test_a_fixed_number_of_frames_is_named():
    with pytest.raises(ValueError, match="4 frames per clip, but videomae takes 8"):
        VideoTower(tiny_backbone("videomae").config)(torch.randn(1, 4, 3, 32, 32))


def test_backbones_that_cannot_be_used_are_named():
    with pytest.raises(ValueError, match="timesformer is a video backbone that is not known"):
        family_of(TimesformerConfig())
    with pytest.raises(ValueError, match="bert is no vision backbone"):
        family_of(BertConfig())


def test_a_published_languagebind_folder_is_recognised(tmp_path):
    from safetensors.torch import save_file

    model = tiny_backbone("languagebind")
    save_file(
        {f"vision_model.{k}": v.contiguous() for k, v in model.state_dict().items()}, tmp_path / "model.safetensors"
    )
    vision = {"add_time_attn": True, "hidden_act": "gelu", "num_attention_heads": 4}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "LanguageBindVideo", "vision_config": vision}))
    loaded = load_video_tower(tmp_path)
    assert isinstance(loaded, LanguageBindVideoModel) and loaded.config.image_size == 32
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_what_cannot_be_loaded_is_said_in_a_sentence(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("We couldn't connect to the hub.\nCheck your connection.")

    with monkeypatch.context() as patch:
        patch.setattr(PreTrainedConfig, "get_config_dict", refuse)
        with pytest.raises(InputError, match="owner/tower: neither a local folder nor a model on the hub") as caught:
            load_video_tower("owner/tower")
        assert "couldn't connect" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no video tower can be loaded"):
        load_video_tower(tmp_path)
    folder = saved_backbone("siglip", tmp_path)
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    dropped = next(name for name in state if "layers.1.mlp.fc1.weight" in name)
    del state[dropped]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 tensors of the tower, such as .*layers\.1\.mlp\.fc1\.weight"):
        load_video_tower(folder)
