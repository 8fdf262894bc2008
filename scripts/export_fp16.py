"""Export a trained model for the package: the files for inference, with weights in float16.

    python -m scripts.export_fp16 runs/nano/keypoints-s0 src/vimonet/weights/nano
    python -m scripts.export_fp16 runs/fusion/paired-s0 src/vimonet/weights/nano-paired --without keypoint

Loading converts the weights to float32, in which the model computes. Measure scores on the exported folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from vimonet.utils.errors import InputError

WEIGHTS = "model.safetensors"
_BESIDE = (
    *("config.json", "generation_config.json", "processor_config.json", "preprocessor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
)


KINDS = ("motion", "keypoint", "video")


def export_fp16(folder: str | Path, target: str | Path, without: Collection[str] = ()) -> str:
    """Copy a model's files with float16 weights; other files of `target` (the model card) stay.

    Args:
        folder: output of a training stage.
        target: output folder.
        without: members of KINDS whose tower and projector are dropped.

    Returns:
        SHA-256 of the written weights.

    Raises:
        InputError: `folder` holds no weights.
    """
    folder, target = Path(folder), Path(target)
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder}: {WEIGHTS} is missing; give the output folder of a training stage.")
    state = load_file(folder / WEIGHTS)
    left_out = {f"{kind}_tower" for kind in without} | {f"translators.{kind}" for kind in without}
    small = {
        name: value.half() if value.dtype == torch.float32 else value
        for name, value in state.items()
        if not any(f".{part}." in f".{name}" for part in left_out)
    }
    target.mkdir(parents=True, exist_ok=True)
    part = target / f"{WEIGHTS}.part"
    save_file(small, part, metadata={"format": "pt"})
    os.replace(part, target / WEIGHTS)
    for name in _BESIDE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
    if without:
        config = json.loads((folder / "config.json").read_text("utf-8")) | {f"{kind}_config": None for kind in without}
        (target / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
    return hashlib.sha256((target / WEIGHTS).read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.export_fp16", description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="output of a training stage")
    parser.add_argument("target", help="output folder")
    parser.add_argument("--without", nargs="*", default=(), choices=KINDS, help="modalities to drop")
    given = parser.parse_args(arguments)
    try:
        print(f"{given.target}: {WEIGHTS} sha256 {export_fp16(given.folder, given.target, given.without)}")
    except InputError as error:
        print(f"vimonet: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
