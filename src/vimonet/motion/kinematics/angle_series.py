"""Measure joint angles over time under the names that gait laboratories and OpenSim users look for.

Signs follow the recommendations of the ISB (Wu et al., J Biomech 2002 and 2005) for the movements that a name states:
flexion, dorsiflexion, adduction and elevation are positive. Segments are lines between joint centres, so a bone's
rotation about its own axis (of a thigh, of an upper arm) cannot be told and has no column.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vimonet.motion.kinematics.joint_angles import joint_angles
from vimonet.motion.kinematics.preparation import HEAD, NECK, PELVIS, SIDES, Array, unit

ANGLES: Final = (
    *("pelvis_obliquity", "trunk_flexion", "trunk_lateral_bending", "trunk_axial_rotation"),
    *("neck_flexion", "neck_lateral_bending"),
    *(
        f"{side}_{angle}"
        for angle in (
            *("hip_flexion", "hip_adduction", "knee_flexion", "ankle_dorsiflexion"),
            *("shoulder_elevation", "shoulder_plane_of_elevation", "elbow_flexion"),
        )
        for side in SIDES
    ),
)
"""Names of the angles, in the order of :func:`angle_series`."""


def angle_series(joints: Array) -> Array:
    """Measure the joint angles of `ANGLES` over time.

    - ``pelvis_obliquity``: line of the hips off level, left hip higher is positive.
    - ``trunk_flexion``, ``trunk_lateral_bending``: pelvis-neck off the vertical, forward, and to the left.
    - ``trunk_axial_rotation``: line of the shoulders against that of the hips, seen along the trunk, to the left.
    - ``neck_flexion``, ``neck_lateral_bending``: neck-head against the trunk, forward, and to the left.
    - ``hip_flexion``: the thigh forward of the trunk's line; ``hip_adduction``: towards the other leg.
    - ``knee_flexion``, ``elbow_flexion``: 0 is straight.
    - ``ankle_dorsiflexion``: foot against shank, 0 at a right angle; from ankle to ball of the foot, which slopes down,
      so that quiet standing is some 25 degrees below 0.
    - ``shoulder_elevation``: the upper arm off the trunk's line, 0 hangs, 180 is up; ``shoulder_plane_of_elevation``:
      where it is raised, 0 to the side, 90 forward, -90 backward (0 where the arm hangs straight).

    Args:
        joints: [T, 22, 3], m, Y up.

    Returns:
        Degrees [T, 20].
    """
    out: dict[str, Array] = {}
    up = unit(joints[:, NECK] - joints[:, PELVIS])
    hips = unit(joints[:, 1] - joints[:, 2])
    ahead = unit(np.cross(hips, up))
    left = np.cross(up, ahead)
    out["pelvis_obliquity"] = _degrees(hips[:, 1])
    level = unit(hips * [1.0, 0.0, 1.0])
    out["trunk_flexion"] = np.degrees(np.arctan2(_dot(up, np.cross(level, [0.0, 1.0, 0.0])), up[:, 1]))
    out["trunk_lateral_bending"] = _degrees(_dot(up, level))
    shoulders = joints[:, 16] - joints[:, 17]
    out["trunk_axial_rotation"] = np.degrees(np.arctan2(-_dot(shoulders, ahead), _dot(shoulders, left)))
    head = unit(joints[:, HEAD] - joints[:, NECK])
    out["neck_flexion"] = np.degrees(np.arctan2(_dot(head, ahead), _dot(head, up)))
    out["neck_lateral_bending"] = _degrees(_dot(head, left))
    known = joint_angles(joints)
    for k, side in enumerate(SIDES):
        outwards = left if side == "left" else -left
        thigh, shank, foot, arm = (
            unit(joints[:, end + k] - joints[:, start + k]) for start, end in ((1, 4), (4, 7), (7, 10), (16, 18))
        )
        for column, angle in ((0, "knee_flexion"), (2, "elbow_flexion"), (4, "hip_flexion"), (6, "shoulder_elevation")):
            out[f"{side}_{angle}"] = known[:, column + k]
        out[f"{side}_hip_adduction"] = -_degrees(_dot(thigh, outwards))
        out[f"{side}_ankle_dorsiflexion"] = -_degrees(_dot(foot, shank))
        forward, aside = _dot(arm, ahead), _dot(arm, outwards)
        raised = np.hypot(forward, aside) > _HANGS
        out[f"{side}_shoulder_plane_of_elevation"] = np.where(raised, np.degrees(np.arctan2(forward, aside)), 0.0)
    return np.stack([out[name] for name in ANGLES], axis=1)


_HANGS: Final = 0.05  # sine of the elevation below which an arm is raised in no direction


def _dot(a: Array, b: Array) -> Array:
    return np.einsum("ti,ti->t", a, b)


def _degrees(sine: Array) -> Array:
    return np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))
