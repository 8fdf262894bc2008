from __future__ import annotations

import json
from pathlib import Path

import bvhio
import numpy as np
import pytest
from mocap_files import LAFAN, bvh_text, standing_bvh, walk_like

from vimonet.motion import load, recording_info
from vimonet.motion.io import Content, bvh
from vimonet.motion.io.units_and_axes import CMU_UNIT
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.utils.errors import InputError


def oracle(path: Path, frames: list[int]) -> tuple[list[str], np.ndarray]:
    """World positions of all joints by bvhio, an independent implementation of the format."""
    hierarchy = bvhio.convertBvhToHierarchy(bvhio.readAsBvh(str(path)).Root)
    positions = []
    for frame in frames:
        hierarchy.loadPose(frame)
        positions.append([tuple(joint.PositionWorld) for joint, _, _ in hierarchy.layout()])
    return [joint.Name for joint, _, _ in hierarchy.layout()], np.array(positions)


def compare(path: Path, skip: tuple[str, ...] = ()) -> None:
    recording = bvh.read(Content(path, path.name), fps=31)  # a rate that keeps every frame
    total = recording.source_frames or 0
    dropped = total - len(recording.positions)
    frames = sorted({dropped, total // 2, total - 1})
    names, expected = oracle(path, frames)
    size = np.abs(expected).max()
    for index, joint in enumerate(names):
        if joint in skip:
            continue
        ours = recording.positions[[f - dropped for f in frames], recording.names.index(joint)]
        np.testing.assert_allclose(ours, expected[:, index], atol=2e-5 * size, err_msg=joint)


@pytest.mark.parametrize("folder", ["bvh_bnr", "bvh_poser", "bvh_cgspeed"])
def test_forward_kinematics_of_samples_equal_bvhio(shared: Path, folder: str) -> None:
    lower = {"Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase", "RightUpLeg", "RightFoot", "Spine", "Spine1"}
    for path in sorted((shared / "samples" / folder).glob("*.bvh")):
        names = oracle(path, [0])[0]
        # We put back the thorax that cgspeed lost, so only what hangs below it can agree.
        compare(path, tuple(n for n in names if n not in lower) if folder == "bvh_cgspeed" else ())


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_any_channel_order_and_position_channels(tmp_path: Path, order: str, everywhere: bool) -> None:
    rotations, root = walk_like(6, seed=len(order))
    path = tmp_path / "a.bvh"
    path.write_text(
        bvh_text(rotations, root, order=order, positions_everywhere=everywhere, reverse_children=everywhere)
    )
    compare(path)


def test_joint_order_does_not_matter() -> None:
    rotations, root = walk_like(10)
    one = load(bvh_text(rotations, root).encode())
    other = load(bvh_text(rotations, root, reverse_children=True).encode())
    np.testing.assert_allclose(one.joints, other.joints, atol=1e-5)


def test_samples_equal_the_reference_joints(shared: Path) -> None:
    for collection, folders, limit in (("cmu20", ("bvh_cgspeed", "bvh_poser"), 0.009), ("bnr20", ("bvh_bnr",), 0.03)):
        data = np.load(shared / "motion" / f"{collection}.npz")
        index = {e["id"]: e for e in json.loads((shared / "motion" / f"{collection}.index.json").read_text())}
        for path in [p for folder in folders for p in (shared / "samples" / folder).glob("*.bvh")]:
            entry = index[path.stem]
            reference = data["joints"][entry["start"] : entry["start"] + entry["frames"]] * float(data["scale"])
            motion = load(path)
            assert motion.frames == entry["frames"], path.name
            error = np.linalg.norm(motion.joints - reference, axis=2)
            limbs = [JOINT_NAMES.index(j) for j in JOINT_NAMES if "collar" not in j and j != "pelvis"]
            assert error[:, limbs].max() < limit, path.name
            assert error[:, limbs].mean() < 0.005, path.name


def test_sides_of_the_samples(shared: Path) -> None:
    folder = shared / "samples" / "bvh_bnr"

    def highest(name: str) -> tuple[float, float]:
        joints = load(folder / f"{name}.bvh").joints
        relative = joints[:, [20, 21], 1] - joints[:, [15], 1]
        return float(relative[:, 0].max()), float(relative[:, 1].max())

    left, right = highest("dataset-2_raise-up-right-hand_normal_001")
    assert right > 0.05 > -0.3 > left
    left, right = highest("dataset-2_wave-left-hand_normal_001")
    assert left > -0.1 > -0.3 > right
    joints = load(folder / "dataset-2_walk-turn-right_elderly_001.bvh").joints
    assert total_turn(joints) < -45, "walk-turn-right is clockwise seen from above"


def total_turn(joints: np.ndarray) -> float:
    """Degrees the hips turn, positive counter-clockwise from above (+Y towards the eye)."""
    left = joints[:, 1] - joints[:, 2]
    forward = np.stack([-left[:, 2], left[:, 0]], axis=1)  # left x up, as (x, z)
    heading = np.unwrap(np.arctan2(forward[:, 0], forward[:, 1]))
    return float(np.degrees(heading[-1] - heading[0]))


def test_everybody_walks_forward_not_backward(shared: Path) -> None:
    for stem in ("bvh_cgspeed/02_01", "bvh_cgspeed/07_01", "bvh_cgspeed/09_01", "bvh_poser/12_02"):
        joints = load(shared / "samples" / f"{stem}.bvh").joints
        left = joints[:, 1] - joints[:, 2]
        forward = np.stack([-left[:, 2], np.zeros(len(left)), left[:, 0]], axis=1)
        step = joints[-1, 0] - joints[0, 0]
        assert (forward.mean(0) @ step) / np.linalg.norm(forward.mean(0)) / np.linalg.norm(step) > 0.9, stem


@pytest.mark.parametrize(
    ("scale", "unit"), [(1, "m"), (100, "cm"), (1000, "mm"), (39.37, "inch"), (1 / CMU_UNIT, "cmu")]
)
def test_unit_is_detected(scale: float, unit: str) -> None:
    motion = load(standing_bvh(scale=scale).encode())
    assert motion.details["unit"] == f"{unit} (detected)"
    assert np.linalg.norm(motion.joints[0, 4] - motion.joints[0, 1]) == pytest.approx(0.41, abs=1e-3)


def test_unknown_unit_is_scaled_to_an_adult_and_said() -> None:
    motion = load(standing_bvh(scale=7e4).encode())
    assert any("unit unknown" in note for note in motion.notes)
    assert np.linalg.norm(motion.joints[0, 4] - motion.joints[0, 1]) == pytest.approx(0.41, abs=0.01)


def test_unit_and_up_may_be_given() -> None:
    data = standing_bvh(scale=100).encode()
    taller = load(data, unit=0.015).joints[0, 4, 1]
    assert taller == pytest.approx(1.5 * load(data, unit="cm").joints[0, 4, 1], rel=1e-4)
    tilted = load(data, up="z", unit="cm")
    assert tilted.joints[0, 15, 2] == pytest.approx(-load(data).joints[0, 15, 1], abs=1e-4)
    with pytest.raises(InputError, match="parsec"):
        load(data, unit="parsec")
    with pytest.raises(InputError, match="sky"):
        load(data, up="sky")


@pytest.mark.parametrize("axis", ["Z", "-Y", "X"])
def test_other_up_axes_are_turned_to_y(axis: str) -> None:
    turn = {  # from Y up to the axis
        "Z": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
        "-Y": np.diag([1, -1, -1]),
        "X": np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    }[axis]
    _, root = walk_like(8)
    still = np.zeros((8, 22, 3))
    expected = load(bvh_text(still, root).encode())
    motion = load(bvh_text(still, root, turn=turn.astype(float)).encode())
    assert motion.details["up"] == f"{axis} (detected)"
    np.testing.assert_allclose(motion.joints, expected.joints, atol=1e-4)


def test_lying_down_is_not_another_up_axis() -> None:
    rotations, root = np.zeros((20, 22, 3)), np.zeros((20, 3))
    rotations[:, 0] = [0, -90, 0]  # ZXY: about X, so that the head points to -Z
    root[:, 1] = 0.1
    motion = load(bvh_text(rotations, root).encode())
    assert motion.details["up"] == "Y (detected)"
    assert np.ptp(motion.joints[..., 1]) < 0.6


def test_left_handed_coordinates_are_turned_back() -> None:
    still, root = np.zeros((8, 22, 3)), walk_like(8)[1]
    mirrored = load(bvh_text(still, root, turn=np.diag([-1.0, 1, 1])).encode())
    assert any("left-handed" in note for note in mirrored.notes)
    np.testing.assert_allclose(mirrored.joints, load(bvh_text(still, root).encode()).joints, atol=1e-4)


def test_t_pose_first_frame_is_dropped_and_said() -> None:
    rotations, root = walk_like(13)
    arms = np.zeros((13, 22, 3))
    arms[:, 16, 0], arms[:, 17, 0] = -75, 75  # Z first: arms down
    moving = rotations * 0.2 + arms
    jumped = moving.copy()
    jumped[0] = 0
    motion = load(bvh_text(jumped, root, frame_time="0.0083333").encode())
    assert any("T-pose" in note for note in motion.notes)
    assert motion.frames == 2  # 12 frames at 120 left
    plain = load(bvh_text(moving[1:], root[1:], frame_time="0.0083333").encode())
    assert not any("T-pose" in note for note in plain.notes)
    np.testing.assert_allclose(motion.joints, plain.joints, atol=1e-5)
    held = moving.copy() * 0
    assert not load(bvh_text(held, root).encode()).notes, "a recording that stays in T-pose keeps its first frame"


def test_missing_toes_and_collars_are_completed_and_named() -> None:
    skip = ("left_foot", "right_foot")
    rotations, root = np.zeros((5, 22, 3)), walk_like(5)[1]
    text = bvh_text(rotations, root, skip=skip)
    facts = recording_info(text.encode())
    assert facts["joints_interpolated"] == ["left_foot", "right_foot"]
    assert any("left_foot" in note for note in facts["notes"])
    joints = load(text.encode()).joints
    whole = load(bvh_text(rotations, root).encode()).joints
    assert np.linalg.norm(joints[:, 10:12] - whole[:, 10:12], axis=2).max() < 0.05


def test_end_sites_serve_as_toes(shared: Path) -> None:
    facts = recording_info(shared / "samples" / "bvh_poser" / "13_11.bvh")
    assert "left_foot" in facts["joints_found"]


def test_describe_of_a_sample(shared: Path) -> None:
    facts = recording_info(shared / "samples" / "bvh_cgspeed" / "02_01.bvh")
    assert facts["format"] == "bvh"
    assert facts["skeleton"] == "cgspeed (CMU)"
    assert (facts["source_frames"], facts["source_fps"], facts["frames"]) == (344, 120, 58)
    assert facts["duration"] == pytest.approx(2.9)
    assert any("T-pose" in note for note in facts["notes"])
    json.dumps(facts)


def test_root_offset_is_not_added_twice() -> None:
    text = standing_bvh(4)
    raised = text.replace("OFFSET 0.000000 0.000000 0.000000", "OFFSET 0.000000 95.000000 0.000000", 1)
    np.testing.assert_allclose(load(raised.encode()).joints, load(text.encode()).joints, atol=1e-5)


def test_wrapped_lines_and_windows_line_ends() -> None:
    text = standing_bvh(4)
    head, block = text.split("Frame Time: 0.05\n")
    wrapped = head + "Frame Time: 0.05\n" + "\n".join(block.split()) + "\n"
    for variant in (text.replace("\n", "\r\n"), wrapped, text.replace("Frames: ", "Frames:\t"), "\ufeff" + text):
        np.testing.assert_allclose(load(variant.encode()).joints, load(text.encode()).joints, atol=1e-6)


BROKEN = {
    "zero frames": (lambda t: t[: t.index("Frames:")] + "Frames: 0\nFrame Time: 0.05\n", "empty"),
    "no numbers": (lambda t: t[: t.index("Frame Time")] + "Frame Time: 0.05\n", "empty"),
    "frames in words": (lambda t: t.replace("Frames: 8", "Frames: eight"), "eight"),
    "zero frame time": (lambda t: t.replace("0.05", "0", 1), "Frame Time"),
    "frame time in words": (lambda t: t.replace("Frame Time: 0.05", "Frame Time: fast"), "Frame Time is fast"),
    "truncated motion": (lambda t: t[:-40], "truncated"),
    "truncated hierarchy": (lambda t: t[: t.index("LeftArm")], "MOTION"),
    "broken hierarchy": (lambda t: t.replace("}", "", 1), "not closed"),
    "nan": (lambda t: _last_number(t, "nan"), "'nan'"),
    "inf": (lambda t: _last_number(t, "-inf"), "'-inf'"),
    "overflow": (lambda t: _last_number(t, "1e999"), "finite"),
    "word": (lambda t: _last_number(t, "1.2.3"), "'1.2.3'"),
    "no knee": (lambda t: _uneven(t.replace("LeftLeg", "Gadget")), "left knee"),
    "unknown skeleton": (lambda t: _uneven(_rename(t)), "left hip, right hip, left knee"),
    "unknown channel": (lambda t: t.replace("Xrotation", "Wrotation", 1), "Wrotation"),
    "offset in words": (lambda t: t.replace("OFFSET 0.000000", "OFFSET x", 1), "OFFSET"),
    "absurd channels": (lambda t: t.replace("CHANNELS 3", "CHANNELS 999999999", 1), "999999999"),
    "endless channels": (lambda t: t.replace("CHANNELS 3", "CHANNELS " + "9" * 5000, 1), "channels; expected 0 to 6"),
    "no extent": (lambda t: _collapse(t), "one place"),
}


def _last_number(text: str, word: str) -> str:
    return text.rstrip().rsplit(" ", 1)[0] + f" {word}\n"


def _uneven(text: str) -> str:
    """One shin is longer than the other by far: the shape tells no legs either."""
    return text.replace("OFFSET 0.000000 -41.000000", "OFFSET 0.000000 -141.000000", 1)


def _rename(text: str) -> str:
    for index, joint in enumerate(sorted(LAFAN, key=len, reverse=True)):
        text = text.replace(f"JOINT {joint}\n", f"JOINT bone{index}\n").replace(
            f"ROOT {joint}\n", f"ROOT bone{index}\n"
        )
    return text


def _collapse(text: str) -> str:
    lines = [" OFFSET 0 0 0" if line.strip().startswith("OFFSET") else line for line in text.splitlines()]
    return "\n".join(lines)


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_get_one_sentence(case: str, tmp_path: Path) -> None:
    damage, message = BROKEN[case]
    path = tmp_path / "broken.bvh"
    path.write_text(damage(standing_bvh(8)))
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("broken.bvh")
