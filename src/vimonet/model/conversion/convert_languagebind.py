"""LanguageBind's video tower (arXiv 2310.01852) as a folder that transformers' ``AutoModel`` loads here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vimonet.model.conversion.checkpoint_files import read_config
from vimonet.model.towers.languagebind import load_released_languagebind
from vimonet.model.weight_files import ImportReport
from vimonet.utils.errors import InputError


def convert_languagebind_folder(
    files: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]
) -> tuple[list[ImportReport], tuple[str, ...]]:
    """Convert a published LanguageBind video checkpoint.

    Args:
        files: its folder (config.json and weights), or the weights in it.
        out: folder to fill with the video tower.

    Returns:
        The tower's report, and the keys not used (text tower, projections, logit scale).

    Raises:
        InputError: several files, a folder without config.json, or another family.
    """
    if len(files) != 1:
        raise InputError(f"{len(files)} files were given; LanguageBind is one folder with config.json and weights.")
    given = Path(files[0])
    folder = given if given.is_dir() else given.parent
    if not given.exists():
        raise InputError(f"{given}: no such file or folder; give the folder of a LanguageBind video checkpoint.")
    model, report = load_released_languagebind(folder, read_config(folder))
    model.save_pretrained(out)
    return [report], report.unused


__all__ = ["convert_languagebind_folder"]
