"""Measure the recording itself: frames, faults of tracking, bones, sliding feet, whether it loops, the stature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.joint_names import JOINT_NAMES
from vimonet.motion.kinematics.gait_categories import GROUND_SLIDES
from vimonet.motion.kinematics.preparation import (
    ANKLE,
    FOOT,
    HIP,
    PELVIS,
    SIDES,
    VISIBLE,
    Array,
    Body,
    gradient,
    norm,
    rank,
    speed,
)

if TYPE_CHECKING:
    from vimonet.motion import Motion

LEAP = 0.25  # m from the middle of a joint's places one frame before and after (5 m/s at 20 frames/s)
_BONES = ((1, 4), (2, 5), (4, 7), (5, 8), (16, 18), (17, 19), (18, 20), (19, 21))


@dataclass(frozen=True, slots=True)
class RecordingCheck:
    """Describe the recording itself.

    Attributes:
        frames: number of frames measured.
        fps: their rate, 1/s.
        source_fps: rate of the source, 1/s.
        leaps: time, s, and name of each joint that leaps between two frames and back, the first five.
        bone_change: greatest change of the length of a limb's bone (standard deviation as a share), 0 for 2D.
        hidden: share of joint positions that were not seen.
        pose_gap: mean distance of the joints between the first and the last pose, root and heading aside, m.
        speed_gap: mean difference of their speeds there, m/s.
        foot_slide: see :func:`foot_slide`.
        body_height: stature, m; None for 2D and unseen legs.
    """

    frames: int
    fps: float
    source_fps: float
    leaps: tuple[tuple[float, str], ...]
    bone_change: float
    hidden: float
    pose_gap: float
    speed_gap: float
    foot_slide: float | None
    body_height: float | None

    def lines(self) -> list[str]:
        """Return readable facts with units."""
        out = [f"frames: {self.frames} at {self.fps:g} per second"]
        if self.source_fps != self.fps:
            out[0] += f" (recorded at {self.source_fps:g})"
        faults = [f"{name} leaps at {time:.1f} s" for time, name in self.leaps]
        faults += [f"bones change by {self.bone_change:.0%}"] * (self.bone_change > 0.05)
        faults += [f"{self.hidden:.0%} of the joints hidden"] * (self.hidden > 0.01)
        out.append(f"tracking: {', '.join(faults) or 'clean'}")
        out.append(f"first and last pose: {self.pose_gap:.2f} m apart")
        if GROUND_SLIDES.decide(self.foot_slide) and self.foot_slide is not None:
            out.append(f"feet slide: {self.foot_slide:.0%} of the time")
        if self.body_height is not None:
            out.append(f"body height: {self.body_height:.2f} m")
        return out


def recording_check(motion: Motion, body: Body, local: Array, airborne: NDArray[np.bool_] | None) -> RecordingCheck:
    """Check a Motion: see :class:`RecordingCheck`.

    Args:
        motion: as loaded.
        body: the same, prepared.
        local: its smoothed joints [T, 22, 3], m, in the body's own frame.
        airborne: [T] in flight; None where it has no legs to measure.
    """
    joints = np.asarray(motion.joints, dtype=np.float64)
    seen = None if motion.confidence is None else np.asarray(motion.confidence) > VISIBLE
    leaps: list[tuple[float, str]] = []
    if len(joints) > 2:
        # A frame off the line between the frames before and after it is a leap there and back.
        off = norm(joints[1:-1] - 0.5 * (joints[:-2] + joints[2:]))
        around = np.pad(off, ((1, 1), (0, 0)))
        for frame, joint in zip(*np.nonzero((off > LEAP) & (off >= around[:-2]) & (off >= around[2:])), strict=True):
            if seen is None or seen[frame : frame + 3, joint].all():
                leaps.append(((int(frame) + 1) / motion.fps, JOINT_NAMES[joint].replace("_", " ")))
    change = 0.0
    if motion.dimensions == 3:
        a, b = np.array(_BONES).T
        length = norm(joints[:, a] - joints[:, b])
        if seen is None:
            change = float((length.std(axis=0) / np.maximum(length.mean(axis=0), 1e-6)).max())
        else:
            both = seen[:, a] & seen[:, b]
            change = max((_spread(length[both[:, i], i]) for i in range(len(a))), default=0.0)
    ends = np.stack([local[1 % len(local)] - local[0], local[-1] - local[-2 % len(local)]]) * motion.fps
    return RecordingCheck(
        len(joints),
        float(motion.fps),
        float(motion.source_fps),
        tuple(leaps[:5]),
        change,
        0.0 if seen is None else float(1.0 - seen.mean()),
        float(norm(local[0] - local[-1]).mean()),
        float(norm(ends[0] - ends[1]).mean()),
        None if airborne is None else foot_slide(body, airborne),
        None if airborne is None else body_height(body),
    )


def _spread(x: Array) -> float:
    return float(x.std() / max(float(x.mean()), 1e-6)) if len(x) > 2 else 0.0


def foot_slide(body: Body, airborne: NDArray[np.bool_]) -> float | None:
    """Measure the share of the time on the feet in which the slower foot on the ground slides at over 0.25 m/s.

    Small hops, in which the pelvis rises or sinks by over 0.3 leg lengths/s, do not count. None if the feet carry the
    body for less than half a second.
    """
    on_feet = (body.joints[:, PELVIS, 1] - body.floor > 0.5 * body.stand) & (body.tilt < 75.0)
    clear = body.clear / body.leg
    pace = np.stack(
        [
            np.minimum(*(speed(body.joints[:, joint][:, [0, 2]], body.fps) for joint in (ANKLE[side], FOOT[side])))
            for side in SIDES
        ],
        axis=1,
    )
    down = clear < 0.03
    rise = np.abs(gradient(body.joints[:, PELVIS, 1])) * body.fps
    known = on_feet & ~airborne & down.any(axis=1) & (rise < 0.3 * body.leg)
    if known.sum() < 0.5 * body.fps:
        return None
    slowest = np.where(down, pace, np.inf).min(axis=1)
    return float((slowest[known] > 0.25).mean())


def body_height(body: Body) -> float:
    """Estimate the stature, m: shank, thigh, trunk, neck and head, and what lies below ankle and above head joint.

    The crown is a fifth of the trunk above the head joint, the sole a tenth of a leg under the ankle; lengths of limbs
    are medians over time, so that the posture does not matter.
    """
    joints = body.joints
    hips = 0.5 * (joints[:, HIP["left"]] + joints[:, HIP["right"]])
    spine = [0, 3, 6, 9, 12, 15]
    bones = norm(np.diff(joints[:, spine], axis=1))
    trunk = sum(rank(bones[:, i], 0.5) for i in range(bones.shape[1]))
    down = rank(norm(joints[:, PELVIS] - hips), 0.5)
    torso = rank(norm(joints[:, 12] - joints[:, PELVIS]), 0.5)
    return body.leg + 0.08 * body.leg + 0.7 * down + trunk + 0.2 * torso
