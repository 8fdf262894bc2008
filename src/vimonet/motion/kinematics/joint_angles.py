"""Measure the angles of knees, elbows, hips and shoulders, and the inclination of trunk and head, over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.preparation import HEAD, NECK, PELVIS, Array, Body, cross, norm, unit

JOINTS = (
    *("left knee", "right knee", "left elbow", "right elbow"),
    *("left hip", "right hip", "left shoulder", "right shoulder"),
)
"""Joints with an angle, in the order of :func:`joint_angles`."""
LIMB_OF = {"knee": "leg", "hip": "leg", "elbow": "arm", "shoulder": "arm"}


@dataclass(frozen=True, slots=True)
class JointAngle:
    """Hold the extremes of one joint's angle.

    Knees and elbows: flexion, 0 = straight. Hips: the thigh forward of the trunk's line, 0 = in line, negative behind
    it. Shoulders: the upper arm off the trunk's line, 0 hangs, 90 level, 180 up.

    Attributes:
        least, most: degrees.
        least_at, most_at: s.
    """

    least: float
    most: float
    least_at: float
    most_at: float

    @property
    def range(self) -> float:
        """Return the range of motion, degrees."""
        return self.most - self.least


def joint_angles(joints: Array) -> Array:
    """Measure the angles of `JOINTS`, degrees [T, 8]: see :class:`JointAngle`."""
    upper = unit(joints[:, [4, 5, 18, 19]] - joints[:, [1, 2, 16, 17]])
    lower = unit(joints[:, [7, 8, 20, 21]] - joints[:, [4, 5, 18, 19]])
    flexion = np.einsum("tji,tji->tj", upper, lower)
    up = unit(joints[:, NECK] - joints[:, PELVIS])
    left = joints[:, 1] - joints[:, 2]
    ahead = unit(cross(left, up))
    lifted = -np.einsum("tji,ti->tj", upper[:, 2:], up)
    down, forward = (np.einsum("tji,ti->tj", upper[:, :2], axis) for axis in (-up, ahead))
    out = np.empty((len(joints), len(JOINTS)))
    out[:, :4] = np.arccos(np.clip(flexion, -1.0, 1.0))
    out[:, 4:6] = _known(np.arctan2(forward, down), np.hypot(forward, down) > 0.3)
    out[:, 6:] = np.arccos(np.clip(lifted, -1.0, 1.0))
    return np.degrees(out)


def _known(angle: Array, known: NDArray[np.bool_]) -> Array:
    """Interpolate over the frames in which a thigh spread sideways has no angle forward."""
    if known.all():
        return angle
    frames = np.arange(len(angle))
    for i in range(angle.shape[1]):
        ok = known[:, i]
        angle[:, i] = np.interp(frames, frames[ok], angle[ok, i]) if ok.any() else 0.0
    return angle


def extremes(angles: Array, body: Body) -> dict[str, JointAngle]:
    """Find the extremes of the angles [T, 8] of each joint whose limb is seen."""
    low, high = angles.argmin(axis=0), angles.argmax(axis=0)
    return {
        joint: JointAngle(
            float(angles[low[i], i]), float(angles[high[i], i]), low[i].item() / body.fps, high[i].item() / body.fps
        )
        for i, joint in enumerate(JOINTS)
        if body.seen[f"{joint.split()[0]} {LIMB_OF[joint.split()[1]]}"]
    }


def trunk_leans(local: Array) -> tuple[Array, Array]:
    """Measure the lean of pelvis-neck forward and to the left, degrees [T] each, from joints in its own frame."""
    up = unit(local[:, NECK] - local[:, PELVIS])
    return np.degrees(np.arctan2(up[:, 2], up[:, 1])), np.degrees(np.arcsin(np.clip(up[:, 0], -1.0, 1.0)))


def head_pitch(local: Array) -> Array:
    """Measure the angle of neck-head forward of the vertical, degrees [T], from joints in the body's own frame."""
    head = local[:, HEAD] - local[:, NECK]
    return np.degrees(np.arctan2(head[:, 2], head[:, 1]))


def spine_bend(joints: Array) -> Array:
    """Measure the angle between the lower (pelvis to second joint) and the upper spine (to the neck), degrees [T]."""
    lower, upper = unit(joints[:, 6] - joints[:, PELVIS]), unit(joints[:, NECK] - joints[:, 6])
    return np.degrees(np.arccos(np.clip(np.einsum("ti,ti->t", lower, upper), -1.0, 1.0)))


def over_segment(points: Array, start: Array, end: Array) -> Array:
    """Measure the distance [T], m, of points [T, 3] above the segment between two joints [T, 3]; inf for others."""
    line = end - start
    share = np.einsum("ti,ti->t", points - start, line) / np.maximum(np.einsum("ti,ti->t", line, line), 1e-9)
    gap = points - start - np.clip(share, 0.0, 1.0)[:, None] * line
    return np.where(gap[:, 1] > 0.0, norm(gap), np.inf)
