"""The posture over time: standing, bending, sitting, crouching, kneeling, on all fours, lying, upside down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.limbs import knee_flexion, trunk_inclination
from vimonet.motion.kinematics.preparation import ANKLE, MASS, NECK, PELVIS, Array, Body, norm, ramp, smooth, unit

LABELS = ("standing", "bending", "sitting", "crouching", "kneeling", "on all fours", "lying", "upside down", "airborne")
MIN_TIME = 0.25


@dataclass(frozen=True, slots=True)
class Posture:
    """A stretch in one posture.

    Attributes:
        label: one of `posture.LABELS`.
        start: s.
        end: s.
        certainty: mean lead of this posture's score over the next, 0..1; under 0.3 the posture is near a threshold.
        detail: for lying 'face up', 'face down', 'on the left side' or 'on the right side'; else ''.
    """

    label: str
    start: float
    end: float
    certainty: float
    detail: str = ""


def posture_scores(body: Body) -> Array:
    """Degree 0..1 [T, 8] to which each posture (LABELS without airborne) holds, before smoothing.

    Built from: height of the pelvis above the floor as a share of its standing height (p); inclination of the trunk
    (t, degrees from upright); bend of the knees; height of knees, wrists and ankles in leg lengths; and the
    horizontal distance of the centre of mass from the feet (s, leg lengths): who sits does not balance over the feet,
    who crouches does.

    - standing: p > .78, t < 45            - bending: p > .65, t > 45
    - sitting: t < 55 and either thighs over 44 degrees from hanging, s > .17, p < .9 and knees off the floor, or p <
      .27 (on the floor)
    - crouching: p < .78, knees bent > 47, s < .17
    - kneeling: a knee below .25 leg lengths with its shank level, t < 55, p > .25
    - on all fours: t > 50, .3 < p < .8, wrists below .3        - lying: t > 60, p < .4
    - upside down: t > 110 and ankles above the pelvis
    """
    j, leg = body.joints, body.leg
    p = (j[:, PELVIS, 1] - body.floor) / body.stand
    t = trunk_inclination(j)
    flexion = knee_flexion(j)
    bend = 0.5 * (flexion["left"] + flexion["right"])
    height = (j[..., 1] - body.floor) / leg
    knee = np.minimum(height[:, 4], height[:, 5])
    shank_level = np.stack([1.0 - np.abs(unit(j[:, k] - j[:, a])[:, 1]) for k, a in ((4, 7), (5, 8))], axis=1)
    kneels = np.maximum(
        np.minimum(ramp(height[:, 4], 0.32, 0.2), ramp(shank_level[:, 0], 0.2, 0.5)),
        np.minimum(ramp(height[:, 5], 0.32, 0.2), ramp(shank_level[:, 1], 0.2, 0.5)),
    )
    wrists = np.minimum(height[:, 20], height[:, 21])
    s = _off_balance(j) / leg
    upright = ramp(t, 65.0, 45.0)
    low = ramp(p, 0.85, 0.71)
    thighs = np.stack([-unit(j[:, k] - j[:, h])[:, 1] for k, h in ((4, 1), (5, 2))]).mean(axis=0)
    level = ramp(np.degrees(np.arccos(np.clip(thighs, -1.0, 1.0))), 38.0, 50.0)
    inverted = np.minimum(ramp(t, 100.0, 120.0), ramp(np.minimum(height[:, 7], height[:, 8]) - height[:, 0], -0.2, 0.1))
    chair = np.minimum.reduce([ramp(p, 0.94, 0.86), level, ramp(s, 0.12, 0.22), ramp(knee, 0.2, 0.32)])
    standing = np.minimum.reduce([1.0 - low, ramp(t, 55.0, 35.0), 1.0 - chair])
    bending = np.minimum.reduce([ramp(p, 0.58, 0.72), ramp(t, 35.0, 55.0), 1.0 - inverted])
    ground = ramp(p, 0.33, 0.22)
    sitting = np.minimum(upright, np.maximum(chair, ground))
    crouching = np.minimum.reduce(
        [low, ramp(bend, 35.0, 60.0), ramp(s, 0.22, 0.12), ramp(p, 0.15, 0.27), ramp(t, 90.0, 70.0), 1.0 - kneels]
    )
    kneeling = np.minimum.reduce([kneels, upright, ramp(p, 0.2, 0.3), 1.0 - ground])
    fours = np.minimum.reduce(
        [ramp(t, 42.0, 58.0), ramp(p, 0.25, 0.37), ramp(p, 0.86, 0.74), ramp(wrists, 0.38, 0.22), 1.0 - inverted]
    )
    lying = np.minimum.reduce([ramp(t, 50.0, 70.0), ramp(p, 0.48, 0.33), 1.0 - fours])
    return np.stack([standing, bending, sitting, crouching, kneeling, fours, lying, inverted], axis=1)


def _off_balance(joints: Array) -> Array:
    """Horizontal distance [T] of the centre of mass from the line between the feet."""
    mass = np.einsum("tji,j->ti", joints[:, :, [0, 2]], MASS)
    left = joints[:, [7, 10]].mean(axis=1)[:, [0, 2]]
    right = joints[:, [8, 11]].mean(axis=1)[:, [0, 2]]
    line = right - left
    along = np.clip(
        np.einsum("ti,ti->t", mass - left, line) / np.maximum(np.einsum("ti,ti->t", line, line), 1e-9), 0.0, 1.0
    )
    return norm(mass - left - along[:, None] * line)


def postures(body: Body, airborne: NDArray[np.bool_]) -> tuple[Posture, ...]:
    """Postures over time: scores smoothed (sigma 0.15 s), best one per frame, brief and doubtful stretches absorbed.

    Args:
        body: prepared recording.
        airborne: [T] in flight, from :func:`vimonet.motion.kinematics.events.jumps`.
    """
    scores = smooth(posture_scores(body), 0.15, body.fps)
    label = np.argmax(scores, axis=1)
    top2 = np.partition(scores, -2, axis=1)[:, -2:]
    lead = top2[:, 1] - top2[:, 0]
    label = _absorb(label, scores, lead, body.fps)
    label = np.where(airborne, LABELS.index("airborne"), label)
    out = []
    edges = np.flatnonzero(np.diff(label)) + 1
    for a, b in zip([0, *edges.tolist()], [*edges.tolist(), len(label)], strict=True):
        name = LABELS[label[a]]
        certainty = 1.0 if name == "airborne" else float(lead[a:b].mean())
        out.append(
            Posture(name, a / body.fps, b / body.fps, certainty, _lie(body.joints[a:b]) if name == "lying" else "")
        )
    return tuple(out)


def _absorb(label: NDArray[np.intp], scores: Array, lead: Array, fps: float) -> NDArray[np.intp]:
    """Give brief or doubtful stretches to the neighbour that scores higher over them, the weakest first.

    A stretch stays when it lasts 0.25 s and its lead adds up to 0.12 s: a clear posture counts at once, one near a
    threshold must last.
    """
    label = label.copy()
    total = np.concatenate(([0.0], np.cumsum(lead)))
    while True:
        edges = np.concatenate(([0], np.flatnonzero(np.diff(label)) + 1, [len(label)]))
        if len(edges) <= 2:
            return label
        weight = np.minimum((total[edges[1:]] - total[edges[:-1]]) / (0.12 * fps), np.diff(edges) / (MIN_TIME * fps))
        k = int(np.argmin(weight))
        if weight[k] >= 1.0:
            return label
        a, b = int(edges[k]), int(edges[k + 1])
        around = ([int(label[a - 1])] if a > 0 else []) + ([int(label[b])] if b < len(label) else [])
        label[a:b] = max(around, key=lambda i: float(scores[a:b, i].mean()))


def _lie(joints: Array) -> str:
    """How someone lies: where the chest and the left side point."""
    up = unit(joints[:, NECK] - joints[:, PELVIS])
    left = unit(unit(joints[:, 1] - joints[:, 2]) + unit(joints[:, 16] - joints[:, 17]))
    chest, side = float(np.cross(left, up)[:, 1].mean()), float(left[:, 1].mean())
    if abs(chest) >= abs(side):
        return "face up" if chest > 0 else "face down"
    return "on the right side" if side > 0 else "on the left side"


def ankle_over_floor(body: Body) -> dict[str, float]:
    """Greatest height of each ankle above the floor, m."""
    return {side: float(body.joints[:, i, 1].max() - body.floor) for side, i in ANKLE.items()}
