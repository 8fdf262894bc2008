"""Video-LLaVA's projector (arXiv 2311.10122): from LanguageBind's features to Vicuna's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vimonet.model.conversion.checkpoint_files import read_tensors
from vimonet.model.conversion.llava_projector import convert_projector, save_projector
from vimonet.model.weight_files import ImportReport


def convert_video_llava(
    files: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]
) -> tuple[list[ImportReport], tuple[str, ...]]:
    """Take the projector out of ``mm_projector.bin``, or out of the shards or the folder of a whole checkpoint.

    Args:
        files: in the original's names or in transformers'.
        out: folder to fill: ``projector``.

    Returns:
        The projector's report, and the keys no part used (language model and towers of a whole checkpoint).

    Raises:
        InputError: no projector, or files that cannot be read.
    """
    projector, report = convert_projector(read_tensors(files), source=", ".join(str(file) for file in files))
    folder = Path(out) / "projector"
    folder.mkdir()
    save_projector(projector, report, folder)
    return [report], report.unused


__all__ = ["convert_video_llava"]
