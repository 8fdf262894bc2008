"""A stage is one file, and the keys it declares are the keys it reads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from training_world import TEXTS, TINY, Clips, LabelledClips, tiny

from vimonet.cli import main
from vimonet.training import stage_names, stages
from vimonet.training.config import TrainingConfig
from vimonet.training.stages import find_stage
from vimonet.utils.settings import keys_of, matches

LEAVES = [key for key in keys_of(TrainingConfig) if not key.branch]

TOY = '''"""Count to a number, to show that a stage is one file."""

from pathlib import Path

from vimonet.training.stages import Stage


def run_toy(config):
    """Write the number of steps."""
    Path(config.output).mkdir()
    (Path(config.output) / "steps").write_text(str(config.trainer.steps))
    return Path(config.output)


STAGE = Stage(run_toy, reads=("output", "trainer.steps"))
'''


@contextmanager
def recorded(config: TrainingConfig, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Record the dotted names of the keys that are read of a configuration."""
    found: set[str] = set()

    def watch(node: Any, prefix: str) -> None:
        names = {item.name for item in dataclasses.fields(node)}

        def get(self: Any, name: str) -> Any:
            if self is node and name in names:
                found.add(f"{prefix}{name}")
            return object.__getattribute__(self, name)

        for name, value in list(vars(node).items()):
            if dataclasses.is_dataclass(value):
                watch(value, f"{prefix}{name}.")
        patch.setattr(type(node), "__getattribute__", get, raising=False)

    with monkeypatch.context() as patch:
        watch(config, "")
        yield found


def test_every_stage_reads_the_keys_that_it_declares_and_no_other(
    tmp_path: Path,
    language_folder: Path,
    tokenizer_folder: Path,
    aligned_folder: Path,
    pair_dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = [f"language.checkpoint={language_folder}", f"motion.checkpoint={tokenizer_folder}"]
    rates = ["optim.lr.language_model=1e-3", "optim.lr.motion_tower=1e-3", "optim.lr.keypoint_tower=1e-3"]
    keypoints = ["optim.lr.projectors=0", "optim.lr.keypoint_projector=1e-3"]
    short = ["trainer.steps=1", "trainer.save_every=1", "trainer.eval_every=1", "overwrite=true"]
    runs: dict[str, list[tuple[list[str], tuple[Any, ...]]]] = {
        "pretrain-lm": [(rates[:1], (TEXTS,)), ([*rates[:1], parts[0]], (TEXTS,))],
        "motion-tokenizer": [(rates[1:2], (Clips(6),))],
        "align-tokens": [
            ([], (LabelledClips(6),)),
            (parts, (LabelledClips(6),)),
            ([f"model={aligned_folder}", *rates[1:]], (LabelledClips(6),)),
        ],
        "align": [([], (Clips(6),)), (parts, (Clips(6),)), ([f"model={aligned_folder}", *keypoints], (Clips(6),))],
        "instruct": [
            (rates, (Clips(6),)),
            (parts, (Clips(6),)),
            ([f"model={aligned_folder}", *keypoints], (Clips(6),)),
            ([f"model={aligned_folder}", "lora.rank=2"], (Clips(6),)),
            ([f"model={aligned_folder}", *rates, "lora.rank=2", "lora.merge=true"], (Clips(6),)),
        ],
        "lift-keypoints": [([f"model={aligned_folder}", rates[2]], (Clips(6, keypoints=False),))],
        "text-motion-retrieval": [([*rates, f"data.dataset={pair_dataset}", "retrieval.width=32"], ())],
    }
    assert set(runs) == set(stage_names())
    for stage, variants in runs.items():
        found: set[str] = set()
        for number, (overrides, data) in enumerate(variants):
            config = tiny(tmp_path / f"{stage}-{number}", *short, *overrides)
            Path(config.output).mkdir()
            with recorded(config, monkeypatch) as read:
                find_stage(stage).run(config, *data)
            found |= read
        leaves = {key.name for key in LEAVES} & found
        declared = {key.name for key in LEAVES if matches(key.name, find_stage(stage).reads)}
        # Videos are another test's; the keys about them are read where there is a video tower.
        assert leaves - declared == set(), stage
        assert {key for key in declared - leaves if "video" not in key} == set(), stage


@pytest.mark.parametrize(
    ("stage", "override", "readers"),
    [
        ("align", "lora.rank=8", "read by instruct."),
        ("align", "retrieval.width=7", "read by text-motion-retrieval."),
        ("pretrain-lm", "motion.window=8", "read by motion-tokenizer."),
        ("lift-keypoints", "trainer.packing=none", "read by align, instruct, pretrain-lm."),
    ],
)
def test_a_key_that_a_stage_does_not_read_is_refused(
    stage: str, override: str, readers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("output: out\n")
    assert main(["train", stage, "--config", str(path), override]) == 2
    said = capsys.readouterr().err
    assert f"stage {stage} does not read '{override.partition('=')[0]}'" in said and readers in said
    branch, _, leaf = override.partition("=")[0].partition(".")
    path.write_text(json.dumps({branch: {leaf: override.partition("=")[2]}}))
    assert main(["train", stage, "--config", str(path)]) == 2
    assert f"{path}: stage {stage} does not read" in capsys.readouterr().err


def test_every_key_is_described_and_read_by_some_stage() -> None:
    for key in LEAVES:
        assert key.help.endswith("."), key.name
        assert [name for name in stage_names() if matches(key.name, find_stage(name).reads)], key.name
    for name in stage_names():
        for pattern in find_stage(name).reads:
            assert any(matches(key.name, [pattern]) for key in LEAVES), f"{name} declares {pattern}"


def test_help_lists_stages_and_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = capsys.readouterr().out
    for name in stage_names():
        assert f"  {name} " in out
    assert main(["train", "lift-keypoints", "--help-config"]) == 0
    out = capsys.readouterr().out
    assert (
        "motion.lift_width: a whole number (int) at least 1 (default: 128)\n    Channels of the 2D-to-3D lifter." in out
    )
    assert "lora.rank" not in out and "optim.lr.keypoint_tower: a number at least 0 (default: 0.0)" in out


def test_old_names_of_stages_are_accepted_with_a_notice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "lift", "--help-config"]) == 0
    out, err = capsys.readouterr()
    assert "motion.lift_width" in out
    assert err == "vimonet: stage 'lift' is called 'lift-keypoints' now; the old name goes with 0.3.\n"


def test_train_refuses_the_flags_of_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("output: out\n")
    with pytest.raises(SystemExit):
        main(["train", "instruct", "--config", str(path), "--gpus", "8"])
    assert "unrecognized arguments: --gpus 8" in capsys.readouterr().err
    assert main(["train", "plan", "--config", str(path)]) == 2
    assert "there is no stage 'plan'" in capsys.readouterr().err
    assert main(["plan", "lift-keypoints", "--config", str(path)]) == 2
    assert "cannot be planned" in capsys.readouterr().err
    assert main(["plan", "align", "--config", str(path), *TINY, "lora.rank=2"]) == 2
    assert "does not read 'lora.rank'" in capsys.readouterr().err


def test_a_stage_is_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "toy.py").write_text(TOY)
    monkeypatch.setattr(stages, "__path__", [*stages.__path__, str(more)])
    path = tmp_path / "toy.yaml"
    path.write_text(f"output: {tmp_path / 'out'}\ntrainer: {{steps: 3}}\n")
    assert main(["train", "toy", "--config", str(path), "trainer.steps=5"]) == 0
    assert (tmp_path / "out" / "steps").read_text() == "5"
    assert main(["train", "toy", "--config", str(path), "seed=1"]) == 2
    assert "stage toy does not read 'seed'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "Count to a number" in capsys.readouterr().out
