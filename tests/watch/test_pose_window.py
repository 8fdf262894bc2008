"""The ring of a person's last seconds, and the movement it hands on."""

from __future__ import annotations

import numpy as np
import pytest

from vimonet.motion import load
from vimonet.watch import Event, PoseFrame
from vimonet.watch.pose_window import PoseWindow


def test_a_window_keeps_its_seconds_whatever_comes():
    window = PoseWindow(2.0)
    for number in range(1000):
        window.push(PoseFrame(number * 0.04, 1, np.ones((22, 3), np.float32), np.ones(22, np.float32)))
    assert window.end == pytest.approx(39.96)
    assert window.duration == pytest.approx(2.0)
    assert len(window.frames) == 51


def test_a_3d_movement_comes_out_as_it_went_in():
    walk = load("sample:walk")
    window = PoseWindow(3.0)
    for number in range(100):
        window.push(PoseFrame(100 + number / 20, "a", walk.joints[number], np.ones(22, np.float32), None, 3))
    motion = window.motion()
    assert motion.frames == 61
    np.testing.assert_allclose(motion.joints, walk.joints[39:100], atol=1e-4)


def test_pixels_come_out_as_a_body_with_y_up():
    joints = np.zeros((22, 3), np.float32)
    joints[:, 1] = np.linspace(100, 500, 22)  # the pelvis, joint 0, is above the rest: upside down in y-up
    joints[12, 1] = 300
    window = PoseWindow(1.0)
    for number in range(26):
        window.push(PoseFrame(number / 25, 1, joints, np.ones(22, np.float32), (1280, 720)))
    motion = window.motion()
    assert motion.dimensions == 2
    assert motion.joints[5, 0, 1] - motion.joints[5, 12, 1] == pytest.approx(0.5, abs=1e-3)


def test_no_joint_is_claimed_within_a_gap():
    window = PoseWindow(4.0)
    for time in (0.0, 0.05, 0.1, 1.1, 1.15, 1.2):
        window.push(PoseFrame(time, 1, np.ones((22, 3), np.float32), np.ones(22, np.float32), None, 3))
    _, confidence = window.arrays()
    assert (confidence[:3] == 1).all()
    assert (confidence[4:22] == 0).all()
    assert (confidence[-2:] == 1).all()


def test_an_event_is_one_json_object():
    event = Event("fall", 12.34567, None, 1, {"seconds": 2.0}, "person 1 falls")
    found = event.to_dict()
    assert (found["event"], found["time"], found["end"], found["person"]) == ("fall", 12.346, None, 1)
    assert len(found["id"]) == 32
    assert Event("fall", 1.0).id != Event("fall", 1.0).id
