"""Map any skeleton's joint names to the 22 joints: cleaned, tokenised names; layouts given by index alone."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from vimonet.motion.joint_aliases import CONTROLS, FAMILIES, JAPANESE, LIMBS, MIDDLE, NOISE, SIDES, SPINE
from vimonet.motion.skeleton import JOINT_NAMES

ESSENTIAL: Final[tuple[str, ...]] = (
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_shoulder"),
    *("right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
)
"""Joints that cannot be interpolated; the head or the neck is required as well."""

_TEXT: Final = Path(__file__).with_name("layouts.txt").read_text("utf-8").replace("\n    ", " ")
LAYOUTS: Final[dict[str, tuple[str, ...]]] = {
    line.partition(":")[0]: tuple(line.split()[1:]) for line in _TEXT.splitlines() if line[0] != "#"
}
"""Ordered joint names of layouts that files give by index alone."""

_TOKEN: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_VERTEBRA: Final = re.compile(r"L[1-5]|T1[0-2]|T[1-9]|C[1-7]", re.IGNORECASE)
_MGEAR: Final = re.compile(r"(\w+?)_([LRC])\d+_(\w+?)(?:_jnt)?(?:_0\d+)?", re.IGNORECASE)  # arm_L0_0_jnt
_MGEAR_LIMBS: Final = {"arm": ("upperarm", "forearm", "hand"), "leg": ("thigh", "shin", "foot", "toe")}
_SHARED: Final = 0.6  # of all names: a prefix or suffix of so many says nothing about the joint
_SIDED_WORDS: Final = frozenset(word for words in LIMBS.values() for word in words)
_MIDDLE_WORDS: Final = SPINE.union(*MIDDLE.values())


def clean_names(names: Sequence[str]) -> list[str]:
    """Clean joint names of namespaces and of what most begin or end with: ``ValveBiped.``, ``_bind``, ``.001``, JNT."""
    cleaned = [unicodedata.normalize("NFKC", re.split(r"[:|]", name)[-1]).strip() for name in names]
    if _are_components(cleaned):
        return _of_components(cleaned)
    enough = max(5.0, _SHARED * len(names))
    for suffix in (r"[._ ]\d{3}$", r"(?i)[._ ]?(?:jnt|joint|bone)$"):
        if sum(bool(re.search(suffix, name)) for name in cleaned) >= enough:
            cleaned = [re.sub(suffix, "", name) or name for name in cleaned]
    for part, pattern in ((0, "^{}[._ -](?=.)"), (-1, "(?<=.)[._ -]{}$")):  # what they begin with, what they end with
        while True:
            words = Counter(re.split(r"[._ -]", name)[part] for name in cleaned if re.search(r".[._ -].", name))
            word, count = words.most_common(1)[0] if words else ("", 0)
            if count < enough or not word:
                break
            cleaned = [re.sub(pattern.format(re.escape(word)), "", name) for name in cleaned]
    return cleaned


def _are_components(names: Sequence[str]) -> bool:
    """Test whether most names are of joints of mGear's components."""
    return sum(bool(_MGEAR.fullmatch(name)) for name in names) >= max(5.0, _SHARED * len(names))


def _of_components(names: Sequence[str]) -> list[str]:
    """Name the joints of mGear's components, ``leg_L0_0_jnt`` .. ``leg_L0_end_jnt``, as others do: ``L_thigh``.

    Of several joints inside a limb all are named as twist bones; the shape of the tree tells the middle.
    """
    matches = [_MGEAR.fullmatch(name) for name in names]
    parts: dict[str, set[str]] = {}
    for match in filter(None, matches):
        parts.setdefault(match[1].lower() + match[2], set()).add(match[3].lower())

    def word(kind: str, side: str, part: str) -> str:
        others = parts[kind + side]
        if not part.isdigit() and part != "end":
            return part  # arm_L0_upperarm, spine_C0_pelvis
        if kind == "foot":
            return "toe" if part.strip("0") else "ball"
        if kind == "spine" and not part.strip("0") and "pelvis" not in others:
            return "pelvis"
        if kind not in _MGEAR_LIMBS:
            return f"{kind}_{part}" if part.strip("0") else kind
        limb = _MGEAR_LIMBS[kind]
        if part == "end":
            return limb[2]
        plain = len(others) <= (3 if "end" in others else 4)  # no twist bones
        return limb[int(part)] if int(part) < (len(limb) if plain else 1) else f"{kind}_twist_{part}"

    return [
        f"{match[2]}_{word(match[1].lower(), match[2], match[3].lower())}" if match else name
        for name, match in zip(names, matches, strict=True)
    ]


def split_name(name: str) -> tuple[str | None, list[str]]:
    """Split off the side ('left', 'right', None) and lower-case tokens of one joint name, namespace removed."""
    plain = unicodedata.normalize("NFKC", re.split(r"[:|]", name)[-1])
    if _VERTEBRA.fullmatch(plain):
        return None, ["vertebra"]
    if not plain.isascii():
        bare = re.sub("[左右]", "", plain)
        ends = re.fullmatch(r"(.+?)[._ ]([LR])", bare)
        side = "left" if "左" in plain else "right" if "右" in plain else SIDES[ends[2].lower()] if ends else None
        bare = re.sub("[._ ]", "", ends[1] if ends else bare)
        words = JAPANESE.get(bare) or JAPANESE.get(bare.removesuffix("D"))  # 足D, ひざD follow 足, ひざ
        return side, [words or bare]
    side = None
    rest = []
    for match in _TOKEN.finditer(plain):
        token = match[0].lower()
        glued = match[0] == "LF" and plain[match.end() : match.end() + 1].isalpha()  # OptiTrack's LFArm, not lf_arm
        if side is None and token in SIDES and not glued:
            side = SIDES[token]
            continue
        rest.append(token)
    if side is None and rest:
        for word in ("left", "right"):
            if rest[0].startswith(word) and len(rest[0]) > len(word):
                return word, [rest[0][len(word) :], *rest[1:]]
            if rest[0].endswith(word) and len(rest[0]) > len(word):
                return word, [rest[0][: -len(word)], *rest[1:]]
    return side, rest


def _split(names: Sequence[str]) -> list[tuple[str | None, list[str]]]:
    """Split names into side and tokens; first tokens that most joints share (``mixamorigHips``) are dropped."""
    split = [split_name(name) for name in clean_names(names)]
    while True:
        first = Counter(rest[0] for _, rest in split if len(rest) > 1)
        common = first.most_common(1)
        if not common or common[0][1] < max(5, _SHARED * len(names)):
            return split
        split = [(side, rest[1:] if len(rest) > 1 and rest[0] == common[0][0] else rest) for side, rest in split]


def _sided(side: str | None, base: str) -> tuple[str | None, str]:
    if side is None and base[:1] in {"l", "r"} and base[1:] in _SIDED_WORDS:  # lfemur, rhumerus
        return SIDES[base[0]], base[1:]
    return side, base


@lru_cache(maxsize=32)
def _words(names: tuple[str, ...]) -> tuple[tuple[tuple[str | None, str], ...], tuple[tuple[str | None, str], ...]]:
    """Give every joint its word without noise, and a loose one: the known word that its tokens end in, or ''.

    The recordings of a library share a few skeletons, whose words are kept.
    """
    words, loose = [], []
    for side, rest in _split(names):
        kept = [token for token in rest if token not in NOISE] or rest
        base = re.sub("(?<=.)(?:bone|jnt)$", "", "".join(kept))
        if "center" in rest and base in {"hip", "shoulder"}:
            base += "center"
        if "joint" in rest and base == "hip":  # LHipJoint: mostly a dummy inside the pelvis
            base = "hipjoint"
        words.append(_sided(side, base))
        known = _MIDDLE_WORDS if side is None else _SIDED_WORDS
        tails = ["".join(kept[i:]) for i in range(len(kept))] + [base.rstrip("0123456789")]
        loose.append((side, "" if CONTROLS & set(kept) else next((tail for tail in tails if tail in known), "")))
    return tuple(words), tuple(loose)


def map_joints(names: Sequence[str]) -> dict[str, int]:
    """Find the 22 joints among ``names``, given in the source's order.

    Returns:
        {joint of the 22: index into ``names``} for those found. ``spine1`` .. ``spine3`` hold the source's spine
        joints in order (without middle ones if there are more than three). Extra keys help to complete the rest:
        ``nose``, ``left_ear``, ``right_ear``, ``left_eye``, ``right_eye``, ``left_heel``, ``right_heel``.
    """
    if set(JOINT_NAMES) <= set(names):
        return {name: list(names).index(name) for name in JOINT_NAMES}
    words, loose = _words(tuple(names))
    found = _map_words(words, words)
    if not missing_essential(found):
        return found
    return _map_words(words, [*words, *loose]) | {joint: found[joint] for joint in MIDDLE if joint in found}


def _map_words(words: Sequence[tuple[str | None, str]], ranked: Sequence[tuple[str | None, str]]) -> dict[str, int]:
    """Find the joints among words of the names; ``ranked`` may repeat the names with other words, best first."""
    where: dict[tuple[str | None, str], int] = {}
    for index, word in enumerate(ranked):
        where.setdefault(word, index % len(words))
    found: dict[str, int] = {}
    for side in ("left", "right"):
        _map_side(side, where, found)
    for joint, bases in MIDDLE.items():
        for base in bases:
            if (None, base) in where and where[None, base] not in found.values():
                found[joint] = where[None, base]
                break
    if (None, "spine006") in where and not {"head", "pelvis"} & found.keys():  # Rigify: one chain from pelvis to head
        found |= {j: where[None, w] for j, w in (("pelvis", "spine"), ("head", "spine006")) if (None, w) in where}
        found |= {"neck": where[None, "spine004"]} if (None, "spine004") in where else {}
    spine = [i for i, (side, base) in enumerate(words) if side is None and base in SPINE and i not in found.values()]
    if len(spine) > 3:
        spine = [spine[round(k * (len(spine) - 1) / 2)] for k in range(3)]
    found.update({f"spine{k + 1}": index for k, index in enumerate(spine)})
    if (None, "nose") in where:
        found["nose"] = where[None, "nose"]
    for side in ("left", "right"):
        for extra in ("ear", "eye", "heel"):
            if (side, extra) in where and where[side, extra] not in found.values():
                found[f"{side}_{extra}"] = where[side, extra]
    return found


def _map_side(side: str, where: dict[tuple[str | None, str], int], found: dict[str, int]) -> None:
    def pick(joint: str, skip: tuple[str, ...] = ()) -> int | None:
        for base in LIMBS[joint]:
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
    flat = {re.sub(r"[^\w]|_", "", name.lower()) for name in clean_names(names)}
    words = {(side or "")[:1] + base for side, base in _words(tuple(names))[0]}
    if any(name.lower().startswith("mixamorig") for name in names):
        return "mixamo"
    if _are_components(names):
        return "mgear"
    matches = (family for known in (flat, words) for family, signature in FAMILIES if known.issuperset(signature))
    return next(matches, "other")
