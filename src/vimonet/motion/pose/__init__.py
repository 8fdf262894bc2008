"""Estimate the keypoints of a person in a video.

    poses = estimate("clip.mp4")             # 2D keypoints of the most prominent person
    motion = vimonet.motion.load("clip.mp4")  # the same as a Motion at 20 frames/s

Importing it loads no estimator.
"""

from __future__ import annotations

from vimonet.motion.pose.estimation import MAX_RATE, Poses, estimate, estimate_cached, estimator_of, unseen
from vimonet.motion.pose.tracking import Followed, Person, PoseEstimator, Track, Tracker, apart, follow

__all__ = [
    "MAX_RATE",
    "Followed",
    "Person",
    "PoseEstimator",
    "Poses",
    "Track",
    "Tracker",
    "apart",
    "estimate",
    "estimate_cached",
    "estimator_of",
    "follow",
    "unseen",
]
