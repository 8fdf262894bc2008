"""Find kicks and lifted legs: a foot that swings out in front or to the side, its height over the floor and speed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.categories import KICK_SPEED
from vimonet.motion.kinematics.preparation import ANKLE, HIP, PELVIS, SIDES, Array, Body, lowest_around, runs

FOOT_UP, REACH, BEHIND = 0.3, 0.35, -0.15  # leg lengths: over the floor; from the hip, level; ahead of the hip
OTHER_DOWN = 0.25  # leg lengths of the other ankle below the lifted one


@dataclass(frozen=True, slots=True)
class LegSwing:
    """Describe one swing of a leg away from the body.

    Attributes:
        side: of the leg that rises: 'left' or 'right'.
        start, end: interval with the foot up and away, s.
        time: of the foot's greatest speed, s.
        height: greatest height of the ankle over the floor, m.
        speed: greatest speed of the ankle against the pelvis, m/s.
        kick: whether it is a kick (True) or a leg that is lifted slowly (False); None in the dead zone.
    """

    side: str
    start: float
    end: float
    time: float
    height: float
    speed: float
    kick: bool | None


def leg_swings(body: Body, local: Array, own_pace: Array, held_up: NDArray[np.bool_]) -> tuple[LegSwing, ...]:
    """Find the swings of a leg that is no step, sorted by time.

    The ankle is 0.3 leg lengths over the floor and 0.25 above the other one, 0.35 leg lengths from its hip over the
    ground and not behind it, with the pelvis over half its standing height and the trunk within 80 degrees of upright:
    a stride lifts the foot behind the body, a knee that is raised keeps the foot below it, a cartwheel tilts the trunk.

    Args:
        body: prepared recording with both legs seen.
        local: joints [T, 22, 3], m, in the body's own frame.
        own_pace: speed of every joint there, m/s [T, 22].
        held_up: bool [T], frames in which hands carry the body or it falls; their legs kick nobody.
    """
    leg, fps = body.leg, body.fps
    ankles = body.joints[:, [ANKLE["left"], ANKLE["right"]], 1]
    # Where somebody stands on a step the floor is under the other foot.
    floor = np.minimum(lowest_around(ankles.min(axis=1), round(fps)), ankles.min(axis=1)) - 0.06 * leg
    floor = np.maximum(floor, body.floor)
    upright = (body.joints[:, PELVIS, 1] - body.floor > 0.5 * body.stand) & (body.tilt < 80.0)
    found: list[LegSwing] = []
    for i, side in enumerate(SIDES):
        away = local[:, ANKLE[side]] - local[:, HIP[side]]
        pace = own_pace[:, ANKLE[side]]
        height = ankles[:, i] - floor
        out = (height > FOOT_UP * leg) & (ankles[:, i] - ankles[:, 1 - i] > OTHER_DOWN * leg)
        out &= (np.hypot(away[:, 0], away[:, 2]) > REACH * leg) & (away[:, 2] > BEHIND * leg) & upright & ~held_up
        for a, b in runs(out):
            after = min(b + round(0.5 * fps), body.frames - 1)
            if body.joints[after, PELVIS, 1] > body.joints[a, PELVIS, 1] + OTHER_DOWN * leg:
                continue  # a foot set on something high, up which the body climbs
            first = max(0, a - round(0.3 * fps))
            top = first + int(np.argmax(pace[first:b]))
            fastest = float(pace[top])
            kick = KICK_SPEED.decide(fastest / leg)
            found.append(LegSwing(side, a / fps, b / fps, top / fps, float(height[a:b].max()), fastest, kick))
    found.sort(key=lambda swing: swing.start)
    kept: list[LegSwing] = []
    for swing in found:
        # The leg that swings up first carries a kick with the other one, and a leg that comes down swings once more: of
        # two together the higher one is meant.
        if kept and swing.start < kept[-1].end + (0.5 if swing.side == kept[-1].side else 0.1):
            kept[-1] = max(kept[-1], swing, key=lambda one: one.height)
        elif swing.kick or swing.end - swing.start >= 0.3:
            kept.append(swing)
    return tuple(kept)
