from __future__ import annotations

import io
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bones import bone_lengths
from scipy.spatial.transform import Rotation

from vimonet.motion import load, recording_info
from vimonet.motion.io.amass import pose_joints
from vimonet.motion.skeleton import CANONICAL_LENGTHS, CANONICAL_OFFSETS, PARENTS, T_POSE
from vimonet.utils.errors import InputError


def amass(width: int = 156, frames: int = 13, rate: float = 120.0, **changes: Any) -> bytes:
    """A file like AMASS's: a person standing in a Z-up world, raising the right arm."""
    poses = np.zeros((frames, width))
    poses[:, 0] = np.pi / 2  # Y up to Z up
    poses[:, 17 * 3 + 2] = np.linspace(0, -1.2, frames)
    trans = np.zeros((frames, 3))
    trans[:, 2], trans[:, 1] = 0.95, -np.linspace(0, 0.3, frames)
    content: dict[str, Any] = dict(
        poses=poses,
        trans=trans,
        mocap_framerate=np.array(rate),
        gender=np.array("female"),
        betas=np.zeros(16),
        dmpls=np.zeros((frames, 8)),
    )
    content |= changes
    stream = io.BytesIO()
    np.savez(stream, **{k: v for k, v in content.items() if v is not None})
    return stream.getvalue()


@pytest.mark.parametrize("width", [66, 72, 156, 165])
def test_pose_parameters_become_joints(width: int) -> None:
    motion = load(amass(width))
    assert (motion.frames, motion.source, motion.source_fps) == (3, "amass", 120)
    np.testing.assert_allclose(motion.joints[0], T_POSE + np.array([0, 0.95, 0]), atol=1e-5)
    assert motion.joints[-1, 21, 1] > motion.joints[-1, 20, 1] + 0.3, "the right arm is up"
    assert motion.joints[-1, 0, 2] == pytest.approx(0.3, abs=1e-5), "-Y in the Z-up world is our +Z"
    np.testing.assert_allclose(bone_lengths(motion.joints)[0], CANONICAL_LENGTHS, atol=1e-5)


def test_forward_kinematics_equals_scipy_rotations() -> None:
    rng = np.random.default_rng(0)
    poses, trans = rng.normal(0, 1.2, (4, 66)), rng.normal(0, 1, (4, 3))
    poses[0] = 0
    expected = np.zeros((4, 22, 3))
    for frame in range(4):
        world: list[Rotation] = []
        for joint, parent in enumerate(PARENTS):
            own = Rotation.from_rotvec(poses[frame, 3 * joint : 3 * joint + 3])
            world.append(own if parent < 0 else world[parent] * own)
            expected[frame, joint] = (
                trans[frame] if parent < 0 else expected[frame, parent] + world[parent].apply(CANONICAL_OFFSETS[joint])
            )
    np.testing.assert_allclose(pose_joints(poses, trans), expected, atol=1e-6)


def test_newer_keys_and_missing_trans() -> None:
    full = np.load(io.BytesIO(amass()))
    data = amass(
        poses=None,
        mocap_framerate=None,
        mocap_frame_rate=np.array(60.0),
        root_orient=full["poses"][:, :3],
        pose_body=full["poses"][:, 3:66],
    )
    assert load(data).source_fps == 60
    assert any("no trans" in note for note in load(amass(trans=None)).notes)
    assert recording_info(amass())["skeleton"] == "smplh parameters"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(poses=np.zeros((13, 100))), r"\[13, 100\]"),
        (dict(poses=np.zeros((0, 156)), trans=np.zeros((0, 3))), "no frames"),
        (dict(trans=np.zeros((12, 3))), r"trans has shape \[12, 3\]"),
        (dict(poses=np.full((13, 156), np.nan)), "not finite"),
        (dict(poses=np.array([{"a": 1}] * 13, dtype=object)), "pickled"),
        (dict(poses=np.full((13, 156), "a")), "numbers"),
        (dict(mocap_framerate=None), "mocap_framerate is missing"),
        (dict(mocap_framerate=np.array(0.0)), "fps is 0"),
        (dict(mocap_framerate=np.array("fast")), "mocap_framerate is not a number"),
    ],
)
def test_broken_files_get_one_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(amass(**changes), name="a.npz")


def test_a_rate_may_be_given() -> None:
    assert load(amass(mocap_framerate=None), fps=60).frames == 5


def test_body_model_is_used_when_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    seen: dict[str, Any] = {}

    def create(folder: str, **options: Any) -> Any:
        seen.update(options, folder=folder)

        def body(**inputs: Any) -> Any:
            seen["pose"] = inputs["body_pose"].shape
            joints = pose_joints(
                torch.cat([inputs["global_orient"], inputs["body_pose"]], dim=1).numpy(), inputs["transl"].numpy()
            )
            return types.SimpleNamespace(joints=torch.as_tensor(joints * 1.1))

        return body

    monkeypatch.setitem(sys.modules, "smplx", types.SimpleNamespace(create=create))
    monkeypatch.setenv("VIMONET_SMPLX", str(tmp_path))
    motion = load(amass())
    assert seen["model_type"] == "smplh"
    assert seen["gender"] == "female"
    assert tuple(seen["pose"]) == (3, 63)
    assert any("body model" in note for note in motion.notes)
    assert bone_lengths(motion.joints)[0, 4] == pytest.approx(0.41 * 1.1, abs=1e-4)
