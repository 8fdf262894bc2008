"""Composing: every family's form, all cells, saving and loading."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny_motion
from tiny_language import EOS, SHAPE, TOKENS, saved_language_model
from tiny_video import saved_backbone
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import vimonet
from vimonet.cli import main
from vimonet.cli.compose import _CHATS
from vimonet.model import MotionFeatureExtractor, MotionVQVAE, MotionVQVAEConfig
from vimonet.model.build import compose
from vimonet.model.chat_templates import CHOICES
from vimonet.model.conversion import convert
from vimonet.motion.features.body_features import BODY_DIM
from vimonet.utils.errors import InputError

END = {"vicuna": "</s>", "llama3": "<|eot_id|>", "qwen": "<|im_end|>", "vimonet": "<|end|>"}
WANTED = {
    "vicuna": "<s>Be brief. USER: <|motion|>\n<|video|>\nWhat is it? ASSISTANT: a walk</s>",
    "llama3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\n<|motion|>\n<|video|>\nWhat is it?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\na walk<|eot_id|>",
    "qwen": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<|motion|>\n<|video|>\nWhat is it?<|im_end|>\n"
    "<|im_start|>assistant\na walk<|im_end|>\n",
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """Tiny parts on disk: a language model per family, a video tower, a motion tokenizer."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("parts")
    for family in TOKENS:
        saved_language_model(family, root)
    sizes = {"width": 16, "code_dim": 24, "num_codes": 16, "depth": 1}
    MotionVQVAE(MotionVQVAEConfig(input_dim=BODY_DIM, **sizes)).save_pretrained(root / "motion")
    MotionFeatureExtractor(mean=np.zeros(BODY_DIM), std=np.ones(BODY_DIM)).save_pretrained(root / "motion")
    saved_backbone("clip", root)
    saved_backbone("languagebind", root)
    return root


def made(disk, family, **settings):
    return compose(disk / family, video=disk / "clip", motion_tokenizer=disk / "motion", **settings)


@pytest.mark.parametrize("family", TOKENS)
def test_a_family_is_known_by_its_tokens_and_keeps_its_end(disk, family, tmp_path):
    composed = made(disk, family, video_tokens=32)
    tokenizer = composed.processor.tokenizer
    assert (composed.chat, composed.end, tokenizer.eos_token) == (family, END[family], END[family])
    assert {"<|motion|>", "<|video|>", "<|keypoints|>", "<|pad|>"} <= set(composed.added)
    assert composed.grown == (0 if family == "qwen" else len(composed.added))
    composed.save(tmp_path)
    again = vimonet.load(tmp_path)
    assert again.processor.tokenizer.eos_token == END[family]
    stops = again.model.generation_config.eos_token_id
    stops = stops if isinstance(stops, list) else [stops]
    wanted = {END[family], EOS[family]}
    assert set(tokenizer.convert_ids_to_tokens(stops)) == wanted
    pictures = np.random.default_rng(0).integers(0, 255, (8, 40, 48, 3), np.uint8)
    motion = tiny_motion()
    for clips in ({}, {"motion": motion}, {"video": pictures}, {"motion": motion, "video": pictures}):
        answer = again.ask("What is it?", **clips, max_new_tokens=3)
        assert answer.inputs_read == tuple(clips)


@pytest.mark.parametrize("family", WANTED)
def test_templates_say_what_the_family_was_trained_on(disk, family):
    composed = made(disk, family, system="Be brief.")
    pictures = np.zeros((8, 32, 32, 3), np.uint8)
    messages = composed.processor.messages("What is it?", tiny_motion(), "a walk", video=pictures)
    assert composed.processor.apply_chat_template(messages, tokenize=False) == WANTED[family]
    own = [{"role": "system", "content": "Be long."}, *messages[:1]]
    asked = composed.processor.apply_chat_template(own, tokenize=False, add_generation_prompt=True)
    answer = {"vicuna": " a walk</s>", "llama3": "a walk<|eot_id|>", "qwen": "a walk<|im_end|>\n"}[family]
    assert asked == WANTED[family].removesuffix(answer).replace("brief", "long")
    inputs = composed.processor.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_tensors="pt", return_assistant_tokens_mask=True
    )
    ids = inputs["input_ids"][0]
    supervised = composed.processor.tokenizer.decode(ids[torch.as_tensor(inputs["assistant_masks"][0]).bool()])
    assert supervised == answer.rstrip("\n")
    bos = composed.processor.tokenizer.bos_token_id
    assert bos is None or int((ids == bos).sum()) == 1


def test_parts_keep_their_weights(disk):
    composed = made(disk, "vicuna", video_pooling="none")
    language = LlamaForCausalLM.from_pretrained(disk / "vicuna").state_dict()
    ours = composed.model.language_model.state_dict()
    for name, value in language.items():
        assert torch.equal(ours[name][: len(value)], value), name
    tower = MotionVQVAE.from_pretrained(disk / "motion").encoder.state_dict()
    assert all(torch.equal(composed.model.vimonet.motion_tower.state_dict()[k], v) for k, v in tower.items())
    assert composed.processor.video_processor.num_tokens(8) == 8 * 16
    again = made(disk, "vicuna", video_pooling="none")
    theirs = again.model.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in composed.model.state_dict().items())
    other = made(disk, "vicuna", seed=1).model.vimonet.translators.motion.linear.weight
    assert not torch.equal(other, composed.model.vimonet.translators.motion.linear.weight)


def test_released_video_branch_runs_and_gives_its_numbers(disk, shared, tmp_path, capsys):
    """LanguageBind, projector and language model joined as MotionLLM joins them: 8 frames, every patch, no norm."""
    golden = shared / "golden"
    (tmp_path / "lb").mkdir()
    state = {f"vision_model.{k}": v for k, v in load_file(golden / "lb_video_tiny.safetensors").items()}
    state = {k.replace("vision_model.vision_model.", "vision_model."): v for k, v in state.items()}
    save_file(state, tmp_path / "lb" / "model.safetensors")
    vision = {"add_time_attn": True, "hidden_act": "gelu", "num_attention_heads": 4, "layer_norm_eps": 1e-5}
    (tmp_path / "lb" / "config.json").write_text(json.dumps({"vision_config": vision}))
    projector = load_file(golden / "projector_tiny.safetensors")
    convert("video-llava", [golden / "projector_tiny.safetensors"], tmp_path / "llava")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(disk / "vicuna")
    sizes = {**SHAPE, "hidden_size": 96}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(tmp_path / "llm")
    tokenizer.save_pretrained(tmp_path / "llm")
    parts = ["--llm", str(tmp_path / "llm"), "--video", str(tmp_path / "lb"), "--projector-weights"]
    out = tmp_path / "out"
    assert main(["compose", *parts, str(tmp_path / "llava"), "--chat", "motionllm", "-o", str(out)]) == 0
    assert "new, untrained" not in capsys.readouterr().out
    model = vimonet.load(out)
    io = np.load(golden / "lb_video_tiny_io.npz")
    with torch.no_grad():
        got, _ = model.model.vimonet.get_video_features(torch.from_numpy(io["input"]).transpose(1, 2))
        linear = torch.nn.functional.linear
        hidden = linear(
            torch.from_numpy(io["gelu/selected_patch"][0]),
            projector["mm_projector.0.weight"],
            projector["mm_projector.0.bias"],
        )
        wanted = linear(
            torch.nn.functional.gelu(hidden), projector["mm_projector.2.weight"], projector["mm_projector.2.bias"]
        )
    assert got.shape == (8 * 16, 96)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5)
    pictures = np.random.default_rng(0).integers(0, 255, (8, 60, 60, 3), np.uint8)
    assert model.ask("What is done?", video=pictures, max_new_tokens=2).inputs_read == ("video",)
    messages = model.processor.messages("What is done?", video=pictures)
    asked = model.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert asked == "<s>USER: What is done? \n INPUT_VIDEO: <|video|>. ASSISTANT: "
    blind = model.processor.apply_chat_template(
        model.processor.messages("What?"), tokenize=False, add_generation_prompt=True
    )
    assert blind == "<s>USER: What? ASSISTANT: "

    with pytest.raises(InputError, match="does not fit between"):
        compose(disk / "vicuna", video=tmp_path / "lb", projector_weights=tmp_path / "llava")
    with pytest.raises(InputError, match=r"no projector\.safetensors"):
        compose(disk / "vicuna", video=tmp_path / "lb", projector_weights=disk)
    with pytest.raises(InputError, match="no video tower"):
        compose(disk / "vicuna", motion_tokenizer=disk / "motion", projector_weights=tmp_path / "llava")


def test_motionllm_in_one_command(disk, tmp_path, capsys):
    torch.manual_seed(0)
    llm = LlamaForCausalLM.from_pretrained(disk / "vicuna")
    lora = {}
    for layer in range(2):
        lora[f"transformer.h.{layer}.attn.attn.lora_A"] = torch.randn(4, 32)
        lora[f"transformer.h.{layer}.attn.attn.lora_B"] = torch.randn(64, 2)
    shapes = {"0.weight": (32, 32), "0.bias": (32,), "2.weight": (32, 32), "2.bias": (32,)}
    projector = {name: torch.randn(shape) for name, shape in shapes.items()}
    torch.save(lora, tmp_path / "lora.pth")
    torch.save(projector, tmp_path / "mlp.pth")
    llm.config.num_key_value_heads = 4
    base = LlamaForCausalLM(llm.config)
    base.save_pretrained(tmp_path / "base")
    PreTrainedTokenizerFast.from_pretrained(disk / "vicuna").save_pretrained(tmp_path / "base")
    files = [str(tmp_path / "lora.pth"), str(tmp_path / "mlp.pth")]
    command = ["convert", "motionllm", *files, "--video", str(disk / "languagebind"), "-o", str(tmp_path / "out")]
    assert main(command) == 2
    assert "name Vicuna's folder" in capsys.readouterr().err
    assert main([*command, "--base", str(tmp_path / "base"), "--system", "Be kind."]) == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.t*")) == ["conversion.txt"]
    model = vimonet.load(tmp_path / "out")
    ours = model.model.vimonet.translators.video.translator.state_dict()
    assert torch.equal(ours["linear_2.weight"], projector["2.weight"])
    pictures = np.random.default_rng(0).integers(0, 255, (8, 60, 60, 3), np.uint8)
    assert model.ask("What is done?", video=pictures, max_new_tokens=2).inputs_read == ("video",)
    asked = model.processor.apply_chat_template(model.processor.messages("Q?"), tokenize=False)
    assert asked == "<s>Be kind. USER: Q? "


def test_half_precision_and_one_tower(disk, tmp_path):
    composed = compose(disk / "vicuna", video=disk / "languagebind", dtype="bfloat16")
    assert {parameter.dtype for parameter in composed.model.parameters()} == {torch.bfloat16}
    assert composed.model.vimonet.motion_tower is None
    composed.save(tmp_path)
    again = vimonet.load(tmp_path)
    assert again.model.dtype == torch.bfloat16
    assert again.ask("What is it?", video=np.zeros((8, 32, 32, 3), np.uint8), max_new_tokens=2).inputs_read == (
        "video",
    )
    with pytest.raises(InputError, match="only reads video"):
        again.ask("What is it?", tiny_motion())


def test_command(disk, tmp_path, capsys):
    out = tmp_path / "out"
    parts = ["--llm", str(disk / "qwen"), "--video", str(disk / "clip"), "--motion-tokenizer", str(disk / "motion")]
    assert main(["compose", *parts, "-o", str(out), "--projector", "attentive", "--video-tokens", "64"]) == 0
    printed = capsys.readouterr().out
    assert "chat template: qwen; an answer ends with <|im_end|>" in printed
    assert "a video is 8 frames and 64 tokens" in printed and "(new, untrained)" in printed
    config = json.loads((out / "config.json").read_text())
    assert config["projector"] == "attentive" and config["video_tokens"] == 64
    card = (out / "README.md").read_text()
    assert f"| language model | {disk / 'qwen'} |" in card and "# out\n" in card
    assert f"vimonet compose --llm {disk / 'qwen'}" in card and "## Training data\n\nNone." in card
    assert main(["ask", "sample:walk", "What?", "-m", str(out)]) == 0


def test_bad_parts_are_one_sentence(disk, tmp_path, capsys):
    bare = tmp_path / "bare"
    MotionVQVAE.from_pretrained(disk / "motion").save_pretrained(bare)
    (tmp_path / "partial").mkdir()
    for file in (disk / "llama3").iterdir():
        (tmp_path / "partial" / file.name).write_bytes(file.read_bytes())
    state = load_file(disk / "llama3" / "model.safetensors")
    save_file({k: v for k, v in state.items() if "norm" not in k}, tmp_path / "partial" / "model.safetensors")
    llm, clip, motion = str(disk / "llama3"), str(disk / "clip"), str(disk / "motion")
    for arguments, message in (
        (["--llm", llm], "name a video tower"),
        (["--llm", llm, "--motion-tokenizer", str(bare)], "convert it again with --mean and --std"),
        (["--llm", llm, "--motion-tokenizer", clip], "model type is 'clip'"),
        (["--llm", str(tmp_path / "partial"), "--video", clip], "the weights lack 5 tensors"),
        (["--llm", str(tmp_path), "--video", clip], "no language model can be loaded"),
        (["--llm", llm, "--video", str(tmp_path)], "no video tower can be loaded"),
        (["--llm", llm, "--video", clip, "--chat", "qwen"], "lacks <|im_start|>"),
        (["--llm", llm, "--video", clip, "--dtype", "int8"], "dtype 'int8' is not known"),
        (["--llm", llm, "--video", clip, "--video-tokens", "0"], "video_tokens is 0"),
        (["--llm", str(disk / "vimonet"), "--motion-tokenizer", motion, "--system", "x"], "no system text"),
    ):
        assert main(["compose", *arguments, "-o", str(tmp_path / "out")]) == 2, message
        error = capsys.readouterr().err
        assert message in error and "Traceback" not in error
        assert not list(tmp_path.glob("out*"))


def test_choices_are_those_of_the_library():
    assert _CHATS == CHOICES
