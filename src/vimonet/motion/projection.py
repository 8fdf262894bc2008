"""Project 3D movement to 2D keypoints as a pose estimator reports them: a camera, detector-like noise, drop-outs."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from vimonet.motion.motion import Motion
from vimonet.motion.skeleton import INDEX, LEFT_RIGHT
from vimonet.utils.errors import InputError

TORSO = 0.5
"""Median pelvis-neck distance of every 2D motion, which makes it independent of the camera's distance."""

# COCO and similar layouts lack spine, collars and toes.
_UNSEEN = [
    INDEX[name] for name in ("spine1", "spine2", "spine3", "left_collar", "right_collar", "left_foot", "right_foot")
]

_LIMBS = [
    [INDEX[f"{side}_{name}"] for name in names]
    for side in ("left", "right")
    for names in (("elbow", "wrist"), ("knee", "ankle", "foot"))
]


def project(motion: Motion, azimuth: float = 0.0, elevation: float = 0.0, distance: float = 4.0) -> Motion:
    """Project a 3D motion through a static pinhole camera aimed at the middle of the movement.

    Args:
        motion: 3D, [T, 22, 3] m.
        azimuth: degrees around the body from the front of its first frame; 90 looks at its left side.
        elevation: degrees above the horizon; negative looks up from below.
        distance: distance of the camera from the middle of the movement, m.

    Returns:
        2D Motion: x to the right of the image, y up, torso 0.5; joints that 2D keypoint sets lack have confidence 0.
    """
    from vimonet.motion.kinematics import heading

    joints = motion.joints.astype(np.float64)
    facing = float(heading(joints[: min(len(joints), 5)], motion.fps)[0])
    # The camera looks at the front: its right is the body's left when azimuth is 0.
    angle = facing + np.radians(azimuth)
    centre = np.array([*np.median(joints[:, 0], axis=0)])
    moved = joints - centre
    x = np.cos(angle) * moved[..., 0] - np.sin(angle) * moved[..., 2]
    z = np.sin(angle) * moved[..., 0] + np.cos(angle) * moved[..., 2]
    tilt = np.radians(elevation)
    y = np.cos(tilt) * moved[..., 1] - np.sin(tilt) * z
    depth = distance - (np.sin(tilt) * moved[..., 1] + np.cos(tilt) * z)
    scale = distance / np.maximum(depth, 0.5)
    image = np.stack([x * scale, y * scale, np.zeros_like(x)], axis=-1)
    torso = np.linalg.norm(image[:, INDEX["neck"]] - image[:, 0], axis=-1)
    image *= TORSO / max(float(np.median(torso)), 0.05)
    confidence = np.ones(image.shape[:2], np.float32) if motion.confidence is None else motion.confidence.copy()
    confidence[:, _UNSEEN] = 0
    return replace(motion, joints=image.astype(np.float32), confidence=confidence, dimensions=2, source="projection")


def detector_noise(motion: Motion, rng: np.random.Generator, level: float = 0.02) -> Motion:
    """Add the errors of a pose estimator on a hand-held video.

    The errors are jitter correlated in time, a constant offset of every joint (estimators differ in their hips), spans
    of lost joints and limbs, rarely exchanged sides, and a camera that drifts and zooms.

    Args:
        motion: 2D motion.
        rng: random generator.
        level: standard deviation in units of two torsos (0.02 = 2 % of a metre-sized body part).
    """
    joints = motion.joints.copy()
    frames = len(joints)
    slow = gaussian_filter1d(rng.standard_normal((frames, 22, 2)), 4.0, axis=0, mode="nearest") * 3.5
    lasting = rng.standard_normal((1, 22, 2))
    fast = rng.standard_normal((frames, 22, 2))
    joints[..., :2] += (level * (0.6 * slow + 0.4 * fast + 0.5 * lasting)).astype(np.float32)
    confidence = (motion.confidence if motion.confidence is not None else np.ones((frames, 22), np.float32)).copy()
    for _ in range(rng.poisson(1.0)):
        _lose(confidence, [int(rng.integers(1, 22))], rng, 2, 15)
    if rng.random() < 0.2:
        _lose(confidence, _LIMBS[rng.integers(len(_LIMBS))], rng, 8, 50)
    if rng.random() < 0.1:
        start, length = int(rng.integers(0, frames)), int(rng.integers(1, 5))
        for left, right in LEFT_RIGHT:
            swap = slice(start, start + length)
            joints[swap, left], joints[swap, right] = joints[swap, right].copy(), joints[swap, left].copy()
    if rng.random() < 0.4:
        joints = _handheld(joints, rng)
    return replace(motion, joints=joints, confidence=confidence)


@dataclass(frozen=True)
class View:
    """Hold a random virtual camera and the errors of a pose estimator.

    Attributes:
        azimuth, elevation, distance: of the camera, degrees and m (see `project`).
        level, seed: of the estimator's errors (see `detector_noise`).
    """

    azimuth: float
    elevation: float
    distance: float
    level: float
    seed: int

    @classmethod
    def draw(cls, rng: random.Random) -> View:
        """Draw a view from any side, mostly level."""
        azimuth, elevation = rng.uniform(-180, 180), rng.choice((0.0, 0.0, rng.uniform(-25, 45)))
        distance, seed = rng.uniform(2.2, 7.0), rng.randrange(2**32)
        return cls(azimuth, elevation, distance, rng.choice((0.005, 0.015, 0.03, 0.045)), seed)

    def project_2d(self, motion: Motion) -> Motion:
        """Project a 3D motion onto the image plane and add the errors of a pose estimator.

        Raises:
            InputError: the body lies along the line of sight and shows no torso.
        """
        flat = project(motion, self.azimuth, self.elevation, self.distance)
        return detector_noise(flat, np.random.default_rng(self.seed), self.level)


def _lose(confidence: NDArray[np.float32], joints: list[int], rng: np.random.Generator, least: int, most: int) -> None:
    """Set the confidence of joints to 0 for a random span of `least` to `most` frames."""
    length = int(rng.integers(least, most))
    start = int(rng.integers(0, max(1, len(confidence) - length)))
    confidence[start : start + length, joints] = 0


def _handheld(joints: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Move 2D joints [T, 22, 3] as under a camera that drifts by 5 % of a body and zooms by 3 % within seconds."""
    drift = gaussian_filter1d(rng.standard_normal((len(joints), 3)), 15.0, axis=0, mode="nearest") * 7.0
    moved = joints.copy()
    moved[..., :2] *= (1 + 0.03 * drift[:, None, 2:]).astype(np.float32)
    moved[..., :2] += (0.05 * drift[:, None, :2]).astype(np.float32)
    return moved


LEGLESS = 0.3
"""Share of whole bodies projected without their legs."""
_LEGS = tuple(
    [INDEX[f"{side}_{name}"] for side in ("left", "right") for name in names]
    for names in (("ankle", "foot"), ("knee", "ankle", "foot"))
)


def random_view(
    joints: NDArray[np.float32], confidence: NDArray[np.float32] | None, rng: random.Random, crop: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
    """Project 3D joints through a random virtual camera, with the errors of a pose estimator.

    Args:
        joints: [T, 22, 3], m.
        confidence: [T, 22]; None if every joint was seen.
        rng: random generator.
        crop: whether the image may end above the legs of a wholly visible body.

    Returns:
        Keypoints [T, 22, 3], their confidence [T, 22], and whether the legs are in the image.

    Raises:
        InputError: no view shows a body.
    """
    motion, view = Motion(joints, name="projection", confidence=confidence), View.draw(rng)
    try:
        flat = view.project_2d(motion)
    except InputError:  # the body is too near, or lies along the line of sight
        flat = replace(view, distance=20.0, azimuth=view.azimuth + 90, elevation=0.0).project_2d(motion)
    assert flat.confidence is not None
    cropped = crop and confidence is None and rng.random() < LEGLESS
    if cropped:
        flat.confidence[:, rng.choice(_LEGS)] = 0
    return flat.joints, flat.confidence, not cropped
