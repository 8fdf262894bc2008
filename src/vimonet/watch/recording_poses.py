"""Play a recording of joints or keypoints, such as a BVH or an embedded sample, as a source of poses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vimonet.motion.io.loading import load_recording
from vimonet.watch.readings import PLACED, PoseReading, SeenPerson, SourceEnded, SourceOptions


class RecordingPoses:
    """Give the frames of the person whom `load` reads, at the recording's own rate."""

    live = pictures = endless = False

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name, self.options = name, options

    def open(self) -> None:
        """See ``Source``."""
        said = self.options
        motion = load_recording(self.name, fps=said.fps, up=said.up, unit=said.unit, size=said.size, target_fps=None)
        points = motion.joints.astype(np.float64)
        if motion.dimensions == 2:  # pixels, y down, and no point at 0, 0: that is one which is not seen
            points = points[..., :2] * (400.0, -400.0) + 1000.0
        seen = np.ones(points.shape[:2]) if motion.confidence is None else motion.confidence
        self._readings: Iterator[PoseReading] = (
            PoseReading(number / motion.fps, (SeenPerson(one, 1),), {**PLACED, "dimensions": motion.dimensions})
            for number, one in enumerate(np.concatenate([points, seen[..., None]], axis=2))
        )

    def read(self) -> PoseReading:
        """See ``Source``."""
        for reading in self._readings:
            return reading
        raise SourceEnded

    def close(self) -> None:
        """See ``Source``."""
