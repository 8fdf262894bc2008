"""Motion tokenizers of T2M-GPT's family (T2M-GPT, MotionGPT, MotionLLM), with the statistics of their features."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vimonet.model.conversion.motion_tokenizers import load_released_vqvae
from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.weight_files import ImportReport
from vimonet.utils.errors import InputError

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
        files: the one checkpoint.
        out: folder to fill: a `MotionVQVAE`, and with statistics the feature extractor that belongs to it.
        mean, std: ``mean.npy`` and ``std.npy`` [263] of the features it was trained on. They are not in a checkpoint,
            and without them its tokens mean nothing.

    Returns:
        The report, and the keys not used.

    Raises:
        InputError: several files, another family, or statistics that do not fit.
    """
    if len(files) != 1:
        raise InputError(f"{len(files)} files were given; a motion tokenizer is one checkpoint.")
    if (mean is None) != (std is None):
        raise InputError("only one of --mean and --std was given; both belong to a checkpoint.")
    model, report = load_released_vqvae(os.fspath(files[0]))
    if mean is not None and std is not None:
        if model.config.input_dim != _HUMANML3D:
            raise InputError(
                f"{files[0]}: reads {model.config.input_dim} features, and there are statistics only for HumanML3D's "
                f"{_HUMANML3D}."
            )
        scale = _vector(std)
        if not (scale > 0).all():
            raise InputError(f"{std}: holds deviations that are not above zero.")
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


__all__ = ["convert_t2m_gpt"]
