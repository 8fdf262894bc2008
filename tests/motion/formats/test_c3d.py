"""C3D: joint centres and Plug-in Gait markers, as floats and as scaled integers, of both byte orders."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from test_trc import POSE2SIM, plug_in_gait
from walking_body import check_walk, points_of

from vimonet.motion import load
from vimonet.motion.io import detect_format
from vimonet.utils.errors import InputError


def c3d(
    points: dict[str, np.ndarray],
    fps: float = 100,
    *,
    floats: bool = True,
    order: str = "<",
    parameter_rate: float | None = None,
) -> bytes:
    """A C3D in millimetres with Z up, as most laboratories write; NaN is a point that is not seen."""
    places = np.stack(list(points.values()), axis=1)[..., [0, 2, 1]] * [1000, -1000, 1000]
    frames, count = places.shape[:2]
    scale = -1.0 if floats else 0.25
    entries = b""
    size = max(len(label) for label in points)
    labels = "".join(label.ljust(size) for label in points).encode()
    for name, shape, data in (("LABELS", (size, count), labels), ("UNITS", (2, 1), b"mm")):
        body = bytes([0xFF, len(shape), *shape]) + data + b"\0"  # type -1: text; no description
        entries += bytes([len(name), 1]) + name.encode() + struct.pack(order + "H", len(body) + 2) + body
    if parameter_rate is not None:
        entries += bytes([4, 1]) + b"RATE" + struct.pack(order + "HBBfB", 9, 4, 0, parameter_rate, 0)
    group = bytes([5, 0xFF]) + b"POINT" + struct.pack(order + "H", 3) + b"\0"
    section = bytes([1, 80, 0, 84 if order == "<" else 86]) + group + entries + b"\0\0"
    blocks = -(-len(section) // 512)
    header = bytes([2, 0x50]) + struct.pack(order + "HHHHHfHHf", count, 0, 1, frames, 10, scale, 2 + blocks, 0, fps)
    seen = np.isfinite(places).all(axis=2, keepdims=True)
    table = np.concatenate([np.where(seen, places, 0) / (1 if floats else scale), np.where(seen, 0, -1)], axis=2)
    body = table.astype(order + ("f4" if floats else "i2")).tobytes()
    return header.ljust(512, b"\0") + section.ljust(512 * blocks, b"\0") + body


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("floats", [True, False])
def test_joint_centres(floats: bool, order: str) -> None:
    data = c3d(points_of(POSE2SIM), floats=floats, order=order)
    assert detect_format(data) == "c3d"
    check_walk(load(data), 100)


def test_the_rate_of_the_parameters_is_taken() -> None:
    motion = load(c3d(points_of(POSE2SIM), 200, parameter_rate=50))
    assert any("the header states 200 frames/s, POINT:RATE 50, which is taken" in note for note in motion.notes)
    check_walk(motion, 50)
    assert load(c3d(points_of(POSE2SIM), 100, parameter_rate=100)).source_fps == 100


def test_skin_markers_and_gaps() -> None:
    points = plug_in_gait()
    points["RKNE"][3:6] = np.nan
    motion = load(c3d(points))
    check_walk(motion, 100, joints=("right_knee", "left_ankle", "left_elbow", "right_wrist"))
    assert motion.confidence is not None
    assert (motion.confidence[:, 5] == 0).any()


def test_a_file_of_the_library(tmp_path: Path) -> None:
    ezc3d = pytest.importorskip("ezc3d")
    points = points_of(POSE2SIM)
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(points)
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    places = np.stack(list(points.values()), axis=1)[..., [0, 2, 1]] * [1000, -1000, 1000]
    file["data"]["points"] = np.concatenate(
        [np.moveaxis(places, (0, 1, 2), (2, 1, 0)), np.ones((1, *places.shape[1::-1]))]
    )
    file.write(str(tmp_path / "a.c3d"))
    check_walk(load(tmp_path / "a.c3d"), 100)


@pytest.mark.parametrize("cut", [3, 400, 700, 1100, -40])
def test_a_file_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(InputError):
        load(c3d(points_of(POSE2SIM))[:cut], format="c3d")


def test_other_processors_and_units_are_refused() -> None:
    data = bytearray(c3d(points_of(POSE2SIM)))
    with pytest.raises(InputError, match="'yd'"):
        load(bytes(data).replace(b"mm\0", b"yd\0"))
    data[515] = 85
    with pytest.raises(InputError, match="Intel"):
        load(bytes(data))
