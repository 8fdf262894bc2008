"""Stages of training, one file each: a file here is a stage, and its name with dashes the name of the stage.

The file holds the run function and ``STAGE``, which declares the keys of the configuration that the stage reads.
Command line, `vimonet.training.main` and the check for keys that are not read know the stages from here alone.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vimonet.utils.errors import InputError

RUN_KEYS = (
    *("output", "overwrite", "resume", "seed", "data", "validation"),
    *("optim.warmup", "optim.decay", "optim.weight_decay", "optim.grad_clip", "optim.beta2"),
    *("trainer.steps", "trainer.batch_size", "trainer.accumulation", "trainer.group_by_length", "trainer.bf16"),
    *("trainer.workers", "trainer.threads", "trainer.log_every", "trainer.save_every", "trainer.eval_every"),
    *("trainer.device", "trainer.report"),
)
"""Keys that every stage on `Run` and `StageTrainer` reads."""

ANSWER_KEYS = (
    *("trainer.qa_pairs_per_clip", "trainer.max_tokens", "trainer.packing", "trainer.attention"),
    *("trainer.compile", "trainer.gradient_checkpointing"),
)
"""Keys that a stage on `AnswerTrainer` reads besides."""


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        run: trains from a `TrainingConfig` and returns the output folder.
        reads: keys of the configuration that it reads, or branches as ``name.*``.
    """

    run: Callable[..., Path]
    reads: tuple[str, ...]


def stage_names() -> list[str]:
    """List the names of all stages, without importing one."""
    return [module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)]


def stage_summaries() -> dict[str, str]:
    """Return the first docstring line of every stage's file, without importing one."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        finder: Any = module.module_finder
        source = (Path(finder.path) / f"{module.name}.py").read_text("utf-8")
        text = ast.get_docstring(ast.parse(source)) or ""
        found[module.name.replace("_", "-")] = text.split("\n", 1)[0]
    return found


def find_stage(name: str) -> Stage:
    """Import a stage by its name.

    Raises:
        InputError: there is no such stage.
    """
    if name not in stage_names():
        raise InputError(f"there is no stage {name!r}; the stages are {', '.join(stage_names())}.")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}").STAGE
