"""Train models: seven stages, each from one YAML file to a folder that `from_pretrained` loads.

The stages are the files of `vimonet.training.stages`. All use the transformers Trainer, so ``accelerate launch`` runs
them on several processes without other changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vimonet.training.config import TrainingConfig, load_config, make_config
from vimonet.training.stages import find_stage, stage_names

__all__ = ["TrainingConfig", "find_stage", "load_config", "main", "make_config", "stage_names"]


def main(stage: str, config_path: str | Path, overrides: Iterable[str] = ()) -> Path:
    """Run one stage and return its output folder.

    Args:
        stage: a name of `stage_names`.
        config_path: YAML file (see configs/).
        overrides: ``dotted.key=value``, applied after the file.

    Raises:
        InputError: unknown stage, unknown or unused key, invalid value, missing data or checkpoint.
    """
    run = find_stage(stage).run
    return run(load_config(config_path, overrides, stage=stage))
