"""Writers: every format comes back, states its unit, axes and rate, and says what it does not hold."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import bvhio
import numpy as np
import pytest

from vimonet.motion import JOINT_NAMES, Motion, load
from vimonet.motion.io.motion_writer import WRITERS, write_motion
from vimonet.motion.kinematics.angle_series import ANGLES, angle_series
from vimonet.motion.skeleton import PARENTS, T_POSE, axis_matrices
from vimonet.utils.errors import InputError

NAMES = (
    *("Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine1", "LeftFoot", "RightFoot", "Spine2"),
    *("LeftToe", "RightToe", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm", "RightArm"),
    *("LeftForeArm", "RightForeArm", "LeftHand", "RightHand"),
)


@pytest.fixture(scope="module")
def walk() -> Motion:
    return load("sample:turn_left", target_fps=None)


@pytest.fixture(scope="module")
def loose(walk: Motion) -> Motion:
    """A recording whose bones change by centimetres, as a detector's do."""
    noise = np.random.default_rng(0).normal(0, 0.01, walk.joints.shape).astype(np.float32)
    return replace(walk, joints=walk.joints + noise)


def independent(path: Path, frame: int) -> np.ndarray:
    """The joints [22, 3] of one frame, in the file's unit, as another reader of BVH places them."""
    root = bvhio.readAsHierarchy(str(path)).loadPose(frame)
    places = {joint.Name: np.array(joint.PositionWorld) for joint, _, _ in root.layout()}
    return np.array([places[name] for name in NAMES])


def test_the_rate_of_the_source_is_kept_on_request():
    kept, thinned = load("sample:walk", target_fps=None), load("sample:walk")
    assert (kept.fps, kept.source_fps, thinned.fps) == (30.0, 30.0, 20.0)
    assert kept.frames == thinned.details["source_frames"]
    np.testing.assert_allclose(kept.joints[::3], thinned.joints[::2], atol=0.02)  # low-passed


@pytest.mark.parametrize("suffix", list(WRITERS))
@pytest.mark.parametrize("up", ["y", "z"])
def test_a_motion_comes_back(walk: Motion, suffix: str, up: str, tmp_path: Path):
    written = write_motion(walk, tmp_path / f"one{suffix}", up=up)
    back = load(written.path, target_fps=None, fps=30 if suffix == ".npy" else None)
    assert (back.frames, back.fps, back.dimensions) == (walk.frames, 30.0, 3)
    np.testing.assert_allclose(back.joints, walk.joints, atol=1e-3)
    assert f"{up} up, 30 frames/s" in written.notes[0]
    assert [path.name for path in tmp_path.iterdir()] == [f"one{suffix}"]


@pytest.mark.parametrize(
    ("suffix", "unit"),
    [(".bvh", "m"), (".bvh", "inch"), (".npz", "mm"), (".json", "cm"), (".csv", "mm"), (".trc", "m")],
)
def test_other_units_come_back(walk: Motion, suffix: str, unit: str, tmp_path: Path):
    written = write_motion(walk, tmp_path / f"one{suffix}", unit=unit)
    back = load(written.path, target_fps=None)
    np.testing.assert_allclose(back.joints, walk.joints, atol=1e-3)
    assert written.notes[0].startswith(f"{unit}, ")


def test_a_small_body_is_read_in_the_stated_unit(walk: Motion, tmp_path: Path):
    """A toy of 17 cm in mm would be taken for an adult in cm if its unit were guessed."""
    child = replace(walk, joints=walk.joints * np.float32(0.45))
    for suffix in (".json", ".npz", ".csv", ".trc"):
        written = write_motion(child, tmp_path / f"one{suffix}", unit="mm")
        np.testing.assert_allclose(load(written.path, target_fps=None).joints, child.joints, atol=1e-3)


@pytest.mark.parametrize("rigid", [False, True])
def test_another_reader_finds_every_joint_of_a_bvh(walk: Motion, rigid: bool, tmp_path: Path):
    path = write_motion(walk, tmp_path / "one.bvh", rigid=rigid).path
    for frame in (0, walk.frames // 2, walk.frames - 1):
        np.testing.assert_allclose(independent(path, frame) / 100, walk.joints[frame], atol=1e-3)


def test_bones_that_change_come_back_by_position_channels(loose: Motion, tmp_path: Path):
    written = write_motion(loose, tmp_path / "one.bvh")
    for frame in (0, 17, loose.frames - 1):
        np.testing.assert_allclose(independent(written.path, frame) / 100, loose.joints[frame], atol=1e-3)
    assert any("position channels on" in note for note in written.notes)
    rigid = write_motion(loose, tmp_path / "rigid.bvh", rigid=True)
    text = rigid.path.read_text()
    assert text.count("Xposition") == 1
    off = np.linalg.norm(load(rigid.path, target_fps=None).joints - loose.joints, axis=2).max()
    note = next(note for note in rigid.notes if "bone lengths are their mean" in note)
    assert f"up to {1000 * off:.0f} mm" in note and off > 0.01


@pytest.mark.parametrize("up", ["y", "z"])
def test_the_rest_pose_is_a_t_pose_of_the_persons_bones(walk: Motion, up: str, tmp_path: Path):
    root = bvhio.readAsBvh(str(write_motion(walk, tmp_path / "one.bvh", up=up).path)).Root
    offsets = {joint.Name: np.array(joint.Offset) for joint, _, _ in root.layout()}
    lengths = np.linalg.norm(walk.joints[0, 1:] - walk.joints[0, list(PARENTS[1:])], axis=1)
    for joint in range(1, 22):
        assert np.linalg.norm(offsets[NAMES[joint]]) == pytest.approx(100 * lengths[joint - 1], abs=0.1)
    vertical = "xyz".index(up)
    assert offsets["LeftForeArm"][0] > 20 and offsets["RightForeArm"][0] < -20  # arms stretched to the sides
    assert offsets["LeftLeg"][vertical] < -30 and offsets["RightFoot"][vertical] < -30  # legs down
    toe = offsets["LeftToe"][2] if up == "y" else -offsets["LeftToe"][1]
    assert toe > 5  # faces +Z, or -Y where Z is up
    assert offsets["Hips"].tolist() == [0, 0, 0]


def test_trc_has_the_header_that_opensim_reads(walk: Motion, tmp_path: Path):
    lines = write_motion(walk, tmp_path / "one.trc").path.read_text().split("\n")
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\tone.trc"
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    assert header == {
        **dict.fromkeys(("DataRate", "CameraRate", "OrigDataRate"), "30"),
        **dict.fromkeys(("NumFrames", "OrigNumFrames"), str(walk.frames)),
        **{"NumMarkers": "22", "Units": "mm", "OrigDataStartFrame": "1"},
    }
    assert [label for label in lines[3].split("\t") if label] == ["Frame#", "Time", *JOINT_NAMES]
    assert lines[4].split("\t")[2:5] == ["X1", "Y1", "Z1"] and lines[5] == ""
    row = [float(cell) for cell in lines[7].split("\t")]
    assert len(row) == 2 + 66 and row[:2] == [2, pytest.approx(1 / 30, abs=1e-6)]
    assert row[2:5] == pytest.approx((1000 * walk.joints[1, 0]).tolist(), abs=0.01)


def test_csv_names_every_column_with_its_unit(walk: Motion, tmp_path: Path):
    with write_motion(walk, tmp_path / "one.csv", unit="cm").path.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == walk.frames
    assert list(rows[0])[:4] == ["frame", "time_s", "pelvis_obliquity_deg", "trunk_flexion_deg"]
    assert float(rows[30]["time_s"]) == pytest.approx(1.0)
    assert float(rows[30]["left_knee_x_cm"]) == pytest.approx(100 * float(walk.joints[30, 4, 0]), abs=1e-3)
    knee = angle_series(walk.joints.astype(float))[30, ANGLES.index("left_knee_flexion")]
    assert float(rows[30]["left_knee_flexion_deg"]) == pytest.approx(knee, abs=0.01)


def test_unseen_joints_stay_unseen_where_the_format_can_say_so(walk: Motion, tmp_path: Path):
    confidence = np.ones(walk.joints.shape[:2], dtype=np.float32)
    confidence[5:9, 20] = 0.0
    motion = replace(walk, confidence=confidence)
    for suffix in (".json", ".npz", ".csv", ".trc"):
        back = load(write_motion(motion, tmp_path / f"one{suffix}").path, target_fps=None)
        assert back.confidence is not None and not back.seen[5:9, 20].any() and back.seen[9:, 20].all(), suffix
    for suffix in (".bvh", ".npy"):
        assert any("not seen" in note for note in write_motion(motion, tmp_path / f"one{suffix}").notes), suffix


@pytest.mark.parametrize("suffix", [".json", ".csv", ".npz"])
def test_a_picture_comes_back(suffix: str, tmp_path: Path):
    flat = load("sample:squats_coco17")
    back = load(write_motion(flat, tmp_path / f"one{suffix}").path)
    assert back.dimensions == 2 and back.frames == flat.frames
    np.testing.assert_allclose(back.joints[flat.seen], flat.joints[flat.seen], atol=5e-3)
    assert not any("fractions of an image" in note for note in back.notes)


def test_what_cannot_be_written_is_refused(walk: Motion, tmp_path: Path):
    flat = load("sample:squats_coco17")
    with pytest.raises(InputError, match=r"is 2D .* write .json"):
        write_motion(flat, tmp_path / "one.bvh")
    with pytest.raises(InputError, match=r"written as .bvh"):
        write_motion(walk, tmp_path / "one.fbx")
    with pytest.raises(InputError, match="folder that exists"):
        write_motion(walk, tmp_path / "none" / "one.bvh")
    with pytest.raises(InputError, match="up axis"):
        write_motion(walk, tmp_path / "one.bvh", up="q")
    with pytest.raises(InputError, match="cannot be stated"):
        write_motion(walk, tmp_path / "one.trc", unit="0.3")
    assert not list(tmp_path.iterdir())


def test_json_states_what_it_holds(walk: Motion, tmp_path: Path):
    record = json.loads(write_motion(walk, tmp_path / "one.json", unit="mm", up="z").path.read_text())
    assert {key: record[key] for key in ("format", "dimensions", "fps", "unit", "up")} == {
        **{"format": "humanml3d22", "dimensions": 3, "fps": 30.0, "unit": "mm", "up": "z"}
    }
    x, y, z = 1000 * walk.joints[3, 15].astype(float)
    assert record["frames"][3][15] == pytest.approx([x, -z, y], abs=1e-3)


def pose(**turned: tuple[int, float]) -> np.ndarray:
    """The T-pose [1, 22, 3] with bones turned about an axis: joint -> (axis, degrees), children moved along."""
    joints = T_POSE.astype(float).copy()
    for joint, (axis, degrees) in turned.items():
        start = JOINT_NAMES.index(joint)
        below = [start]
        below += [k for k in range(22) if PARENTS[k] in below and k not in below]
        for k in range(start, 22):
            if PARENTS[k] in below and k not in below:
                below.append(k)
        turn = axis_matrices(axis, np.radians(np.array([degrees])))[0]
        joints[below] = (joints[below] - joints[start]) @ turn.T + joints[start]
    return joints[None]


def angles_of(joints: np.ndarray) -> dict[str, float]:
    return dict(zip(ANGLES, angle_series(joints)[0].round(1).tolist(), strict=True))


def test_angles_of_known_poses():
    rest = angles_of(pose())
    for side in ("left", "right"):
        assert rest[f"{side}_shoulder_elevation"] == pytest.approx(90, abs=8)  # the trunk leans back a little
        assert rest[f"{side}_shoulder_plane_of_elevation"] == pytest.approx(0, abs=8)
        assert rest[f"{side}_elbow_flexion"] == pytest.approx(0, abs=0.5)
    assert rest["trunk_axial_rotation"] == rest["pelvis_obliquity"] == rest["trunk_lateral_bending"] == 0
    bent = angles_of(pose(left_hip=(0, -90.0), left_knee=(0, 90.0)))  # thigh level ahead, shank down again
    assert bent["left_hip_flexion"] - rest["left_hip_flexion"] == pytest.approx(90, abs=1)
    assert bent["left_knee_flexion"] == pytest.approx(90, abs=4) and bent["right_knee_flexion"] < 4
    aside = angles_of(pose(left_hip=(2, 30.0), right_hip=(2, 20.0)))  # both legs swing to the body's left
    assert aside["left_hip_adduction"] - rest["left_hip_adduction"] == pytest.approx(-30, abs=1)
    assert aside["right_hip_adduction"] - rest["right_hip_adduction"] == pytest.approx(20, abs=1)
    toes_up = angles_of(pose(right_ankle=(0, -20.0)))
    gain = toes_up["right_ankle_dorsiflexion"] - rest["right_ankle_dorsiflexion"]
    assert gain == pytest.approx(20, abs=1)
    forward = angles_of(pose(left_collar=(1, -90.0)))  # the left arm points ahead
    assert forward["left_shoulder_plane_of_elevation"] == pytest.approx(90, abs=8)
    turned = angles_of(pose(spine1=(1, 40.0)))
    assert turned["trunk_axial_rotation"] == pytest.approx(40, abs=3)
    leaning = angles_of(pose(pelvis=(0, 30.0)))
    assert leaning["trunk_flexion"] - rest["trunk_flexion"] == pytest.approx(30, abs=1)
    sideways = angles_of(pose(pelvis=(2, -25.0)))
    assert sideways["trunk_lateral_bending"] == pytest.approx(25, abs=1)
    assert sideways["pelvis_obliquity"] == pytest.approx(-25, abs=1)
    nod = angles_of(pose(neck=(0, 20.0)))
    assert nod["neck_flexion"] - rest["neck_flexion"] == pytest.approx(20, abs=1)
