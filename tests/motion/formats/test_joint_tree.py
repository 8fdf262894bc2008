"""Joints by the shape of the skeleton, where names say nothing or lie; joint maps for what is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mocap_files import LAFAN, bvh_text, walk_like

from vimonet.cli import main
from vimonet.motion import load, recording_info
from vimonet.motion.io.joint_finding import find_joints
from vimonet.motion.joint_names import family_of
from vimonet.motion.joint_tree import map_tree
from vimonet.motion.skeleton import JOINT_NAMES, PARENTS, T_POSE
from vimonet.utils.errors import InputError

_ROTATIONS, _ROOT = walk_like(8)
_TRUE = load(bvh_text(_ROTATIONS, _ROOT).encode())
_LIMBS = tuple(range(1, 3)) + tuple(range(4, 6)) + (7, 8, 10, 11, 16, 17, 18, 19, 20, 21)


def _nonsense(sides: bool) -> list[str]:
    """Names that no table knows, with or without the side."""
    return [
        f"qu{'xyz'[k % 3]}{chr(97 + k)}" + ({"left": "_L", "right": "_R"}.get(n.split("_")[0], "") if sides else "")
        for k, n in enumerate(JOINT_NAMES)
    ]


@pytest.mark.parametrize("sides", [True, False])
def test_a_body_without_known_names_is_told_by_its_shape(sides: bool) -> None:
    motion = load(bvh_text(_ROTATIONS, _ROOT, names=_nonsense(sides)).encode())
    np.testing.assert_allclose(motion.joints[:, _LIMBS], _TRUE.joints[:, _LIMBS], atol=1e-4)
    assert any("told by the shape of the skeleton" in note for note in recording_info(motion)["notes"])


@pytest.mark.parametrize(("above", "below"), [(0, 0), (2, 2), (1, 3), (3, 1), (3, 4), (0, 2)])
def test_the_middle_of_mgears_numbered_limbs_is_told_by_the_tree(above: int, below: int) -> None:
    words = {"hip": "leg_{}0_0_jnt", "ankle": "leg_{}0_end_jnt", "foot": "foot_{}0_0_jnt"}
    words |= {"collar": "shoulder_{}0_0_jnt", "shoulder": "arm_{}0_0_jnt", "wrist": "arm_{}0_end_jnt"}
    words |= {"pelvis": "spine_C0_0_jnt", "neck": "neck_C0_0_jnt", "head": "neck_C0_head_jnt"}
    words |= {f"spine{k}": f"spine_C0_{k}_jnt" for k in (1, 2, 3)}
    words |= {"knee": f"leg_{{}}0_{above + 1}_jnt", "elbow": f"arm_{{}}0_{above + 1}_jnt"}
    names: list[str] = ["root_C0_0_jnt"]
    parents, rest, at = [-1], [np.array([0, -0.9, 0])], {-1: 0}
    for joint, (name, parent) in enumerate(zip(JOINT_NAMES, PARENTS, strict=True)):
        side, _, word = name.rpartition("_")
        last = at[parent]
        twists = above if word in ("knee", "elbow") else below if word in ("ankle", "wrist") else 0
        for k in range(twists):
            limb = "leg" if word in ("knee", "ankle") else "arm"
            number = k + 1 if word in ("knee", "elbow") else above + 2 + k
            names.append(f"{limb}_{side[0].upper()}0_{number}_jnt")
            parents.append(last)
            rest.append(T_POSE[parent] + (T_POSE[joint] - T_POSE[parent]) * (k + 1) / (twists + 1))
            last = len(names) - 1
        at[joint] = len(names)
        names.append(words[word].format(side[:1].upper()))
        parents.append(last)
        rest.append(T_POSE[joint])
    notes: list[str] = []
    found = find_joints(names, "rig", parents=parents, rest=np.array(rest), notes=notes)
    assert {joint: found[joint] for joint in JOINT_NAMES} == {joint: at[k] for k, joint in enumerate(JOINT_NAMES)}
    assert bool(notes) == bool(above or below)
    assert family_of(names) == "mgear"


def test_an_end_site_is_no_head_in_any_script() -> None:
    marks = {"left": "左", "right": "右"}
    names = [f"{marks.get(name.split('_')[0], '')}骨{chr(0x4E8C + k)}" for k, name in enumerate(JOINT_NAMES)]
    text = bvh_text(_ROTATIONS, _ROOT, names=names).replace("OFFSET 0 0 0", "OFFSET 0 9 4")  # end sites
    motion = load(text.encode())
    np.testing.assert_allclose(motion.joints[:, 15], _TRUE.joints[:, 15], atol=1e-4)


def test_names_that_differ_in_one_letter_tell_the_sides() -> None:
    toes = ("left_foot", "right_foot")
    sides = {"left": "L", "right": "R"}
    names = [f"Q{chr(65 + k)}{'UVW'[k % 3]}{sides.get(name.split('_')[0], '')}" for k, name in enumerate(JOINT_NAMES)]
    names = [names[k - 1][:-1] + "R" if "right" in name else names[k] for k, name in enumerate(JOINT_NAMES)]
    text = bvh_text(_ROTATIONS, _ROOT, names=names, skip=toes).replace("OFFSET 0 0 0", "OFFSET 0 -9 -1")
    limbs = [k for k in _LIMBS if k not in (10, 11)]
    np.testing.assert_allclose(load(text.encode()).joints[:, limbs], _TRUE.joints[:, limbs], atol=1e-4)


def test_an_end_site_that_prolongs_the_shin_tells_no_side() -> None:
    toes = ("left_foot", "right_foot")
    text = bvh_text(_ROTATIONS, _ROOT, names=_nonsense(False), skip=toes).replace("OFFSET 0 0 0", "OFFSET 0 -9 -1")
    with pytest.raises(InputError, match="no joint known as"):
        load(text.encode())


def test_eyes_and_jaw_are_no_head() -> None:
    leaf = "  JOINT {} {{ OFFSET 0 4 9 CHANNELS 3 Zrotation Xrotation Yrotation\nEnd Site {{ OFFSET 0 0 1 }}}}\n"
    text = bvh_text(_ROTATIONS, _ROOT, names=_nonsense(True))
    head, rows = text.split("MOTION\n")
    at = head.index("End Site", head.index(_nonsense(True)[15]))
    lines = rows.splitlines()
    before = 6 + 3 * sum(line.split()[0] == "JOINT" for line in head[:at].splitlines() if line.strip())
    for k in range(2, len(lines)):
        row = lines[k].split()
        lines[k] = " ".join([*row[:before], *["0"] * 6, *row[before:]])
    face = head[:at] + leaf.format("qa") + leaf.format("qb") + head[at:]
    motion = load((face + "MOTION\n" + "\n".join(lines) + "\n").encode())
    np.testing.assert_allclose(motion.joints[:, 15], _TRUE.joints[:, 15], atol=1e-4)


def test_toes_tell_the_sides_of_a_body_that_was_written_mirrored() -> None:
    """Names without sides, right limbs first: the left leg is still the one on the left of where the toes point."""
    names = [name.replace("left", "one").replace("right", "two") for name in JOINT_NAMES]
    swapped = [names[JOINT_NAMES.index(n.replace("left", "R").replace("right", "left").replace("R", "right"))]
               for n in JOINT_NAMES]  # fmt: skip
    found = map_tree(swapped, PARENTS, T_POSE)
    assert T_POSE[found["left_knee"], 0] > 0 > T_POSE[found["right_knee"], 0]
    assert T_POSE[found["left_wrist"], 0] > 0 > T_POSE[found["right_wrist"], 0]


def test_twist_bones_between_joints_are_no_joints() -> None:
    names, parents, rest = list(map(str, _nonsense(True))), list(PARENTS), [*T_POSE.astype(float)]
    for child in (4, 5, 7, 8, 18, 19):  # a bone in the middle of each long bone
        parents.append(parents[child])
        rest.append((rest[child] + rest[parents[child]]) / 2)
        names.append(f"tw{child}")
        parents[child] = len(parents) - 1
    order = []
    while len(order) < len(names):  # parents first
        order += [j for j in range(len(names)) if j not in order and (parents[j] < 0 or parents[j] in order)]
    back = {j: k for k, j in enumerate(order)}
    found = map_tree(
        [names[j] for j in order],
        [back.get(parents[j], -1) for j in order],
        np.array([rest[j] for j in order]),
    )
    for joint in ("left_knee", "right_ankle", "left_elbow", "right_wrist", "left_hip", "right_shoulder"):
        assert order[found[joint]] == JOINT_NAMES.index(joint)


def test_names_that_contradict_the_tree_give_way_to_it() -> None:
    """Someone calls the upper leg Knee and the lower one Hip."""
    names = [name.replace("UpLeg", "X").replace("Leg", "Hip").replace("X", "Knee") for name in LAFAN]
    motion = load(bvh_text(_ROTATIONS, _ROOT, names=names).encode())
    np.testing.assert_allclose(motion.joints[:, 4], _TRUE.joints[:, 4], atol=1e-4)


def test_a_dummy_inside_the_pelvis_is_never_the_hip() -> None:
    """CMU's conversions put LHipJoint, a bone of no length, between Hips and LeftHip (or LeftLeg)."""
    for thigh, shin in (("Hip", "Knee"), ("Leg", "Shin"), ("UpLeg", "Leg")):
        names = ["Hips", "LHipJoint", "RHipJoint"]
        names += [n.replace("Leg", "Shin").replace("UpShin", thigh).replace("Shin", shin) for n in LAFAN[1:]]
        parents = [-1, 0, 0, 1, 2, *(p + 2 if p else 0 for p in PARENTS[3:])]
        rest = np.vstack([T_POSE[:1], T_POSE[:1], T_POSE[:1], T_POSE[1:]])
        found = find_joints(names, "cmu", parents=parents, rest=rest)
        assert names[found["left_hip"]] == f"Left{thigh}"
        assert names[found["right_knee"]] == f"Right{shin}"


def test_no_person_is_found_in_other_trees() -> None:
    chain = np.array([[0, k, 0] for k in range(12)], dtype=float)
    assert map_tree([f"j{k}" for k in range(12)], [k - 1 for k in range(12)], chain) == {}
    fan = [-1] + [0] * 30
    assert map_tree([f"j{k}" for k in range(31)], fan, np.random.default_rng(0).normal(size=(31, 3))) == {}


def _refused(tmp_path: Path) -> tuple[Path, list[str]]:
    names = _nonsense(False)
    path = tmp_path / "odd.bvh"
    path.write_text(bvh_text(_ROTATIONS, _ROOT, names=names, skip=("left_foot", "right_foot")))
    return path, names


def test_a_refusal_prints_the_map_that_makes_it_readable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, names = _refused(tmp_path)  # no toes and no sides in the names: left and right cannot be told
    with pytest.raises(InputError, match="--joint-map") as refusal:
        load(path)
    template = str(refusal.value).split("--joint-map: ")[1].split("}")[0] + "}"
    assert "left_knee: ," in template
    assert names[4] in str(refusal.value)
    for joint in JOINT_NAMES:
        template = template.replace(f"{joint}: ", f"{joint}: {names[JOINT_NAMES.index(joint)]}")
    (tmp_path / "map.yaml").write_text(template)
    motion = load(path, joint_map=tmp_path / "map.yaml")
    shown = [j for j in _LIMBS if j not in (10, 11)]
    np.testing.assert_allclose(motion.joints[:, shown], _TRUE.joints[:, shown], atol=1e-4)
    assert main(["inspect", str(path), "--joint-map", str(tmp_path / "map.yaml"), "--json"]) == 0
    assert main(["inspect", str(path)]) == 2
    assert "left_knee:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("left_knee: nowhere", "nowhere for left_knee"),
        ("left_kneee: quxa", "left_kneee is none of the joints"),
        ("- left_knee", "no joint map"),
        ("left_knee: [1, 2]", "name of one joint"),
        ("left_knee: {", "cannot be read"),
        ("[" * 5000, "cannot be read"),
    ],
)
def test_a_wrong_joint_map_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path, _ = _refused(tmp_path)
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(InputError, match=says):
        load(path, joint_map=tmp_path / "map.yaml")


def test_a_map_cannot_move_joints_that_the_format_fixes() -> None:
    joints = np.repeat(T_POSE[None] + [0, 0.95, 0], 4, axis=0)
    with pytest.raises(InputError, match="leave the joint map out"):
        load(joints, joint_map={"left_knee": "right_knee"})


@pytest.mark.parametrize("case", ["18-vendor-joint-names-refused", "08-lhipjoint-taken-for-hip"])
def test_the_same_walk_under_the_names_of_many_tools(shared: Path, case: str) -> None:
    pelvis, leg, path = (0.91, 0.79, 1.74) if case.startswith("18") else (0.97, 0.84, 1.85)
    for file in sorted((shared.parent / "cases" / case).glob("*.bvh")):
        joints = load(file).joints
        assert np.median(joints[:, 0, 1]) == pytest.approx(pelvis, abs=0.01), file.name
        length = np.linalg.norm(joints[:, 1] - joints[:, 4], axis=1) + np.linalg.norm(
            joints[:, 4] - joints[:, 7], axis=1
        )
        assert np.median(length) == pytest.approx(leg, abs=0.01), file.name
        assert joints[-1, 0, 2] - joints[0, 0, 2] == pytest.approx(path, abs=0.02), file.name
        assert np.median(joints[:, 12, 1] - joints[:, 0, 1]) > 0.28, file.name  # the neck is no dummy at the chest
