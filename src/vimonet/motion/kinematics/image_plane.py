"""What the image plane tells of a whole body in 2D: whether it stays where it is, comes nearer, turns over.

Lengths are in torsos (pelvis to neck, as the picture shows it), so that neither the camera's distance nor the size of
the person matters. Between the thresholds, where a person could dispute a word for it, nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vimonet.motion.kinematics.preparation import NECK, PELVIS, Array, norm, prepare, runs, share_seen, smooth

if TYPE_CHECKING:
    from vimonet.motion import Motion

TRUNK = (1, 2, 16, 17)  # hips and shoulders
STAYS, TRAVELS = 0.4, 1.0  # torsos between start and end; 0.25 and 0.6 of a standing leg of 1.7 torsos
SAME_SIZE, OTHER_SIZE = 1.12, 1.35  # ratio of the body's sizes at start and end, either way
FRONT, HELD = 0.25, 0.6  # torsos that left lies beside right; s


@dataclass(frozen=True, slots=True)
class ImagePlane:
    """The body as one camera sees it.

    Attributes:
        across: net way of the trunk over the picture from start to end, torsos, + to the picture's right.
        rise: the same upward.
        nearer: size of the trunk at the end / at the start: over 1, the person came towards the camera, or the shot
            changed.
        travels: True where the trunk leaves its place, or changes in size little by little; False where it does
            neither; None where it is near a threshold. A camera that pans looks like a way.
        turns: True where the trunk shows its front and its back for 0.6 s each; False where it shows the same side at
            nearly the same width throughout (a turn under some 45 degrees is not seen); None in between.
        shows: 'front', 'back' or 'side' for most of the time; None where none of them holds.
    """

    across: float
    rise: float
    nearer: float
    travels: bool | None
    turns: bool | None
    shows: str | None

    def way(self) -> str:
        """How the trunk goes over the picture, in words; empty where that is not plain."""
        if self.travels is False:
            return "stays in place"
        if not self.travels:
            return ""
        if abs(self.across) > TRAVELS:
            return f"moves across the picture to the {'right' if self.across > 0 else 'left'}"
        if not 1 / OTHER_SIZE <= self.nearer <= OTHER_SIZE:
            return "comes nearer to the camera" if self.nearer > 1 else "goes away from the camera"
        return ""


def image_plane(motion: Motion) -> ImagePlane | None:
    """Measure a 2D Motion (x to the right of the picture, y up): see :class:`ImagePlane`.

    None where hips and shoulders are seen together in less than half of the frames: nothing else tells where the body
    is and how large.
    """
    if share_seen(motion.confidence, TRUNK) < 0.5:
        return None
    joints, fps = prepare(motion).joints, motion.fps
    trunk = norm(joints[:, NECK] - joints[:, PELVIS])
    torso = max(float(np.median(trunk)), 1e-6)
    middle = 0.5 * (joints[:, NECK] + joints[:, PELVIS])[:, :2] / torso
    across, rise = (_end(middle) - _start(middle)).tolist()
    nearer = float(_end(trunk) / max(float(_start(trunk)), 1e-6))
    widths = _widths(joints, fps) / torso
    change = max(nearer, 1.0 / max(nearer, 1e-6))
    way = float(np.hypot(across, rise))
    approach = change > OTHER_SIZE and _gradual(trunk)
    travels = True if way > TRAVELS or approach else False if way < STAYS and change < SAME_SIZE else None
    return ImagePlane(across, rise, nearer, travels, _turns(widths, fps), _shows(widths))


def _start(x: Array) -> Array:
    """Median over the first sixth: a camera's shake or a few misplaced frames do not move it."""
    return np.median(x[: max(1, len(x) // 6)], axis=0)


def _end(x: Array) -> Array:
    """As :func:`_start`, of the last sixth."""
    return _start(x[::-1])


def _gradual(size: Array) -> bool:
    """Whether the middle lies between start and end: a cut to another shot, or a body lost, changes at once."""
    start, middle, end = np.log([max(float(part(size)), 1e-6) for part in (_start, _middle, _end)])
    return bool(0.2 < (middle - start) / ((end - start) or 1.0) < 0.8)


def _middle(x: Array) -> Array:
    """As :func:`_start`, of the sixth around the middle."""
    return np.median(x[len(x) * 5 // 12 : max(1, len(x) * 7 // 12)], axis=0)


def _widths(joints: Array, fps: float) -> Array:
    """How far left joints lie to the picture's right of right ones [T], shoulders and hips; negative from behind."""
    return smooth(0.5 * (joints[:, 16, 0] - joints[:, 17, 0] + joints[:, 1, 0] - joints[:, 2, 0]), 0.15, fps)


def _turns(widths: Array, fps: float) -> bool | None:
    held = [any(b - a >= HELD * fps for a, b in runs(sign * widths > FRONT)) for sign in (1, -1)]
    if all(held):
        return True
    typical = float(np.median(widths))
    even = bool((np.abs(widths - typical) < 0.25 * abs(typical)).all())
    return False if abs(typical) > FRONT and even else None


def _shows(widths: Array) -> str | None:
    shares = {"front": widths > FRONT, "back": widths < -FRONT, "side": np.abs(widths) < 0.6 * FRONT}
    return next((name for name, held in shares.items() if held.mean() > 0.6), None)
