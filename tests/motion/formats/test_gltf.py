"""glTF 2.0 and GLB: the skeleton's animation, sampled and posed."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mocap_files import LAFAN, bvh_text
from scipy.spatial.transform import Rotation

from vimonet.motion import load
from vimonet.motion.io import detect_format
from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS
from vimonet.utils.errors import InputError

T, FPS = 31, 30.0
DEGREES = np.zeros((T, 22, 3))
DEGREES[:, 16, 2] = np.linspace(-60, 60, T)  # the left arm
DEGREES[:, 0, 1] = np.linspace(0, 90, T)  # a turn
ROOT = np.stack([np.zeros(T), np.full(T, 0.95), 0.03 * np.arange(T)], axis=1)


def gltf(*, scale: float = 1.0, embed: bool = True) -> tuple[dict[str, Any], bytes]:
    """The canonical body below an armature node that scales it, as exporters write; its JSON and its buffer."""
    nodes: list[dict[str, Any]] = [{"name": "Armature", "children": [1], "scale": [1 / scale] * 3}]
    for joint, name in enumerate(LAFAN):
        children = [child + 1 for child, parent in enumerate(PARENTS) if parent == joint]
        nodes.append({"name": name, "translation": (CANONICAL_OFFSETS[joint] * scale).tolist()})
        if children:
            nodes[-1]["children"] = children
    blob, views, accessors = b"", [], []

    def put(values: np.ndarray, kind: str) -> int:
        nonlocal blob
        data = values.astype("<f4").tobytes()
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": len(data)})
        accessors.append({"bufferView": len(views) - 1, "componentType": 5126, "count": len(values), "type": kind})
        blob += data
        return len(accessors) - 1

    times = put(np.arange(T) / FPS, "SCALAR")
    samplers, channels = [], []

    def animate(node: int, path: str, values: np.ndarray) -> None:
        samplers.append({"input": times, "output": put(values, f"VEC{values.shape[1]}")})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

    animate(1, "translation", ROOT * scale)
    for joint in range(22):
        turn = Rotation.from_euler("ZXY", DEGREES[:, joint][:, [2, 0, 1]], degrees=True)
        quaternions = turn.as_quat()
        quaternions[::3] *= -1  # the same turn, written the other way
        animate(joint + 1, "rotation", quaternions)
    value = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": nodes,
        "skins": [{"joints": list(range(1, 23))}],
        "animations": [
            {"name": "idle", "samplers": [], "channels": []},
            {"name": "walk", "samplers": samplers, "channels": channels},
        ],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(blob)}],
    }
    if embed:
        value["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(blob).decode()  # type: ignore[index]
    return value, blob


def glb(**options: Any) -> bytes:
    value, blob = gltf(embed=False, **options)
    text = json.dumps(value).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(blob), 0x004E4942) + blob
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


TRUE = load(bvh_text(DEGREES[:, :, [2, 0, 1]], ROOT, frame_time=f"{1 / FPS:.9f}").encode()).joints


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_an_animation_is_the_same_movement_as_its_bvh(scale: float) -> None:
    for data in (glb(scale=scale), json.dumps(gltf(scale=scale)[0]).encode()):
        assert detect_format(data) == "gltf"
        motion = load(data)
        assert motion.source_fps == pytest.approx(FPS, abs=0.01)
        np.testing.assert_allclose(motion.joints, TRUE, atol=2e-3)
        assert "2 animations: walk is read" in motion.notes


def test_buffers_lie_beside_the_file_and_nowhere_else(tmp_path: Path) -> None:
    value, blob = gltf(embed=False)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "walk.bin").write_bytes(blob)
    (tmp_path / "out.bin").write_bytes(blob)
    path = tmp_path / "in" / "walk.gltf"
    value["buffers"][0]["uri"] = "walk.bin"
    path.write_text(json.dumps(value))
    np.testing.assert_allclose(load(path).joints, TRUE, atol=2e-3)
    for uri in ("../out.bin", str(tmp_path / "out.bin"), "file:///etc/passwd", "%2e%2e/out.bin", "none.bin"):
        value["buffers"][0]["uri"] = uri
        path.write_text(json.dumps(value))
        with pytest.raises(InputError, match="beside it"):
            load(path)


def _changed(change: str) -> bytes:
    value, _ = gltf()
    match change:
        case "cycle":
            value["nodes"][22]["children"] = [1]
        case "no animation":
            value["animations"] = []
        case "beyond the buffer":
            value["accessors"][1]["count"] = 10**9
        case "no such node":
            value["animations"][1]["channels"][0]["target"]["node"] = 999
        case "compressed":
            value["bufferViews"][1]["extensions"] = {"EXT_meshopt_compression": {}}
        case "a list":
            value["nodes"] = {"a": 1}
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("cycle", "no tree"),
        ("no animation", "holds no animation"),
        ("beyond the buffer", "beyond its buffer"),
        ("no such node", "damaged"),
        ("compressed", "without compression"),
        ("a list", "damaged"),
    ],
)
def test_broken_files_get_one_sentence(change: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load(_changed(change))
    for cut in (4, 30, 5000):
        with pytest.raises(InputError):
            load(glb()[:cut], format="gltf")
