"""A body that walks forward without moving its limbs, for the tests of formats that carry points."""

from __future__ import annotations

import numpy as np

from vimonet.motion import JOINT_NAMES, Motion
from vimonet.motion.skeleton import T_POSE

J = {name: index for index, name in enumerate(JOINT_NAMES)}
FRAMES = 41
STEP = 0.03
"""Metres forward (+Z) per frame."""


def walking(frames: int = FRAMES) -> np.ndarray:
    """[T, 22, 3] metres, Y up, pelvis at .95 m; the left wrist is raised by half a metre over the whole time."""
    body = np.repeat(T_POSE[None].astype(float), frames, axis=0) + np.array([0, 0.95, 0])
    body[..., 2] += STEP * np.arange(frames)[:, None]
    body[:, J["left_wrist"], 1] += np.linspace(0, 0.5, frames)
    return body


def points_of(names: dict[str, str], frames: int = FRAMES) -> dict[str, np.ndarray]:
    """{label: [T, 3]} of the walking body, for labels of our joints."""
    body = walking(frames)
    return {label: body[:, J[joint]] for label, joint in names.items()}


def check_walk(motion: Motion, fps: float, *, atol: float = 0.02, joints: tuple[str, ...] = ()) -> None:
    """The motion is the walking body: same places, same speed, the left wrist the one that rises."""
    assert motion.dimensions == 3
    assert abs(motion.source_fps - fps) < 0.01 * fps
    body = walking()
    for joint in joints or ("left_hip", "right_knee", "left_ankle", "right_shoulder", "left_elbow", "right_wrist"):
        np.testing.assert_allclose(motion.joints[0, J[joint]], body[0, J[joint]], atol=atol, err_msg=joint)
    speed = (motion.joints[-1, 0, 2] - motion.joints[0, 0, 2]) / (motion.frames - 1) * motion.fps
    assert abs(speed - STEP * fps) < 0.03 * STEP * fps
    wrists = (
        motion.joints[-1, [J["left_wrist"], J["right_wrist"]], 1]
        - motion.joints[0, [J["left_wrist"], J["right_wrist"]], 1]
    )
    assert wrists[0] > 0.4
    assert abs(wrists[1]) < 0.02
