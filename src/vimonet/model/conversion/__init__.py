"""Convert weights that others released: a file per peer, and every key of the files accounted for."""

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
    """What a conversion made.

    Attributes:
        folder: where it lies; the full list of keys lies in it as conversion.txt.
        reports: one per part.
        unused: keys of the files that no part used.
    """

    folder: Path
    reports: tuple[ImportReport, ...]
    unused: tuple[str, ...]

    def lines(self, *, keys: bool = True) -> list[str]:
        """The report in readable lines; without `keys` the sums only."""
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
    """Convert the released weights of a peer into a new folder.

    Args:
        source: one of `SOURCES`.
        files: its files or folders.
        out: a folder that is not there yet; written whole or not at all.
        **options: of the peer's converter (``base``, ``adapter``, ``mean`` ...).

    Raises:
        InputError: an unknown source; files that are missing, damaged, incomplete or of another kind.
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
        joined = compose(
            parts / "language_model", video=video, projector_weights=parts, chat="motionllm", system=system
        )
        joined.save(folder)
        os.replace(parts / REPORT, folder / REPORT)
        shutil.rmtree(parts)
    return replace(conversion, folder=Path(out))


__all__ = ["REPORT", "SOURCES", "Conversion", "convert", "import_motionllm"]
