"""From videos to the pixel values a video tower reads, without torchvision."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vimonet.model.configuration_vimonet import ViMoNetConfig
from vimonet.model.pooling import count_tokens
from vimonet.model.towers.video_towers import clip_frames, family_of, feature_grid, image_side, tubelet
from vimonet.motion.motion import FPS
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames
from vimonet.video import read as read_video_frames

_SETTINGS = ("video_preprocessor_config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class FrameProcessor:
    """How pictures become the numbers of one backbone, and how many tokens a clip becomes.

    Attributes:
        size: pixels of a side.
        mean, std: of the channels, of values 0..1.
        fit: ``crop`` (short side to size, then the middle), ``stretch`` (both sides) or ``pad`` (long side to size,
            grey around; nothing at the sides is lost).
        resample, antialias: ``bilinear`` or ``bicubic``.
        frames: key frames of a clip.
        exact: the tower takes no other number of frames.
        tubelet, rows, columns, pooling, tokens: see `pooling`.
    """

    size: int = 224
    mean: Sequence[float] = (0.5, 0.5, 0.5)
    std: Sequence[float] = (0.5, 0.5, 0.5)
    fit: str = "crop"
    resample: str = "bicubic"
    antialias: bool = True
    frames: int = 8
    exact: bool = False
    tubelet: int = 1
    rows: int = 16
    columns: int = 16
    pooling: Any = "spatial"
    tokens: int = 256

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; ``FrameProcessor(**processor.to_dict())`` is equal."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def num_tokens(self, frames: int) -> int:
        """Language tokens that a clip of so many frames becomes."""
        grid = (-(-frames // self.tubelet), self.rows, self.columns)
        return count_tokens(self.pooling, grid, self.tokens)

    def __call__(self, clips: Sequence[VideoFrames]) -> dict[str, NDArray[Any]]:
        """Stack clips.

        Returns:
            video_values float32 [N, F, 3, size, size], video_mask bool [N, F] (False where a clip has fewer frames
            than the longest), video_times float32 [N, F] in seconds.

        Raises:
            InputError: a number of frames this tower cannot take.
        """
        longest = max(len(clip.images) for clip in clips)
        values = np.zeros((len(clips), longest, 3, self.size, self.size), np.float32)
        mask, times = np.zeros((len(clips), longest), bool), np.zeros((len(clips), longest), np.float32)
        for row, clip in enumerate(clips):
            count = len(clip.images)
            if self.exact and count != self.frames:
                raise InputError(f"{clip.name}: {count} frames, but this model's video tower takes {self.frames}.")
            values[row, :count] = self.pixels(clip.images).numpy()
            mask[row, :count], times[row, :count] = True, clip.times
        return {"video_values": values, "video_mask": mask, "video_times": times}

    def pixels(self, images: NDArray[np.uint8]) -> Tensor:
        """Pictures uint8 [N, H, W, 3] to normalised float32 [N, 3, size, size]."""
        mean, std = (torch.tensor(x, dtype=torch.float32)[:, None, None] for x in (self.mean, self.std))
        # One picture at a time: eight of 4k would take gigabytes as floats.
        fitted = [self._fit(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float()) for image in images]
        return (torch.stack(fitted) / 255 - mean) / std

    def _fit(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[1:]
        if self.fit == "stretch":
            return self._resize(picture, self.size, self.size)
        short, long = min(height, width), max(height, width)
        if self.fit == "pad":
            scaled = self._resize(picture, *(max(1, round(side * self.size / long)) for side in (height, width)))
            top, left = ((self.size - side) // 2 for side in scaled.shape[1:])
            padded = picture.new_full((3, self.size, self.size), 127.5)
            padded[:, top : top + scaled.shape[1], left : left + scaled.shape[2]] = scaled
            return padded
        other = int(long / short * self.size)
        scaled = self._resize(picture, *((self.size, other) if height <= width else (other, self.size)))
        # Python's rounding, half to even, as the published transform.
        top, left = (round((side - self.size) / 2.0) for side in scaled.shape[1:])
        return scaled[:, top : top + self.size, left : left + self.size]

    def _resize(self, picture: Tensor, height: int, width: int) -> Tensor:
        if picture.shape[1:] == (height, width):
            return picture
        resized = torch.nn.functional.interpolate(
            picture[None], (height, width), mode=self.resample, align_corners=False, antialias=self.antialias
        )[0]
        # Bicubic overshoots.
        return resized.clamp(0, 255) if self.resample == "bicubic" else resized


def build_frame_processor(config: ViMoNetConfig, source: str | os.PathLike[str] | None = None) -> FrameProcessor:
    """The frame processor of a model's video tower.

    Args:
        config: with a ``video_config``.
        source: the tower's own folder; its preprocessor settings, where it has any, give mean and std.
    """
    tower = config.video_config
    family = family_of(tower)
    mean, std = family.mean, family.std
    files = [] if source is None else [Path(source) / name for name in _SETTINGS]
    if path := next((file for file in files if file.is_file()), None):
        settings = json.loads(path.read_text(encoding="utf-8"))
        mean, std = settings.get("image_mean", mean), settings.get("image_std", std)
    _, rows, columns = feature_grid(tower, 1)
    return FrameProcessor(
        size=image_side(tower),
        mean=tuple(mean),
        std=tuple(std),
        fit=config.video_fit or family.fit,
        resample=family.resample,
        antialias=family.antialias,
        frames=clip_frames(tower) or config.video_frames,
        exact=family.exact,
        tubelet=tubelet(tower),
        rows=rows,
        columns=columns,
        pooling=config.video_pooling,
        tokens=config.video_tokens,
    )


def as_video_frames(video: Any, frames: int, *, start: float | None = None, end: float | None = None) -> VideoFrames:
    """Key frames of a video.

    Args:
        video: a path, the bytes of a file, a `VideoFrames`, or pictures uint8 [N, H, W, 3]
            (taken to be 20 frames/s apart).
        frames: how many are wanted, evenly over the span.
        start, end: seconds; the stretch that is asked about, whose start becomes time 0.

    Raises:
        InputError: no readable video, or an array of another shape.
    """
    first = start or 0.0
    if isinstance(video, (str, bytes, os.PathLike)):
        source = video if isinstance(video, bytes) else Path(os.fsdecode(video))
        read = read_video_frames(source, frames, start=start, end=end)
        stop = read.duration if end is None else min(end, read.duration)
        return replace(read, times=read.times - first, duration=stop - first)
    if isinstance(video, VideoFrames):
        chosen = video
    else:
        images = np.asarray(video)
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or not len(images):
            raise InputError(
                f"a video of shape {list(images.shape)} and type {images.dtype}; expected pictures [N, H, W, 3] of "
                "uint8, or a path."
            )
        chosen = VideoFrames(images, np.arange(len(images)) / FPS, duration=len(images) / FPS)
    return chosen.span(start, end).pick(frames)


__all__ = ["FrameProcessor", "as_video_frames", "build_frame_processor"]
