"""Pose a figure: proportions, channels over time, and the kinematics that turn them into joints.

The trunk and arms follow joint angles (forward kinematics); legs, and hands where asked, reach for targets (two-bone
inverse kinematics), so that a planted foot stays planted whatever the body above it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.skeleton import CANONICAL_OFFSETS

Array = NDArray[np.floating]
SIGN = {"left": 1.0, "right": -1.0}
SIDES = ("left", "right")
_UP, _FORWARD = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True)
class Proportions:
    """Bone offsets of one person, [22, 3] metres in a T-pose facing +Z, and the sizes derived from them."""

    offsets: Array

    @property
    def thigh(self) -> float:
        """Length hip-knee, m."""
        return float(np.linalg.norm(self.offsets[4]))

    @property
    def shank(self) -> float:
        """Length knee-ankle, m."""
        return float(np.linalg.norm(self.offsets[7]))

    @property
    def leg(self) -> float:
        """Length hip-knee-ankle, m."""
        return self.thigh + self.shank

    @property
    def ankle(self) -> float:
        """Height of the ankle over the floor of a flat foot, m (the ball joint sits 2 cm over it)."""
        return float(-self.offsets[10, 1]) + 0.02

    @property
    def hip_drop(self) -> float:
        """Height of the pelvis over the hips, m."""
        return float(-self.offsets[1, 1])

    @property
    def hip_width(self) -> float:
        """Half the distance between the hips, m."""
        return float(self.offsets[1, 0])

    @property
    def stand(self) -> float:
        """Height of the pelvis when standing, knees just off straight, m."""
        return self.ankle + 0.988 * self.leg + self.hip_drop

    @staticmethod
    def random(rng: np.random.Generator) -> Proportions:
        """Draw a plausible adult: 1.5-1.9 m, legs, arms, shoulders and hips a few per cent off the mean."""
        scale = float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12))
        legs, arms, shoulders, hips = np.clip(rng.normal(1.0, [0.03, 0.04, 0.06, 0.06]), 0.86, 1.14)
        offsets = np.asarray(CANONICAL_OFFSETS, dtype=np.float64) * scale
        offsets[[4, 5, 7, 8]] *= legs
        offsets[18:22] *= arms
        offsets[[13, 14, 16, 17], 0] *= shoulders
        offsets[[1, 2], 0] *= hips
        return Proportions(offsets)


class Channels:
    """Named curves [T] over time that describe a performance; unknown names start at 0.

    Ground: ``x``, ``z``, ``h`` (pelvis, m), ``yaw``, ``pitch`` (+ forward), ``roll`` (+ towards the right) in degrees.
    Spine and head: ``sp_pitch``, ``sp_roll``, ``sp_twist``, ``hd_pitch``, ``hd_yaw``.
    Per side (``left_``/``right_``): ``el`` elevation of the upper arm (0 hangs, 90 level, 180 up), ``az`` its direction
    (0 forward, 90 to its own side), ``out`` spread, ``bend`` elbow, ``bx, by, bz`` where the forearm bends to in the
    chest's frame (bx outward); ``hw`` weight of a hand target ``hx, hy, hz`` in the chest's frame from the neck (hx
    outward); ``gw`` weight of a hand target ``gx, gy, gz`` in the world; ``fx, fy, fz`` ankle in the world, ``fyaw``,
    ``fpitch`` (+ toes down), ``kout`` degrees the knee points outward.
    """

    def __init__(self, frames: int, fps: float, body: Proportions) -> None:
        self.frames, self.fps, self.body = frames, fps, body
        self.t: Array = np.arange(frames) / fps
        self.curves: dict[str, Array] = {}
        self["h"] += body.stand
        for side in SIDES:
            self[f"{side}_el"] += 4.0
            self[f"{side}_out"] += 8.0
            self[f"{side}_bend"] += 16.0
            self[f"{side}_bz"] += 1.0
            self[f"{side}_bx"] -= 0.25
            self[f"{side}_fx"] += SIGN[side] * (body.hip_width + 0.02)
            self[f"{side}_fz"] += body.offsets[7, 2]
            self[f"{side}_fy"] += body.ankle
            self[f"{side}_fyaw"] += SIGN[side] * 7.0
            self[f"{side}_kout"] += 5.0

    def __getitem__(self, name: str) -> Array:
        if name not in self.curves:
            self.curves[name] = np.zeros(self.frames)
        return self.curves[name]

    def __setitem__(self, name: str, value: Array | float) -> None:
        self.curves[name] = np.broadcast_to(np.asarray(value, dtype=np.float64), (self.frames,)).copy()

    def key(self, name: str, *keys: tuple[float, float]) -> None:
        """Lead a channel through (time, value) keys with minimum-jerk moves; before the first it keeps its value."""
        self[name] = ease(self.t, keys, self[name])

    def both(self, name: str, *keys: tuple[float, float]) -> None:
        """:meth:`key` on both sides."""
        for side in SIDES:
            self.key(f"{side}_{name}", *keys)


def ease(t: Array, keys: tuple[tuple[float, float], ...], before: Array | float = 0.0) -> Array:
    """Interpolate (time, value) keys with minimum jerk; `before` holds up to the first, the last value stays."""
    out = np.broadcast_to(np.asarray(before, dtype=np.float64), t.shape).copy()
    for (t0, v0), (t1, v1) in pairwise(keys):
        s = np.clip((t - t0) / max(t1 - t0, 1e-6), 0.0, 1.0)
        out = np.where(t >= t0, v0 + (v1 - v0) * jerk(s), out)
    return np.where(t >= keys[-1][0], keys[-1][1], out)


def jerk(s: Array) -> Array:
    """Step from 0 to 1 with minimum jerk for s in 0..1 (Flash and Hogan 1985)."""
    return s**3 * (10.0 - 15.0 * s + 6.0 * s**2)


def rotation(axis: int, degrees: Array) -> Array:
    """Compute rotation matrices [T, 3, 3] about x, y or z (0, 1, 2)."""
    a = np.radians(degrees)
    out = np.zeros((*a.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1.0
    out[..., i, i] = out[..., j, j] = np.cos(a)
    out[..., j, i], out[..., i, j] = np.sin(a), -np.sin(a)
    return out


def apply(matrix: Array, vector: Array) -> Array:
    """Rotate a vector [3] or vectors [T, 3] by matrices [T, 3, 3]."""
    return np.einsum("tij,tj->ti", matrix, np.broadcast_to(vector, (matrix.shape[0], 3)))


def _unit(v: Array) -> Array:
    return v / np.maximum(np.sqrt((v**2).sum(-1, keepdims=True)), 1e-9)


def reach(root: Array, target: Array, pole: Array, upper: float, lower: float) -> tuple[Array, Array]:
    """Solve two-bone inverse kinematics: middle and end joint [T, 3], bent to `pole`; far targets are cut short."""
    along = target - root
    distance = np.sqrt((along**2).sum(-1, keepdims=True))
    along = along / np.maximum(distance, 1e-9)
    distance = np.clip(distance, abs(upper - lower) + 0.02, 0.9995 * (upper + lower))
    aside = _unit(pole - (pole * along).sum(-1, keepdims=True) * along)
    forward = (upper**2 - lower**2 + distance**2) / (2.0 * distance)
    height = np.sqrt(np.maximum(upper**2 - forward**2, 0.0))
    return root + forward * along + height * aside, root + distance * along


def pose(ch: Channels) -> Array:
    """Compute joints [T, 22, 3], m, of the performance described by the channels."""
    o, n = ch.body.offsets, ch.frames
    joints = np.zeros((n, 22, 3))
    pelvis = rotation(1, ch["yaw"]) @ rotation(0, ch["pitch"]) @ rotation(2, ch["roll"])
    joints[:, 0] = np.stack([ch["x"], ch["h"], ch["z"]], axis=1)
    third = 1.0 / 3.0
    bend = (
        rotation(1, ch["sp_twist"] * third) @ rotation(0, ch["sp_pitch"] * third) @ rotation(2, ch["sp_roll"] * third)
    )
    spine = pelvis
    for parent, joint in ((0, 3), (3, 6), (6, 9)):
        joints[:, joint] = joints[:, parent] + apply(spine, o[joint])
        spine = spine @ bend
    joints[:, 12] = joints[:, 9] + apply(spine, o[12])
    head = spine @ rotation(1, ch["hd_yaw"]) @ rotation(0, ch["hd_pitch"])
    joints[:, 15] = joints[:, 12] + apply(head, o[15])
    for side in SIDES:
        _arm(ch, joints, spine, side)
        _leg(ch, joints, pelvis, side)
    return joints


def _arm(ch: Channels, joints: Array, chest: Array, side: str) -> None:
    k, sign, o = (0 if side == "left" else 1), SIGN[side], ch.body.offsets
    c, s, e, w = 13 + k, 16 + k, 18 + k, 20 + k
    el, az, out = (np.radians(ch[f"{side}_{name}"]) for name in ("el", "az", "out"))
    # A raised arm lifts the shoulder with it: about a third of the elevation above level comes from the collar.
    shrug = np.clip(np.degrees(el) - 60.0, 0.0, 120.0) * 0.2
    joints[:, c] = joints[:, 9] + apply(chest, o[c])
    joints[:, s] = joints[:, c] + apply(chest @ rotation(2, sign * shrug), o[s])
    upper = np.stack(
        [sign * (np.sin(el) * np.sin(az) + np.cos(el) * np.sin(out)), -np.cos(el), np.sin(el) * np.cos(az)], axis=1
    )
    upper = _unit(upper)
    b = np.stack([sign * ch[f"{side}_bx"], ch[f"{side}_by"], ch[f"{side}_bz"]], axis=1)
    b = _unit(b - (b * upper).sum(-1, keepdims=True) * upper)
    bend = np.radians(ch[f"{side}_bend"])[:, None]
    fore = np.cos(bend) * upper + np.sin(bend) * b
    l1, l2 = float(np.linalg.norm(o[e])), float(np.linalg.norm(o[w]))
    elbow = joints[:, s] + l1 * apply(chest, upper)
    wrist = elbow + l2 * apply(chest, fore)
    weight, ground = ch[f"{side}_hw"][:, None], ch[f"{side}_gw"][:, None]
    if weight.max() > 0 or ground.max() > 0:
        own = np.stack([sign * ch[f"{side}_hx"], ch[f"{side}_hy"], ch[f"{side}_hz"]], axis=1)
        goal = joints[:, 12] + apply(chest, own)
        world = np.stack([ch[f"{side}_gx"], ch[f"{side}_gy"], ch[f"{side}_gz"]], axis=1)
        target = wrist + weight * (goal - wrist)
        target = target + ground * (world - target)
        # Elbows point down and out when reaching forward, backward when leaning on the hands.
        free = apply(chest, np.array([0.6 * sign, -1.0, -0.3]))
        pole = (1 - np.maximum(weight, ground)) * _unit(elbow - 0.5 * (joints[:, s] + wrist) + 1e-6) + np.maximum(
            weight, ground
        ) * _unit(free)
        elbow, wrist = reach(joints[:, s], target, pole, l1, l2)
    joints[:, e], joints[:, w] = elbow, wrist


def _leg(ch: Channels, joints: Array, pelvis: Array, side: str) -> None:
    k, sign, o = (0 if side == "left" else 1), SIGN[side], ch.body.offsets
    h, kn, a, f = 1 + k, 4 + k, 7 + k, 10 + k
    joints[:, h] = joints[:, 0] + apply(pelvis, o[h])
    target = np.stack([ch[f"{side}_fx"], ch[f"{side}_fy"], ch[f"{side}_fz"]], axis=1)
    pole = apply(pelvis @ rotation(1, sign * ch[f"{side}_kout"]), np.array([0.0, 0.0, 1.0]))
    joints[:, kn], joints[:, a] = reach(joints[:, h], target, pole, ch.body.thigh, ch.body.shank)
    foot = rotation(1, ch[f"{side}_fyaw"]) @ rotation(0, ch[f"{side}_fpitch"])
    joints[:, f] = joints[:, a] + apply(foot, np.array([0.0, o[f, 1], np.hypot(o[f, 0], o[f, 2])]))


def highest_pelvis(ch: Channels) -> Array:
    """Compute the greatest height [T], m, of the pelvis at which both legs reach their ankle targets."""
    top = np.full(ch.frames, np.inf)
    limit = 0.995 * ch.body.leg
    yaw = np.radians(ch["yaw"])
    for side in SIDES:
        width = SIGN[side] * ch.body.hip_width
        dx = ch[f"{side}_fx"] - ch["x"] - width * np.cos(yaw)
        dz = ch[f"{side}_fz"] - ch["z"] + width * np.sin(yaw)
        far = np.minimum(dx**2 + dz**2, 0.98 * limit**2)
        top = np.minimum(top, ch[f"{side}_fy"] + np.sqrt(limit**2 - far) + ch.body.hip_drop)
    return top
