"""Convert projectors as the LLaVA family releases them (arXiv 2310.03744), Video-LLaVA's (arXiv 2311.10122) among them.

One linear layer, or two with a GELU between. The names differ (``mm_projector.0.weight`` of LLaVA, Video-LLaVA and
MotionLLM; bare ``0.weight`` of MotionLLM's own file; ``multi_modal_projector.linear_1`` of transformers), the numbers
mean the same. None has a norm in front, unlike the projectors that are trained here.
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
    """Take a projector out of a checkpoint.

    Args:
        state: names as published, with any other tensors beside them; works on meta tensors.
        source: for messages.

    Returns:
        The projector under our projectors' names: ``linear_1.weight`` [H, D], ``linear_1.bias`` [H],
        ``linear_2.weight`` [H, H], ``linear_2.bias`` [H]; or ``linear.weight`` and ``linear.bias``. In the report's
        config: ``kind`` (``mlp`` or ``linear``), ``input_dim`` and ``output_dim``.

    Raises:
        InputError: none, several, or another form (deeper, or a module with convolutions).
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
    """Write ``projector.safetensors``; its kind and sizes stand in the file's metadata. Returns the path."""
    path = Path(folder) / PROJECTOR
    metadata = {"format": "pt", **{name: str(value) for name, value in report.config.items()}}
    save_file({name: value.contiguous() for name, value in projector.items()}, path, metadata=metadata)
    return path


def load_projector(folder: str | os.PathLike[str]) -> tuple[dict[str, Tensor], str]:
    """The tensors and the kind (``mlp`` or ``linear``) of a projector that `save_projector` wrote.

    Args:
        folder: with ``projector.safetensors``, itself or in its folder ``projector``.

    Raises:
        InputError: there is none, or it is damaged.
    """
    places = [Path(folder) / PROJECTOR, Path(folder) / "projector" / PROJECTOR]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise InputError(f"{folder}: no {PROJECTOR}; give the output of 'vimonet convert motionllm' or 'video-llava'.")
    projector = read_state_dict(path)
    return projector, "linear" if "linear.weight" in projector else "mlp"


def _form(names: Collection[str]) -> tuple[str | None, dict[str, str]]:
    """The kind of projector that has just these names, and theirs -> ours."""
    for kind, layers in _FORMS:
        pairs = [(theirs, ours, leaf) for theirs, ours in layers.items() for leaf in ("weight", "bias")]
        wanted = {f"{theirs}.{leaf}".lstrip("."): f"{ours}.{leaf}" for theirs, ours, leaf in pairs}
        if wanted.keys() == set(names):
            return kind, wanted
    return None, {}


def _prefix(state: Mapping[str, Tensor], source: str) -> str:
    """What stands before the layers' names; "" where the file holds a projector and nothing else."""
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
