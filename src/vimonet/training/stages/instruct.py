"""Tune projectors, language model (LoRA or in full) and towers on instructions (stage 2 of the paper)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vimonet.training.config import TrainingConfig
from vimonet.training.joint_training import JOINT_KEYS, train_jointly
from vimonet.training.stages import ANSWER_KEYS, RUN_KEYS, Stage
from vimonet.utils.errors import InputError


def run_instruct(config: TrainingConfig, dataset: Any = None, validation: Any = None) -> Path:
    """Train projectors, language model (LoRA, or in full with ``lora.rank`` 0) and towers; see `train_jointly`.

    Raises:
        InputError: adapters without a base model.
    """
    lora = config.lora if config.lora.rank > 0 else None
    if lora is not None and not config.model and not lora.merge:
        raise InputError(
            "an adapter needs the model it adapts: set model to the output of stage align, or lora.merge=true."
        )
    return train_jointly("instruct", config, dataset, validation, lora)


STAGE = Stage(run_instruct, reads=(*RUN_KEYS, *ANSWER_KEYS, *JOINT_KEYS, "lora.*"))
