"""Stage `evaluator` on a dataset of a few made-up rows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from training_world import Clips, tiny
from transformers import TrainerCallback

from vimonet.motion import Motion
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder
from vimonet.training.data.text_motion_pairs import TextMotionPairs, put_in_words, text_motion_pairs, wordings
from vimonet.training.stages.text_motion_retrieval import PairCollator, PairTrainer, run_text_motion_retrieval
from vimonet.utils.errors import InputError

SMALL = ["retrieval.width=32", "retrieval.layers=1", "retrieval.embedding_dim=16", "trainer.batch_size=8"]
RATES = [f"optim.lr.{part}=1e-3" for part in ("motion_tower", "keypoint_tower", "projectors", "language_model")]


@pytest.fixture(scope="module")
def dataset(pair_dataset: Path) -> Path:
    return pair_dataset


def settings(output: Path, dataset: Path, *overrides: str) -> object:
    data = [f"data.dataset={dataset}", "validation.split=val"]
    return tiny(output, *SMALL, *RATES, *data, *overrides)


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "evaluator"
    return run_text_motion_retrieval(settings(output, dataset, "trainer.steps=6", "trainer.eval_every=2"))


def test_texts_come_with_the_stretch_they_speak_about(dataset: Path) -> None:
    clips = text_motion_pairs(str(dataset), people=1)
    assert len(clips) == 23  # all but the row without motion
    assert len(text_motion_pairs(str(dataset), people=3)) == 23 + 2 * 7  # seven of them have a caption by people
    kinds = {one.kind for said in clips.captions for one in said}
    assert kinds == {"people", "caption", "action", "fact"}
    assert not any("jump" in one.text for said in clips.captions for one in said)  # a denied fact is none
    for epoch in range(6):
        clips.set_epoch(epoch)
        for index, frames in enumerate(clips.lengths()):
            sample = clips[index]
            assert 10 <= len(sample["joints"]) <= frames
            if sample["text"].endswith("times."):
                assert len(sample["joints"]) == frames
            several = len({one.text for one in clips.captions[index] if one.kind == "action"}) > 1
            if several and "walk" in sample["text"]:
                assert len(sample["joints"]) <= max(10, frames // 2 + 2)
                assert sample["true_texts"] == ["walk"]


def test_draws_depend_on_seed_epoch_and_index_alone(dataset: Path) -> None:
    def drawn(clips: TextMotionPairs, epoch: int) -> list[str]:
        clips.set_epoch(epoch)
        return [clips[i]["text"] for i in range(len(clips))]

    first, second = text_motion_pairs(str(dataset)), text_motion_pairs(str(dataset))
    assert drawn(first, 1) == drawn(second, 1) != drawn(first, 2)
    held_out = text_motion_pairs(str(dataset), "val", fixed=True)
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

    said = {put_in_words("walk and turn left", random.Random(i)) for i in range(80)}
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

    config = settings(tmp_path / "evaluator", dataset, "trainer.steps=6", "trainer.eval_every=2")
    original = PairTrainer.__init__

    def interrupted(self: PairTrainer, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)  # type: ignore[arg-type]
        self.add_callback(Stop())

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(PairTrainer, "__init__", interrupted)
        run_text_motion_retrieval(config)
    assert not (tmp_path / "evaluator").exists()
    folder = run_text_motion_retrieval(config)
    from safetensors.torch import load_file

    ours, theirs = load_file(folder / "model.safetensors"), load_file(trained / "model.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_2d_pairs_come_after_3d_ones_and_like_texts_are_no_negatives(trained: Path, dataset: Path) -> None:
    evaluator = TextMotionEncoder.load(trained)
    clips = text_motion_pairs(str(dataset), "val", fixed=True)
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
    with pytest.raises(InputError, match="is for testing only"):
        text_motion_pairs(str(dataset), "test")
    with pytest.raises(InputError, match="did you mean 'dataset'"):
        run_text_motion_retrieval(tiny(tmp_path / "out", *SMALL, "data.datasets=here"))
    with pytest.raises(InputError, match="no VIMOS dataset"):
        run_text_motion_retrieval(tiny(tmp_path / "out", *SMALL, f"data.dataset={tmp_path}"))
    assert not list(tmp_path.iterdir())
