"""Record measured facts, with their JSON form and readable lines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.calibration import HeldPose
from vimonet.motion.kinematics.courses import Course
from vimonet.motion.kinematics.fact_lines import fact_lines
from vimonet.motion.kinematics.gait import Gait, Stance
from vimonet.motion.kinematics.held_body import HeldBody
from vimonet.motion.kinematics.image_plane import ImagePlane
from vimonet.motion.kinematics.kicks import LegSwing
from vimonet.motion.kinematics.limbs import Raise, Step
from vimonet.motion.kinematics.moments import Moments
from vimonet.motion.kinematics.path_shape import PathShape
from vimonet.motion.kinematics.posture_and_events import Fall, Jump, Posture
from vimonet.motion.kinematics.recording_check import RecordingCheck
from vimonet.motion.kinematics.repetitions import Repetitions
from vimonet.motion.kinematics.trajectory import GroundPath, Turn


@dataclass(frozen=True)
class Facts:
    """Hold every measurement of one recording; None where it cannot be measured (2D, or a limb that is not seen).

    Attributes:
        duration: s.
        leg_length: hip-knee-ankle, m; thresholds are relative to it.
        displacement: distance of the pelvis over the ground between start and end, m.
        displacement_angle: direction of the displacement, degrees in (-180, 180]; 0 = the facing direction at the
            start, positive to its left.
        displacement_direction: 'forward', 'left', 'backward', 'right' (quarters) or 'in place' (under
            `categories.TRAVELS.no` leg lengths).
        locomotion_angle: as `displacement_angle`, but against the facing direction at each moment, summed over the
            path: walking backward around a corner is about 180.
        locomotion_direction: name of `locomotion_angle`.
        path_length: length of the pelvis's path over the ground, m (smoothed with sigma 0.15 s).
        mean_speed, peak_speed: horizontal speed of the pelvis, m/s.
        net_turn: change of heading from the first to the last 0.2 s, degrees, positive = left (counter-clockwise from
            above); full turns count.
        turns: see `trajectory.turns`.
        limb_activity: limb -> mean speed of its end joint in the body's own frame, m/s.
        raised_hands: intervals with a wrist above its shoulder: see `limbs.raised_hands`.
        hand_height: side -> greatest height of the wrist above its shoulder, m.
        foot_height: side -> greatest height of the ankle above the floor, m.
        knee_flexion: side -> greatest flexion of the knee, degrees (0 = straight).
        trunk_inclination: greatest inclination of the trunk from upright, degrees.
        lowest_pelvis: least height of the pelvis as a share of its height when standing straight.
        posture: see `posture_and_events.postures`.
        jumps, falls: see `posture_and_events.jumps` and `falls` beside it.
        steps: see `limbs.steps`.
        repetitions: see `repetitions.repetitions`; None when nothing repeats.
        contacts: bool [T, 4]: left ankle, left foot, right ankle, right foot.
        peak_drop_speed: greatest downward speed of the pelvis, m/s.
        seen: limb -> whether the recording shows it.
        path: farthest point and halves of the path.
        arm_asymmetry: mean distance of one wrist from the mirrored other one, arm lengths.
        one_leg_time: longest time on one leg, s.
        image: what the image plane shows of a 2D motion; None for 3D.
        gait: cadence, step length and width; None for fewer than three steps.
        stance: distance of the standing feet, sway, the leg stood on; what rests on the floor.
        moments: pauses, the fastest moment, getting up, take-offs and landings, ends of falls, the last repetitions.
        shape: shape of the path over the ground; None if the pelvis hardly travels.
        check: frames and faults of the recording, sliding feet, stature.
        held: how the body is held: joint angles, arms, legs, hands, trunk; None in 2D.
        leg_swings: kicks and lifted legs: see `kicks.leg_swings`.
        held_root_speed: where the recording holds the pelvis in place (treadmill, animation in place), the speed of the
            ground under the feet, m/s; else None.
        courses: which way hips, trunk and hands go up and down: see `courses.courses`.
        calibration: T-, A- and N-poses that are held: see `calibration.held_poses`.
    """

    duration: float
    leg_length: float | None
    displacement: float | None
    displacement_angle: float | None
    displacement_direction: str | None
    locomotion_angle: float | None
    locomotion_direction: str | None
    path_length: float | None
    mean_speed: float | None
    peak_speed: float | None
    net_turn: float | None
    turns: tuple[Turn, ...] | None
    limb_activity: dict[str, float]
    raised_hands: tuple[Raise, ...]
    hand_height: dict[str, float]
    foot_height: dict[str, float] | None
    knee_flexion: dict[str, float] | None
    trunk_inclination: float | None
    lowest_pelvis: float | None
    posture: tuple[Posture, ...] | None
    jumps: tuple[Jump, ...] | None
    steps: tuple[Step, ...] | None
    repetitions: Repetitions | None
    contacts: NDArray[np.bool_] | None
    falls: tuple[Fall, ...] | None
    peak_drop_speed: float | None
    seen: dict[str, bool] = field(default_factory=dict)
    path: GroundPath | None = None
    arm_asymmetry: float | None = None
    one_leg_time: float | None = None
    image: ImagePlane | None = None
    gait: Gait | None = None
    stance: Stance | None = None
    moments: Moments | None = None
    shape: PathShape | None = None
    check: RecordingCheck | None = None
    held: HeldBody | None = None
    leg_swings: tuple[LegSwing, ...] | None = None
    held_root_speed: float | None = None
    courses: tuple[Course, ...] = ()
    calibration: tuple[HeldPose, ...] | None = None

    def fallen(self) -> tuple[tuple[float, float, bool], ...]:
        """Return start and end of each fall, s, in 3D or in the image plane, and whether the person is up again."""
        if self.falls and self.moments:
            return tuple(
                (fall.start, fall.end, landing.up_again is not None)
                for fall, landing in zip(self.falls, self.moments.landings, strict=True)
            )
        seen = (self.image.falls if self.image else None) or ()
        return tuple((fall.start, fall.end, fall.up_again) for fall in seen)

    def calibration_pose(self) -> HeldPose | None:
        """Return the T-pose or A-pose that is held before the movement begins; None if there is none."""
        for pose in self.calibration or ():
            if pose.sure and pose.start == 0.0 and pose.name != "N-pose" and pose.end < self.duration:
                return pose
        return None

    def raised(self) -> str:
        """Name the hands raised at some time: 'left', 'right', 'both' or 'none'."""
        sides = {r.side for r in self.raised_hands}
        return "both" if len(sides) == 2 else next(iter(sides), "none")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary: numbers to a thousandth, contacts as the share of time each is down."""
        out = asdict(self)
        if self.contacts is not None:
            names = ("left ankle", "left foot", "right ankle", "right foot")
            out["contacts"] = dict(zip(names, self.contacts.mean(axis=0).tolist(), strict=True))
        if self.held is not None:
            del out["held"]["track"]
        return {key: _plain(value) for key, value in out.items()}

    def lines(self) -> list[str]:
        """Return readable facts with units, one topic per line; see `fact_lines`."""
        return [*fact_lines(self), *(self.held.lines() if self.held else ())]


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return round(float(value), 3)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
