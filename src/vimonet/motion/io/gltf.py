"""Read skeletal animations of glTF 2.0 (.gltf, .glb; Khronos), as Blender, Unreal, VRoid, Mixamo and Rokoko export."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.joint_finding import find_joints
from vimonet.motion.io.limits import MAX_BYTES, MAX_FRAMES, MAX_JOINTS
from vimonet.motion.io.people import Sighting, choose_person, describe_people
from vimonet.motion.io.readers import Content, Reader, Recording, plain, register, usable
from vimonet.motion.motion import check_fps
from vimonet.utils.errors import InputError

_TYPES: Final = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_MAX_CELLS: Final = 40_000_000  # frames times nodes that are posed
_DEFAULT_FPS: Final = 30.0
_RATES: Final = (10.0, 240.0)  # frames/s of a baked animation; other key steps are sampled at the default


class _File:
    """Hold a parsed file: its JSON, its buffers, and the tree of its nodes."""

    def __init__(self, content: Content) -> None:
        self.content, self.name = content, content.name
        self.binary = b""
        text = content.text
        if content.start.startswith(b"glTF"):
            text = self._chunks(content.data)
        try:
            self.json: dict[str, Any] = json.loads(text)
            self.nodes: list[dict[str, Any]] = self.json.get("nodes", [])
            self.parents = [-1] * len(self.nodes)
            for index, node in enumerate(self.nodes):
                for child in node.get("children", []):
                    if child <= -1 or self.parents[child] != -1:
                        raise ValueError
                    self.parents[child] = index
            self.order = self._parents_first()
            if len(self.order) < len(self.nodes):
                raise ValueError
        except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
            raise self.damaged("its nodes are no tree") from None
        self.buffers: dict[int, bytes] = {}

    def damaged(self, why: str) -> InputError:
        """Make the error of a damaged file."""
        return InputError(f"{self.name}: the glTF is damaged ({why}); export it again.")

    def _chunks(self, data: bytes) -> bytes:
        """Split a .glb into its JSON (returned) and its binary chunk."""
        position, text = 12, b""
        while position + 8 <= len(data):
            length, kind = struct.unpack_from("<II", data, position)
            chunk = data[position + 8 : position + 8 + length]
            if len(chunk) != length:
                raise self.damaged("it is cut off")
            if kind == 0x4E4F534A:
                text = text or chunk
            elif kind == 0x004E4942:
                self.binary = self.binary or chunk
            position += 8 + length
        if not text:
            raise self.damaged("it holds no JSON")
        return text

    def _parents_first(self) -> list[int]:
        """List the nodes that hang on a root, parents first."""
        children = defaultdict(list)
        for node, parent in enumerate(self.parents):
            children[parent].append(node)
        found = list(children[-1])
        for node in found:
            found += children[node]
        return found

    def buffer(self, index: int) -> bytes:
        """Return a buffer: the binary chunk, a data URI, or a file beside this one.

        Raises:
            InputError: the file is missing, or lies elsewhere than beside this one.
        """
        if index not in self.buffers:
            uri = self.json["buffers"][index].get("uri")
            if uri is None:
                self.buffers[index] = self.binary
            elif uri.startswith("data:"):
                try:
                    self.buffers[index] = base64.b64decode(uri.partition(",")[2], validate=True)
                except binascii.Error:
                    raise self.damaged("a buffer is no base64") from None
            else:
                path, file = self.content.path, PurePosixPath(unquote(uri))
                if path is None or file.is_absolute() or ".." in file.parts or "\\" in uri or ":" in uri:
                    raise InputError(f"{self.name}: it needs {plain(uri)} beside it; export it as one .glb.")
                beside = path.parent / file
                if not beside.is_file() or beside.stat().st_size > MAX_BYTES or beside.is_symlink():
                    raise InputError(f"{self.name}: {plain(uri)} is not beside it; export it as one .glb.")
                self.buffers[index] = beside.read_bytes()
        return self.buffers[index]

    def accessor(self, index: int) -> NDArray[np.float64]:
        """Read the numbers of an accessor: [count, width]."""
        if index < 0:
            raise IndexError
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        if "sparse" in accessor or "extensions" in view:
            raise InputError(f"{self.name}: its animation is compressed or sparse; export it without compression.")
        kind = np.dtype(_TYPES[accessor["componentType"]])
        width, count = _WIDTHS[accessor["type"]], accessor["count"]
        stride = view.get("byteStride") or kind.itemsize * width
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        data = self.buffer(view["buffer"])
        if (
            min(start, count, stride) < 0
            or start + stride * (count - 1) + kind.itemsize * width > len(data)
            or count > MAX_FRAMES
        ):
            raise self.damaged("a list of numbers ends beyond its buffer")
        values = np.ndarray((count, width), kind, data, start, (stride, kind.itemsize)).astype(np.float64)
        if accessor.get("normalized") and kind.kind in "iu":
            values = np.maximum(values / np.iinfo(kind).max, -1.0)
        return values


def read(content: Content, *, fps: float | None = None, layout: str | None = None) -> Recording:
    """Read an animation of a skeleton.

    Args:
        content: the file; a .gltf may have its buffers in files beside it.
        fps: frames/s to sample the animation at; None for the step of its keys if that is a rate, or else 30.
        layout: not used, since the nodes have names.

    Raises:
        InputError: damaged, no animation or skeleton, compressed, larger than the limits, no human body.
    """
    file = _File(content)
    try:
        return _read(file, content, fps)
    except InputError:
        raise
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        raise file.damaged(type(error).__name__) from None


def _read(file: _File, content: Content, fps: float | None) -> Recording:
    name = file.name
    notes: list[str] = []
    animations = file.json.get("animations") or []
    if not animations:
        raise InputError(f"{name}: the glTF holds no animation; export the armature with its movement.")
    animation = max(animations, key=lambda one: len(one.get("channels", [])))
    if len(animations) > 1:
        notes.append(f"{len(animations)} animations: {plain(animation.get('name', 'the first'))} is read")
    tracks: dict[int, dict[str, tuple[NDArray[Any], NDArray[Any], str]]] = defaultdict(dict)
    for channel in animation["channels"]:
        target, sampler = channel["target"], animation["samplers"][channel["sampler"]]
        if target.get("path") in ("translation", "rotation", "scale") and "node" in target:
            times, values = file.accessor(sampler["input"])[:, 0], file.accessor(sampler["output"])
            kind = sampler.get("interpolation", "LINEAR")
            values = values[1::3] if kind == "CUBICSPLINE" else values
            if not len(times) or len(times) != len(values) or not usable(times).all() or not usable(values).all():
                raise ValueError
            tracks[range(len(file.nodes))[target["node"]]][target["path"]] = (times, values, kind)
    first = min(times[0] for track in tracks.values() for times, _, _ in track.values())
    last = max(times[-1] for track in tracks.values() for times, _, _ in track.values())
    rate = check_fps(_rate(tracks) if fps is None else fps, name)
    if not 0 <= (last - first) * rate < MAX_FRAMES:
        raise InputError(f"{name}: its animation lasts {last - first:.0f} s; at most {MAX_FRAMES} frames are read.")
    frames = int((last - first) * rate + 1e-3) + 1
    joints, people = _skeleton(file, set(tracks), content, frames, notes)
    needed = set(joints)  # with the nodes above them
    for node in reversed(file.order):
        if node in needed and file.parents[node] >= 0:
            needed.add(file.parents[node])
    if frames * len(needed) > _MAX_CELLS:
        raise InputError(f"{name}: its animation has {frames} frames of {len(needed)} nodes; cut it into recordings.")
    clock = first + np.arange(frames) / rate
    places, rest = _pose(file, tracks, clock, needed), _pose(file, {}, clock[:1], needed)
    order = [node for node in file.order if node in joints]
    names = [plain(file.nodes[node].get("name", f"node{node}"), 120) for node in order]
    positions, still = np.stack([places[node] for node in order], axis=1), np.stack([rest[node][0] for node in order])
    if not usable(positions).all() or not usable(still).all():
        raise ValueError
    parents = []
    for node in order:
        above = file.parents[node]
        while above >= 0 and above not in joints:
            above = file.parents[above]
        parents.append(order.index(above) if above >= 0 else -1)
    return Recording(
        positions=positions,
        names=tuple(names),
        fps=rate,
        format="gltf",
        rest=still,
        mapping=find_joints(names, name, parents=parents, rest=still, given=content.joint_map, notes=notes),
        notes=notes,
        details=people,
    )


def _skeleton(
    file: _File, moved: set[int], content: Content, frames: int, notes: list[str]
) -> tuple[set[int], dict[str, Any]]:
    """Choose the joints of one body: those of the skins that share a root; without skins, the animated nodes."""
    root: dict[int, int] = {}
    for node in file.order:
        root[node] = root[file.parents[node]] if file.parents[node] >= 0 else node
    bodies: dict[int, set[int]] = defaultdict(set)
    for joints in [skin["joints"] for skin in file.json.get("skins") or []] or [sorted(moved)]:
        for joint in joints:
            bodies[root[joint]].add(joint)
    whole = [joints for joints in bodies.values() if joints & moved] or list(bodies.values())
    everyone = {k + 1: Sighting(frames, 0, frames - 1) for k in range(len(whole))}
    chosen = choose_person({number: frames for number in everyone}, 1, "by armature", file.name, notes, content.person)
    if len(whole[chosen - 1]) > MAX_JOINTS:
        raise InputError(
            f"{file.name}: its skeleton has {len(whole[chosen - 1])} joints; at most {MAX_JOINTS} are read."
        )
    return whole[chosen - 1], describe_people(everyone, frames, chosen)


def _rate(tracks: dict[int, dict[str, tuple[NDArray[Any], NDArray[Any], str]]]) -> float:
    """Take the step of the longest track's keys as the rate, if the animation is baked; else the default."""
    times = max((times for track in tracks.values() for times, _, _ in track.values()), key=len)
    step = float(np.median(np.diff(times))) if len(times) > 2 else 0.0
    rate = round(1 / step, 3) if step > 0 else 0.0
    return rate if _RATES[0] <= rate <= _RATES[1] else _DEFAULT_FPS


def _pose(
    file: _File,
    tracks: dict[int, dict[str, tuple[NDArray[Any], NDArray[Any], str]]],
    clock: NDArray[Any],
    needed: set[int],
) -> dict[int, NDArray[np.float64]]:
    """Compute the places [T, 3] of the nodes in space."""
    linear: dict[int, NDArray[np.float64]] = {}
    places: dict[int, NDArray[np.float64]] = {}
    for node in file.order:
        if node not in needed:
            continue
        move, turn, scale = _local(file.nodes[node], tracks.get(node, {}), clock)
        matrix = _matrices(turn) * scale[:, None, :]
        parent = file.parents[node]
        if parent < 0:
            linear[node], places[node] = matrix, move
        else:
            linear[node] = linear[parent] @ matrix
            places[node] = places[parent] + np.einsum("tij,tj->ti", linear[parent], move)
    return places


def _local(
    node: dict[str, Any], track: dict[str, tuple[NDArray[Any], NDArray[Any], str]], clock: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sample translation [T, 3], rotation (quaternions x, y, z, w) [T, 4] and scale [T, 3] of a node."""
    still: dict[str, Any] = {"translation": (0, 0, 0), "rotation": (0, 0, 0, 1), "scale": (1, 1, 1)}
    if "matrix" in node:
        from scipy.spatial.transform import Rotation  # few files have matrices

        matrix = np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
        size = np.linalg.norm(matrix[:3, :3], axis=0)
        turn = Rotation.from_matrix(matrix[:3, :3] / np.maximum(size, 1e-12)).as_quat()
        still = {"translation": matrix[:3, 3], "rotation": turn, "scale": size}
    found = []
    for path, value in still.items():
        if path in track:
            found.append(_sample(*track[path], clock))
        else:
            value = np.array(node.get(path, value), dtype=np.float64)
            found.append(np.broadcast_to(value, (len(clock), len(value))))
    return found[0], found[1], found[2]


def _sample(times: NDArray[Any], values: NDArray[Any], kind: str, clock: NDArray[Any]) -> NDArray[np.float64]:
    """Interpolate keys: linearly (quaternions the short way round), or hold them (STEP)."""
    after = np.clip(np.searchsorted(times, clock, side="right"), 1, max(len(times) - 1, 1)) % len(times)
    before = np.maximum(after - 1, 0)
    span = times[after] - times[before]
    share = np.clip((clock - times[before]) / np.where(span > 0, span, 1.0), 0.0, 1.0)[:, None]
    if kind == "STEP":
        share = np.floor(share)
    a, b = values[before], values[after]
    if values.shape[1] == 4:
        b = np.where((a * b).sum(axis=1, keepdims=True) < 0, -b, b)
    return a + share * (b - a)


def _matrices(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn quaternions [T, 4] (x, y, z, w) into matrices [T, 3, 3]."""
    x, y, z, w = (turn / np.maximum(np.linalg.norm(turn, axis=1, keepdims=True), 1e-12)).T
    rows = (
        *(1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        *(2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        *(2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack(rows, axis=1).reshape(-1, 3, 3)


def _detect(content: Content) -> bool:
    head = content.head[:4096]
    return content.start.startswith(b"glTF") or (
        head.startswith(b"{") and b'"asset"' in content.head and b'"version"' in content.head
    )


register(Reader("gltf", "glTF", (".glb", ".gltf"), _detect, read))
