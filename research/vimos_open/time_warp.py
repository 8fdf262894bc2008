"""Make new movements of recorded ones: time-warped, and joined into sequences. Facts are measured on the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vimonet.motion import Motion, retarget
from vimonet.motion.kinematics import heading
from vimonet.motion.motion import resample

BLEND = 6
"""Frames (0.3 s) over which one part turns into the next."""


def time_warp(motion: Motion, factor: float) -> Motion:
    """Stretch a movement to `factor` times its length (2 = half as fast)."""
    joints, confidence = resample(motion.joints, motion.fps / factor, motion.fps, confidence=motion.confidence)
    return replace(motion, joints=joints, confidence=confidence)


def join(motions: Sequence[Motion], name: str = "composed") -> tuple[Motion, list[tuple[int, int]]]:
    """Join movements into one: each begins where and as the one before it ends.

    All are first brought to one skeleton; the next part is turned and shifted so that its first facing and place
    continue the last ones, and the poses are blended over 0.3 s.

    Args:
        motions: 3D motions of at least 2 frames.
        name: name of the result.

    Returns:
        The joined motion, and for each part its (first frame, frame after its last) in it.
    """
    track = retarget(motions[0].joints)
    spans = [(0, len(track))]
    for motion in motions[1:]:
        following = _continued(track, retarget(motion.joints))
        blend = _blend(track[-1], following[0], BLEND)
        start = len(track) + len(blend)
        track = np.concatenate([track, blend, following])
        spans.append((start, len(track)))
    return replace(motions[0], joints=track.astype(np.float32), name=name, confidence=None), spans


def _continued(track: NDArray[np.float32], following: NDArray[np.float32]) -> NDArray[np.float32]:
    turn = float(heading(track[-5:])[-1] - heading(following[:5])[0])
    sin, cos = np.sin(turn), np.cos(turn)
    moved = following - following[0, 0] * np.array([1, 0, 1], np.float32)
    turned = moved.copy()
    turned[..., 0] = cos * moved[..., 0] + sin * moved[..., 2]
    turned[..., 2] = -sin * moved[..., 0] + cos * moved[..., 2]
    # The pelvis drifts on a little during the blend, at the mean of both speeds.
    pace = (track[-1, 0] - track[max(-4, -len(track)), 0]) / max(1, min(3, len(track) - 1))
    drift = 0.5 * pace * (BLEND + 1) * np.array([1, 0, 1], np.float32)
    return turned + (track[-1, 0] * np.array([1, 0, 1], np.float32)) + drift


def _blend(last: NDArray[np.float32], first: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    weight = (np.arange(1, frames + 1, dtype=np.float32) / (frames + 1))[:, None, None]
    weight = weight * weight * (3 - 2 * weight)
    return ((1 - weight) * last + weight * first).astype(np.float32)
