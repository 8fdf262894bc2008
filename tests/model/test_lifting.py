"""The lifter of the keypoint tower."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_model, tiny_motion

from vimonet.model import MotionVQVAEConfig, ViMoNetForConditionalGeneration, add_lifter
from vimonet.model.towers.keypoint_lifter import KeypointEncoder, body_of
from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM, body_features
from vimonet.motion.skeleton import retarget
from vimonet.training.stages.lift_keypoints import pose_of


def keypoints(model: ViMoNetForConditionalGeneration, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return model.vimonet.get_motion_features(values, mask, "keypoint")[0]


@pytest.fixture
def clips() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    mask = torch.ones(2, 40, dtype=torch.bool)
    mask[1, 28:] = False
    return torch.randn(2, 40, KEYPOINT_DIM), mask


def lifted(seed: int = 0) -> ViMoNetForConditionalGeneration:
    model, processor = tiny_model(seed)
    extractor = processor.feature_extractor
    rng = np.random.default_rng(0)
    extractor.mean, extractor.std = (rng.uniform(0.5, 1.5, BODY_DIM).astype(np.float32) for _ in range(2))
    return add_lifter(model, extractor, 8)


@torch.no_grad()
def test_keypoints_are_read_as_the_motion_they_look_like(clips: tuple[torch.Tensor, torch.Tensor]) -> None:
    model = lifted()
    tower, (values, _) = model.vimonet.keypoint_tower, clips
    flags = (values[..., -15:] > 0).float()
    values = torch.cat([values[..., :-15], flags], dim=-1)
    body = body_of(tower.lifter.of_rows(values).transpose(1, 2), flags.transpose(1, 2)).transpose(1, 2)
    seen, _ = model.vimonet.get_motion_features((body - tower.body_mean) / tower.body_std, None, "motion")
    torch.testing.assert_close(keypoints(model, values, None), seen)
    # The keypoints themselves count once they have learnt to.
    torch.nn.init.normal_(tower.keypoints.weight)
    assert not torch.allclose(keypoints(model, values, None), seen)


@torch.no_grad()
def test_3d_motion_is_left_alone(clips: tuple[torch.Tensor, torch.Tensor]) -> None:
    before, _ = tiny_model()
    after = lifted()
    assert set(dict(before.named_parameters())) <= set(dict(after.named_parameters()))
    for name, parameter in before.named_parameters():
        if "keypoint" not in name:
            assert torch.equal(after.get_parameter(name), parameter)
    tower = after.vimonet.keypoint_tower
    assert add_lifter(after, None, 4).vimonet.keypoint_tower is tower  # type: ignore[arg-type]  # it has one


@torch.no_grad()
def test_saved_and_loaded_with_its_lifter(clips: tuple[torch.Tensor, torch.Tensor], tmp_path: Path) -> None:
    model = lifted()
    torch.nn.init.normal_(model.vimonet.keypoint_tower.keypoints.weight)
    model.save_pretrained(tmp_path)
    again = ViMoNetForConditionalGeneration.from_pretrained(tmp_path)
    assert isinstance(again.vimonet.keypoint_tower, KeypointEncoder)
    assert torch.equal(keypoints(again, *clips), keypoints(model, *clips))


@torch.no_grad()
def test_padding_does_not_reach_a_clip(clips: tuple[torch.Tensor, torch.Tensor]) -> None:
    model = lifted()
    torch.nn.init.normal_(model.vimonet.keypoint_tower.keypoints.weight)
    values, mask = clips
    alone = keypoints(model, values[1:, :28], None)
    torch.testing.assert_close(keypoints(model, values, mask)[10:], alone, atol=1e-4, rtol=1e-4)


def test_answers_do_not_teach_the_lifter(clips: tuple[torch.Tensor, torch.Tensor]) -> None:
    model = lifted()
    tower = model.vimonet.keypoint_tower
    keypoints(model, *clips).square().sum().backward()
    assert tower.keypoints.weight.grad.abs().sum() > 0 and tower.input.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in tower.lifter.parameters())


def test_a_true_pose_is_laid_out_as_the_features_of_its_motion() -> None:
    motion = tiny_motion(60)
    joints = motion.joints.copy()
    angle = np.linspace(0, 2.5 * np.pi, 60)[:, None]  # more than a whole turn, on a way forward
    x, z = joints[..., 0].copy(), joints[..., 2].copy()
    joints[..., 0] = np.cos(angle) * x + np.sin(angle) * z + np.sin(angle) * 0.5
    joints[..., 2] = np.cos(angle) * z - np.sin(angle) * x + np.linspace(0, 2, 60)[:, None]
    joints = retarget(joints)  # as those of a dataset are
    confidence = np.ones((60, 22), np.float32)
    confidence[20:40, 20] = 0
    expected = body_features(joints, confidence)
    pose = torch.from_numpy(pose_of(joints, 70.0).T[None])
    flags = torch.from_numpy(expected[:, -15:].T[None])
    found = body_of(pose, flags)[0].T.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert expected[-1, 9] > 2  # more than a whole turn was added up


def test_what_cannot_be_lifted_is_said() -> None:
    model, processor = tiny_model(keypoint_config=None)
    with pytest.raises(ValueError, match="lacks one of them"):
        add_lifter(model, processor.feature_extractor, 8)
    model, processor = tiny_model(motion_config=MotionVQVAEConfig(width=16, code_dim=24, depth=1))
    with pytest.raises(ValueError, match="which the model's motion tower does not read"):
        add_lifter(model, processor.feature_extractor, 8)
