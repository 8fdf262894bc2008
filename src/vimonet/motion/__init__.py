"""Movement: the Motion record, the 22-joint skeleton, loaders of every format, resampling, features and facts.

Knows nothing of models. Importing it loads numpy, not torch.
"""

from __future__ import annotations

from vimonet.motion.io import describe, load, sniff
from vimonet.motion.motion import FPS, Motion
from vimonet.motion.skeleton import JOINT_NAMES, LEFT_RIGHT, MIRROR, PARENTS, retarget

__all__ = ["FPS", "JOINT_NAMES", "LEFT_RIGHT", "MIRROR", "PARENTS", "Motion", "describe", "load", "retarget", "sniff"]
