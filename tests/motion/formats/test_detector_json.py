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


def _time(p: np.ndarray, k: int) -> dict[str, Any]:
    return {"time_ms": 50 * k, "pose": _posenet(p)}


FILES = {
    "ultralytics": [[_ultralytics(p)] for p in POINTS],
    "ultralytics as strings": [dump([_ultralytics(p)]).decode() for p in POINTS],
    "posenet": [_posenet(p) for p in POINTS],
    "posenet of several": [[_posenet(p)] for p in POINTS],
    "movenet": [[_movenet(p)] for p in POINTS],
    "alphapose halpe": [_halpe(i, p) for i, p in enumerate(POINTS)],
    "posenet with times": [_time(p, k) for k, p in enumerate(POINTS)],
    "ml5": [[{"pose": {**_posenet(p), "nose": {"x": 1, "y": 2}}, "skeleton": []}] for p in POINTS],
    "detections of frames": {"frames": [{"frame": k, "detections": [_ultralytics(p)]} for k, p in enumerate(POINTS)]},
    "people by number": [{"people": {"4": {"keypoints": p.tolist()}}} for p in POINTS],
    "upper-case names": [
        {
            "landmarks": [
                {"name": n.upper(), "x": x, "y": y, "c": c} for n, (x, y, c) in zip(COCO, p.tolist(), strict=True)
            ]
        }
        for p in POINTS
    ],
    "numbered points": [[[k, x, y] for k, (x, y, _) in enumerate(p.tolist())] for p in POINTS],
    "null points": [
        [None if k % 4 == 1 and j in (0, 13) else q for j, q in enumerate(p.tolist())] for k, p in enumerate(POINTS)
    ],
    "names as keys, some missing": [
        {n: q for j, (n, q) in enumerate(zip(COCO, p.tolist(), strict=True)) if k % 4 != 1 or j != 13}
        for k, p in enumerate(POINTS)
    ],
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


def test_rows_of_one_frame_are_one_frame() -> None:
    """A row per person and frame: 30 frames of two people, not 60 of one at a time."""
    rows = [
        {"frame": k, "track_id": who, "keypoints": (p + np.array([who * 100, 0, 0])).ravel().tolist()}
        for k, p in enumerate(POINTS)
        for who in (1, 2)
    ]
    first, second = load(dump(rows), fps=20), load(dump(rows), fps=20, person=2)
    assert first.frames == second.frames == 30
    assert recording_info(first)["people"]["2"]["frames"] == 30
    timed = [{"timestamp": row.pop("frame") / 20, **row} for row in rows]
    assert load(dump(timed), person=2).frames == 30


def test_ids_of_words_and_of_pifpaf_tell_people_apart() -> None:
    frames = []
    for k, p in enumerate(POINTS):
        two = [
            {"keypoints": (p + np.array([x, 0, 0])).tolist(), "who": who}
            for who, x in ((3, 0), (8, 40 * np.sin(k / 3)))
        ]
        frames.append({"predictions": two[:: 1 if k % 2 else -1]})
    for key, label in (("id_", "{}"), ("track_id", "person_{}")):
        named = [
            {
                "predictions": [
                    {"keypoints": one["keypoints"], key: label.format(one["who"])} for one in f["predictions"]
                ]
            }
            for f in frames
        ]
        motion = load(dump(named), fps=20, person=3)
        assert np.abs(motion.joints[:, 0, 0]).max() < 1e-3
        assert set(recording_info(motion)["people"]) == {"3", "8"}


def test_missing_numbers_of_keyed_frames_are_gaps() -> None:
    motion = load(dump({f"frame_{k}": [p.tolist()] for k, p in enumerate(POINTS) if k not in (12, 13)}), fps=20)
    assert motion.frames == 30


def test_keys_with_odd_digits_are_read_or_refused_for_a_true_reason() -> None:
    for odd in ("²", "9" * 5000):
        frames = {f"{k}": {"keypoints": p.tolist()} for k, p in enumerate(POINTS)} | {odd: {}}
        assert load(dump({"frames": frames}), fps=20).frames in (30, 31)


def test_rate_and_size_may_stand_in_a_part_of_their_own() -> None:
    size = {"width": 640, "height": 480}
    shares = [(p / [640, 480, 1]).tolist() for p in POINTS]
    truth = load(dump({**size, "fps": 25, "frames": shares}))
    inner = load(dump({"metadata": {**size, "fps": 25}, "frames": shares}))
    each = load(dump([{**size, "timestamp": 0.04 * k, "keypoints": p} for k, p in enumerate(shares)]))
    for motion in (inner, each):
        assert motion.source_fps == 25
        np.testing.assert_allclose(motion.joints, truth.joints, atol=1e-5)


def _coco(frames: list[np.ndarray], sizes: list[tuple[int, int]]) -> bytes:
    images = [{"id": 90 - k, "file_name": f"{k:03d}.jpg", "width": w, "height": h} for k, (w, h) in enumerate(sizes)]
    rows = [{"image_id": 90 - k, "keypoints": p.ravel().tolist()} for k, p in enumerate(frames) if k != 0]
    return dump({"images": images, "annotations": rows, "categories": [{"id": 1, "keypoints": list(COCO)}]})


def test_images_of_several_sizes_are_brought_to_one() -> None:
    sizes = [(640, 480) if k < 15 else (320, 240) for k in range(30)]
    truth = load(_coco(list(POINTS), [(640, 480)] * 30), fps=20)
    motion = load(_coco([p * [w / 640, w / 640, 1] for p, (w, _) in zip(POINTS, sizes, strict=True)], sizes), fps=20)
    np.testing.assert_allclose(motion.joints, truth.joints, atol=1e-4)
    assert motion.frames == 30  # nobody is annotated in the first image
    assert any("320x240, 640x480" in note for note in motion.notes)
    other = [(640, 480) if k < 15 else (640, 640) for k in range(30)]
    assert any("several shapes" in note for note in load(_coco(list(POINTS), other), fps=20).notes)


def test_openpose_2d_points_between_minus_one_and_one_are_of_a_picture() -> None:
    body = person_2d(LAYOUTS["body25"])
    frames = [{"people": [{"pose_keypoints_2d": (p / [320, 240, 1] - [1, 1, 0]).ravel().tolist()}]} for p in body]
    motion = load(dump(frames), fps=20, size="640x480")
    truth = load(dump([{"people": [{"pose_keypoints_2d": p.ravel().tolist()}]} for p in body]), fps=20)
    assert motion.dimensions == 2
    np.testing.assert_allclose(motion.joints, truth.joints, atol=1e-3)


def test_y_before_x_is_doubted() -> None:
    shares = POINTS / [640, 480, 1]
    assert any("y before x" in note for note in load(dump(shares[:, :, [1, 0, 2]].tolist()), fps=20).notes)
    assert not any("y before x" in note for note in load(dump(shares.tolist()), fps=20).notes)


def test_azure_kinect_bodies_are_in_space() -> None:
    names = [
        *("PELVIS", "SPINE_CHEST", "NECK", "HEAD", "NOSE"),
        *(
            f"{joint}_{side}"
            for side in ("LEFT", "RIGHT")
            for joint in ("CLAVICLE", "SHOULDER", "ELBOW", "WRIST", "HIP")
        ),
        *(f"{joint}_{side}" for side in ("LEFT", "RIGHT") for joint in ("KNEE", "ANKLE", "FOOT")),
    ]
    found = map_joints(names)
    body = np.repeat((T_POSE[J["head"]] + [0, 0, 0.1])[None], len(names), axis=0)
    for joint, index in found.items():
        if joint in J:
            body[index] = T_POSE[J[joint]]
    camera = (body + np.array([0, 0.95, -2])) * [1000, -1000, -1000]  # mm, y down, z away
    frames = [
        {
            "timestamp_usec": 33333 * k,
            "bodies": [{"body_id": 2, "joint_positions": (camera + np.array([0, 0, 20 * k])).tolist()}],
        }
        for k in range(20)
    ]
    motion = load(dump({"joint_names": names, "frames": frames}))
    assert motion.dimensions == 3 and motion.source_fps == pytest.approx(30, rel=0.01)
    for joint in ("left_wrist", "right_ankle", "left_knee"):
        np.testing.assert_allclose(
            motion.joints[0, J[joint]] - motion.joints[0, 0], T_POSE[J[joint]] - T_POSE[0], atol=0.01
        )
    assert recording_info(motion)["people"].keys() == {"2"}


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
        person = {
            "id": 7,
            "position": [0, 0, 0],
            "keypoint": moved.tolist(),
            "keypoint_confidence": [90] * len(names),
            "confidence": 90,
        }
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
