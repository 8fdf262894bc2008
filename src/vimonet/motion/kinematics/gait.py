"""Measure how somebody steps and stands: cadence, step length and width, evenness, stance, sway, the leg stood on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.gait_categories import RESTS
from vimonet.motion.kinematics.limbs import Step
from vimonet.motion.kinematics.preparation import (
    ANKLE,
    PELVIS,
    SHOULDER,
    SIDES,
    Array,
    Body,
    gradient,
    norm,
    rank,
    runs,
    smooth,
    speed,
)

STEP_LASTS = (0.2, 1.3)  # s between the strikes of one walk; a longer time is a pause between two walks
GROUND = [0, 2]


@dataclass(frozen=True, slots=True)
class Gait:
    """Describe the steps of a walk or run of three steps or more.

    Attributes:
        cadence: steps per minute.
        unevenness: standard deviation of the times between strikes as a share of their mean.
        length: distance of successive foot strikes along the way (median), m; None where steps lead sideways.
        side_length: side of the foot that strikes -> its step length (median), m.
        side_time: side of the foot that strikes -> mean time since the other one's strike, s.
        width: distance of successive foot strikes across the way, m; negative if the feet cross.
        strikes: number of pairs of successive strikes measured.
    """

    cadence: float
    unevenness: float
    length: float | None
    side_length: dict[str, float]
    side_time: dict[str, float]
    width: float | None
    strikes: int

    def lines(self) -> list[str]:
        """Return readable facts with units."""
        out = f"gait: cadence {self.cadence:.0f} per minute"
        if self.length is not None and self.width is not None:
            out += f", length {self.length:.2f} m{_sides(self.side_length)}, width {self.width:.2f} m"
        return [f"{out}, step time varies by {self.unevenness:.0%}{_sides(self.side_time, ' s')}"]


@dataclass(frozen=True, slots=True)
class Stance:
    """Describe the standing of a recording.

    Attributes:
        width: distance of the ankles over the ground while both feet stand still (median), m; None if they never do.
        shoulder_widths: the same in distances of the shoulder joints.
        left_ahead: how far the left ankle is ahead of the right one, along the facing direction, m.
        sway: greatest distance of the pelvis from its mean place in the longest quiet stand, m.
        quiet_time: length of that stand, s.
        leg: side of the leg stood on for the longest time, or None if no foot is lifted.
        leg_start, leg_end: start and end of that time, s.
        other_leg_time: longest time on the other leg, s.
        rests: part of the body -> share of the time on the floor, see :func:`floor_share`.
    """

    width: float | None
    shoulder_widths: float | None
    left_ahead: float | None
    sway: float | None
    quiet_time: float
    leg: str | None
    leg_start: float
    leg_end: float
    other_leg_time: float
    rests: dict[str, float]

    def lines(self) -> list[str]:
        """Return readable facts with units."""
        out = []
        if self.width is not None and self.shoulder_widths is not None and self.left_ahead is not None:
            side = "left" if self.left_ahead > 0 else "right"
            ahead = f", {side} foot {abs(self.left_ahead):.2f} m ahead" if abs(self.left_ahead) > 0.05 else ""
            out.append(f"stance: feet {self.width:.2f} m apart ({self.shoulder_widths:.1f} shoulder widths){ahead}")
        if self.sway is not None:
            out.append(f"quiet stand: {self.quiet_time:.1f} s, hips sway by {self.sway:.2f} m")
        if self.leg is not None:
            out.append(f"on the {self.leg} leg: {self.leg_start:.1f}-{self.leg_end:.1f} s")
        rests = {part: RESTS.decide(share) for part, share in self.rests.items()}
        if any(rests.values()) and None not in rests.values():
            out.append(f"on the floor: {', '.join(part for part, holds in rests.items() if holds)}")
        return out


def _sides(values: dict[str, float], unit: str = "") -> str:
    return f" (left {values['left']:.2f}, right {values['right']:.2f}{unit})" if len(values) == 2 else ""


def put_on_ground(body: Body, angle: Array) -> Body:
    """Move the body over the ground as its feet step, where the recording holds the pelvis in place.

    A treadmill, an animation "in place" and joints centred on the hips show a walk whose standing foot slides back.
    That is taken for granted if the pelvis stays within 0.35 leg lengths of its mean place, while the lower foot slides
    by more than 0.3 leg lengths/s and 60 % of its path goes in one direction of the body.

    Args:
        body: prepared recording.
        angle: heading [T], rad.
    """
    ground, leg = body.joints[:, PELVIS][:, GROUND], body.leg
    if body.frames < 16 or float(norm(ground - ground.mean(axis=0)).max()) > 0.35 * leg:
        return body
    low = np.minimum(body.joints[:, [7, 8], 1], body.joints[:, [10, 11], 1])
    weight = np.exp(-(low - low.min(axis=1, keepdims=True)) / (0.02 * leg))
    moved = gradient(body.joints[:, [7, 8]][..., GROUND])
    slide = np.einsum("tfi,tf->ti", moved, weight / weight.sum(axis=1, keepdims=True))
    sin, cos = np.sin(angle), np.cos(angle)
    own = np.stack([slide[:, 0] * cos - slide[:, 1] * sin, slide[:, 0] * sin + slide[:, 1] * cos], axis=1)
    way = float(norm(own).mean())
    upright = rank(body.joints[:, PELVIS, 1] - body.floor, 0.2) > 0.6 * body.stand
    if not upright or way * body.fps < 0.3 * leg or float(norm(own.mean(axis=0))) < 0.6 * way:
        return body
    # The standing foot is the one that goes with the ground; a swinging one goes the other way.
    aside, back = own.mean(axis=0)
    ground_way = np.stack([aside * cos + back * sin, back * cos - aside * sin], axis=1)
    stands = np.einsum("tfi,ti->tf", moved, ground_way).argmax(axis=1)
    slide = moved[np.arange(body.frames), stands]
    joints = body.joints.copy()
    joints[..., GROUND] -= np.cumsum(smooth(slide, 0.1, body.fps), axis=0)[:, None]
    return replace(body, joints=joints, pace=speed(joints, body.fps))


def ground_speed(body: Body) -> float:
    """Measure how fast the ground goes by under a body whose pelvis is held in place, m/s.

    It goes with the toes that are down (within 0.03 leg lengths of their lowest); the ankle rolls over them. The 70th
    percentile of their speed is .96 of the speed of walks whose pelvis is held by force, and .9 of that of runs.
    """
    toes = body.joints[:, [10, 11]]
    down = toes[..., 1] - toes[..., 1].min(axis=0) < 0.03 * body.leg
    return rank(speed(toes[..., GROUND], body.fps)[down], 0.7)


def gait(body: Body, angle: Array, steps: tuple[Step, ...]) -> Gait | None:
    """Measure the steps, by their strikes; None for fewer than three that alternate.

    Args:
        body: prepared recording, from :func:`put_on_ground`.
        angle: heading [T], rad.
        steps: foot strikes.
    """
    pairs = [
        (a, b) for a, b in pairwise(steps) if a.side != b.side and STEP_LASTS[0] <= b.time - a.time <= STEP_LASTS[1]
    ]
    if len(pairs) < 2:
        return None
    times = np.array([b.time - a.time for a, b in pairs])
    lengths: list[float] = []
    widths: list[float] = []
    of_side: dict[str, list[float]] = {side: [] for side in SIDES}
    for last, strike in pairs:
        reach = _reach(body, angle, last, strike)
        if reach is not None:
            lengths.append(reach[0])
            widths.append(reach[1])
            of_side[strike.side].append(reach[0])
    time_of = {side: [t for t, (_, b) in zip(times.tolist(), pairs, strict=True) if b.side == side] for side in SIDES}
    forward = 2 * len(lengths) > len(pairs)
    return Gait(
        cadence=60.0 / float(times.mean()),
        unevenness=float(times.std() / times.mean()),
        length=float(np.median(lengths)) if forward else None,
        side_length={side: float(np.median(v)) for side, v in of_side.items() if v and forward},
        side_time={side: float(np.mean(v)) for side, v in time_of.items() if v},
        width=float(np.mean(widths)) if forward else None,
        strikes=len(pairs),
    )


def _reach(body: Body, angle: Array, last: Step, strike: Step) -> tuple[float, float] | None:
    """Measure the distance, m, of two successive strikes along and across the way; None for a sidestep or no way."""
    frame, before = _landed(body, strike), _landed(body, last)
    near = max(1, round(0.4 * body.fps))
    way = body.joints[min(frame + near, body.frames - 1), PELVIS] - body.joints[max(frame - near, 0), PELVIS]
    way = way[GROUND]
    gone = float(norm(way))
    if gone < 0.15 * body.leg:
        return None
    way = way / gone
    ahead = float(way[0] * np.sin(angle[frame]) + way[1] * np.cos(angle[frame]))
    if abs(ahead) < 0.8:
        return None
    apart = (body.joints[frame, ANKLE[strike.side]] - body.joints[before, ANKLE[last.side]])[GROUND]
    to_left = float(apart[0] * way[1] - apart[1] * way[0]) * (1.0 if ahead > 0 else -1.0)
    return float(apart @ way), to_left if strike.side == "left" else -to_left


def _landed(body: Body, strike: Step) -> int:
    """Find the frame, within 0.15 s of a strike, in which its ankle is slowest."""
    first = min(round(strike.time * body.fps), body.frames - 1)
    last = min(first + round(0.15 * body.fps) + 1, body.frames)
    near = max(first - 1, 0)
    moved = gradient(body.joints[near : last + 1, ANKLE[strike.side]][:, GROUND])[first - near : last - near]
    return first + int(np.argmin(norm(moved)))


def stance(body: Body, angle: Array, airborne: NDArray[np.bool_]) -> Stance:
    """Measure the standing: where the feet are, how far the pelvis sways, on which leg.

    A frame is a stand if both ankles are within 0.06 leg lengths of their lowest and slower than 0.15 m/s and the
    pelvis is over 0.75 of its standing height; a quiet stand lasts 2 s with the trunk within 20 degrees of
    upright.

    Args:
        body: prepared recording with both legs seen.
        angle: heading [T], rad.
        airborne: [T] in flight.
    """
    joints, leg, fps = body.joints, body.leg, body.fps
    ankles = joints[:, [ANKLE["left"], ANKLE["right"]]]
    height = ankles[..., 1] - body.floor
    pelvis = joints[:, PELVIS, 1] - body.floor
    low = (height - np.minimum(height.min(axis=0), 0.2 * leg) < 0.06 * leg).all(axis=1)
    slow = (body.pace[:, [ANKLE["left"], ANKLE["right"]]] < 0.15).all(axis=1)
    stands = low & slow & (pelvis > 0.75 * body.stand) & ~airborne
    found = [(a, b) for a, b in runs(stands) if b - a >= 0.3 * fps]
    width = shoulders = ahead = sway = None
    quiet = 0.0
    if found:
        still = np.concatenate([np.arange(a, b) for a, b in found])
        apart = (ankles[still, 0] - ankles[still, 1])[:, GROUND]
        width = rank(norm(apart), 0.5)
        across = joints[still, SHOULDER["left"]] - joints[still, SHOULDER["right"]]
        shoulders = width / max(rank(norm(across), 0.5), 1e-3)
        ahead = rank(apart[:, 0] * np.sin(angle[still]) + apart[:, 1] * np.cos(angle[still]), 0.5)
        a, b = max(found, key=lambda run: run[1] - run[0])
        quiet = (b - a) / fps
        if quiet >= 2.0 and body.tilt[a:b].max() < 20.0:
            place = joints[a:b, PELVIS][:, GROUND]
            sway = float(norm(place - place.mean(axis=0)).max())
    legs = _one_leg(body, height, pelvis)
    on = max(SIDES, key=lambda side: legs[side][1] - legs[side][0])
    start, end = legs[on]
    other = legs["right" if on == "left" else "left"]
    held = end > start
    return Stance(
        width,
        shoulders,
        ahead,
        sway,
        quiet,
        on if held else None,
        start / fps if held else 0.0,
        end / fps if held else 0.0,
        (other[1] - other[0]) / fps,
        floor_share(body),
    )


def _one_leg(body: Body, height: Array, pelvis: Array) -> dict[str, tuple[int, int]]:
    """Find the longest interval on each leg: its foot down, the other ankle 0.25 leg lengths higher, 0.4 s or more."""
    high = pelvis > 0.8 * body.stand
    out = {}
    for i, side in enumerate(SIDES):
        lifted = (height[:, 1 - i] - height[:, i] > 0.25 * body.leg) & (height[:, i] < 0.25 * body.leg) & high
        found = [(a, b) for a, b in runs(lifted) if b - a >= 0.4 * body.fps]
        out[side] = max(found, key=lambda run: run[1] - run[0], default=(0, 0))
    return out


def floor_share(body: Body) -> dict[str, float]:
    """Measure the share of the time that feet, knees, hands, seat, back and head rest on the floor.

    A joint rests if it is near the floor (a foot within 0.12 leg lengths of it, a knee 0.17, a wrist 0.17, pelvis 0.27,
    chest 0.3, head 0.3) and slower than 0.3 m/s.
    """
    parts = [10, 11, 4, 5, 20, 21, PELVIS, 9, 15]
    reach = np.array([0.12, 0.12, 0.17, 0.17, 0.17, 0.17, 0.27, 0.3, 0.3]) * body.leg
    rests = ((body.joints[:, parts, 1] - body.floor < reach) & (body.pace[:, parts] < 0.3)).mean(axis=0).tolist()
    names = ("left foot", "right foot", "left knee", "right knee", "left hand", "right hand", "seat", "back", "head")
    return dict(zip(names, rests, strict=True))
