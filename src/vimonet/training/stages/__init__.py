"""Register the training stages: every file of this folder is one, named after the file with dashes.

The file holds a run function and ``STAGE``, which declares the config keys that the stage reads.
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
"""Further keys that every stage on `AnswerTrainer` reads."""


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        run: function from a `TrainingConfig` to the output folder.
        reads: config keys that it reads, or branches as ``name.*``.
    """

    run: Callable[..., Path]
    reads: tuple[str, ...]


def stage_names() -> list[str]:
    """List the names of all stages without importing them."""
    return [module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)]


def stage_summaries() -> dict[str, str]:
    """Return the first docstring line of every stage without importing it."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        finder: Any = module.module_finder
        source = (Path(finder.path) / f"{module.name}.py").read_text("utf-8")
        text = ast.get_docstring(ast.parse(source)) or ""
        found[module.name.replace("_", "-")] = text.split("\n", 1)[0]
    return found


def find_stage(name: str) -> Stage:
    """Import a stage by its name; InputError if there is none."""
    if name not in stage_names():
        raise InputError(f"there is no stage {name!r}; the stages are {', '.join(stage_names())}.")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}").STAGE
