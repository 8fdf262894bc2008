"""Detect left-handed coordinates of a recording from the body that it shows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.skeleton import norm

_KNEES_BENT: Final = 0.15  # m from the line between hip and ankle, both knees: Kinect's straight ones bend back by less
_FOREARMS_LEVEL: Final = 0.2  # m over the ground that both forearms together reach at least
_UPRIGHT: Final = 0.85  # of the trunk's length: sensors lose the knees and hands of people who bend
_FRONT_SHARE: Final = (0.1, 0.3)  # least share of frames that tell the front; where forearms decide alone
_BACK: Final = (-0.5, -0.3, -0.8)  # most cosine to the front of knees that point back; of forearms, too; of these alone
_SWAPPED: Final = 0.2  # least share of the frames that tell the front, to the front and to the back alike


def detect_mirroring(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, *, toes: bool
) -> tuple[bool, str | None]:
    """Detect left-handed coordinates: bodies whose toes, or knees and forearms, point to the back.

    Args:
        joints: [T, 22, 3], Y up, metres.
        confidence: [T, 22] in 0..1, or None.
        toes: whether toes are measured, which then decide; else knees and forearms do (knees of depth sensors bend
            either way).

    Returns:
        Whether the named left and right are exchanged, and a note where this is uncertain.
    """
    values = joints.astype(np.float64)
    seen = np.ones(values.shape[:2], dtype=bool) if confidence is None else confidence > 0
    seen = seen & np.asarray(seen[:, [1, 2, 16, 17]].all(axis=1))[:, None]
    least, alone = (max(1.0, share * len(values)) for share in _FRONT_SHARE)
    if toes:
        ahead = values[:, 10] - values[:, 7] + values[:, 11] - values[:, 8]
        raised = values[:, 12, 1] - values[:, 0, 1] > 0.2
        front = _to_front(values, ahead, 0.1, raised & seen[:, [7, 8, 10, 11]].all(axis=1))
        return len(front) >= least and float(front.mean()) < _BACK[0], None
    trunk = values[:, 12] - values[:, 0]
    upright = trunk[:, 1] > _UPRIGHT * norm(trunk)
    bend = _bend(values[:, 1], values[:, 4], values[:, 7]) + _bend(values[:, 2], values[:, 5], values[:, 8])
    knees = _to_front(values, bend, _KNEES_BENT, upright & seen[:, [4, 5, 7, 8]].all(axis=1))
    reach = values[:, 20] - values[:, 18] + values[:, 21] - values[:, 19]
    hang = (values[:, [20, 21], 1] < values[:, [12], 1]).all(axis=1)
    arms = _to_front(values, reach, _FOREARMS_LEVEL, upright & hang & seen[:, [18, 19, 20, 21]].all(axis=1))
    by_arms = float(arms.mean()) if len(arms) >= least else None
    if len(knees) < least:
        back = len(arms) >= alone and by_arms is not None and by_arms < _BACK[2]
        return back, None if back else _swapped(arms, alone)
    back = float(knees.mean()) < _BACK[0]
    if back and by_arms is not None and by_arms >= _BACK[1]:
        return False, (
            "left and right are uncertain: knees bend to the back and forearms point to the front of what is named so; "
            "kept as named"
        )
    return back, None if back else _swapped(np.concatenate([knees, arms]), alone)


def _to_front(
    values: NDArray[np.float64], ahead: NDArray[np.float64], clear: float, use: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Measure cosines [F], over the ground, of a vector [T, 3] to the front that the named left and right make.

    The F frames are those of ``use`` [T] in which the vector is longer than ``clear`` m over the ground.
    """
    left = (values[:, 1] - values[:, 2]) + (values[:, 16] - values[:, 17])
    reach = norm(ahead[:, [0, 2]])
    length = reach * norm(left[:, [0, 2]])
    use = use & (reach > clear) & (length > 1e-6)
    return np.asarray((ahead[use, 2] * left[use, 0] - ahead[use, 0] * left[use, 2]) / length[use])


def _swapped(front: NDArray[np.float64], least: float) -> str | None:
    """Note sides that change places, by cosines [F] to the front: depth sensors swap them of people who turn away."""
    back = float((front < _BACK[0]).mean()) if len(front) >= least else 0.0
    if back <= _SWAPPED or float((front > -_BACK[0]).mean()) <= _SWAPPED:
        return None
    return (
        f"left and right change places: in {100 * back:.0f} % of the frames that show it, knees and forearms point to "
        "the back of what is named so, as depth sensors see people who turn away; kept as named"
    )


def _bend(hip: NDArray[np.float64], knee: NDArray[np.float64], ankle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far a knee is from the line between hip and ankle, [T, 3], m."""
    line = ankle - hip
    share = ((knee - hip) * line).sum(axis=1) / np.maximum((line**2).sum(axis=1), 1e-9)
    return np.asarray(knee - hip - share[:, None] * line)
