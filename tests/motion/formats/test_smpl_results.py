"""SMPL parameters as estimators save them."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from walking_body import J

from vimonet.motion import Motion, load
from vimonet.motion.io import detect_format
from vimonet.utils.errors import InputError

T = 41
POSE = np.zeros((T, 24, 3))
POSE[:, J["left_shoulder"], 2] = np.linspace(-1.3, 1.3, T)  # the left arm goes from down to up
TRANS = np.stack([np.zeros(T), np.full(T, 0.95), 0.03 * np.arange(T)], axis=1)
MATRICES = Rotation.from_rotvec(POSE.reshape(-1, 3)).as_matrix().reshape(T, 24, 3, 3)
BODY = POSE[:, 1:22].reshape(T, 63)
MOTION_X = np.zeros((T, 322))
MOTION_X[:, 3:66], MOTION_X[:, 309:312] = BODY, TRANS

NPZ: dict[str, tuple[dict[str, Any], float]] = {
    "generic": ({"global_orient": POSE[:, 0], "body_pose": BODY, "transl": TRANS}, 30),
    "wham": ({"pose_world": POSE.reshape(T, 72), "trans_world": TRANS}, 30),
    "tram": ({"pred_rotmat": MATRICES, "pred_trans": TRANS[:, None]}, 30),
    "4d-humans": ({"global_orient": MATRICES[:, :1], "body_pose": MATRICES[:, 1:], "pred_cam_t": TRANS}, 30),
    "aist++": ({"smpl_poses": POSE.reshape(T, 72), "smpl_trans": 90 * TRANS, "smpl_scaling": np.array([90.0])}, 60),
    "own rate": ({"global_orient": POSE[:, 0], "body_pose": BODY, "transl": TRANS, "fps": np.array(25.0)}, 25),
}


def check(motion: Motion, fps: float) -> None:
    assert motion.source_fps == fps
    assert motion.joints[-1, J["left_wrist"], 1] - motion.joints[0, J["left_wrist"], 1] > 0.9
    assert abs(motion.joints[-1, J["right_wrist"], 1] - motion.joints[0, J["right_wrist"], 1]) < 0.01
    assert np.median(motion.joints[:, 0, 1]) == pytest.approx(0.95, abs=0.01)
    speed = (motion.joints[-1, 0, 2] - motion.joints[0, 0, 2]) / (motion.frames - 1) * motion.fps
    assert speed == pytest.approx(0.03 * fps, rel=0.03)


def npz(arrays: dict[str, Any]) -> bytes:
    np.savez(stream := io.BytesIO(), **arrays)
    return stream.getvalue()


@pytest.mark.parametrize("program", NPZ)
def test_npz(program: str) -> None:
    arrays, fps = NPZ[program]
    data = npz(arrays)
    assert detect_format(data) == "smpl"
    check(load(data), fps)


def test_motion_x() -> None:
    np.save(stream := io.BytesIO(), MOTION_X)
    check(load(stream.getvalue()), 30)
    check(load(stream.getvalue(), name="clip.npy"), 30)


def test_gvhmr_by_torch() -> None:
    import torch

    part = {"global_orient": POSE[:, 0], "body_pose": BODY, "transl": TRANS}
    wrong = {key: 0 * value for key, value in part.items()}
    value = {"smpl_params_global": part, "smpl_params_incam": wrong, "K_fullimg": np.eye(3)[None]}

    def tensors(value: Any) -> Any:
        return {k: tensors(v) for k, v in value.items()} if isinstance(value, dict) else torch.tensor(value)

    torch.save(tensors(value), stream := io.BytesIO())
    assert detect_format(stream.getvalue()) == "smpl"
    check(load(stream.getvalue()), 30)
    torch.save({"a": print}, stream := io.BytesIO())
    with pytest.raises(InputError, match="Python objects, which are never loaded"):
        load(stream.getvalue(), name="bad.pt")
    with pytest.raises(InputError, match="PyTorch file is damaged"):
        load(b"PK\x03\x04" + bytes(60), name="cut.pt")
    torch.save({"a": torch.zeros(1).expand(1 << 34)}, stream := io.BytesIO())
    with pytest.raises(InputError, match="larger than"):
        load(stream.getvalue(), name="bomb.pt")


@pytest.mark.parametrize(
    "change", [{"body_pose": BODY[:-1]}, {"transl": TRANS[:-1]}, {"transl": TRANS * np.nan}, {"body_pose": BODY[:, :6]}]
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        load(npz(NPZ["generic"][0] | change))


@pytest.mark.parametrize(
    ("name", "start", "says"),
    [
        ("walk.fbx", b"Kaydara FBX Binary  \x00\x1a\x00", r"FBX.*Blender.*\.glb"),
        ("walk_ascii.fbx", b"; FBX 7.4.0 project file", "Blender"),
        ("ik.mot", b"Coordinates\nversion=1\nnRows=2\ninDegrees=yes\nendheader", "OpenSim"),
        ("phalp.pkl", b"\x80\x04\x95", "pickle.*numpy.savez"),
        ("scene.blend", b"BLENDER-v400", r"Export > glTF 2\.0"),
        ("walk.h5", b"\x89HDF\r\n\x1a\n", "HDF5"),
    ],
)
def test_formats_that_are_not_read_have_a_way_out(name: str, start: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load(start + b" " * 40, name=name)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_a_bomb_costs_nothing(method: int) -> None:
    np.save(array := io.BytesIO(), np.zeros((300_000, 22, 3), dtype=np.float32))
    with zipfile.ZipFile(stream := io.BytesIO(), "w", method) as archive:
        archive.writestr("joints.npy", array.getvalue())
    with pytest.raises(InputError, match=r"packed by another method|packs better"):
        load(stream.getvalue())
