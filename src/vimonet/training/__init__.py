"""Training: one configuration, six stages, each from a YAML file to a folder that loads.

``language`` (the nano's language model, on text alone), ``tokenizer`` (the motion VQ-VAE), ``align`` (translators),
``lift`` (keypoints in depth), ``instruct`` (translators with LoRA or the whole language model), ``evaluator`` (motion
and text in one space). On the transformers Trainer throughout: run it under ``accelerate launch`` for several
processes, with nothing else changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vimonet.training.config import STAGES, TrainingConfig, load_config, make_config

__all__ = ["STAGES", "TrainingConfig", "load_config", "main", "make_config"]


def main(stage: str, config_path: str | Path, overrides: Iterable[str] = ()) -> Path:
    """Run one stage.

    Args:
        stage: ``language``, ``tokenizer``, ``align``, ``lift``, ``instruct`` or ``evaluator``.
        config_path: YAML file (see configs/).
        overrides: ``dotted.key=value`` on top of it.

    Returns:
        The output folder.

    Raises:
        InputError: an unknown stage or key, a value that cannot be, data or a checkpoint that is not there.
    """
    from vimonet.utils.errors import InputError

    if stage not in STAGES:
        raise InputError(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}.")
    config = load_config(config_path, overrides)
    # Imported here: reading a configuration must not wait for torch.
    if stage == "language":
        from vimonet.training.stages.pretrain_lm import run_language

        return run_language(config)
    if stage == "tokenizer":
        from vimonet.training.stages.motion_tokenizer import run_tokenizer

        return run_tokenizer(config)
    if stage == "lift":
        from vimonet.training.stages.lift_keypoints import run_lift

        return run_lift(config)
    if stage == "evaluator":
        from vimonet.training.stages.text_motion_retrieval import run_evaluator

        return run_evaluator(config)
    from vimonet.training.stages.align_instruct import run_align, run_instruct

    return (run_align if stage == "align" else run_instruct)(config)
