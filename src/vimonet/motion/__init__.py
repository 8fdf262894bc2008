"""Read and represent movement: `Motion`, the 22-joint skeleton, readers of every format, features and facts.

Knows nothing of models. Importing it loads numpy, not torch.
"""

from __future__ import annotations

from vimonet.motion.io import detect_format, load, load_people, recording_info
from vimonet.motion.motion import FPS, Motion
from vimonet.motion.skeleton import JOINT_NAMES, LEFT_RIGHT, MIRROR, PARENTS, retarget

__all__ = [
    "FPS",
    "JOINT_NAMES",
    "LEFT_RIGHT",
    "MIRROR",
    "PARENTS",
    "Motion",
    "detect_format",
    "load",
    "load_people",
    "recording_info",
    "retarget",
]
