"""Measure heading, turns, displacement, speed and the path over the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vimonet.motion.kinematics.categories import TRAVELS, quarter
from vimonet.motion.kinematics.preparation import (
    NECK,
    PELVIS,
    Array,
    Body,
    cross,
    gradient,
    norm,
    runs,
    smooth,
    speed,
    unit,
)

TURN_RATE = 15.0  # deg/s: slower is drift
TURN_MIN = 30.0  # deg: smaller is sway


@dataclass(frozen=True, slots=True)
class Turn:
    """Describe one turn.

    Attributes:
        start: s.
        end: s.
        degrees: signed, + to the left (counter-clockwise seen from above).
    """

    start: float
    end: float
    degrees: float


def heading(joints: Array, fps: float = 20.0) -> Array:
    """Measure the facing direction of the trunk about the vertical: radians [T], unwrapped over time.

    0 faces +Z and pi/2 faces +X, so the angle grows when the body turns left. It is the twist about the
    vertical of the trunk's rotation (swing-twist decomposition; pelvis-neck and the mean of the hip and shoulder lines
    span the trunk's frame), which stays defined when bowing or lying; frames with an inverted trunk are interpolated.
    Smoothed with sigma 0.12 s.

    Args:
        joints: [T, 22, 3] m, Y up.
        fps: frames per second.
    """
    return headings(np.asarray(joints)[None], fps)[0]


def headings(joints: Array, fps: float = 20.0) -> Array:
    """Measure the :func:`heading` of clips of one length: joints [N, T, 22, 3] to radians [N, T]."""
    joints = np.asarray(joints, dtype=np.float64)
    up = unit(joints[:, :, NECK] - joints[:, :, PELVIS])
    across = unit(joints[:, :, 1] - joints[:, :, 2]) + unit(joints[:, :, 16] - joints[:, :, 17])
    left = unit(across - np.einsum("nti,nti->nt", across, up)[..., None] * up)
    chest = cross(left, up)
    # Twist of the rotation [left up chest]; its length (1 + cos of the tilt) falls to 0 where the trunk is inverted.
    sin, cos = chest[..., 0] - left[..., 2], left[..., 0] + chest[..., 2]
    known = np.hypot(sin, cos) > 0.45
    angle = np.arctan2(sin, cos)
    frames = np.arange(joints.shape[1])
    for one, clear in zip(angle, known, strict=True):
        one[:] = np.interp(frames, frames[clear], np.unwrap(one[clear])) if clear.any() else 0.0
    return smooth(angle.T, 0.12, fps).T


def facing(joints: Array, fps: float = 20.0) -> Array:
    """Return unit vectors [T, 3] in the ground plane in the direction of :func:`heading`."""
    angle = heading(joints, fps)
    return np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], axis=1)


def ends_mean(x: Array, fps: float, seconds: float = 0.2) -> tuple[Array, Array]:
    """Average the first and the last `seconds` of x, so that one noisy frame moves neither start nor end."""
    n = max(1, min(len(x), round(seconds * fps)))
    return x[:n].mean(axis=0), x[-n:].mean(axis=0)


def turns(angle: Array, fps: float) -> tuple[Turn, ...]:
    """Find the turns: intervals faster than 15 deg/s in one sense, gaps under 0.4 s closed, 30 degrees or more in all.

    Args:
        angle: heading [T] rad, unwrapped.
        fps: frames per second.
    """
    degrees = np.degrees(smooth(angle, 0.2, fps))
    if len(degrees) < 3:
        return ()
    rate = gradient(degrees) * fps
    found: list[list[int]] = []
    for sign in (1, -1):
        parts: list[list[int]] = []
        for a, b in runs(sign * rate > TURN_RATE):
            if parts and a - parts[-1][1] < 0.4 * fps and sign * (degrees[a] - degrees[parts[-1][1] - 1]) > -5.0:
                parts[-1][1] = b
            else:
                parts.append([a, b])
        found += parts
    plain = np.degrees(angle)
    pad = max(1, round(0.1 * fps))  # the smoothing spreads a turn: take its size from where it has settled
    out = []
    for a, b in sorted(found):
        first, last = max(a - pad, 0), min(b - 1 + pad, len(plain) - 1)
        size = float(plain[last] - plain[first])
        if abs(size) >= TURN_MIN:
            out.append(Turn(a / fps, b / fps, size))
    return tuple(out)


def direction_name(angle: float, distance: float, leg: float) -> str:
    """Name the quarter of a displacement, or 'in place' when it is shorter than `TRAVELS.no`.

    Args:
        angle: degrees to the left of where the body faces.
        distance, leg: m.
    """
    return "in place" if distance < TRAVELS.no * leg else quarter(angle)


@dataclass(frozen=True, slots=True)
class Locomotion:
    """Hold the movement of the pelvis over the ground, in the fields of the same names in `Facts`."""

    displacement: float
    displacement_angle: float
    displacement_direction: str
    locomotion_angle: float
    locomotion_direction: str
    path_length: float
    mean_speed: float
    peak_speed: float


def ground_track(body: Body) -> Array:
    """Take the path of the pelvis over the ground, m [T, 2], smoothed with sigma 0.15 s."""
    return smooth(body.joints[:, PELVIS, [0, 2]], 0.15, body.fps)


def locomotion(body: Body, angle: Array, ground: Array) -> Locomotion:
    """Measure the movement of the pelvis, given the heading [T] in radians and its path from :func:`ground_track`."""
    first, last = ends_mean(body.joints[:, PELVIS, [0, 2]], body.fps, 0.1)
    start = float(ends_mean(angle, body.fps)[0])
    net = last - first
    distance = float(np.hypot(*net))
    net_angle = relative_angle(net, start)
    # Relative to the facing direction at each moment, walking backward around a corner stays backward.
    step = gradient(ground)
    sin, cos = np.sin(angle), np.cos(angle)
    forward = float((step[:, 0] * sin + step[:, 1] * cos).sum())
    sideways = float((step[:, 0] * cos - step[:, 1] * sin).sum())
    local_angle = float(np.degrees(np.arctan2(sideways, forward)))
    pace = speed(ground, body.fps)
    path = float(norm(np.diff(ground, axis=0)).sum())
    return Locomotion(
        displacement=distance,
        displacement_angle=net_angle,
        displacement_direction=direction_name(net_angle, distance, body.leg),
        locomotion_angle=local_angle,
        locomotion_direction=direction_name(local_angle, float(np.hypot(forward, sideways)), body.leg),
        path_length=path,
        mean_speed=float(pace.mean()),
        peak_speed=float(pace.max()),
    )


def relative_angle(v: Array, start: float) -> float:
    """Measure the angle of a ground vector (x, z) from a heading, rad: degrees in (-180, 180], positive to the left."""
    angle = np.arctan2(v[0], v[1]) - start
    return float(np.degrees(np.arctan2(np.sin(angle), np.cos(angle))))


@dataclass(frozen=True, slots=True)
class GroundPath:
    """Describe the path of the pelvis, half by half.

    Attributes:
        farthest: greatest distance from the start, m.
        half_distance: displacement in the first and in the second half of the time, m.
        half_angle: its direction, degrees from the facing direction as that half began, positive = left.
        half_speed: mean speed in each half, m/s.
    """

    farthest: float
    half_distance: tuple[float, float]
    half_angle: tuple[float, float]
    half_speed: tuple[float, float]


def ground_path(body: Body, angle: Array, ground: Array) -> GroundPath:
    """Measure the path of the pelvis from :func:`ground_track`, given the heading [T] in radians."""
    pace = speed(ground, body.fps)
    origin = ends_mean(ground, body.fps, 0.1)[0]
    middle = max(1, body.frames // 2)
    distance, direction, mean = [], [], []
    for a, b in ((0, middle), (min(middle, body.frames - 1), body.frames)):
        net = ground[b - 1] - ground[a]
        distance.append(float(np.hypot(*net)))
        direction.append(relative_angle(net, float(ends_mean(angle[a:b], body.fps)[0])))
        mean.append(float(pace[a:b].mean()))
    return GroundPath(
        float(norm(ground - origin).max()), (distance[0], distance[1]), (direction[0], direction[1]), (mean[0], mean[1])
    )
