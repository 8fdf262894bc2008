"""Map any skeleton's joint names to the 22 joints: aliases, tokenised names, layouts given by index alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from vimonet.motion.skeleton import JOINT_NAMES

ESSENTIAL: Final[tuple[str, ...]] = (
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_shoulder"),
    *("right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
)
"""Joints that cannot be interpolated; the head or the neck is required as well."""

_COCO17 = """
    nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist
    right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle
"""
_BODY25 = """
    nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip right_knee
    right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe left_small_toe
    left_heel right_big_toe right_small_toe right_heel
"""
_COCO18 = """
    nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee
    right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear
"""
_MEDIAPIPE33 = """
    nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear
    mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky
    right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle
    right_ankle left_heel right_heel left_foot_index right_foot_index
"""
_PENN13 = """
    head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip left_knee
    right_knee left_ankle right_ankle
"""
_H36M17 = """
    pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax neck_base head left_shoulder
    left_elbow left_wrist right_shoulder right_elbow right_wrist
"""
_KINECT20 = """
    hip_center spine shoulder_center head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow
    right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot
"""
_KINECT25 = """
    spine_base spine_mid neck head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow
    right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot
    spine_shoulder left_hand_tip left_thumb right_hand_tip right_thumb
"""

LAYOUTS: Final[dict[str, tuple[str, ...]]] = {
    "humanml3d22": JOINT_NAMES,
    "smpl24": (*JOINT_NAMES, "left_hand", "right_hand"),
    "smplh52": JOINT_NAMES + tuple(f"{s}_finger{i}" for s in ("left", "right") for i in range(15)),
    "coco17": tuple(_COCO17.split()),
    "body25": tuple(_BODY25.split()),
    "mediapipe33": tuple(_MEDIAPIPE33.split()),
    "coco18": tuple(_COCO18.split()),
    "penn13": tuple(_PENN13.split()),
    "h36m17": tuple(_H36M17.split()),
    "kinect20": tuple(_KINECT20.split()),
    "kinect25": tuple(_KINECT25.split()),
}
"""Ordered joint names of layouts that files give by index alone."""

# Base names of sided joints, unambiguous ones first; the last ones hold unless a better name is present.
_LIMBS: Final[dict[str, tuple[str, ...]]] = {
    "hip": ("upleg", "upperleg", "thigh", "hip", "femur", "leg"),
    "knee": ("knee", "lowleg", "lowerleg", "shin", "calf", "tibia", "leg"),
    "ankle": ("ankle", "foot", "heel"),
    "foot": ("toebase", "toe", "toes", "ball", "bigtoe", "footindex", "toe0", "foottip", "foot"),
    "collar": ("collar", "clavicle", "clav", "innershoulder", "shoulder"),
    "shoulder": ("shldr", "upperarm", "uparm", "uarm", "arm", "humerus", "shoulder"),
    "elbow": ("elbow", "forearm", "lowerarm", "lowarm", "farm"),
    "wrist": ("wrist", "hand"),
}
_MIDDLE: Final[dict[str, tuple[str, ...]]] = {
    "pelvis": ("pelvis", "hips", "hip", "hipcenter", "hipcentre", "midhip", "spinebase", "root", "bottomtorso"),
    "neck": ("neck", "neck1", "neck01", "neckbase", "lowerneck", "shouldercenter", "shouldercentre", "spineshoulder"),
    "head": ("head", "head1", "upperneck", "neck2", "neck02"),
}
_SPINE_WORDS = """
    lowerback abdomen abdomen2 ab torso toptorso spine spine0 spine1 spine2 spine3 spine4 spine5 spine01 spine02 spine03
    spine04 spine05 spinemid spinenavel spinechest lowerspine upperspine upperback chest chest1 chest2 chest3 chest4
    upperchest thorax
"""
_SPINE: Final = frozenset(_SPINE_WORDS.split())
_SIDES = {"left": "left", "l": "left", "lft": "left", "right": "right", "r": "right", "rgt": "right", "rt": "right"}
_TOKEN = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def split_name(name: str) -> tuple[str | None, list[str]]:
    """Split off the side ('left', 'right', None) and lower-case tokens of one joint name, namespace removed."""
    tokens = [token.lower() for token in _TOKEN.findall(re.split(r"[:|]", name)[-1])]
    side = None
    rest = []
    for token in tokens:
        if side is None and token in _SIDES:
            side = _SIDES[token]
            continue
        rest.append(token)
    if side is None and rest:
        for word in ("left", "right"):
            if rest[0].startswith(word) and len(rest[0]) > len(word):
                return word, [rest[0][len(word) :], *rest[1:]]
            if rest[0].endswith(word) and len(rest[0]) > len(word):
                return word, [rest[0][: -len(word)], *rest[1:]]
    return side, rest


def _normalise(names: Sequence[str]) -> list[tuple[str | None, str]]:
    """Normalise names to (side, base); a prefix that most joints share (``Bip01``, ``Character1``) is dropped."""
    split = [split_name(name) for name in names]
    for _ in range(3):
        first = Counter(rest[0] for _, rest in split if len(rest) > 1)
        common = first.most_common(1)
        if not common or common[0][1] < max(5, 0.6 * len(names)):
            break
        split = [(side, rest[1:] if len(rest) > 1 and rest[0] == common[0][0] else rest) for side, rest in split]
    sided = {base for bases in _LIMBS.values() for base in bases}
    result = []
    for side, rest in split:
        base = "".join(token for token in rest if token not in {"joint", "c", "m", "center"} or len(rest) == 1)
        if "center" in rest and base in {"hip", "shoulder"}:
            base += "center"
        if side is None and base[:1] in {"l", "r"} and base[1:] in sided:  # lfemur, rhumerus
            side, base = _SIDES[base[0]], base[1:]
        result.append((side, base))
    return result


def map_joints(names: Sequence[str]) -> dict[str, int]:
    """Find the 22 joints among ``names``, given in the source's order.

    Returns:
        {joint of the 22: index into ``names``} for those found. ``spine1`` .. ``spine3`` hold the source's spine
        joints in order (without middle ones if there are more than three). Extra keys help to complete the rest:
        ``nose``, ``left_ear``, ``right_ear``, ``left_eye``, ``right_eye``, ``left_heel``, ``right_heel``.
    """
    if set(JOINT_NAMES) <= set(names):
        return {name: list(names).index(name) for name in JOINT_NAMES}
    parts = _normalise(names)
    where: dict[tuple[str | None, str], int] = {}
    for index, part in enumerate(parts):
        where.setdefault(part, index)
    found: dict[str, int] = {}
    for side in ("left", "right"):
        _map_side(side, where, found)
    for joint, bases in _MIDDLE.items():
        for base in bases:
            if (None, base) in where and where[None, base] not in found.values():
                found[joint] = where[None, base]
                break
    spine = [i for i, (side, base) in enumerate(parts) if side is None and base in _SPINE and i not in found.values()]
    if len(spine) > 3:
        spine = [spine[round(k * (len(spine) - 1) / 2)] for k in range(3)]
    found.update({f"spine{k + 1}": index for k, index in enumerate(spine)})
    for extra in ("nose",):
        if (None, extra) in where:
            found[extra] = where[None, extra]
    for side in ("left", "right"):
        for extra in ("ear", "eye", "heel"):
            if (side, extra) in where and where[side, extra] not in found.values():
                found[f"{side}_{extra}"] = where[side, extra]
    return found


def _map_side(side: str, where: dict[tuple[str | None, str], int], found: dict[str, int]) -> None:
    def pick(joint: str, skip: tuple[str, ...] = ()) -> int | None:
        for base in _LIMBS[joint]:
            index = where.get((side, base))
            if index is not None and base not in skip and index not in found.values():
                found[f"{side}_{joint}"] = index
                return index
        return None

    # Unambiguous names first: "Shoulder" is a collar only beside an "Arm", "Leg" a hip only beside a "Shin".
    pick("knee", skip=("leg",))
    pick("hip", skip=("leg",))
    if f"{side}_knee" in found:
        if f"{side}_hip" not in found:
            pick("hip")
    else:
        pick("knee")
    pick("ankle")
    pick("foot")
    pick("elbow")
    pick("shoulder")
    pick("collar")
    pick("wrist")


def missing_essential(found: dict[str, int]) -> list[str]:
    """List the missing required joints, with spaces; empty if all are present."""
    missing = [joint for joint in ESSENTIAL if joint not in found]
    heads = {"head", "neck", "nose", "left_ear", "right_ear"}
    if not heads & set(found):
        missing.append("head")
    return [joint.replace("_", " ") for joint in missing]


def family_of(names: Sequence[str]) -> str:
    """Recognise the skeleton family of joint names, or 'other'."""
    for family, layout in LAYOUTS.items():
        if tuple(names) == layout:
            return family
    flat = {re.sub(r"[^a-z0-9]", "", re.split(r"[:|]", name)[-1].lower()) for name in names}
    if any(name.lower().startswith("mixamorig") for name in names):
        return "mixamo"
    signatures: tuple[tuple[str, set[str]], ...] = (
        ("cgspeed (CMU)", {"lhipjoint", "leftupleg", "lowerback", "neck1"}),
        ("CMU asf/amc", {"lfemur", "lhumerus", "thorax"}),
        ("poser", {"lshldr", "rshldr", "lthigh", "abdomen"}),
        ("bandai-namco", {"jointroot", "upperarml", "lowerlegl"}),
        ("vrm", {"jbiplupperleg"}),
        ("soma", {"leftshin", "leftleg", "leftarm"}),
        ("rokoko", {"leftthigh", "leftshin", "leftforearm"}),
        ("unreal", {"thighl", "calfl", "upperarml"}),
        ("biped", {"bip01lthigh"}),
        ("biped", {"bip001lthigh"}),
        ("smpl", {"lhip", "lknee", "lankle", "lcollar"}),
        ("xsens", {"lefthip", "leftknee", "chest4", "leftcollar"}),
        ("biovision", {"lefthip", "leftknee", "leftcollar"}),
        ("optitrack", {"lthigh", "lshin", "luarm"}),
        ("kinect v2", {"spinebase", "spineshoulder"}),
        ("kinect", {"hipcenter", "shouldercenter"}),
        ("lafan1", {"leftupleg", "lefttoe", "spine2", "leftforearm"}),
        ("motionbuilder", {"leftupleg", "leftleg", "leftforearm"}),
    )
    for family, signature in signatures:
        if signature <= flat:
            return family
    return "other"
