"""Convert released motion tokenizers of the T2M-GPT family (T2M-GPT, MotionLLM, MotionGPT) to :class:`MotionVQVAE`.

A checkpoint holds a state dict, often under ``net`` or ``state_dict``. Its names have common endings
(``encoder.model.2.1.model.0.conv1.weight``, ``quantizer.codebook``) behind a prefix (``vqvae.``, ``vae.``). Sizes are
inferred from the tensors; activation and dilation cannot be, and default to the family's (relu, 3).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionVQVAE
from vimonet.model.motion_vqvae.quantizers import EMAResetQuantizer
from vimonet.model.weight_files import ImportReport, read_state_dict
from vimonet.utils.errors import InputError

_ANCHOR = "encoder.model.0.weight"
_CODEBOOK = "quantizer.codebook"


def load_released_vqvae(path: str | Path, **overrides: Any) -> tuple[MotionVQVAE, ImportReport]:
    """Load a released T2M-GPT-family tokenizer from a ``.pth``/``.pt``/``.ckpt``/``.tar`` or ``.safetensors`` file.

    No code in the file is executed (``torch.load(weights_only=True)``). ``overrides`` are fields of
    :class:`MotionVQVAEConfig` that a checkpoint does not show (``activation``, ``dilation_growth_rate``,
    ``ema_decay``). Return the model in eval mode and the report; raise InputError for a file that is missing, damaged,
    incomplete or of another family.
    """
    file = Path(path)
    state = read_state_dict(file)
    converted, config, renamed, unused = convert_state_dict(state, source=str(file), **overrides)
    model = MotionVQVAE(config)
    missing, unexpected = model.load_state_dict(converted, strict=False)
    expected = {"quantizer.code_sum", "quantizer.code_count", "quantizer.initialised"}
    if unexpected or set(missing) - expected:
        keys = f"missing {_some(set(missing) - expected)}, unexpected {_some(unexpected)}"
        raise InputError(f"{file}: not a complete motion VQ-VAE; {keys}.")
    if isinstance(model.quantizer, EMAResetQuantizer):
        model.quantizer.set_codebook(model.quantizer.codebook.clone())
    report = ImportReport(str(file), renamed, unused, tuple(missing), _sizes(config))
    return model.eval(), report


def convert_state_dict(
    state: Mapping[str, Tensor], *, source: str = "the checkpoint", **overrides: Any
) -> tuple[dict[str, Tensor], MotionVQVAEConfig, dict[str, str], tuple[str, ...]]:
    """Rename a T2M-GPT-family state dict to the names of :class:`MotionVQVAE`; meta tensors are allowed.

    Return the renamed tensors, the config inferred from their shapes, a map from the file's keys to new ones, and the
    unused keys. Raise InputError if the family's names are missing.
    """
    prefix = _find_prefix(state, source)
    ours = {key[len(prefix) :]: key for key in state if key.startswith(prefix)}
    stages = {int(m[1]) for key in ours if (m := re.match(r"encoder\.model\.(\d+)\.0\.weight$", key))}
    blocks = {int(m[1]) for key in ours if (m := re.match(r"encoder\.model\.2\.1\.model\.(\d+)\.conv1\.weight$", key))}
    down_t = len(stages)
    first, last = state[prefix + _ANCHOR], ours.get(f"encoder.model.{2 + down_t}.weight")
    if last is None or _CODEBOOK not in ours or not stages:
        wanted = f"{prefix}encoder.model.{2 + down_t}.weight and {prefix}{_CODEBOOK}"
        raise InputError(f"{source}: not a T2M-GPT-family VQ-VAE; it should hold {wanted}.")
    codebook = state[ours[_CODEBOOK]]
    stride = state[ours["encoder.model.2.0.weight"]].shape[2] // 2
    fields: dict[str, Any] = {
        "input_dim": first.shape[1],
        "width": first.shape[0],
        "code_dim": state[last].shape[0],
        "num_codes": codebook.shape[0],
        "down_t": down_t,
        "stride_t": stride,
        "depth": len(blocks),
        "quantizer": "ema_reset",
    }
    config = MotionVQVAEConfig(**(fields | overrides))
    names = _names(down_t)
    converted: dict[str, Tensor] = {}
    renamed: dict[str, str] = {}
    for key, full in ours.items():
        name = _rename(key, names)
        if name is not None:
            converted[name], renamed[full] = state[full], name
    return converted, config, renamed, tuple(key for key in state if key not in renamed)


def _find_prefix(state: Mapping[str, Tensor], source: str) -> str:
    # A larger model may hold other encoders of that name; the tokenizer's has a codebook.
    prefixes = [key[: -len(_ANCHOR)] for key in state if key.endswith(_ANCHOR)]
    for prefix in prefixes:
        if prefix + _CODEBOOK in state:
            return prefix
    found = f"{_ANCHOR} without {_CODEBOOK}" if prefixes else f"no key that ends in {_ANCHOR}"
    raise InputError(f"{source}: not a T2M-GPT-family VQ-VAE; it has {found}. First keys: {_some(state)}.")


def _names(down_t: int) -> dict[str, str]:
    """Map module names of the checkpoint to those of `MotionVQVAE`, without the inside of residual blocks."""
    names = {
        "encoder.model.0": "encoder.input",
        f"encoder.model.{2 + down_t}": "encoder.output",
        "decoder.model.0": "decoder.input",
        f"decoder.model.{2 + down_t}": "decoder.hidden",
        f"decoder.model.{4 + down_t}": "decoder.output",
    }
    for i in range(down_t):
        names[f"encoder.model.{2 + i}.0"] = f"encoder.stages.{i}.down"
        names[f"encoder.model.{2 + i}.1.model"] = f"encoder.stages.{i}.blocks"
        names[f"decoder.model.{2 + i}.0.model"] = f"decoder.stages.{i}.blocks"
        names[f"decoder.model.{2 + i}.2"] = f"decoder.stages.{i}.up"
    return names


def _rename(key: str, names: Mapping[str, str]) -> str | None:
    if key == _CODEBOOK:
        return key
    module, _, leaf = key.rpartition(".")
    if module in names:
        return f"{names[module]}.{leaf}"
    block = re.match(r"(.+\.model)\.(\d+\.conv[12])$", module)
    return f"{names[block[1]]}.{block[2]}.{leaf}" if block and block[1] in names else None


def _sizes(config: MotionVQVAEConfig) -> dict[str, Any]:
    names = ("input_dim", "width", "code_dim", "num_codes", "down_t", "stride_t", "depth", "dilation_growth_rate")
    return {name: getattr(config, name) for name in (*names, "activation", "quantizer")}


def _some(keys: Any, count: int = 3) -> str:
    listed = sorted(keys)
    return ", ".join(listed[:count]) + (f" and {len(listed) - count} more" if len(listed) > count else "") or "none"


_HUMANML3D = 263


def convert_t2m_gpt(
    files: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    mean: str | os.PathLike[str] | None = None,
    std: str | os.PathLike[str] | None = None,
) -> tuple[list[ImportReport], tuple[str, ...]]:
    """Convert a released VQ-VAE.

    Args:
        files: one checkpoint.
        out: output folder of the `MotionVQVAE`, and with statistics of its feature extractor.
        mean, std: ``mean.npy`` and ``std.npy`` [263] of its training features. A checkpoint does not hold them, and
            features without this normalisation give wrong tokens.

    Returns:
        The report, and the unused keys.

    Raises:
        InputError: several files, another family, or unsuitable statistics.
    """
    if len(files) != 1:
        raise InputError(f"{len(files)} files were given; a motion tokenizer is one checkpoint.")
    if (mean is None) != (std is None):
        raise InputError("only one of --mean and --std was given; give both.")
    model, report = load_released_vqvae(os.fspath(files[0]))
    if mean is not None and std is not None:
        if model.config.input_dim != _HUMANML3D:
            raise InputError(
                f"{files[0]}: reads {model.config.input_dim} features, and --mean and --std are for HumanML3D's "
                f"{_HUMANML3D}; leave them out."
            )
        scale = _vector(std)
        if not (scale > 0).all():
            raise InputError(f"{std}: holds standard deviations that are not above 0; give the file of the checkpoint.")
        MotionFeatureExtractor(
            features="humanml3d", mean=_vector(mean), std=scale, ratio=model.config.ratio
        ).save_pretrained(out)
    model.save_pretrained(out)
    return [report], report.unused


def _vector(path: str | os.PathLike[str]) -> NDArray[np.float32]:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        raise InputError(f"{path}: cannot be read as .npy; give the statistics of the checkpoint's features.") from None
    if values.shape != (_HUMANML3D,) or not np.isfinite(values).all():
        raise InputError(f"{path}: {list(values.shape)} numbers; expected [{_HUMANML3D}] finite ones.")
    return values.astype(np.float32)
