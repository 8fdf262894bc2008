"""Read BVH (Biovision hierarchy): any joint order, channel order, position channels on any joint."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.bvh_text import HIERARCHY, MOTION, Hierarchy, parse_hierarchy, read_motion
from vimonet.motion.io.joint_finding import find_joints
from vimonet.motion.io.people import Sighting, choose_person, describe_people
from vimonet.motion.io.plausibility import padding_rows
from vimonet.motion.io.readers import Content, Reader, Recording, plain, register
from vimonet.motion.joint_names import family_of, map_joints, missing_essential
from vimonet.motion.motion import thin_out
from vimonet.motion.skeleton import euler_matrices, forward_kinematics
from vimonet.utils.errors import InputError

_TURN: Final = 6.4  # radians of a whole turn, rounded up
_CHANGES: Final = 0.5  # radians, or degrees by which even a person who stands changes some joint


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read a BVH file.

    Args:
        content: the file.
        fps: frames/s, to override the file's frame time.
        layout: not used, since the joints have names.

    Returns:
        Recording with the joint positions of all frames, or of those at ``content.target_fps`` for whole multiples of
        that rate, which saves forward kinematics.

    Raises:
        InputError: not a BVH, a broken hierarchy, numbers missing, surplus or not finite, no frames, no human body.
    """
    data, name = content.text, content.name
    split = MOTION.search(data)
    if split is None:
        raise InputError(f"{name}: there is no MOTION block; the BVH file is truncated or not a BVH.")
    begin = HIERARCHY.match(data)
    start = 0 if begin is None else begin.end() - len("HIERARCHY")
    trees = parse_hierarchy(data[start : split.start()].decode("utf-8", errors="replace"), name)
    values, rate, notes = read_motion(data, split.end(), sum(tree.width for tree in trees), name, fps)
    hierarchy, values, people = _body_of(trees, values, name, notes, content.person)

    offsets = np.array(hierarchy.offsets, dtype=np.float64)
    names = tuple(hierarchy.names)
    family = family_of(names)
    rest = _rest(hierarchy, offsets)
    mapping = find_joints(names, name, parents=hierarchy.parents, rest=rest, given=content.joint_map, notes=notes)
    _restore_thorax(hierarchy, offsets, mapping, notes)
    _use_end_sites(hierarchy, offsets, mapping)

    def positions_of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return _positions(hierarchy, offsets, rows)

    _doubt_radians(hierarchy, values, notes)
    padding = padding_rows(values, positions_of)
    if padding:
        values = values[:-padding]
        notes.append(f"{padding} frames of padding dropped from the end (all channels zero)")
    source_frames = len(values)
    positions, rate_kept = thin_out(values, rate, positions_of, mapping, notes, content.target_fps)
    return Recording(
        positions=positions,
        names=names,
        fps=rate_kept,
        format="bvh",
        source_fps=rate,
        source_frames=source_frames,
        rest=rest,
        family=family,
        mapping=mapping,
        notes=notes,
        details=people,
    )


register(Reader("bvh", "BVH", (".bvh",), lambda content: HIERARCHY.match(content.head) is not None, read))


def _joints(tree: Hierarchy) -> tuple[str, ...]:
    """List the names of the joints without end sites."""
    return tuple(joint for joint in tree.names if not joint.endswith(" end"))


def _body_of(
    trees: list[Hierarchy], values: NDArray[np.float64], name: str, notes: list[str], wanted: int | None
) -> tuple[Hierarchy, NDArray[np.float64], dict[str, Any]]:
    """Choose the wanted root of those that carry a whole body, or the first (else the largest), with its channels.

    Returns:
        The body, its channels, and for the details of the recording who else is in the file.
    """
    if len(trees) == 1:
        return trees[0], values, {}
    whole = [tree for tree in trees if not missing_essential(map_joints(_joints(tree)))]
    body = whole[0] if whole else max(trees, key=lambda tree: len(tree.names))
    people: dict[str, Any] = {}
    if len(whole) > 1:
        everyone = {k + 1: Sighting(len(values), 0, len(values) - 1) for k in range(len(whole))}
        frames = dict.fromkeys(everyone, len(values))
        chosen = choose_person(frames, 1, "by root", name, notes, wanted)
        body, people = whole[chosen - 1], describe_people(everyone, len(values), chosen, picture=False)
    others = ", ".join(
        f"{plain(tree.names[0])} ({'another body' if tree in whole else 'no body'})"
        for tree in trees
        if tree is not body
    )
    notes.append(f"{len(trees)} roots in the file: {plain(body.names[0])} is read, skipped: {others}")
    first = sum(tree.width for tree in trees[: trees.index(body)])
    return body, values[:, first : first + body.width], people


def _doubt_radians(tree: Hierarchy, values: NDArray[np.float64], notes: list[str]) -> None:
    """Note angles that change, and of which none in the whole recording is larger than a turn in radians."""
    kinds = [kind for channels in tree.channels for kind, _ in channels]
    angles = values[:, [kind == "rotation" for kind in kinds]]
    change = np.ptp(angles, axis=0)
    if len(change) and change.max() > _CHANGES and np.abs(angles).max() <= _TURN:
        notes.append("no joint turns by more than 6.3 degrees: if the angles are radians, export degrees")


def _positions(tree: Hierarchy, offsets: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute world positions [T, J, 3] of all joints and end sites."""
    columns = np.ascontiguousarray(rows.T)
    local = np.broadcast_to(offsets, (len(rows), *offsets.shape)).copy()
    alike: dict[tuple[int, ...], dict[int, list[int]]] = {}  # columns of each joint, by the axes of its rotations
    column = 0
    for joint, channels in enumerate(tree.channels):
        turns = [(axis, column + k) for k, (kind, axis) in enumerate(channels) if kind == "rotation"]
        for k, (kind, axis) in enumerate(channels):
            if kind == "position":
                # The value replaces that coordinate of the offset, on the root too: LAFAN1 and Blender repeat the first
                # place in the root's OFFSET, Bandai-Namco gives every bone's offset anew in each frame.
                local[:, joint, axis] = columns[column + k]
        column += len(channels)
        if turns:
            axes, places = zip(*turns, strict=True)
            alike.setdefault(axes, {})[joint] = list(places)
    rotations: list[NDArray[np.float64] | None] = [None] * len(tree.names)
    for axes, joints in alike.items():
        angles = np.radians(columns[np.array(list(joints.values())).T])  # [axes, joints, T]
        matrices = euler_matrices(axes, angles.reshape(len(axes), -1)).reshape(len(joints), len(rows), 3, 3)
        for joint, rotation in zip(joints, matrices, strict=True):
            rotations[joint] = rotation
    return forward_kinematics(tree.parents, local, rotations)


def _rest(tree: Hierarchy, offsets: NDArray[np.float64]) -> NDArray[Any]:
    """Compute positions [J, 3] with all channels zero."""
    rest = np.zeros_like(offsets)
    for joint, parent in enumerate(tree.parents):
        rest[joint] = offsets[joint] + (rest[parent] if parent >= 0 else 0.0)
    return rest


def _restore_thorax(tree: Hierarchy, offsets: NDArray[np.float64], mapping: dict[str, int], notes: list[str]) -> None:
    """Put back CMU's thorax bone, to which cgspeed's conversion gives no length: as long as the one below it."""
    parts = [mapping[joint] for joint in ("neck", "left_collar", "right_collar") if joint in mapping]
    if parts and offsets[parts[0]].any():  # "lowerneck" of other conversions: the joint below the neck is the thorax
        parts[0] = tree.parents[parts[0]]
    on = {tree.parents[part] for part in parts}
    if len(parts) != 3 or len(on) != 1 or min(on) < 1 or np.abs(offsets[parts]).max() > 1e-6:
        return
    neck, spine = parts[0], on.pop()
    above = [joint for joint, parent in enumerate(tree.parents) if parent == neck and tree.channels[joint]]
    if len(above) != 1 or above[0] == mapping.get("head") or not np.abs(offsets[spine]).max() > 1e-6:
        return
    offsets[parts] = offsets[spine]
    mapping |= {"spine1": tree.parents[spine], "spine2": spine, "spine3": neck, "neck": above[0]}
    notes.append("cgspeed's missing thorax bone restored")


def _use_end_sites(tree: Hierarchy, offsets: NDArray[np.float64], mapping: dict[str, int]) -> None:
    """Take the end site for the tip of a foot or hand that ends the chain: Poser's toes."""
    for side in ("left", "right"):
        ankle = mapping[f"{side}_ankle"]
        if f"{side}_foot" in mapping:
            continue
        ends = [i for i, parent in enumerate(tree.parents) if parent == ankle and not tree.channels[i]]
        if ends and np.linalg.norm(offsets[ends[0]]) > 1e-6:
            mapping[f"{side}_foot"] = ends[0]
