"""Define training samples and the protocol of datasets.

A dataset is map-style: ``len(dataset)``, and ``dataset[i]`` returns a sample::

    {"joints": float32 [T, 22, 3] or None, "confidence": [T, 22] or None, "dimensions": 3 or 2,
     "qa_pairs": [(question, answer), ...], "source": str, "spans": [(action phrase, start s, end s), ...],
     "video": (path, start s, end s) or None, "seen": what an image classifier would say, where there is no video,
     "beside": the sample (joints, confidence, dimensions) that the questions compare with this one}

A chat of several turns is one longer tuple (question, answer, question, answer, ...). ``spans`` is optional; a dataset
with spans lists all their phrases in ``actions``, for the token-phrase contrastive loss. ``video`` is optional; a
dataset with videos lists them in ``videos``, so that frames are decoded once. The video of a sample with joints shows
the same movement: its ``start`` is the motion's time 0. A pair whose question is None is plain text, all of it learnt.

A dataset may have ``lengths`` (frames per sample, 0 for text) and ``modality_groups`` (`ModalityGroup` per sample),
which save a pass over the data, and ``set_epoch(epoch)``. Augmentation must depend on seed, epoch and index alone, so
that a resumed run reads the same data as an uninterrupted one.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray


class ModalityGroup(enum.IntEnum):
    """Kind of input of a sample; the loss is averaged per group. A paired sample has video and motion (3D or 2D)."""

    MOTION = 0
    KEYPOINT = 1
    TEXT = 2
    VIDEO = 3
    PAIRED = 4

    @classmethod
    def of(cls, dimensions: int, video: bool) -> ModalityGroup:
        """Return the group of a sample with motion of 3 or 2 `dimensions` (0: no motion), with or without video."""
        if video:
            return cls.PAIRED if dimensions else cls.VIDEO
        return {3: cls.MOTION, 2: cls.KEYPOINT}.get(dimensions, cls.TEXT)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names used in configs and logs, in numeric order."""
        return tuple(group.name.lower() for group in cls)


Video = tuple[str, float | None, float | None]
"""Path, start and end (s) of a video clip; None: the file's beginning or end."""


class Sample(TypedDict, total=False):
    """Hold one clip with its question-answer pairs; see the module's docstring."""

    joints: NDArray[np.float32] | None
    confidence: NDArray[np.float32] | None
    dimensions: int
    qa_pairs: Sequence[tuple[str | None, ...]]
    source: str
    spans: Sequence[tuple[str, float, float]]
    video: Video | None
    seen: str
    dropped: Sequence[str]
    beside: Sample


def group_of(sample: Sample) -> ModalityGroup:
    """Return the modality group of a sample."""
    dimensions = 0 if sample.get("joints") is None else sample.get("dimensions", 3)
    return ModalityGroup.of(dimensions, sample.get("video") is not None)
