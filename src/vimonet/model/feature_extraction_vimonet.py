"""Extract normalised, padded motion features for the towers, and count the tokens of a clip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from transformers.feature_extraction_utils import BatchFeature, FeatureExtractionMixin

from vimonet.model.configuration_vimonet import HubClass
from vimonet.motion import Motion, load
from vimonet.utils.errors import InputError


class MotionFeatureExtractor(HubClass, FeatureExtractionMixin):
    """Extract normalised features of 3D motions and 2D keypoints.

    Args:
        features: features of 3D motions, ``body`` (nano) or ``humanml3d`` (263 per frame, for released weights). 2D
            motions always have keypoint features.
        mean, std: statistics of the 3D features, [D]; None: no normalisation.
        keypoint_mean, keypoint_std: statistics of the 2D features, [D2].
        max_frames: longest clip, in frames at 20 frames/s; the assistant cuts longer ones into windows.
        ratio: frames per token.
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
        if features not in ("body", "humanml3d"):
            raise ValueError(f"features is {features!r}; expected 'body' or 'humanml3d'.")
        kwargs.pop("feature_extractor_type", None)
        super().__init__(**kwargs)
        self.features = features
        self.mean, self.std = _vector(mean), _vector(std)
        self.keypoint_mean, self.keypoint_std = _vector(keypoint_mean), _vector(keypoint_std)
        self.max_frames = max_frames
        self.ratio = ratio
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

    def extract(self, motion: Motion) -> NDArray[np.float32]:
        """Extract normalised features [T', D] of one motion; shorter ones hold the last pose up to `ratio` frames."""
        if motion.frames > self.max_frames:
            raise InputError(
                f"{motion.name}: {motion.frames} frames ({motion.duration:.1f} s) are more than the model's window of "
                f"{self.max_frames}; cut it with motion.window(start, end), or use vimonet.load(), which does."
            )
        return self.extract_joints(motion.joints, motion.confidence, motion.dimensions)

    def extract_windows(self, motion: Motion, bounds: Sequence[tuple[int, int]]) -> list[NDArray[np.float32]]:
        """Extract features of windows (start, end) of one motion, those of one length together; see `extract`."""
        if self.features == "humanml3d" or any(end - start < self.ratio for start, end in bounds):
            return [self.extract(motion.window(*pair)) for pair in bounds]
        out: dict[tuple[int, int], NDArray[np.float32]] = {}
        joints, confidence = motion.joints, motion.confidence
        for length in {end - start for start, end in bounds}:
            same = [pair for pair in bounds if pair[1] - pair[0] == length]
            seen = None if confidence is None else np.stack([confidence[a:b] for a, b in same])
            values = self.extract_joints(np.stack([joints[a:b] for a, b in same]), seen, motion.dimensions)
            out.update(zip(same, values, strict=True))
        return [out[pair] for pair in bounds]

    def extract_joints(
        self, joints: NDArray[np.float32], confidence: NDArray[np.float32] | None = None, dimensions: int = 3
    ) -> NDArray[np.float32]:
        """Extract features of joints [T, 22, 3] at 20 frames/s with confidence [T, 22]; see `extract`.

        Body features take clips of one length together, [N, T, 22, 3] with [N, T, 22].
        """
        # HumanML3D's features describe steps between frames, one fewer than frames.
        fewest = self.ratio + (self.features == "humanml3d" and dimensions == 3)
        if joints.ndim == 3 and len(joints) < fewest:
            joints = _hold_last(joints, fewest)
            confidence = None if confidence is None else _hold_last(confidence, fewest)
        if dimensions == 3 and self.features == "humanml3d":
            from vimonet.motion.features.humanml3d_features import humanml3d_features

            values = humanml3d_features(joints)
        else:
            from vimonet.motion.features.body_features import body_features

            values = body_features(joints, confidence, dimensions)
        mean, std = (self.mean, self.std) if dimensions == 3 else (self.keypoint_mean, self.keypoint_std)
        if mean is not None:
            values = values - mean
        if std is not None:
            values = values / std
        return np.ascontiguousarray(values, dtype=np.float32)

    def pad(self, features: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Stack features N x [T_i, D] to values [N, T, D] and mask [N, T], T a multiple of `ratio`."""
        longest = -(-max(len(item) for item in features) // self.ratio) * self.ratio
        values = np.zeros((len(features), longest, features[0].shape[1]), np.float32)
        mask = np.zeros((len(features), longest), bool)
        for row, item in enumerate(features):
            values[row, : len(item)] = item
            mask[row, : len(item)] = True
        return values, mask

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


def _vector(values: ArrayLike | None) -> NDArray[np.float32] | None:
    return None if values is None else np.asarray(values, dtype=np.float32)


def _hold_last(values: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    return np.concatenate([values, np.repeat(values[-1:], frames - len(values), axis=0)])
