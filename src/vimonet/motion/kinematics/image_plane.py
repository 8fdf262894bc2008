"""Measure a whole body in the image plane: whether it stays in place, approaches the camera, or turns.

Lengths are in torsos (pelvis to neck in the image), which makes them independent of the camera's distance and the size
of the person. Nothing is claimed inside the dead zones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vimonet.motion.kinematics.preparation import (
    ANKLE,
    NECK,
    PELVIS,
    SIDES,
    Array,
    Body,
    gradient,
    median,
    norm,
    prepare,
    rank,
    runs,
    share_seen,
    smooth,
)

if TYPE_CHECKING:
    from vimonet.motion import Motion

TRUNK = (1, 2, 16, 17)  # hips and shoulders
STAYS, TRAVELS = 0.4, 1.0  # torsos between start and end; 0.25 and 0.6 of a standing leg of 1.7 torsos
SAME_SIZE, OTHER_SIZE = 1.12, 1.35  # ratio of the body's sizes at start and end, either way
FRONT, HELD = 0.25, 0.6  # torsos that left lies beside right; s
UPRIGHT, DOWN = (1.7, 1.2), (1.25, 0.75)  # torsos of neck and pelvis over the feet: before a fall, after it
FALL_DROP, FALL_SPEED = 1.2, 2.2  # torsos that the neck drops; torsos/s at its fastest (sitting down: under 2)


@dataclass(frozen=True, slots=True)
class SeenFall:
    """Describe a fall in the image plane: start and end of the drop, s, and whether the person stands again."""

    start: float
    end: float
    up_again: bool


@dataclass(frozen=True, slots=True)
class ImagePlane:
    """Describe a body in the image plane.

    Attributes:
        across: displacement of the trunk to the right of the image, torsos.
        rise: displacement of the trunk upward, torsos.
        nearer: size of the trunk at the end / at the start; over 1, the person approached the camera, or the shot
            changed.
        travels: True if the trunk leaves its place or gradually changes in size; False if it does neither; None near a
            threshold. A panning camera looks like locomotion.
        turns: True if the trunk shows its front and its back for 0.6 s each; False if it shows the same side at nearly
            the same width throughout (a turn under some 45 degrees is not seen); None in between.
        shows: 'front', 'back' or 'side' for most of the time, else None.
        falls: falls, see :func:`seen_falls`; None if no leg is seen.
    """

    across: float
    rise: float
    nearer: float
    travels: bool | None
    turns: bool | None
    shows: str | None
    falls: tuple[SeenFall, ...] | None = None

    def displacement_words(self) -> str:
        """Describe the displacement of the trunk in the image in words; empty if it is unclear."""
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
    """Measure a 2D Motion (x to the right of the image, y up): see :class:`ImagePlane`.

    Returns None if fewer than half of the frames show hips and shoulders together, which locate and scale the body.
    """
    if share_seen(motion.confidence, TRUNK) < 0.5:
        return None
    body = prepare(motion)
    joints, fps = body.joints, motion.fps
    trunk = norm(joints[:, NECK] - joints[:, PELVIS])
    torso = max(median(trunk), 1e-6)
    middle = 0.5 * (joints[:, NECK] + joints[:, PELVIS])[:, :2] / torso
    across, rise = (_end(middle) - _start(middle)).tolist()
    nearer = float(_end(trunk) / max(float(_start(trunk)), 1e-6))
    widths = _widths(joints, fps) / torso
    change = max(nearer, 1.0 / max(nearer, 1e-6))
    displacement = float(np.hypot(across, rise))
    approach = change > OTHER_SIZE and _gradual(trunk)
    travels = (
        True if displacement > TRAVELS or approach else False if displacement < STAYS and change < SAME_SIZE else None
    )
    return ImagePlane(across, rise, nearer, travels, _turns(widths, fps), _shows(widths), seen_falls(body))


def seen_falls(body: Body) -> tuple[SeenFall, ...] | None:
    """Find the falls of a 2D body: from standing to the ground within one fast drop; None if no leg is seen.

    The neck drops by 1.2 torsos or more, at over 2.2 torsos/s at its fastest, from 1.7 torsos over the lower ankle, and
    for 0.4 s after it neck and pelvis stay under 1.25 and 0.75. Sitting down ends higher, a crouch keeps the neck up,
    and who lies down on purpose takes longer.
    """
    legs = [ANKLE[side] for side in SIDES if body.seen[f"{side} leg"]]
    if not legs:
        return None
    joints, fps = body.joints, body.fps
    torso = max(rank(norm(joints[:, NECK] - joints[:, PELVIS]), 0.8), 1e-6)  # an inclined trunk looks shorter
    feet = smooth(joints[:, legs, 1].min(axis=1), 0.3, fps)
    neck = smooth(joints[:, NECK, 1], 0.1, fps) / torso
    high, hips = neck - feet / torso, (smooth(joints[:, PELVIS, 1], 0.1, fps) - feet) / torso
    down = -gradient(neck) * fps
    lies = (high < DOWN[0]) & (hips < DOWN[1])
    stands = (high > UPRIGHT[0]) & (hips > UPRIGHT[1])
    lasts = max(1, round(0.4 * fps))
    found = []
    for a, b in runs(down > 0.4):
        before = float(high[max(0, a - round(0.3 * fps)) : a + 1].max())
        if before < UPRIGHT[0] or neck[a] - neck[b - 1] < FALL_DROP or down[a:b].max() < FALL_SPEED:
            continue
        if lies[b - 1 : b - 1 + lasts].mean() > 0.8:
            again = any(d - c >= lasts for c, d in runs(stands[b:]))
            found.append(SeenFall(a / fps, b / fps, again))
    return tuple(found)


def _start(x: Array) -> Array:
    """Compute the median of the first sixth, which camera shake or a few misplaced frames do not move."""
    return np.median(x[: max(1, len(x) // 6)], axis=0)


def _end(x: Array) -> Array:
    """Compute the median of the last sixth."""
    return _start(x[::-1])


def _gradual(size: Array) -> bool:
    """Test whether the middle lies between start and end; a cut or a lost body changes at once."""
    start, middle, end = np.log([max(float(part(size)), 1e-6) for part in (_start, _middle, _end)])
    return bool(0.2 < (middle - start) / ((end - start) or 1.0) < 0.8)


def _middle(x: Array) -> Array:
    """Compute the median of the sixth around the middle."""
    return np.median(x[len(x) * 5 // 12 : max(1, len(x) * 7 // 12)], axis=0)


def _widths(joints: Array, fps: float) -> Array:
    """Measure how far left hip and shoulder lie to the image's right of the right ones [T]; negative from behind."""
    return smooth(0.5 * (joints[:, 16, 0] - joints[:, 17, 0] + joints[:, 1, 0] - joints[:, 2, 0]), 0.15, fps)


def _turns(widths: Array, fps: float) -> bool | None:
    held = [any(b - a >= HELD * fps for a, b in runs(sign * widths > FRONT)) for sign in (1, -1)]
    if all(held):
        return True
    typical = median(widths)
    even = bool((np.abs(widths - typical) < 0.25 * abs(typical)).all())
    return False if abs(typical) > FRONT and even else None


def _shows(widths: Array) -> str | None:
    shares = {"front": widths > FRONT, "back": widths < -FRONT, "side": np.abs(widths) < 0.6 * FRONT}
    return next((name for name, held in shares.items() if held.mean() > 0.6), None)
