"""Train the projectors with the language model frozen (stage 1 of the paper)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vimonet.training.config import TrainingConfig
from vimonet.training.joint_training import JOINT_KEYS, train_jointly
from vimonet.training.stages import ANSWER_KEYS, RUN_KEYS, Stage
from vimonet.utils.errors import InputError


def run_align(config: TrainingConfig, dataset: Any = None, validation: Any = None) -> Path:
    """Train the projectors, and the towers that have a learning rate; see `train_jointly`.

    Raises:
        InputError: a learning rate for the language model, which this stage freezes.
    """
    if config.optim.lr.language_model:
        raise InputError(
            "stage align freezes the language model: set optim.lr.language_model=0, or run stage instruct."
        )
    return train_jointly("align", config, dataset, validation)


STAGE = Stage(run_align, reads=(*RUN_KEYS, *ANSWER_KEYS, *JOINT_KEYS))
