"""Train the text-motion encoder, which ranks movements by a sentence (contrastive, TMR, arXiv 2305.00976)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.motion import Motion
from vimonet.retrieval.modeling_text_motion import MotionTextConfig, MotionTextModel
from vimonet.retrieval.r_precision import may_describe, retrieval
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder
from vimonet.training.config import TrainingConfig
from vimonet.training.data import ModalityGroup
from vimonet.training.data.sampling import call_with_data, seed_everything
from vimonet.training.data.text_motion_pairs import TextMotionPairs, text_motion_pairs
from vimonet.training.run_folder import Run
from vimonet.training.stages import RUN_KEYS, Stage
from vimonet.training.stages.motion_tokenizer import fit_feature_extractor, tower_shape
from vimonet.training.stages.pretrain_lm import train_bpe
from vimonet.training.trainer import StageTrainer
from vimonet.utils.errors import InputError


def run_text_motion_retrieval(
    config: TrainingConfig, dataset: TextMotionPairs | None = None, validation: TextMotionPairs | None = None
) -> Path:
    """Train the text-motion encoder.

    Args:
        config: settings; under ``optim.lr``, ``projectors`` is the rate of the motion head and ``language_model`` the
            rate of the text side.
        dataset, validation: pairs of motion and text; None calls `text_motion_pairs`.

    Returns:
        The output folder, for `TextMotionEncoder.load`, with the held-out R-precision and MM-Dist in ``training.json``.

    Raises:
        InputError: no dataset, or one without captions.
    """
    run = Run(config, "text-motion-retrieval")
    seed_everything(config.seed)
    settings = config.retrieval
    if dataset is None:
        data = {"seed": config.seed, "max_frames": config.motion.max_frames, **config.data}
        dataset = call_with_data(text_motion_pairs, data)
        if config.validation:
            validation = call_with_data(text_motion_pairs, {**data, "split": "val", "fixed": True, **config.validation})
    assert dataset is not None
    extractor = fit_feature_extractor(config.motion, dataset, config.seed)
    tokenizer = train_bpe(dataset.corpus(), settings.vocab_size, lowercase=True)
    tokenizer.padding_side = "right"
    model = MotionTextModel(_shape(config, extractor, dataset, len(tokenizer)))
    parts: dict[str, list[torch.nn.Module | None]] = {
        "motion_tower": [model.motion_tower],
        "keypoint_tower": [model.keypoint_tower],
        "projectors": [model.motion_head],
        "language_model": [model.word_embeddings, model.text_head],
    }
    trainer = PairTrainer(
        config,
        model,
        run.folder,
        parts={name: [part for part in modules if part is not None] for name, modules in parts.items()},
        train_dataset=dataset,
        eval_dataset=validation,
        data_collator=PairCollator(extractor, tokenizer, settings.max_text_tokens),
        callbacks=run.callbacks(),
    )
    run.train(trainer)
    evaluator = TextMotionEncoder(model.cpu().float(), extractor, tokenizer)
    results: dict[str, Any] = {"parameters": model.num_parameters(), "clips": len(dataset)}
    if run.main and validation is not None:
        results["retrieval"] = report(evaluator, validation, config.seed)
    return run.finish(evaluator.save, results)


def report(
    evaluator: TextMotionEncoder, clips: TextMotionPairs, seed: int = 0, limit: int = 2000
) -> dict[str, Any] | None:
    """Measure retrieval on at most `limit` clips with their first caption; None if they are too few for a pool."""
    samples = [clips[int(i)] for i in np.linspace(0, len(clips) - 1, min(limit, len(clips))).round()]
    motions = [
        Motion(s["joints"], name=str(i), confidence=s["confidence"], dimensions=s["dimensions"])
        for i, s in enumerate(samples)
    ]
    recordings = [clips.recordings[int(i)] for i in np.linspace(0, len(clips) - 1, len(samples)).round()]
    try:
        return retrieval(evaluator, motions, [s["text"] for s in samples], recordings, seed=seed).to_dict()
    except InputError:
        return None


def _shape(
    config: TrainingConfig, extractor: MotionFeatureExtractor, dataset: TextMotionPairs, vocabulary: int
) -> MotionTextConfig:
    """Return the config of the model, with towers for the modalities in the data only."""
    settings = config.retrieval
    towers: dict[str, Any] = {}
    wanted = {ModalityGroup.MOTION: True, ModalityGroup.KEYPOINT: config.motion.keypoints}
    for group, is_wanted in wanted.items():
        index = np.flatnonzero(dataset.modality_groups() == group)
        if len(index) and is_wanted:
            sample = dataset[int(index[0])]
            values = extractor.extract_joints(sample["joints"], sample["confidence"], sample["dimensions"])
            shape = MotionVQVAEConfig(**tower_shape(config.motion, values.shape[1]))
            used = ("input_dim", "width", "depth", "down_t", "stride_t", "dilation_growth_rate", "activation")
            towers[f"{group.name.lower()}_config"] = {key: getattr(shape, key) for key in used}
    return MotionTextConfig(
        **towers,
        code_dim=config.motion.code_dim,
        vocab_size=vocabulary,
        max_text_tokens=settings.max_text_tokens,
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        embedding_dim=settings.embedding_dim,
        temperature=settings.temperature,
        dropout=settings.dropout,
    )


class PairCollator:
    """Collate samples of `TextMotionPairs` to the arguments of `MotionTextModel.forward`, 3D pairs before 2D ones."""

    def __init__(self, extractor: MotionFeatureExtractor, tokenizer: Any, max_tokens: int) -> None:
        self.extractor, self.tokenizer, self.max_tokens = extractor, tokenizer, max_tokens

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Extract, pad, tokenise, and mark the pairs that are no negatives."""
        samples = sorted(samples, key=lambda sample: sample["dimensions"] == 2)
        batch: dict[str, torch.Tensor] = {}
        for name, dimensions in (("motion", 3), ("keypoint", 2)):
            features = [
                self.extractor.extract_joints(s["joints"], s["confidence"], dimensions)
                for s in samples
                if s["dimensions"] == dimensions
            ]
            if features:
                values, mask = self.extractor.pad(features)
                batch[f"{name}_values"], batch[f"{name}_mask"] = torch.from_numpy(values), torch.from_numpy(mask)
        texts = [sample["text"] for sample in samples]
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt")
        alike = may_describe(texts, [[s["text"], *s["true_texts"]] for s in samples])
        return {
            **batch,
            "input_ids": tokens["input_ids"],
            "attention_mask": tokens["attention_mask"],
            "not_negative": torch.from_numpy(alike),
        }


class PairTrainer(StageTrainer):
    """Train a `MotionTextModel`; negatives come from the same process and micro-batch."""

    def count(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Count the pairs of the batch."""
        return torch.tensor(float(len(batch["input_ids"])), dtype=torch.float64)


STAGE = Stage(
    run_text_motion_retrieval,
    reads=(
        *RUN_KEYS,
        *("retrieval.*", "motion.features", "motion.max_frames", "motion.width", "motion.code_dim", "motion.depth"),
        *("motion.down_t", "motion.keypoints", "motion.statistics_clips", "motion.options"),
        *("optim.lr.motion_tower", "optim.lr.keypoint_tower", "optim.lr.projectors", "optim.lr.language_model"),
    ),
)
