"""The planner: shapes of models that are not there, the ledger, its arithmetic, a measured run, the command."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from training_world import TINY

from vimonet.cli import main
from vimonet.training.config import TrainingConfig, load_config, make_config
from vimonet.training.planner.memory import BUCKETS, GATHERED, GRADIENTS, LANGUAGE, OPTIMISER, WEIGHTS, Batch, Ledger
from vimonet.training.planner.meta_model import LANGUAGE_MODELS, VIDEO_TOWERS, build_on_meta, describe
from vimonet.training.planner.planning import Devices, Plan, Rows, make_plan, ways_to_fit
from vimonet.utils.errors import InputError

ROOT = Path(__file__).parents[2]
CPU = Devices(gpus=0)


def config_of(*overrides: str) -> TrainingConfig:
    return make_config({}, [*TINY, "motion.keypoints=false", "optim.lr.language_model=1e-3", *overrides])


def planned(*overrides: str, devices: Devices = CPU, **options: Any) -> Plan:
    return make_plan(config_of(*overrides), devices, **options)


# --- shapes ---


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("lmsys/vicuna-7b-v1.5", 6_738_415_616),
        ("Qwen/Qwen2.5-0.5B-Instruct", 494_032_768),
        ("Qwen/Qwen3-0.6B", 596_049_920),
        ("meta-llama/Llama-3.2-1B-Instruct", 1_235_814_400),
    ],
)
def test_published_shapes_have_the_published_number_of_parameters(name: str, parameters: int) -> None:
    config = make_config({}, [f"language.checkpoint={name}"])
    model = build_on_meta(describe(config, stage="pretrain-lm"))
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert all(p.device.type == "meta" for p in model.parameters())


def test_every_known_shape_is_one_of_transformers() -> None:
    for name in LANGUAGE_MODELS:
        assert describe(make_config({}, [f"language.checkpoint={name}"]), stage="pretrain-lm").num_hidden_layers >= 12
    for name in VIDEO_TOWERS:
        described = describe(config_of(f"video.checkpoint={name}"))
        assert described.video_config.hidden_size in (768, 1024)


def test_a_config_whose_model_is_still_to_be_made_is_followed_back_to_its_parts() -> None:
    path = ROOT / "configs/paper/instruct.yaml"
    described = describe(load_config(path), path)
    assert described.text_config.hidden_size == 4096 and described.text_config.num_hidden_layers == 32
    assert described.video_config.model_type == "languagebind_video" and described.video_pooling == "none"
    path = ROOT / "configs/nano/instruct.yaml"
    described = describe(load_config(path, ["model=runs/nowhere", "language.checkpoint=runs/nano/language"]), path)
    assert (
        described.text_config.num_hidden_layers == load_config(ROOT / "configs/nano/pretrain-lm.yaml").language.layers
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model=runs/nowhere"], "does not exist yet"),
        (["language.checkpoint=someone/else"], "not among the known shapes"),
        (["trainer.batch_size=3", "trainer.accumulation=2"], "must be a multiple"),
        (["trainer.max_tokens=20", "motion.max_frames=196"], "no room for a question"),
    ],
)
def test_what_cannot_be_planned_is_said(overrides: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        planned(*overrides)


@pytest.mark.parametrize(
    "wrong", [{"sharding": "half"}, {"name": "abacus"}, {"gpus": -1}, {"memory": 0.0}, {"utilisation": 1.5}]
)
def test_impossible_devices_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Devices(**wrong)


# --- arithmetic ---


def test_the_ledger_counts_what_is_alive() -> None:
    ledger = Ledger({WEIGHTS: 0.5})
    with ledger:
        a = torch.zeros(1000)
        view = a[:10]
        with ledger.under(WEIGHTS):
            b = torch.zeros(500)
        assert ledger.now == {LANGUAGE: 4000, WEIGHTS: 2000}
        del a
        assert ledger.now[LANGUAGE] == 4000  # the view holds it
        del view, b
    assert ledger.now == {LANGUAGE: 0, WEIGHTS: 0}
    assert ledger.peak == 4000 + 0.5 * 2000


def test_weights_gradients_and_moments_in_full_training() -> None:
    cost = planned("trainer.accumulation=2", "optim.lr.motion_tower=1e-4").cost
    assert cost.trainable == cost.parameters
    assert cost.parts[WEIGHTS] == pytest.approx(4 * cost.parameters, rel=0.01)  # buffers beside them
    assert cost.parts[OPTIMISER] == 8 * cost.parameters
    assert cost.parts[GRADIENTS] == 4 * cost.parameters
    assert sum(cost.parts.values()) == pytest.approx(cost.peak, rel=1e-6)


def test_filmed_clips_go_through_the_keypoint_tower_alone() -> None:
    rates = [f"optim.lr.{part}=0" for part in ("language_model", "projectors")]
    plan = planned("motion.keypoints=true", "data.random_views=true", "optim.lr.keypoint_tower=1e-3", *rates)
    assert plan.batch.keypoint[0] == 4 and plan.batch.motion == (0, 0)
    assert 0 < plan.cost.trainable < plan.cost.parameters / 2


def test_adapters_are_all_that_is_trained_of_the_language_model() -> None:
    frozen = planned("optim.lr.language_model=0").cost
    cost = planned("lora.rank=4", "model=", "lora.merge=true").cost
    layers, width, rank = 2, 32, 4
    assert cost.trainable - frozen.trainable == layers * 4 * (2 * width * rank)
    assert cost.parts[OPTIMISER] == 8 * cost.trainable
    halved = planned("lora.rank=4", "language.dtype=bfloat16").cost
    language = 400 * 32 + 2 * (4 * 32 * 32 + 3 * 32 * 64 + 2 * 32) + 32
    assert cost.parts[WEIGHTS] - halved.parts[WEIGHTS] == 2 * language


def test_four_bits_hold_the_layers_in_an_eighth() -> None:
    shape = ["lora.rank=4", "language.hidden_size=128", "language.intermediate_size=256"]
    whole, packed = (planned(*shape, f"lora.quantize={kind}").cost for kind in ("none", "nf4"))
    layers = 2 * (4 * 128 * 128 + 3 * 128 * 256)
    saved = whole.parts[WEIGHTS] - packed.parts[WEIGHTS]
    assert saved == pytest.approx(layers * (4 - 4.127 / 8), rel=0.002)


def test_devices_divide_what_their_sharding_says() -> None:
    two = {name: planned(devices=Devices(gpus=2, sharding=name)).cost for name in ("none", "zero2", "fsdp")}
    one = planned("trainer.batch_size=2", devices=Devices(gpus=1)).cost
    assert two["none"].parts[BUCKETS] == 4 * one.trainable
    assert two["zero2"].parts[WEIGHTS] == one.parts[WEIGHTS]
    assert two["zero2"].parts[OPTIMISER] == one.parts[OPTIMISER] / 2
    assert two["fsdp"].parts[WEIGHTS] == pytest.approx(one.parts[WEIGHTS] / 2, abs=1)
    assert two["fsdp"].parts[GATHERED] > 0 and GATHERED not in one.parts


def test_checkpointing_trades_memory_for_work() -> None:
    shape = ["language.layers=8", "language.hidden_size=64", "trainer.max_tokens=256"]
    plain, again = (planned(*shape, f"trainer.gradient_checkpointing={on}").cost for on in ("false", "true"))
    assert again.peak < 0.6 * plain.peak
    assert 1.2 * plain.flops < again.flops < 1.4 * plain.flops  # one more forward pass: 4/3


def test_operations_are_six_per_weight_and_token_and_attention() -> None:
    config = config_of("optim.lr.projectors=1e-3")
    plan = make_plan(config, CPU, stage="pretrain-lm", rows=Rows(tokens=64, scored=64))
    layers, width, inner, tokens = 2, 32, 64, 4 * 64
    products = layers * (4 * width * width + 3 * width * inner) + 400 * width
    attention = layers * 2 * 64 * width
    # The first layer's input asks for a gradient (the embeddings are trained), so no product is spared.
    assert plan.cost.flops == pytest.approx(6 * tokens * (products + attention), rel=0.01)
    assert plan.batch == Batch(4, 64, 256)


@pytest.mark.slow
def test_what_does_not_fit_is_told_what_would_make_it_fit() -> None:
    shape = ["language.layers=8", "language.hidden_size=64", "trainer.max_tokens=512"]
    config = config_of(*shape)
    needed = make_plan(config, CPU)
    less = Devices(gpus=0, memory=0.7 * needed.gib)
    plan = make_plan(config, less)
    assert needed.fits and not plan.fits
    ways = ways_to_fit(config, plan)
    assert ("trainer.gradient_checkpointing=true",) in [way.changes for way in ways]
    assert all(way.fits for way in ways)
    assert ways_to_fit(config, make_plan(config, Devices(gpus=0, memory=1e-6))) == []


def test_time_is_work_over_the_peak_that_is_reached() -> None:
    plan = planned(devices=Devices(gpus=1, peak=2.0, utilisation=0.5))
    assert plan.hours == pytest.approx(plan.cost.flops * 4 / (2e12 * 0.5) / 3600)
    assert planned().hours is None  # nobody stated the peak of a CPU


# --- measured ---


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_a_real_run_needs_what_was_planned() -> None:
    """benchmarks/planner.py holds it to 15 % on larger runs; here libraries weigh as much as tensors."""
    spec = importlib.util.spec_from_file_location("planner_benchmark", ROOT / "benchmarks/planner.py")
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    case = ["language.hidden_size=512", "language.layers=4", "language.heads=4", "language.kv_heads=4"]
    case += ["language.intermediate_size=1024", "trainer.batch_size=1", "trainer.qa_pairs_per_clip=2", "data.words=2"]
    predicted, measured = benchmark.run("predict", case), benchmark.run("measure", case)
    assert predicted == pytest.approx(measured, rel=0.3)


# --- the command ---


def test_plan_prints_a_table_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "instruct.yaml"
    path.write_text("optim: {lr: {language_model: 1.0e-3}}\nlanguage: {vocab_size: 4000}\n")
    command = ["plan", "instruct", "--config", str(path), *TINY]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "fits: " in out and "language model" in out and "assumed: 35% of 989 TFLOP/s" in out
    assert main([*command, "--json", "--gpu-memory", "0.001"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fits"] is False and told["peak_bytes"] > 0 and told["hours"] > 0
    assert main([*command, "--gpu-memory", "0.001"]) == 0
    assert "DOES NOT FIT" in capsys.readouterr().out
    assert main([*command, "--gpu-type", "abacus"]) == 2
    assert "--peak-tflops" in capsys.readouterr().err
