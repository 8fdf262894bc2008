"""Convert MotionLLM's released weights (arXiv 2405.20340): a LoRA for lit-gpt's Vicuna-7B v1.5 and a video projector.

The release has no weights for motion input.

lit-gpt stores queries, keys and values in one matrix with interleaved heads: q, k, v of head 0, then of head 1. The
released LoRA was trained with a bug (lit-gpt issue 891) that adds its update as if the rows were all queries, then all
keys, then all values. Its update of "queries and values" therefore falls on q, k and v of the first and last third of
the heads: of Vicuna's 32 heads, 0-10 and 21-31. The conversion keeps the rows where they took effect.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import LlamaConfig

from vimonet.model.conversion.convert_video_llava import convert_projector, save_projector
from vimonet.model.weight_files import ImportReport, read_config, read_tensors
from vimonet.utils.errors import InputError

BASE = "lmsys/vicuna-7b-v1.5"
_PARTS = ("q", "k", "v")
_QKV = re.compile(r"transformer\.h\.(\d+)\.attn\.attn\.(?:linear\.)?weight$")
_LORA = re.compile(r"transformer\.h\.(\d+)\.attn\.attn\.lora_([AB])$")
_PLAIN = {
    "lm_head.weight": "lm_head.weight",
    "lm_head.linear.weight": "lm_head.weight",
    "transformer.wte.weight": "model.embed_tokens.weight",
    "transformer.ln_f.weight": "model.norm.weight",
}
_LAYER = {
    "norm_1": "input_layernorm",
    "attn.proj": "self_attn.o_proj",
    "norm_2": "post_attention_layernorm",
    "mlp.fc_1": "mlp.gate_proj",
    "mlp.fc_2": "mlp.up_proj",
    "mlp.proj": "mlp.down_proj",
}
_HEAD_SIZE = 128


@dataclass(frozen=True)
class Adapter:
    """A LoRA in PEFT's layout.

    Attributes:
        tensors: ``model.layers.0.self_attn.q_proj.lora_A.weight`` [R, C] and ``...lora_B.weight`` [C, R], of q, k, v.
        rank, alpha: an update is ``alpha / rank * B @ A``.
        report: the import report.
    """

    tensors: dict[str, Tensor]
    rank: int
    alpha: float
    report: ImportReport

    def save(self, folder: str | os.PathLike[str], base: str = BASE) -> None:
        """Write a PEFT folder (adapter_config.json, adapter_model.safetensors) for the language model `base`."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        settings = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": [f"{part}_proj" for part in _PARTS],
            "inference_mode": True,
        }
        # q, k and v of a layer share the memory of A, which safetensors refuses to write.
        state = {f"base_model.model.{name}": value.clone().contiguous() for name, value in self.tensors.items()}
        save_file(state, target / "adapter_model.safetensors", metadata={"format": "pt"})
        (target / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def is_lit_llama(state: Mapping[str, Tensor]) -> bool:
    """Tell whether a state dict holds a language model of lit-gpt, not only a LoRA for one."""
    return "transformer.wte.weight" in state


def convert_lit_llama(
    state: Mapping[str, Tensor], *, heads: int | None = None, source: str = "the checkpoint"
) -> tuple[dict[str, Tensor], LlamaConfig, ImportReport]:
    """Rename a lit-gpt Llama (``lit_model.pth``) to transformers' names and split its fused attention.

    Args:
        state: state dict of lit-gpt, which may hold LoRA and other tensors too; meta tensors are allowed.
        heads: attention heads; None: heads of size 128, as in every Llama from 7B.
        source: name of the checkpoint in messages.

    Returns:
        The state dict of `LlamaForCausalLM`, its config (norm, rotary base and length are Vicuna v1.5's, which a state
        dict does not show), and the report.

    Raises:
        InputError: not this family, incomplete, or a width that is no multiple of the heads.
    """
    if not is_lit_llama(state):
        raise InputError(f"{source}: holds no lit-gpt language model (transformer.wte.weight is missing).")
    vocabulary, width = state["transformer.wte.weight"].shape
    heads = _heads(width, heads, source)
    ours: dict[str, Tensor] = {}
    renamed: dict[str, str] = {}
    for key, value in state.items():
        if match := _QKV.match(key):
            layer = f"model.layers.{match[1]}.self_attn"
            if tuple(value.shape) != (3 * width, width):
                raise InputError(f"{source}: {key} is {list(value.shape)}; expected {[3 * width, width]}.")
            ours |= {f"{layer}.{p}_proj.weight": part for p, part in _split(value, heads).items()}
            renamed[key] = f"{layer}.{{q,k,v}}_proj.weight"
        elif name := _rename(key):
            ours[name], renamed[key] = value, name
    layers = len({name.split(".")[2] for name in ours if name.startswith("model.layers.")})
    mlp = ours.get("model.layers.0.mlp.gate_proj.weight")
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=0 if mlp is None else mlp.shape[0],
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
    )
    check_llama(ours, config, source)
    sizes = {"vocab_size": vocabulary, "hidden_size": width, "layers": layers, "heads": heads}
    unused = tuple(key for key in state if key not in renamed)
    return ours, config, ImportReport(source, renamed, unused, (), sizes)


def convert_lora(
    state: Mapping[str, Tensor],
    *,
    heads: int | None = None,
    alpha: float = 16,
    parts: Sequence[str] = ("q", "v"),
    source: str = "the checkpoint",
) -> Adapter:
    """Convert a lit-gpt LoRA to a PEFT adapter, every row where it took effect (see the module's docstring).

    Args:
        state: ``transformer.h.0.attn.attn.lora_A`` [parts * r, C], ``lora_B`` [parts * C, r]; meta tensors are allowed.
        heads: attention heads; None: heads of size 128.
        alpha: scale of the LoRA, which a checkpoint does not hold; the default is MotionLLM's.
        parts: intended targets of the LoRA.
        source: name of the checkpoint in messages.

    Returns:
        An adapter on q, k and v of rank ``parts * r`` (the updates of the parts concatenated), with scaled alpha.

    Raises:
        InputError: no LoRA of this layout, or one of other parts.
    """
    pairs: dict[int, dict[str, str]] = {}
    for key in state:
        if match := _LORA.match(key):
            pairs.setdefault(int(match[1]), {})[match[2]] = key
    if not pairs:
        raise InputError(f"{source}: holds no LoRA of lit-gpt (keys such as transformer.h.0.attn.attn.lora_A).")
    tensors: dict[str, Tensor] = {}
    renamed: dict[str, str] = {}
    rank = 0
    for layer, names in sorted(pairs.items()):
        if names.keys() != {"A", "B"}:
            raise InputError(f"{source}: layer {layer} of the LoRA has only lora_{next(iter(names))}; copy it again.")
        a, b = state[names["A"]], state[names["B"]]
        width, rank = a.shape[1], b.shape[1]
        if a.shape[0] != len(parts) * rank or b.shape[0] != len(parts) * width:
            raise InputError(
                f"{source}: the LoRA of layer {layer} is {list(a.shape)} and {list(b.shape)}; for "
                f"{' and '.join(parts)} it would be {[len(parts) * rank, width]} and {[len(parts) * width, rank]}."
            )
        rows = b.new_zeros(3 * width, len(parts) * rank)
        for i, part in enumerate(parts):
            start = _PARTS.index(part) * width
            rows[start : start + width, i * rank : (i + 1) * rank] = b[i * width : (i + 1) * width]
        module = f"model.layers.{layer}.self_attn"
        for part, update in _split(rows, _heads(width, heads, source)).items():
            tensors[f"{module}.{part}_proj.lora_A.weight"] = a
            tensors[f"{module}.{part}_proj.lora_B.weight"] = update
        renamed |= {names[side]: f"{module}.{{q,k,v}}_proj.lora_{side}.weight" for side in ("A", "B")}
    sizes = {"layers": len(pairs), "rank": rank, "alpha": alpha, "parts": "+".join(parts)}
    report = ImportReport(source, renamed, tuple(key for key in state if key not in renamed), (), sizes)
    return Adapter(tensors, len(parts) * rank, len(parts) * alpha, report)


def merge_lora(state: dict[str, Tensor], adapter: Adapter, *, source: str = "the base model") -> None:
    """Merge an adapter into a state dict of `LlamaForCausalLM` in place, computed in float32.

    Raises:
        InputError: a layer is missing in the base, or has another width.
    """
    for name in adapter.tensors:
        if not name.endswith("lora_A.weight"):
            continue
        target = name.replace("lora_A.weight", "weight")
        a, b = adapter.tensors[name], adapter.tensors[name.replace("lora_A", "lora_B")]
        base = state.get(target)
        if base is None or tuple(base.shape) != (b.shape[0], a.shape[1]):
            has = "is missing" if base is None else f"is {list(base.shape)}"
            raise InputError(
                f"{source}: {target} {has}; the LoRA needs {[b.shape[0], a.shape[1]]}. Is this its base model?"
            )
        update = b.float() @ a.float() * (adapter.alpha / adapter.rank)
        state[target] = (base.float() + update).to(base.dtype)


def check_llama(state: Mapping[str, Tensor], config: Any, source: str) -> None:
    """Compare names and shapes with `LlamaForCausalLM` of `config`.

    Raises:
        InputError: a missing or unexpected tensor, or one of another shape.
    """
    from transformers import LlamaForCausalLM

    with torch.device("meta"):
        wanted = {name: tuple(value.shape) for name, value in LlamaForCausalLM(config).state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    wrong = [name for name in {**wanted, **given} if wanted.get(name) != given.get(name)]
    if wrong:
        name = wrong[0]
        raise InputError(
            f"{source}: not a complete Llama; {len(wrong)} tensors do not fit, the first is {name}: "
            f"{given.get(name, 'missing')}, expected {wanted.get(name, 'none')}."
        )


def _rename(key: str) -> str | None:
    if key in _PLAIN:
        return _PLAIN[key]
    match = re.match(r"transformer\.h\.(\d+)\.(.+?)(?:\.linear)?\.weight$", key)
    return f"model.layers.{match[1]}.{_LAYER[match[2]]}.weight" if match and match[2] in _LAYER else None


def _split(rows: Tensor, heads: int) -> dict[str, Tensor]:
    """Split interleaved rows [3 * C, ...] into q, k and v, each [C, ...]."""
    apart = rows.unflatten(0, (heads, 3, -1))
    return {part: apart[:, i].flatten(0, 1) for i, part in enumerate(_PARTS)}


def _heads(width: int, heads: int | None, source: str) -> int:
    if heads is None and width % _HEAD_SIZE:
        raise InputError(f"{source}: width {width} does not tell the number of attention heads; give it (--heads).")
    heads = width // _HEAD_SIZE if heads is None else heads
    if heads < 1 or width % heads:
        raise InputError(f"{source}: width {width} is no multiple of {heads} attention heads.")
    return heads


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
        files: LoRA and projector, and without `base` also lit-gpt's ``lit_model.pth``.
        out: output folder of ``language_model`` (LoRA merged) and ``projector``; with `adapter`, or without a language
            model, also of ``adapter`` (PEFT).
        base: folder of Vicuna-7B v1.5 in the layout of transformers.
        tokenizer: folder of its tokenizer; None: the one of `base`, if any.
        adapter: save the LoRA separately instead of merging it.
        alpha: scale of the LoRA, which a checkpoint does not hold.
        heads: attention heads; None: those of `base`, or heads of size 128.

    Returns:
        A report per part, and the unused keys of `files`.

    Raises:
        InputError: unsuitable or incomplete files, or parts that do not fit together.
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
            f"{source}: the projector has width {report.config['output_dim']} and the language model {width}; give "
            "files of one model."
        )
    folder = Path(out)
    if language is not None:
        if not adapter:
            merge_lora(language, lora, source=str(base or source))
        if tokenizer is None and base is not None and any((Path(base) / name).is_file() for name in _TOKENIZER):
            tokenizer = base
        save_llama(language, config, folder / "language_model", tokenizer)
    if adapter or language is None:
        # A relative path would be valid in this working directory only.
        lora.save(folder / "adapter", BASE if base is None else os.path.abspath(base))
    (folder / "projector").mkdir()
    save_projector(projector, report, folder / "projector")
    used = {key for report in reports for key in report.renamed}
    unused = tuple(key for key in state if key not in used)
    return reports, (unused if base is None else unused + reports[0].unused)


def save_llama(
    state: Mapping[str, Tensor], config: Any, folder: Path, tokenizer: str | os.PathLike[str] | None = None
) -> None:
    """Save a language model in the layout of transformers, with its tokenizer if given.

    Raises:
        InputError: an unreadable tokenizer.
    """
    from transformers import AutoTokenizer, LlamaForCausalLM

    if tokenizer is not None:
        try:
            AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise InputError(f"{tokenizer}: no tokenizer can be loaded from this folder ({first}).") from None
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
