"""configs/paper and configs/small, run with tiny parts of the same kinds; and what large models need."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from joint_world import make_dataset
from safetensors.torch import load_file
from tiny_language import byte_level_tokenizer, saved_language_model, sentencepiece_tokenizer
from tiny_video import saved_backbone
from training_world import Clips

import vimonet
from vimonet.cli import main
from vimonet.model import MotionFeatureExtractor, MotionVQVAE, MotionVQVAEConfig, get_parts
from vimonet.motion import Motion
from vimonet.motion.features.body_features import BODY_DIM
from vimonet.training import main as train
from vimonet.training.data.sampling import ModalityFilter, QAPairSampler
from vimonet.training.trainer import StageTrainer
from vimonet.utils.errors import InputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FEW = [
    *("trainer.steps=2", "trainer.batch_size=4", "trainer.accumulation=2", "trainer.workers=0"),
    *("trainer.log_every=1", "trainer.save_every=1", "trainer.eval_every=2"),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("vimos") / "joint")


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The model that a configuration's own `vimonet compose` command makes of tiny parts."""
    root = tmp_path_factory.mktemp("parts")

    def make(name: str) -> Path:
        out = root / name / "composed"
        if out.is_dir():
            return out
        features, dim = ("humanml3d", 263) if name == "paper" else ("body", BODY_DIM)
        motion = root / name / "motion"
        sizes = {"width": 16, "code_dim": 24, "num_codes": 16, "depth": 1}
        MotionVQVAE(MotionVQVAEConfig(input_dim=dim, **sizes)).save_pretrained(motion)
        MotionFeatureExtractor(features, mean=np.zeros(dim), std=np.ones(dim)).save_pretrained(motion)
        family, tokenizer = "vicuna", sentencepiece_tokenizer(legacy=True)
        # siglip2-base-patch16-224 has pictures of one size and is of model type siglip.
        video = "languagebind" if name == "paper" else "siglip"
        if name == "small":
            family, tokenizer = "qwen", byte_level_tokenizer("qwen")
        places = {
            # Blocks of 64 weights share a constant in 4 bits.
            "--llm": saved_language_model(family, root, tokenizer=tokenizer, hidden_size=64, intermediate_size=128),
            "--video": saved_backbone(video, root),
            "--motion-tokenizer": motion,
            "-o": out,
        }
        script = (CONFIGS / name / "run.sh").read_text()
        command = shlex.split(re.search(r"vimonet (compose .*)", script)[1])  # type: ignore[index]
        for option, place in places.items():
            command[command.index(option) + 1] = str(place)
        assert main(command) == 0
        return out

    return make


def losses(folder: Path) -> list[float]:
    lines = (folder / "training_log.jsonl").read_text().splitlines()
    return [record["loss"] for record in map(json.loads, lines) if "loss" in record]


@pytest.mark.parametrize("stage", ["align", "instruct"])
@pytest.mark.parametrize("name", ["paper", "small"])
def test_every_key_says_what_it_is_and_where_it_comes_from(name: str, stage: str) -> None:
    file = CONFIGS / name / f"{stage}.yaml"
    text = file.read_text()
    assert f"vimonet train {stage} --config configs/{name}/{stage}.yaml" in text
    body = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in body:
        assert "#" in line or line.endswith(":"), f"no comment: {line}"
    if name == "paper":  # a hyper-parameter is of the line, or inferred
        told = yaml.safe_load(text)
        parameters = {*told["optim"]["lr"], *told["objective"], *told.get("lora", {})}
        parameters |= {
            "steps",
            "batch_size",
            "qa_pairs_per_clip",
            "warmup",
            "decay",
            "weight_decay",
            "grad_clip",
            "beta2",
        }
        for line in body:
            if line.strip().split(":")[0] in parameters - {"merge", "quantize"}:
                assert re.search("ViMoNet|MotionLLM|inferred", line), line


@pytest.mark.parametrize("name", ["paper", "small"])
def test_configurations_train_tiny_parts_of_the_same_kinds(
    name: str, composed: Callable[[str], Path], dataset: Path, tmp_path: Path
) -> None:
    model = composed(name)
    before = vimonet.load(model).model
    for stage in ("align", "instruct"):
        places = [f"output={tmp_path / stage}", f"model={model}", f"data.dataset={dataset}"]
        model = train(stage, CONFIGS / name / f"{stage}.yaml", [*places, *FEW])
        assert len(losses(model)) == 2
    parameters = json.loads((tmp_path / "instruct" / "training.json").read_text())
    assert 0 < parameters["trainable_parameters"] < sum(parameters["parameters"].values())
    assert sorted(path.name for path in model.glob("*.safetensors")) == ["adapter_model.safetensors"]
    adapter = load_file(model / "adapter_model.safetensors")
    assert {value.dtype for value in adapter.values()} == {torch.float32}
    # Stage 1 leaves the language model and the towers as they were, and its folder is of one dtype.
    aligned = load_file(tmp_path / "align" / "model.safetensors")
    assert {value.dtype for value in aligned.values()} == {torch.bfloat16}
    after = vimonet.load(tmp_path / "align").model
    for part in ("language_model", "motion_tower", "video_tower"):
        for key, value in get_parts(before)[part].state_dict().items():
            assert torch.equal(value, get_parts(after)[part].state_dict()[key]), (part, key)
    assistant = vimonet.load(model)
    motion = Motion(Clips()[0]["joints"])
    pictures = np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3), np.uint8)
    for clips in ({"motion": motion}, {"video": pictures}, {"motion": motion, "video": pictures}):
        assert assistant.ask("What colour is it?", **clips, max_new_tokens=2).inputs_read == tuple(clips)


def run(output: Path, model: Path, dataset: Path, *overrides: str) -> Path:
    """Two steps of configs/small's stage 2 in float32, so that runs compare."""
    places = [f"output={output}", f"model={model}", f"data.dataset={dataset}", "trainer.bf16=false"]
    return train("instruct", CONFIGS / "small" / "instruct.yaml", [*places, *FEW, *overrides])


@pytest.mark.slow
def test_packing_and_checkpointed_activations_change_no_loss(
    composed: Callable[[str], Path], dataset: Path, tmp_path: Path
) -> None:
    exact = ["language.dtype=float32", "lora.dropout=0"]
    whole = losses(run(tmp_path / "rows", composed("small"), dataset, *exact))
    for number, change in enumerate(
        ["trainer.packing=shared_prefix", "trainer.packing=none", "trainer.gradient_checkpointing=false"]
    ):
        assert losses(run(tmp_path / str(number), composed("small"), dataset, *exact, change)) == pytest.approx(
            whole, rel=1e-5
        ), change


@pytest.mark.parametrize("stage", ["align", "instruct"])
def test_activations_are_computed_again_also_in_a_frozen_language_model(
    stage: str, composed: Callable[[str], Path], dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention

    calls = []
    forward = Qwen2Attention.forward
    monkeypatch.setattr(Qwen2Attention, "forward", lambda *a, **k: (calls.append(a[0].training), forward(*a, **k))[1])
    counts = {}
    for switch in ("true", "false"):
        calls.clear()
        places = [f"output={tmp_path / switch}", f"model={composed('small')}", f"data.dataset={dataset}"]
        few = [*FEW, "trainer.eval_every=0", f"trainer.gradient_checkpointing={switch}"]
        train(stage, CONFIGS / "small" / f"{stage}.yaml", [*places, *few])
        counts[switch] = len(calls)
        assert set(calls) == {stage == "instruct"}  # what is frozen stays in eval mode
    assert counts["true"] == 2 * counts["false"] == 2 * 2 * 2 * 2  # steps, micro-batches, layers


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["align", "instruct", "instruct in full"])
def test_a_checkpoint_holds_what_is_trained_and_a_killed_run_continues_on_the_same_curve(
    stage: str, composed: Callable[[str], Path], dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def go(output: Path) -> Path:
        few = [*FEW, "trainer.steps=5", "trainer.save_every=2", "trainer.eval_every=0"]
        full = ["lora.rank=0"] if stage == "instruct in full" else []
        places = [f"output={output}", f"model={composed('small')}", f"data.dataset={dataset}"]
        name = stage.split()[0]
        return train(name, CONFIGS / "small" / f"{name}.yaml", [*places, *few, *full])

    whole = go(tmp_path / "whole")
    original, count = StageTrainer.training_step, 0

    def dies(self: StageTrainer, *args: Any, **kwargs: Any) -> torch.Tensor:
        nonlocal count
        count += 1
        if count > 7:
            raise Killed
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(StageTrainer, "training_step", dies)
        with pytest.raises(Killed):
            go(tmp_path / "cut")
    checkpoint = tmp_path / "cut.partial" / "checkpoint-2"
    names = {name for file in checkpoint.glob("*.safetensors") for name in load_file(file)}
    assert names and any("translators" in name for name in names)
    assert not any("video_tower" in name for name in names)
    assert any("motion_tower" in name for name in names) == (stage != "align")
    language = {name for name in names if "language_model" in name}
    assert bool(language) == (stage != "align")
    assert all("lora" in name for name in language) == (stage != "instruct in full")
    cut = go(tmp_path / "cut")
    assert losses(cut) == losses(whole)
    (file,) = (path.name for path in cut.glob("*model.safetensors"))
    first, second = load_file(whole / file), load_file(cut / file)
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [8, 0])
def test_fsdp_over_two_processes_gives_the_losses_and_the_model_of_one(
    rank: int, composed: Callable[[str], Path], dataset: Path, tmp_path: Path
) -> None:
    config = CONFIGS / "paper" / "instruct.yaml"
    exact = ["trainer.bf16=false", "language.dtype=float32", "lora.dropout=0", "objective.modality_dropout=0"]
    options = [f"model={composed('paper')}", f"data.dataset={dataset}", *FEW, *exact, f"lora.rank={rank}"]
    options += ["trainer.batch_size=8", "trainer.accumulation=1", "trainer.device=cpu", "optim.warmup=0"]
    options += ["optim.lr.language_model=1e-2"]
    launch = ["-m", "accelerate.commands.launch", "--config_file", str(CONFIGS / "accelerate" / "fsdp2.yaml")]
    launch += ["--num_processes", "2", "--main_process_port", "0", str(Path(__file__).with_name("fsdp_on_cpu.py"))]
    done = subprocess.run(
        [sys.executable, *launch, "train", "instruct", "--config", str(config), *options, f"output={tmp_path / 'two'}"],
        env={**os.environ, "PYTHONPATH": str(CONFIGS.parent / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("sharded by FSDP2: True, group left: True") == 2
    one = train("instruct", config, [*options, f"output={tmp_path / 'one'}"])
    assert json.loads((tmp_path / "two" / "training.json").read_text())["processes"] == 2
    assert losses(tmp_path / "two") == pytest.approx(losses(one), rel=1e-4)
    pictures = np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3), np.uint8)
    question = {"question": "What colour is it?", "motion": Motion(Clips()[0]["joints"]), "video": pictures}
    first, second = (logits_of(tmp_path / name, **question) for name in ("one", "two"))
    before = logits_of(composed("paper"), **question)
    # A whole model is saved in bfloat16, and a difference of 1e-7 may fall on either side of its rounding.
    tolerance = {"rtol": 0.0, "atol": 1e-2} if rank == 0 else {"rtol": 1e-3, "atol": 1e-4}
    torch.testing.assert_close(first, second, **tolerance)
    assert (first - before).abs().max() > 10 * (first - second).abs().max()


def logits_of(folder: Path, question: str, **clips: Any) -> torch.Tensor:
    assistant = vimonet.load(folder)
    messages = assistant.processor.messages(question, clips["motion"], video=clips["video"])
    options = {"tokenize": True, "return_dict": True, "return_tensors": "pt", "add_generation_prompt": True}
    with torch.no_grad():
        # In bfloat16 a difference of 1e-7 may fall on either side of an activation's rounding.
        return assistant.model.float()(**assistant.processor.apply_chat_template(messages, **options)).logits


def test_what_is_trained_is_float32_and_what_is_frozen_as_told(
    composed: Callable[[str], Path], dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, set[torch.dtype]]] = []
    original = StageTrainer.create_optimizer

    def look(self: StageTrainer, model: Any = None) -> Any:
        parameters = list(self.model.named_parameters())
        language = {p.dtype for name, p in parameters if "language_model" in name and "lora" not in name}
        seen.append({"trained": {p.dtype for _, p in parameters if p.requires_grad}, "language": language})
        return original(self, model)

    monkeypatch.setattr(StageTrainer, "create_optimizer", look)
    run(tmp_path / "a", composed("small"), dataset)
    run(tmp_path / "b", composed("small"), dataset, "lora.rank=0")
    run(tmp_path / "c", composed("small"), dataset, "language.dtype=float32")
    single = {torch.float32}
    assert seen[0] == {"trained": single, "language": {torch.bfloat16}}
    assert seen[1] == seen[2] == {"trained": single, "language": single}


def test_a_model_without_a_tower_reads_what_it_can(dataset: Path) -> None:
    from vimonet.training.data.vimos_dataset import training_samples

    samples = training_samples(str(dataset))
    view = ModalityFilter(samples, motion=True, keypoints=False)
    assert view.modality_groups().tolist() == [0, 3, 4, 4] * 4 and len(view.videos) == 12
    assert [view[i]["joints"] is None for i in range(4)] == [False, True, False, True]  # the last is 2D beside video
    assert QAPairSampler(view, 2, 0).lengths().tolist() == [5, 0, 5, 5] * 4
    with pytest.raises(InputError, match="the data holds only 3D motion"):
        ModalityFilter(Clips(keypoints=False), motion=False, keypoints=True)


def test_curves_go_to_tensorboard(composed: Callable[[str], Path], dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    output = run(tmp_path / "o", composed("small"), dataset, "trainer.report=[tensorboard]")
    events = EventAccumulator(str(output / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(losses(output))


def test_four_bits(composed: Callable[[str], Path], dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    options = ["lora.quantize=nf4", "trainer.device=cpu"]
    output = run(tmp_path / "o", composed("small"), dataset, *options)
    assert vimonet.load(output).ask("What is it?", Motion(Clips()[0]["joints"]), max_new_tokens=2).inputs_read == (
        "motion",
    )


def test_what_is_missing_is_a_sentence(
    composed: Callable[[str], Path], dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    there = importlib.util.find_spec
    absent = ("bitsandbytes", "wandb", "tensorboard")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in absent else there(name, *a))
    for overrides, said in (
        (["lora.quantize=nf4"], "install vimonet\\[quantize\\]"),
        (["trainer.report=[wandb]"], "pip install wandb"),
        (["trainer.report=[tensorboard]"], "vimonet\\[tensorboard\\]"),
        (["trainer.attention=flash", "trainer.packing=none"], "flash"),
    ):
        with pytest.raises(InputError, match=said):
            run(tmp_path / "o", composed("small"), dataset, *overrides)
        assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"stage align does not read 'lora\.quantize'; it is read by instruct"):
        train("align", CONFIGS / "small" / "align.yaml", [f"output={tmp_path / 'o'}", "lora.quantize=nf4"])
    if not torch.cuda.is_available():
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: object())
        with pytest.raises(InputError, match="needs a GPU"):
            run(tmp_path / "o", composed("small"), dataset, "lora.quantize=nf4")
