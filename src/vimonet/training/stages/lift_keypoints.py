"""Train 2D-to-3D lifting, so that the keypoint tower reads 2D keypoints as estimated 3D movement."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vimonet.model import MotionFeatureExtractor, ViMoNetForConditionalGeneration, ViMoNetProcessor, add_lifter
from vimonet.model.towers.keypoint_lifter import FACING, JOINTS, POSE, ROOT, KeypointEncoder, Lifter
from vimonet.motion import FPS, Motion
from vimonet.motion.features.body_features import ROOT_DIM, body_features
from vimonet.motion.kinematics import heading
from vimonet.motion.projection import View
from vimonet.motion.skeleton import INDEX
from vimonet.training.config import TrainingConfig
from vimonet.training.data import ModalityGroup
from vimonet.training.data.sampling import Motion3DDataset, QAPairSampler, seed_everything
from vimonet.training.joint_training import load_part, save_model
from vimonet.training.run_folder import Run
from vimonet.training.stages import RUN_KEYS, Stage
from vimonet.training.stages.motion_tokenizer import samples_of
from vimonet.training.trainer import StageTrainer
from vimonet.utils.errors import InputError

_FEWEST = 8
"""Fewest frames of a training clip."""
_LOST = 0.3
"""Share of clips with a limb out of view: real video often does not show the whole body."""
_OUT_OF_VIEW = tuple(
    [INDEX[f"{side}_{name}"] for side in sides for name in names]
    for sides, names in (
        (("left", "right"), ("ankle", "foot")),
        (("left", "right"), ("knee", "ankle", "foot")),
        (("left", "right"), ("elbow", "wrist")),
        (("left",), ("elbow", "wrist")),
        (("right",), ("elbow", "wrist")),
        (("left",), ("elbow", "wrist", "knee", "ankle", "foot")),
        (("right",), ("elbow", "wrist", "knee", "ankle", "foot")),
    )
)
_WEIGHTS = {"facing": 2.0, "root": 1.0, "joints": 8.0, "velocities": 1.0}
"""Weights of the squared errors, which bring them to a similar scale: unit vectors; m and m/s; m; m/s."""


def run_lift_keypoints(config: TrainingConfig, dataset: Any = None, validation: Any = None) -> Path:
    """Add a lifter from 2D keypoints to 3D motion to a model, and train it on projected 3D clips.

    The keypoint tower becomes the lifter and a copy of the motion tower. The rest of the model does not change.

    Args:
        config: settings; ``model`` is a ViMoNet folder.
        dataset, validation: samples (`vimonet.training.data`); None calls `training_samples`.

    Returns:
        The output folder: the model with its lifter, and the errors of `lift_report` in ``training.json``.

    Raises:
        InputError: no model, a model that cannot have a lifter, or data without 3D motion.
    """
    if not config.model:
        raise InputError("stage lift-keypoints adds a lifter to an existing model: set model to a ViMoNet folder.")
    run = Run(config, "lift-keypoints")
    seed_everything(config.seed)
    model = load_part(ViMoNetForConditionalGeneration, config.model, "model", "a ViMoNet model")
    processor = load_part(ViMoNetProcessor, config.model, "model", "a ViMoNet model")
    try:
        tower = add_lifter(model, processor.feature_extractor, config.motion.lift_width).vimonet.keypoint_tower
    except ValueError as error:
        raise InputError(f"{config.model}: {error}") from error
    assert isinstance(tower, KeypointEncoder)
    dataset, validation = samples_of(config, dataset, validation)
    extractor = processor.feature_extractor
    clips = ProjectedPoses(dataset, extractor, config.seed)
    held_out = ProjectedPoses(validation if validation is not None else dataset, extractor, config.seed)
    trainer = LiftTrainer(
        config,
        _LifterWithLoss(tower.lifter.float()),
        run.folder,
        parts={"keypoint_tower": [tower.lifter]},
        train_dataset=clips,
        eval_dataset=held_out if config.validation else None,
        data_collator=PadPoses(extractor),
        callbacks=run.callbacks(),
    )
    run.train(trainer)
    results: dict[str, Any] = {"parameters": sum(p.numel() for p in tower.lifter.parameters())}
    if run.main:
        results["lifted"] = {
            "samples": "validation" if validation is not None else "training",
            **lift_report(tower.lifter, held_out),
        }

    def save(folder: Path) -> None:
        save_model(model, folder)
        processor.save_pretrained(folder)

    return run.finish(save, results)


def pose_of(joints: NDArray[np.float32], azimuth: float) -> NDArray[np.float32]:
    """Compute the target pose [T, POSE] of a lifter for 3D joints [T, 22, 3] seen from `azimuth`, degrees."""
    angle = heading(joints, FPS)
    # `vimonet.motion.projection.project` places the camera relative to the facing of the first frames.
    seen = angle - float(heading(joints[:5], FPS)[0]) - np.radians(azimuth)
    body = body_features(joints)
    facing = np.stack([np.sin(seen), np.cos(seen)], axis=1)
    return np.concatenate([facing, body[:, :ROOT], body[:, ROOT_DIM : ROOT_DIM + POSE - FACING - ROOT]], axis=1)


class ProjectedPoses(Motion3DDataset):
    """Project each 3D clip in a random view, anew every epoch: keypoint features [T, D], target poses [T, POSE].

    A share of the clips hides a limb in the features; the poses are complete.
    """

    def __init__(self, dataset: Any, extractor: MotionFeatureExtractor, seed: int) -> None:
        super().__init__(dataset, seed)
        self.extractor = extractor
        view = QAPairSampler(dataset, 1, seed)
        self._rows = np.flatnonzero((view.modality_groups() == ModalityGroup.MOTION) & (4 * view.lengths() >= _FEWEST))
        if not len(self._rows):
            raise InputError(
                "stage lift-keypoints is trained on 3D clips, and the data has none; name a source with 3D motion."
            )

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = random.Random(f"{self.seed}/{self.epoch}/{index}/view")
        for step in range(len(self)):
            sample = self.dataset[int(self._rows[(index + step) % len(self)])]
            joints, view = np.asarray(sample["joints"], np.float32)[: self.extractor.max_frames], View.draw(rng)
            confidence = sample.get("confidence")
            confidence = None if confidence is None else confidence[: self.extractor.max_frames]
            try:
                projected = view.project_2d(Motion(joints, name="projected", confidence=confidence))
            except InputError:  # the body lies along the line of sight
                continue
            seen = projected.confidence
            seen = np.ones(joints.shape[:2], np.float32) if seen is None else seen.copy()
            if rng.random() < _LOST:
                seen[:, rng.choice(_OUT_OF_VIEW)] = 0
            return self.extractor.extract_joints(projected.joints, seen, 2), pose_of(joints, view.azimuth)
        raise InputError("no clip of the data can be projected to 2D keypoints; name a source with upright bodies.")


class PadPoses:
    """Collate (features [T, D], poses [T, POSE]) to keypoint_values, mask and poses."""

    def __init__(self, extractor: MotionFeatureExtractor) -> None:
        self.extractor = extractor

    def __call__(self, clips: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> dict[str, Tensor]:
        """Pad and stack."""
        values, mask = self.extractor.pad([values for values, _ in clips])
        poses, _ = self.extractor.pad([pose for _, pose in clips])
        return {
            "keypoint_values": torch.from_numpy(values),
            "mask": torch.from_numpy(mask),
            "poses": torch.from_numpy(poses),
        }


class _LifterWithLoss(torch.nn.Module):
    """Wrap a lifter with its loss."""

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        self.lifter = lifter

    def forward(self, keypoint_values: Tensor, mask: Tensor, poses: Tensor) -> dict[str, Tensor]:
        """Compute the weighted squared error over unpadded frames."""
        found = self.lifter.of_rows(keypoint_values, mask).float()
        errors = (found - poses)[mask] ** 2
        parts = errors.split((FACING, ROOT, (POSE - FACING - ROOT) // 2, (POSE - FACING - ROOT) // 2), dim=1)
        losses = [weight * part.mean() for weight, part in zip(_WEIGHTS.values(), parts, strict=True)]
        return {"loss": torch.stack(losses).sum(), "poses": found}


class LiftTrainer(StageTrainer):
    """Train a lifter."""

    def count(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Count the unpadded frames of the batch."""
        return batch["mask"].sum().double()


def facing_of(pose: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the facing [T], radians, of poses [T, POSE]."""
    return np.arctan2(pose[:, 0], pose[:, 1])


def angle_errors(predicted: NDArray[Any], true: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Compute the error of facings [T], radians: degrees per frame [T], and degrees of the turn from first to last."""
    turns = [angles[-1] - angles[0] for angles in (np.unwrap(predicted), np.unwrap(true))]
    return np.degrees(np.abs(np.angle(np.exp(1j * (predicted - true))))), float(np.degrees(abs(turns[0] - turns[1])))


def joint_errors(predicted: NDArray[Any], true: NDArray[Any]) -> NDArray[Any]:
    """Compute the mean joint error of poses [T, POSE], relative to the pelvis in the true facing: [T], mm."""
    return 1000 * np.linalg.norm((predicted - true)[:, JOINTS].reshape(len(true), -1, 3), axis=-1).mean(1)


@torch.no_grad()
def lift_report(lifter: Lifter, clips: ProjectedPoses, limit: int = 500) -> dict[str, Any]:
    """Measure the errors of a lifter over at most `limit` clips.

    Returns:
        facing_degrees: median error of the facing; facing_within_45: share of frames within 45 degrees;
        turned_within_45: share of clips whose turn from first to last frame is within 45 degrees; mpjpe_mm: mean
        per-joint position error relative to the pelvis in the true facing; clips, frames.
    """
    lifter.eval()
    device = lifter.input.weight.device
    facing, turns, places = [], [], []
    for index in np.linspace(0, len(clips) - 1, min(limit, len(clips))).round().astype(int):
        values, pose = clips[int(index)]
        found = lifter.of_rows(torch.from_numpy(values)[None].to(device))[0].float().cpu().numpy()
        off, turn = angle_errors(facing_of(found), facing_of(pose))
        facing.append(off)
        turns.append(turn)
        places.append(joint_errors(found, pose))
    angles = np.concatenate(facing)
    return {
        "facing_degrees": round(float(np.median(angles)), 1),
        "facing_within_45": round(float((angles < 45).mean()), 3),
        "turned_within_45": round(float((np.array(turns) < 45).mean()), 3),
        "mpjpe_mm": round(float(np.concatenate(places).mean()), 1),
        "clips": len(facing),
        "frames": len(angles),
    }


STAGE = Stage(run_lift_keypoints, reads=(*RUN_KEYS, "model", "motion.lift_width", "optim.lr.keypoint_tower"))
