"""3D rows given to a model as keypoints: a camera and a pose estimator drawn anew every time (`data.film`)."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vimonet.motion import Motion
from vimonet.motion.projection import View
from vimonet.motion.skeleton import INDEX
from vimonet.utils.errors import InputError

LEGLESS = 0.3
"""Share of whole bodies that are filmed with their legs out of the picture, and asked what trunk and arms tell."""
_LEGS = tuple(
    [INDEX[f"{side}_{name}"] for side in ("left", "right") for name in names]
    for names in (("ankle", "foot"), ("knee", "ankle", "foot"))
)


def film(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, rng: random.Random, crop: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
    """3D joints as a camera and a pose estimator would give them.

    Args:
        joints, confidence: [T, 22, 3] m and [T, 22]; None where every joint was seen.
        rng: source of chance.
        crop: whether the picture may end above the legs of a body that is seen whole.

    Returns:
        Keypoints [T, 22, 3], their confidence [T, 22], and whether the legs are in the picture.

    Raises:
        InputError: from nowhere do they look like a body.
    """
    motion, view = Motion(joints, name="film", confidence=confidence), View.draw(rng)
    try:
        flat = view.project_2d(motion)
    except InputError:  # it comes too near, or lies along the line of sight
        flat = replace(view, distance=20.0, azimuth=view.azimuth + 90, elevation=0.0).project_2d(motion)
    assert flat.confidence is not None
    cropped = crop and confidence is None and rng.random() < LEGLESS
    if cropped:
        flat.confidence[:, rng.choice(_LEGS)] = 0
    return flat.joints, flat.confidence, not cropped


__all__ = ["LEGLESS", "film"]
