"""CSV of keypoints: MediaPipe, tables of named columns, a row per point, DeepLabCut, Motive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mocap_files import person_2d
from test_trc import POSE2SIM
from walking_body import check_walk, points_of

from vimonet.motion import Motion, load
from vimonet.motion.io import detect_format
from vimonet.motion.io.loading import list_recordings
from vimonet.motion.joint_names import LAYOUTS
from vimonet.utils.errors import InputError

MEDIAPIPE = LAYOUTS["mediapipe33"]
PIXELS = person_2d(MEDIAPIPE)


def check_rise(motion: Motion) -> None:
    assert motion.dimensions == 2
    assert motion.joints[-1, 20, 1] - motion.joints[0, 20, 1] > 0.4
    assert abs(motion.joints[-1, 21, 1] - motion.joints[0, 21, 1]) < 0.02
    assert motion.joints[0, 15, 1] > motion.joints[0, 0, 1] > motion.joints[0, 7, 1]


def wide(pattern: str, names: tuple[str, ...] = MEDIAPIPE, first: str = "frame", separator: str = ",") -> str:
    """A row per frame with x, y and a score, columns named by the pattern."""
    marks = "xyv"
    columns = [pattern.format(name=n, axis=a, index=k) for k, n in enumerate(names) for a in marks]
    rows = [separator.join([first, *columns])]
    for frame, points in enumerate(PIXELS):
        rows.append(
            separator.join([str(frame if first == "frame" else frame * 40), *(f"{v:.4f}" for v in points.ravel())])
        )
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    "pattern", ["{axis}{index}", "{name}_{axis}", "{name}.{axis}", "{axis}_{name}", "{name} {axis}"]
)
def test_a_row_per_frame(pattern: str) -> None:
    data = wide(pattern).encode()
    assert detect_format(data) == "csv"
    check_rise(load(data, fps=20))
    check_rise(load(wide(pattern, separator=";").encode(), fps=20))


def test_times_tell_the_rate() -> None:
    assert load(wide("{name}_{axis}", first="timestamp_ms").encode()).source_fps == 25


def test_a_row_per_point_with_people() -> None:
    rows = ["frame,person_id,landmark,x,y,visibility"]
    for frame, points in enumerate(PIXELS):
        for who in (4, 6):
            rows += [
                f"{frame},{who},{n},{x + 200 * (who == 6)},{y},{v}"
                for n, (x, y, v) in zip(MEDIAPIPE, points, strict=True)
            ]
    motion = load("\r\n".join(rows).encode(), fps=20)
    check_rise(motion)
    assert any("2 people" in note for note in motion.notes)
    check_rise(load("\r\n".join(rows).encode(), fps=20, person=6))


def test_deeplabcut() -> None:
    coco = LAYOUTS["coco17"]
    points = person_2d(coco)
    rows = [",".join(["scorer", *["model"] * 51]), ",".join(["bodyparts", *(n for n in coco for _ in range(3))])]
    rows.append(",".join(["coords", *["x", "y", "likelihood"] * 17]))
    rows += [",".join([str(k), *(f"{v:.3f}" for v in p.ravel())]) for k, p in enumerate(points)]
    check_rise(load("\n".join(rows).encode(), fps=20))


def test_motive_bones() -> None:
    points = {f"Ann:{label}": place for label, place in points_of(POSE2SIM).items()}
    quantities = ["Rotation"] * 4 + ["Position"] * 3
    head = [
        "Format Version,1.23,Take Name,walk,Capture Frame Rate,120,Length Units,Meters",
        "",
        ",Type," + ",".join("Bone" for _ in points for _ in quantities),
        ",Name," + ",".join(label for label in points for _ in quantities),
        ",ID," + ",".join("1" for _ in points for _ in quantities),
        ",," + ",".join(quantities * len(points)),
        "Frame,Time (Seconds)," + ",".join("XYZWXYZ" * len(points)),
    ]
    for frame in range(41):
        numbers = [v for place in points.values() for v in (0, 0, 0, 1, *place[frame])]
        head.append(f"{frame},{frame / 120:.6f}," + ",".join(f"{v:.6f}" for v in numbers))
    check_walk(load("\n".join(head).encode()), 120)


def test_three_coordinates_are_space() -> None:
    points = points_of(POSE2SIM)
    rows = ["time," + ",".join(f"{label}_{axis}" for label in points for axis in "XYZ")]
    rows += [f"{k / 50:.4f}," + ",".join(f"{v:.6f}" for p in points.values() for v in p[k]) for k in range(41)]
    check_walk(load("\n".join(rows).encode()), 50)


def test_other_tables_are_no_recordings(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\nwalk.bvh,walking\n")
    (tmp_path / "keypoints.csv").write_text(wide("{name}_{axis}"))
    assert list_recordings(tmp_path).recordings == []  # a CSV is read where it is named
    with pytest.raises(InputError, match="not a CSV of keypoints"):
        load(tmp_path / "labels.csv")
    check_rise(load(tmp_path / "keypoints.csv", fps=20))
    with pytest.raises(InputError, match=r"'wrong\.0000' stands among"):
        load(wide("{name}_{axis}").replace("320", "wrong", 1).encode())


def test_frames_without_a_person_are_gaps() -> None:
    lines = wide("{name}_{axis}").splitlines()
    motion = load("\n".join(lines[:11] + lines[14:]).encode(), fps=20)
    assert motion.frames == 30
    assert motion.confidence is not None
    assert (motion.confidence[10:13] == 0).all()
    assert np.isfinite(motion.joints).all()
