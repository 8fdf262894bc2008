"""Points without names are read by the body they form."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from mocap_files import person_2d

from vimonet.motion import JOINT_NAMES, Motion, load
from vimonet.motion.io.body_score import candidates, choose_layout, fit
from vimonet.motion.joint_names import LAYOUTS, map_joints
from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS, forward_kinematics, rotation_vectors
from vimonet.utils.errors import InputError

J = {name: index for index, name in enumerate(JOINT_NAMES)}
AMBIGUOUS = ("coco17", "h36m17", "mpi17", "humanml3d22", "lafan22", "smpl24", "mujoco24", "body25", "kinect25")


def walker(frames: int = 40, seed: int = 0) -> np.ndarray:
    """[T, 22, 3] metres, Y up: limbs of constant lengths that swing, 1 m/s along +Z."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-0.1, 0.1, (22, 3)) + np.zeros((frames, 1, 1))
    swing = 0.5 * np.sin(2 * np.pi * np.arange(frames) / 20)
    for joint, sign in ((1, 1), (2, -1), (16, -1), (17, 1)):
        angles[:, joint, 0] = sign * swing
    angles[:, 4, 0] = angles[:, 5, 0] = 0.3
    angles[:, 16, 2], angles[:, 17, 2] = -1.3, 1.3  # arms down
    local = np.broadcast_to(CANONICAL_OFFSETS.astype(float), (frames, 22, 3)).copy()
    local[:, 0] = np.stack([np.zeros(frames), np.full(frames, 0.93), 0.05 * np.arange(frames)], axis=1)
    return forward_kinematics(PARENTS, local, list(np.moveaxis(rotation_vectors(angles), 1, 0)))


def arranged(joints: np.ndarray, layout: str) -> np.ndarray:
    """Give the joints [T, 22, 3] in the order of a layout; points that the 22 lack lie near theirs."""
    names = LAYOUTS[layout]
    mapped = {index: joint for joint, index in map_joints(names).items()}
    up = joints[:, J["head"]] - joints[:, J["neck"]]
    left = 0.2 * (joints[:, J["left_shoulder"]] - joints[:, J["right_shoulder"]])
    out = np.empty((len(joints), len(names), 3))
    for index, name in enumerate(names):
        side = "left" if name.startswith("left") else "right"
        joint = mapped.get(index, name)
        if joint in J:
            out[:, index] = joints[:, J[joint]]
        elif any(part in name for part in ("hand", "thumb", "toe", "heel")):
            out[:, index] = joints[:, J[f"{side}_wrist" if "h" in name[-5:-3] or "thumb" in name else f"{side}_foot"]]
        elif any(part in name for part in ("eye", "ear", "nose", "head")):
            aside = {"left": 1, "right": -1}.get(name.split("_")[0], 0) * (1.0 if "ear" in name else 0.4)
            out[:, index] = joints[:, J["head"]] + 0.5 * up + aside * left
        else:
            out[:, index] = joints[:, J["spine3"]]
    return out


def check(motion: Motion, joints: np.ndarray) -> None:
    limbs = [J[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "ankle", "elbow", "wrist")]
    assert motion.dimensions == 3
    np.testing.assert_allclose(motion.joints[:, limbs], joints[:, limbs], atol=0.02)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
@pytest.mark.parametrize("layout", AMBIGUOUS)
def test_the_layout_is_found_in_the_body(layout: str, scale: float) -> None:
    joints = walker()
    motion = load(arranged(joints, layout) * scale, fps=20)
    check(motion, joints)
    [note] = [note for note in motion.notes if note.startswith("layout ")]
    others = [other for other in candidates(len(LAYOUTS[layout])) if other != layout]
    assert note.startswith(f"layout {layout} by the shape of the body")
    assert any(other in note for other in others), "the runner-up is named"


@pytest.mark.parametrize("turn", [0.0, 45.0, 90.0])
@pytest.mark.parametrize("layout", AMBIGUOUS)
def test_the_layout_is_found_in_a_picture(layout: str, turn: float) -> None:
    points = arranged(walker(), layout)
    angle = np.radians(turn)
    plane = np.stack([np.cos(angle) * points[..., 0] + np.sin(angle) * points[..., 2], 3 - points[..., 1]], axis=2)
    assert choose_layout(np.pad(plane, ((0, 0), (0, 0), (0, 1))), np.ones(plane.shape[:2], bool), "a", flat=True)[
        0
    ] == (layout)


def test_metres_below_one_are_no_confidences() -> None:
    joints = walker()
    joints *= 0.6  # nothing above 1 m: a small child
    joints[..., 1] -= joints[..., 1].min()
    z_up = joints[..., [0, 2, 1]] * [1, -1, 1]
    z_up[..., 1] -= z_up[..., 1].min()
    assert 0 <= z_up[..., 2].min() < z_up[..., 2].max() < 1
    assert load(arranged(z_up, "h36m17"), fps=20, unit="m").dimensions == 3
    points = person_2d(LAYOUTS["coco17"])
    assert load(points / [640, 480, 1], fps=20).dimensions == 2


def test_where_no_layout_fits_the_candidates_and_the_flag_are_named() -> None:
    noise = np.random.default_rng(0).normal(size=(30, 17, 3))
    with pytest.raises(InputError, match=r"no body in any known layout.*--format coco17 or h36m17 or mpi17"):
        load(noise, fps=20)
    assert load(noise, fps=20, format="h36m17").source == "joints", "the flag decides"


def test_an_order_that_no_layout_has_is_refused() -> None:
    order = np.random.default_rng(3).permutation(22)
    with pytest.raises(InputError, match="--format humanml3d22 or lafan22"):
        load(walker()[:, order], fps=20)


def test_a_body_seen_in_part_keeps_the_commonest_layout() -> None:
    points = person_2d(LAYOUTS["coco17"])
    points[:, 7:] = 0  # head and shoulders
    assert load(points, fps=20).source == "coco17"


def test_the_cost_tells_what_is_wrong() -> None:
    joints = walker()
    seen = np.ones(joints.shape[:2], dtype=bool)
    right = fit(joints, seen, "humanml3d22")
    assert right is not None
    assert max(right[1:]) < 0.15
    longer = joints.copy()
    longer[:, J["left_wrist"]] += 0.4 * (joints[:, J["left_wrist"]] - joints[:, J["left_elbow"]])
    uneven = fit(longer, seen, "humanml3d22")
    assert uneven is not None
    assert uneven.asymmetry > right.asymmetry + 0.1
    breathing = joints * (1 + 0.3 * np.sin(np.arange(40))[:, None, None])
    varying = fit(breathing, seen, "humanml3d22")
    assert varying is not None
    assert varying.variation > 0.5


def test_the_look_at_the_body_costs_less_than_5_ms() -> None:
    points = arranged(walker(600), "h36m17")
    seen = np.ones(points.shape[:2], dtype=bool)
    choose_layout(points, seen, "a")
    began = time.process_time()
    for _ in range(20):
        choose_layout(points, seen, "a")
    assert (time.process_time() - began) / 20 < 0.005


@pytest.mark.parametrize(
    ("pattern", "layout", "forward", "seconds"),
    [
        ("01-*/a_metres_yup.npy", "h36m17", 1.74, 2.0),
        ("01-*/b_mm_zup.npy", "h36m17", 1.74, 2.0),
        ("01-*/c_camera_rootrel.npy", "h36m17", 0.0, 2.0),
        ("05-*/a_lafan22_cm.npy", "lafan22", 1.74, 3.0),
        ("05-*/b_smpl24_mujoco.npy", "mujoco24", 1.74, 3.0),
    ],
)
def test_recordings_as_people_have_them(
    pattern: str, layout: str, forward: float, seconds: float, shared: Path
) -> None:
    [file] = (shared.parent / "cases").glob(pattern)
    motion = load(file)
    joints = motion.joints
    assert any(note.startswith(f"layout {layout}") for note in motion.notes)
    assert motion.duration == pytest.approx(seconds, abs=0.06)
    assert joints[-1, 0, 2] - joints[0, 0, 2] == pytest.approx(forward, abs=0.03)
    leg = np.linalg.norm(joints[0, 4] - joints[0, 1]) + np.linalg.norm(joints[0, 7] - joints[0, 4])
    assert leg == pytest.approx(0.79, abs=0.01)
    assert (joints[:, J["head"], 1] > joints[:, 0, 1]).all()
