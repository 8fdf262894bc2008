"""Prompts with motion, video, both or neither, through processor and model."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny import batch_of, tiny_model, tiny_motion, tiny_tokenizer
from tiny_video import saved_backbone, tiny_backbone, tiny_clip_config, tiny_video
from transformers import AutoProcessor

from vimonet.model import (
    SPECIAL_TOKENS,
    ViMoNetForConditionalGeneration,
    ViMoNetProcessor,
    add_video_tower,
    build_model,
    build_processor,
    build_video_processor,
    count_parameters,
    get_parts,
    lora_config,
)
from vimonet.model.hub import load_pretrained
from vimonet.model.video_processing_vimonet import ViMoNetVideoProcessor, as_video_frames
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames

CELLS = {"motion": (True, False), "video": (False, True), "both": (True, True), "neither": (False, False)}


@pytest.fixture(scope="module")
def joint():
    """A tiny model with a CLIP tower pooled to 32 tokens; tests must not change it."""
    return tiny_model(video_config=tiny_clip_config(), video_tokens=32, projector_time=True)


def chat_of(processor, cell, seed=0, answer=None):
    motion, video = CELLS[cell]
    clip = tiny_motion(20 + seed, seed=seed) if motion else None
    return processor.messages("which way", clip, answer, video=tiny_video(seed=seed) if video else None)


def test_all_four_cells_in_one_batch_equal_single_prompts(joint):
    model, processor = joint
    chats = [chat_of(processor, cell, seed) for seed, cell in enumerate(CELLS)]
    together = batch_of(processor, *chats)
    assert together["video_values"].shape == (2, 8, 3, 32, 32)
    settings = {"max_new_tokens": 5, "do_sample": False, "eos_token_id": None}
    with torch.no_grad():
        logits = model(**together).logits[:, -1]
        said = model.generate(**together, **settings)[:, -5:]
        for row, chat in enumerate(chats):
            alone = batch_of(processor, chat)
            torch.testing.assert_close(model(**alone).logits[0, -1], logits[row], rtol=1e-4, atol=1e-5)
            assert torch.equal(model.generate(**alone, **settings)[0, -5:], said[row])


def test_beams_keep_each_row_its_clips(joint):
    model, processor = joint
    chats = [chat_of(processor, cell, seed) for seed, cell in enumerate(CELLS)]
    settings = {"max_new_tokens": 5, "num_beams": 2, "do_sample": False, "eos_token_id": None}
    together = model.generate(**batch_of(processor, *chats), **settings)[:, -5:]
    for row, chat in enumerate(chats):
        assert torch.equal(model.generate(**batch_of(processor, chat), **settings)[0, -5:], together[row])


def test_the_video_is_read_once_and_changes_the_answer(joint):
    model, processor = joint
    calls = []
    handle = model.vimonet.video_tower.register_forward_hook(lambda *_: calls.append(1))
    inputs = batch_of(processor, chat_of(processor, "both"))
    model.generate(**inputs, max_new_tokens=4, eos_token_id=None)
    handle.remove()
    assert len(calls) == 1
    with torch.no_grad():
        other = {**inputs, "video_values": inputs["video_values"].flip(1)}
        shifted = {**inputs, "video_times": inputs["video_times"] + 5}
        first = model(**inputs).logits[0, -1]
        for changed in (other, shifted):  # the order of frames, and when they were
            assert (model(**changed).logits[0, -1] - first).abs().max() > 1e-5


def test_interleaved_chat_with_several_clips(joint):
    model, processor = joint
    chat = [
        {
            "role": "user",
            "content": [
                {"type": "video", "video": tiny_video(seed=1)},
                {"type": "text", "text": "first, then"},
                {"type": "motion", "motion": tiny_motion(9)},
                {"type": "video", "video": tiny_video(seed=2), "frames": 3},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "walking"}]},
        {"role": "user", "content": [{"type": "motion", "motion": tiny_motion(8, dimensions=2)}]},
        {"role": "assistant", "content": [{"type": "text", "text": "to the left"}]},
    ]
    text = processor.apply_chat_template(chat)
    assert text == (
        "<|user|><|video|>first, then<|motion|><|video|><|assistant|>walking<|end|>"
        "<|user|><|keypoints|><|assistant|>to the left<|end|>"
    )
    batch = batch_of(processor, chat, answer=True, return_assistant_tokens_mask=True)
    ids, mask = batch["input_ids"][0], batch["assistant_masks"][0].bool()
    # The trap of DESIGN.md section 5: the supervised text must be right although placeholders grew.
    assert processor.decode(ids[mask]) == "walking<|end|>to the left<|end|>"
    assert batch["video_mask"].sum(1).tolist() == [8, 3]
    tokens = [processor.video_processor.num_tokens(n) for n in (8, 3)]
    assert tokens == [32, 27] and int((ids == processor.video_token_id).sum()) == sum(tokens)
    del batch["assistant_masks"]
    with torch.no_grad():
        assert torch.isfinite(model(**batch).logits).all()


def test_clips_of_different_lengths_equal_single_clips(joint):
    model, _ = joint
    values = torch.randn(3, 5, 3, 32, 32)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] * 5])
    times = torch.rand(3, 5).sort(1).values
    with torch.no_grad():
        together, _ = model.vimonet.get_video_features(values, mask, times)
        counts = [5, 3, 5]
        alone = [
            model.vimonet.get_video_features(values[i : i + 1, :n], None, times[i : i + 1, :n])[0]
            for i, n in enumerate(counts)
        ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["spatial", "temporal", "attentive", "none"])
@pytest.mark.parametrize("family", ["clip", "siglip2", "videomae", "vjepa2", "languagebind"])
def test_every_tower_saves_reloads_trains_and_generates(pooling, family, tmp_path):
    """Tiny-random version of every tower; the processor counts as the model does."""
    source = saved_backbone(family, tmp_path)
    tokenizer = tiny_tokenizer()
    _, reference = tiny_model()
    config = tiny_model(video_pooling=pooling, video_tokens=24)[0].config
    model = build_model(config, tokenizer, video_tower=source).eval()
    frames = build_video_processor(model.config, source)
    processor = build_processor(model.config, tokenizer, reference.feature_extractor, video_processor=frames)
    chats = [chat_of(processor, cell, 1, "to the left") for cell in CELLS]
    inputs = batch_of(processor, *chats, answer=True)
    for part in ("video_tower", "motion_tower"):
        get_parts(model)[part].requires_grad_(False)
    before = {name: value.clone() for name, value in model.vimonet.video_tower.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss = model.train()(**inputs, labels=inputs["input_ids"]).loss
    loss.backward()
    assert all(p.grad is not None for p in get_parts(model)["translators"].video.parameters())
    optimiser.step()
    assert all(torch.equal(value, before[name]) for name, value in model.vimonet.video_tower.state_dict().items())
    model.eval().save_pretrained(tmp_path / "joint")
    processor.save_pretrained(tmp_path / "joint")
    loaded, again = load_pretrained(tmp_path / "joint")
    usual = ViMoNetForConditionalGeneration.from_pretrained(tmp_path / "joint").eval()
    fresh = batch_of(again, *[chat_of(again, cell, 1) for cell in CELLS])
    with torch.no_grad():
        wanted = model(**batch_of(processor, *[chat_of(processor, cell, 1) for cell in CELLS])).logits
        assert torch.equal(loaded(**fresh).logits, wanted) and torch.equal(usual(**fresh).logits, wanted)
    said = [one.generate(**fresh, max_new_tokens=3, do_sample=False, eos_token_id=None) for one in (loaded, model)]
    assert torch.equal(*said)


def test_a_tower_brings_its_weights_into_the_model(tmp_path):
    source = saved_backbone("languagebind", tmp_path)
    model = build_model(tiny_model()[0].config, tiny_tokenizer(), video_tower=str(source))
    theirs = tiny_backbone("languagebind").state_dict()
    ours = model.vimonet.video_tower.backbone.state_dict()
    assert set(ours) == set(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert list(count_parameters(model)) == [
        "motion_tower",
        "keypoint_tower",
        "video_tower",
        "translators",
        "language_model",
    ]
    assert sum(count_parameters(model).values()) == sum(p.numel() for p in model.parameters())


def test_unpooled_tokens_are_the_paper_s():
    config = tiny_clip_config()
    config.image_size, config.patch_size = 224, 14
    model = tiny_model(video_config=config, video_pooling="none")[0]
    assert build_video_processor(model.config).num_tokens(8) == 2048
    model.config.video_pooling = "spatial"
    assert build_video_processor(model.config).num_tokens(8) == 240


def test_a_trained_model_gets_a_video_tower_and_answers_as_before_on_motion(tmp_path):
    model, processor = tiny_model()
    tokenizer = tiny_tokenizer()
    grown = add_video_tower(model, tokenizer, saved_backbone("clip", tmp_path), video_tokens=16).eval()
    assert len(tokenizer) == len(processor.tokenizer) + 1 == grown.config.text_config.vocab_size
    sees = build_processor(grown.config, tokenizer, processor.feature_extractor)
    old, new = (batch_of(p, *[chat_of(p, cell) for cell in ("motion", "neither")]) for p in (processor, sees))
    assert torch.equal(old["input_ids"], new["input_ids"])
    with torch.no_grad():
        torch.testing.assert_close(grown(**new).logits[..., :-1], model(**old).logits)
    with pytest.raises(ValueError, match="has a video tower already"):
        add_video_tower(grown, tokenizer, saved_backbone("clip", tmp_path))
    with pytest.raises(ValueError, match="Name a video tower"):
        add_video_tower(model, tokenizer)
    assert model.config.video_config is None


@pytest.mark.parametrize("pooling", ["spatial", "attentive"])
def test_bfloat16_and_autocast(pooling, tmp_path):
    model, processor = tiny_model(video_config=tiny_clip_config(), video_pooling=pooling, video_tokens=24)
    inputs = batch_of(processor, chat_of(processor, "both"))
    model.save_pretrained(tmp_path)
    half = ViMoNetForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    assert half.vimonet.video_tower.backbone.dtype == torch.bfloat16
    with torch.no_grad():
        logits = half(**inputs).logits
        torch.testing.assert_close(logits.float(), model(**inputs).logits, rtol=0.1, atol=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.train()(**inputs, labels=inputs["input_ids"]).loss
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_a_tower_s_own_preprocessor_settings_are_used(tmp_path):
    model = tiny_model(video_config=tiny_clip_config())[0]
    assert build_video_processor(model.config, tmp_path).image_mean[0] == pytest.approx(0.48145466)
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        (tmp_path / name).write_text(json.dumps({"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}))
        assert build_video_processor(model.config, tmp_path).image_mean == (0.1, 0.2, 0.3)
        (tmp_path / name).unlink()


def test_lora_leaves_the_video_tower_alone():
    from peft import get_peft_model

    model, processor = tiny_model(video_config=tiny_clip_config())
    wrapped = get_peft_model(model, lora_config(rank=2))
    trained = [name for name, p in wrapped.named_parameters() if p.requires_grad]
    assert not any("video_tower" in name for name in trained)
    assert any("translators" in name and ".video." in name for name in trained)
    with torch.no_grad():
        assert torch.isfinite(wrapped(**batch_of(processor, chat_of(processor, "both"))).logits).all()


def test_checkpoints_from_before_video_load_and_answer_the_same(tmp_path):
    """Their config and processor know nothing of video, and their tokenizer has no token for it."""
    model, processor = tiny_model()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    old = {key: value for key, value in config.items() if not key.startswith("video_") and key != "projector_time"}
    (tmp_path / "config.json").write_text(json.dumps(old))
    settings = json.loads((tmp_path / "processor_config.json").read_text())
    assert settings.pop("frames", None) is None
    (tmp_path / "processor_config.json").write_text(json.dumps(settings))
    template = (tmp_path / "chat_template.jinja").read_text()
    (tmp_path / "chat_template.jinja").write_text(
        template.replace("{%- elif part['type'] == 'video' -%}{{- '<|video|>' -}}\n", "")
    )
    loaded, again = load_pretrained(tmp_path)
    assert loaded.config.video_config is None and loaded.vimonet.video_tower is None
    assert "<|video|>" not in again.tokenizer.get_vocab() and "<|video|>" not in SPECIAL_TOKENS
    assert not any("video" in name for name in loaded.state_dict())
    chats = [chat_of(again, cell) for cell in ("motion", "neither")]
    with torch.no_grad():
        assert torch.equal(loaded(**batch_of(again, *chats)).logits, model(**batch_of(processor, *chats)).logits)
    assert isinstance(AutoProcessor.from_pretrained(tmp_path), ViMoNetProcessor)
    with pytest.raises(InputError, match="no video tower, so it cannot read video"):
        again.apply_chat_template(chat_of(again, "video"), tokenize=True, return_dict=True)


def test_the_processor_saves_and_loads_with_its_frames(joint, tmp_path):
    model, processor = joint
    processor.save_pretrained(tmp_path)
    model.config.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert loaded.video_processor.to_dict() == processor.video_processor.to_dict()
    chat = chat_of(processor, "both")
    first, second = (batch_of(p, chat) for p in (processor, loaded))
    assert set(first) == set(second) and all(torch.equal(first[name], second[name]) for name in first)
    assert {"video_values", "video_mask", "video_times"} <= set(loaded.model_input_names)
    # transformers' own name for them, nested as it nests them.
    text = processor.apply_chat_template(chat)
    direct = loaded(text=[text], motion=[tiny_motion(20)], videos=[[tiny_video()]], return_tensors="pt")
    assert torch.equal(
        direct["video_values"],
        loaded(text=[text], motion=tiny_motion(20), videos=tiny_video(), return_tensors="pt")["video_values"],
    )


def test_counts_that_differ_are_named(joint):
    _, processor = joint
    with pytest.raises(ValueError, match="1 video placeholders and 0 videos"):
        processor(text="<|video|>")
    with pytest.raises(ValueError, match=r"of 32 <\|video\|> tokens are left"):
        processor(text="<|video|>", videos=tiny_video(), truncation=True, max_length=3)


# --- frames


@pytest.mark.parametrize("name", ["land", "port", "up", "exact", "odd"])
def test_pictures_equal_the_published_transform(shared, name):
    data = np.load(shared / "golden" / "video_transform.npz")
    settings = {"image_mean": (0.48145466, 0.4578275, 0.40821073), "image_std": (0.26862954, 0.26130258, 0.27577711)}
    prepare = ViMoNetVideoProcessor(224, **settings, fit="crop", resample="bilinear", antialias=False)
    got = prepare.pixels(data[f"{name}_input_THWC_u8"]).numpy().transpose(1, 0, 2, 3)
    np.testing.assert_allclose(got, data[f"{name}_output_CTHW"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (40, 300), (31, 17), (64, 64)])
def test_pictures_of_any_shape_fit(fit, size):
    pictures = tiny_video(2, size=size)
    values = ViMoNetVideoProcessor(32, fit=fit).pixels(pictures)
    assert values.shape == (2, 3, 32, 32) and torch.isfinite(values).all() and values.abs().max() <= 1 + 1e-5


def test_pad_loses_nothing_at_the_sides():
    pictures = np.zeros((1, 20, 80, 3), np.uint8)
    pictures[:, :, -4:] = 255
    seen = {
        fit: float(ViMoNetVideoProcessor(32, fit=fit, resample="bilinear").pixels(pictures).max())
        for fit in ("crop", "pad")
    }
    assert seen["crop"] == -1 and seen["pad"] > 0.5


def test_footage_is_spread_over_the_span_and_told_in_its_time():
    pictures = np.arange(41, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    whole = as_video_frames(pictures, 8)
    assert whole.images[:, 0, 0, 0].tolist() == [0, 5, 11, 17, 22, 28, 34, 40] and whole.duration == 41 / 20
    part = as_video_frames(pictures, 3, start=1.0, end=2.0)
    assert part.images[:, 0, 0, 0].tolist() == [20, 30, 40] and part.times.tolist() == [0.0, 0.5, 1.0]
    assert as_video_frames(pictures[:1], 8).images.shape == (8, 2, 2, 3)
    assert as_video_frames(VideoFrames(pictures, np.arange(41) / 20), 8).times.tolist() == whole.times.tolist()
    for wrong in (pictures[0], pictures.astype(float), pictures[:0], pictures[..., :2]):
        with pytest.raises(InputError, match="expected frames"):
            as_video_frames(wrong, 8)
