"""Read BVH (Biovision hierarchy): any joint order, channel order, position channels on any joint."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.readers import Content, Reader, Recording, plain, register, usable
from vimonet.motion.io.recording_to_motion import find_joints
from vimonet.motion.joint_names import family_of
from vimonet.motion.motion import check_fps, exact_fps, thin_out
from vimonet.motion.skeleton import euler_matrices, forward_kinematics
from vimonet.utils.errors import InputError

_MOTION: Final = re.compile(rb"^[ \t]*MOTION\b", re.MULTILINE)
_FRAMES: Final = re.compile(rb"\s*Frames\s*:\s*(\S+)", re.IGNORECASE)
_FRAME_TIME: Final = re.compile(rb"\s*Frame\s*Time\s*:\s*(\S+)[^\r\n]*", re.IGNORECASE)
_CHANNEL: Final = re.compile(r"([XYZ])(position|rotation)", re.IGNORECASE)
_NUMERIC: Final = b"0123456789+-.eE \t\r\n"
_MAX_JOINTS: Final = 2000


@dataclass
class Hierarchy:
    """Hold the skeleton of a BVH file; end sites are joints named ``<parent> end`` without channels.

    Attributes:
        names: joint names in file order (parents before children).
        parents: index of each joint's parent, -1 for the root.
        offsets: [J, 3] in the file's unit.
        channels: per joint, (kind, axis) with kind 'position' or 'rotation' and axis 0..2, in file order.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[tuple[float, float, float]] = field(default_factory=list)
    channels: list[list[tuple[str, int]]] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Numbers per frame."""
        return sum(len(channels) for channels in self.channels)


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read a BVH file.

    Args:
        content: the file.
        fps: frames/s, to override the file's frame time.
        layout: not used, since the joints have names.

    Returns:
        Recording with the joint positions of all frames, or of the frames at 20 frames/s for whole multiples of that
        rate, which saves forward kinematics.

    Raises:
        InputError: not a BVH, a broken hierarchy, numbers missing, surplus or not finite, no frames, no human body.
    """
    data, name = content.text, content.name
    split = _MOTION.search(data)
    if split is None:
        raise InputError(f"{name}: there is no MOTION block; the BVH file is truncated or not a BVH.")
    hierarchy = parse_hierarchy(data[: split.start()].decode("utf-8", errors="replace"), name)
    values, frame_time, declared = _read_motion(data, split.end(), hierarchy.width, name)
    rate = check_fps(fps, name) if fps is not None else exact_fps(frame_time)
    notes: list[str] = []
    if declared is None:
        notes.append("the file does not say how many frames it has: all taken")

    offsets = np.array(hierarchy.offsets, dtype=np.float64)
    names = tuple(hierarchy.names)
    family = family_of(names)
    joints = tuple(n for n in names if not n.endswith(" end"))
    mapping = {joint: names.index(joints[i]) for joint, i in find_joints(joints, name).items()}
    if family.startswith("cgspeed"):
        _restore_thorax(hierarchy, offsets, mapping, notes)
    _use_end_sites(hierarchy, offsets, mapping)

    def positions_of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return _positions(hierarchy, offsets, rows)

    source_frames = len(values)
    rows, rate_kept = thin_out(values, rate, positions_of, mapping, notes)
    return Recording(
        positions=positions_of(rows),
        names=names,
        fps=rate_kept,
        format="bvh",
        source_fps=rate,
        source_frames=source_frames,
        rest=_rest(hierarchy, offsets),
        family=family,
        mapping=mapping,
        notes=notes,
    )


register(Reader("bvh", "BVH", (".bvh",), lambda content: content.head[:9].upper() == b"HIERARCHY", read))


def parse_hierarchy(text: str, name: str) -> Hierarchy:
    """Parse the HIERARCHY block; InputError names the first error."""
    tokens = text.replace("{", " { ").replace("}", " } ").split()
    if not tokens or tokens[0].upper() != "HIERARCHY":
        raise InputError(f"{name}: the file does not begin with HIERARCHY; it is not a BVH.")
    tree = Hierarchy()
    open_joints: list[int] = []
    seen_root = False
    position = 1

    def take(count: int) -> list[str]:
        nonlocal position
        if position + count > len(tokens):
            raise InputError(f"{name}: the hierarchy ends in the middle of a joint; the BVH file is truncated.")
        part = tokens[position : position + count]
        position += count
        return part

    while position < len(tokens):
        word = take(1)[0].upper()
        if word in {"ROOT", "JOINT", "END"}:
            if word == "ROOT" and seen_root:
                break  # only the first character is read
            seen_root |= word == "ROOT"
            label: list[str] = []
            while (token := take(1)[0]) != "{":
                label.append(token)
            if word != "ROOT" and not open_joints:
                raise InputError(f"{name}: {word.lower()} {plain(' '.join(label))} stands outside of the root joint.")
            parent = open_joints[-1] if open_joints else -1
            joint_name = f"{tree.names[parent]} end" if word == "END" else "_".join(label) or f"joint{len(tree.names)}"
            if len(tree.names) >= _MAX_JOINTS:
                raise InputError(f"{name}: the hierarchy has more than {_MAX_JOINTS} joints; expected one body.")
            open_joints.append(len(tree.names))
            tree.names.append(joint_name)
            tree.parents.append(parent)
            tree.offsets.append((0.0, 0.0, 0.0))
            tree.channels.append([])
        elif word == "OFFSET" and open_joints:
            tree.offsets[open_joints[-1]] = _offset(take(3), tree.names[open_joints[-1]], name)
        elif word == "CHANNELS" and open_joints:
            count = take(1)[0]
            if not count.isdecimal() or int(count) > 12:
                raise InputError(
                    f"{name}: joint {plain(tree.names[-1])} has {plain(count)!r} channels; expected 0 to 6."
                )
            for channel in take(int(count)):
                match = _CHANNEL.fullmatch(channel)
                if match is None:
                    raise InputError(
                        f"{name}: joint {plain(tree.names[-1])} has an unknown channel {plain(channel)!r}; expected "
                        "Xposition, Yposition, Zposition, Xrotation, Yrotation or Zrotation."
                    )
                tree.channels[open_joints[-1]].append((match[2].lower(), "XYZ".index(match[1].upper())))
        elif word == "}" and open_joints:
            open_joints.pop()
        else:
            raise InputError(
                f"{name}: unexpected {plain(word)!r} in the hierarchy; expected JOINT, OFFSET, CHANNELS or End Site."
            )
    if open_joints or not tree.names:
        raise InputError(f"{name}: the hierarchy is not closed by as many }} as {{; the BVH file is truncated.")
    if tree.width == 0:
        raise InputError(f"{name}: no joint has a channel; expected at least the root's rotation.")
    return tree


def _offset(words: list[str], joint: str, name: str) -> tuple[float, float, float]:
    try:
        x, y, z = (float(word) for word in words)
    except ValueError:
        raise InputError(
            f"{name}: the OFFSET of {plain(joint)} is {plain(' '.join(words))}; expected three numbers."
        ) from None
    if not usable(np.array([x, y, z])).all():
        raise InputError(f"{name}: the OFFSET of {plain(joint)} is not finite; expected three numbers.")
    return x, y, z


def _read_motion(data: bytes, start: int, width: int, name: str) -> tuple[NDArray[np.float64], float, int | None]:
    """Parse channel values [frames, width], frame time (s), declared count; memory follows the data, not the count."""
    frames = _FRAMES.match(data, start)
    declared: int | None = None
    if frames is not None:
        start = frames.end()
        try:
            declared = int(frames[1])
        except ValueError:
            raise InputError(
                f"{name}: Frames: {plain(frames[1].decode(errors='replace'))} is not a whole number."
            ) from None
    line = _FRAME_TIME.match(data, start)
    if line is None:
        raise InputError(f"{name}: there is no 'Frame Time:' line after MOTION; the BVH file is truncated.")
    try:
        frame_time = float(line[1].replace(b",", b"."))
    except ValueError:
        frame_time = float("nan")
    if not (np.isfinite(frame_time) and 1e-4 <= frame_time <= 10):
        raise InputError(
            f"{name}: Frame Time is {plain(line[1].decode(errors='replace'))}; expected seconds, such as 0.033333."
        )
    if declared is not None and declared <= 0:
        raise InputError(f"{name}: the file declares {declared} frames; at least one is needed.")
    block = data[line.end() :].rstrip(b" \t\r\n\0\x1a")
    values = parse_numbers(block, name)
    present, rest = divmod(len(values), width)
    if rest:
        raise InputError(
            f"{name}: the motion block has {present} whole frames and {rest} of {width} numbers of "
            "another; the file is "
            "truncated or its channels do not match its hierarchy."
        )
    if present == 0:
        raise InputError(f"{name}: the motion block is empty; at least one frame of {width} numbers is needed.")
    if declared is not None and declared != present:
        raise InputError(
            f"{name}: {declared} frames are declared but {present} are present; correct the "
            "'Frames:' line or restore the file."
        )
    return values.reshape(present, width), frame_time, declared


def parse_numbers(block: bytes, name: str) -> NDArray[np.float64]:
    """Parse white-space separated numbers at the speed of C's strtod (about 100 MB/s); InputError names a bad one."""
    strange = block.translate(None, _NUMERIC)
    if strange:
        raise InputError(
            f"{name}: {_first_bad(block)} in the motion data is not a finite number; expected numbers only."
        )
    if not block.strip():
        return np.zeros(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(block, dtype=np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            raise InputError(
                f"{name}: {_first_bad(block)} in the motion data is not a number; expected numbers only."
            ) from None
    if not usable(values).all():
        raise InputError(f"{name}: a number in the motion data is too large; expected finite positions and degrees.")
    return values


def _first_bad(block: bytes) -> str:
    for token in block.split():
        try:
            if np.isfinite(float(token)):
                continue
        except ValueError:
            pass
        return repr(token[:20].decode("utf-8", errors="replace"))
    return "something"


def _positions(tree: Hierarchy, offsets: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute world positions [T, J, 3] of all joints and end sites."""
    count = len(rows)
    local = np.broadcast_to(offsets, (count, *offsets.shape)).copy()
    rotations: list[NDArray[np.float64] | None] = []
    column = 0
    for joint, channels in enumerate(tree.channels):
        axes: list[int] = []
        angles: list[NDArray[np.float64]] = []
        for kind, axis in channels:
            if kind == "position":
                # The value replaces that coordinate of the offset, on the root too: LAFAN1 and Blender repeat the first
                # place in the root's OFFSET, Bandai-Namco gives every bone's offset anew in each frame.
                local[:, joint, axis] = rows[:, column]
            else:
                axes.append(axis)
                angles.append(rows[:, column])
            column += 1
        rotations.append(euler_matrices(axes, np.radians(np.stack(angles))) if axes else None)
    return forward_kinematics(tree.parents, local, rotations)


def _rest(tree: Hierarchy, offsets: NDArray[np.float64]) -> NDArray[Any]:
    """Compute positions [J, 3] with all channels zero."""
    rest = np.zeros_like(offsets)
    for joint, parent in enumerate(tree.parents):
        rest[joint] = offsets[joint] + (rest[parent] if parent >= 0 else 0.0)
    return rest


def _restore_thorax(tree: Hierarchy, offsets: NDArray[np.float64], mapping: dict[str, int], notes: list[str]) -> None:
    """Put back CMU's thorax bone, to which cgspeed's conversion gives no length: as long as the one below it."""
    index = {name: i for i, name in enumerate(tree.names)}
    parts = [index[name] for name in ("Neck", "LeftShoulder", "RightShoulder") if name in index]
    spine = index.get("Spine1")
    if spine is None or len(parts) != 3 or "Neck1" not in index or np.abs(offsets[parts]).max() > 1e-6:
        return
    offsets[parts] = offsets[spine]
    mapping |= {"spine1": index["Spine"], "spine2": spine, "spine3": index["Neck"], "neck": index["Neck1"]}
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
