"""C3D by ezc3d: joint centres and Plug-in Gait markers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_trc import POSE2SIM, plug_in_gait
from walking_body import check_walk, points_of

from vimonet.motion import load
from vimonet.motion.io import detect_format
from vimonet.utils.errors import InputError

ezc3d = pytest.importorskip("ezc3d")


def c3d(path: Path, points: dict[str, np.ndarray], fps: float = 100) -> bytes:
    """A C3D in millimetres with Z up, as most laboratories write."""
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [fps]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(points)
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    places = np.stack(list(points.values()), axis=1)[..., [0, 2, 1]] * [1000, -1000, 1000]
    file["data"]["points"] = np.concatenate(
        [np.moveaxis(places, (0, 1, 2), (2, 1, 0)), np.ones((1, places.shape[1], len(places)))]
    )
    file.write(str(path))
    return path.read_bytes()


def test_joint_centres_and_skin_markers(tmp_path: Path) -> None:
    data = c3d(tmp_path / "centres.c3d", points_of(POSE2SIM))
    assert detect_format(data) == "c3d"
    check_walk(load(data), 100)
    markers = load(data := c3d(tmp_path / "markers.c3d", plug_in_gait()))
    check_walk(markers, 100, joints=("right_knee", "left_ankle", "left_elbow", "right_wrist"))
    for cut in (400, 700, 1500, len(data) - 600):
        with pytest.raises(InputError):
            load(data[:cut], format="c3d")
