"""Convert released weights of other projects, one file per project, with a report of every key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vimonet.model.build import compose
from vimonet.model.conversion.convert_motionllm import convert_motionllm
from vimonet.model.conversion.convert_t2m_gpt import convert_t2m_gpt
from vimonet.model.conversion.convert_video_llava import convert_video_llava
from vimonet.model.towers.languagebind import convert_languagebind_folder
from vimonet.model.weight_files import ImportReport, new_folder
from vimonet.utils.errors import InputError

REPORT = "conversion.txt"
_CONVERTERS: dict[str, Callable[..., tuple[list[ImportReport], tuple[str, ...]]]] = {
    "motionllm": convert_motionllm,
    "t2m-gpt": convert_t2m_gpt,
    "motiongpt": convert_t2m_gpt,
    "video-llava": convert_video_llava,
    "languagebind": convert_languagebind_folder,
}
SOURCES = tuple(_CONVERTERS)


@dataclass(frozen=True)
class Conversion:
    """Result of a conversion.

    Attributes:
        folder: output folder, with the full list of keys in conversion.txt.
        reports: one report per part.
        unused: keys of the files that no part uses.
    """

    folder: Path
    reports: tuple[ImportReport, ...]
    unused: tuple[str, ...]

    def lines(self, *, keys: bool = True) -> list[str]:
        """Format the report; without `keys` only the totals."""
        lines: list[str] = []
        for report in self.reports:
            same = sum(theirs == ours for theirs, ours in report.renamed.items())
            lines.append(
                f"{report.source}: {len(report.renamed)} keys used, {len(report.renamed) - same} of them renamed"
            )
            lines.append("  sizes: " + ", ".join(f"{name} {value}" for name, value in report.config.items()))
            if keys:
                pairs = report.renamed.items()
                lines += [f"  used: {a}" if a == b else f"  renamed: {a} -> {b}" for a, b in pairs]
                lines += [f"  set here: {key}" for key in report.missing]
        lines.append(f"{len(self.unused)} keys unused")
        return lines + [f"  unused: {key}" for key in self.unused if keys]


def convert(
    source: str, files: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str], **options: Any
) -> Conversion:
    """Convert the released weights of another project into a new folder.

    Args:
        source: one of `SOURCES`.
        files: released files or folders.
        out: new output folder, written atomically.
        **options: options of the project's converter (``base``, ``adapter``, ``mean`` ...).

    Raises:
        InputError: an unknown source, or missing, damaged, incomplete or unsuitable files.
    """
    if source not in _CONVERTERS:
        raise InputError(f"source {source!r} is not known; use one of {', '.join(SOURCES)}.")
    with new_folder(out) as folder:
        reports, unused = _CONVERTERS[source](files, folder, **options)
        conversion = Conversion(Path(out), tuple(reports), unused)
        (folder / REPORT).write_text("\n".join(conversion.lines()) + "\n", encoding="utf-8")
    return conversion


def import_motionllm(
    files: Sequence[str | os.PathLike[str]],
    video: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    system: str = "",
    **options: Any,
) -> Conversion:
    """Build a model from MotionLLM's video branch: 8 frames, every patch a token, the released projector.

    Args:
        files: files of `convert_motionllm`, including a language model unless ``base`` names one.
        video: folder or hub id of LanguageBind's video tower.
        out: new output folder, for `vimonet.load`.
        system: text before ``USER:`` in MotionLLM's training prompts.
        **options: options of `convert_motionllm`.

    Raises:
        InputError: parts that are missing, damaged, or do not fit together.
    """
    if options.get("adapter"):
        raise InputError(
            "--video builds one model with the LoRA merged, so --adapter has no meaning; remove one of them."
        )
    if options.get("base") is None and options.get("tokenizer") is None:
        raise InputError("a model needs its tokenizer; name Vicuna's folder with --tokenizer or --base.")
    with new_folder(out) as folder:
        parts = folder / "parts"
        conversion = convert("motionllm", files, parts, **options)
        if not (parts / "language_model").is_dir():
            raise InputError("a model needs its language model; give lit_model.pth, or Vicuna's folder with --base.")
        joined = compose(
            parts / "language_model", video=video, projector_weights=parts, chat="motionllm", system=system
        )
        joined.save(folder)
        os.replace(parts / REPORT, folder / REPORT)
        shutil.rmtree(parts)
    return replace(conversion, folder=Path(out))


__all__ = ["REPORT", "SOURCES", "Conversion", "convert", "import_motionllm"]
