from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vimonet.model.towers.languagebind import (
    LanguageBindVideoConfig,
    LanguageBindVideoModel,
    convert_languagebind,
    is_languagebind,
    load_released_languagebind,
)
from vimonet.utils.errors import InputError

TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 28}


@pytest.fixture(scope="module")
def golden(shared: Path) -> Path:
    folder = shared / "golden"
    if not (folder / "lb_video_tiny_io.npz").is_file():
        pytest.skip("no golden LanguageBind outputs")
    return folder


@pytest.mark.parametrize("act", ["gelu", "quick_gelu"])
def test_equals_the_golden_outputs(golden: Path, act: str) -> None:
    state, config, report = convert_languagebind(
        load_file(golden / "lb_video_tiny.safetensors"), hidden_act=act, num_attention_heads=4
    )
    assert report.unused == () and config.num_frames == 8 and config.image_size == 56
    model = LanguageBindVideoModel(config).eval()
    model.load_state_dict(state)
    io = np.load(golden / "lb_video_tiny_io.npz")
    values = torch.from_numpy(io["input"]).transpose(1, 2)  # published: channels before frames
    with torch.no_grad():
        out = model(values, output_hidden_states=True)
    got = {f"hidden_{i}": state for i, state in enumerate(out.hidden_states)}
    got["last_hidden_state"] = out.last_hidden_state[0]
    got["pooler_output"] = out.pooler_output
    got["selected_patch"] = out.hidden_states[-2][:, :, 1:].flatten(1, 2)
    got["selected_cls_patch"] = out.hidden_states[-2].flatten(1, 2)
    for name, value in got.items():
        # The README's tolerance: 1e-5 between float32 and float64 of the same code.
        np.testing.assert_allclose(value.numpy(), io[f"{act}/{name}"], rtol=0, atol=1.5e-5, err_msg=name)


def test_every_key_of_the_full_size_checkpoint_is_accounted_for(golden: Path) -> None:
    listed = json.loads((golden / "lb_video_full_keys.json").read_text())
    shapes = {**listed["vision_keys"], **listed["other_keys"], "vision_model.embeddings.position_ids": [1, 257]}
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    converted, config, report = convert_languagebind(state, hidden_act="gelu", num_attention_heads=16)
    assert set(report.renamed) == set(listed["vision_keys"]) and len(converted) == 655
    assert set(report.unused) == {*listed["other_keys"], "vision_model.embeddings.position_ids"}
    assert sum(value.numel() for value in converted.values()) == listed["n_vision_params"]
    default = LanguageBindVideoConfig()
    for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "image_size"):
        assert getattr(config, name) == getattr(default, name) == listed["vision_config"][name]


def published(folder: Path, **vision: object) -> LanguageBindVideoModel:
    """A random tiny checkpoint in the published layout."""
    torch.manual_seed(0)
    model = LanguageBindVideoModel(LanguageBindVideoConfig(**TINY, hidden_act="gelu")).eval()
    state = {f"vision_model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    state |= {"logit_scale": torch.ones(()), "text_projection.weight": torch.ones(4, 4)}
    save_file(state, folder / "model.safetensors")
    settings = {"num_attention_heads": 4, "add_time_attn": True, "hidden_act": "gelu", **vision}
    config = {"model_type": "LanguageBindVideo", "vision_config": {k: v for k, v in settings.items() if v is not None}}
    (folder / "config.json").write_text(json.dumps(config))
    return model


def test_loads_the_published_layout(tmp_path: Path) -> None:
    model = published(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert is_languagebind(config) and not is_languagebind({"model_type": "clip", "vision_config": {}})
    loaded, report = load_released_languagebind(tmp_path, config)
    values = torch.randn(1, 8, 3, 28, 28)
    with torch.no_grad():
        assert torch.equal(loaded(values).last_hidden_state, model(values).last_hidden_state)
    assert set(report.unused) == {"logit_scale", "text_projection.weight"}


def test_what_is_wrong_with_a_checkpoint_is_said(tmp_path: Path) -> None:
    published(tmp_path, hidden_act=None)
    config = json.loads((tmp_path / "config.json").read_text())
    with pytest.raises(InputError, match="hidden_act"):
        load_released_languagebind(tmp_path, config)
    state = load_file(tmp_path / "model.safetensors")
    del state["vision_model.encoder.layers.1.temporal_attn.k_proj.bias"]
    with pytest.raises(InputError, match=r"1 tensors .* vision_model\.encoder\.layers\.1\.temporal_attn\.k_proj\.bias"):
        convert_languagebind(state, hidden_act="gelu", num_attention_heads=4)
    with pytest.raises(InputError, match="not a LanguageBind"):
        convert_languagebind({"a": torch.ones(1)})
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="no weights"):
        load_released_languagebind(tmp_path, {"vision_config": {"hidden_act": "gelu"}})


def test_time_is_read_in_order() -> None:
    torch.manual_seed(0)
    model = LanguageBindVideoModel(LanguageBindVideoConfig(**TINY)).eval()
    values = torch.randn(1, 8, 3, 28, 28)
    with torch.no_grad():
        forward, backward = model(values).pooler_output, model(values.flip(1)).pooler_output
    assert (forward - backward).abs().max() > 1e-4
    with pytest.raises(ValueError, match="at most 8"):
        model(torch.randn(1, 9, 3, 28, 28))
