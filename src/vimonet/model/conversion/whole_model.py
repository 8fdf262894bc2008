"""A peer's whole video branch as one model: tower, projector and language model, joined as the peer joins them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vimonet.model.build import compose
from vimonet.model.conversion import REPORT, Conversion, convert
from vimonet.model.conversion.checkpoint_files import new_folder
from vimonet.utils.errors import InputError


def import_motionllm(
    files: Sequence[str | os.PathLike[str]],
    video: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    system: str = "",
    **options: Any,
) -> Conversion:
    """Make a model of MotionLLM's video branch: 8 frames, every patch a token, the projector as released.

    Args:
        files: as of `convert_motionllm`, with a language model among them or named by ``base``.
        video: LanguageBind's video tower, folder or hub id.
        out: new folder, which `vimonet.load` reads.
        system: what stands before ``USER:`` in the prompts it was trained on.
        **options: of `convert_motionllm`.

    Raises:
        InputError: parts that are missing, damaged, or do not fit together.
    """
    if options.get("adapter"):
        raise InputError("--video makes one model with the LoRA merged; leave --adapter or --video away.")
    if options.get("base") is None and options.get("tokenizer") is None:
        raise InputError("a model needs its tokenizer; name Vicuna's folder with --tokenizer or --base.")
    with new_folder(out) as folder:
        parts = folder / "parts"
        conversion = convert("motionllm", files, parts, **options)
        if not (parts / "language_model").is_dir():
            raise InputError("a model needs its language model; give lit_model.pth, or Vicuna's folder with --base.")
        joined = compose(parts / "language_model", video=video, video_projector=parts, chat="motionllm", system=system)
        joined.save(folder)
        os.replace(parts / REPORT, folder / REPORT)
        shutil.rmtree(parts)
    return replace(conversion, folder=Path(out))


__all__ = ["import_motionllm"]
