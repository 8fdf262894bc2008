"""Stage `lift`: what filmed movements are in depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_world import Clips, rest_pose, tiny

from vimonet.model import ViMoNetForConditionalGeneration, ViMoNetProcessor
from vimonet.motion.projection import View
from vimonet.motion.skeleton import INDEX
from vimonet.training.stages.instruct import run_instruct
from vimonet.training.stages.lift_keypoints import ProjectedPoses, lift_report, pose_of, run_lift_keypoints
from vimonet.utils.errors import InputError

SETTINGS = ["optim.lr.keypoint_tower=3e-3", "motion.lift_width=32", "trainer.batch_size=8"]


class Turning(Clips):
    """Bodies that turn at different speeds, in 3D."""

    def __init__(self, count: int = 24) -> None:
        super().__init__(count, keypoints=False)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = super().__getitem__(index)
        joints = sample["joints"]
        angle = np.linspace(0, np.random.default_rng(index).uniform(-3, 3), len(joints))[:, None]
        x, z = joints[..., 0].copy(), joints[..., 2].copy()
        joints[..., 0], joints[..., 2] = np.cos(angle) * x + np.sin(angle) * z, np.cos(angle) * z - np.sin(angle) * x
        return {**sample, "joints": joints, "confidence": None}


@pytest.fixture(scope="module")
def lifted(aligned_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "lift"
    config = tiny(output, *SETTINGS, f"model={aligned_folder}", "trainer.steps=60", "validation.split=val")
    return run_lift_keypoints(config, Turning(), Turning(8))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_it_learns_the_facing_and_leaves_the_rest(lifted: Path, aligned_folder: Path) -> None:
    said = json.loads((lifted / "training.json").read_text())["lifted"]
    assert said["samples"] == "validation" and said["clips"] == 8
    processor = ViMoNetProcessor.from_pretrained(lifted)
    held_out = ProjectedPoses(Turning(8), processor.feature_extractor, 0)
    tower = ViMoNetForConditionalGeneration.from_pretrained(lifted).vimonet.keypoint_tower
    measured = lift_report(tower.lifter, held_out)  # of what is saved
    assert {"samples": "validation", **measured} == said
    for parameter in tower.lifter.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    assert said["facing_degrees"] < 45 < lift_report(tower.lifter, held_out)["facing_degrees"]
    before, after = weights(aligned_folder), weights(lifted)
    for name, value in before.items():
        assert "keypoint" in name or torch.equal(after[name], value), name
    tower = "vimonet.keypoint_tower."
    assert {name.removeprefix(tower).split(".")[0] for name in after.keys() - before.keys()} == {
        *("lifter", "keypoints", "body_mean", "body_std")
    }
    assert torch.equal(after[tower + "input.weight"], before["vimonet.motion_tower.input.weight"])


def test_then_answers_train_the_keypoint_tower_alone(lifted: Path, tmp_path: Path) -> None:
    rates = ["optim.lr.keypoint_tower=1e-2", "optim.lr.projectors=0"]
    folder = run_instruct(tiny(tmp_path / "out", *rates, f"model={lifted}"), Flat(), None)
    before, after = weights(lifted), weights(folder)
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed and not {name for name in changed if "keypoint_tower" not in name or ".lifter." in name}
    assert {"vimonet.keypoint_tower.keypoints.weight", "vimonet.keypoint_tower.input.weight"} <= changed
    rates += ["optim.lr.keypoint_projector=1e-2"]
    after = weights(run_instruct(tiny(tmp_path / "with", *rates, f"model={lifted}"), Flat(), None))
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert all("keypoint" in name for name in changed)  # of the translators neither the motion's nor the clock
    assert len([name for name in changed if "translators.keypoint" in name]) == 6  # all of it


class Flat(Clips):
    """The 2D clips of `Clips`."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        return super().__getitem__(3 * index + 1)


def test_what_a_view_shows_of_a_pose() -> None:
    joints = np.repeat(rest_pose()[None], 20, 0)
    for azimuth, facing in ((0, (0, 1)), (90, (-1, 0)), (180, (0, -1))):
        pose = pose_of(joints, azimuth)
        np.testing.assert_allclose(pose[:, :2], np.tile(facing, (20, 1)), atol=1e-5)
    # A body seen from its left looks to the left of the picture: its toes are there.
    flat = View(90, 0.0, 4.0, 0.0, 0).project_2d(_motion(joints))
    assert flat.joints[0, INDEX["left_foot"], 0] < flat.joints[0, INDEX["left_ankle"], 0]
    np.testing.assert_allclose(pose[:, 2], pose[0, 2])  # the height stays


def _motion(joints: np.ndarray) -> Any:
    from vimonet.motion import Motion

    return Motion(joints.astype(np.float32))


def test_views_change_with_the_epoch(lifted: Path) -> None:
    extractor = ViMoNetProcessor.from_pretrained(lifted).feature_extractor
    clips, again = (ProjectedPoses(Turning(), extractor, 3) for _ in range(2))
    np.testing.assert_array_equal(clips[2][0], again[2][0])
    again.set_epoch(1)
    assert clips[2][0].shape == again[2][0].shape and not np.array_equal(clips[2][0], again[2][0])
    # Depth of the body does not depend on who looks.
    np.testing.assert_allclose(clips[2][1][:, 2:], again[2][1][:, 2:], atol=1e-5)


def test_what_cannot_be_lifted_is_said(aligned_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="adds a lifter to an existing model: set model"):
        run_lift_keypoints(tiny(tmp_path / "out", *SETTINGS), Turning())
    with pytest.raises(InputError, match="has none; name a source with 3D motion"):
        run_lift_keypoints(tiny(tmp_path / "out", *SETTINGS, f"model={aligned_folder}"), Flat())
    with pytest.raises(InputError, match="cannot be loaded"):
        run_lift_keypoints(tiny(tmp_path / "out", *SETTINGS, "model=nowhere"), Turning())
    assert not (tmp_path / "out").exists()
