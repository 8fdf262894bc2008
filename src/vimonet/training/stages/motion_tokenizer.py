"""Train the motion tokenizer, a VQ-VAE that encodes movement as discrete codes (T2M-GPT, arXiv 2301.06052)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionVQVAE
from vimonet.training.config import MotionConfig, TrainingConfig
from vimonet.training.data import Sample
from vimonet.training.data.sampling import Motion3DDataset, call_with_data, rng_of, seed_everything
from vimonet.training.run_folder import Run
from vimonet.training.stages import RUN_KEYS, Stage
from vimonet.training.trainer import StageTrainer
from vimonet.utils.errors import InputError


def run_motion_tokenizer(config: TrainingConfig, dataset: Any = None, validation: Any = None) -> Path:
    """Train the motion tokenizer with reconstruction (smooth L1), velocity and commitment loss.

    Args:
        config: settings.
        dataset, validation: samples (`vimonet.training.data`); None calls `training_samples`.

    Returns:
        The output folder: VQ-VAE and feature extractor, and `reconstruction_report` in ``training.json``.
    """
    run = Run(config, "motion-tokenizer")
    seed_everything(config.seed)
    dataset, validation = samples_of(config, dataset, validation)
    extractor = fit_feature_extractor(config.motion, dataset, config.seed)
    train_clips = MotionClips(dataset, extractor, config.motion.window, config.seed)
    held_out = MotionClips(validation, extractor, 0, config.seed) if validation is not None else None
    if held_out is None:
        held_out = MotionClips(dataset, extractor, 0, config.seed)
    model = MotionVQVAE(vqvae_config(config.motion, train_clips[0].shape[1]))
    trainer = TokenizerTrainer(
        config,
        model,
        run.folder,
        parts={"motion_tower": [model]},
        train_dataset=train_clips,
        eval_dataset=held_out if config.validation else None,
        data_collator=PadClips(extractor),
        callbacks=run.callbacks(),
    )
    run.train(trainer)
    results: dict[str, Any] = {"parameters": model.num_parameters()}
    if run.main:
        report = reconstruction_report(model, held_out, extractor)
        results["reconstruction"] = {"samples": "validation" if validation is not None else "training", **report}

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        extractor.save_pretrained(folder)

    return run.finish(save, results)


def samples_of(config: TrainingConfig, dataset: Any, validation: Any, **defaults: Any) -> tuple[Any, Any]:
    """Return the given datasets, or open the ones that ``data`` and ``validation`` describe.

    Args:
        config: settings.
        dataset, validation: samples; None calls `training_samples`.
        defaults: its arguments where ``data`` has none.

    Raises:
        InputError: an empty dataset.
    """
    if dataset is None:
        from vimonet.training.data.vimos_dataset import training_samples

        data = {**defaults, **config.data}
        dataset = call_with_data(training_samples, data)
        if config.validation:
            validation = call_with_data(training_samples, {**data, "split": "val", **config.validation})
    if not len(dataset):
        raise InputError(
            f"there is nothing to train on: the dataset has no clip for data={config.data}; change dataset or split."
        )
    return dataset, validation


def feature_dim(features: str) -> int:
    """Return the dimension of ``body``, ``humanml3d`` or ``keypoints`` features."""
    if features == "humanml3d":
        return 263
    from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM

    return BODY_DIM if features == "body" else KEYPOINT_DIM


def tower_shape(motion: MotionConfig, input_dim: int) -> dict[str, Any]:
    """Return the config fields of a tower for features [T, input_dim], with ``motion.options``."""
    from vimonet.motion.features.body_features import BODY_DIM, BODY_JOINTS, ROOT_DIM

    options = dict(motion.options)
    if motion.features == "body" and input_dim == BODY_DIM:
        options.setdefault("position_channels", [ROOT_DIM, ROOT_DIM + 3 * len(BODY_JOINTS)])
    shape = {"width": motion.width, "code_dim": motion.code_dim, "depth": motion.depth, "down_t": motion.down_t}
    return {"input_dim": input_dim, **shape, **options}


def vqvae_config(motion: MotionConfig, input_dim: int) -> MotionVQVAEConfig:
    """Return the config of a VQ-VAE for features [T, input_dim]."""
    codes = {"num_codes": motion.num_codes, "quantizer": motion.quantizer}
    return MotionVQVAEConfig(**{**codes, **tower_shape(motion, input_dim)})


def fit_feature_extractor(motion: MotionConfig, dataset: Any, seed: int) -> MotionFeatureExtractor:
    """Fit mean and standard deviation of 3D and 2D features on at most ``statistics_clips`` samples.

    Binary channels (visibility, contact) are not normalised. Deviations are at least 0.02, so that the noise of a joint
    that hardly moves is not amplified.
    """
    plain = MotionFeatureExtractor(features=motion.features, max_frames=motion.max_frames, ratio=2**motion.down_t)
    order = rng_of(seed, "statistics").permutation(len(dataset))[: motion.statistics_clips]
    found: dict[int, list[NDArray[np.float32]]] = {0: [], 1: []}
    for index in order:
        sample = dataset[int(index)]
        if sample.get("joints") is not None:
            flat = int(sample.get("dimensions", 3) == 2)
            joints = np.asarray(sample["joints"], np.float32)[: motion.max_frames]
            confidence = sample.get("confidence")
            confidence = None if confidence is None else confidence[: motion.max_frames]
            found[flat].append(plain.extract_joints(joints, confidence, sample.get("dimensions", 3)))
    mean, std = _statistics(found[0])
    keypoint_mean, keypoint_std = _statistics(found[1])
    return MotionFeatureExtractor(
        features=motion.features,
        mean=mean,
        std=std,
        keypoint_mean=keypoint_mean,
        keypoint_std=keypoint_std,
        max_frames=motion.max_frames,
        ratio=2**motion.down_t,
    )


def _statistics(clips: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    if not clips:
        return None, None
    frames = np.concatenate(clips).astype(np.float64)
    flag = ((frames == 0) | (frames == 1)).all(0)
    mean = np.where(flag, 0.0, frames.mean(0))
    std = np.where(flag, 1.0, np.maximum(frames.std(0), 0.02))
    return mean.astype(np.float32), std.astype(np.float32)


class MotionClips(Motion3DDataset):
    """Extract normalised features [T, D] of each 3D clip, from a random span of `window` frames (0: all frames)."""

    def __init__(self, dataset: Any, extractor: MotionFeatureExtractor, window: int, seed: int) -> None:
        super().__init__(dataset, seed)
        self.extractor, self.window = extractor, window
        self[0]  # fails before training if there is no 3D clip

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        sample = self._three_dimensional(index)
        limit = self.extractor.max_frames
        confidence = sample.get("confidence")
        # Features of the whole clip first: at inference, too, path and heading are relative to the clip's start.
        values = self.extractor.extract_joints(
            np.asarray(sample["joints"], np.float32)[:limit], None if confidence is None else confidence[:limit], 3
        )
        if not self.window or len(values) <= self.window:
            return values
        start = int(rng_of(self.seed, self.epoch, index, "stretch").integers(len(values) - self.window + 1))
        return values[start : start + self.window]

    def _three_dimensional(self, index: int) -> Sample:
        """Return the sample at `index`, or the next one in 3D."""
        for step in range(len(self.dataset)):
            sample = self.dataset[(index + step) % len(self.dataset)]
            if sample.get("joints") is not None and sample.get("dimensions", 3) == 3:
                return sample
        raise InputError(
            "the motion tokenizer is trained on 3D clips, and the data has none; name a source with 3D motion."
        )


class PadClips:
    """Collate features [T_i, D] to motion_values [B, T, D] and mask [B, T]."""

    def __init__(self, extractor: MotionFeatureExtractor) -> None:
        self.extractor = extractor

    def __call__(self, clips: Sequence[NDArray[np.float32]]) -> dict[str, torch.Tensor]:
        """Pad and stack."""
        values, mask = self.extractor.pad(clips)
        return {"motion_values": torch.from_numpy(values), "mask": torch.from_numpy(mask)}


class TokenizerTrainer(StageTrainer):
    """Train a MotionVQVAE with a velocity loss beside the model's own."""

    def count(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Count the unpadded frames of the batch."""
        return batch["mask"].sum().double()

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Compute the model's loss + velocity_weight x smooth L1 of frame-to-frame differences."""
        if model.training:
            self.set_frozen_eval()
        output = model(motion_values=inputs["motion_values"], mask=inputs["mask"])
        both = inputs["mask"][:, 1:] & inputs["mask"][:, :-1]
        drawn, true = output["reconstruction"].diff(dim=1)[both], inputs["motion_values"].diff(dim=1)[both]
        loss = output["loss"] + self.config.motion.velocity_weight * F.smooth_l1_loss(drawn.float(), true)
        loss = self.share_of_step(loss, inputs["mask"].sum(), num_items_in_batch)
        return (loss, output) if return_outputs else loss


@torch.no_grad()
def reconstruction_report(
    model: MotionVQVAE, clips: MotionClips, extractor: MotionFeatureExtractor, limit: int = 500, batch_size: int = 16
) -> dict[str, Any]:
    """Measure the reconstruction error of a tokenizer over at most `limit` clips.

    Returns:
        mpjpe_mm: mean per-joint position error, root path included; mpjpe_root_aligned_mm: with both pelvises at the
        origin in every frame; mpjpe_pose_mm: with the heading aligned too; codes_used: share of the codebook;
        perplexity: exp of the entropy of the codes; clips, frames.
    """
    model.eval()
    order = np.linspace(0, len(clips) - 1, min(limit, len(clips))).round().astype(int)
    pad = PadClips(extractor)
    error = aligned = posed = 0.0
    joints_seen = 0
    frames = 0
    counts: NDArray[np.int64] | None = None
    for start in range(0, len(order), batch_size):
        values = [clips[int(i)] for i in order[start : start + batch_size]]
        batch = pad(values)
        batch = {key: value.to(model.device) for key, value in batch.items()}
        output = model(**batch)
        codes = output.codes[output.codes >= 0].flatten().cpu().numpy()
        found = np.bincount(codes, minlength=model.config.codebook_size)
        counts = found if counts is None else counts + found
        for row, truth in enumerate(values):
            drawn = output.reconstruction[row, : len(truth)].float().cpu().numpy()
            true_joints, drawn_joints = _joints(truth, extractor), _joints(drawn, extractor)
            error += float(np.linalg.norm(drawn_joints - true_joints, axis=-1).sum())
            true_joints, drawn_joints = true_joints - true_joints[:, :1], drawn_joints - drawn_joints[:, :1]
            aligned += float(np.linalg.norm(drawn_joints - true_joints, axis=-1).sum())
            posed += float(np.linalg.norm(align_heading(drawn_joints, true_joints) - true_joints, axis=-1).sum())
            joints_seen += true_joints.shape[0] * true_joints.shape[1]
            frames += len(truth)
    assert counts is not None
    share = counts[counts > 0] / counts.sum()
    return {
        "mpjpe_mm": round(1000 * error / joints_seen, 2),
        "mpjpe_root_aligned_mm": round(1000 * aligned / joints_seen, 2),
        "mpjpe_pose_mm": round(1000 * posed / joints_seen, 2),
        "codes_used": round(float((counts > 0).mean()), 4),
        "perplexity": round(float(np.exp(-(share * np.log(share)).sum())), 1),
        "clips": len(order),
        "frames": frames,
    }


def _joints(values: NDArray[np.float32], extractor: MotionFeatureExtractor) -> NDArray[np.float32]:
    """Compute joint positions [T, J, 3] in metres from normalised features [T, D]."""
    if extractor.std is not None:
        values = values * extractor.std
    if extractor.mean is not None:
        values = values + extractor.mean
    if extractor.features == "humanml3d":
        from vimonet.motion.features.humanml3d_features import humanml3d_joints

        return humanml3d_joints(values)
    from vimonet.motion.features.body_features import body_joints

    return body_joints(values)


def align_heading(joints: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rotate joints [T, J, 3] about the vertical in each frame to fit `target` (least squares)."""
    x, z, to_x, to_z = joints[..., 0], joints[..., 2], target[..., 0], target[..., 2]
    angle = np.arctan2((z * to_x - x * to_z).sum(1), (x * to_x + z * to_z).sum(1))[:, None]
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x + sin * z, joints[..., 1], cos * z - sin * x], axis=-1)


STAGE = Stage(
    run_motion_tokenizer,
    reads=(
        *RUN_KEYS,
        *("motion.features", "motion.max_frames", "motion.width", "motion.code_dim", "motion.num_codes"),
        *("motion.depth", "motion.down_t", "motion.quantizer", "motion.window", "motion.velocity_weight"),
        *("motion.statistics_clips", "motion.options", "optim.lr.motion_tower"),
    ),
)
