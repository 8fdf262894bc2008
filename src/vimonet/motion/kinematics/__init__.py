"""Measure facts of a recording: locomotion, turns, limbs, postures, jumps, falls, steps, repetitions.

`measure(motion)` returns :class:`Facts`. Thresholds are relative to leg and arm length, so that a child before a depth
sensor and an adult in a studio are measured alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.calibration import held_poses
from vimonet.motion.kinematics.courses import courses
from vimonet.motion.kinematics.facts import Facts
from vimonet.motion.kinematics.gait import gait, ground_speed, put_on_ground, stance
from vimonet.motion.kinematics.held_body import measure_held
from vimonet.motion.kinematics.image_plane import image_plane
from vimonet.motion.kinematics.kicks import LegSwing, leg_swings
from vimonet.motion.kinematics.limbs import (
    Raise,
    Step,
    arm_asymmetry,
    contacts,
    knee_flexion,
    limb_activity,
    own_frame,
    raised_hands,
    steps,
)
from vimonet.motion.kinematics.moments import moments
from vimonet.motion.kinematics.off_ground import carried
from vimonet.motion.kinematics.path_shape import path_shape
from vimonet.motion.kinematics.posture_and_events import (
    Fall,
    Jump,
    Posture,
    ankle_over_floor,
    falls,
    jumps,
    one_leg_time,
    postures,
)
from vimonet.motion.kinematics.preparation import SHOULDER, SIDES, WRIST, Body, prepare, speed
from vimonet.motion.kinematics.recording_check import recording_check
from vimonet.motion.kinematics.repetitions import Repetitions, repetitions
from vimonet.motion.kinematics.trajectory import (
    GroundPath,
    Turn,
    ends_mean,
    facing,
    ground_path,
    ground_track,
    heading,
    locomotion,
    turns,
)

if TYPE_CHECKING:
    from vimonet.motion import Motion

__all__ = [
    "Facts",
    "Fall",
    "GroundPath",
    "Jump",
    "LegSwing",
    "Posture",
    "Raise",
    "Repetitions",
    "Step",
    "Turn",
    "facing",
    "heading",
    "measure",
]


def measure(motion: Motion) -> Facts:
    """Measure a Motion ([T, 22, 3] m, Y up): see :class:`Facts` for every field, its unit and definition.

    A 2D motion has limb activity, raised hands and repetitions only. Posture, jumps, steps and falls are None where a
    leg is not seen.
    """
    body = prepare(motion)
    flat = body.dimensions == 2
    angle = np.zeros(body.frames) if flat else heading(body.joints, body.fps)
    local = own_frame(body, angle)
    own_pace = speed(local, body.fps)
    ground = ground_track(body)
    activity = {k: v for k, v in limb_activity(own_pace).items() if body.seen[k]}
    hands = {
        side: float((body.joints[:, WRIST[side], 1] - body.joints[:, SHOULDER[side], 1]).max())
        for side in SIDES
        if body.seen[f"{side} arm"]
    }
    legs = not flat and body.seen["left leg"] and body.seen["right leg"]
    moved = None if flat else locomotion(body, angle, ground)
    start, end = ends_mean(angle, body.fps)
    nowhere = np.zeros(body.frames, dtype=bool)
    off_ground = carried(body) if legs else {}
    off = np.any(list(off_ground.values()), axis=0) if legs else nowhere
    found_jumps, airborne = jumps(body) if legs else ((), nowhere)
    found_falls, drop_speed = falls(body) if legs else ((), 0.0)
    walker = put_on_ground(body, angle) if legs else body
    found_steps = steps(walker, airborne | off) if legs else ()
    found_postures = postures(body, airborne, off_ground) if legs else ()
    again = repetitions(body, local, len(found_jumps))
    return Facts(
        duration=body.frames / body.fps,
        leg_length=None if flat else body.leg,
        displacement=moved.displacement if moved else None,
        displacement_angle=moved.displacement_angle if moved else None,
        displacement_direction=moved.displacement_direction if moved else None,
        locomotion_angle=moved.locomotion_angle if moved else None,
        locomotion_direction=moved.locomotion_direction if moved else None,
        path_length=moved.path_length if moved else None,
        mean_speed=moved.mean_speed if moved else None,
        peak_speed=moved.peak_speed if moved else None,
        net_turn=None if flat else float(np.degrees(end - start)),
        turns=None if flat else turns(angle, body.fps),
        limb_activity=activity,
        raised_hands=raised_hands(body),
        hand_height=hands,
        foot_height=ankle_over_floor(body) if legs else None,
        knee_flexion={side: float(v.max()) for side, v in knee_flexion(body.sharp).items()} if legs else None,
        trunk_inclination=None if flat else float(body.tilt.max()),
        lowest_pelvis=float((body.joints[:, 0, 1].min() - body.floor) / body.stand) if legs else None,
        posture=found_postures if legs else None,
        jumps=found_jumps if legs else None,
        steps=found_steps if legs else None,
        repetitions=again,
        contacts=contacts(body) if legs else None,
        falls=found_falls if legs else None,
        peak_drop_speed=drop_speed if legs else None,
        seen=body.seen,
        path=None if flat else ground_path(body, angle, ground),
        arm_asymmetry=None if flat or len(hands) < 2 else arm_asymmetry(body, local),
        one_leg_time=one_leg_time(body) if legs else None,
        image=image_plane(motion) if flat else None,
        gait=gait(walker, angle, found_steps),
        stance=stance(body, angle, airborne | off) if legs else None,
        moments=moments(body, angle, local, ground, found_jumps, found_falls, found_postures, again) if legs else None,
        shape=None if flat else path_shape(body),
        check=recording_check(motion, body, local, airborne if legs else None),
        held=None if flat else measure_held(body, local, own_pace),
        leg_swings=leg_swings(body, local, own_pace, off | _falling(found_falls, body)) if legs else None,
        held_root_speed=ground_speed(body) if walker is not body else None,
        courses=courses(body, bool(legs)),
        calibration=None if flat or len(hands) < 2 or not legs else held_poses(body.sharp, body.fps),
    )


def _falling(found: tuple[Fall, ...], body: Body) -> NDArray[np.bool_]:
    """Tell the frames of the falls and the second after each: bool [T]."""
    times = np.arange(body.frames) / body.fps
    return np.any([(times >= f.start - 0.5) & (times <= f.end + 1.0) for f in found] or [times < 0], axis=0)
