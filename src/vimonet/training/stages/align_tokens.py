"""Align motion tokens with the words of actions, before a large language model is run (first half of stage 1).

Towers and projectors learn `TokenPhraseLoss` alone: each projected token is classified among all action phrases by its
cosine with their word embeddings. The language model lends its embeddings and is not run, so a step costs a hundredth
of one of stage `align`, and tokens have a meaning for the language model before it reads the first of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vimonet.model import ViMoNetForConditionalGeneration
from vimonet.training.config import TrainingConfig
from vimonet.training.data.collator import Collator
from vimonet.training.data.sampling import QAPairSampler, seed_everything
from vimonet.training.joint_training import JOINT_KEYS, assemble, save_model
from vimonet.training.objective import TokenPhraseLoss, named_tokens
from vimonet.training.parameters import cast_parameters
from vimonet.training.run_folder import Run
from vimonet.training.stages import RUN_KEYS, Stage
from vimonet.training.stages.motion_tokenizer import samples_of
from vimonet.training.trainer import StageTrainer
from vimonet.utils.errors import InputError


def run_align_tokens(config: TrainingConfig, dataset: Any = None, validation: Any = None) -> Path:
    """Train towers and projectors on the phrases of labelled actions.

    Args:
        config: settings; ``model`` names a whole model, or ``language.checkpoint`` and ``motion.checkpoint`` its parts.
        dataset, validation: samples with ``actions``; None calls `training_samples`.

    Returns:
        The output folder, a whole model; its config lists the phrases as ``action_phrases``.

    Raises:
        InputError: data without labelled actions, or a learning rate for the language model.
    """
    if config.optim.lr.language_model:
        raise InputError("stage align-tokens does not run the language model: set optim.lr.language_model=0.")
    run = Run(config, "align-tokens")
    seed_everything(config.seed)
    dataset, validation = samples_of(config, dataset, validation, qa_pairs=1)
    phrases = tuple(getattr(dataset, "actions", ()))
    if not phrases:
        raise InputError("stage align-tokens needs labelled actions, and the data has none.")
    model, processor = assemble(config, dataset)
    cast_parameters(model, config, adapted=False)
    aligner = TokenAligner(model, TokenPhraseLoss(model, processor.tokenizer, phrases))
    body = model.vimonet
    parts: dict[str, list[nn.Module]] = {
        "motion_tower": [body.motion_tower] if body.motion_tower else [],
        "keypoint_tower": [body.keypoint_tower] if body.keypoint_tower else [],
        "projectors": [body.translators],
    }
    trainer = TokenTrainer(
        config,
        aligner,
        run.folder,
        parts=parts,
        train_dataset=QAPairSampler(dataset, 1, config.seed),
        eval_dataset=None if validation is None else QAPairSampler(validation, 1, config.seed),
        data_collator=Collator(processor.tokenizer, processor.feature_extractor, phrases=phrases, supervise="all"),
        callbacks=run.callbacks(),
    )
    run.train(trainer)
    model.config.action_phrases = list(phrases)

    def save(folder: Path) -> None:
        save_model(model, folder)
        processor.save_pretrained(folder)

    return run.finish(save, {"clips": len(dataset), "phrases": len(phrases)})


class TokenAligner(nn.Module):
    """Project the clips of a batch and return their token-phrase loss (mean, nats)."""

    def __init__(self, model: ViMoNetForConditionalGeneration, loss: TokenPhraseLoss) -> None:
        super().__init__()
        body = model.vimonet
        # The language model is left out, so that checkpoints hold the trained parts only.
        self.motion_tower, self.keypoint_tower, self.translators = (
            body.motion_tower,
            body.keypoint_tower,
            body.translators,
        )
        self._project, self._loss = body.get_motion_features, loss

    def forward(self, **batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the loss of motion and keypoint clips with their phrases; other inputs are not read."""
        for name in ("motion", "keypoint"):
            if f"{name}_values" in batch:
                self._project(batch[f"{name}_values"], batch[f"{name}_mask"], name)
        return {"loss": self._loss(batch) / named_tokens(batch).clamp(min=1).float()}


class TokenTrainer(StageTrainer):
    """Train a `TokenAligner`; the mean is over the labelled tokens of the whole step."""

    def count(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Count the labelled tokens of the batch."""
        return named_tokens(batch)


STAGE = Stage(
    run_align_tokens,
    reads=(
        *RUN_KEYS,
        *(key for key in JOINT_KEYS if not key.startswith(("objective", "optim", "reader"))),
        *("optim.lr.motion_tower", "optim.lr.keypoint_tower", "optim.lr.projectors", "optim.lr.language_model"),
    ),
)
