"""What a question is about: motions and videos, read once, of one kind the model can read, and cut into windows.

The two streams of one recording share their clock: a window of the motion comes with the frames of the same seconds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vimonet.model.feature_extraction_vimonet import as_motion
from vimonet.model.processing_vimonet import ViMoNetProcessor
from vimonet.motion import Motion
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames


class Query(NamedTuple):
    """One prompt: a question and the clips before it; a clip, several, or None."""

    question: str
    motion: Motion | tuple[Motion, ...] | None = None
    video: VideoFrames | tuple[VideoFrames, ...] | None = None

    @property
    def motions(self) -> tuple[Motion, ...]:
        """The motions, however many."""
        return () if self.motion is None else self.motion if isinstance(self.motion, tuple) else (self.motion,)

    @property
    def videos(self) -> tuple[VideoFrames, ...]:
        """The videos, however many."""
        return () if self.video is None else self.video if isinstance(self.video, tuple) else (self.video,)

    @property
    def read(self) -> tuple[str, ...]:
        """What the model reads beside the question: ``motion``, ``video``, both or neither."""
        return ("motion",) * bool(self.motions) + ("video",) * bool(self.videos)

    @property
    def size(self) -> int:
        """What its length is about, for batches of like length."""
        return sum(clip.frames for clip in self.motions) + 100 * len(self.videos)


class Window(NamedTuple):
    """A query and the seconds of the recording it is about."""

    query: Query
    start: float = 0.0
    end: float = 0.0


class Prompts:
    """Makes queries of what a user gives; a recording asked many questions is read once.

    Args:
        processor: of the model.
        config: its `ViMoNetConfig`.
        name: of the model, for messages.
        fps: frames per second of arrays of joints.
        frames: key frames of a video; None for the model's own number.
    """

    def __init__(
        self,
        processor: ViMoNetProcessor,
        config: Any,
        name: str = "model",
        *,
        fps: float | None = None,
        frames: int | None = None,
    ):
        self.processor, self.config, self.name = processor, config, name
        self.fps, self.frames = fps, frames
        self._motions: dict[Any, Motion] = {}
        self._video_frames: dict[Any, VideoFrames] = {}

    def windows(self, question: str, motion: Any = None, video: Any = None) -> list[Window]:
        """The queries of one question: one, or one per window of a long motion.

        Args:
            question: as it reaches the model.
            motion: a Motion, a path, an array [T, 22, 3], or a list of such; None for none.
            video: a path, frames uint8 [N, H, W, 3], `VideoFrames`, or a list of such; None for none. For a
                model without a video tower it is read as movement where no motion is given, else left out.

        Raises:
            InputError: a clip that cannot be read, or that this model does not read; several clips, one of which is
                longer than a window.
        """
        if video is not None and self.config.video_config is None:
            motion, video = self._without_tower(motion, video), None
        motions = tuple(self._motion(clip) for clip in several(motion, 3))
        videos = several(video, 4)
        longest = int(self.processor.feature_extractor.max_frames)
        if len(motions) != 1 or len(videos) > 1:
            shown = tuple(self._video(clip) for clip in videos)
            end = max([*(clip.duration for clip in motions), *(clip.duration for clip in shown), 0.0])
            one = motions[0] if len(motions) == 1 else motions or None
            return [Window(Query(question, one, shown[0] if len(shown) == 1 else shown or None), 0.0, end)]
        clip = motions[0]
        bounds = split_windows(clip.frames, longest)
        found = []
        for first, last in bounds:
            start, end = first / clip.fps, last / clip.fps
            part = clip if len(bounds) == 1 else clip.window(first, last)
            found.append(Window(Query(question, part, self._beside(videos, start, end)), start, end))
        return found

    def _motion(self, motion: Any) -> Motion:
        key = motion if isinstance(motion, (str, os.PathLike)) else id(motion)
        if key not in self._motions:
            self._motions[key] = as_motion(motion, fps=self.fps)
        clip = self._motions[key]
        part = self.config.keypoint_config if clip.dimensions == 2 else self.config.motion_config
        if part is None:
            reads = {"3D motion": self.config.motion_config, "2D keypoints": self.config.keypoint_config}
            reads["video"] = self.config.video_config
            others = " and ".join(name for name, tower in reads.items() if tower is not None) or "text"
            raise InputError(
                f"{clip.name}: a {clip.dimensions}D recording, but this model ({self.name}) only reads {others}."
            )
        return clip

    def _video(self, video: Any, start: float | None = None, end: float | None = None) -> VideoFrames:
        key = (video if isinstance(video, (str, os.PathLike)) else id(video), start, end)
        if key not in self._video_frames:
            self._video_frames[key] = self.processor.video_frames(video, self.frames, start=start, end=end)
        return self._video_frames[key]

    def _beside(self, videos: tuple[Any, ...], start: float, end: float) -> VideoFrames | None:
        """The video's frames of the seconds of one window; None where it has ended."""
        if not videos:
            return None
        if start > 0 and self._video(videos[0]).duration <= start:
            return None
        return self._video(videos[0], start, end)

    def _without_tower(self, motion: Any, video: Any) -> Any:
        """What a model that sees no video reads instead."""
        if motion is not None:
            return motion
        reason = "pictures hold no joints"
        if all(isinstance(clip, (str, bytes, os.PathLike)) for clip in several(video, 4)):
            try:
                return [self._motion(clip) for clip in several(video, 4)]
            except InputError as error:
                reason = str(error).rstrip(".")
        raise InputError(
            f"this model ({self.name}) has no video tower, and no movement could be had from the video ({reason}); "
            "give motion, or use a model with a video tower."
        )


def several(clips: Any, dimensions: int) -> tuple[Any, ...]:
    """The clips of an argument: None, one clip (also an array of so many dimensions), or a list of clips."""
    if clips is None:
        return ()
    if isinstance(clips, (list, tuple)) and clips:
        one = (
            isinstance(clips[0], (list, tuple, int, float, np.number))
            or getattr(clips[0], "ndim", dimensions) < dimensions
        )
        if not one:
            return tuple(clips)
    return (clips,)


def split_windows(frames: int, longest: int) -> list[tuple[int, int]]:
    """Cut a recording into windows that do not overlap: frame bounds (start, end).

    All but the last two are full. A last window shorter than a quarter of one would hold too little to answer about:
    the last two then share their frames evenly.
    """
    if frames <= longest:
        return [(0, frames)]
    starts = list(range(0, frames, longest))
    if frames - starts[-1] < longest // 4:
        starts[-1] = (starts[-2] + frames) // 2
    return list(zip(starts, [*starts[1:], frames], strict=True))


def as_query(item: Sequence[Any]) -> Query:
    """A query of ``(question, motion)`` or ``(question, motion, video)``."""
    return item if isinstance(item, Query) else Query(*item)


__all__ = ["Prompts", "Query", "Window", "as_query", "several", "split_windows"]
