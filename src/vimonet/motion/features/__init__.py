"""Turn joints into the features that motion encoders read: HumanML3D's 263 numbers, and body features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vimonet.motion.motion import Motion
from vimonet.utils.errors import InputError


class NormalisedFeatures:
    """Make normalised features of motions with numpy alone, so that a process that reads need not import torch.

    Args:
        features: features of 3D motions, ``body`` or ``humanml3d``. 2D motions always have keypoint features.
        mean, std: statistics of the 3D features, [D]; None: no normalisation.
        keypoint_mean, keypoint_std: statistics of the 2D features, [D2].
        max_frames: longest clip, in frames at 20 frames/s.
        ratio: frames per token.

    Raises:
        ValueError: unknown features.
    """

    def __init__(
        self,
        features: str = "body",
        mean: ArrayLike | None = None,
        std: ArrayLike | None = None,
        keypoint_mean: ArrayLike | None = None,
        keypoint_std: ArrayLike | None = None,
        max_frames: int = 196,
        ratio: int = 4,
    ) -> None:
        if features not in ("body", "humanml3d"):
            raise ValueError(f"features is {features!r}; expected 'body' or 'humanml3d'.")
        self.features, self.max_frames, self.ratio = features, max_frames, ratio
        self.mean, self.std = _vector(mean), _vector(std)
        self.keypoint_mean, self.keypoint_std = _vector(keypoint_mean), _vector(keypoint_std)

    def alone(self) -> NormalisedFeatures:
        """Copy what makes the features, without what a subclass adds."""
        statistics = (self.mean, self.std, self.keypoint_mean, self.keypoint_std)
        return NormalisedFeatures(self.features, *statistics, self.max_frames, self.ratio)

    def extract(self, motion: Motion) -> NDArray[np.float32]:
        """Extract normalised features [T', D] of one motion; shorter ones hold the last pose up to `ratio` frames."""
        if motion.frames > self.max_frames:
            raise InputError(
                f"{motion.name}: {motion.frames} frames ({motion.duration:.1f} s) are more than the model's window of "
                f"{self.max_frames}; cut it with motion.window(start, end), or use vimonet.load(), which does."
            )
        return self.extract_joints(motion.joints, motion.confidence, motion.dimensions)

    def extract_windows(self, motion: Motion, bounds: Sequence[tuple[int, int]]) -> list[NDArray[np.float32]]:
        """Extract features of windows (start, end) of one motion; see `extract`."""
        if self.features == "humanml3d" or any(end - start < self.ratio for start, end in bounds):
            return [self.extract(motion.window(*pair)) for pair in bounds]
        from vimonet.motion.features.body_features import window_features

        several = window_features(motion.joints, motion.confidence, motion.dimensions, bounds)
        return [self._normalised(values, motion.dimensions) for values in several]

    def extract_joints(
        self, joints: NDArray[np.float32], confidence: NDArray[np.float32] | None = None, dimensions: int = 3
    ) -> NDArray[np.float32]:
        """Extract features of joints [T, 22, 3] at 20 frames/s with confidence [T, 22]; see `extract`."""
        # HumanML3D's features describe steps between frames, one fewer than frames.
        fewest = self.ratio + (self.features == "humanml3d" and dimensions == 3)
        if len(joints) < fewest:
            joints = _hold_last(joints, fewest)
            confidence = None if confidence is None else _hold_last(confidence, fewest)
        if dimensions == 3 and self.features == "humanml3d":
            from vimonet.motion.features.humanml3d_features import humanml3d_features

            values = humanml3d_features(joints)
        else:
            from vimonet.motion.features.body_features import body_features

            values = body_features(joints, confidence, dimensions)
        return self._normalised(values, dimensions)

    def _normalised(self, values: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
        mean, std = (self.mean, self.std) if dimensions == 3 else (self.keypoint_mean, self.keypoint_std)
        if mean is not None:
            values -= mean
        if std is not None:
            values /= std
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


def _vector(values: ArrayLike | None) -> NDArray[np.float32] | None:
    return None if values is None else np.asarray(values, dtype=np.float32)


def _hold_last(values: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    return np.concatenate([values, np.repeat(values[-1:], frames - len(values), axis=0)])
