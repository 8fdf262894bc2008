"""Read Acclaim ASF (skeleton) and AMC (motion), as CMU's motion capture database has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.bvh_text import parse_numbers
from vimonet.motion.io.readers import Content, Reader, Recording, plain, register, usable
from vimonet.motion.motion import check_fps, thin_out
from vimonet.motion.skeleton import euler_matrices
from vimonet.utils.errors import InputError

CMU_FPS: Final = 120.0
"""AMC files carry no rate; CMU recorded at 120 (a few sequences at 60)."""

_ENDS: Final[dict[str, str]] = {  # joint of the 22 -> the bone that ends in it
    "pelvis": "root",
    "spine1": "lowerback",
    "spine2": "upperback",
    "spine3": "thorax",
    "neck": "lowerneck",
    "head": "upperneck",
} | {
    f"{side}_{joint}": side[0] + bone
    for side in ("left", "right")
    for joint, bone in (
        ("hip", "hipjoint"),
        ("knee", "femur"),
        ("ankle", "tibia"),
        ("foot", "foot"),
        ("shoulder", "clavicle"),
        ("elbow", "humerus"),
        ("wrist", "radius"),
    )
}
_NAME: Final = re.compile(rb"(?m)^[ \t]*([A-Za-z_][\w.-]*)")


@dataclass
class Bone:
    """Describe one bone of an ASF skeleton; the root is a bone of length 0.

    Attributes:
        name: bone name.
        vector: [3] from its start to its end at rest, in world axes.
        axis: [3, 3] rotation of its local axes at rest.
        dof: channels in AMC order ('rx', 'ry', 'rz'; the root also 'tx' ...).
        parent: name of the parent bone, None for the root.
    """

    name: str
    vector: NDArray[np.float64]
    axis: NDArray[np.float64]
    dof: tuple[str, ...]
    parent: str | None = None


def find_asf(path: Path) -> Path:
    """Find the skeleton beside an AMC file: ``07_01.asf``, ``07.asf``, or the folder's only one; else InputError."""
    folder = path.parent
    for stem in (path.stem, path.stem.split("_")[0]):
        for suffix in (".asf", ".ASF"):
            if (folder / (stem + suffix)).is_file():
                return folder / (stem + suffix)
    others = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".asf")
    if len(others) == 1:
        return others[0]
    raise InputError(
        f"{path.name}: no skeleton file is beside it; put {path.stem.split('_')[0]}.asf into {folder or Path('.')}."
    )


def detect(content: Content) -> bool:
    """Detect an AMC by its first frame or its keyword.

    Raises:
        InputError: the file is the ASF.
    """
    head = content.head
    if re.search(rb"(?mi)^[ \t]*:bonedata", head):
        raise InputError(
            f"{content.name}: an ASF holds a skeleton without movement; give the .amc file that lies beside it."
        )
    first_frame = rb"(?m)^[ \t]*\d+[ \t]*\r?\n[ \t]*root[ \t]"
    return bool(re.search(rb"(?mi)^[ \t]*:FULLY-SPECIFIED", head) or re.search(first_frame, head))


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read an AMC movement on the ASF skeleton beside it.

    Args:
        content: the AMC.
        fps: frames/s, which AMC does not carry; None for 120 (CMU).
        layout: not used, since the bones have names.

    Raises:
        InputError: no ASF, broken files, bones missing, numbers missing or not finite, no frames.
    """
    data, name = content.data, content.name
    if content.path is None:
        raise InputError(f"{name}: an AMC needs its ASF skeleton beside it; give the path of the .amc file.")
    skeleton = find_asf(content.path)
    asf = Content(skeleton, skeleton.name).data
    bones, degrees = parse_asf(asf.decode("utf-8", errors="replace"), name)
    missing = [joint.replace("_", " ") for joint, bone in _ENDS.items() if bone not in bones]
    if missing:
        raise InputError(
            f"{name}: the skeleton has no bone ending at the {', '.join(missing)}; expected CMU's "
            "bone names (lfemur ...)."
        )
    rows, columns, in_degrees = _parse_amc(data, bones, name, degrees)
    notes = []
    if fps is None:
        notes.append("AMC files carry no frame rate: 120 frames/s assumed, as CMU's")
    rate = check_fps(CMU_FPS if fps is None else fps, name)
    names = tuple(bones)
    mapping = {joint: names.index(bone) for joint, bone in _ENDS.items()}

    def positions_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _positions(bones, columns, values, in_degrees)

    frames = len(rows)
    positions, rate_kept = thin_out(rows, rate, positions_of, mapping, notes, content.target_fps)
    still = positions_of(np.zeros((1, rows.shape[1])))[0]
    return Recording(
        positions=positions,
        names=names,
        fps=rate_kept,
        format="asf/amc",
        source_fps=rate,
        source_frames=frames,
        rest=still,
        family="CMU asf/amc",
        mapping=mapping,
        notes=notes,
    )


register(Reader("asf/amc", "AMC with its ASF", (".amc",), detect, read, rank=1))


def parse_asf(text: str, name: str) -> tuple[dict[str, Bone], bool]:
    """Parse the bones by name, parents first, and whether angles are in degrees; InputError if broken."""
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            current = sections.setdefault(words[0].lower(), [])
        else:
            current.append(words)
    if ":bonedata" not in sections or ":hierarchy" not in sections:
        raise InputError(
            f"{name}: its ASF skeleton has no bone data or hierarchy; the .asf file is truncated or not an ASF."
        )
    degrees = not any(words[:2] == ["angle", "rad"] for words in sections.get(":units", []))
    try:
        found = _bones(sections, degrees)
        ordered = {"root": found["root"]}
        for words in sections[":hierarchy"]:
            if words[0] in {"begin", "end"}:
                continue
            for child in words[1:]:
                if words[0] not in ordered or child in ordered:  # a later parent, or a loop
                    raise ValueError(words[0])
                found[child].parent = words[0]
                ordered[child] = found[child]
    except (KeyError, ValueError, IndexError) as problem:
        raise InputError(
            f"{name}: its ASF skeleton is broken at {plain(problem)}; expected complete bones and a hierarchy."
        ) from None
    return ordered, degrees


def _bones(sections: dict[str, list[list[str]]], degrees: bool) -> dict[str, Bone]:
    def numbers(words: list[str], count: int = 3) -> NDArray[np.float64]:
        values = np.array([float(word) for word in words])
        if len(values) != count or not usable(values).all():
            raise ValueError(" ".join(words))
        return values

    def channels(words: list[str]) -> tuple[str, ...]:
        lower = tuple(word.lower() for word in words)
        if not set(lower) <= {"rx", "ry", "rz", "tx", "ty", "tz", "l"}:
            raise ValueError(" ".join(words))
        return lower

    def axes(angles: NDArray[np.float64], order: str) -> NDArray[np.float64]:
        # "XYZ" turns about the fixed X first: the matrix is Rz Ry Rx.
        turned = np.radians(angles) if degrees else angles
        indices = ["XYZ".index(letter) for letter in order.upper()]
        return euler_matrices(indices[::-1], turned[::-1, None])[0]

    root = {words[0]: words[1:] for words in sections.get(":root", [])}
    order = channels(root.get("order", ["TX", "TY", "TZ", "RX", "RY", "RZ"]))
    orientation = numbers(root.get("orientation", ["0", "0", "0"]))
    found = {"root": Bone("root", np.zeros(3), axes(orientation, (root.get("axis") or ["XYZ"])[0]), order)}
    block: dict[str, list[str]] = {}
    for words in sections[":bonedata"]:
        if words[0] == "begin":
            block = {}
        elif words[0] == "end":
            direction = numbers(block["direction"][:3])
            direction = direction / max(float(np.linalg.norm(direction)), 1e-12)
            axis = block.get("axis", ["0", "0", "0", "XYZ"])
            bone = Bone(
                block["name"][0],
                direction * numbers(block["length"][:1], 1)[0],
                axes(numbers(axis[:3]), axis[3]),
                channels(block.get("dof", [])),
            )
            found[bone.name] = bone
        else:
            block[words[0]] = words[1:]
    return found


def _parse_amc(
    data: bytes, bones: dict[str, Bone], name: str, degrees: bool
) -> tuple[NDArray[np.float64], dict[str, int], bool]:
    """Parse rows [T, C], the first column of each bone, and whether angles are in degrees."""
    start = re.search(rb"(?m)^[ \t]*\d+[ \t]*\r?$", data)
    if start is None:
        raise InputError(
            f"{name}: the AMC has no frames; expected a line with the frame number, then one line per bone."
        )
    header, block = data[: start.start()].upper(), data[start.start() :]
    if b":DEGREES" in header or b":RADIANS" in header:
        degrees = b":DEGREES" in header
    names = [match.decode("ascii", errors="replace") for match in _NAME.findall(block)]
    try:
        per_frame = names.index(names[0], 1)
    except (ValueError, IndexError):
        per_frame = len(names)
    listed = names[:per_frame]
    unknown = [bone for bone in dict.fromkeys(names) if bone not in bones]
    if unknown and unknown != names[-1:]:
        raise InputError(
            f"{name}: the AMC moves {plain(unknown[0])}, which its ASF skeleton does not have; give the matching .asf."
        )
    if unknown or per_frame == 0 or len(names) % per_frame or names != listed * (len(names) // per_frame):
        raise InputError(f"{name}: not every frame lists the same bones; the AMC is truncated or damaged.")
    columns, width = {}, 1
    for bone in listed:
        columns[bone] = width
        width += len(bones[bone].dof)
    values = parse_numbers(_NAME.sub(b"", block), name)
    frames = len(names) // per_frame
    if len(values) != frames * width:
        raise InputError(
            f"{name}: {frames} frames of {width - 1} angles and positions are expected but "
            f"{len(values)} numbers are present; "
            "the AMC is truncated or belongs to another skeleton."
        )
    return values.reshape(frames, width), columns, degrees


def _positions(
    bones: dict[str, Bone], columns: dict[str, int], rows: NDArray[np.float64], degrees: bool
) -> NDArray[np.float64]:
    """Compute the end points [T, bones, 3] of all bones."""
    index = {bone: i for i, bone in enumerate(bones)}
    out = np.zeros((len(rows), len(bones), 3))
    turned: dict[str, NDArray[np.float64]] = {}
    for bone in bones.values():
        rotation = np.broadcast_to(np.eye(3), (len(rows), 3, 3))
        place = np.zeros((len(rows), 3))
        if bone.name in columns:
            first = columns[bone.name]
            axes, angles = [], []
            for offset, channel in enumerate(bone.dof):
                if channel[0] == "r":
                    axes.append("xyz".index(channel[1]))
                    angles.append(rows[:, first + offset])
                elif channel[0] == "t":
                    place[:, "xyz".index(channel[1])] = rows[:, first + offset]
            if axes:
                stacked = np.stack(angles)
                local = euler_matrices(axes[::-1], (np.radians(stacked) if degrees else stacked)[::-1])
                rotation = bone.axis @ local @ bone.axis.T
        if bone.parent is None:
            turned[bone.name] = rotation
            out[:, 0] = place
        else:
            turned[bone.name] = turned[bone.parent] @ rotation
            out[:, index[bone.name]] = out[:, index[bone.parent]] + turned[bone.name] @ bone.vector
    return out
