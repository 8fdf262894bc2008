"""Samples: what a training dataset gives.

Protocol of a dataset: map-style, ``len()`` and ``dataset[i]`` giving a sample::

    {"joints": float32 [T, 22, 3] or None, "confidence": [T, 22] or None, "dimensions": 3 or 2,
     "qa_pairs": [(question, answer), ...], "source": str, "spans": [(action phrase, start s, end s), ...],
     "video": (path, start s, end s) or None}

``spans`` may be absent; with them a dataset has ``actions``, all its phrases, and motion tokens can be aligned with
words. ``video`` may be absent; with it a dataset has ``videos``, all its clips, and frames are decoded only once. The
video of a sample with joints shows the same seconds: its ``start`` is the motion's time 0.

Optional: ``lengths`` (frames per sample, 0 for text) and ``modality_groups`` (`ModalityGroup` per sample), which spare
a pass over the data, and ``set_epoch(epoch)`` (for augmentation, which should depend on nothing but seed, epoch and
index: then a resumed run sees exactly what the interrupted one would have seen). A pair whose question is None is
plain text, all of it learnt.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray


class ModalityGroup(enum.IntEnum):
    """Kind of input of a sample; the loss is averaged per group. Paired is video beside motion, 3D or 2D."""

    MOTION = 0
    KEYPOINT = 1
    TEXT = 2
    VIDEO = 3
    PAIRED = 4

    @classmethod
    def of(cls, dimensions: int, video: bool) -> ModalityGroup:
        """Return the group of a sample with motion of 3 or 2 dimensions (0: none), with or without video."""
        if video:
            return cls.PAIRED if dimensions else cls.VIDEO
        return {3: cls.MOTION, 2: cls.KEYPOINT}.get(dimensions, cls.TEXT)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names as configs and logs have them, in the order of their numbers."""
        return tuple(group.name.lower() for group in cls)


Video = tuple[str, float | None, float | None]
"""A video file, and the seconds of it that are meant (None: from its beginning, to its end)."""


class Sample(TypedDict, total=False):
    """Hold one clip with its questions; see the module's protocol."""

    joints: NDArray[np.float32] | None
    confidence: NDArray[np.float32] | None
    dimensions: int
    qa_pairs: Sequence[tuple[str | None, str]]
    source: str
    spans: Sequence[tuple[str, float, float]]
    video: Video | None


def group_of(sample: Sample) -> ModalityGroup:
    """Return the modality group of a sample."""
    dimensions = 0 if sample.get("joints") is None else sample.get("dimensions", 3)
    return ModalityGroup.of(dimensions, sample.get("video") is not None)
