"""Keypoints from video: estimators behind one small interface, one person followed, as the JSON all commands read.

    poses = estimate("clip.mp4")             # 2D keypoints of the most prominent person
    motion = vimonet.motion.load("clip.mp4")  # the same, as a Motion at 20 frames/s

Importing it loads no estimator.
"""

from __future__ import annotations

import json

from vimonet.motion.io.recording import Recording
from vimonet.motion.pose.estimation import MAX_RATE, Poses, estimate, estimator_of, unseen
from vimonet.motion.pose.people import Person, PoseEstimator
from vimonet.motion.pose.pose_cache import keypoint_json
from vimonet.motion.pose.tracking import Followed, Track, Tracker, follow
from vimonet.video import Source


def read_video(source: Source, name: str, *, fps: float | None = None) -> Recording:
    """The recording of the most prominent person in a video, remembered in the cache folder.

    Args:
        source: a path, or the bytes of a file.
        name: for messages.
        fps: rate of the frames, where the file tells a wrong one.

    Raises:
        InputError: not a readable video, nobody in view, or no estimator installed.
    """
    from vimonet.motion.io import keypoint_json as layouts

    text = keypoint_json(source, progress=True)
    recording = layouts.read(text.encode(), name, fps=fps)
    recording.notes = [*json.loads(text)["notes"], *recording.notes]
    return recording


__all__ = [
    "MAX_RATE",
    "Followed",
    "Person",
    "PoseEstimator",
    "Poses",
    "Track",
    "Tracker",
    "estimate",
    "estimator_of",
    "follow",
    "keypoint_json",
    "read_video",
    "unseen",
]
