"""Small whole recordings of every reader that reads bytes: what the campaign damages."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FORMATS = Path(__file__).parents[1] / "motion" / "formats"
if str(FORMATS) not in sys.path:
    sys.path.insert(0, str(FORMATS))

from mocap_files import dump, person_2d, standing_bvh  # noqa: E402
from test_c3d import c3d  # noqa: E402
from test_detector_json import FILES as DETECTORS  # noqa: E402
from test_gltf import glb, gltf  # noqa: E402
from test_keypoint_csv import wide  # noqa: E402
from test_mvnx import mvnx  # noqa: E402
from test_ntu_skeleton import skeleton  # noqa: E402
from test_smpl_results import BODY, MOTION_X, NPZ, POSE, TRANS, npz  # noqa: E402
from test_trc import POSE2SIM, plug_in_gait, trc  # noqa: E402
from walking_body import points_of, walking  # noqa: E402

from vimonet.motion.joint_names import LAYOUTS  # noqa: E402
from vimonet.motion.skeleton import JOINT_NAMES  # noqa: E402


def npy(array: np.ndarray) -> bytes:
    np.save(stream := io.BytesIO(), array)
    return stream.getvalue()


def packed(arrays: dict[str, Any]) -> bytes:
    np.savez_compressed(stream := io.BytesIO(), **arrays)
    return stream.getvalue()


def torch_file() -> bytes:
    import torch

    parts = {"global_orient": POSE[:, 0], "body_pose": BODY, "transl": TRANS}
    torch.save({"smpl_params_global": {k: torch.tensor(v) for k, v in parts.items()}}, stream := io.BytesIO())
    return stream.getvalue()


def whole_inputs() -> dict[str, tuple[str, bytes]]:
    """{name: (file name, bytes)} of a recording of each kind."""
    pixels = person_2d(LAYOUTS["coco17"], frames=6)
    amass = {
        "poses": np.zeros((30, 156)),
        "trans": TRANS[:30],
        "mocap_framerate": np.array(60.0),
        "gender": np.array("male"),
    }
    named = {"joints": walking(9), "names": np.array(JOINT_NAMES), "fps": np.array(30.0), "scale": np.array(1.0)}
    rows = [{"frame": k, "people": [{"pose_keypoints_2d": p.ravel().tolist()}]} for k, p in enumerate(pixels)]
    makers: dict[str, Callable[[], tuple[str, bytes]]] = {
        "bvh": lambda: ("a.bvh", standing_bvh(6).encode()),
        "amass": lambda: ("a.npz", npz(amass)),
        "joints npy": lambda: ("a.npy", npy(walking(9).astype(np.float32))),
        "joints npz": lambda: ("a.npz", packed(named)),
        "keypoints npy": lambda: ("a.npy", npy(pixels)),
        "humanml3d": lambda: ("a.npy", npy(np.full((9, 263), 0.5, dtype=np.float32))),
        "smpl": lambda: ("a.npz", npz(NPZ["4d-humans"][0])),
        "motion-x": lambda: ("a.npy", npy(MOTION_X[:9])),
        "torch": lambda: ("a.pt", torch_file()),
        "csv": lambda: ("a.csv", "\n".join(wide("{name}_{axis}").splitlines()[:9]).encode()),
        "trc": lambda: ("a.trc", trc(points_of(POSE2SIM, 9)).encode()),
        "markers": lambda: ("a.trc", trc({k: v[:9] for k, v in plug_in_gait().items()}).encode()),
        "mvnx": lambda: ("a.mvnx", mvnx().encode()),
        "ntu": lambda: ("a.skeleton", skeleton(2, 6).encode()),
        "c3d": lambda: ("a.c3d", c3d(points_of(POSE2SIM, 9))),
        "glb": lambda: ("a.glb", glb()),
        "gltf": lambda: ("a.gltf", json.dumps(gltf()[0]).encode()),
        "openpose": lambda: ("a.json", dump(rows)),
        "frames": lambda: ("a.json", dump({"fps": 30, "names": list(LAYOUTS["coco17"]), "frames": pixels.tolist()})),
        **{
            name: lambda value=value: ("a.json", dump(value[:6] if isinstance(value, list) else value))  # type: ignore[misc]
            for name, value in DETECTORS.items()
        },
    }
    return {name: make() for name, make in makers.items()}
