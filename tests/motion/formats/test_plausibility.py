"""What no body does is repaired, noted or refused, and `inspect` says how healthy a recording is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from mocap_files import bvh_text, walk_like
from test_body_score import walker

from vimonet.cli import main
from vimonet.motion import JOINT_NAMES, Motion, load
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.skeleton import T_POSE
from vimonet.utils.errors import InputError

J = {name: index for index, name in enumerate(JOINT_NAMES)}


def noted(motion: Motion, words: str) -> bool:
    return any(words in note for note in motion.notes)


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


# Padding


@pytest.mark.parametrize(("before", "after"), [(0, 20), (3, 0), (2, 20)])
@pytest.mark.parametrize("filling", [0.0, np.nan])
def test_frames_of_zeros_are_dropped_from_both_ends(before: int, after: int, filling: float) -> None:
    joints = walker()
    padded = np.concatenate([np.full((before, 22, 3), filling), joints, np.full((after, 22, 3), filling)])
    motion = load(padded, fps=20)
    np.testing.assert_allclose(motion.joints, joints, atol=1e-5)
    assert noted(motion, f"{before + after} frames of padding dropped")


def test_features_of_zeros_are_dropped_from_the_end() -> None:
    from vimonet.motion.features.humanml3d_features import humanml3d_features

    features = humanml3d_features(walker(60))
    padded = np.concatenate([features, np.zeros((136, 263))])
    motion = load(padded)
    np.testing.assert_allclose(motion.joints, load(features).joints, atol=1e-5)
    assert noted(motion, "136 frames of padding dropped")


def test_frames_of_zeros_in_between_are_interpolated() -> None:
    joints = walker()
    holed = joints.copy()
    holed[10:13] = 0
    motion = load(holed, fps=20)
    np.testing.assert_allclose(motion.joints, joints, atol=0.08)
    assert noted(motion, "3 frames without a body interpolated")


def test_rows_of_zeros_that_fill_up_a_bvh_are_dropped() -> None:
    rotations, root = walk_like(30)
    root[:, 2] += 2
    plain = load(bvh_text(rotations, root).encode())
    rotations[20:], root[20:] = 0, 0
    motion = load(bvh_text(rotations, root).encode())
    np.testing.assert_allclose(motion.joints, plain.joints[:20], atol=1e-5)
    assert noted(motion, "10 frames of padding dropped")


def test_parameters_of_zeros_that_fill_up_an_npz_are_dropped() -> None:
    poses, trans = np.zeros((40, 66)), np.zeros((40, 3))
    poses[:, 0] = np.pi / 2  # Z up
    trans[:, 1], trans[:, 2] = -0.05 * np.arange(40) - 1, 0.93
    poses[30:], trans[30:] = 0, 0
    motion = load(npz(poses=poses, trans=trans, mocap_framerate=20.0))
    assert motion.frames == 30
    assert noted(motion, "10 frames of padding dropped")


def test_a_frozen_end_is_noted_and_a_still_recording_is_not() -> None:
    joints = walker()
    frozen = np.concatenate([joints, np.repeat(joints[-1:], 30, axis=0)])
    assert noted(load(frozen, fps=20), "the last 1.6 s repeat one frame")
    assert not noted(load(np.repeat(joints[:1], 30, axis=0), fps=20), "repeat one frame")


# Places and speeds


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((100_000.0, 0.0, 0.0), "100 km from the origin"),
        ((0.0, 95.0, 0.0), "m above or below the floor"),
        ((100.0, 0.0, 0.0), "100 m in one frame"),
    ],
)
def test_what_cannot_be_true_is_refused_with_the_number(place: tuple[float, ...], words: str) -> None:
    joints = walker()
    joints[20] += place
    with pytest.raises(InputError, match=words) as caught:
        load(joints, fps=20, name="walk.npy")
    assert str(caught.value).startswith("walk.npy")
    assert "\n" not in str(caught.value)


def test_a_body_far_off_in_every_frame_is_refused_too() -> None:
    with pytest.raises(InputError, match="97 m above or below the floor"):
        load(walker() + np.array([0, 95, 0]), fps=20)


def test_a_jump_is_noted_with_its_time() -> None:
    joints = walker()
    joints[20:, :, 0] += 2.3
    motion = load(joints, fps=20)
    assert noted(motion, "jumps within one frame: 2.3 m at 1.0 s")
    assert "jumps: 1 (2.3 m at 1.0 s)" in motion.details["health"]


def test_a_rate_that_makes_people_run_too_fast_is_noted() -> None:
    slow = load(walker(80), fps=20)
    assert not noted(slow, "faster than anyone runs")
    assert "fastest second: 1.0 m/s" in slow.details["health"]
    fast = load(walker(400), fps=400)
    assert noted(fast, "the body moves at 20 m/s, faster than anyone runs: the rate of 400 frames/s is probably wrong")


def test_a_body_in_the_air_for_longer_than_a_jump_is_noted() -> None:
    joints = walker(80)
    up = np.clip(np.minimum(np.arange(80) - 20, 80 - np.arange(80)) / 10, 0, 1)
    joints[..., 1] += 2 * up[:, None]
    motion = load(joints, fps=20, up="y")
    assert noted(motion, "off the floor from 1.1 to 3.9 s, 2.0 m above it")
    jump = walker(80)
    jump[30:42, :, 1] += 0.6
    assert not noted(load(jump, fps=20), "off the floor from")


def test_a_lost_joint_at_the_origin_is_interpolated() -> None:
    joints = walker()
    lost = joints.copy()
    lost[12:16, J["left_wrist"]] = 0
    motion = load(lost, fps=20)
    np.testing.assert_allclose(motion.joints, joints, atol=0.12)
    assert noted(motion, "at 0, 0, 0 interpolated: left wrist 4")
    centred = load(joints - joints[:, :1], fps=20)
    assert not noted(centred, "0, 0, 0"), "the pelvis may be there"


@pytest.mark.parametrize(("metres", "refused"), [(4.0, False), (40.0, True)])
def test_a_torn_body_is_noted_or_refused(metres: float, refused: bool) -> None:
    joints = walker()
    joints[20, J["right_wrist"], 0] += metres
    if refused:
        with pytest.raises(InputError, match="the right wrist is 40 m from the pelvis in frame 21"):
            load(joints, fps=20)
    else:
        assert noted(load(joints, fps=20), "more than 2.5 m from the pelvis in 1 frames: right wrist")


def test_a_body_that_lies_in_the_air_is_noted() -> None:
    rotations, root = walk_like(20, degrees=10)
    rotations[:, 0] = [0, 90, 0]  # ZXY: about X; the place of the root is left as it was
    root[:, 2] += 5
    assert noted(load(bvh_text(rotations, root).encode()), "lies throughout")


# Units


@pytest.mark.parametrize(
    ("unit", "leg", "other"),
    [(0.1, 0.79, "cmu"), (0.0254 / 0.45, 0.96, "inch"), (0.01, 0.82, None), (0.01, 0.5, None), (0.3048, 0.8, None)],
)
def test_an_adult_comes_before_a_child(unit: float, leg: float, other: str | None) -> None:
    still = np.zeros((8, 22, 3))
    data = bvh_text(still, walk_like(8)[1] * leg / 0.82, scale=leg / 0.82 / unit)
    motion = load(data.encode())
    joints = motion.joints
    length = np.linalg.norm(joints[0, 4] - joints[0, 1]) + np.linalg.norm(joints[0, 7] - joints[0, 4])
    assert length == pytest.approx(leg, abs=0.01)
    assert noted(motion, "unit ambiguous") is (other is not None)
    assert other is None or noted(motion, f", {other} one of")


# Up


def smpl(up: str, turns: bool = False) -> bytes:
    """SMPL parameters of a body that walks 2 m along +Z (Y up) or along -Y (Z up)."""
    poses, trans = np.zeros((40, 66)), np.zeros((40, 3))
    path = 0.05 * np.arange(40)
    if up == "Y":
        trans[:, 1], trans[:, 2] = 0.93, path
    else:
        poses[:, 0] = np.pi / 2
        trans[:, 2], trans[:, 1] = 0.93, -path
    return npz(poses=poses, trans=trans, mocap_framerate=20.0)


def test_smpl_parameters_with_either_axis_up() -> None:
    for up in ("Y", "Z"):
        motion = load(smpl(up))
        np.testing.assert_allclose(motion.joints[-1, 0], [0, 0.93, 1.95], atol=0.01)
        assert motion.joints[0, J["head"], 1] > 1.4
        assert noted(motion, "Y is up") is (up == "Y")


def test_smpl_parameters_of_a_camera_with_y_down() -> None:
    poses, trans = np.zeros((40, 66)), np.zeros((40, 3))
    poses[:, 0] = np.pi
    trans[:, 2] = 4 + 0.05 * np.arange(40)
    motion = load(npz(poses=poses, trans=trans, mocap_framerate=20.0))
    assert motion.details["up"].startswith("-Y")
    assert (motion.joints[:, J["head"], 1] > motion.joints[:, 0, 1] + 0.5).all()


def test_a_body_that_lies_in_amass_still_lies() -> None:
    poses, trans = np.zeros((40, 66)), np.zeros((40, 3))
    trans[:, 2], trans[:, 1] = 0.12, 3.0  # on the back, head along +Y
    motion = load(npz(poses=poses, trans=trans, mocap_framerate=20.0))
    assert motion.details["up"].startswith("Z")
    assert np.ptp(motion.joints[..., 1]) < 0.6


@pytest.mark.parametrize("degrees", [(180, 0), (0, 180)])
def test_a_root_turned_upside_down_is_turned_back_and_said(degrees: tuple[int, int]) -> None:
    rotations, root = walk_like(20, degrees=10)
    rotations[:, 0] = 0
    plain = load(bvh_text(rotations, root).encode())
    turn = np.diag([1.0, -1, -1]) if degrees[0] else np.diag([-1.0, -1, 1])
    rotations[:, 0, 1 if degrees[0] else 0] = 180
    motion = load(bvh_text(rotations, root @ turn.T).encode())
    assert noted(motion, "the root is turned: the body stands along -Y, its rest pose along Y")
    np.testing.assert_allclose(motion.joints[..., 1], plain.joints[..., 1], atol=1e-4)
    moved = np.linalg.norm(motion.joints[-1, 0] - motion.joints[0, 0])
    assert moved == pytest.approx(np.linalg.norm(plain.joints[-1, 0] - plain.joints[0, 0]), abs=1e-4)


@pytest.mark.parametrize("degrees", [90, -90])
def test_a_tipped_root_is_turned_back(degrees: int) -> None:
    rotations, root = walk_like(20, degrees=10)
    rotations[:, 0] = 0
    plain = load(bvh_text(rotations, root).encode())
    cosine, sine = 0.0, float(np.sign(degrees))
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    rotations[:, 0, 1] = degrees
    path = root + np.array([0, 0, 3])  # away from the origin, so that it does not lie on a floor
    motion = load(bvh_text(rotations, path @ turn.T).encode())
    np.testing.assert_allclose(motion.joints[..., 1], plain.joints[..., 1], atol=1e-3)
    assert noted(motion, "the root is turned")


def test_a_handstand_stays_one_and_is_said() -> None:
    joints = walker()
    joints[..., 2] = 0.3 * joints[..., 2]
    joints[..., 1] = 1.75 - joints[..., 1]
    joints[..., 0] *= -1
    joints[..., 1] -= joints[..., 1].min()
    for data in (joints, joints * 100):
        motion = load(data, fps=20)
        assert (motion.joints[:, J["head"], 1] < motion.joints[:, 0, 1]).all()
        assert noted(motion, "upside down throughout")


def test_a_body_held_at_the_origin_stands_on_the_floor() -> None:
    joints = walker()
    centred = joints - joints[:, :1]
    for data in (centred, centred * [1, -1, -1]):  # also of a camera, y down
        motion = load(data, fps=20)
        assert motion.joints[:, 0, 1].min() > 0.85
        np.testing.assert_allclose(motion.joints[..., 1].min(axis=1), 0, atol=1e-5)
        assert noted(motion, "hip-centred")
    assert load(centred[:, [J[n] for n in ("pelvis", "left_hip")] + list(range(2, 22))], fps=20).frames == 40


# Calibration poses and health


@pytest.mark.parametrize(("angle", "pose"), [(0.0, "T-pose"), (45.0, "A-pose"), (75.0, None)])
def test_a_pose_held_before_the_movement_is_noted(angle: float, pose: str | None) -> None:
    still = np.zeros((20, 22, 3))
    still[:, 16, 0], still[:, 17, 0] = -angle, angle
    rotations, root = walk_like(40)
    rotations[:, 16:18] += [[-75, 0, 0], [75, 0, 0]]
    root -= root[0] * [1, 0, 1]
    data = bvh_text(np.concatenate([still, rotations]), np.concatenate([np.repeat(root[:1], 20, axis=0), root]))
    motion = load(data.encode())
    assert noted(motion, f"begins with a {pose} held for 1.0 s" if pose else "begins with") is (pose is not None)


def test_inspect_prints_the_health(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "walk.npy"
    np.save(file, np.concatenate([walker(), np.zeros((5, 22, 3))]))
    assert main(["inspect", str(file), "--fps", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    section = lines[lines.index("health") + 1 : lines.index("measured")]
    assert section[0] == "  bone lengths vary by 0.0 %, left and right differ by 0.0 %"
    assert "  jumps: none" in section
    assert any("5 frames of padding dropped" in line for line in lines)


def test_health_of_keypoints_names_what_is_never_seen() -> None:
    points = np.zeros((20, 17, 3))
    names = LAYOUTS["coco17"]
    for index, name in enumerate(names):
        joint = T_POSE[J[name]] if name in J else T_POSE[J["head"]]
        points[:, index] = [320 + 100 * joint[0], 240 - 100 * joint[1], 0.9]
    points[:, names.index("left_wrist")] = 0
    [line] = load(points, fps=20).details["health"]
    assert line.startswith("joints seen in ")
    assert "left wrist" in line


# Recordings as people have them


def check_walk(motion: Motion, seconds: float, metres: float, leg: float = 0.79) -> None:
    joints = motion.joints
    length = np.linalg.norm(joints[0, 4] - joints[0, 1]) + np.linalg.norm(joints[0, 7] - joints[0, 4])
    assert length == pytest.approx(leg, abs=0.01)
    assert motion.duration == pytest.approx(seconds, abs=0.06)
    assert joints[-1, 0, 2] - joints[0, 0, 2] == pytest.approx(metres, abs=0.1)
    assert (joints[:, J["head"], 1] > joints[:, 0, 1]).all()


@pytest.mark.parametrize(
    ("pattern", "seconds", "metres", "leg", "note"),
    [
        ("06-*/padded.npy", 6.0, 3.5, 0.79, "76 frames of padding dropped"),
        ("09-*/a_dm.bvh", 2.0, 1.74, 0.79, "unit ambiguous"),
        ("10-*/yup.npz", 2.0, 1.95, 0.82, "Y is up"),
        ("12-*/walk.bvh", 4.35, 3.8, 0.79, "the root is turned"),
        ("24-*/a_hold.bvh", 3.0, 1.74, 0.79, "begins with a T-pose held for 1.0 s"),
    ],
)
def test_cases(pattern: str, seconds: float, metres: float, leg: float, note: str, shared: Path) -> None:
    [file] = (shared.parent / "cases").glob(pattern)
    motion = load(file)
    check_walk(motion, seconds, metres, leg)
    assert noted(motion, note)
