"""Watch a camera or a stream of poses: keypoints as they come, people told apart, events out.

    source -> pictures or poses -> people -> `PoseFrame` -> detectors -> `Event` -> rules -> sinks

`stream` holds what passes between the parts. Importing it loads no estimator.
"""

from __future__ import annotations

from vimonet.watch.stream import Detector, Event, PoseFrame

__all__ = ["Detector", "Event", "PoseFrame"]
