"""TRC of Pose2Sim and of a marker set."""

from __future__ import annotations

import numpy as np
import pytest
from walking_body import J, check_walk, points_of, walking

from vimonet.motion import load, recording_info
from vimonet.motion.io import detect_format
from vimonet.utils.errors import InputError

POSE2SIM = {
    **{"Hip": "pelvis", "RHip": "right_hip", "RKnee": "right_knee", "RAnkle": "right_ankle", "RBigToe": "right_foot"},
    **{"LHip": "left_hip", "LKnee": "left_knee", "LAnkle": "left_ankle", "LBigToe": "left_foot", "Neck": "neck"},
    **{"Head": "head", "RShoulder": "right_shoulder", "RElbow": "right_elbow", "RWrist": "right_wrist"},
    **{"LShoulder": "left_shoulder", "LElbow": "left_elbow", "LWrist": "left_wrist"},
}


def trc(points: dict[str, np.ndarray], unit: str = "m", fps: float = 30, scale: float = 1.0) -> str:
    labels = list(points)
    rows = []
    for frame in range(len(points[labels[0]])):
        cells = [f"{v:.5f}" if np.isfinite(v) else "" for label in labels for v in scale * points[label][frame]]
        rows.append("\t".join([str(frame + 1), f"{frame / fps:.4f}", *cells]))
    count = len(rows)
    return "\n".join(
        [
            "PathFileType\t4\t(X/Y/Z)\twalk.trc",
            "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
            f"{fps}\t{fps}\t{count}\t{len(labels)}\t{unit}\t{fps}\t1\t{count}",
            "Frame#\tTime\t" + "\t\t\t".join(labels) + "\t\t",
            "\t\t" + "\t".join(f"{axis}{k + 1}" for k in range(len(labels)) for axis in "XYZ"),
            "",
            *rows,
            "",
        ]
    )


@pytest.mark.parametrize(("unit", "scale"), [("m", 1.0), ("mm", 1000.0)])
def test_pose2sim(unit: str, scale: float) -> None:
    data = trc(points_of(POSE2SIM), unit, scale=scale).encode()
    assert detect_format(data) == "trc"
    check_walk(load(data), 30)


def test_a_point_that_is_not_seen_is_a_gap() -> None:
    points = points_of(POSE2SIM)
    points["RKnee"][5:9] = np.nan
    motion = load(trc(points, fps=20).encode())
    assert motion.confidence is not None
    assert (motion.confidence[5:9, 5] == 0).all()
    assert np.isfinite(motion.joints).all()


def plug_in_gait() -> dict[str, np.ndarray]:
    """Skin markers around the joint centres of the walking body."""
    body = walking()
    at = lambda joint, *shift: body[:, J[joint]] + np.array(shift or (0, 0, 0))  # noqa: E731
    markers = {"C7": at("neck", 0, 0, -0.06), "CLAV": at("neck", 0, 0, 0.06)}
    for letter, side, sign in (("L", "left", 1), ("R", "right", -1)):
        markers |= {
            letter + "ASI": at("pelvis", sign * 0.12, 0.02, 0.09),
            letter + "PSI": at("pelvis", sign * 0.05, 0.02, -0.09),
            letter + "KNE": at(f"{side}_knee", sign * 0.05, 0, 0),
            letter + "ANK": at(f"{side}_ankle", sign * 0.035, 0, 0),
            letter + "TOE": at(f"{side}_foot"),
            letter + "SHO": at(f"{side}_shoulder", 0, 0.05, 0),
            letter + "ELB": at(f"{side}_elbow"),
            letter + "WRA": at(f"{side}_wrist", 0, 0, 0.02),
            letter + "WRB": at(f"{side}_wrist", 0, 0, -0.02),
            letter + "FHD": at("head", sign * 0.07, 0, 0.08),
            letter + "BHD": at("head", sign * 0.07, 0, -0.08),
        }
    return markers


def test_plug_in_gait_markers_become_joint_centres() -> None:
    motion = load(trc(plug_in_gait(), "mm", scale=1000).encode())
    centres = ("right_knee", "left_ankle", "right_shoulder", "left_elbow", "right_wrist", "neck", "head")
    check_walk(motion, 30, joints=centres)
    check_walk(motion, 30, joints=("left_hip", "right_hip"), atol=0.04)
    assert any("Harrington" in note for note in motion.notes)


def test_two_subjects_are_told_apart_by_the_prefix_of_their_labels() -> None:
    one = {f"Ann:{label}": place for label, place in points_of(POSE2SIM).items()}
    two = {f"Bo:{label}": place + np.array([2, 0, 0]) for label, place in points_of(POSE2SIM).items()}
    data = trc(one | two).encode()
    motion = load(data)
    check_walk(motion, 30)
    assert [one["frames"] for one in recording_info(motion)["people"].values()] == [41, 41]
    assert load(data, person=2).joints[0, 0, 0] == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: "\n".join(t.split("\n")[:4]), "cut off"),
        (lambda t: t.replace("\tm\t", "\tparsec\t", 1), "parsec"),
        (lambda t: t.replace("DataRate", "Rate", 1), "DataRate"),
        (lambda t: t[:-200] + "\tx\n", "expected"),
        (lambda t: t.replace("Knee", "Gadget"), "left knee, right knee"),
    ],
)
def test_broken_trc_gets_one_sentence(change, says) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        load(change(trc(points_of(POSE2SIM))).encode())
