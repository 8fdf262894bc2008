from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mocap_files import dump, person_2d

from vimonet.motion import JOINT_NAMES, Motion, load
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.skeleton import T_POSE
from vimonet.utils.errors import InputError

J = {name: index for index, name in enumerate(JOINT_NAMES)}


def check_2d(motion: Motion, frames: int = 20) -> None:
    """The person of ``person_2d``: upright, left hand rising, sides kept, torso 0.5."""
    assert motion.dimensions == 2
    assert motion.frames == frames
    assert motion.confidence is not None
    joints = motion.joints
    assert (joints[..., 2] == 0).all()
    assert joints[0, J["head"], 1] > joints[0, J["pelvis"], 1] > joints[0, J["left_ankle"], 1]
    torso = np.linalg.norm(joints[:, J["neck"]] - joints[:, J["pelvis"]], axis=1)
    assert np.median(torso) == pytest.approx(0.5, abs=1e-3)
    assert joints[0, J["left_wrist"], 0] > 0 > joints[0, J["right_wrist"], 0], (
        "a person who faces us has the left at +X"
    )
    assert joints[-1, J["left_wrist"], 1] > joints[-1, J["right_wrist"], 1] + 0.3
    assert joints[0, 0, 0] == pytest.approx(0, abs=1e-6)
    assert np.percentile(np.where(motion.seen, joints[..., 1], np.inf).min(1), 5) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("layout", ["coco17", "body25", "mediapipe33", "coco18", "penn13"])
def test_frames_of_lists(layout: str) -> None:
    points = person_2d(LAYOUTS[layout])
    motion = load(dump({"fps": 30, "frames": points.tolist()}))
    assert motion.source == layout
    check_2d(motion)
    flat = load(dump({"fps": 30, "frames": points.reshape(30, -1).tolist()}))
    np.testing.assert_array_equal(flat.joints, motion.joints)
    array = load(points, fps=30)
    np.testing.assert_allclose(array.joints, motion.joints, atol=1e-6)


@pytest.mark.parametrize("layout", ["coco17", "body25", "mediapipe33"])
def test_confidence_in_percent(layout: str) -> None:
    points = person_2d(LAYOUTS[layout])
    points[..., 2] = np.random.default_rng(0).uniform(60, 99, points.shape[:2]).round(1)
    motion = load(dump({"fps": 30, "frames": points.tolist()}))
    check_2d(motion)
    assert motion.source == layout
    assert [note for note in motion.notes if "percent" in note] == ["confidence from 0 to 100 is taken as percent"]
    assert motion.confidence is not None
    assert motion.confidence[motion.seen].min() > 0.55 and motion.confidence.max() <= 0.99


def test_a_low_third_coordinate_is_no_percentage() -> None:
    """A body in centimetres that lies in the corner of the room, Z up: every number is positive, z below 100."""
    lying = (T_POSE[:, [0, 1, 2]] - T_POSE.min(0)) * 100.0
    frames = np.repeat(lying[None], 30, axis=0) + np.linspace(0, 150, 30)[:, None, None] * [1.0, 0.0, 0.0]
    motion = load(dump({"fps": 30, "frames": frames.tolist(), "names": list(JOINT_NAMES)}))
    assert motion.dimensions == 3 and not any("percent" in note for note in motion.notes)
    # Nor are those of joints in an order of the file's own, which no layout can be fitted to.
    for order in (slice(None, None, -1), slice(20)):
        named = {"names": list(JOINT_NAMES)[order]}
        motion = load(dump({"fps": 30, "frames": frames[:, order].tolist(), **named}))
        assert motion.dimensions == 3 and not any("percent" in note for note in motion.notes)


def test_a_bare_list_takes_thirty_frames_a_second_and_says_so() -> None:
    motion = load(dump(person_2d(LAYOUTS["coco17"]).tolist()))
    check_2d(motion)
    assert any("30 frames/s assumed" in note for note in motion.notes)
    assert load(dump(person_2d(LAYOUTS["coco17"]).tolist()), fps=20).frames == 30


def test_coco_results_with_a_second_person_and_a_gap() -> None:
    points = person_2d(LAYOUTS["coco17"])
    results: list[dict[str, Any]] = []
    for index, frame in enumerate(points):
        if index in (10, 11):
            continue
        other = frame.copy()
        other[:, 0] += 300
        entries = [
            {"image_id": index + 1, "category_id": 1, "keypoints": frame.ravel().tolist(), "score": 0.9},
            {
                "image_id": index + 1,
                "category_id": 1,
                "keypoints": other.ravel().tolist(),
                "score": 0.8 if index < 5 else 0.95,
            },
        ]
        results += entries
    motion = load(dump(results))
    check_2d(motion)
    assert motion.confidence is not None
    assert (motion.confidence[7] == 0).all(), "source frames 10 and 11 are a gap"
    assert (motion.joints[:, 0, 0] ** 2 < 0.01).all(), (
        "the first person is followed, though another scores higher later"
    )
    named = [{**entry, "image_id": f"{entry['image_id']}.jpg"} for entry in results]
    np.testing.assert_array_equal(load(dump(named)).joints, motion.joints)
    np.testing.assert_array_equal(load(dump({"annotations": results})).joints, motion.joints)
    twisted = sorted(results, key=lambda entry: entry["image_id"] * 37 % 61)
    assert twisted != results
    np.testing.assert_array_equal(load(dump(twisted)).joints, motion.joints)


def test_openpose_list_and_folder(tmp_path: Path) -> None:
    points = person_2d(LAYOUTS["body25"], frames=30)
    frames: list[dict[str, Any]] = [
        {
            "version": 1.3,
            "people": [{"person_id": [-1], "pose_keypoints_2d": p.ravel().tolist(), "hand_left_keypoints_2d": []}],
        }
        for p in points
    ]
    frames[5]["people"] = []
    motion = load(dump(frames))
    check_2d(motion)
    for index, frame in enumerate(frames):
        (tmp_path / f"clip_{index}_keypoints.json").write_text(json.dumps(frame))
    folder = load(tmp_path)
    np.testing.assert_array_equal(folder.joints, motion.joints)
    assert load(tmp_path / "clip_3_keypoints.json").frames == 1
    with pytest.raises(InputError, match="folder"):
        load(tmp_path.parent)


def test_mediapipe_image_landmarks() -> None:
    points = person_2d(LAYOUTS["mediapipe33"], width=640, height=480)
    landmarks = [
        [{"x": x / 640, "y": y / 480, "z": 0.1, "visibility": v} for x, y, v in frame.tolist()] for frame in points
    ]
    motion = load(dump({"fps": 30, "width": 640, "height": 480, "frames": [{"pose_landmarks": f} for f in landmarks]}))
    check_2d(motion)
    expected = load(dump({"fps": 30, "frames": points.tolist()}))
    np.testing.assert_allclose(motion.joints, expected.joints, atol=1e-4)
    nested = load(dump({"fps": 30, "frames": [{"pose_landmarks": [f]} for f in landmarks], "image_size": [640, 480]}))
    np.testing.assert_array_equal(nested.joints, motion.joints)
    square = load(dump({"fps": 30, "frames": landmarks}))
    assert any("unknown size" in note for note in square.notes)


def test_mediapipe_world_landmarks_are_3d() -> None:
    names = LAYOUTS["mediapipe33"]
    body = np.zeros((30, 33, 3))
    for index, joint in enumerate(names):
        if joint in J:
            body[:, index] = T_POSE[J[joint]]
    head = T_POSE[J["head"]]
    for joint, offset in (("left_ear", [0.07, 0.05, 0]), ("right_ear", [-0.07, 0.05, 0]), ("nose", [0, 0.03, 0.1])):
        body[:, names.index(joint)] = head + np.array(offset)
    for side, toe in (("left", 10), ("right", 11)):
        body[:, names.index(f"{side}_foot_index")] = T_POSE[toe]
    body[:, names.index("right_wrist"), 1] += np.linspace(0, 0.4, 30)
    body -= (body[:, [names.index("left_hip")]] + body[:, [names.index("right_hip")]]) / 2
    body *= [1, -1, -1]  # y down, z away from the camera
    frames = [
        {"pose_world_landmarks": [{"x": x, "y": y, "z": z, "visibility": 0.9} for x, y, z in f]} for f in body.tolist()
    ]
    motion = load(dump({"fps": 30, "frames": frames}))
    assert motion.dimensions == 3
    assert motion.details["up"] == "-Y (detected)"
    assert any("hip-centred" in note for note in motion.notes)
    joints = motion.joints
    assert joints[-1, J["right_wrist"], 1] > joints[-1, J["left_wrist"], 1] + 0.3
    assert joints[0, J["left_shoulder"], 0] > 0
    assert joints[0, J["left_foot"], 2] > joints[0, J["left_ankle"], 2], "toes point to +Z"
    np.testing.assert_allclose(joints[..., 1].min(axis=1), 0, atol=1e-5)


def test_mmpose_instances_and_named_points() -> None:
    points = person_2d(LAYOUTS["coco17"])
    value = {
        "meta_info": {"dataset_name": "coco"},
        "instance_info": [
            {"frame_id": i + 1, "instances": [{"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist()}]}
            for i, p in enumerate(points)
        ],
    }
    check_2d(load(dump(value)))
    names = LAYOUTS["penn13"]
    points = person_2d(names)
    named = {"fps": 30, "frames": [dict(zip(names, f, strict=True)) for f in points.tolist()]}
    check_2d(load(dump(named)))
    listed = {"fps": 30, "names": list(names), "keypoints": points.tolist()}
    check_2d(load(dump(listed)))
    lines = "\n".join(json.dumps(frame) for frame in named["frames"])  # type: ignore[union-attr]
    check_2d(load(lines.encode()))


def space_body(names: tuple[str, ...], frames: int = 20) -> np.ndarray:
    """[T, K, 3] metres, Y up, of a standing body that moves by 2 cm a frame along +Z."""
    places = {"root": "pelvis", "neck_base": "neck", "spine": "spine2", "thorax": "spine3"}
    still = np.stack([T_POSE[J[places.get(name, name)]] for name in names]).astype(float)
    body = np.repeat(still[None], frames, axis=0)
    body[..., 1] += 0.95
    body[..., 2] += 0.02 * np.arange(frames)[:, None]
    return body


H36M = ("root", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "thorax")
H36M += ("neck_base", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow")
H36M += ("right_wrist",)


def test_names_of_mmpose_win_over_the_count() -> None:
    body = space_body(H36M)[..., [0, 2, 1]] * [1, -1, 1]  # Z up
    value = {
        "meta_info": {"keypoint_id2name": {str(index): name for index, name in enumerate(H36M)}},
        "instance_info": [
            {"frame_id": i + 1, "instances": [{"keypoints": p.tolist(), "keypoint_scores": [0.9] * 17}]}
            for i, p in enumerate(body)
        ],
    }
    motion = load(dump(value), fps=20)
    assert motion.dimensions == 3
    joints = [J[j] for j in ("left_wrist", "right_ankle", "head", "left_knee", "pelvis")]
    expected = T_POSE[joints] + [0, 0.95, 0.02 * 19]
    np.testing.assert_allclose(motion.joints[-1, joints], expected, atol=1e-4)


def test_names_of_a_coco_category_win_over_the_count() -> None:
    points = person_2d(H36M)
    value = {
        "images": [{"id": i + 1, "width": 640, "height": 480} for i in range(30)],
        "annotations": [
            {"id": i + 1, "image_id": i + 1, "category_id": 1, "keypoints": p.ravel().tolist()}
            for i, p in enumerate(points)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(H36M)}],
    }
    check_2d(load(dump(value), fps=30))


def crossing(key: str | None) -> bytes:
    """Two people who pass each other; the one who starts on the left is hidden for six frames."""
    results = []
    for frame, points in enumerate(person_2d(LAYOUTS["coco17"], frames=60)):
        for number, start, step in ((1, 0, 10), (2, 620, -10)):
            if number == 1 and 28 <= frame < 34:
                continue
            moved = points.copy()
            moved[:, 0] += start + step * frame
            entry = {"image_id": f"{frame}.jpg", "keypoints": moved.ravel().tolist(), "score": 3.0 - number}
            results.append(entry if key is None else {**entry, key: number})
    return dump(results)


@pytest.mark.parametrize("key", ["idx", "track_id", None])
def test_one_person_is_followed_through_a_crossing(key: str | None) -> None:
    motion = load(crossing(key), fps=20)
    scale = float(motion.details["unit"].split()[0])
    assert motion.joints[-1, 0, 0] - motion.joints[0, 0, 0] == pytest.approx(590 * scale, rel=0.02)
    assert motion.confidence is not None
    assert (motion.confidence[28:34] == 0).all()
    expected = "2 people told apart by nearness" if key is None else "2 people by the file's track numbers"
    assert any(note.startswith(expected) for note in motion.notes)


def test_mediapipe_image_landmarks_with_depth_are_a_picture() -> None:
    names = LAYOUTS["mediapipe33"]
    points = person_2d(names)
    fractions = points.copy()
    fractions[..., 0] /= 640
    fractions[..., 1] /= 480
    fractions[..., 2] = np.random.default_rng(0).normal(0, 0.03, fractions.shape[:2])
    hips = [names.index("left_hip"), names.index("right_hip")]
    fractions[:, hips[0], 2] = -fractions[:, hips[1], 2]  # z counts from the middle of the hips
    motion = load(fractions, fps=30)
    assert motion.dimensions == 2
    assert motion.confidence is not None
    assert (motion.joints[..., 2] == 0).all()
    assert motion.confidence[:, J["left_wrist"]].min() == 1
    assert motion.joints[0, J["head"], 1] > motion.joints[0, J["pelvis"], 1] > motion.joints[0, J["left_ankle"], 1]
    assert any("fractions of an image of unknown size" in note for note in motion.notes)
    sized = load(fractions, fps=30, size="640x480")
    check_2d(sized)
    assert not any("unknown size" in note for note in sized.notes)
    with pytest.raises(InputError, match="such as 1920x1080"):
        load(fractions, fps=30, size="wide")
    pixels = fractions * [640, 480, 640]
    check_2d(load(pixels, fps=30))


def cases(shared: Path, name: str) -> Path:
    [file] = [file for file in (shared.parent / "cases" / name).iterdir() if file.name != "EXPECT.txt"]
    return file


def test_mmpose_results_of_a_walk(shared: Path) -> None:
    motion = load(cases(shared, "03-mmpose3d-json-names-ignored"))
    assert motion.dimensions == 3
    assert motion.joints[-1, 0, 2] - motion.joints[0, 0, 2] == pytest.approx(1.74, abs=0.03)
    assert np.median(motion.joints[:, 0, 1]) == pytest.approx(0.91, abs=0.02)


def test_coco_annotations_of_a_walk(shared: Path) -> None:
    joints = load(cases(shared, "04-coco-annotation-category-names-ignored")).joints
    ankles = joints[:, [J["left_ankle"], J["right_ankle"]], 1].max(axis=1)
    assert (joints[:, J["head"], 1] > joints[:, 0, 1]).all()
    assert (joints[:, 0, 1] > ankles).all()
    assert joints[-1, 0, 0] < joints[0, 0, 0] - 1


def test_alphapose_results_of_a_crossing(shared: Path) -> None:
    motion = load(cases(shared, "14-alphapose-ids-ignored-crossing"))
    assert motion.joints[-1, 0, 0] - motion.joints[0, 0, 0] == pytest.approx(5.7, abs=0.1)
    assert any("2 people" in note for note in motion.notes)


def test_image_landmarks_of_a_walk(shared: Path) -> None:
    motion = load(cases(shared, "21-mediapipe-image-landmarks-as-metres"))
    assert motion.dimensions == 2
    assert any("fractions of an image of unknown size" in note for note in motion.notes)
    assert motion.joints[0, J["head"], 1] > motion.joints[0, 0, 1] > motion.joints[0, J["left_ankle"], 1]
    sized = load(cases(shared, "21-mediapipe-image-landmarks-as-metres"), size=(1920, 1080)).joints
    leg = np.linalg.norm(sized[0, 4] - sized[0, 1]) + np.linalg.norm(sized[0, 7] - sized[0, 4])
    assert abs(sized[-1, 0, 0] - sized[0, 0, 0]) / leg == pytest.approx(1.74 / 0.79, rel=0.1)


def test_unseen_joints_have_no_confidence_and_a_finite_place() -> None:
    points = person_2d(LAYOUTS["coco17"])
    wrist, hip = LAYOUTS["coco17"].index("left_wrist"), LAYOUTS["coco17"].index("left_hip")
    points[:, wrist] = 0  # detectors write zeros
    points[4:9, hip] = np.nan
    motion = load(points, fps=30)
    assert motion.confidence is not None
    assert (motion.confidence[:, J["left_wrist"]] == 0).all()
    assert (motion.confidence[:, J["left_foot"]] == 0).all(), "COCO has no toes"
    assert motion.confidence[4, J["left_hip"]] == 0
    assert motion.confidence[4, J["pelvis"]] == 0, "what follows from an unseen joint is unseen"
    assert (motion.confidence[:, J["right_wrist"]] > 0.8).all()
    assert np.isfinite(motion.joints).all()


def test_no_confidence_and_visibility_flags() -> None:
    points = person_2d(LAYOUTS["coco17"])
    bare = load(points[..., :2], fps=30)
    assert bare.confidence is not None
    assert set(np.unique(bare.confidence)) == {0.0, 1.0}
    points[..., 2] = 2
    points[:, 3, 2] = 1
    points[:, 9, 2] = 0
    flags = load(points, fps=30)
    assert flags.confidence is not None
    assert (flags.confidence[:, J["left_wrist"]] == 0).all()
    assert flags.confidence[0, J["right_wrist"]] == 1


def test_legs_only_and_torso_only_views() -> None:
    points = person_2d(LAYOUTS["coco17"])
    upper = points.copy()
    upper[:, 11:] = 0
    motion = load(upper, fps=30)
    assert motion.confidence is not None
    assert motion.confidence[0, J["left_shoulder"]] > 0
    assert motion.confidence[0, J["pelvis"]] == 0
    lower = points.copy()
    lower[:, :11] = 0
    assert np.isfinite(load(lower, fps=30).joints).all()


def test_three_dimensional_names() -> None:
    names = LAYOUTS["h36m17"]
    body = np.stack([T_POSE[J[{"neck_base": "neck", "spine": "spine2", "thorax": "spine3"}.get(n, n)]] for n in names])
    frames = np.repeat(body[None], 20, axis=0) * 1000
    frames[..., 1] += 950
    value = {"fps": 20, "format": "h36m17", "frames": (frames @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])).tolist()}
    motion = load(dump(value))
    assert (motion.dimensions, motion.source) == (3, "h36m17")
    assert motion.details["unit"] == "mm (detected)"
    assert motion.details["up"] == "Z (detected)"
    joints = [J[j] for j in ("left_wrist", "right_ankle", "head", "left_knee")]
    np.testing.assert_allclose(motion.joints[0, joints], T_POSE[joints] + [0, 0.95, 0], atol=1e-4)


def test_real_annotations(shared: Path) -> None:
    data = np.load(shared / "labelled" / "penn_action_2d.npz")
    entry = json.loads((shared / "labelled" / "index.json").read_text())["penn_action_2d"][0]
    points = data["keypoints2d"][entry["start"] : entry["start"] + entry["frames"]].astype(float)
    points[..., :2] *= float(data["scale"])
    motion = load(points, fps=entry["fps"], format="penn13")
    assert motion.dimensions == 2
    assert motion.source_fps == 30
    upright = (
        motion.joints[:, J["head"], 1]
        - (motion.joints[:, J["left_ankle"], 1] + motion.joints[:, J["right_ankle"], 1]) / 2
    )
    assert np.median(upright) > 0.8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "damaged or truncated"),
        (b"[1, 2, ", "damaged or truncated"),
        (b"[]", "no frames"),
        (b"{}", "no frames"),
        (b'{"frames": []}', "no frames"),
        (b'{"frames": [[]]}', "no frame holds a person"),
        (b'{"frames": ["a", "b"]}', "something other"),
        (b"[[1,2,3,4,5]]", "something other"),
        (b"[[[1,2,3],[1,2,3]]]", "2 keypoints per frame"),
        (b'[{"people": []}]', "no frame holds a person"),
        (dump([[[0, 0, 0]] * 17] * 3), "no keypoint is seen"),
        (dump({"names": ["a"] * 17, "frames": [[[1, 2, 0.5]] * 17]}), "none of the keypoint names"),
        (dump({"names": ["a"] * 3, "frames": [[[1, 2, 0.5]] * 17]}), "3 keypoint names"),
        (dump({"fps": "fast", "frames": [[[1, 2, 0.5]] * 17]}), "fps"),
        (dump({"fps": -1, "frames": [[[1, 2, 0.5]] * 17]}), "fps"),
        (b"[" * 100_000, "damaged or truncated"),
        (b"\xff\xfe[", "not a known|UTF-8"),
        (b'[[[1,2,"x"],[1,2,3]]]', "something other"),
    ],
)
def test_broken_json_gets_one_sentence(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(data, name="a.json")
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_keypoints_that_are_nowhere_are_refused_without_a_warning() -> None:
    values = np.full((4, 17, 3), np.nan)
    values[..., 2] = 0.9
    with pytest.raises(InputError, match="no keypoint is seen"):
        load(values)
