"""NTU RGB+D's .skeleton files."""

from __future__ import annotations

import numpy as np
import pytest
from walking_body import J, check_walk, walking

from vimonet.motion import load, recording_info
from vimonet.motion.io import detect_format
from vimonet.motion.joint_names import LAYOUTS, map_joints
from vimonet.utils.errors import InputError

NAMES = LAYOUTS["kinect25"]


def skeleton(people: int = 1, frames: int = 41) -> str:
    body = walking(frames)
    points = np.zeros((frames, 25, 3))
    for joint, index in map_joints(NAMES).items():
        if joint in J:
            points[:, index] = body[:, J[joint]]
    lines = [str(frames)]
    for frame in range(frames):
        lines.append(str(people if frame else 1))  # the second comes a frame later
        for who in range(people if frame else 1):
            lines += [f"7205759403792{who}790 0 1 1 0 0 0 0.2 -0.3 2", "25"]
            for x, y, z in points[frame] + [who * 1.5, 0, 2]:
                lines.append(f"{x:.6f} {y:.6f} {z:.6f} 277.4 191.8 1036.2 519.8 -0.2 0.03 0.96 -0.05 2")
    return "\r\n".join(lines) + "\r\n"


def test_a_body_in_camera_space() -> None:
    data = skeleton().encode()
    assert detect_format(data) == "ntu"
    motion = load(data)
    moved = motion.joints - np.array([0, 0, 2], dtype=np.float32)
    check_walk(motion.__class__(moved, motion.fps, "w", "ntu", motion.source_fps, motion.confidence, 3, (), {}), 30)


def test_the_second_person_of_two() -> None:
    data = skeleton(people=2).encode()
    assert {key: one["frames"] for key, one in recording_info(load(data))["people"].items()} == {"1": 41, "2": 40}
    assert load(data, person=2).joints[-1, 0, 0] == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("cut", [400, 3000, 40000])
def test_a_file_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(InputError):
        load(skeleton().encode()[:cut], format="ntu")
    with pytest.raises(InputError, match="count up to"):
        load(b"9" * 30 + b"\n", format="ntu")
