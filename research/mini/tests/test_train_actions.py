"""A mirrored clip has the mirrored label, and a training that is cut ends as one that is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import tiny_model, tiny_motion

from research.mini import train_actions
from research.mini.train_actions import Batches, phrases_of, train
from research.vimos_open.augment import OUTSIDE_TEST, OUTSIDE_TRAIN
from vimonet.model.action_network import ActionNetwork
from vimonet.motion import Motion
from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM
from vimonet.utils.errors import InputError
from vimonet.vimos.types import Clip


def network_of(phrases: list[str]) -> ActionNetwork:
    torch.manual_seed(0)
    features = {"motion": BODY_DIM, "keypoint": KEYPOINT_DIM}
    return ActionNetwork(phrases, features, width=16, layers=1, heads=2, hidden=16)


def clips() -> list[Clip]:
    """Three movements that are told apart by a raised arm, and one of keypoints."""
    made = []
    for number, (action, joint) in enumerate((("raise the left hand", 20), ("raise the right hand", 21), ("stand", 0))):
        joints = tiny_motion(60, seed=number).joints.copy()
        joints[:, joint, 1] += 1.0 if joint else 0.0
        made.append(Clip(f"x/{number}", "x", f"x/{number}", "train", Motion(joints), action))
    flat = tiny_motion(60, dimensions=2, seed=5)
    return [*made, Clip("y/0", "y", "y/0", "train", flat, "stand")]


def test_mirrored_clips_have_the_mirrored_label() -> None:
    assert phrases_of(clips()[:1]) == ["raise the left hand", "raise the right hand"]


def test_classes_that_are_never_named_are_not_taught(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [*clips(), *(replace(clips()[0], action=action) for action in (*OUTSIDE_TRAIN, *OUTSIDE_TEST))]
    monkeypatch.setattr(train_actions, "load_clips", lambda root, sources: made)
    monkeypatch.setattr(train_actions, "synthetic_clips", lambda split: [])
    assert {clip.action for clip in train_actions.labelled_clips()} == {clip.action for clip in clips()}


def test_a_cut_run_ends_with_the_weights_of_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_actions, "CLIPS_3D", 2)
    monkeypatch.setattr(train_actions, "CLIPS_2D", 2)
    monkeypatch.setattr(train_actions, "SAVE_EVERY", 2)
    batches = Batches(clips(), phrases_of(clips()), tiny_model()[1].feature_extractor)

    def run(folder: Path, steps: int) -> ActionNetwork:
        folder.mkdir(exist_ok=True)
        return train(batches, network_of(phrases_of(clips())), steps, folder)

    whole = run(tmp_path / "whole", 6)
    usual = torch.optim.AdamW.step
    taken: list[int] = []

    def cut(self: torch.optim.AdamW, *given: object) -> object:
        taken.append(1)
        if len(taken) == 4:
            raise KeyboardInterrupt
        return usual(self, *given)

    monkeypatch.setattr(torch.optim.AdamW, "step", cut)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", 6)
    monkeypatch.setattr(torch.optim.AdamW, "step", usual)
    again = run(tmp_path / "cut", 6)
    assert len(taken) == 4
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    with pytest.raises(InputError, match="other settings"):
        run(tmp_path / "cut", 8)
    assert not torch.equal(whole.head.weight, network_of(phrases_of(clips())).head.weight)
