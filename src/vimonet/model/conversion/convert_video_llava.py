"""Convert the released projectors of the LLaVA family (arXiv 2310.03744), such as Video-LLaVA's (arXiv 2311.10122).

They are one linear layer, or two with a GELU between, under different names: ``mm_projector.0.weight`` (LLaVA,
Video-LLaVA, MotionLLM), ``0.weight`` (MotionLLM's own file), ``multi_modal_projector.linear_1`` (transformers). They
have no input norm, unlike projectors trained with ViMoNet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from vimonet.model.weight_files import ImportReport, read_state_dict, read_tensors
from vimonet.utils.errors import InputError

PROJECTOR = "projector.safetensors"
_FORMS = (
    ("mlp", {"0": "linear_1", "2": "linear_2"}),
    ("mlp", {"linear_1": "linear_1", "linear_2": "linear_2"}),
    ("linear", {"": "linear"}),
)
_LEAF = re.compile(r"(?:(?:\d+|linear_\d)\.)?(?:weight|bias)")
_NAMED = re.compile(r"(?:^|\.)(?:mm_projector|multi_modal_projector|linear_proj|proj)\.")


def convert_projector(
    state: Mapping[str, Tensor], *, source: str = "the checkpoint"
) -> tuple[dict[str, Tensor], ImportReport]:
    """Extract a projector from a checkpoint.

    Args:
        state: state dict with published names, which may hold other tensors too; meta tensors are allowed.
        source: name of the checkpoint in messages.

    Returns:
        The projector: ``linear_1.weight`` [H, D], ``linear_1.bias`` [H], ``linear_2.weight`` [H, H], ``linear_2.bias``
        [H]; or ``linear.weight`` and ``linear.bias``. The report's config holds ``kind`` (``mlp`` or ``linear``),
        ``input_dim`` and ``output_dim``.

    Raises:
        InputError: no projector, several, or another architecture (deeper, or with convolutions).
    """
    prefix = _prefix(state, source)
    names = {key[len(prefix) :]: key for key in state if key.startswith(prefix)}
    names = {name: key for name, key in names.items() if _LEAF.fullmatch(name)}
    kind, wanted = _form(names)
    if kind is None:
        raise InputError(
            f"{source}: its projector holds {', '.join(sorted(names)[:6])}; expected one linear layer, or two with a "
            "GELU between them (mlp2x_gelu)."
        )
    renamed = {names[theirs]: ours for theirs, ours in wanted.items()}
    projector = {ours: state[theirs] for theirs, ours in renamed.items()}
    first = projector["linear_1.weight" if kind == "mlp" else "linear.weight"]
    sizes = {"kind": kind, "input_dim": first.shape[1], "output_dim": first.shape[0]}
    _check(projector, sizes, source)
    return projector, ImportReport(source, renamed, tuple(key for key in state if key not in renamed), (), sizes)


def save_projector(projector: Mapping[str, Tensor], report: ImportReport, folder: str | os.PathLike[str]) -> Path:
    """Write ``projector.safetensors`` with kind and sizes in its metadata; return the path."""
    path = Path(folder) / PROJECTOR
    metadata = {"format": "pt", **{name: str(value) for name, value in report.config.items()}}
    save_file({name: value.contiguous() for name, value in projector.items()}, path, metadata=metadata)
    return path


def load_projector(folder: str | os.PathLike[str]) -> tuple[dict[str, Tensor], str]:
    """Read the tensors and the kind (``mlp`` or ``linear``) of a projector that `save_projector` wrote.

    Args:
        folder: folder with ``projector.safetensors`` or ``projector/projector.safetensors``.

    Raises:
        InputError: the file is missing or damaged.
    """
    places = [Path(folder) / PROJECTOR, Path(folder) / "projector" / PROJECTOR]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise InputError(f"{folder}: no {PROJECTOR}; give the output of 'vimonet convert motionllm' or 'video-llava'.")
    projector = read_state_dict(path)
    return projector, "linear" if "linear.weight" in projector else "mlp"


def _form(names: Collection[str]) -> tuple[str | None, dict[str, str]]:
    """Find the kind of projector with exactly these names, and the map to new names."""
    for kind, layers in _FORMS:
        pairs = [(theirs, ours, leaf) for theirs, ours in layers.items() for leaf in ("weight", "bias")]
        wanted = {f"{theirs}.{leaf}".lstrip("."): f"{ours}.{leaf}" for theirs, ours, leaf in pairs}
        if wanted.keys() == set(names):
            return kind, wanted
    return None, {}


def _prefix(state: Mapping[str, Tensor], source: str) -> str:
    """Find the prefix of the layers' names; "" if the file holds a bare projector."""
    if "0.weight" in state:
        return ""
    found = {key[: match.end()] for key in state if (match := _NAMED.search(key)) and key.count(".", match.end()) < 2}
    # Attention layers have a "proj" too.
    found = {prefix for prefix in found if any(marker in prefix for marker in ("projector", "linear_proj"))} or {
        prefix for prefix in found if prefix == "proj."
    }
    if len(found) != 1:
        what = f"{len(found)} projectors ({', '.join(sorted(found))})" if found else "no projector"
        wanted = "tensors such as mm_projector.0.weight, or bare 0.weight and 2.weight"
        raise InputError(f"{source}: holds {what}; expected one, {wanted}.")
    return found.pop()


def _check(projector: Mapping[str, Tensor], sizes: Mapping[str, Any], source: str) -> None:
    d, h = sizes["input_dim"], sizes["output_dim"]
    shapes = {"linear_1": (h, d), "linear_2": (h, h), "linear": (h, d)}
    for name, value in projector.items():
        layer, leaf = name.split(".")
        wanted = shapes[layer] if leaf == "weight" else (h,)
        if tuple(value.shape) != wanted:
            raise InputError(f"{source}: {name} of the projector is {list(value.shape)}; expected {list(wanted)}.")


def convert_video_llava(
    files: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]
) -> tuple[list[ImportReport], tuple[str, ...]]:
    """Convert the projector of ``mm_projector.bin``, or of the shards or folder of a whole checkpoint.

    Args:
        files: files with original or transformers names.
        out: output folder; the projector is written to ``projector`` in it.

    Returns:
        The report, and the unused keys (language model and towers of a whole checkpoint).

    Raises:
        InputError: no projector, or unreadable files.
    """
    projector, report = convert_projector(read_tensors(files), source=", ".join(str(file) for file in files))
    folder = Path(out) / "projector"
    folder.mkdir()
    save_projector(projector, report, folder)
    return [report], report.unused
