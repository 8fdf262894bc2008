"""Stage 1: train the projectors, with the language model frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vimonet.training.config import TrainingConfig
from vimonet.training.joint_training import JOINT_KEYS, train_jointly
from vimonet.training.stages import ANSWER_KEYS, RUN_KEYS, Stage
from vimonet.utils.errors import InputError


def run_align(config: TrainingConfig, dataset: Any = None, validation: Any = None) -> Path:
    """Train the projectors, the language model frozen (towers too, unless they are given a rate).

    See `train_jointly` for arguments and result.

    Raises:
        InputError: a rate for the language model, which this stage leaves alone.
    """
    if config.optim.lr.language_model:
        raise InputError(
            "stage align leaves the language model alone: set optim.lr.language_model=0, or run stage instruct."
        )
    return train_jointly("align", config, dataset, validation)


STAGE = Stage(run_align, reads=(*RUN_KEYS, *ANSWER_KEYS, *JOINT_KEYS))
