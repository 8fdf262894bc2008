"""Stage `evaluator` on a dataset of a few made-up rows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from training_world import Clips, tiny
from transformers import TrainerCallback

from vimonet.motion import Motion
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder
from vimonet.training.data import text_motion_pairs
from vimonet.training.data.text_motion_pairs import CaptionedClips, captioned_clips, wordings
from vimonet.training.stages.text_motion_retrieval import PairCollator, PairTrainer, run_evaluator
from vimonet.utils.errors import InputError
from vimonet.vimos.parquet import VERSION, Caption, Instruction, Record, to_row, to_table
from vimonet.vimos.types import Part

SMALL = ["evaluator.width=32", "evaluator.layers=1", "evaluator.embedding_dim=16", "schedule.batch_size=8"]
RATES = [f"learning_rate.{part}=1e-3" for part in ("motion_tower", "keypoint_tower", "translators", "language_model")]


def record(index: int, split: str) -> Record:
    sample = Clips(40)[index]
    side = "left" if index % 2 else "right"
    motion = Motion(sample["joints"], name=f"{split}/{index}", dimensions=sample["dimensions"])
    half = motion.duration / 2
    actions = (Part(f"wave the {side} hand", 0.0, half), Part("walk", half, motion.duration))
    turned = Instruction("yes_no", "fact_yes_no", "Does it turn?", "yes", slots={"do": "turn to the left"})
    denied = Instruction("yes_no", "fact_yes_no", "Does it jump?", "no", slots={"do": "jump"})
    return Record(
        motion.name,
        "made up",
        f"recording {index // 2}",
        split,
        "none",
        None if index == 5 else motion,
        actions=actions if index % 4 else actions[:1],
        captions=(Caption(f"a person waves the {side} hand {index} times.", "people" if index < 12 else "kinematic"),)
        if index % 3
        else (),
        instructions=(turned, denied) if index % 2 else (),
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vimos")
    for split, count in (("train", 24), ("val", 12)):
        (folder / split).mkdir()
        rows = [to_row(record(index, split)) for index in range(count)]
        for number in range(2):  # two shards, the second with several row groups
            part = to_table(rows[number::2])
            pq.write_table(part, folder / split / f"{number:05d}.parquet", row_group_size=5)
    (folder / "vimos.json").write_text(json.dumps({"vimos_version": VERSION}))
    return folder


def settings(output: Path, dataset: Path, *overrides: str) -> object:
    data = [f"data.dataset={dataset}", "validation.split=val"]
    return tiny(output, *SMALL, *RATES, *data, *overrides)


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "evaluator"
    return run_evaluator(settings(output, dataset, "schedule.steps=6", "schedule.eval_every=2"))


def test_texts_come_with_the_stretch_they_speak_about(dataset: Path) -> None:
    clips = captioned_clips(str(dataset), people=1)
    assert len(clips) == 23  # all but the row without motion
    assert len(captioned_clips(str(dataset), people=3)) == 23 + 2 * 7  # seven of them have a caption by people
    kinds = {one.kind for said in clips.told for one in said}
    assert kinds == {"people", "caption", "action", "fact"}
    assert not any("jump" in one.text for said in clips.told for one in said)  # a denied fact is none
    for epoch in range(6):
        clips.set_epoch(epoch)
        for index, frames in enumerate(clips.lengths()):
            sample = clips[index]
            assert 10 <= len(sample["joints"]) <= frames
            if sample["text"].endswith("times."):
                assert len(sample["joints"]) == frames
            several = len({one.text for one in clips.told[index] if one.kind == "action"}) > 1
            if several and "walk" in sample["text"]:
                assert len(sample["joints"]) <= max(10, frames // 2 + 2)
                assert sample["told"] == ["walk"]


def test_draws_depend_on_seed_epoch_and_index_alone(dataset: Path) -> None:
    def drawn(clips: CaptionedClips, epoch: int) -> list[str]:
        clips.set_epoch(epoch)
        return [clips[i]["text"] for i in range(len(clips))]

    first, second = captioned_clips(str(dataset)), captioned_clips(str(dataset))
    assert drawn(first, 1) == drawn(second, 1) != drawn(first, 2)
    held_out = captioned_clips(str(dataset), "val", fixed=True)
    assert drawn(held_out, 0) == drawn(held_out, 1)
    assert all(text.endswith("times.") for text in drawn(held_out, 0))


def test_phrases_are_worded_as_people_search() -> None:
    assert wordings("wave the left hand") == [
        "wave the left hand",
        "waves the left hand",
        "waving the left hand",
        "wave with the left hand",
        "waves with the left hand",
        "waving with the left hand",
    ]
    import random

    said = {text_motion_pairs._worded("walk and turn left", random.Random(i)) for i in range(80)}
    assert "walk and turn left" in said
    assert "someone walks and turns left" in said
    assert any(re.fullmatch(r"\w+ \w+ is walking and turning left", text) for text in said)
    assert not any(text.startswith(("a person walk ", "someone walking")) for text in said)


def test_the_stage_writes_a_folder_that_loads(trained: Path) -> None:
    evaluator = TextMotionEncoder.load(trained)
    record = json.loads((trained / "training.json").read_text())
    assert record["steps"] == 6
    assert record["clips"] == 23 + 3 * 7
    assert record["parameters"] == evaluator.model.num_parameters()
    assert record["retrieval"] is None  # twelve rows make no pool of 32
    losses = [json.loads(line) for line in (trained / "training_log.jsonl").read_text().splitlines()]
    assert sum("eval_loss" in line for line in losses) == 3
    assert not trained.with_name("evaluator.partial").exists()
    similarity = evaluator.texts(["someone waves"]) @ evaluator.motions([Motion(Clips()[0]["joints"])]).T
    assert np.isfinite(similarity).all()


def test_an_interrupted_run_goes_on_to_the_same_weights(
    trained: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(TrainerCallback):
        def on_step_begin(self, args: object, state: object, control: object, **kwargs: object) -> None:
            if state.global_step == 3:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

    config = settings(tmp_path / "evaluator", dataset, "schedule.steps=6", "schedule.eval_every=2")
    original = PairTrainer.__init__

    def interrupted(self: PairTrainer, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)  # type: ignore[arg-type]
        self.add_callback(Stop())

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(PairTrainer, "__init__", interrupted)
        run_evaluator(config)
    assert not (tmp_path / "evaluator").exists()
    folder = run_evaluator(config)
    from safetensors.torch import load_file

    ours, theirs = load_file(folder / "model.safetensors"), load_file(trained / "model.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_2d_pairs_come_after_3d_ones_and_like_texts_are_no_negatives(trained: Path, dataset: Path) -> None:
    evaluator = TextMotionEncoder.load(trained)
    clips = captioned_clips(str(dataset), "val", fixed=True)
    samples = [clips[i] for i in range(len(clips))]
    batch = PairCollator(evaluator.extractor, evaluator.tokenizer, 64)(samples)
    flat = sum(sample["dimensions"] == 2 for sample in samples)
    assert 0 < flat < len(samples)
    assert len(batch["keypoint_values"]) == flat
    assert len(batch["motion_values"]) == len(samples) - flat
    assert batch["not_negative"].diagonal().all()
    first = next(s["text"] for s in samples if s["dimensions"] == 3)
    ids = batch["input_ids"][0][batch["attention_mask"][0].bool()]
    assert evaluator.tokenizer.decode(ids) == first.lower()


def test_bad_settings_are_told(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be trained on"):
        captioned_clips(str(dataset), "test")
    with pytest.raises(InputError, match="did you mean 'dataset'"):
        run_evaluator(tiny(tmp_path / "out", *SMALL, "data.datasets=here"))
    with pytest.raises(InputError, match="no VIMOS dataset"):
        run_evaluator(tiny(tmp_path / "out", *SMALL, f"data.dataset={tmp_path}"))
    assert not list(tmp_path.iterdir())
