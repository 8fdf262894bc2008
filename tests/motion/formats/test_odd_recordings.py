"""Recordings that were once read silently wrong: odd orders of points, flat lists, fillings, axes, and pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mocap_files import dump
from test_body_score import arranged, walker
from test_recording_kinds import LIMBS, clip, noted, same, written  # noqa: F401

from vimonet.motion import JOINT_NAMES, load
from vimonet.motion.io.units_and_axes import _UP_ROTATIONS, correct_up, detect_up
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS, forward_kinematics, rotation_vectors
from vimonet.utils.errors import InputError

J = {name: index for index, name in enumerate(JOINT_NAMES)}
FORE = [J[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "ankle", "shoulder", "elbow")]


# Orders of points


@pytest.mark.parametrize(
    "layout",
    *[["mpii16", "h36m16", "lsp14", "crowdpose14", "aic14", "nite15", "jhmdb15", "panoptic15", "panoptic19"]],
)
def test_orders_of_pose_data_sets_are_told_by_the_body(layout: str) -> None:
    joints = walker()
    motion = load(arranged(joints, layout) * 1000, fps=20)
    same(motion, load(arranged(joints, layout), fps=20, format=layout).joints, LIMBS)
    same(motion, joints, FORE, within=0.06)
    flat = load(arranged(joints, layout)[..., :2] * [300, -300] + [960, 900], fps=20)
    assert flat.dimensions == 2 and flat.source == layout


@pytest.mark.parametrize("layout", ["mujoco52", "smplh52", "smplx55", "xsens23"])
def test_orders_of_bodies_with_fingers_or_sensors(layout: str) -> None:
    joints = walker()
    same(load(arranged(joints, layout) * 100, fps=20), joints, FORE)


@pytest.mark.parametrize("count", [13, 18, 23, 26, 52, 55, 133])
def test_an_order_of_a_number_with_one_layout_is_looked_at_too(count: int) -> None:
    points = walker()[:, ::-1]
    points = np.concatenate([points] * 7, axis=1)[:, :count]
    with pytest.raises(InputError, match=r"form no body|whose first 17 form a body"):
        load(points, fps=20)


def test_points_of_which_too_little_is_seen_are_refused() -> None:
    points = arranged(walker(), "mpii16")[..., :2] * [300, -300] + [960, 900]
    points[:, 2:14] = 0
    with pytest.raises(InputError, match="too little of the body is seen to tell the order of 16 points"):
        load(points, fps=20)


# Flat lists of JSON


@pytest.mark.parametrize("layout", ["humanml3d22", "smpl24", "lafan22", "mediapipe33", "h36m17", "kinect20", "mpii16"])
def test_flat_lists_are_cut_into_points_by_the_body(clip: np.ndarray, layout: str) -> None:  # noqa: F811
    points = arranged(clip, layout) + np.array([3, 0, 0])
    flat = [frame.reshape(-1).tolist() for frame in points]
    truth = load(dump({"fps": 20, "names": LAYOUTS[layout], "frames": points.tolist()}))
    for value in (flat, [{"keypoints": frame} for frame in flat]):
        motion = load(dump({"fps": 20, "frames": value}))
        same(motion, truth.joints, LIMBS)


def test_flat_lists_of_66_numbers_may_be_33_points_of_a_picture(clip: np.ndarray) -> None:  # noqa: F811
    pixels = arranged(clip, "mediapipe33")[..., :2] * [250, -250] + [960, 900]
    motion = load(dump({"fps": 20, "frames": [frame.reshape(-1).tolist() for frame in pixels]}))
    assert motion.source == "mediapipe33" and motion.dimensions == 2
    np.testing.assert_allclose(motion.joints, load(pixels, fps=20).joints, atol=1e-4)


@pytest.mark.parametrize("key", ["joints", "positions", "keypoints3d"])
def test_an_array_under_its_key_is_frames_not_people(clip: np.ndarray, key: str) -> None:  # noqa: F811
    motion = load(dump({"fps": 20, key: clip.tolist()}))
    same(motion, clip)
    assert not noted(motion, "people")


# Padding


@pytest.mark.parametrize("layout", ["coco17", "h36m17", "mediapipe33", "humanml3d22", "lafan22"])
@pytest.mark.parametrize("filling", ["zeros", "nearly zeros", "pelvis kept"])
def test_padding_is_dropped_whatever_the_layout(layout: str, filling: str) -> None:
    points = arranged(walker(), layout)
    end = np.zeros((60, *points.shape[1:]))
    if filling != "zeros" and layout not in ("humanml3d22", "lafan22"):
        pytest.skip("keypoints are padded with zeros")
    if filling == "nearly zeros":
        end += np.random.default_rng(0).normal(0, 1e-5, end.shape)
    if filling == "pelvis kept":
        end[:, 0] = points[-1, 0]
    motion = load(np.concatenate([points, end]), fps=20)
    assert motion.frames == len(points) and noted(motion, "60 frames of padding dropped")
    np.testing.assert_allclose(motion.joints, load(points, fps=20).joints, atol=1e-5)


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def smpl(frames: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    poses = np.random.default_rng(seed).uniform(-0.1, 0.1, (1, 66)) + np.zeros((frames, 1))
    poses[:, J["left_shoulder"] * 3 + 2], poses[:, J["right_shoulder"] * 3 + 2] = -1.3, 1.3
    return poses, np.stack([np.zeros(frames), np.full(frames, 0.95), 0.05 * np.arange(frames)], axis=1)


@pytest.mark.parametrize(
    "keys", [("poses", "trans"), ("root_orient", "pose_body", "trans"), ("smpl_poses", "smpl_trans")]
)
def test_padded_rotations_are_dropped_where_the_translation_goes_on(keys: tuple[str, ...]) -> None:
    poses, trans = smpl(60)
    poses[40:] = 0
    parts = [poses[:, :3], poses[:, 3:]] if len(keys) == 3 else [np.pad(poses, ((0, 0), (0, 6)))]
    motion = load(npz(**dict(zip(keys, [*parts, trans], strict=True)), fps=20))
    assert motion.frames == 40 and noted(motion, "20 frames of padding dropped from the end")


@pytest.mark.parametrize("keys", [("poses", "trans"), ("smpl_poses", "smpl_trans")])
def test_rotations_in_degrees_are_refused(keys: tuple[str, str]) -> None:
    poses, trans = smpl(40)
    with pytest.raises(InputError, match="are degrees; axis-angle values must be radians"):
        load(npz(**{keys[0]: np.degrees(np.pad(poses, ((0, 0), (0, 6)))), keys[1]: trans}, fps=20))


# The axis that is up, of bodies that do not stand


def crawler(frames: int = 60) -> np.ndarray:
    """[T, 22, 3] metres, Y up: on hands and knees along +X, .6 m/s."""
    angles = np.zeros((frames, 22, 3))
    angles[:, 0] = [1.5, 0, 0]  # the trunk lies level
    swing = 0.3 * np.sin(2 * np.pi * np.arange(frames) / 20)
    for side, sign in (("left", 1), ("right", -1)):
        angles[:, J[f"{side}_hip"], 0] = -1.5 + sign * swing
        angles[:, J[f"{side}_knee"], 0] = 1.5 - sign * swing
        angles[:, J[f"{side}_shoulder"], 1] = -sign * 1.4
    local = np.broadcast_to(CANONICAL_OFFSETS.astype(float), (frames, 22, 3)).copy()
    local[:, 0] = 0.0
    joints = forward_kinematics(PARENTS, local, list(np.moveaxis(rotation_vectors(angles), 1, 0)))
    joints[..., 1] -= joints[..., 1].min(axis=1, keepdims=True)
    joints[..., 2] += 0.03 * np.arange(frames)[:, None]
    return joints @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]).T


def up_and_down(frames: int = 80) -> np.ndarray:
    """[T, 22, 3] metres, Y up: lies on the back, stands up, and falls on the face."""
    joints = walker(frames)
    joints[..., 2] -= joints[:, :1, 2]
    lies = np.clip((frames / 2 - np.arange(frames)) / 20, -1, 1) * np.pi / 2
    cosine, sine = np.cos(lies)[:, None], np.sin(lies)[:, None]
    y, z = joints[..., 1], joints[..., 2]
    joints = np.stack([joints[..., 0], cosine * y + sine * z, cosine * z - sine * y], axis=2)
    joints[..., 1] -= joints[..., 1].min(axis=1, keepdims=True)
    return joints


@pytest.mark.parametrize("axis", ["Z", "-Y"])
def test_a_body_that_gets_up_and_falls_is_turned_by_the_floor(axis: str) -> None:
    joints = up_and_down()
    turned = (joints @ np.array(_UP_ROTATIONS[axis])).astype(np.float32)
    found, note = detect_up(turned, None, None)
    assert found == axis and note is not None and note.startswith(f"{axis} is up by the floor")
    assert detect_up(joints.astype(np.float32), None, None) == ("Y", None)


def test_a_body_that_crawls_along_the_vertical_is_doubted() -> None:
    joints = crawler().astype(np.float32)
    assert detect_up(joints, None, None) == ("Y", None)
    for heading in (0.0, 0.5, 1.0, 1.5):  # turned over the ground, in half turns
        c, s = np.cos(np.pi * heading), np.sin(np.pi * heading)
        turned = joints @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T @ np.array(_UP_ROTATIONS["Z"])
        found, note = detect_up(turned.astype(np.float32), None, None)
        assert found == "Z" or (note is not None and "along Z: --up=z if the body crawls" in note)
    back = joints @ np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]])  # along -Z, which nobody climbs head first
    assert correct_up(back, "Z")[0] == "Y"
    found, note = correct_up(back * [-1, 1, -1], "Z")
    assert (found, note) == ("Z", "no floor along Z, but along Y: --up=y if the body crawls or lies there")


def test_a_body_that_is_held_at_the_origin_has_no_floor_that_tells() -> None:
    joints = up_and_down().astype(np.float32)
    turned = (joints - joints[:, :1]) @ np.array(_UP_ROTATIONS["Z"], dtype=np.float32)
    note = detect_up(turned, None, None)[1] or ""
    assert "no floor along" not in note and "hip-centred joints have no floor" in note


# Pictures


@pytest.mark.parametrize("layout", ["coco17", "body25", "kinect25", "humanml3d22", "mediapipe33"])
@pytest.mark.parametrize("depth", [0.0, 1.0], ids=["no depth", "metres"])
def test_pixels_with_a_depth_in_metres_are_a_picture(clip: np.ndarray, layout: str, depth: float) -> None:  # noqa: F811
    points = arranged(clip, layout)
    points = (points - points[:, :1, :] * [0, 0, 1]) * [250, -250, depth] + [960, 900, 0]
    motion = load(points, fps=20)
    assert motion.dimensions == 2 and motion.source == layout
    np.testing.assert_allclose(motion.joints, load(points[..., :2], fps=20).joints, atol=1e-4)
    assert noted(motion, "z is no depth in the unit of x and y") == bool(depth)


@pytest.mark.parametrize("layout", ["coco17", "h36m17", "kinect25", "mediapipe33"])
def test_metres_of_a_body_that_faces_z_are_no_confidences(layout: str) -> None:
    joints = walker()
    joints[..., 2] -= 0.05 * np.arange(len(joints))[:, None] - 0.55  # on the spot, all z between 0 and 1
    points = arranged(joints, layout)
    assert 0 < points[..., 2].min() < points[..., 2].max() < 1
    same(load(points, fps=20), joints, FORE)


def test_landmarks_in_metres_whose_hips_are_at_the_origin_of_z_are_no_picture(clip: np.ndarray) -> None:  # noqa: F811
    joints = clip - (clip[:, [1]] + clip[:, [2]]) / 2 * [0, 0, 1]
    same(load(arranged(joints, "mediapipe33"), fps=20), joints, FORE)


# Rates


@pytest.mark.parametrize("time", ["8.333", "30", "1"])
def test_a_frame_time_in_milliseconds_or_frames_is_refused(clip: np.ndarray, time: str) -> None:  # noqa: F811
    text = written(clip).replace("Frame Time: 0.0500000", f"Frame Time: {time}")
    with pytest.raises(InputError, match=f"Frame Time is {time}; expected seconds"):
        load(text.encode())
    same(load(text.encode(), fps=20), clip)


# People and formats


def test_an_array_of_several_people_is_refused_as_such(clip: np.ndarray) -> None:  # noqa: F811
    with pytest.raises(InputError, match=r"as of several people; save one of them, array\[0\] if .* array\[:, 0\] if"):
        load(np.stack([clip, clip]), fps=20)
    same(load(clip[None], fps=20), clip)


@pytest.mark.parametrize(
    ("name", "data", "kind", "way_out"),
    [
        ("a.vmd", b"Vocaloid Motion Data 0002\0", "MikuMikuDance", "add-on MMD Tools"),
        ("a.htr", b"[Header]\nFileType htr\n", "Motion Analysis", "from Cortex as .trc"),
        ("a.trb", b"\1\2\3", "Motion Analysis", "from Cortex as .trc"),
        ("a.tak", b"\1\2\3", "OptiTrack", "Motive"),
        ("a.abc", b"Ogawa\xff\0\0", "Alembic.* no skeleton", "export the skeleton there as .bvh or .glb"),
        ("a.anim", b"%YAML 1.1\n%TAG !u! tag:unity3d.com,2011:\n", "Unity", "as FBX, then import that FBX in Blender"),
        ("a.uasset", b"\xc1\x83\x2a\x9e", "Unreal", "as FBX, then import that FBX in Blender"),
        ("a.usda", b"#usda 1.0\n", "USD", "Universal Scene Description"),
        ("a.mat", b"MATLAB 5.0 MAT-file", "MATLAB", r"numpy\.savez"),
    ],
)
def test_formats_of_animation_programs_are_named(
    tmp_path: Path, name: str, data: bytes, kind: str, way_out: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=f"it is [^;]*{kind}[^;]*; .*{way_out}"):
        load(tmp_path / name)
