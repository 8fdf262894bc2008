"""Stage 2: tune projectors and language model (LoRA or in full) on instructions, towers at rates of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vimonet.training.config import TrainingConfig
from vimonet.training.joint_training import JOINT_KEYS, train_jointly
from vimonet.training.stages import ANSWER_KEYS, RUN_KEYS, Stage
from vimonet.utils.errors import InputError


def run_instruct(config: TrainingConfig, dataset: Any = None, validation: Any = None) -> Path:
    """Train projectors, language model (LoRA, or in full with ``lora.rank`` 0) and towers, each at its rate.

    See `train_jointly` for arguments and result; ``model`` is the output of stage align, or parts are joined as there.

    Raises:
        InputError: adapters without a model beneath them.
    """
    lora = config.lora if config.lora.rank > 0 else None
    if lora is not None and not config.model and not lora.merge:
        raise InputError(
            "an adapter needs the model it adapts: set model to the output of stage align, or lora.merge=true."
        )
    return train_jointly("instruct", config, dataset, validation, lora)


STAGE = Stage(run_instruct, reads=(*RUN_KEYS, *ANSWER_KEYS, *JOINT_KEYS, "lora.*"))
