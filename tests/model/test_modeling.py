from __future__ import annotations

import threading

import pytest
import torch
from tiny import batch_of, tiny_config, tiny_model, tiny_motion, tiny_tokenizer
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    GPT2Config,
    LlamaForCausalLM,
    Qwen3Config,
    TextIteratorStreamer,
)

from vimonet.model import (
    MotionVQVAE,
    ViMoNetForConditionalGeneration,
    ViMoNetModel,
    build_model,
    count_parameters,
    get_parts,
    lora_config,
)


def three_chats(processor):
    """Clips of different lengths and kinds, and none at all."""
    return [
        processor.messages("which way does the person turn", tiny_motion(61)),
        processor.messages("what", tiny_motion(17, seed=1)),
        processor.messages("describe the movement", tiny_motion(30, dimensions=2)),
        processor.messages("which arm"),
        [
            *processor.messages("which arm", tiny_motion(9, seed=2), "the left arm"),
            *processor.messages("and here", tiny_motion(23, dimensions=2, seed=3)),
        ],
    ]


@pytest.mark.parametrize("name", ["tiny", "attentive"])
def test_a_padded_batch_equals_single_samples(name, request):
    model, processor = request.getfixturevalue(name)
    chats = three_chats(processor)
    with torch.no_grad():
        together = model(**batch_of(processor, *chats)).logits[:, -1]
        for row, chat in enumerate(chats):
            alone = model(**batch_of(processor, chat)).logits[0, -1]
            torch.testing.assert_close(together[row], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["tiny", "attentive"])
@pytest.mark.parametrize("options", [{}, {"num_beams": 2}, {"use_cache": False}], ids=["greedy", "beams", "no cache"])
def test_batched_generation_equals_single(name, options, request):
    model, processor = request.getfixturevalue(name)
    chats = three_chats(processor)
    settings = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, **options}
    together = model.generate(**batch_of(processor, *chats), **settings)[:, -6:]
    for row, chat in enumerate(chats):
        torch.testing.assert_close(
            together[row : row + 1], model.generate(**batch_of(processor, chat), **settings)[:, -6:]
        )


def test_several_clips_in_one_row_stay_a_group_when_repeated(tiny):
    model, processor = tiny
    first, second = tiny_motion(9), tiny_motion(30, seed=5)
    chat = [{"role": "user", "content": [{"type": "motion", "motion": m} for m in (first, second)]}]
    other = processor.messages("what", tiny_motion(12, seed=6))
    inputs = batch_of(processor, chat, other)
    ids, expanded = model._expand_inputs_for_generation(expand_size=2, **inputs)
    lengths = expanded["motion_mask"].sum(1).tolist()
    assert lengths == [9, 30, 9, 30, 12, 12] and len(ids) == 4
    with torch.no_grad():
        logits = model(input_ids=ids, **expanded).logits[:, -1]
        torch.testing.assert_close(logits[::2], model(**inputs).logits[:, -1])


def test_cached_steps_equal_the_whole_sequence(tiny):
    model, processor = tiny
    inputs = batch_of(processor, *three_chats(processor))
    out = model.generate(
        **inputs, max_new_tokens=5, do_sample=False, eos_token_id=None, return_dict_in_generate=True, output_logits=True
    )
    grown = torch.nn.functional.pad(inputs["attention_mask"], (0, 5), value=1)
    with torch.no_grad():
        positions = (grown.cumsum(-1) - 1).clamp_min(0)
        whole = model(
            **{**inputs, "input_ids": out.sequences, "attention_mask": grown, "position_ids": positions}
        ).logits
    torch.testing.assert_close(torch.stack(out.logits, 1), whole[:, -6:-1], rtol=1e-4, atol=1e-5)


def test_motion_is_read_in_the_first_step_only(tiny):
    model, processor = tiny
    calls = []
    handle = model.vimonet.motion_tower.register_forward_hook(lambda *_: calls.append(1))
    model.generate(
        **batch_of(processor, processor.messages("what", tiny_motion(20))), max_new_tokens=4, eos_token_id=None
    )
    handle.remove()
    assert len(calls) == 1


def test_the_motion_changes_the_answer(tiny):
    model, processor = tiny
    with torch.no_grad():
        logits = [
            model(**batch_of(processor, processor.messages("what", tiny_motion(20, seed=seed)))).logits[0, -1]
            for seed in (0, 1)
        ]
    assert (logits[0] - logits[1]).abs().max() > 1e-4


def test_4d_masks_and_positions_pass_through(tiny):
    """Two questions packed behind one motion, each seeing the motion and itself, equal two single samples."""
    model, processor = tiny
    clip = tiny_motion(20)
    one, two = (batch_of(processor, processor.messages(q, clip)) for q in ("which way", "which arm is raised"))
    prefix = 1 + int((one["input_ids"] == processor.motion_token_id).sum())
    blocks = [one["input_ids"][0, prefix:], two["input_ids"][0, prefix:]]
    ids = torch.cat([one["input_ids"][0, :prefix], *blocks])[None]
    owner = torch.tensor([0] * prefix + [1] * len(blocks[0]) + [2] * len(blocks[1]))
    allowed = ((owner[:, None] == owner) | (owner == 0)).tril()
    positions = torch.cat([torch.arange(prefix), *(prefix + torch.arange(len(b)) for b in blocks)])[None]
    with torch.no_grad():
        packed = model(
            input_ids=ids,
            attention_mask=allowed[None, None],
            position_ids=positions,
            motion_values=one["motion_values"],
            motion_mask=one["motion_mask"],
        ).logits[0]
        for single, end in ((one, prefix + len(blocks[0])), (two, len(owner))):
            torch.testing.assert_close(packed[end - 1], model(**single).logits[0, -1], rtol=1e-4, atol=1e-5)


def test_counts_that_differ_are_both_named(tiny):
    model, processor = tiny
    inputs = batch_of(processor, processor.messages("what", tiny_motion(20)))
    inputs["motion_values"], inputs["motion_mask"] = inputs["motion_values"][:, :16], inputs["motion_mask"][:, :16]
    with pytest.raises(ValueError, match="5 motion placeholder tokens and the motion clips give 4 features"):
        model(**inputs)


def test_a_kind_without_a_tower_is_refused():
    model, processor = tiny_model(keypoint_config=None)
    with pytest.raises(ValueError, match="no keypoint tower"):
        model(**batch_of(processor, processor.messages("what", tiny_motion(8, dimensions=2))))


def test_loss_is_on_labels_only_and_reaches_every_part(tiny):
    model, processor = tiny
    chats = [
        processor.messages("which way", tiny_motion(20), "to the left"),
        processor.messages("what", tiny_motion(9, dimensions=2), "walking"),
    ]
    inputs = batch_of(processor, *chats, answer=True, return_assistant_tokens_mask=True)
    mask = inputs.pop("assistant_masks").bool()
    labels = inputs["input_ids"].masked_fill(~mask, -100)
    out = model(**inputs, labels=labels)
    target, logits = labels[:, 1:], out.logits[:, :-1]
    torch.testing.assert_close(out.loss, torch.nn.functional.cross_entropy(logits[target >= 0], target[target >= 0]))
    out.loss.backward()
    for name, part in get_parts(model).items():
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters()), name
    model.zero_grad(set_to_none=True)


def test_attention_weights_of_the_translator_come_back(attentive):
    model, processor = attentive
    with torch.no_grad():
        out = model(
            **batch_of(
                processor, processor.messages("what", tiny_motion(20)), processor.messages("what", tiny_motion(8))
            )
        )
    weights = out.projector_attentions["motion"]
    assert weights.shape == (2, 4, 5, 5)
    assert weights[1, ..., 2:].abs().max() == 0


@pytest.mark.parametrize("translator", ["linear", "mlp", "attentive"])
@pytest.mark.parametrize("tied", [False, True])
def test_saves_and_loads_bit_identical(translator, tied, tmp_path):
    config = tiny_config(projector=translator)
    config.text_config.tie_word_embeddings = tied
    model = build_model(config, tiny_tokenizer()).eval()
    _, processor = tiny_model(projector=translator)
    model.save_pretrained(tmp_path)
    inputs = batch_of(processor, *three_chats(processor))
    with torch.no_grad():
        wanted = model(**inputs).logits
        for auto in (AutoModelForCausalLM, ViMoNetForConditionalGeneration):
            loaded = auto.from_pretrained(tmp_path)
            assert isinstance(loaded, ViMoNetForConditionalGeneration)
            state = model.state_dict()
            assert set(state) == set(loaded.state_dict())
            assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
            assert torch.equal(loaded.eval()(**inputs).logits, wanted)
    assert loaded.generation_config.eos_token_id == processor.tokenizer.eos_token_id


def test_the_body_loads_from_the_whole(tiny, tmp_path):
    model, processor = tiny
    model.save_pretrained(tmp_path)
    body = AutoModel.from_pretrained(tmp_path).eval()
    assert isinstance(body, ViMoNetModel)
    inputs = batch_of(processor, *three_chats(processor))
    with torch.no_grad():
        hidden = body(**inputs).last_hidden_state
        torch.testing.assert_close(model.get_output_embeddings()(hidden), model(**inputs).logits)


@pytest.mark.parametrize(
    "text_config",
    [
        GPT2Config(n_embd=32, n_layer=1, n_head=2, n_positions=256, bos_token_id=None),
        Qwen3Config(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
        ),
    ],
    ids=["gpt2", "qwen3"],
)
def test_any_causal_language_model(text_config):
    model, processor = tiny_model(text_config=text_config)
    out = model.generate(**batch_of(processor, *three_chats(processor)), max_new_tokens=3, eos_token_id=None)
    assert out.shape[0] == 5 and type(model.language_model.config) is type(text_config)


def test_build_model_takes_pretrained_parts_and_grows_embeddings():
    config = tiny_config()
    config.text_config.vocab_size = 300
    language_model = LlamaForCausalLM(config.text_config)
    tower = MotionVQVAE(config.motion_config)
    tokenizer = tiny_tokenizer()
    assert len(tokenizer) > 300
    model = build_model(config, tokenizer, language_model=language_model, motion_tower=tower)
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer) == model.config.text_config.vocab_size
    assert torch.equal(model.get_input_embeddings().weight[:300], language_model.get_input_embeddings().weight[:300])
    assert torch.equal(model.vimonet.motion_tower.output.weight, tower.encoder.output.weight)
    assert model.config.motion_token_id == tokenizer.convert_tokens_to_ids("<|motion|>")
    assert config.motion_token_id is None  # the caller's config stays as it was


def test_only_the_encoder_is_kept(tiny):
    assert not any("decoder" in name or "quantizer" in name for name in tiny[0].state_dict())


def test_parts_hold_every_parameter_once(tiny):
    model, _ = tiny
    counts = count_parameters(model)
    assert list(counts) == ["motion_tower", "keypoint_tower", "translators", "language_model"]
    assert sum(counts.values()) == sum(p.numel() for p in model.parameters())


def test_lora_adapts_the_language_model_only_and_reloads(tmp_path):
    from peft import PeftModel, get_peft_model

    model, processor = tiny_model()
    model.save_pretrained(tmp_path / "base")
    inputs = batch_of(processor, *three_chats(processor))
    wrapped = get_peft_model(model, lora_config(rank=2))
    trained = [name for name, p in wrapped.named_parameters() if p.requires_grad]
    assert all(("language_model" in name and "lora_" in name) or "translators" in name for name in trained)
    assert any("lora_" in name for name in trained) and any("translators" in name for name in trained)
    assert set(get_parts(wrapped)) == set(get_parts(tiny_model()[0]))
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
        wanted = wrapped.eval()(**inputs).logits
        wrapped.save_pretrained(tmp_path / "adapter")
        base = ViMoNetForConditionalGeneration.from_pretrained(tmp_path / "base").eval()
        assert not torch.allclose(base(**inputs).logits, wanted, atol=1e-3)
        loaded = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
        assert torch.equal(loaded(**inputs).logits, wanted)
        merged = loaded.merge_and_unload()
        torch.testing.assert_close(merged(**inputs).logits, wanted, rtol=1e-3, atol=1e-4)
        merged.save_pretrained(tmp_path / "merged")
    assert (
        ViMoNetForConditionalGeneration.from_pretrained(tmp_path / "merged").state_dict().keys()
        == tiny_model()[0].state_dict().keys()
    )


def test_bfloat16_answers(tiny, tmp_path):
    model, processor = tiny
    model.save_pretrained(tmp_path)
    half = ViMoNetForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    inputs = batch_of(processor, *three_chats(processor))
    with torch.no_grad():
        logits = half(**inputs).logits
    assert logits.dtype == torch.bfloat16 and torch.isfinite(logits).all()
    assert half.generate(**inputs, max_new_tokens=2).shape[0] == 5


def test_autocast_trains():
    model, processor = tiny_model(projector="attentive")
    inputs = batch_of(processor, processor.messages("which way", tiny_motion(20), "left"), answer=True)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.train()(**inputs, labels=inputs["input_ids"]).loss
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_gradient_checkpointing_gives_the_same_gradients():
    model, processor = tiny_model()
    inputs = batch_of(processor, processor.messages("which way", tiny_motion(20), "left"), answer=True)
    grads = []
    for on in (False, True):
        model.train().zero_grad()
        if on:
            model.gradient_checkpointing_enable()
        model(**inputs, labels=inputs["input_ids"], use_cache=False).loss.backward()
        grads.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    assert any(getattr(m, "gradient_checkpointing", False) for m in model.modules())
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, rtol=1e-4, atol=1e-6)


def test_streaming_gives_the_generated_text(tiny):
    model, processor = tiny
    inputs = batch_of(processor, processor.messages("which way", tiny_motion(20)))
    streamer = TextIteratorStreamer(processor.tokenizer, skip_prompt=True, timeout=60)
    settings = {"max_new_tokens": 8, "do_sample": False}
    worker = threading.Thread(target=model.generate, kwargs={**inputs, **settings, "streamer": streamer})
    worker.start()
    pieces = list(streamer)
    worker.join()
    whole = model.generate(**inputs, **settings)[0, inputs["input_ids"].shape[1] :]
    assert "".join(pieces) == processor.decode(whole)
