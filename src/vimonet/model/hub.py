"""Load a model from a folder or hub id with transformers, with one clear sentence on failure."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import torch
from transformers.utils import logging

from vimonet.model import ViMoNetConfig, ViMoNetForConditionalGeneration, ViMoNetProcessor
from vimonet.model.action_network import FOLDER as NETWORK
from vimonet.model.action_network import ActionNetwork
from vimonet.model.question_reader import FOLDER as READER
from vimonet.model.question_reader import QuestionReader
from vimonet.model.template_trial import MAX_TEMPLATE, check_template
from vimonet.model.weight_files import check_finite, check_safetensors, has_bfloat16, indexed_files
from vimonet.utils.errors import InputError, first_line
from vimonet.utils.files import read_object

WEIGHTS_FILE = "model.safetensors"
_NEEDED = ("config.json", "tokenizer.json", "processor_config.json")
_INDEX = "model.safetensors.index.json"
_ADAPTER = "adapter_config.json"
_TEMPLATES = ("chat_template.jinja", "chat_template.json")
_PER_BYTE: Final = 4
"""Weights per byte that no file holds: packed in 4 bits they are two."""
_QUICKLY_MADE: Final = 100_000_000
"""Weights that are made in a moment, whatever the files hold."""
_MOST_LAYERS, _LARGEST = 4096, 1 << 31
_DAMAGED = "the file is damaged, copy or save the model again"


def load_pretrained(source: str | os.PathLike[str]) -> tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]:
    """Load a model in eval mode on the CPU, and its processor.

    Args:
        source: a folder in the Hugging Face layout, a folder of a PEFT adapter with its base model, or a hub id.

    Raises:
        InputError: a missing or damaged file.
    """
    folder, base = _folders(source)
    _check_files(base)
    try:
        model = load_model(base)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{base}: not a model this version can load ({first_line(error)}).") from None
    if (dtype := language_dtype(model.config)) is not None:
        # Buffers stay: rotary frequencies in bfloat16 are off by a radian at the end of a long prompt.
        for parameter in model.language_model.parameters():
            parameter.data = parameter.data.to(dtype)
    if base != folder:
        model = _with_adapter(model, folder)
    check_finite(model.state_dict(), folder)
    place = folder if (folder / "tokenizer.json").is_file() else base
    try:
        processor = ViMoNetProcessor.from_pretrained(place)
        check_template(processor.chat_template, place)
        return model.eval(), processor
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{place}: the tokenizer or processor_config.json cannot be read ({first_line(error)})."
        ) from None


def load_reader(source: str | os.PathLike[str]) -> QuestionReader | None:
    """Load the question reader of a model, or of the model that an adapter adapts; None for a model without.

    Raises:
        InputError: a missing or damaged file.
    """
    folder = _beside(source, READER)
    return None if folder is None else QuestionReader.open(folder)


def load_network(source: str | os.PathLike[str], extractor: Any) -> ActionNetwork | None:
    """Load the action network of a model, or of the model that an adapter adapts; None for a model without.

    Args:
        source: as of `load_pretrained`.
        extractor: feature extractor of the model.

    Raises:
        InputError: a missing or damaged file, or a network that learnt from other features.
    """
    folder = _beside(source, NETWORK)
    if folder is None:
        return None
    network = ActionNetwork.open(folder)
    network.check_fits(extractor, folder)
    return network


def _beside(source: str | os.PathLike[str], name: str) -> Path | None:
    """Find a folder of a model, or of the model that an adapter adapts."""
    return next((folder / name for folder in _folders(source) if (folder / name).is_dir()), None)


def _folders(source: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Return the folder of a model twice, or that of an adapter and that of its base model."""
    folder = _folder(source)
    if not (folder / _ADAPTER).is_file():
        return folder, folder
    named = read_object(folder / _ADAPTER, _DAMAGED).get("base_model_name_or_path")
    if not named or not isinstance(named, str):
        raise InputError(f"{folder / _ADAPTER}: names no base model; expected base_model_name_or_path.")
    return folder, _folder(named)


def language_dtype(config: ViMoNetConfig) -> torch.dtype | None:
    """Return the dtype that the weights of the language model take on this machine; None for the file's."""
    fast = torch.cuda.is_available() or has_bfloat16()  # at least as fast as float32
    return torch.bfloat16 if config.language_dtype == "bfloat16" and fast else None


def load_by_transformers(folder: Path) -> ViMoNetForConditionalGeneration:
    """Load the model of a checked folder; float16, the format of the shipped small models, becomes float32.

    Raises:
        InputError: a tensor is missing or of a wrong shape.
    """
    config = ViMoNetConfig.from_pretrained(folder)
    load: Any = ViMoNetForConditionalGeneration.from_pretrained
    dtype = torch.float32 if config.dtype in (None, torch.float16) else "auto"
    with _quietly():
        model, report = load(folder, config=config, dtype=dtype, output_loading_info=True)
    lacking = sorted(set(report["missing_keys"]) | {key for key, *_ in report.get("mismatched_keys", ())})
    if lacking:
        raise InputError(
            f"{folder}: the weights lack {lacking[0]} and do not belong to its config.json; save the model again."
        )
    return model


load_model: Callable[[Path], ViMoNetForConditionalGeneration] = load_by_transformers
"""Function that loads models; the command line's fast start replaces it."""


def _folder(source: str | os.PathLike[str]) -> Path:
    """Return the folder itself, or the local copy of a hub id."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise InputError(
            f"{source}: this is a file; give a model folder with config.json, model.safetensors, tokenizer.json ..."
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
            f"{source}: neither a local folder nor a model on the hub ({type(error).__name__}); "
            "check the name and the network."
        ) from None


def _check_files(folder: Path) -> None:
    """Raise InputError for missing or truncated files, whose messages in transformers mislead."""
    read: dict[str, dict[str, Any]] = {}
    for name in _NEEDED:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: {name} is missing; a model folder holds {', '.join(_NEEDED)} and {WEIGHTS_FILE}."
            )
        read[name] = read_object(folder / name, _DAMAGED)
    for name in _TEMPLATES:
        if (folder / name).is_file() and (folder / name).stat().st_size > MAX_TEMPLATE:
            raise InputError(f"{folder / name}: a chat template has at most {MAX_TEMPLATE:,} bytes; {_DAMAGED}.")
    config = read["config.json"]
    _check_sizes(config, folder / "config.json")
    kind = config.get("model_type")
    if kind != "vimonet":
        raise InputError(f"{folder / 'config.json'}: the model type is {kind!r}; expected 'vimonet'.")
    single, index = folder / WEIGHTS_FILE, folder / _INDEX
    if single.is_file():
        files = [single]
    elif index.is_file():
        files = indexed_files(index)
    else:
        raise InputError(f"{folder}: {WEIGHTS_FILE} is missing; the folder holds no weights.")
    for file in files:
        check_safetensors(file)
    _check_fits(folder, sum(file.stat().st_size for file in files))


def _check_fits(folder: Path, size: int) -> None:
    """Raise InputError if the config describes a larger language model than `size` bytes can fill, before it is made.

    If a config has lost its ``text_config``, transformers takes the family's default, which may have thousands of times
    as many weights.
    """
    try:
        text: Any = ViMoNetConfig.from_pretrained(folder).text_config
        wanted = int(text.num_hidden_layers) * int(text.hidden_size) ** 2
    except Exception:
        return  # loading says what is wrong
    if wanted > max(_PER_BYTE * size, _QUICKLY_MADE):
        raise InputError(
            f"{folder / 'config.json'}: it describes a language model of over {wanted:,} weights, and the files hold "
            f"{size:,} bytes; {_DAMAGED}."
        )


def _check_sizes(config: Any, file: Path, key: str = "") -> None:
    """Raise InputError for numbers of a config.json that no model has, before anything of that size is made."""
    if isinstance(config, dict):
        for name, value in config.items():
            _check_sizes(value, file, str(name))
    elif isinstance(config, list):
        for value in config:
            _check_sizes(value, file, key)
    elif isinstance(config, int | float) and not isinstance(config, bool):
        most = _MOST_LAYERS if any(word in key for word in ("layer", "depth", "head")) else _LARGEST
        if not abs(config) <= most:
            raise InputError(f"{file}: {key} is {str(config)[:30]}; a model has at most {most:,}, {_DAMAGED}.")


def _with_adapter(model: Any, folder: Path) -> Any:
    """Merge a PEFT adapter into the model."""
    weights = folder / "adapter_model.safetensors"
    check_safetensors(weights)
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, folder).merge_and_unload()
    except Exception as error:
        raise InputError(f"{weights}: the adapter does not fit its base model ({first_line(error)}).") from None


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Silence transformers' progress bar and load report; errors have one sentence of their own."""
    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
