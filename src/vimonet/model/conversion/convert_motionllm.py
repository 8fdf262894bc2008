"""Convert MotionLLM as released (arXiv 2405.20340): a LoRA for lit-gpt's Vicuna-7B v1.5 and a video projector.

The released code has no motion path (its motion projections are defined and never filled), so there is none here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vimonet.model.conversion.convert_video_llava import convert_projector, save_projector
from vimonet.model.conversion.lit_gpt import (
    BASE,
    check_llama,
    convert_lit_llama,
    convert_lora,
    is_lit_llama,
    merge_lora,
)
from vimonet.model.weight_files import ImportReport, read_config, read_tensors
from vimonet.utils.errors import InputError

_TOKENIZER = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
Paths = Sequence[str | os.PathLike[str]]


def convert_motionllm(
    files: Paths,
    out: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    adapter: bool = False,
    alpha: float = 16,
    heads: int | None = None,
) -> tuple[list[ImportReport], tuple[str, ...]]:
    """Convert MotionLLM's files.

    Args:
        files: the LoRA and the projector; also ``lit_model.pth`` of lit-gpt, where there is no `base`.
        out: folder to fill: ``language_model`` (LoRA merged into the base), or with `adapter`, or without any base,
            ``adapter`` (PEFT); and ``projector``.
        base: folder of Vicuna-7B v1.5 as transformers has it.
        tokenizer: folder of its tokenizer; that of `base`, if it has one, where None.
        adapter: keep the LoRA apart.
        alpha: of the LoRA; a file does not tell it.
        heads: attention heads, where `base` does not tell and they are not of 128.

    Returns:
        A report per part, and the keys of `files` that no part used.

    Raises:
        InputError: files of another kind, incomplete, or that do not fit together.
    """
    source = ", ".join(str(file) for file in files)
    state = read_tensors(files)
    reports: list[ImportReport] = []
    language: dict[str, Tensor] | None = None
    config: Any = None
    if base is not None:
        if is_lit_llama(state):
            raise InputError(f"{source}: holds a language model, and --base names another; give one of the two.")
        language, config, report = _read_base(base)
        heads = int(config.num_attention_heads)
        reports.append(report)
    elif is_lit_llama(state):
        language, config, report = convert_lit_llama(state, heads=heads, source=source)
        reports.append(report)
    lora = convert_lora(state, heads=heads, alpha=alpha, source=source)
    projector, report = convert_projector(state, source=source)
    reports += [lora.report, report]
    width = next(iter(lora.tensors.values())).shape[1]
    if report.config["output_dim"] != width:
        raise InputError(
            f"{source}: the projector gives {report.config['output_dim']} numbers per token and the language model "
            f"reads {width}; they are not of one model."
        )
    folder = Path(out)
    if language is not None:
        if not adapter:
            merge_lora(language, lora, source=str(base or source))
        if tokenizer is None and base is not None and any((Path(base) / name).is_file() for name in _TOKENIZER):
            tokenizer = base
        save_llama(language, config, folder / "language_model", tokenizer)
    if adapter or language is None:
        # A path relative to this working directory would be found from no other.
        lora.save(folder / "adapter", BASE if base is None else os.path.abspath(base))
    (folder / "projector").mkdir()
    save_projector(projector, report, folder / "projector")
    used = {key for report in reports for key in report.renamed}
    unused = tuple(key for key in state if key not in used)
    return reports, (unused if base is None else unused + reports[0].unused)


def save_llama(
    state: Mapping[str, Tensor],
    config: Any,
    folder: Path,
    tokenizer: str | os.PathLike[str] | None = None,
) -> None:
    """Write a language model as transformers loads it, with its tokenizer where one is named.

    Raises:
        InputError: no tokenizer there.
    """
    from transformers import AutoTokenizer, LlamaForCausalLM

    if tokenizer is not None:
        try:
            AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise InputError(f"{tokenizer}: no tokenizer can be loaded from it ({first}).") from None
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.load_state_dict(dict(state), assign=True)
    model.save_pretrained(folder)


def _read_base(folder: str | os.PathLike[str]) -> tuple[dict[str, Tensor], Any, ImportReport]:
    from transformers import LlamaConfig

    settings = read_config(folder)
    if settings.get("model_type") != "llama":
        raise InputError(f"{folder}: the model type is {settings.get('model_type')!r}; expected 'llama' ({BASE}).")
    config = LlamaConfig.from_pretrained(folder)
    state = read_tensors([folder])
    ours = {key: value for key, value in state.items() if not key.endswith("rotary_emb.inv_freq")}
    check_llama(ours, config, str(folder))
    sizes = {name: getattr(config, name) for name in ("vocab_size", "hidden_size", "num_hidden_layers")}
    unused = tuple(key for key in state if key not in ours)
    return ours, config, ImportReport(str(folder), {key: key for key in ours}, unused, (), sizes)
