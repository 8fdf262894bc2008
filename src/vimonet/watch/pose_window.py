"""Keep the last seconds of one person as a ring, and hand them on as a `Motion`."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io.recording_to_motion import place_2d
from vimonet.motion.motion import FPS, Motion, fill_unseen
from vimonet.motion.pose.tracking import to_even_times
from vimonet.watch.stream import PoseFrame

_MOST = 2000
"""Frames that a window holds at most, whatever rate a source pretends to have."""

_GAP = 0.5
"""Longest time between two frames, s, over which joints are interpolated."""


class PoseWindow:
    """Hold the frames of one person over the last seconds.

    Args:
        seconds: length of the window.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.frames: deque[PoseFrame] = deque(maxlen=_MOST)

    def push(self, frame: PoseFrame) -> None:
        """Add the newest frame and forget those that are too old."""
        self.frames.append(frame)
        while frame.time - self.frames[0].time > self.seconds:
            self.frames.popleft()

    @property
    def start(self) -> float:
        """Time of the oldest frame, s."""
        return self.frames[0].time

    @property
    def end(self) -> float:
        """Time of the newest frame, s."""
        return self.frames[-1].time

    @property
    def duration(self) -> float:
        """Seconds from the oldest to the newest frame; 0 if there are none."""
        return self.end - self.start if self.frames else 0.0

    def motion(self) -> Motion:
        """Make a `Motion` of the frames, 20 frames/s from the oldest on, as `vimonet.motion.load` would.

        Raises:
            InputError: there is no frame, or no torso, leg or arm is seen in any.
        """
        joints, confidence = self.arrays()
        dimensions = self.frames[-1].dimensions if self.frames else 2
        if dimensions == 2:
            joints, _ = place_2d(joints, confidence, "watched person")
        else:
            joints = fill_unseen(joints, confidence > 0)
        return Motion(joints, FPS, "watched person", "watch", FPS, confidence, dimensions)

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Make joints float32 [T, 22, 3] and confidence float32 [T, 22] at 20 frames/s, in the units of the frames."""
        if not self.frames:
            return np.zeros((0, 22, 3), np.float32), np.zeros((0, 22), np.float32)
        joints = np.array([frame.joints for frame in self.frames], dtype=np.float64)
        confidence = np.array([frame.confidence for frame in self.frames], dtype=np.float64)
        joints[confidence <= 0] = np.nan
        times = np.array([frame.time for frame in self.frames]) - self.start
        joints, confidence = to_even_times(joints, confidence, times, FPS)
        after = np.clip(np.searchsorted(times, np.arange(len(joints)) / FPS), 1, max(1, len(times) - 1))
        if len(times) > 1:
            confidence[np.diff(times)[after - 1] > _GAP] = 0.0
        return np.nan_to_num(joints).astype(np.float32), confidence.astype(np.float32)
