"""Receive an avatar by the VMC protocol over OSC (https://protocol.vmc.info): bones' local places and turns.

Unity's coordinates are left-handed, Y up, metres: x is negated. A frame is complete when a bone comes again or the
sender says so (``/VMC/Ext/OK`` or ``/VMC/Ext/T``).
"""

from __future__ import annotations

import re
import socket
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.utils.errors import InputError
from vimonet.watch.readings import PLACED, PoseReading, SeenPerson

PORT: Final = 39539
"""Port at which a VMC receiver ("marionette") listens by default."""

_PARENTS: Final[dict[str, str]] = {
    **{"Spine": "Hips", "Chest": "Spine", "UpperChest": "Chest", "Neck": "UpperChest", "Head": "Neck"},
    **{
        side + bone: (side + parent if sided else parent)
        for side in ("Left", "Right")
        for bone, parent, sided in (
            *(("UpperLeg", "Hips", False), ("LowerLeg", "UpperLeg", True), ("Foot", "LowerLeg", True)),
            *(("Toes", "Foot", True), ("Shoulder", "UpperChest", False), ("UpperArm", "Shoulder", True)),
            *(("LowerArm", "UpperArm", True), ("Hand", "LowerArm", True)),
        )
    },
}
"""Unity's humanoid bones and their parents; a parent that an avatar lacks is passed over."""
_JOINTS: Final[dict[str, str]] = {
    **{"Hips": "pelvis", "Spine": "spine1", "Chest": "spine2", "UpperChest": "spine3", "Neck": "neck", "Head": "head"},
    **{
        f"{side}{bone}": f"{side.lower()}_{joint}"
        for side in ("Left", "Right")
        for bone, joint in {
            **{"UpperLeg": "hip", "LowerLeg": "knee", "Foot": "ankle", "Toes": "foot", "Shoulder": "collar"},
            **{"UpperArm": "shoulder", "LowerArm": "elbow", "Hand": "wrist"},
        }.items()
    },
}
_LARGEST: Final = 1 << 16  # bytes of a UDP packet
_MOST_SENDERS: Final = 32
_WAIT: Final = 0.2  # s, for one read
_BONE, _ROOT, _TIME, _OK = "/VMC/Ext/Bone/Pos", "/VMC/Ext/Root/Pos", "/VMC/Ext/T", "/VMC/Ext/OK"


class Avatar:
    """Collect the bones of one avatar, and place its joints by forward kinematics."""

    def __init__(self) -> None:
        self.bones: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self.root = (np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
        self.fresh: set[str] = set()

    def take(self, address: str, values: list[Any]) -> NDArray[np.float64] | None:
        """Take one OSC message; return the points [22, 4] of the frame that it completes."""
        done = None
        if address in (_TIME, _OK):
            done = self.points() if self.fresh else None
            self.fresh = set()
        elif address in (_BONE, _ROOT) and len(values) >= 8 and isinstance(values[0], str):
            numbers = np.array([float(value) for value in values[1:8]])
            if not np.isfinite(numbers).all() or np.abs(numbers).max() > 1e4:
                return None
            turn = numbers[3:] / max(float(np.linalg.norm(numbers[3:])), 1e-9)
            if address == _ROOT:
                self.root = numbers[:3], turn
            elif values[0] in _JOINTS:
                if values[0] in self.fresh:
                    done = self.points()
                    self.fresh = set()
                self.bones[values[0]] = numbers[:3], turn
                self.fresh.add(values[0])
        return done

    def points(self) -> NDArray[np.float64] | None:
        """Place the joints, [22, 4] with confidence, metres, Y up, right-handed; None without hips."""
        if "Hips" not in self.bones:
            return None
        world: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

        def place(bone: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            if bone not in world:
                parent = _PARENTS.get(bone)
                while parent is not None and parent not in self.bones:
                    parent = _PARENTS.get(parent)
                base, turned = self.root if parent is None else place(parent)
                offset, turn = self.bones[bone]
                world[bone] = base + _rotate(turned, offset), _multiply(turned, turn)
            return world[bone]

        points = np.full((len(JOINT_NAMES), 4), np.nan)
        points[:, 3] = 0.0
        for bone, joint in _JOINTS.items():
            if bone in self.bones:
                points[JOINT_NAMES.index(joint)] = [*(place(bone)[0] * (-1, 1, 1)), 1.0]
        return points


def _multiply(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply quaternions (x, y, z, w): first b, then a."""
    vector = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
    return np.array([*vector, a[3] * b[3] - a[:3] @ b[:3]])


def _rotate(turn: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    twice = 2 * np.cross(turn[:3], vector)
    rotated: NDArray[np.float64] = vector + turn[3] * twice + np.cross(turn[:3], twice)
    return rotated


class VmcPoses:
    """Receive avatars at a UDP port; each sender is a person, numbered as they come.

    Args:
        address: ``host:port``, ``:port`` or empty for 127.0.0.1:39539; ``*:port`` listens to other machines.
    """

    live = endless = True
    pictures = False

    def __init__(self, address: str) -> None:
        self.name = f"vmc://{address}"
        found = re.fullmatch(r"(\*|[\w.-]*|\[[\da-fA-F:]+\])(?::(\d{1,5}))?/?", address)
        if found is None or not 0 <= int(found[2] or PORT) < 65536:
            raise InputError(f"{self.name}: expected vmc://HOST:PORT, such as vmc://:{PORT}.")
        self._host = "0.0.0.0" if found[1] == "*" else found[1].strip("[]") or "127.0.0.1"
        self.port = int(found[2] or PORT)
        self._socket: socket.socket | None = None
        self._avatars: dict[Any, Avatar] = {}
        self._numbers: dict[Any, int] = {}
        self.bad = 0
        self._ready: list[PoseReading] = []

    def open(self) -> None:
        """See ``Source``."""
        try:
            import pythonosc.osc_packet  # noqa: F401
        except ImportError:
            raise InputError(f"{self.name}: it needs python-osc; install ViMoNet with its extra watch.") from None
        self._socket = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(_WAIT)
        try:
            self._socket.bind((self._host, self.port))
        except OSError as error:
            self._socket.close()
            raise InputError(f"{self.name}: it cannot listen there ({error.strerror}); give another port.") from None
        self.port = self._socket.getsockname()[1]

    def read(self) -> PoseReading | None:
        """See ``Source``."""
        from pythonosc.osc_packet import OscPacket

        assert self._socket is not None
        if self._ready:
            return self._ready.pop(0)
        try:
            data, sender = self._socket.recvfrom(_LARGEST)
        except TimeoutError:
            return None
        try:
            messages = [(timed.message.address, list(timed.message.params)) for timed in OscPacket(data).messages]
        except Exception:  # the library's parser raises many kinds of errors at bytes that are no OSC
            self.bad += 1
            return None
        if sender not in self._avatars:
            if len(self._avatars) >= _MOST_SENDERS:
                self.bad += 1
                return None
            self._avatars[sender], self._numbers[sender] = Avatar(), len(self._avatars) + 1
        for address, values in messages:
            try:
                points = self._avatars[sender].take(address, values)
            except (TypeError, ValueError):
                self.bad += 1
                continue
            if points is not None:
                self._ready.append(PoseReading(None, (SeenPerson(points, self._numbers[sender]),), PLACED))
        return self._ready.pop(0) if self._ready else None

    def close(self) -> None:
        """See ``Source``."""
        if self._socket is not None:
            self._socket.close()
