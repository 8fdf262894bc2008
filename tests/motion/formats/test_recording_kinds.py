"""Kinds of recordings that people have, made from a known clip: read as it was, or what is doubtful is said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mocap_files import dump
from test_body_score import arranged

from research.vimos_open.synthesis import generate
from vimonet.motion import JOINT_NAMES, Motion, load
from vimonet.motion.io.bvh_writer import bvh_text, rest_offsets
from vimonet.motion.io.units_and_axes import _UP_ROTATIONS, correct_up
from vimonet.motion.joint_names import LAYOUTS, map_joints
from vimonet.utils.errors import InputError

J = {name: index for index, name in enumerate(JOINT_NAMES)}
LIMBS = [J[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "ankle", "shoulder", "elbow")]
WRISTS = [J["left_wrist"], J["right_wrist"]]


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """A turn to the left while walking, [T, 22, 3]: left, right, front and rate can all be told from it."""
    return load("sample:turn_left").joints.astype(float)


def written(joints: np.ndarray, fps: float = 20.0, **options: Any) -> str:
    return bvh_text(Motion(joints.astype(np.float32), fps, "clip"), rigid=True, **options)[0]


def same(motion: Motion, joints: np.ndarray, which: list[int] | None = None, *, within: float = 0.03) -> None:
    """The motion is the clip, but for its place on the ground."""
    which = which or LIMBS + WRISTS
    assert motion.dimensions == 3 and abs(motion.frames - len(joints)) <= 1
    frames = min(motion.frames, len(joints))
    off = motion.joints[:frames, which] - joints[:frames, which]
    off -= off.mean(axis=(0, 1)) * [1, 0, 1]
    assert np.abs(off).max() < within


def noted(motion: Motion, words: str) -> bool:
    return any(words in note for note in motion.notes)


def edited(text: str, names: dict[str, str]) -> bytes:
    return re.sub(r"(?<=JOINT |.ROOT )\w+", lambda name: names.get(name[0], name[0]), text).encode()


# Left and right


@pytest.mark.parametrize("layout", ["coco17", "h36m17", "penn13"])
def test_left_handed_points_without_toes_are_told_by_the_knees(clip: np.ndarray, layout: str) -> None:
    points = arranged(clip, layout)
    right = load(points, fps=20)
    left = load(points * [-1, 1, 1], fps=20)
    assert noted(left, "left-handed coordinates") and not noted(right, "left-handed")
    same(left, right.joints, LIMBS)


def front_of(joints: np.ndarray) -> np.ndarray:
    left = joints[:, J["left_shoulder"]] - joints[:, J["right_shoulder"]]
    front = np.stack([-left[:, 2], np.zeros(len(left)), left[:, 0]], axis=1)
    return front / np.linalg.norm(front, axis=1, keepdims=True)


def posed(joints: np.ndarray, *, knees: float, hands: float) -> np.ndarray:
    """The clip with knees and wrists so far, m, in front of straight legs and of hanging arms."""
    out, front = joints.copy(), front_of(joints)
    for side in ("left", "right"):
        hip, ankle, elbow = (J[f"{side}_{part}"] for part in ("hip", "ankle", "elbow"))
        out[:, J[f"{side}_knee"]] = (joints[:, hip] + joints[:, ankle]) / 2 + knees * front
        out[:, J[f"{side}_wrist"]] = joints[:, elbow] + hands * front - [0, 0.1, 0]
    return out


@pytest.mark.parametrize("knees", [0.0, 0.15])
def test_forearms_tell_the_front_with_knees_or_without(clip: np.ndarray, knees: float) -> None:
    points = arranged(posed(clip, knees=knees, hands=0.2), "h36m17")
    right, left = load(points, fps=20), load(points * [-1, 1, 1], fps=20)
    assert noted(left, "left-handed coordinates, unless a depth sensor")
    assert not noted(right, "left-handed") and not noted(right, "left and right")
    same(left, right.joints, LIMBS)


def test_knees_that_bend_back_under_forearms_to_the_front_turn_nothing_over(clip: np.ndarray) -> None:
    """Depth sensors put the knees of straight legs behind them."""
    joints = posed(clip, knees=-0.12, hands=0.2)
    motion = load(arranged(joints, "h36m17"), fps=20)
    assert noted(motion, "left and right are uncertain: knees bend to the back") and not noted(motion, "left-handed")
    same(motion, joints, LIMBS)
    behind = load(arranged(posed(clip, knees=-0.12, hands=-0.2), "h36m17"), fps=20)
    assert noted(behind, "left-handed coordinates"), "both to the back: the names are those of a mirror"


def test_sides_that_change_places_within_a_recording_are_said(clip: np.ndarray) -> None:
    """Depth sensors take a person who turns away for one who faces them, and swap the sides."""
    joints = posed(clip, knees=0.12, hands=0.2)
    half = len(joints) // 2
    for name, index in J.items():
        if name.startswith("left"):
            other = J[name.replace("left", "right")]
            joints[half:, [index, other]] = joints[half:, [other, index]]
    motion = load(arranged(joints, "h36m17"), fps=20)
    assert noted(motion, "left and right change places: in 50 % of the frames") and not noted(motion, "left-handed")


# Pictures


@pytest.mark.parametrize("layout", ["coco17", "body25", "mediapipe33"])
def test_pictures_with_y_upwards_are_turned_over(clip: np.ndarray, layout: str) -> None:
    pixels = arranged(clip, layout)[..., :2] * [250, -250] + [960, 900]
    down = load(pixels, fps=20)
    up = load(pixels * [1, -1] + [0, 1080], fps=20)
    np.testing.assert_allclose(up.joints, down.joints, atol=1e-3)
    assert noted(up, "y points up") and not noted(down, "y points up")
    stated = load(pixels * [1, -1] + [0, 1080], fps=20, up="y")
    np.testing.assert_allclose(stated.joints, down.joints, atol=1e-3)
    over = load(pixels * [1, -1] + [0, 1080], fps=20, up="-y")
    assert over.joints[0, J["head"], 1] < over.joints[0, J["pelvis"], 1] and not over.notes[0].startswith("y points")
    with pytest.raises(InputError, match="--up is y or -y"):
        load(pixels, fps=20, up="z")


def test_a_handstand_in_a_picture_stays_one(clip: np.ndarray) -> None:
    body = arranged(clip, "coco17")[..., :2]
    names = list(LAYOUTS["coco17"])
    for side in ("left", "right"):  # arms stretched out above the head
        shoulder = body[:, names.index(f"{side}_shoulder")]
        body[:, names.index(f"{side}_elbow")] = shoulder + np.array([0, 0.28])
        body[:, names.index(f"{side}_wrist")] = shoulder + np.array([0, 0.52])
    motion = load(body * 250 + [960, 100], fps=20)  # y down: on the hands
    assert motion.joints[0, J["left_ankle"], 1] > motion.joints[0, J["head"], 1]
    assert noted(motion, "upside down throughout, on the hands")


def test_whoever_falls_with_the_head_towards_the_camera_is_not_turned_over(clip: np.ndarray) -> None:
    body = arranged(clip, "coco17")[:40, :, :2]
    stands = body * [250, -250] + [960, 900]
    lies = np.repeat(body[-1:] * [250, 100] + [960, 700], 160, axis=0)  # foreshortened, the head nearest
    motion = load(np.concatenate([stands, lies]), fps=20)
    assert not noted(motion, "y points up")
    assert motion.joints[0, J["head"], 1] > motion.joints[0, J["left_ankle"], 1]


@pytest.mark.parametrize("layout", ["humanml3d22", "smpl24", "lafan22"])
def test_pixels_and_confidence_of_a_bodys_joints_are_a_picture(clip: np.ndarray, layout: str) -> None:
    pixels = arranged(clip, layout)[..., :2] * [250, -250] + [960, 900]
    score = np.random.default_rng(0).uniform(0.6, 1.0, (*pixels.shape[:2], 1))
    motion = load(np.concatenate([pixels, score], axis=2), fps=20)
    assert motion.dimensions == 2 and motion.source == layout
    np.testing.assert_allclose(motion.joints, load(pixels, fps=20).joints, atol=1e-4)


def test_metres_of_33_points_are_no_picture(clip: np.ndarray) -> None:
    """Landmarks of MediaPipe's picture have y down and z from the hips; y up, or a person's height, are metres."""
    joints = clip * 0.8
    same(load(arranged(joints, "mediapipe33"), fps=20), joints, LIMBS)


# BVH


def test_hands_and_feet_that_are_end_sites_are_found(clip: np.ndarray) -> None:
    text = written(clip)
    for name in ("LeftHand", "RightHand", "LeftToe", "RightToe", "Head"):
        # the joint becomes the end site of the one above it, as exporters write the last joint of a chain
        body = re.search(rf"(\t*)JOINT {name}\n\t*{{\n(\t*OFFSET [^\n]*)\n(?:.*\n)*?\1}}\n", text)
        assert body
        text = text.replace(body[0], f"{body[1]}End Site\n{body[1]}{{\n{body[2]}\n{body[1]}}}\n")
    head, rows = text.split("MOTION")
    kept, column = [], 0
    for joint in re.findall(r"(?:JOINT|ROOT) (\w+)", written(clip)):
        width = 6 if joint == "Hips" else 3
        kept += range(column, column + width) if f"JOINT {joint}\n" in head or joint == "Hips" else ()
        column += width
    lines = rows.strip().split("\n")
    values = [" ".join(np.array(line.split())[kept]) for line in lines[2:]]
    motion = load("\n".join([head + "MOTION", *lines[:2], *values]).encode())
    same(motion, clip)
    assert not noted(motion, "told by the shape")


def test_limbs_that_are_named_are_not_told_by_their_shape(clip: np.ndarray) -> None:
    names = {"LeftHand": "bone_a", "RightHand": "bone_b", "Hips": "bone_c", "Head": "bone_d", "Neck": "bone_e"}
    same(load(edited(written(clip), names)), clip)


@pytest.mark.parametrize(
    "sides", [("左{}", "右{}"), ("{}.L", "{}.R"), ("{}_L", "{}_R")], ids=["left right", "dot", "underscore"]
)
@pytest.mark.parametrize("deform", ["", "D"])
def test_bones_of_mikumikudance(sides: tuple[str, str], deform: str) -> None:
    words = {"hip": "足" + deform, "knee": "ひざ" + deform, "ankle": "足首" + deform, "foot": "つま先"}
    words |= {"shoulder": "腕", "elbow": "ひじ", "wrist": "手首"}
    names = ["センター", "下半身", "上半身", "首", "頭"]
    names += [form.format(word) for form in sides for word in words.values()]
    found = map_joints(names)
    for side, form in zip(("left", "right"), sides, strict=True):
        for joint, word in words.items():
            assert names[found[f"{side}_{joint}"]] == form.format(word)


@pytest.mark.parametrize("comment", ["# exported by a tool\n", "; v2\r\n\r\n", "// a\n// b\n"])
def test_comments_before_the_hierarchy_are_skipped(clip: np.ndarray, comment: str) -> None:
    same(load((comment + written(clip)).encode()), clip)


def test_a_short_t_pose_at_the_start_is_dropped_and_a_long_one_kept(clip: np.ndarray) -> None:
    text = written(clip)
    head, rows = text.split("MOTION")
    lines = rows.strip().split("\n")
    first = lines[2].split()
    pose = " ".join([*first[:3], *["0"] * (len(first) - 3)])  # the rest pose
    for frames, words in ((1, "first frame dropped: a T-pose"), (5, "first 5 frames dropped: a T-pose")):
        motion = load("\n".join([head + "MOTION", *lines[:2], *[pose] * frames, *lines[2:]]).encode())
        assert noted(motion, words)
        same(motion, clip)
    held = load("\n".join([head + "MOTION", *lines[:2], *[pose] * 20, *lines[2:]]).encode())
    assert noted(held, "begins with a T-pose held for 1.0 s") and held.frames == len(clip) + 20


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_a_root_that_was_turned_is_turned_back(clip: np.ndarray, axis: int, degrees: int) -> None:
    joints = clip - clip[0, 0] * [1, 0, 1]
    motion = load(turned_root(joints, axis, degrees))
    assert noted(motion, "the root is turned")
    off = motion.joints[:, LIMBS, 1] - joints[: motion.frames, LIMBS, 1]
    assert np.abs(off).max() < 0.03  # feet below, head above
    way = [np.linalg.norm((body[-1, 0] - body[0, 0])[[0, 2]]) for body in (motion.joints, joints)]
    assert abs(way[0] - way[1]) < 0.03


@pytest.fixture(scope="module")
def crawl() -> np.ndarray:
    return generate("crawl", seed=2)[0].joints.astype(float)


def heights(joints: np.ndarray) -> np.ndarray:
    return np.asarray(joints[:, [*LIMBS, J["head"]], 1] - joints[:, :1, 1])


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("degrees", [90, -90])
def test_a_crawl_whose_root_was_turned_is_turned_back(crawl: np.ndarray, axis: int, degrees: int) -> None:
    motion = load(turned_root(crawl - crawl[0, 0] * [1, 0, 1], axis, degrees))
    assert (axis, degrees) == (2, 90) or noted(
        motion, "knees and hands are below the trunk"
    )  # there, the body faces away from that axis
    assert np.abs(heights(motion.joints) - heights(crawl)[: motion.frames]).max() < 0.03


@pytest.mark.parametrize("axis", ["Y", "Z", "-Y", "X"])
@pytest.mark.parametrize("centred", [False, True])
def test_a_crawl_is_on_its_knees_along_every_axis(crawl: np.ndarray, axis: str, centred: bool) -> None:
    joints = crawl - crawl[:, :1] if centred else crawl
    motion = load(joints @ np.array(_UP_ROTATIONS[axis]), fps=20)
    if axis == "-Y" and not centred:  # both the ground and the back are level
        assert noted(motion, "--up=-y")
    else:
        assert np.abs(heights(motion.joints) - heights(crawl)).max() < 0.03


@pytest.mark.parametrize("axis", ["Y", "-Y", "X", "Z"])
def test_a_body_that_lies_a_while_without_a_floor_is_right_or_doubted(axis: str) -> None:
    joints = generate("get_up", seed=7)[0].joints
    motion = load((joints - joints[:, :1]) @ np.array(_UP_ROTATIONS[axis]), fps=20)
    assert noted(motion, "--up=")
    stands = generate("squats", seed=7)[0].joints
    assert not noted(load((stands - stands[:, :1]) @ np.array(_UP_ROTATIONS[axis]), fps=20), "--up=")


@pytest.mark.parametrize(("axis", "degrees", "up"), [(0, 90, "z"), (2, 90, "-x")])
def test_a_body_that_lies_down_on_a_turned_root_is_doubted(axis: int, degrees: int, up: str) -> None:
    joints = generate("lie_down", seed=7)[0].joints.astype(float)
    assert not noted(load(written(joints).encode()), "--up")
    motion = load(turned_root(joints - joints[0, 0] * [1, 0, 1], axis, degrees))
    assert noted(motion, f"--up={up} if it stands") and noted(motion, "hardly ever upright along Y")


def turned_root(joints: np.ndarray, axis: int, degrees: int) -> bytes:
    """A BVH whose movement is turned, but not its rest pose: one more joint above, as careless converters have it."""
    head, rows = written(joints).split("MOTION")
    head = head.replace(
        "HIERARCHY\nROOT Hips", "HIERARCHY\nROOT world\n{\nOFFSET 0 0 0\nCHANNELS 3 " + ORDER + "\nJOINT Hips"
    )
    turn = ["0", "0", "0"]
    turn["ZYX".index("XYZ"[axis])] = str(degrees)
    lines = rows.strip().split("\n")
    return "\n".join([head + "}\nMOTION", *lines[:2], *(" ".join([*turn, line]) for line in lines[2:])]).encode()


@pytest.mark.parametrize("axis", ["Y", "-Y", "X", "Z"])
def test_the_axis_of_smpl_parameters_is_that_of_the_body(clip: np.ndarray, axis: str) -> None:
    turned = clip @ np.array(_UP_ROTATIONS[axis])
    found, note = correct_up(turned, "Z")
    assert found == axis and (note is None) == (axis == "Z")


ORDER = "Zrotation Yrotation Xrotation"


# Rate


def test_a_rate_at_which_nobody_moves_is_said(clip: np.ndarray) -> None:
    walk = load("sample:walk").joints.astype(float)
    for joints in (clip, walk):
        assert not noted(load(joints, fps=20), "probably wrong")
        assert noted(load(joints, fps=100), "the rate of 100 frames/s is probably wrong; --fps corrects it")


@pytest.mark.parametrize("part", ["first", "last"])
def test_a_frozen_beginning_or_end_is_said(clip: np.ndarray, part: str) -> None:
    still = np.repeat(clip[:1] if part == "first" else clip[-1:], 20, axis=0)
    whole = [still, clip] if part == "first" else [clip, still]
    assert noted(load(np.concatenate(whole), fps=20), f"the {part} 1.1 s repeat one frame")
    assert not noted(load(clip, fps=20), "repeat one frame")


# JSON


def annotations(pixels: np.ndarray, images: list[int], category: int = 1) -> list[dict[str, Any]]:
    return [
        {"id": k, "image_id": image, "category_id": category, "keypoints": [*np.append(q, np.full((17, 1), 2), 1).flat]}
        for k, (image, q) in enumerate(zip(images, pixels, strict=True))
    ]


def test_a_coco_file_says_which_points_which_animal_and_which_frame(clip: np.ndarray) -> None:
    order = np.random.default_rng(1).permutation(17)
    names = [LAYOUTS["h36m17"][k] for k in order]
    pixels = arranged(clip, "h36m17")[:, order, :2] * [250, -250] + [960, 900]
    truth = load(dump({"fps": 20, "names": names, "frames": pixels.tolist()}))
    ids = np.random.default_rng(2).permutation(len(clip)) + 100
    value = {
        "images": [{"id": int(one), "file_name": f"v/{t:04}.jpg"} for t, one in enumerate(ids)],
        "categories": [{"id": 7, "name": "dog", "keypoints": ["nose", "tail"]}, {"id": 1, "keypoints": names}],
        "annotations": [
            *annotations(pixels, ids.tolist()),
            {"id": 0, "image_id": int(ids[0]), "category_id": 7, "keypoints": [1, 1, 2, 3, 3, 2]},
        ],
    }
    motion = load(dump(value), fps=20)
    np.testing.assert_allclose(motion.joints, truth.joints, atol=1e-3)


@pytest.mark.parametrize("key", ["keypoint_id2name", "keypoint_info"])
def test_names_of_mmpose_in_every_form(clip: np.ndarray, key: str) -> None:
    names = list(LAYOUTS["h36m17"][::-1])
    pixels = arranged(clip, "h36m17")[:, ::-1, :2] * [250, -250] + [960, 900]
    told: Any = names if key == "keypoint_id2name" else {str(k): {"name": one} for k, one in enumerate(names)}
    frames = [
        {"frame_id": t, "instances": [{"keypoints": q.tolist(), "keypoint_scores": [0.9] * 17}]}
        for t, q in enumerate(pixels)
    ]
    motion = load(dump({"meta_info": {key: told}, "instance_info": frames}), fps=20)
    np.testing.assert_allclose(motion.joints, load(pixels[:, ::-1], fps=20, format="h36m17").joints, atol=1e-3)


def test_frames_that_are_missing_are_gaps_in_time(clip: np.ndarray, tmp_path: Path) -> None:
    pixels = arranged(clip, "coco17")[..., :2] * [250, -250] + [960, 900]
    frames = [
        {"frame_id": t + 5, "instances": [{"keypoints": q.tolist(), "keypoint_scores": [0.9] * 17}]}
        for t, q in enumerate(pixels)
        if not 20 <= t < 26
    ]
    assert load(dump({"instance_info": frames}), fps=20).frames == len(clip)
    for t, q in enumerate(pixels):
        points = np.append(np.zeros((25, 2)), np.full((25, 1), 0.9), 1)
        points[:17, :2] = q
        if not 20 <= t < 26:
            text = json.dumps({"people": [{"pose_keypoints_2d": [*points.flat]}]})
            (tmp_path / f"v_{t + 5:012}_keypoints.json").write_text(text)
    assert load(tmp_path, fps=20).frames == len(clip)
    third = [frame | {"frame_id": 3 * frame["frame_id"]} for frame in frames[:20]]
    assert load(dump({"instance_info": third}), fps=20).frames == 20  # every third frame was looked at


def test_frames_without_known_keys_are_refused_by_what_they_have() -> None:
    with pytest.raises(InputError, match="its frames have output_0, and no points under a known key"):
        load(dump([{"output_0": [[[0.5, 0.5, 0.9]] * 17]}] * 3), fps=20)


# Written


def test_the_rest_pose_is_upright_where_a_source_lacks_half_a_chest(clip: np.ndarray) -> None:
    """Collars level with the shoulders, the neck low between them: the T-pose still has head over neck over chest."""
    joints = clip.copy()
    for joint in ("neck", "head", "left_collar", "right_collar", "left_shoulder", "right_shoulder"):
        joints[:, J[joint]] -= 0.12 * (clip[:, J["neck"]] - clip[:, J["pelvis"]]) / 0.5
    rest = rest_offsets(joints)
    for joint in ("spine1", "spine2", "spine3", "neck", "head"):
        assert rest[J[joint], 1] > 0.8 * np.linalg.norm(rest[J[joint]])
    same(load(written(joints).encode()), joints)
