from __future__ import annotations

import pytest
from tiny import tiny_config
from transformers import AutoConfig, GPT2Config, LlamaConfig

from vimonet.model import MotionVQVAEConfig, ViMoNetConfig


def test_saves_and_loads_equal(tmp_path):
    config = tiny_config(projector="attentive", caption_question="what happens", confidence_temperature=1.5)
    config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(loaded, ViMoNetConfig)
    assert {**loaded.to_dict(), "_name_or_path": ""} == config.to_dict()
    assert isinstance(loaded.motion_config, MotionVQVAEConfig) and loaded.motion_config.code_dim == 24
    assert loaded.caption_question == "what happens" and loaded.confidence_temperature == 1.5


def test_text_config_is_any_causal_language_model():
    config = ViMoNetConfig(text_config={"model_type": "gpt2", "n_layer": 2})
    assert isinstance(config.text_config, GPT2Config)
    assert isinstance(ViMoNetConfig().text_config, LlamaConfig)


def test_a_tower_may_be_absent():
    config = ViMoNetConfig(motion_config=MotionVQVAEConfig())
    assert config.keypoint_config is None and config.ratio == 4


def test_tied_embeddings_follow_the_language_model():
    assert ViMoNetConfig(text_config=LlamaConfig(tie_word_embeddings=True)).tie_word_embeddings
    assert not ViMoNetConfig(text_config=LlamaConfig(tie_word_embeddings=False)).tie_word_embeddings


@pytest.mark.parametrize(
    "wrong",
    [
        {"projector": "magic"},
        {"projector_queries": 0},
        {"confidence_temperature": 0.0},
        {"keypoint_config": {"down_t": 3}},
    ],
)
def test_parts_that_cannot_work_are_refused(wrong):
    with pytest.raises(Exception, match=next(iter(wrong)).split("_")[0]):
        tiny_config(**wrong)


def test_fields_of_older_versions_are_read():
    now = tiny_config(projector="mlp", projector_queries=7, projector_time=True, video_projector="linear").to_dict()
    old = {name.replace("projector", "translator"): value for name, value in now.items()}
    assert "translator_time" in old and ViMoNetConfig.from_dict(old).to_dict() == now
