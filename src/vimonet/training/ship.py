"""Make a trained folder small enough to ship: what answering needs, its weights in float16.

    python -m vimonet.training.ship runs/nano/final-s0 src/vimonet/weights/nano

Computation stays in float32: the weights are widened when they are loaded. Figures must be measured on what is shipped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from vimonet.errors import InputError

WEIGHTS = "model.safetensors"
_BESIDE = (
    *("config.json", "generation_config.json", "processor_config.json", "preprocessor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
)


def ship(folder: str | Path, target: str | Path) -> str:
    """Copy a model's files, weights as float16; other files of `target` (the model card) stay.

    Args:
        folder: output of a training stage.
        target: where to; made when absent.

    Returns:
        SHA-256 of the written weights.

    Raises:
        InputError: `folder` holds no weights.
    """
    folder, target = Path(folder), Path(target)
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder}: no {WEIGHTS} is here; give the output folder of a training stage.")
    state = load_file(folder / WEIGHTS)
    small = {name: value.half() if value.dtype == torch.float32 else value for name, value in state.items()}
    target.mkdir(parents=True, exist_ok=True)
    part = target / f"{WEIGHTS}.part"
    save_file(small, part, metadata={"format": "pt"})
    os.replace(part, target / WEIGHTS)
    for name in _BESIDE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
    return hashlib.sha256((target / WEIGHTS).read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: two folders."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 2:
        print("usage: python -m vimonet.training.ship TRAINED_FOLDER TARGET_FOLDER", file=sys.stderr)
        return 2
    try:
        print(f"{given[1]}: {WEIGHTS} sha256 {ship(given[0], given[1])}")
    except InputError as error:
        print(f"vimonet: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
