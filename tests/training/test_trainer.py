from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_language import byte_level_tokenizer
from torch import nn
from training_world import TEXTS, Clips, tiny
from transformers import TrainerCallback

from vimonet.model import ViMoNetForConditionalGeneration, get_parts
from vimonet.training.objective import (
    digit_tokens,
    group_counts,
    group_sums,
    group_weights,
    supervised,
    token_weights,
)
from vimonet.training.stages.align import run_align
from vimonet.training.stages.instruct import run_instruct
from vimonet.training.stages.motion_tokenizer import run_motion_tokenizer
from vimonet.training.stages.pretrain_lm import run_pretrain_lm
from vimonet.training.trainer import StageTrainer
from vimonet.utils.errors import InputError

RATES = ["optim.lr.language_model=1e-2", "optim.lr.motion_tower=1e-3", "optim.lr.keypoint_tower=1e-3"]
ROOT = Path(__file__).resolve().parents[2]


def losses(folder: Path) -> list[float]:
    lines = (folder / "training_log.jsonl").read_text().splitlines()
    return [record["loss"] for record in map(json.loads, lines) if "loss" in record]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_objective_averages_in_cells_then_weighs() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([[-100, 1, 2, -100], [-100, -100, 3, -100], [-100, 1, 1, 1]])
    cells = torch.tensor([0, 1, 0])
    logits = torch.randn(3, 4, 5)
    keep, targets = supervised(labels)
    assert targets.tolist() == [1, 2, 3, 1, 1, 1]
    sums = group_sums(logits[keep], targets, keep, cells, token_weights(labels))
    counts = group_counts(token_weights(labels), cells)
    assert counts.tolist() == [5, 1, 0, 0, 0]
    nll = -logits.log_softmax(-1)
    # The first token of an answer decides: it counts three times, in the sums as in the counts.
    thrice = token_weights(labels, 3.0)
    assert thrice.tolist() == [[3, 1, 0, 0], [0, 3, 0, 0], [3, 1, 1, 0]]
    assert group_counts(thrice, cells).tolist() == [9, 3, 0, 0, 0]
    # So may the tokens of numbers (here 1 and 3); a first token that is one has the larger weight.
    numbers = token_weights(labels, 2.0, 4.0, torch.tensor([False, True, False, True, False]))
    assert numbers.tolist() == [[4, 1, 0, 0], [0, 4, 0, 0], [4, 4, 4, 0]]
    assert token_weights(labels, 3.0, 2.0, torch.tensor([False, True, False, True, False]))[0].tolist() == [3, 1, 0, 0]
    more = group_sums(logits[keep], targets, keep, cells, thrice) - sums
    assert more[0].item() == pytest.approx(2 * (nll[0, 0, 1] + nll[2, 0, 1]).item(), rel=1e-5)
    assert sums[1].item() == pytest.approx(nll[1, 1, 3].item(), rel=1e-5)
    assert group_weights("equal", {}, counts, sums).tolist() == [0.5, 0.5, 0, 0, 0]
    assert group_weights("equal", {"keypoint": 3}, counts, sums).tolist() == [0.25, 0.75, 0, 0, 0]
    assert group_weights("proportional", {}, counts, sums).tolist() == pytest.approx([5 / 6, 1 / 6, 0, 0, 0])
    uncertain = group_weights("uncertainty", {}, counts, torch.tensor([5.0, 3.0, 0.0, 0.0, 0.0]))
    assert uncertain.tolist() == pytest.approx([0.75, 0.25, 0, 0, 0])
    with pytest.raises(InputError, match="videos"):
        group_weights("equal", {"videos": 1.0}, counts, sums)


def test_tokens_of_numbers() -> None:
    tokenizer = byte_level_tokenizer("qwen")
    marked = digit_tokens(tokenizer)
    assert len(marked) == len(tokenizer)
    for text, holds in (("7", True), ("a", False), (".", False)):
        assert [bool(marked[i]) for i in tokenizer(text)["input_ids"]] == [holds]


def test_language_stage_writes_a_folder_that_loads(language_folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(language_folder)
    tokenizer = AutoTokenizer.from_pretrained(language_folder)
    assert tokenizer.decode(tokenizer("<|user|>a")["input_ids"]) == "<|user|>a"
    record = json.loads((language_folder / "training.json").read_text())
    assert record["seed"] == 0
    assert record["steps"] == 4
    assert record["versions"]["torch"] == torch.__version__
    assert record["wall_seconds"] > 0
    assert (language_folder / "loss_curve.png").read_bytes()[:4] == b"\x89PNG"
    assert not language_folder.with_name("language.partial").exists()
    assert losses(language_folder)[-1] < losses(language_folder)[0]


def test_tokenizer_stage_reports_error_and_codebook_use(tokenizer_folder: Path) -> None:
    from vimonet.model import MotionFeatureExtractor, MotionVQVAE

    report = json.loads((tokenizer_folder / "training.json").read_text())["reconstruction"]
    assert report["samples"] == "validation"
    assert 0 < report["mpjpe_root_aligned_mm"] < 2000
    assert 0 < report["codes_used"] <= 1
    MotionVQVAE.from_pretrained(tokenizer_folder)
    extractor = MotionFeatureExtractor.from_pretrained(tokenizer_folder)
    assert extractor.std.min() >= 0.02 - 1e-6
    assert extractor.keypoint_mean is not None


def test_mpjpe_is_zero_for_a_perfect_and_ten_for_a_shifted_reconstruction() -> None:
    from vimonet.model import MotionFeatureExtractor
    from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionVQVAEOutput
    from vimonet.training.stages.motion_tokenizer import MotionClips, reconstruction_report

    class Perfect(nn.Module):
        device = torch.device("cpu")
        shift = 0.0

        class config:
            codebook_size = 4

        def forward(self, motion_values: torch.Tensor, mask: torch.Tensor) -> Any:
            drawn = motion_values.clone()
            drawn[..., 0] += self.shift  # pelvis height, metres
            return MotionVQVAEOutput(reconstruction=drawn, codes=torch.tensor([[0, 1, -1]]))

    clips = MotionClips(Clips(4), MotionFeatureExtractor(), 0, 0)
    model: Any = Perfect()
    report = reconstruction_report(model, clips, clips.extractor)
    assert report["mpjpe_mm"] == 0
    assert report["codes_used"] == 0.5
    assert report["perplexity"] == 2
    assert report["mpjpe_pose_mm"] == pytest.approx(0, abs=1e-3)
    model.shift = 0.01
    report = reconstruction_report(model, clips, clips.extractor)
    assert report["mpjpe_mm"] == pytest.approx(10, abs=0.1)
    assert report["mpjpe_root_aligned_mm"] == pytest.approx(0, abs=0.1)


def test_facing_is_taken_out_of_the_pose_error() -> None:
    from training_world import rest_pose

    from vimonet.training.stages.motion_tokenizer import align_heading

    pose = (rest_pose() - rest_pose()[:1])[None].repeat(2, 0)
    pose[:, 20, 2] += 0.4
    cos, sin = np.cos(1.2), np.sin(1.2)
    turned = pose @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
    assert np.abs(turned - pose).max() > 0.3
    np.testing.assert_allclose(align_heading(turned, pose), pose, atol=1e-5)


def test_align_changes_the_translators_only(
    aligned_folder: Path, language_folder: Path, tokenizer_folder: Path
) -> None:
    after = weights(aligned_folder)
    model = ViMoNetForConditionalGeneration.from_pretrained(aligned_folder)
    assert model.generation_config.use_cache, "answers would be made without a KV cache"
    language = weights(language_folder)
    for name, value in get_parts(model)["language_model"].state_dict().items():
        if name in language:
            torch.testing.assert_close(value, language[name], rtol=0, atol=0)
    tower = weights(tokenizer_folder)
    for name, value in get_parts(model)["motion_tower"].state_dict().items():
        torch.testing.assert_close(value, tower[f"encoder.{name}"], rtol=0, atol=0)
    assert any("translators" in name for name in after)
    with pytest.raises(InputError, match="language_model"):
        run_align(tiny(Path("x"), "optim.lr.language_model=1"), Clips())


def test_frozen_parts_stay_in_eval_and_rates_are_per_part(
    aligned_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    class Look(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            parts = get_parts(kwargs["model"])
            seen["modes"] = {name: {m.training for m in part.modules()} for name, part in parts.items()}
            seen["rates"] = {g["part"]: g["initial_lr"] for g in kwargs["optimizer"].param_groups}

    original = StageTrainer.__init__

    def looked(self: StageTrainer, *args: Any, callbacks: list[TrainerCallback], **options: Any) -> None:
        original(self, *args, callbacks=[*callbacks, Look()], **options)

    monkeypatch.setattr(StageTrainer, "__init__", looked)
    before = ViMoNetForConditionalGeneration.from_pretrained(aligned_folder).state_dict()
    output = run_instruct(
        tiny(
            tmp_path / "o",
            f"model={aligned_folder}",
            "optim.lr.language_model=2e-3",
            "optim.lr.keypoint_tower=3e-3",
        ),
        Clips(text=True),
        Clips(4),
    )
    assert seen["modes"]["motion_tower"] == {False}
    assert seen["modes"]["keypoint_tower"] == {True}
    assert seen["rates"] == {"language_model": 2e-3, "keypoint_tower": 3e-3, "projectors": 1e-3}
    for name, value in ViMoNetForConditionalGeneration.from_pretrained(output).state_dict().items():
        assert torch.equal(value, before[name]) == ("motion_tower" in name), name


@pytest.mark.parametrize("stage", ["pretrain-lm", "motion-tokenizer", "instruct", "lora"])
def test_a_killed_run_continues_on_the_same_curve(stage: str, tmp_path: Path, aligned_folder: Path) -> None:
    class Killed(Exception):
        pass

    def run(output: Path) -> Path:
        steps = "trainer.steps=7"  # more than two epochs of 12 clips or of 8 texts
        if stage == "pretrain-lm":
            return run_pretrain_lm(
                tiny(output, steps, "optim.lr.language_model=1e-2", "trainer.batch_size=1"), TEXTS[:8]
            )
        if stage == "motion-tokenizer":
            return run_motion_tokenizer(tiny(output, steps, "optim.lr.motion_tower=1e-2", "motion.window=8"), Clips())
        lora = ["lora.rank=2", "lora.dropout=0.1"] if stage == "lora" else []
        return run_instruct(tiny(output, steps, f"model={aligned_folder}", *RATES, *lora), Clips())

    whole = run(tmp_path / "whole")
    # Killed in a step between two checkpoints: as good as kill -9, because nothing is written on the way out.
    monkey = pytest.MonkeyPatch()
    original = StageTrainer.training_step
    count = 0

    def dies(self: StageTrainer, *args: Any, **kwargs: Any) -> torch.Tensor:
        nonlocal count
        count += 1
        if count > 5:
            raise Killed
        return original(self, *args, **kwargs)

    monkey.setattr(StageTrainer, "training_step", dies)
    with pytest.raises(Killed):
        run(tmp_path / "cut")
    monkey.undo()
    partial = tmp_path / "cut.partial"
    # And another checkpoint that was being written.
    shutil.copytree(partial / "checkpoint-4", partial / "checkpoint-6")
    (partial / "checkpoint-6" / "trainer_state.json").unlink()
    assert not (tmp_path / "cut").exists()
    cut = run(tmp_path / "cut")
    assert losses(cut) == losses(whole)
    name = "adapter_model.safetensors" if stage == "lora" else "model.safetensors"
    from safetensors.torch import load_file

    first, second = load_file(whole / name), load_file(cut / name)
    assert first.keys() == second.keys()
    for key in first:
        assert torch.equal(first[key], second[key]), key


def test_a_run_killed_after_its_last_step_takes_no_step_more(tmp_path: Path) -> None:
    from vimonet.training.run_folder import Run

    def run(output: Path) -> Path:
        return run_pretrain_lm(tiny(output, "trainer.steps=6", "optim.lr.language_model=1e-2"), TEXTS)

    class Killed(Exception):
        pass

    def dies(*_: Any) -> Path:
        raise Killed

    whole = run(tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Run, "finish", dies)
        run(tmp_path / "cut")
    cut = run(tmp_path / "cut")
    assert losses(cut) == losses(whole) and len(losses(cut)) == 6
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_an_interrupted_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    partial = tmp_path / "o.partial" / "checkpoint-2"
    partial.mkdir(parents=True)
    (partial / "trainer_state.json").write_text("{}")
    (partial.parent / "config.json").write_text(
        json.dumps({"stage": "pretrain-lm", **tiny(tmp_path / "o", "seed=3").to_dict()})
    )
    with pytest.raises(InputError, match="seed=3"):
        run_pretrain_lm(tiny(tmp_path / "o"), TEXTS)


def test_user_errors_are_sentences(tmp_path: Path, aligned_folder: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        run_pretrain_lm(tiny(aligned_folder), TEXTS)
    with pytest.raises(InputError, match="no output"):
        run_pretrain_lm(tiny(Path("")).__class__(), TEXTS)
    with pytest.raises(InputError, match="empty"):
        run_pretrain_lm(tiny(tmp_path / "a"), [])
    with pytest.raises(InputError, match="no such folder"):
        run_instruct(tiny(tmp_path / "c", "model=./nowhere"), Clips())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="multiple of processes"):
        run_pretrain_lm(tiny(tmp_path / "d", "trainer.accumulation=3", "optim.lr.language_model=1"), TEXTS)
    with pytest.raises(InputError, match="learning rate is 0"):
        run_pretrain_lm(tiny(tmp_path / "b"), TEXTS)
    with pytest.raises(InputError, match="adapter needs"):
        run_instruct(tiny(tmp_path / "e", "lora.rank=2"), Clips())


def test_lora_is_saved_as_an_adapter_or_merged(
    aligned_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import PeftModel

    monkeypatch.chdir(aligned_folder.parent)
    options = [f"model={aligned_folder.name}", "lora.rank=2", "optim.lr.language_model=1e-2", "trainer.steps=2"]
    adapter = run_instruct(tiny(tmp_path / "adapter", *options), Clips())
    merged = run_instruct(tiny(tmp_path / "merged", *options, "lora.merge=true"), Clips())
    named = json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert named == str(aligned_folder.resolve())  # found from any working directory
    card = (adapter / "README.md").read_text()
    assert f"| base model of the adapter | {named} |" in card and "library_name: peft" in card
    base = ViMoNetForConditionalGeneration.from_pretrained(aligned_folder)
    one = PeftModel.from_pretrained(base, adapter).merge_and_unload().state_dict()
    two = ViMoNetForConditionalGeneration.from_pretrained(merged).state_dict()
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-5, atol=1e-6)
    before = ViMoNetForConditionalGeneration.from_pretrained(aligned_folder).state_dict()
    assert any(not torch.equal(two[name], before[name]) for name in before if "q_proj" in name)


def test_a_second_run_goes_on_from_an_adapter(aligned_folder: Path, tmp_path: Path) -> None:
    options = [f"model={aligned_folder}", "lora.rank=2", "optim.lr.language_model=1e-2"]
    first = run_instruct(tiny(tmp_path / "first", *options, "trainer.steps=2"), Clips())
    # A second run with a rate next to nothing leaves the weights where the first one ended.
    still = [f"model={aligned_folder}", "lora.rank=2", "optim.lr.language_model=1e-12", "optim.lr.projectors=1e-12"]
    second = run_instruct(tiny(tmp_path / "second", *still, f"lora.start={first}", "trainer.steps=1"), Clips())
    a, b = (load_file(folder / "adapter_model.safetensors") for folder in (first, second))
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=1e-6)
    with pytest.raises(InputError, match="another rank"):
        run_instruct(tiny(tmp_path / "c", f"model={aligned_folder}", "lora.rank=3", f"lora.start={first}"), Clips())
    with pytest.raises(InputError, match="no adapter_model"):
        run_instruct(tiny(tmp_path / "d", f"model={aligned_folder}", "lora.rank=2", "lora.start=nowhere"), Clips())


@pytest.mark.slow
def test_two_processes_give_the_loss_of_one(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from training_world import Clips, tiny\n"
        "from vimonet.cli.train import end_process\n"
        "from vimonet.training.stages.instruct import run_instruct\n"
        "torch.set_num_threads(1)\n"
        f"run_instruct(tiny(Path(sys.argv[1]), 'trainer.steps=4', *{RATES!r}), Clips(24, text=True))\n"
        "torch.distributed.destroy_process_group()\n"
        "end_process(0)\n"
    )
    path = os.pathsep.join([str(ROOT / "src"), str(Path(__file__).parent)])
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        str(ROOT / "configs/accelerate/cpu2.yaml"),
    ]
    command += ["--main_process_port", "0", str(script), str(tmp_path / "two")]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    one = run_instruct(tiny(tmp_path / "one", "trainer.steps=4", *RATES), Clips(24, text=True))
    assert json.loads((tmp_path / "two" / "training.json").read_text())["processes"] == 2
    assert losses(tmp_path / "two") == pytest.approx(losses(one), rel=1e-4)
    spread = run_instruct(
        tiny(tmp_path / "acc", "trainer.steps=4", "trainer.accumulation=2", *RATES), Clips(24, text=True)
    )
    assert losses(spread) == pytest.approx(losses(one), rel=1e-4)


def test_bfloat16_autocast_on_the_cpu_stays_close(aligned_folder: Path, tmp_path: Path) -> None:
    runs = [
        run_instruct(tiny(tmp_path / name, f"model={aligned_folder}", *RATES, f"trainer.bf16={name}"), Clips(text=True))
        for name in ("false", "true")
    ]
    full, half = (losses(run) for run in runs)
    assert half == pytest.approx(full, rel=0.02)
    assert half != full
    assert {value.dtype for value in weights(runs[1]).values()} == {torch.float32}


def test_unknown_data_setting_names_the_nearest() -> None:
    from vimonet.training.data.sampling import call_with_data

    with pytest.raises(InputError, match="'count'"):
        call_with_data(lambda count=1, split="train": None, {"coumt": 3})
