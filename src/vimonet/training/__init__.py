"""Train: one configuration and six stages, each from a YAML file to a folder that loads.

The stages are the files of `vimonet.training.stages`. All run on the transformers Trainer: run them under
``accelerate launch`` for several processes, with nothing else changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vimonet.training.config import TrainingConfig, load_config, make_config
from vimonet.training.stages import find_stage, stage_names

__all__ = ["TrainingConfig", "find_stage", "load_config", "main", "make_config", "stage_names"]


def main(stage: str, config_path: str | Path, overrides: Iterable[str] = ()) -> Path:
    """Run one stage.

    Args:
        stage: a name of `stage_names`.
        config_path: YAML file (see configs/).
        overrides: ``dotted.key=value`` on top of it.

    Returns:
        The output folder.

    Raises:
        InputError: an unknown stage, a key that is unknown or that the stage does not read, a value that cannot be,
            data or a checkpoint that is not there.
    """
    run = find_stage(stage).run
    return run(load_config(config_path, overrides, stage=stage))
