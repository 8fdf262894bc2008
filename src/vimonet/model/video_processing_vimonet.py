"""Prepare the pixel values that a video tower reads, without torchvision."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.feature_extraction_utils import BatchFeature
from transformers.video_processing_utils import BaseVideoProcessor

from vimonet.model.configuration_vimonet import HubClass, ViMoNetConfig
from vimonet.model.projectors import count_tokens
from vimonet.model.towers.video_towers import clip_frames, family_of, feature_grid, image_side, tubelet
from vimonet.motion.io.loading import on_this_machine
from vimonet.motion.motion import FPS
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames
from vimonet.video import read as read_video_frames

_RESAMPLES = ("bilinear", "bicubic")
_SETTINGS = ("video_preprocessor_config.json", "preprocessor_config.json")


class ViMoNetVideoProcessor(HubClass, BaseVideoProcessor):
    """Prepare the key frames of videos for a video tower, and count the tokens of a clip.

    Frames are scaled and normalised here because the operations of `BaseVideoProcessor` need torchvision.

    Args:
        size: side in pixels, or ``{"height": H, "width": H}``.
        image_mean, image_std: statistics of the channels, for values from 0 to 1.
        fit: ``crop`` (short side to size, then centre crop), ``stretch`` (both sides to size) or ``pad`` (long side to
            size, grey borders; no part of the frame is lost).
        resample: 2 (bilinear) or 3 (bicubic), Pillow's codes; or the name.
        antialias: smooth before downscaling.
        num_frames: key frames of a clip.
        exact: whether the tower accepts no other number of frames.
        tubelet, rows, columns, pooling, tokens: see `pooling`.
    """

    model_input_names = ["video_values", "video_mask", "video_times"]
    size: Any
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    resample: int
    num_frames: int

    def __init__(
        self,
        size: int | Mapping[str, int] = 224,
        image_mean: Sequence[float] = (0.5, 0.5, 0.5),
        image_std: Sequence[float] = (0.5, 0.5, 0.5),
        fit: str = "crop",
        resample: int | str = "bicubic",
        antialias: bool = True,
        num_frames: int = 8,
        exact: bool = False,
        tubelet: int = 1,
        rows: int = 16,
        columns: int = 16,
        pooling: Any = "spatial",
        tokens: int = 256,
        **kwargs: Any,
    ):
        kwargs.pop("video_processor_type", None)
        side: Any = size if isinstance(size, int) else dict(size)
        code = _RESAMPLES.index(resample) + 2 if isinstance(resample, str) else resample
        shared: Any = {"image_mean": list(image_mean), "image_std": list(image_std), "num_frames": num_frames}
        super().__init__(size=side, resample=code, **shared, **kwargs)
        self.fit, self.antialias, self.exact = fit, antialias, exact
        self.tubelet, self.rows, self.columns = tubelet, rows, columns
        self.pooling, self.tokens = pooling, tokens

    @property
    def side(self) -> int:
        """Return the side in pixels."""
        return int(self.size.height)

    def num_tokens(self, frames: int) -> int:
        """Count the tokens of a clip with `frames` frames."""
        grid = (-(-frames // self.tubelet), self.rows, self.columns)
        return count_tokens(self.pooling, grid, self.tokens)

    def preprocess(self, videos: Any, return_tensors: str | None = None, **kwargs: Any) -> BatchFeature:
        """Choose the frames of videos and stack them.

        Args:
            videos: one video or a list of them; each as in `as_video_frames`.
            return_tensors: ``"pt"`` for torch, ``"np"`` or None for numpy.
            **kwargs: not read; transformers passes some.

        Returns:
            video_values float32 [N, F, 3, size, size], video_mask bool [N, F] (False where a clip has fewer frames
            than the longest), video_times float32 [N, F] in seconds.

        Raises:
            InputError: an unreadable video, or a number of frames that the tower does not accept.
        """
        given = videos if isinstance(videos, (list, tuple)) else [videos]
        clips = [clip if isinstance(clip, VideoFrames) else as_video_frames(clip, self.num_frames) for clip in given]
        longest = max(len(clip.images) for clip in clips)
        values = np.zeros((len(clips), longest, 3, self.side, self.side), np.float32)
        mask, times = np.zeros((len(clips), longest), bool), np.zeros((len(clips), longest), np.float32)
        for row, clip in enumerate(clips):
            count = len(clip.images)
            if self.exact and count != self.num_frames:
                raise InputError(f"{clip.name}: {count} frames, but this model's video tower takes {self.num_frames}.")
            values[row, :count] = self.pixels(clip.images).numpy()
            mask[row, :count], times[row, :count] = True, clip.times
        data = {"video_values": values, "video_mask": mask, "video_times": times}
        return BatchFeature(data, tensor_type=return_tensors)

    def pixels(self, images: NDArray[np.uint8]) -> Tensor:
        """Convert frames uint8 [N, H, W, 3] to normalised float32 [N, 3, size, size]."""
        mean, std = (torch.tensor(x, dtype=torch.float32)[:, None, None] for x in (self.image_mean, self.image_std))
        # One frame at a time: eight 4K frames as floats would take gigabytes.
        fitted = [self._fit(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float()) for image in images]
        return (torch.stack(fitted) / 255 - mean) / std

    def _fit(self, image: Tensor) -> Tensor:
        (height, width), size = image.shape[1:], self.side
        if self.fit == "stretch":
            return self._resize(image, size, size)
        short, long = min(height, width), max(height, width)
        if self.fit == "pad":
            scaled = self._resize(image, *(max(1, round(side * size / long)) for side in (height, width)))
            top, left = ((size - side) // 2 for side in scaled.shape[1:])
            padded = image.new_full((3, size, size), 127.5)
            padded[:, top : top + scaled.shape[1], left : left + scaled.shape[2]] = scaled
            return padded
        other = int(long / short * size)
        scaled = self._resize(image, *((size, other) if height <= width else (other, size)))
        # Round half to even, as the published transform does.
        top, left = (round((side - size) / 2.0) for side in scaled.shape[1:])
        return scaled[:, top : top + size, left : left + size]

    def _resize(self, image: Tensor, height: int, width: int) -> Tensor:
        if image.shape[1:] == (height, width):
            return image
        mode = _RESAMPLES[self.resample - 2]
        resized = torch.nn.functional.interpolate(
            image[None], (height, width), mode=mode, align_corners=False, antialias=self.antialias
        )[0]
        # Bicubic interpolation overshoots.
        return resized.clamp(0, 255) if mode == "bicubic" else resized


def build_video_processor(config: ViMoNetConfig, source: str | os.PathLike[str] | None = None) -> ViMoNetVideoProcessor:
    """Build the video processor of a model's video tower.

    Args:
        config: a config with a ``video_config``.
        source: folder of the tower, whose preprocessor settings give mean and std; None: the family's.
    """
    tower = config.video_config
    family = family_of(tower)
    mean, std = family.mean, family.std
    files = [] if source is None else [Path(source) / name for name in _SETTINGS]
    if path := next((file for file in files if file.is_file()), None):
        settings = json.loads(path.read_text(encoding="utf-8"))
        mean, std = settings.get("image_mean", mean), settings.get("image_std", std)
    _, rows, columns = feature_grid(tower, 1)
    return ViMoNetVideoProcessor(
        size=image_side(tower),
        image_mean=mean,
        image_std=std,
        fit=config.video_fit or family.fit,
        resample=family.resample,
        antialias=family.antialias,
        num_frames=clip_frames(tower) or config.video_frames,
        exact=family.exact,
        tubelet=tubelet(tower),
        rows=rows,
        columns=columns,
        pooling=config.video_pooling,
        tokens=config.video_tokens,
    )


def as_video_frames(video: Any, frames: int, *, start: float | None = None, end: float | None = None) -> VideoFrames:
    """Choose the key frames of a video.

    Args:
        video: a path, the bytes of a file, a `VideoFrames`, or images uint8 [N, H, W, 3] at 20 frames/s.
        frames: number of frames, spaced evenly over the span.
        start, end: span in seconds; its start becomes time 0.

    Raises:
        InputError: an unreadable video, or an array of another shape.
    """
    first = start or 0.0
    if isinstance(video, (str, bytes, os.PathLike)):
        if isinstance(video, bytes):
            read = read_video_frames(video, frames, start=start, end=end)
        else:
            with on_this_machine(os.fsdecode(video)) as path:
                read = read_video_frames(path, frames, start=start, end=end)
        stop = read.duration if end is None else min(end, read.duration)
        return replace(read, times=read.times - first, duration=stop - first)
    if isinstance(video, VideoFrames):
        chosen = video
    else:
        images = np.asarray(video)
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or not len(images):
            raise InputError(
                f"a video of shape {list(images.shape)} and type {images.dtype}; expected frames [N, H, W, 3] of "
                "uint8, or a path."
            )
        chosen = VideoFrames(images, np.arange(len(images)) / FPS, duration=len(images) / FPS)
    return chosen.span(start, end).pick(frames)
