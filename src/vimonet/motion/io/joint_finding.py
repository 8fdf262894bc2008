"""Find the 22 joints of a recording: by the user's joint map, by names, by the shape of the skeleton; or refuse."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from numpy.typing import NDArray

from vimonet.motion.io.readers import Recording, plain
from vimonet.motion.joint_names import ESSENTIAL, map_joints, missing_essential
from vimonet.motion.joint_tree import follows_tree, limb_ends, limb_middles, map_tree, named_limbs, true_hips
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.utils.errors import InputError

_LONGEST: Final = 470  # characters of a refusal
_LARGEST_MAP: Final = 1 << 20

JointMap = Mapping[str, str]
"""{joint of the 22: joint name in the file}."""


def find_joints(
    names: Sequence[str],
    name: str,
    *,
    parents: Sequence[int] | None = None,
    rest: NDArray[Any] | None = None,
    given: JointMap | None = None,
    notes: list[str] | None = None,
) -> dict[str, int]:
    """Find the joints of a body by the user's map first, then by names, then by the shape of the tree.

    Args:
        names: J joint names; those of end sites end in `` end``.
        name: name of the recording, for messages.
        parents: [J] index of each joint's parent (parents first), -1 for a root.
        rest: [J, 3] positions at rest, in any unit and axes.
        given: the user's joint map.
        notes: receives a phrase if the shape decided.

    Returns:
        As `vimonet.motion.joint_names.map_joints`.

    Raises:
        InputError: essential joints are missing; the message holds the joint map to fill in.
    """
    found = map_joints(["" if joint.endswith(" end") else joint for joint in names])
    tree = None if parents is None or rest is None else (names, parents, rest)
    if tree is not None:
        found = true_hips(found, *tree)
    found = with_given(found, names, given or {}, name)
    if tree is not None and missing_essential(found):
        found = limb_ends(found, *tree)
        middles = limb_middles(found, *tree)
        if notes is not None and len(middles) > len(found):
            told = [joint for joint in middles if joint not in found]
            notes.append(f"told by the shape of the skeleton, halfway along their limbs: {', '.join(told)}")
        found = middles
    missing = missing_essential(found)
    if tree is not None and (missing or not follows_tree(found, tree[1])) and (shape := map_tree(*tree)):
        known = named_limbs(found, *tree)
        shape = {joint: at for joint, at in shape.items() if at not in known.values()} | known
        shape = with_given(shape, names, given or {}, name)
        if not missing_essential(shape):
            told = [joint for joint in ESSENTIAL if shape[joint] != found.get(joint)]
            if notes is not None and told:
                notes.append(f"told by the shape of the skeleton, not by their names: {', '.join(told)}")
            return shape
    if missing:
        raise InputError(_map_to_fill_in(missing, found, names, name))
    return found


def with_given(found: dict[str, int], names: Sequence[str], given: JointMap, name: str) -> dict[str, int]:
    """Let the user's joint map override what was found.

    Raises:
        InputError: the map names a joint that the file does not have.
    """
    for joint, source in given.items():
        if source not in names:
            some = ", ".join(plain(one) for one in names[:20]) + (" ..." if len(names) > 20 else "")
            raise InputError(
                f"{name}: the joint map gives {plain(source)} for {joint}, which the file does not have; it has {some}."
            )
        index = list(names).index(source)
        found = {one: at for one, at in found.items() if at != index} | {joint: index}
    return found


def apply_joint_map(recording: Recording, joints: JointMap, name: str) -> None:
    """Apply the user's joint map to a recording whose reader has not; joints that the format fixes cannot be moved."""
    if not joints:
        return
    names = list(recording.names)
    if recording.mapping is None:
        found = with_given(map_joints(names), names, joints, name)
        recording.mapping = found if recording.partial else find_joints(names, name, given=joints)
    elif any(names[recording.mapping[joint]] != source for joint, source in joints.items()):
        raise InputError(f"{name}: its format ({recording.format}) fixes the joints; leave the joint map out.")


def read_joint_map(given: JointMap | str | os.PathLike[str] | None) -> dict[str, str]:
    """Read a joint map: a YAML file of lines ``left_knee: name in the file``; empty values are left out.

    Raises:
        InputError: no such file, no YAML mapping, an unknown joint, a value that is no name.
    """
    if given is None:
        return {}
    label = "the joint map" if isinstance(given, Mapping) else str(given)
    if isinstance(given, Mapping):
        entries: Any = dict(given)
    else:
        try:
            path = Path(given)
            if path.stat().st_size > _LARGEST_MAP:
                raise InputError(
                    f"{label}: a joint map of {path.stat().st_size >> 20} MiB; expected some twenty lines."
                )
            entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise InputError(
                f"{label}: the joint map cannot be read ({reason}); expected lines such as left_knee: LeftLeg."
            ) from None
    if not isinstance(entries, dict):
        raise InputError(f"{label}: it is no joint map; expected lines such as left_knee: LeftLeg.")
    for joint, source in entries.items():
        if joint not in JOINT_NAMES:
            raise InputError(
                f"{label}: {plain(joint)} is none of the joints; the keys of a joint map are {', '.join(JOINT_NAMES)}."
            )
        if not isinstance(source, (str, int, type(None))):
            raise InputError(f"{label}: {joint} is {plain(source)}; expected the name of one joint of the file.")
    return {joint: str(source) for joint, source in entries.items() if source is not None and source != ""}


def _map_to_fill_in(missing: list[str], found: dict[str, int], names: Sequence[str], name: str) -> str:
    """Say what is missing, and give the joint map to fill in with as many of the unused joints as a sentence bears."""
    empty = ", ".join(f"{joint.replace(' ', '_')}: " for joint in missing)
    text = (
        f"{name}: the skeleton has no joint known as {', '.join(missing)}; name them in a file for --joint-map: "
        f"{{{empty}}}, from "
    )
    used = set(found.values())
    left = [plain(one) for index, one in enumerate(names) if index not in used and not one.endswith(" end")]
    shown: list[str] = []
    while len(shown) < len(left) and len(text) + sum(len(one) + 2 for one in [*shown, left[len(shown)]]) < _LONGEST:
        shown.append(left[len(shown)])
    return text + (", ".join(shown) or "the joints of the file") + (" ..." if len(shown) < len(left) else "")
