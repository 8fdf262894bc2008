"""What the training of a motion tokenizer reports: reconstruction error in millimetres and use of the codebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError


def mpjpe(a: Any, b: Any, mask: Any = None) -> float:
    """Mean per-joint position error in millimetres (Human3.6M's protocol 1: no alignment).

    a, b: joints [..., 22, 3] in metres, arrays or tensors of one shape. mask: bool, of the shape of the leading axes,
    True on the frames that count. Raises InputError for different shapes, or when no frame counts.
    """
    first, second = _array(a), _array(b)
    if first.shape != second.shape or first.ndim < 2 or first.shape[-1] != 3:
        raise InputError(
            f"MPJPE compares joints [..., J, 3] of one shape; these have {list(first.shape)} and {list(second.shape)}."
        )
    error = np.linalg.norm(first.astype(np.float64) - second.astype(np.float64), axis=-1)
    if mask is not None:
        error = error[_array(mask).astype(bool)]
    if error.size == 0:
        raise InputError("MPJPE needs at least one frame; none is left.")
    return float(error.mean() * 1000.0)


@dataclass(frozen=True, slots=True)
class CodebookUse:
    """Use of a codebook over a data set: fraction of codes used at least once, and perplexity (1 .. num_codes)."""

    fraction: float
    perplexity: float
    num_codes: int


def codebook_use(codes: Any, num_codes: int) -> CodebookUse:
    """Codebook use of ``codes`` [...] (``[..., Q]`` of one quantiser level at a time); codes below 0 are padding."""
    values = _array(codes).ravel()
    counts = np.bincount(values[values >= 0], minlength=num_codes)
    if counts.sum() == 0:
        return CodebookUse(0.0, 0.0, num_codes)
    frequency = counts[counts > 0] / counts.sum()
    perplexity = float(np.exp(-(frequency * np.log(frequency)).sum()))
    return CodebookUse(float((counts > 0).mean()), perplexity, num_codes)


def _array(values: Any) -> NDArray[Any]:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
