"""JSON as detectors write it: Ultralytics, PoseNet, MoveNet, AlphaPose, Stereolabs; and one person of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mocap_files import dump, person_2d, standing_bvh

from vimonet.cli import main
from vimonet.motion import JOINT_NAMES, load, recording_info
from vimonet.motion.joint_names import LAYOUTS, map_joints
from vimonet.motion.skeleton import T_POSE
from vimonet.utils.errors import InputError

J = {name: index for index, name in enumerate(JOINT_NAMES)}
COCO = LAYOUTS["coco17"]
POINTS = person_2d(COCO)
CAMEL = [name.split("_")[0] + "".join(word.title() for word in name.split("_")[1:]) for name in COCO]


def _ultralytics(p: np.ndarray) -> dict[str, Any]:
    x, y, c = p.T.tolist()
    box = {"x1": 1, "y1": 2, "x2": 3, "y2": 4}
    keypoints = {"x": x, "y": y, "visible": c}
    return {"name": "person", "class": 0, "confidence": 0.9, "box": box, "track_id": 1, "keypoints": keypoints}


def _posenet(p: np.ndarray) -> dict[str, Any]:
    parts = [
        {"part": n, "score": c, "position": {"x": x, "y": y}} for n, (x, y, c) in zip(CAMEL, p.tolist(), strict=True)
    ]
    return {"score": 0.8, "keypoints": parts}


def _movenet(p: np.ndarray) -> dict[str, Any]:
    """Points in the order in which they were found, each with its name."""
    points = [{"x": x, "y": y, "score": c, "name": n} for n, (x, y, c) in zip(COCO, p.tolist(), strict=True)]
    return {"keypoints": points[::-1], "score": 0.8, "id": 4}


def _halpe(frame: int, p: np.ndarray) -> dict[str, Any]:
    rest = np.random.default_rng(frame).uniform(0, 100, 119 * 3)  # face and hands: never read
    return {"image_id": f"{frame}.jpg", "category_id": 1, "keypoints": [*p.ravel(), *rest], "score": 2.5, "idx": [0.0]}


FILES = {
    "ultralytics": [[_ultralytics(p)] for p in POINTS],
    "ultralytics as strings": [dump([_ultralytics(p)]).decode() for p in POINTS],
    "posenet": [_posenet(p) for p in POINTS],
    "posenet of several": [[_posenet(p)] for p in POINTS],
    "movenet": [[_movenet(p)] for p in POINTS],
    "alphapose halpe": [_halpe(i, p) for i, p in enumerate(POINTS)],
    "alphapose cmu": {
        f"{i}.jpg": {"version": 0.1, "bodies": [{"joints": p.ravel().tolist()}]} for i, p in enumerate(POINTS)
    },
}


@pytest.mark.parametrize("detector", FILES)
def test_the_left_hand_rises_whoever_wrote_the_file(detector: str) -> None:
    motion = load(dump(FILES[detector]), fps=20)
    assert motion.dimensions == 2
    wrist = motion.joints[:, J["left_wrist"], 1]
    assert wrist[-1] - wrist[0] > 0.4
    assert abs(motion.joints[-1, J["right_wrist"], 1] - motion.joints[0, J["right_wrist"], 1]) < 0.02
    assert motion.joints[0, J["left_wrist"], 0] > motion.joints[0, J["right_wrist"], 0]
    people = recording_info(motion)["people"]
    assert [one["frames"] for one in people.values()] == [30] and set(people) <= {"0", "1", "4"}


@pytest.mark.parametrize(("layout", "stamp"), [("zed34", 33_366_000), ("zed38", 33), ("humanml3d22", 33_366)])
def test_stereolabs_bodies_are_in_space_and_keyed_by_time(layout: str, stamp: int) -> None:
    names = LAYOUTS[layout]
    found = map_joints(names)
    body = np.repeat((T_POSE[J["head"]] + [0, 0.95, -2])[None], len(names), axis=0)  # eyes and ears
    for joint, index in found.items():
        if joint in J:
            body[index] = T_POSE[J[joint]] + [0, 0.95, -2]
    frames = {}
    for frame in range(20):
        moved = body + np.array([0, 0, 0.03 * frame])
        person = {"id": 7, "keypoint": moved.tolist(), "keypoint_confidence": [90] * len(names), "confidence": 90}
        frames[str(10**9 + frame * stamp)] = {"body_list": [person], "is_new": True}
    motion = load(dump(frames))
    assert motion.dimensions == 3
    assert motion.source_fps == pytest.approx(30, rel=0.02)
    for joint in ("left_wrist", "right_ankle", "left_knee"):
        np.testing.assert_allclose(motion.joints[0, J[joint]], T_POSE[J[joint]] + [0, 0.95, -2], atol=0.01)
    speed = (motion.joints[-1, 0, 2] - motion.joints[0, 0, 2]) / (motion.frames - 1) * motion.fps
    assert speed == pytest.approx(0.9, rel=0.03)


def _two(tracks: tuple[int, int] | None) -> bytes:
    """One stands and raises a hand; the other, 300 pixels to the right, walks on by 5 pixels a frame."""
    frames = []
    for i, p in enumerate(POINTS):
        other = POINTS[0] + [300 + 5 * i, 0, 0]
        people = [{"pose_keypoints_2d": q.ravel().tolist(), "person_id": [-1]} for q in (p, other)]
        if tracks:
            people = [{**person, "person_id": [track]} for person, track in zip(people, tracks, strict=True)]
        frames.append({"people": people if i % 2 else people[::-1] if i else people})
    return dump(frames)


@pytest.mark.parametrize(("tracks", "second"), [(None, 2), ((3, 9), 9)])
def test_one_person_of_several_is_chosen_and_told(tracks: tuple[int, int] | None, second: int) -> None:
    first, other = load(_two(tracks), fps=20), load(_two(tracks), fps=20, person=second)
    assert any("2 people" in note and "--person" in note for note in first.notes)
    assert first.joints[-1, 0, 0] == pytest.approx(0, abs=0.02)
    assert other.joints[-1, 0, 0] - other.joints[0, 0, 0] == pytest.approx(
        145 * float(other.details["unit"].split()[0]), rel=0.02
    )
    assert any(f"person {second} is read" in note for note in other.notes)
    people = recording_info(other)["people"]
    assert {key: one["frames"] for key, one in people.items()} == {str(k): 30 for k in (tracks or (1, 2))}
    assert {one["place"] for one in people.values()} == {"left", "right"}
    with pytest.raises(InputError, match=r"no person 5; the file has \d \(30 frames\), \d \(30 frames\)"):
        load(_two(tracks), person=5)


def test_another_person_of_a_file_with_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "walk.bvh").write_text(standing_bvh())
    assert main(["inspect", str(tmp_path / "walk.bvh"), "--person", "2"]) == 2
    assert "one person only" in capsys.readouterr().err
    (tmp_path / "two.json").write_bytes(_two(None))
    assert main(["inspect", str(tmp_path / "two.json"), "--person", "2"]) == 0
    assert "person 2 is read" in capsys.readouterr().out


def test_detectors_see_the_walk_to_the_left(shared: Path) -> None:
    for file in sorted((shared.parent / "cases" / "19-detector-json-nobody-seen").glob("*.json")):
        motion = load(file)
        if file.stem == "zed":
            assert motion.dimensions == 3
            assert np.median(motion.joints[:, 0, 1]) == pytest.approx(0.91, abs=0.02)
            continue
        assert motion.joints[-1, 0, 0] - motion.joints[0, 0, 0] < -0.7, file.name
        assert (motion.joints[:, 15, 1] > motion.joints[:, 0, 1]).all()
