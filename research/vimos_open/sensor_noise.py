"""Show a 3D movement as another sensor would record it: other proportions, jitter, lost joints, fewer frames.

Studio motion capture is cleaner than what people have. Sizes of the errors are those of Kinect recordings (Wang et al.
2015, "Evaluation of Pose Tracking Accuracy in the First and Second Generations of Microsoft Kinect": centimetres of
jitter, hips that sit high, feet and hands that are hardly tracked).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from vimonet.motion import Motion
from vimonet.motion.kinematics import heading
from vimonet.motion.skeleton import INDEX, JOINT_NAMES, PARENTS
from vimonet.vimos.question_forms import needs
from vimonet.vimos.types import Question

UNSURE: Final = frozenset(
    (
        *("hand_over_head", "higher_hand", "higher_foot", "more_bent_knee", "steps", "first_step", "left_right_count"),
        *("one_leg", "one_leg_time", "standing_leg", "both_feet_off", "landing", "takeoff_foot", "recording_quality"),
    )
)
"""Forms about heights, feet and the recording that such a sensor leaves open, though one camera would answer them."""

_TURNS = frozenset(("turn_amount", "turn_count", "turn_again", "turns_both_ways", "same_facing"))
_NUMBER = re.compile(r"\d.*(metre|degree|per second|per minute)")


def unsure(question: Question) -> bool:
    """Tell whether such a sensor leaves the answer open, though the movement itself gave it.

    It leaves open questions about heights and feet, answers in metres, degrees or their rates, and whatever one camera
    does not show either, except turns.
    """
    if question.form in _TURNS:
        return False
    return question.form in UNSURE or needs(question.form, "depth") or _NUMBER.search(question.answer) is not None


JITTER: Final = (0.01, 0.03)
"""Standard deviation of the jitter of hands and feet, m, drawn per clip; the trunk has less."""

_ENDS = ("wrist", "ankle", "foot")
_LEVEL = np.array(
    [1.0 if name.endswith(_ENDS) else 0.7 if name.endswith(("elbow", "knee")) else 0.4 for name in JOINT_NAMES]
)
_GROUPS: Final = {  # bones by the joint at their end -> range of the new length, as a share of the old
    ("knee", "ankle", "foot"): (0.88, 1.12),
    ("elbow", "wrist"): (0.85, 1.15),
    ("spine1", "spine2", "spine3", "neck", "head"): (0.9, 1.1),
    ("hip",): (0.7, 1.3),
    ("collar", "shoulder"): (0.85, 1.15),
}
_LOSABLE = (*[[joint] for joint in range(1, 22)], [18, 20], [19, 21], [7, 10], [8, 11], [4, 7, 10], [5, 8, 11])
_TOES = {INDEX["left_foot"]: INDEX["left_ankle"], INDEX["right_foot"]: INDEX["right_ankle"]}


def sensed(motion: Motion, rng: np.random.Generator) -> Motion:
    """Give a movement the errors of a sensor drawn at random; its times, directions and turns stay.

    Args:
        motion: 3D.
        rng: random generator.

    Returns:
        The same number of frames, with other bone lengths, offsets of joints that are constant in the body's frame,
        jitter correlated in time, short spans of lost joints filled by interpolation; at times with toes unseen or at
        the ankles, hands in place of wrists, or only the frames of a sensor of 10 to 15 frames/s, interpolated.
    """
    joints = _resized(motion.joints.astype(np.float64), rng)
    frames = len(joints)
    angle = heading(joints, motion.fps)
    offset = rng.normal(0.0, 0.012, (22, 3))
    sin, cos = np.sin(angle)[:, None], np.cos(angle)[:, None]
    joints[..., 0] += cos * offset[:, 0] + sin * offset[:, 2]
    joints[..., 1] += offset[:, 1]
    joints[..., 2] += cos * offset[:, 2] - sin * offset[:, 0]
    joints += _jitter(frames, rng)
    for _ in range(rng.poisson(1.0)):
        _lose(joints, _LOSABLE[rng.integers(len(_LOSABLE))], rng)
    confidence = motion.confidence
    toes = rng.random()
    if toes < 0.4:
        joints[:, list(_TOES)] = joints[:, list(_TOES.values())]
    elif toes < 0.55:
        confidence = np.ones((frames, 22), np.float32) if confidence is None else confidence.copy()
        confidence[:, list(_TOES)] = 0
    if rng.random() < 0.4:
        joints = _slower(joints, rng.uniform(10.0, 15.0), motion.fps)
    return replace(motion, joints=joints.astype(np.float32), confidence=confidence)


def _resized(joints: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Give the body other proportions; its path and height over the floor grow with its legs."""
    factors = np.ones(22)
    for ends, (least, most) in _GROUPS.items():
        factors[[name.endswith(ends) for name in JOINT_NAMES]] = rng.uniform(least, most)
    size = rng.uniform(0.85, 1.15)
    bones = joints.copy()
    bones[:, 1:] -= joints[:, list(PARENTS[1:])]
    if rng.random() < 0.3:  # the sensor's last joint of an arm is the hand
        factors[[INDEX["left_wrist"], INDEX["right_wrist"]]] *= rng.uniform(1.1, 1.35)
    bones *= size * factors[:, None]
    start = joints[0, 0] * (1, 0, 1)
    bones[:, 0] = start + (joints[:, 0] - start) * size * factors[INDEX["left_knee"]]
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            bones[:, joint] += bones[:, parent]
    up = bones[:, INDEX["spine1"]] - bones[:, 0]
    up /= np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-6)
    bones[:, [INDEX["left_hip"], INDEX["right_hip"]]] += (rng.uniform(0.0, 0.06) * up)[:, None]
    return bones


def _jitter(frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw jitter [T, 22, 3], m, correlated over 0.05 to 0.2 s, with its own level for every joint."""
    width = rng.uniform(1.0, 4.0)
    noise = gaussian_filter1d(rng.standard_normal((frames + 32, 22, 3)), width, axis=0, mode="nearest")[16:-16]
    unit = np.sqrt(2 * np.sqrt(np.pi) * width)  # gives unit variance to white noise smoothed by a Gaussian
    level = rng.uniform(*JITTER) * _LEVEL * rng.uniform(0.5, 1.0, 22)
    return noise * unit * level[:, None] / np.sqrt(3)


def _lose(joints: NDArray[np.float64], lost: list[int], rng: np.random.Generator) -> None:
    """Replace joints during 0.15 to 0.4 s by a straight line between their positions before and after."""
    frames = len(joints)
    length = int(rng.integers(3, 9))
    if frames < length + 3:
        return
    first = int(rng.integers(1, frames - length - 1))
    share = (np.arange(1, length + 1) / (length + 1))[:, None, None]
    before, after = (
        joints[first - 1, lost] - joints[first - 1, 0],
        joints[first + length, lost] - joints[first + length, 0],
    )
    joints[first : first + length, lost] = joints[first : first + length, :1] + before + share * (after - before)


def _slower(joints: NDArray[np.float64], rate: float, fps: float) -> NDArray[np.float64]:
    """Keep the frames of a sensor of `rate` frames/s, and interpolate linearly between them."""
    times = np.arange(len(joints)) / fps
    seen = np.append(np.arange(0.0, times[-1], 1 / rate), times[-1])
    at = seen * fps
    low = np.minimum(at.astype(int), len(joints) - 1)
    high = np.minimum(low + 1, len(joints) - 1)
    part = (at - low)[:, None, None]
    kept = joints[low] * (1 - part) + joints[high] * part
    place = np.minimum(np.searchsorted(seen, times, side="right") - 1, max(len(seen) - 2, 0))
    following = np.minimum(place + 1, len(seen) - 1)
    span = np.maximum(seen[following] - seen[place], 1e-9)
    share = ((times - seen[place]) / span)[:, None, None]
    return kept[place] * (1 - share) + kept[following] * share
