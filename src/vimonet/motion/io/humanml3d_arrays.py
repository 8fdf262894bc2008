"""HumanML3D feature arrays (Guo et al., CVPR 2022: 263 numbers per frame) back to joints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.arrays import numeric, usable
from vimonet.motion.io.recording import Recording
from vimonet.motion.resample import check_fps
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.utils.errors import InputError


def read(array: NDArray[Any], name: str, *, fps: float | None = None) -> Recording:
    """Read HumanML3D features [T, 263], not normalised; 20 frames/s unless ``fps`` says otherwise.

    Raises:
        InputError: not finite, no frames, or normalised with a mean and standard deviation that the file does not have.
    """
    from vimonet.motion.features.humanml3d_features import (
        humanml3d_joints,  # here, so that other formats do not pay for it
    )

    values = numeric(array, name)
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2 or values.shape[1] != 263:
        raise InputError(f"{name}: features have shape {list(array.shape)}; expected [frames, 263].")
    if len(values) == 0:
        raise InputError(f"{name}: the features hold no frames; at least one is needed.")
    if not usable(values).all():
        frame = int(np.argwhere(~usable(values))[0, 0])
        raise InputError(
            f"{name}: the features are not finite in frame {frame + 1} of {len(values)}; expected numbers only."
        )
    contacts, height = values[:, -4:], values[:, 3]
    if contacts.min() < -0.5 or contacts.max() > 1.5 or not 0 < float(np.median(height)) < 3:
        raise InputError(
            f"{name}: the root height ({float(np.median(height)):.2f}) or the foot contacts are not "
            "HumanML3D's; give features "
            "that are not normalised (multiply by Std.npy and add Mean.npy)."
        )
    return Recording(
        positions=np.asarray(humanml3d_joints(np.asarray(values, dtype=np.float32))),
        names=JOINT_NAMES,
        fps=check_fps(20.0 if fps is None else fps, name),
        format="humanml3d",
        family="humanml3d22",
        mapping={joint: i for i, joint in enumerate(JOINT_NAMES)},
        unit=1.0,
        up="Y",
        notes=[],
    )
