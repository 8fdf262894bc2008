"""From a model folder or hub id to a model and its processor, with one clear sentence when that fails."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers.generation import GenerationConfig
from transformers.initialization import no_init_weights
from transformers.utils import logging

from vimonet.model import MotionFeatureExtractor, ViMoNetConfig, ViMoNetForConditionalGeneration, ViMoNetProcessor
from vimonet.model.weight_files import check_safetensors
from vimonet.utils.errors import InputError

_NEEDED = ("config.json", "tokenizer.json", "processor_config.json")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_ADAPTER = "adapter_config.json"


def load_pretrained(source: str | os.PathLike[str]) -> tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]:
    """Load a model in eval mode on the CPU, and its processor.

    Args:
        source: a folder in the Hugging Face layout, a folder of a PEFT adapter that names its base model, or a hub id.

    Raises:
        InputError: what is missing or damaged, naming the file.
    """
    folder = _folder(source)
    base = folder
    if (folder / _ADAPTER).is_file():
        named = _read_json(folder / _ADAPTER).get("base_model_name_or_path")
        if not named:
            raise InputError(f"{folder / _ADAPTER}: names no base model; expected base_model_name_or_path.")
        base = _folder(named)
    _check_files(base)
    try:
        config = ViMoNetConfig.from_pretrained(base)
        model = _load_direct(base, config) or _load_usual(base, config)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{base}: not a model this version can load ({_first_line(error)}).") from None
    if base != folder:
        model = _with_adapter(model, folder)
    return model.eval(), _load_processor(folder if (folder / "tokenizer.json").is_file() else base)


def _load_direct(folder: Path, config: ViMoNetConfig) -> ViMoNetForConditionalGeneration | None:
    """Load one file of float32 weights (or float16, as small models are shipped) without `from_pretrained`.

    Its detour over the meta device imports a symbolic algebra system.

    None where the weights are split, of another type, or not named as the modules are: then `from_pretrained` knows
    what to do.
    """
    path = folder / _WEIGHTS[0]
    if not path.is_file():
        return None
    state = load_file(path)
    if any(value.dtype not in (torch.float32, torch.float16) for value in state.values()):
        return None
    state = {name: value.float() for name, value in state.items()}
    with no_init_weights():
        model = ViMoNetForConditionalGeneration(config)
    wanted = {name: value.shape for name, value in model.state_dict().items()}
    tied = set(model.all_tied_weights_keys)
    if any(name not in wanted or wanted[name] != value.shape for name, value in state.items()):
        return None
    if set(wanted) - set(state) - tied:
        return None
    model.load_state_dict(state, strict=False)
    model.tie_weights()
    if (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model


def _load_usual(folder: Path, config: ViMoNetConfig) -> ViMoNetForConditionalGeneration:
    with _quietly():
        load: Any = ViMoNetForConditionalGeneration.from_pretrained
        model, report = load(folder, config=config, output_loading_info=True)
    lacking = sorted(set(report["missing_keys"]) | {key for key, *_ in report.get("mismatched_keys", ())})
    if lacking:
        raise InputError(
            f"{folder}: the weights lack {lacking[0]} and do not belong to its config.json; save the model again."
        )
    return model


def _folder(source: str | os.PathLike[str]) -> Path:
    """The folder itself, or where the hub's copy lies."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise InputError(
            f"{source}: a file; a model is a folder with config.json, model.safetensors, tokenizer.json ..."
        )
    parts = str(source).split("/")
    looks_like_path = len(parts) != 2 or not all(parts) or parts[0] in (".", "..", "~") or str(source).startswith("/")
    if looks_like_path:
        raise InputError(
            f"{source}: no such model folder; give a folder with config.json, or a hub id such as owner/name."
        )
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(str(source)))
    except Exception as error:
        raise InputError(
            f"{source}: neither a folder here nor a model the hub gives out ({type(error).__name__}); "
            "check the name and the network."
        ) from None


def _check_files(folder: Path) -> None:
    """Find what is missing or cut off before transformers does, whose messages speak of other things."""
    for name in _NEEDED:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: {name} is missing; a model folder holds {', '.join(_NEEDED)} and {_WEIGHTS[0]}."
            )
        if not isinstance(_read_json(folder / name), dict):
            raise InputError(f"{folder / name}: not a JSON object; save the model again.")
    kind = _read_json(folder / "config.json").get("model_type")
    if kind != "vimonet":
        raise InputError(f"{folder / 'config.json'}: the model type is {kind!r}; expected 'vimonet'.")
    single, index = (folder / name for name in _WEIGHTS)
    if single.is_file():
        files = [single]
    elif index.is_file():
        shards = _read_json(index).get("weight_map", {}).values()
        files = [folder / name for name in sorted(set(shards))]
    else:
        raise InputError(f"{folder}: {_WEIGHTS[0]} is missing; the folder holds no weights.")
    for file in files:
        check_safetensors(file)


def _load_processor(folder: Path) -> ViMoNetProcessor:
    # Spelled out rather than left to AutoProcessor, whose search for the right classes costs most of a second.
    from transformers import PreTrainedTokenizerFast

    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        settings = _read_json(folder / "processor_config.json")
        template = folder / "chat_template.jinja"
        return ViMoNetProcessor(
            MotionFeatureExtractor(**settings["feature_extractor"]),
            tokenizer,
            chat_template=template.read_text(encoding="utf-8") if template.is_file() else None,
            fold_questions=bool(settings.get("fold_questions", True)),
            frames=settings.get("frames"),
        )
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{folder}: the tokenizer or processor_config.json cannot be read ({_first_line(error)})."
        ) from None


def _with_adapter(model: Any, folder: Path) -> Any:
    """The model with a PEFT adapter merged into it."""
    weights = folder / "adapter_model.safetensors"
    check_safetensors(weights)
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, folder).merge_and_unload()
    except Exception as error:
        raise InputError(f"{weights}: the adapter does not fit its base model ({_first_line(error)}).") from None


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """No bar for what takes a blink, and no report of thirty lines beside the one sentence an error gets."""
    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        raise InputError(f"{path}: not readable as JSON; the file is damaged, copy or save the model again.") from None


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__


__all__ = ["load_pretrained"]
