from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from vimonet.model import LanguageBindVideoConfig, LanguageBindVideoModel, MotionFeatureExtractor, MotionVQVAE
from vimonet.model.conversion import REPORT, convert
from vimonet.model.conversion.convert_motionllm import convert_lit_llama, convert_lora, merge_lora
from vimonet.model.conversion.convert_video_llava import convert_projector
from vimonet.model.weight_files import read_tensors
from vimonet.utils.errors import InputError

HEADS = 4


@pytest.fixture(scope="module")
def golden(shared: Path) -> Path:
    return shared / "golden"


@pytest.fixture(scope="module")
def full(golden: Path) -> dict:
    return json.loads((golden / "llm_full_keys.json").read_text())


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[LlamaForCausalLM, list[Path]]:
    """A random Llama, and files as MotionLLM's for it: lit-gpt's layout, a LoRA and a projector."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        rms_norm_eps=1e-5,
    )
    model = LlamaForCausalLM(config).eval()
    folder = tmp_path_factory.mktemp("motionllm")
    state = model.state_dict()
    lit = {"lm_head.weight": state["lm_head.weight"], "transformer.wte.weight": state["model.embed_tokens.weight"]}
    lit["transformer.ln_f.weight"] = state["model.norm.weight"]
    lora = {}
    for layer in range(2):
        theirs, ours = f"transformer.h.{layer}", f"model.layers.{layer}"
        qkv = [state[f"{ours}.self_attn.{part}_proj.weight"].view(HEADS, 4, 16) for part in "qkv"]
        lit[f"{theirs}.attn.attn.weight"] = torch.stack(qkv, 1).reshape(48, 16)
        lit[f"{theirs}.attn.proj.weight"] = state[f"{ours}.self_attn.o_proj.weight"]
        lit[f"{theirs}.norm_1.weight"] = state[f"{ours}.input_layernorm.weight"]
        lit[f"{theirs}.norm_2.weight"] = state[f"{ours}.post_attention_layernorm.weight"]
        for name, own in (("fc_1", "gate_proj"), ("fc_2", "up_proj"), ("proj", "down_proj")):
            lit[f"{theirs}.mlp.{name}.weight"] = state[f"{ours}.mlp.{own}.weight"]
        lora[f"{theirs}.attn.attn.lora_A"] = torch.randn(4, 16)
        lora[f"{theirs}.attn.attn.lora_B"] = torch.randn(32, 2)
    projector = {"0.weight": torch.randn(16, 8), "0.bias": torch.randn(16), "2.weight": torch.randn(16, 16)}
    projector["2.bias"] = torch.randn(16)
    files = [folder / name for name in ("lit_model.pth", "lora.pth", "projector.safetensors")]
    torch.save(lit, files[0])
    torch.save(lora, files[1])
    save_file(projector, files[2])
    return model, files


def logits(model: torch.nn.Module, **inputs: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return model.eval()(**inputs).logits.numpy()


def llama(state: dict, config: LlamaConfig) -> LlamaForCausalLM:
    model = LlamaForCausalLM(config)
    model.load_state_dict(state)
    return model


def test_motionllm_reproduces_its_numbers(golden: Path, tmp_path: Path) -> None:
    base = load_file(golden / "llm_tiny_base.safetensors")
    io = np.load(golden / "llm_tiny_io.npz")
    tokens, mixed = torch.from_numpy(io["tokens"]), torch.from_numpy(io["inputs_embeds_mixed"])
    state, config, report = convert_lit_llama(base, heads=HEADS)
    assert set(report.renamed) == set(base) and report.unused == ()
    np.testing.assert_allclose(logits(llama(state, config), input_ids=tokens), io["logits_tokens_base_only"], atol=1e-6)

    adapter = convert_lora(load_file(golden / "llm_tiny_lora.safetensors"), heads=HEADS)
    adapter.save(tmp_path)
    peft = PeftModel.from_pretrained(llama(state, config), tmp_path)
    np.testing.assert_allclose(logits(peft, input_ids=tokens), io["logits_tokens"], rtol=0, atol=3.6e-6)
    np.testing.assert_allclose(logits(peft, inputs_embeds=mixed), io["logits_mixed"], rtol=0, atol=2e-6)

    merge_lora(state, adapter)
    merged = llama(state, config)
    # The peer's own merging moves its logits by as much (llm_full_keys.json, tol.merged_vs_unmerged).
    np.testing.assert_allclose(logits(merged, input_ids=tokens), io["logits_tokens"], rtol=0, atol=4.1e-6)
    np.testing.assert_allclose(logits(merged, inputs_embeds=mixed), io["logits_mixed"], rtol=0, atol=4.1e-6)
    for key, rows in load_file(golden / "llm_tiny_merged_qkv.safetensors").items():
        layer = key.split(".")[2]
        own = [state[f"model.layers.{layer}.self_attn.{part}_proj.weight"].view(HEADS, 16, 64) for part in "qkv"]
        np.testing.assert_allclose(torch.stack(own, 1).reshape(192, 64), rows, rtol=0, atol=1e-6)


def test_motionllm_generates_the_same_answer_with_a_cache(golden: Path) -> None:
    state, config, _ = convert_lit_llama(load_file(golden / "llm_tiny_base.safetensors"), heads=HEADS)
    merge_lora(state, convert_lora(load_file(golden / "llm_tiny_lora.safetensors"), heads=HEADS))
    model = llama(state, config).eval()
    io, wanted = np.load(golden / "llm_tiny_io.npz"), np.load(golden / "llm_tiny_generate.npz")
    options = {"max_new_tokens": 16, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    said = model.generate(inputs_embeds=torch.from_numpy(io["inputs_embeds_mixed"]), **options)
    np.testing.assert_array_equal(said[0], wanted["mixed_greedy"][32:])
    asked = torch.from_numpy(wanted["tokens_greedy"][None, :24])
    np.testing.assert_array_equal(model.generate(asked, **options)[0], wanted["tokens_greedy"])


def test_the_lora_reaches_the_rows_it_reached_in_training(golden: Path) -> None:
    rows = json.loads((golden / "llm_lora_row_map.json").read_text())["rows"]
    lora = {"lora_A": torch.ones(2, 4096), "lora_B": torch.ones(8192, 1)}
    adapter = convert_lora({f"transformer.h.0.attn.attn.{name}": value for name, value in lora.items()})
    for head, part, half in rows:
        block = adapter.tensors[f"model.layers.0.self_attn.{part}_proj.lora_B.weight"][head * 128 : head * 128 + 128]
        expected = {"A_first": [1.0, 0.0], "A_second": [0.0, 1.0], "none": [0.0, 0.0]}[half]
        assert (block == torch.tensor(expected)).all(), (head, part)


def test_every_key_of_full_size_has_its_place(full: dict) -> None:
    shapes = full["lit_model_keys"] | full["lora_keys"] | full["mm_projector_mlp2x_gelu"]
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    ours, config, report = convert_lit_llama(state)
    assert set(report.renamed) == set(full["lit_model_keys"])
    assert (config.num_attention_heads, config.num_hidden_layers, config.intermediate_size) == (32, 32, 11008)
    with torch.device("meta"):
        wanted = LlamaForCausalLM(config).state_dict()
    assert {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in wanted.items()}
    assert sum(value.numel() for value in ours.values()) == full["n_base"]

    adapter = convert_lora(state)
    assert set(adapter.report.renamed) == set(full["lora_keys"])
    assert (adapter.rank, adapter.alpha) == (128, 32)
    merge_lora(ours, adapter)
    assert all(ours[name].shape == wanted[name].shape for name in wanted)

    _, found = convert_projector(state)
    assert set(found.renamed) == set(full["mm_projector_mlp2x_gelu"])
    assert set(report.renamed) | set(adapter.report.renamed) | set(found.renamed) == set(shapes)


@pytest.mark.parametrize(
    ("name", "kind", "prefix"),
    [
        ("mm_projector_mlp2x_gelu", "mlp", ""),
        ("mm_projector_mlp2x_gelu", "mlp", "model.mm_projector."),
        ("motion_Projection", "linear", ""),
        ("motion_ProjectionNN", "mlp", ""),
    ],
)
def test_full_size_projectors(full: dict, name: str, kind: str, prefix: str) -> None:
    state = {prefix + key: torch.empty(shape, device="meta") for key, shape in full[name].items()}
    tower = "model.video_tower.encoder.layers.0.attn.proj.weight"
    projector, report = convert_projector({**state, tower: torch.empty(2, 2, device="meta")})
    assert set(report.renamed) == set(state) and report.unused == (tower,)
    assert report.config["kind"] == kind and report.config["output_dim"] == 4096
    assert sum(v.numel() for v in projector.values()) == sum(v.numel() for v in state.values())


def test_projector_reproduces_its_numbers(golden: Path, tmp_path: Path) -> None:
    state = load_file(golden / "projector_tiny.safetensors")
    conversion = convert("video-llava", [golden / "projector_tiny.safetensors"], tmp_path / "out")
    assert conversion.unused == ("input", "output")
    ours = load_file(tmp_path / "out" / "projector" / "projector.safetensors")
    x = torch.nn.functional.linear(state["input"], ours["linear_1.weight"], ours["linear_1.bias"])
    x = torch.nn.functional.linear(torch.nn.functional.gelu(x), ours["linear_2.weight"], ours["linear_2.bias"])
    np.testing.assert_allclose(x, state["output"], rtol=0, atol=2.7e-6)


def test_transformers_names_of_a_projector() -> None:
    names = {"linear_1.weight": (6, 4), "linear_1.bias": (6,), "linear_2.weight": (6, 6), "linear_2.bias": (6,)}
    state = {f"model.multi_modal_projector.{name}": torch.randn(shape) for name, shape in names.items()}
    projector, report = convert_projector(state)
    assert set(projector) == set(names) and report.config == {"kind": "mlp", "input_dim": 4, "output_dim": 6}


def test_motionllm_of_three_files(parts: tuple[LlamaForCausalLM, list[Path]], tmp_path: Path) -> None:
    """The merged model is the base plus the adapter, whichever way the base comes."""
    model, files = parts
    conversion = convert("motionllm", files, tmp_path / "lit", heads=HEADS)
    assert conversion.unused == () and [len(report.renamed) for report in conversion.reports] == [17, 4, 4]
    assert "renamed: transformer.wte.weight -> model.embed_tokens.weight" in (tmp_path / "lit" / REPORT).read_text()
    tokens = torch.arange(12)[None]
    merged = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "lit" / "language_model"), input_ids=tokens)

    model.save_pretrained(tmp_path / "base")
    convert("motionllm", files[1:], tmp_path / "hf", base=tmp_path / "base", adapter=True)
    kept = AutoModelForCausalLM.from_pretrained(tmp_path / "hf" / "language_model")
    np.testing.assert_allclose(logits(kept, input_ids=tokens), logits(model, input_ids=tokens), atol=1e-6)
    adapted = logits(PeftModel.from_pretrained(kept, tmp_path / "hf" / "adapter"), input_ids=tokens)
    np.testing.assert_allclose(adapted, merged, atol=1e-4)
    assert np.abs(adapted - logits(model, input_ids=tokens)).max() > 0.01

    convert("motionllm", files[1:], tmp_path / "apart", heads=HEADS)
    assert sorted(path.name for path in (tmp_path / "apart").iterdir()) == ["adapter", REPORT, "projector"]


def test_half_precision_stays(parts: tuple[LlamaForCausalLM, list[Path]], tmp_path: Path) -> None:
    _, files = parts
    half = {key: value.to(torch.bfloat16) for key, value in read_tensors(files[:1]).items()}
    torch.save(half, tmp_path / "lit_model.pth")
    convert("motionllm", [tmp_path / "lit_model.pth", *files[1:]], tmp_path / "out", heads=HEADS)
    saved = load_file(tmp_path / "out" / "language_model" / "model.safetensors")
    assert {value.dtype for value in saved.values()} == {torch.bfloat16}


def test_languagebind_loads_by_its_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LanguageBindVideoModel(LanguageBindVideoConfig(**sizes, image_size=28)).eval()
    state = {f"vision_model.{name}": value for name, value in model.state_dict().items()}
    (tmp_path / "lb").mkdir()
    torch.save({**state, "logit_scale": torch.ones(())}, tmp_path / "lb" / "pytorch_model.bin")
    vision = {"add_time_attn": True, "hidden_act": "gelu", "num_attention_heads": 4}
    (tmp_path / "lb" / "config.json").write_text(json.dumps({"vision_config": vision}))
    conversion = convert("languagebind", [tmp_path / "lb"], tmp_path / "tower")
    assert conversion.unused == ("logit_scale",)
    again = AutoModel.from_pretrained(tmp_path / "tower").eval()
    video = torch.randn(1, 8, 3, 28, 28)
    with torch.no_grad():
        assert torch.equal(model(video).last_hidden_state, again(video).last_hidden_state)


def test_motion_tokenizer_comes_with_its_statistics(golden: Path, tmp_path: Path) -> None:
    for name, values in (("mean", np.linspace(-1, 1, 263)), ("std", np.linspace(0.5, 2, 263))):
        np.save(tmp_path / f"{name}.npy", values)
    statistics = {name: tmp_path / f"{name}.npy" for name in ("mean", "std")}
    conversion = convert("t2m-gpt", [golden / "vqvae_small.safetensors"], tmp_path / "tokenizer", **statistics)
    assert len(conversion.reports[0].renamed) == 67 and conversion.unused == ()
    io = np.load(golden / "vqvae_small_io.npz")
    model = MotionVQVAE.from_pretrained(tmp_path / "tokenizer").eval()
    with torch.no_grad():
        np.testing.assert_array_equal(model.encode(torch.from_numpy(io["input"])), io["indices"])
    extractor = MotionFeatureExtractor.from_pretrained(tmp_path / "tokenizer")
    assert extractor.features == "humanml3d" and extractor.ratio == 4
    np.testing.assert_allclose(extractor.std, np.linspace(0.5, 2, 263), rtol=1e-6)


def test_what_is_wrong_is_said_and_nothing_is_left(parts: tuple[LlamaForCausalLM, list[Path]], tmp_path: Path) -> None:
    lit, lora, projector = parts[1]
    out = tmp_path / "out"
    state = read_tensors([lit])
    torch.save({k: v for k, v in state.items() if "h.1.mlp.fc_2" not in k}, tmp_path / "partial.pth")
    save_file({"0.weight": torch.ones(3, 8), "0.bias": torch.ones(3)}, tmp_path / "deep.safetensors")
    narrow = {
        "0.weight": torch.ones(6, 8),
        "0.bias": torch.ones(6),
        "2.weight": torch.ones(6, 6),
        "2.bias": torch.ones(6),
    }
    save_file(narrow, tmp_path / "narrow.safetensors")
    (tmp_path / "evil.pth").write_bytes(b"\x80\x02c__builtin__\nprint\n.")
    cases = [
        (["motionllm", [lit, lora, projector], {}], "width 16 does not tell"),
        (["motionllm", [lit, lora], {"heads": HEADS}], "no projector"),
        (["motionllm", [lit, projector], {"heads": HEADS}], "no LoRA"),
        (["motionllm", [tmp_path / "partial.pth", lora, projector], {"heads": HEADS}], r"layers\.1\.mlp\.up_proj"),
        (
            ["motionllm", [lora, tmp_path / "narrow.safetensors"], {"heads": HEADS}],
            "width 6 and the language model 16; give files of one model",
        ),
        (["motionllm", [lora, lora, projector], {"heads": HEADS}], "which an earlier file holds too"),
        (["motionllm", [lora, projector], {"base": tmp_path}], "config.json: missing"),
        (["video-llava", [tmp_path / "deep.safetensors"], {}], "expected one linear layer, or two"),
        (["video-llava", [tmp_path / "evil.pth"], {}], "evil.pth"),
        (["video-llava", [tmp_path / "absent.bin"], {}], "absent.bin: no such file"),
        (["languagebind", [lit, lora], {}], "one folder"),
        (["t2m-gpt", [lit], {"mean": lit}], "only one of --mean and --std"),
        (["clip", [lit], {}], "source 'clip' is not known"),
    ]
    for (source, files, options), message in cases:
        with pytest.raises(InputError, match=message):
            convert(source, files, out, **options)
        assert not list(tmp_path.glob("out*")), source
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        convert("motionllm", [lit, lora, projector], out, heads=HEADS)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    with pytest.raises(InputError, match="Is this its base"):
        merge_lora({}, convert_lora(read_tensors([lora]), heads=HEADS))
