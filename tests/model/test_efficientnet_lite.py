"""EfficientNet-Lite: TensorFlow's padding, published names, the shapes of Lite0, any dtype."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_language import saved_language_model
from tiny_video import tiny_backbone, tiny_video

import vimonet
from vimonet.model import EfficientNetLiteConfig, EfficientNetLiteModel, VideoTower
from vimonet.model.build import compose
from vimonet.model.towers.efficientnet_lite import SameConv, rename_published


@pytest.mark.parametrize(("size", "kernel", "stride"), [(224, 3, 2), (112, 5, 2), (7, 3, 1), (9, 5, 2), (8, 1, 1)])
def test_padding_is_tensorflows(size, kernel, stride):
    """SAME: total = max((ceil(n / s) - 1) s + k - n, 0), the smaller half first; one output at a known place."""
    conv = SameConv(1, 1, kernel, stride)
    torch.nn.init.ones_(conv.weight)
    out = conv(torch.ones(1, 1, size, size))
    assert out.shape[-1] == -(-size // stride)
    total = max((out.shape[-1] - 1) * stride + kernel - size, 0)
    before, after = total // 2, total - total // 2
    assert out[0, 0, 0, 0] == (kernel - before) ** 2  # ones under the window, at the top left
    start = (out.shape[-1] - 1) * stride - before
    assert out[0, 0, -1, -1] == min(kernel, size - start) ** 2
    assert after == max(0, start + kernel - size)


def test_lite0_has_the_published_shapes():
    """4,652,008 parameters (the authors state 4.7 M), 7 x 7 features of 1,280 and 1,000 classes."""
    with torch.device("meta"):
        model = EfficientNetLiteModel(EfficientNetLiteConfig(num_labels=1000)).eval()
        out = model(torch.zeros(2, 3, 224, 224))
    assert sum(parameter.numel() for parameter in model.parameters()) == 4_652_008
    assert (out.last_hidden_state.shape, out.pooler_output.shape) == ((2, 49, 1280), (2, 1280))
    assert out.logits.shape == (2, 1000)
    names = set(model.state_dict())
    assert {"conv_stem.weight", "blocks.15.project_conv.weight", "blocks.0.bn2.running_var", "fc.bias"} <= names
    assert len(model.blocks) == 16 and "blocks.0.expand_conv.weight" not in names


def test_published_names_lose_their_underscores():
    state = {"_conv_stem.weight": 1, "_blocks.3._bn0.bias": 2, "_bn0.num_batches_tracked": 3, "_fc.weight": 4}
    assert rename_published(state) == {"conv_stem.weight": 1, "blocks.3.bn0.bias": 2, "fc.weight": 4}


def test_saved_and_loaded_it_says_the_same(tmp_path):
    model = tiny_backbone("efficientnet_lite")
    model.config.id2label = {index: f"thing {index}" for index in range(7)}
    model.save_pretrained(tmp_path)
    again = EfficientNetLiteModel.from_pretrained(tmp_path).eval()
    values = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model(values).logits, again(values).logits)
    assert again.config.id2label[6] == "thing 6"
    assert again.config.stages == model.config.stages


def test_a_layer_cannot_be_chosen():
    model = tiny_backbone("efficientnet_lite")
    with pytest.raises(ValueError, match="no layers to choose from"):
        VideoTower(model.config, layer=-2, backbone=model)(torch.zeros(1, 1, 3, 32, 32))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_is_composed_with_attention_at_the_language_models_width(tmp_path, dtype):
    """16 tokens a film, whatever its length; the answer survives saving and loading."""
    llm = saved_language_model("qwen", tmp_path)
    tiny_backbone("efficientnet_lite").save_pretrained(tmp_path / "tower")
    settings = {"video_projector": "attentive", "video_tokens": 16}
    composed = compose(llm, video=tmp_path / "tower", dtype=dtype, **settings)
    assert composed.model.config.video_pooling == "attentive"
    assert composed.processor.video_processor.num_tokens(8) == 16
    assert composed.processor.video_processor.image_mean == pytest.approx([127 / 255] * 3)
    pooling = composed.model.vimonet.translators.video.pooling
    assert pooling.queries.shape == (16, composed.model.config.text_config.hidden_size)
    composed.save(tmp_path / "model")
    again = vimonet.load(tmp_path / "model")
    for tower in (composed.model.vimonet.video_tower, again.model.vimonet.video_tower):
        assert {str(value.dtype) for value in tower.state_dict().values()} >= {f"torch.{dtype}"}
    for frames in (3, 40):
        assert again.ask("What is it?", video=tiny_video(frames), max_new_tokens=2).inputs_read == ("video",)
    images = np.stack([tiny_video(8)])
    values = composed.processor.video_processor(list(images), return_tensors="pt")
    with torch.no_grad():
        first, second = (
            one.vimonet.get_video_features(values["video_values"], values["video_mask"], values["video_times"])[0]
            for one in (composed.model, again.model)
        )
    assert first.shape[-2] == 16 or first.shape[0] == 16
    torch.testing.assert_close(first, second)
