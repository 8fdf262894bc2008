"""Extract normalised, padded motion features for the towers, and count the tokens of a clip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from transformers.feature_extraction_utils import BatchFeature, FeatureExtractionMixin

from vimonet.model.configuration_vimonet import HubClass
from vimonet.motion import Motion, load
from vimonet.motion.features import NormalisedFeatures


class MotionFeatureExtractor(HubClass, NormalisedFeatures, FeatureExtractionMixin):
    """Extract normalised features of 3D motions and 2D keypoints.

    Args:
        features: features of 3D motions, ``body`` (nano) or ``humanml3d`` (263 per frame, for released weights). 2D
            motions always have keypoint features.
        mean, std, keypoint_mean, keypoint_std, ratio: as of `NormalisedFeatures`.
        max_frames: longest clip, in frames at 20 frames/s; the assistant cuts longer ones into windows.
        queries: tokens per clip of an attentive projector; None for the others.
    """

    model_input_names = ["motion_values", "motion_mask", "keypoint_values", "keypoint_mask"]

    def __init__(
        self,
        features: str = "body",
        mean: ArrayLike | None = None,
        std: ArrayLike | None = None,
        keypoint_mean: ArrayLike | None = None,
        keypoint_std: ArrayLike | None = None,
        max_frames: int = 196,
        ratio: int = 4,
        queries: int | None = None,
        **kwargs: Any,
    ):
        kwargs.pop("feature_extractor_type", None)
        FeatureExtractionMixin.__init__(self, **kwargs)
        NormalisedFeatures.__init__(self, features, mean, std, keypoint_mean, keypoint_std, max_frames, ratio)
        self.queries = queries

    def __call__(
        self, motions: Any | Sequence[Any], return_tensors: str | None = None, *, fps: float | None = None
    ) -> BatchFeature:
        """Extract and pad the features of motions.

        Args:
            motions: one motion or a list of them; each a Motion, an array [T, 22, 3] or a path.
            return_tensors: ``"pt"`` for torch, ``"np"`` or None for numpy.
            fps: frames per second of arrays.

        Returns:
            motion_values float32 [N, T, D] and motion_mask bool [N, T] of the 3D motions, keypoint_values and
            keypoint_mask of the 2D ones, in the given order; absent without such motions. T is a multiple of `ratio`;
            padding is zero.

        Raises:
            InputError: an unreadable file, or a motion longer than `max_frames`.
        """
        clips = [as_motion(motion, fps=fps) for motion in _as_list(motions)]
        return BatchFeature(self.extract_batch(clips), tensor_type=return_tensors)

    def extract_batch(self, clips: Sequence[Motion]) -> dict[str, NDArray[Any]]:
        """Extract and pad the features of clips as in `__call__`; a repeated clip is extracted once."""
        data: dict[str, NDArray[Any]] = {}
        known: dict[int, NDArray[np.float32]] = {}
        for name, dimensions in (("motion", 3), ("keypoint", 2)):
            chosen = [clip for clip in clips if clip.dimensions == dimensions]
            for clip in chosen:
                if id(clip) not in known:
                    known[id(clip)] = self.extract(clip)
            if chosen:
                data[f"{name}_values"], data[f"{name}_mask"] = self.pad([known[id(clip)] for clip in chosen])
        return data

    def num_tokens(self, frames: int) -> int:
        """Count the tokens of a clip with `frames` feature frames."""
        return self.queries if self.queries is not None else -(-frames // self.ratio)


def as_motion(motion: Any, *, fps: float | None = None) -> Motion:
    """Return a Motion from a Motion, an array [T, 22, 3] (at `fps`) or a path."""
    return motion if isinstance(motion, Motion) else load(motion, fps=fps)


def _as_list(motions: Any) -> list[Any]:
    # An array is one clip; only lists and tuples hold several.
    if isinstance(motions, (Motion, str, bytes)) or hasattr(motions, "__array__") or not isinstance(motions, Iterable):
        return [motions]
    return list(motions)
