"""From a user's recordings to a model's inputs: read once, of one kind the model reads, and cut into windows.

The two streams of one recording share their clock: a window of the motion comes with the frames of the same seconds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from vimonet.inference.answer import MeasuredClip
from vimonet.model.feature_extraction_vimonet import as_motion
from vimonet.model.processing_vimonet import ViMoNetProcessor
from vimonet.motion import Motion
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames


@dataclass(frozen=True)
class WindowInput:
    """One prompt: a question, the clips before it, and the seconds of the recording it is about.

    Attributes:
        question: as it reaches the model.
        motions, videos: the clips, in the order of the prompt.
        start, end: s; 0 and 0 without a clip.
        clip: the window of the one motion, to be measured; None for none or several motions.
        recording: the whole of it.
    """

    question: str
    motions: tuple[Motion, ...] = ()
    videos: tuple[VideoFrames, ...] = ()
    start: float = 0.0
    end: float = 0.0
    clip: MeasuredClip | None = None
    recording: MeasuredClip | None = None

    @property
    def inputs_read(self) -> tuple[str, ...]:
        """What the model reads beside the question: ``motion``, ``video``, both or neither."""
        return ("motion",) * bool(self.motions) + ("video",) * bool(self.videos)

    @property
    def size(self) -> int:
        """Estimate the prompt's length, for batches of like length."""
        return sum(clip.frames for clip in self.motions) + 100 * len(self.videos)


class RecordedMotion:
    """A motion as a user gave it, with its windows; each is measured at most once."""

    def __init__(self, motion: Motion, longest: int) -> None:
        self.motion, self._longest = motion, longest

    @cached_property
    def windows(self) -> list[tuple[MeasuredClip, float, float]]:
        """The windows with start and end, s, in the order of time; the motion itself where it fits into one."""
        bounds, fps = split_windows(self.motion.frames, self._longest), self.motion.fps
        if len(bounds) == 1:
            return [(self.whole, 0.0, bounds[0][1] / fps)]
        cut = self.motion.window
        return [(MeasuredClip(cut(first, last), first / fps), first / fps, last / fps) for first, last in bounds]

    @cached_property
    def whole(self) -> MeasuredClip:
        """The whole recording."""
        return MeasuredClip(self.motion)


class InputBuilder:
    """Build the inputs of questions; a recording that many questions are about is read, cut and measured once.

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
        self._motions: dict[Any, tuple[Any, RecordedMotion]] = {}
        self._video_frames: dict[Any, tuple[Any, VideoFrames]] = {}

    def windows(self, question: str, motion: Any = None, video: Any = None) -> list[WindowInput]:
        """Build the inputs of one question: one, or one per window of a long motion.

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
        recorded = [self._motion(clip) for clip in several(motion, 3)]
        videos = several(video, 4)
        if len(recorded) != 1 or len(videos) > 1:
            motions, shown = tuple(one.motion for one in recorded), tuple(self._video(clip) for clip in videos)
            end = max([*(clip.duration for clip in motions), *(clip.duration for clip in shown), 0.0])
            one = recorded[0].whole if len(recorded) == 1 else None
            return [WindowInput(question, motions, shown, 0.0, end, one, one)]
        found = []
        for clip, start, end in recorded[0].windows:
            shown = self._beside(videos, start, end)
            found.append(WindowInput(question, (clip.motion,), shown, start, end, clip, recorded[0].whole))
        return found

    def _motion(self, motion: Any) -> RecordedMotion:
        key = motion if isinstance(motion, (str, os.PathLike)) else id(motion)
        if key not in self._motions:
            clip = as_motion(motion, fps=self.fps)
            # The user's own object is kept with it: an id names something else once the object is gone.
            self._motions[key] = motion, RecordedMotion(clip, int(self.processor.feature_extractor.max_frames))
        recorded = self._motions[key][1]
        clip = recorded.motion
        part = self.config.keypoint_config if clip.dimensions == 2 else self.config.motion_config
        if part is None:
            reads = {"3D motion": self.config.motion_config, "2D keypoints": self.config.keypoint_config}
            reads["video"] = self.config.video_config
            others = " and ".join(name for name, tower in reads.items() if tower is not None) or "text"
            raise InputError(
                f"{clip.name}: a {clip.dimensions}D recording, but this model ({self.name}) only reads {others}."
            )
        return recorded

    def _video(self, video: Any, start: float | None = None, end: float | None = None) -> VideoFrames:
        key = (video if isinstance(video, (str, os.PathLike)) else id(video), start, end)
        if key not in self._video_frames:
            self._video_frames[key] = video, self.processor.video_frames(video, self.frames, start=start, end=end)
        return self._video_frames[key][1]

    def _beside(self, videos: tuple[Any, ...], start: float, end: float) -> tuple[VideoFrames, ...]:
        """The video's frames of the seconds of one window; none where it has ended."""
        if not videos or (start > 0 and self._video(videos[0]).duration <= start):
            return ()
        return (self._video(videos[0], start, end),)

    def _without_tower(self, motion: Any, video: Any) -> Any:
        """The movement that a model without a video tower reads."""
        if motion is not None:
            return motion
        reason = "pictures hold no joints"
        if all(isinstance(clip, (str, bytes, os.PathLike)) for clip in several(video, 4)):
            try:
                return [self._motion(clip).motion for clip in several(video, 4)]
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


__all__ = ["InputBuilder", "WindowInput", "several", "split_windows"]
