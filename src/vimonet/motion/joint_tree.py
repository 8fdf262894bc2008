"""Find joints by the shape of the skeleton's tree: two like chains that reach the floor are legs, two more are arms.

For skeletons whose names no table knows. The tree also corrects names: a dummy joint of no length inside the pelvis
(``LHipJoint`` of CMU's conversions) is never the hip.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.joint_aliases import CONTROLS
from vimonet.motion.joint_names import split_name

_DUMMY: Final = 1e-3  # of the skeleton's extent: a shorter bone has no length
_LIKE: Final = 0.2  # relative difference of length between a left and a right limb
_UNLIKE: Final = 2.0  # lengths by which a pair of unlike limbs, a leg and the spine, comes behind one of like limbs
_WIDEST: Final = 8  # longest chains of a joint that are compared
_DEEPEST: Final = 24  # joints of a chain that are looked at
_HALFWAY: Final = 0.15  # of a limb, from its half: a knee or an elbow is no farther away
_FEWEST: Final = 4  # joints of a limb with its tip
_FORWARD: Final = 0.5  # of the toes' length, level: less points down, not forward
_FOOT_SHARE: Final = 0.25  # ankle to the tip of the toes, of the leg
_HAND_SHARE: Final = 0.3  # wrist to finger tip, and spine to shoulder, of the arm

Pair = tuple[float, int, int, int]  # length, less where the two differ; joint it hangs on, the two first joints


class Tree:
    """Hold the tree of a skeleton at rest, bones without length contracted into their parents.

    Args:
        names: J joint names; those of end sites end in `` end``.
        parents: [J] index of each joint's parent (parents first), -1 for a root.
        rest: [J, 3] positions at rest.
    """

    def __init__(self, names: Sequence[str], parents: Sequence[int], rest: NDArray[Any]) -> None:
        self.names, self.parents = names, parents
        self.rest = np.asarray(rest, dtype=np.float64)
        extent = float(np.ptp(self.rest, axis=0).max())
        count = len(parents)
        self.length = [
            float(np.linalg.norm(self.rest[j] - self.rest[p])) if p >= 0 else 0.0 for j, p in enumerate(parents)
        ]
        self.dummy = [p >= 0 and self.length[j] <= _DUMMY * extent for j, p in enumerate(parents)]
        self.children: list[list[int]] = [[] for _ in range(count)]
        solid = list(range(count))  # nearest joint at or above each that is no dummy
        for joint, parent in enumerate(parents):
            if self.dummy[joint]:
                solid[joint] = solid[parent]
            elif parent >= 0:
                self.children[solid[parent]].append(joint)
        self.solid = solid
        self.reach = list(self.length)  # the longest way from the parent through a joint to a tip
        for joint in reversed(range(count)):
            self.reach[joint] += max((self.reach[child] for child in self.children[joint]), default=0.0)

    def chain(self, joint: int) -> list[int]:
        """List the joints from one to its farthest tip."""
        found = [joint]
        while children := self.children[found[-1]]:
            found.append(max(children, key=self.reach.__getitem__))
        return found

    def above(self, joint: int) -> list[int]:
        """List the ancestors of a joint that are no dummies, nearest first."""
        found: list[int] = []
        while (joint := self.parents[joint]) >= 0:
            if not self.dummy[joint]:
                found.append(joint)
        return found

    def is_twist(self, joint: int) -> bool:
        """Test for a joint that is named as a handle or helper: ``ForeArmTwist``, ``ArmRoll``."""
        name = self.names[joint]
        return bool(CONTROLS & set(split_name(name)[1])) or re.search("twist|roll", name.lower()) is not None

    def is_tip(self, joint: int) -> bool:
        """Test for an end site, or a joint that is named as one: ``HeadTop_End``, ``HeadNub``."""
        name = self.names[joint]
        return name.endswith(" end") or bool({"end", "nub"} & set(split_name(name)[1]))


def true_hips(
    found: dict[str, int], names: Sequence[str], parents: Sequence[int], rest: NDArray[Any]
) -> dict[str, int]:
    """Replace hips that lie inside the pelvis by the joints below them, if these are not the knees."""
    tree = Tree(names, parents, rest)
    moved = {}
    for side in ("left", "right"):
        hip, knee = found.get(f"{side}_hip"), found.get(f"{side}_knee")
        if hip is None or knee is None or not tree.dummy[hip]:
            continue
        below = [j for j in tree.above(knee) if hip in (parents[j], parents[parents[j]] if parents[j] >= 0 else -1)]
        if below and below[-1] not in found.values():
            moved[f"{side}_hip"] = below[-1]
    return found | moved


def limb_ends(
    found: dict[str, int], names: Sequence[str], parents: Sequence[int], rest: NDArray[Any]
) -> dict[str, int]:
    """Add wrists, ankles and head that end a chain: the end sites of forearms, shins and neck without a joint there."""
    tree = Tree(names, parents, rest)
    added = {}
    for last, before in (*((lower, middle) for _, middle, lower in _limbs()), ("head", "neck")):
        if last in found or before not in found:
            continue
        below = tree.children[found[before]]
        if below and all(tree.is_tip(joint) for joint in below):
            added[last] = max(below, key=tree.length.__getitem__)
    return found | added


def limb_middles(
    found: dict[str, int], names: Sequence[str], parents: Sequence[int], rest: NDArray[Any]
) -> dict[str, int]:
    """Map each knee and elbow without a known name to the joint nearest halfway along its limb, between named ends.

    The rigs of mGear number the joints between hip and ankle; one of them is the knee, the others are twist bones.
    """
    tree = Tree(names, parents, rest)
    added = {}
    for upper, middle, lower in _limbs():
        if middle in found or not {upper, lower} <= found.keys():
            continue
        path = [found[lower], *tree.above(found[lower])]
        if found[upper] not in path:
            continue
        path = path[: path.index(found[upper])]
        way = np.cumsum([tree.length[joint] for joint in path[::-1]])[::-1]
        off = [(abs(far / way[0] - 0.5), joint) for far, joint in zip(way[1:], path[1:], strict=True)]
        if off and min(off)[0] < _HALFWAY:
            added[middle] = min(off)[1]
    return found | added


def named_limbs(
    found: dict[str, int], names: Sequence[str], parents: Sequence[int], rest: NDArray[Any]
) -> dict[str, int]:
    """Pick what shape need not tell: limbs whose upper and middle joint are named, one below the other, and the head.

    Where the last joint has no known name, it is the next along the chain that is no twist bone.
    """
    tree = Tree(names, parents, rest)
    kept: dict[str, int] = {joint: found[joint] for joint in ("neck", "head") if joint in found}
    if {"neck", "head"} <= kept.keys() and not _hangs([kept["neck"], kept["head"]], parents):
        kept = {}
    for limb in _limbs():
        known = [joint for joint in limb if joint in found]
        if known[:2] != list(limb[:2]) or not _hangs([found[joint] for joint in known], parents):
            continue
        kept |= {joint: found[joint] for joint in known}
        below = [one for one in tree.chain(found[limb[1]])[1:] if not tree.is_twist(one)]
        if len(known) == 2 and below:
            kept[limb[2]] = below[0]
    return kept


def _limbs() -> Iterator[tuple[str, str, str]]:
    for limb in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
        for side in ("left", "right"):
            upper, middle, lower = (f"{side}_{joint}" for joint in limb)
            yield upper, middle, lower


def _hangs(joints: Sequence[int], parents: Sequence[int]) -> bool:
    """Test whether joints hang below each other, the first at the top."""
    wanted, joint = list(joints[-2::-1]), joints[-1]
    while wanted and (joint := parents[joint]) >= 0:
        if joint == wanted[0]:
            wanted.pop(0)
    return not wanted


def follows_tree(found: dict[str, int], parents: Sequence[int]) -> bool:
    """Test whether knees hang below hips, ankles below knees, elbows below shoulders and wrists below elbows."""
    return all(_hangs([found[joint] for joint in limb], parents) for limb in _limbs())


def map_tree(names: Sequence[str], parents: Sequence[int], rest: NDArray[Any]) -> dict[str, int]:
    """Find the joints by shape; empty if the tree is not plainly a person's, or left and right cannot be told.

    Args:
        names: J joint names, for the sides and end sites alone.
        parents: [J] index of each joint's parent, -1 for the root.
        rest: [J, 3] positions at rest.

    Returns:
        {joint of the 22: index}: pelvis, spine, neck, head and the limbs.
    """
    tree = Tree(names, parents, rest)
    pairs: list[Pair] = []
    for joint, children in enumerate(tree.children):
        long = sorted((c for c in children if len(tree.chain(c)) >= 3), key=tree.reach.__getitem__)[-_WIDEST:]
        for a, b in combinations(long, 2):
            shorter, longer = sorted((tree.reach[a], tree.reach[b]))
            sides = {_named_side(tree, a), _named_side(tree, b)}
            if longer - shorter < _LIKE * longer and sides in ({None}, {"left", "right"}):
                pairs.append((shorter - _UNLIKE * (longer - shorter), joint, a, b))
    limbs: list[Pair] = []
    for pair in sorted(pairs, reverse=True):
        taken = {joint for _, _, a, b in limbs for joint in (a, b)}
        if not taken & {pair[2], pair[3], *tree.above(pair[2])}:
            limbs.append(pair)
    if len(limbs) < 2:
        return {}
    legs, arms = limbs[:2]
    if arms[1] in tree.above(legs[1]):
        legs, arms = arms, legs
    if legs[1] not in tree.above(arms[1]):
        return {}
    found = _trunk(tree, legs, arms)
    left, right = _legs_by_side(tree, legs[2:], found)
    if not found or left is None or right is None:
        return {}
    arm, other = arms[2:]
    across = tree.rest[left["hip"]] - tree.rest[right["hip"]]
    named = _named_sides(tree, arm, other)
    if named == ("right", "left") or (None in named and float((tree.rest[arm] - tree.rest[other]) @ across) < 0):
        arm, other = other, arm
    for side, limb in (("left", left | _arm(tree, arm)), ("right", right | _arm(tree, other))):
        found |= {f"{side}_{name}": joint for name, joint in limb.items()}
    return found


def _trunk(tree: Tree, legs: Pair, arms: Pair) -> dict[str, int]:
    """Find pelvis, spine, neck and head: from the branch of the legs over that of the arms along the third chain."""
    rest = [child for child in tree.children[arms[1]] if child not in arms[2:]]
    if not rest:
        return {}
    up = tree.chain(max(rest, key=tree.reach.__getitem__))
    face = next((i for i, joint in enumerate(up) if len(tree.children[joint]) > (1 if i else 2)), len(up) - 1)
    head = [joint for joint in up[: face + 1] if not tree.is_tip(joint)] or up[:1]
    found = {"pelvis": legs[1], "head": head[-1]}
    if len(head) > 1:
        found["neck"] = head[0]
    spine = [arms[1], *(joint for joint in tree.above(arms[1]) if legs[1] in tree.above(joint))][::-1]
    if len(spine) > 3:
        spine = [spine[round(k * (len(spine) - 1) / 2)] for k in range(3)]
    return found | {f"spine{k + 1}": joint for k, joint in enumerate(spine)}


def _along(tree: Tree, joint: int) -> tuple[list[int], NDArray[np.float64]]:
    """Return the chain below a joint, and the way to each of its joints from where the chain hangs.

    Twist bones are left out, unless too few joints would remain.
    """
    chain = tree.chain(joint)[:_DEEPEST]
    way = np.cumsum([tree.length[j] for j in chain])
    own = [k for k, j in enumerate(chain) if not tree.is_twist(j) or k == len(chain) - 1]
    return ([chain[k] for k in own], way[own]) if len(own) >= _FEWEST else (chain, way)


def _leg(tree: Tree, joint: int) -> dict[str, int]:
    """Choose hip, knee, ankle and toes of a chain by the proportions of a leg, twist bones between them or not."""
    chain, way = _along(tree, joint)
    way = way - way[0]

    def unlike(choice: tuple[int, int]) -> float:
        knee, ankle = choice
        return abs(way[knee] / way[ankle] - 0.5) + abs((way[-1] - way[ankle]) / way[ankle] - _FOOT_SHARE)

    knee, ankle = min(combinations(range(1, len(chain)), 2), key=unlike)
    found = {"hip": chain[0], "knee": chain[knee], "ankle": chain[ankle]}
    return found | ({"foot": chain[ankle + 1]} if ankle + 1 < len(chain) else {})


def _arm(tree: Tree, joint: int) -> dict[str, int]:
    """Choose shoulder, elbow and wrist of a chain by the proportions of an arm; what comes before is the collar."""
    chain, way = _along(tree, joint)

    def unlike(choice: tuple[int, int, int]) -> float:
        shoulder, elbow, wrist = choice
        arm = way[wrist] - way[shoulder]
        ends = abs(way[shoulder] / arm - _HAND_SHARE) + abs((way[-1] - way[wrist]) / arm - _HAND_SHARE)
        palm = len(tree.children[chain[wrist]]) >= 3  # fingers
        return abs((way[elbow] - way[shoulder]) / arm - 0.52) + 0.5 * ends - 0.3 * palm

    shoulder, elbow, wrist = min(combinations(range(len(chain)), 3), key=unlike)
    found = {"shoulder": chain[shoulder], "elbow": chain[elbow], "wrist": chain[wrist]}
    return found | ({"collar": chain[0]} if shoulder > 0 else {})


def _named_side(tree: Tree, joint: int) -> str | None:
    """Read the side off the names of a chain."""
    return next((side for j in tree.chain(joint) if (side := split_name(tree.names[j])[0])), None)


def _named_sides(tree: Tree, a: int, b: int) -> tuple[str | None, str | None]:
    """Read the sides off the names of two chains, also if they differ in one letter alone: ``UPLEGL``, ``UPLEGR``."""
    sides = _named_side(tree, a), _named_side(tree, b)
    one, other = tree.names[a].lower(), tree.names[b].lower()
    start = next((k for k, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), 0)
    letters = one[start : start + 1] + other[start : start + 1]
    if sides == (None, None) and one[start + 1 :][-2:] == other[start + 1 :][-2:] and letters in ("lr", "rl"):
        sides = ("left", "right") if letters == "lr" else ("right", "left")
    return sides


def _legs_by_side(
    tree: Tree, pair: tuple[int, int], trunk: dict[str, int]
) -> tuple[dict[str, int] | None, dict[str, int] | None]:
    """Tell the left leg from the right by names, or else by the direction in which the toes point."""
    first, second = (_leg(tree, joint) for joint in pair)
    named = _named_sides(tree, *pair)
    if set(named) == {"left", "right"}:
        return (first, second) if named[0] == "left" else (second, first)
    if "foot" not in first or "foot" not in second or "head" not in trunk:
        return None, None
    toes = sum(tree.rest[leg["foot"]] - tree.rest[leg["ankle"]] for leg in (first, second))
    up = tree.rest[trunk["head"]] - (tree.rest[first["ankle"]] + tree.rest[second["ankle"]]) / 2
    if np.linalg.norm(np.cross(up, toes)) < _FORWARD * np.linalg.norm(up) * np.linalg.norm(toes):
        return None, None  # an end site that prolongs the shin
    side = float(np.cross(up, toes) @ (tree.rest[first["hip"]] - tree.rest[second["hip"]]))
    return (first, second) if side > 0 else (second, first)
