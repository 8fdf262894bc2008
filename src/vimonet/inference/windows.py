"""Build model inputs from recordings: read each once, check that the model reads its kind, and cut it into windows.

Motion and video of one recording share a clock: a window holds the motion and the frames of the same seconds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from vimonet.inference.answer import MeasuredClip
from vimonet.model.action_recognition import MOST_SPANS, ActionRecogniser, Recognised, joined_spans
from vimonet.model.configuration_vimonet import CONTEXT_PARTS, READS_TEXT
from vimonet.model.feature_extraction_vimonet import as_motion
from vimonet.model.processing_vimonet import ViMoNetProcessor
from vimonet.model.prompt_context import write_comparison, write_context
from vimonet.model.seen import seen_text
from vimonet.motion import Motion
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames


@dataclass(frozen=True)
class WindowInput:
    """Hold one prompt: a question, the clips before it, and their interval of the recording.

    Attributes:
        question: normalised for the model.
        motions, videos: the clips in the order of the prompt.
        start, end: interval of the recording, s; 0 and 0 without a clip.
        clip: the window of the motion, to be measured; None for no or several motions.
        recording: the whole motion.
        compared: the two motions of a question about both; empty for any other.
        context: text before the clips; see `vimonet.model.prompt_context`.
        actions: recognised actions of a single clip that the context names.
        tokens: whether the clips' tokens are in the prompt.
        frames: whether the tokens of video frames are among these.
        history: earlier questions and answers of the chat.
    """

    question: str
    motions: tuple[Motion, ...] = ()
    videos: tuple[VideoFrames, ...] = ()
    start: float = 0.0
    end: float = 0.0
    clip: MeasuredClip | None = None
    recording: MeasuredClip | None = None
    compared: tuple[MeasuredClip, ...] = ()
    context: str = ""
    actions: tuple[Recognised, ...] = ()
    tokens: bool = True
    frames: bool = True
    history: tuple[tuple[str, str], ...] = ()

    @property
    def inputs_read(self) -> tuple[str, ...]:
        """Kinds of input beside the question: ``motion``, ``video``, both or neither."""
        return ("motion",) * bool(self.motions) + ("video",) * bool(self.videos)

    @property
    def size(self) -> int:
        """Estimated length of the prompt, for batches of similar lengths."""
        return sum(clip.frames for clip in self.motions) + 100 * len(self.videos)


class RecordedMotion:
    """Hold a motion and its windows; each is measured at most once."""

    def __init__(self, motion: Motion, longest: int) -> None:
        self.motion, self._longest = motion, longest

    @cached_property
    def windows(self) -> list[tuple[MeasuredClip, float, float]]:
        """Windows in order of time, each with start and end, s; the whole motion if one window holds it."""
        bounds, fps = split_windows(self.motion.frames, self._longest), self.motion.fps
        if len(bounds) == 1:
            return [(self.whole, 0.0, bounds[0][1] / fps)]
        cut = self.motion.window
        return [(MeasuredClip(cut(first, last), first / fps), first / fps, last / fps) for first, last in bounds]

    @cached_property
    def whole(self) -> MeasuredClip:
        """Whole recording."""
        return MeasuredClip(self.motion)


class PromptContexts:
    """Write the contexts of prompts; what a recording shows is recognised once.

    Args:
        processor, config: of the model.
        recogniser: names actions; None for a model whose tokens are not aligned with phrases.
        classifier: image tower that names what is seen; None for a model without one.
        leave_out: parts of the prompt to leave out: ``tokens`` of the clips, ``frames`` (the tokens of video frames
            alone), ``facts``, ``actions`` or ``seen``.

    Raises:
        InputError: an unknown part.
    """

    def __init__(
        self,
        processor: ViMoNetProcessor,
        config: Any,
        recogniser: ActionRecogniser | None,
        classifier: Any,
        leave_out: Sequence[str],
    ) -> None:
        parts = ("tokens", "frames", *CONTEXT_PARTS)
        if unknown := sorted(set(leave_out) - set(parts)):
            raise InputError(f"a prompt has no part {unknown[0]!r} to leave out; it has {', '.join(parts)}.")
        self.processor, self.recogniser, self.classifier = processor, recogniser, classifier
        self.parts = tuple(part for part in config.context if part not in leave_out)
        self.tokens, self.frames = "tokens" not in leave_out, "frames" not in leave_out
        self._actions: dict[int, tuple[MeasuredClip, tuple[Recognised, ...]]] = {}
        self._seen: dict[int, tuple[VideoFrames, str]] = {}

    def __call__(self, window: WindowInput) -> str:
        """Write the context of a prompt: facts and actions of one clip, or of two side by side.

        Several others are not measured, because the question may mean any.
        """
        if window.compared:
            return write_comparison(
                [clip.facts for clip in window.compared], list(map(self.actions_of, window.compared))
            )
        clip = window.clip
        facts = clip.facts if clip is not None and "facts" in self.parts else None
        actions = self.named(window)
        seen = self._see(window.videos[0]) if len(window.videos) == 1 and "seen" in self.parts else ""
        return write_context(self.parts, facts=facts, actions=actions, seen=seen, clip=bool(window.inputs_read))

    def named(self, window: WindowInput) -> tuple[Recognised, ...]:
        """Recognise the actions that the context of a prompt about one clip names."""
        return self.actions_of(window.clip) if window.clip is not None and "actions" in self.parts else ()

    def _see(self, frames: VideoFrames) -> str:
        if self.classifier is None:
            return ""
        if id(frames) not in self._seen:
            self._seen[id(frames)] = frames, seen_text(frames, self.classifier)
        return self._seen[id(frames)][1]

    def actions_of(self, clip: MeasuredClip) -> tuple[Recognised, ...]:
        """Recognise the actions of a motion, once; empty without a recogniser."""
        if self.recogniser is None:
            return ()
        if id(clip) not in self._actions:
            # Keep the clip: once it is freed, its id may name another.
            self._actions[id(clip)] = clip, self._over_windows(clip.motion, self.recogniser)
        return self._actions[id(clip)][1]

    def _over_windows(self, motion: Motion, recogniser: ActionRecogniser) -> tuple[Recognised, ...]:
        """Recognise a motion of any length, window by window, and join what goes on across a cut."""
        extractor = self.processor.feature_extractor
        spans: list[Recognised] = []
        for first, last in split_windows(motion.frames, int(extractor.max_frames)):
            confidence = None if motion.confidence is None else motion.confidence[first:last]
            values = extractor.extract_joints(motion.joints[first:last], confidence, motion.dimensions)
            found = recogniser(torch.from_numpy(values), motion.dimensions)
            spans += [span.moved(first / motion.fps) for span in found]
        return joined_spans(spans, MOST_SPANS)


class InputBuilder:
    """Build the inputs of questions; read, cut and measure each recording once for all its questions.

    Args:
        processor: processor of the model.
        config: `ViMoNetConfig` of the model.
        name: name of the model, for messages.
        fps: frames per second of arrays of joints.
        frames: key frames of a video; None for the number in the config.
        contexts: writes the context of each prompt; None for a model that reads none.

    Attributes:
        history: earlier questions and answers about the recording.
    """

    def __init__(
        self,
        processor: ViMoNetProcessor,
        config: Any,
        name: str = "model",
        *,
        fps: float | None = None,
        frames: int | None = None,
        contexts: PromptContexts | None = None,
    ):
        self.processor, self.config, self.name = processor, config, name
        self.fps, self.frames = fps, frames
        self.contexts = contexts
        self.history: tuple[tuple[str, str], ...] = ()
        self._motions: dict[Any, tuple[Any, RecordedMotion]] = {}
        self._video_frames: dict[Any, tuple[Any, VideoFrames]] = {}

    def windows(self, question: str, motion: Any = None, video: Any = None) -> list[WindowInput]:
        """Build the inputs of one question: one, or one per window of a long motion.

        Args:
            question: normalised for the model.
            motion: a Motion, a path, an array [T, 22, 3], or a list of these; None for none.
            video: a path, frames uint8 [N, H, W, 3], `VideoFrames`, or a list of these; None for none. A model
                without a video tower reads its movement if no motion is given, and ignores it otherwise.

        Raises:
            InputError: a clip is unreadable or of a kind this model does not read; one of several clips is longer
                than a window (two that are compared may be).
        """
        found = [
            replace(one, frames=self.config.frames_beside_motion or not one.motions, history=self.history)
            for one in self._windows(question, motion, video)
        ]
        if self.contexts is None:
            return found
        return [
            replace(
                one,
                context=self.contexts(one),
                actions=self.contexts.named(one),
                tokens=one.tokens and self.contexts.tokens,
                frames=one.frames and self.contexts.frames,
            )
            for one in found
        ]

    def _windows(self, question: str, motion: Any, video: Any) -> list[WindowInput]:
        if video is not None and self.config.video_config is None:
            motion, video = self._without_tower(motion, video), None
        recorded = [self.recorded(clip) for clip in several(motion, 3)]
        videos = several(video, 4)
        reads_text = self.contexts is not None and set(self.contexts.parts) >= READS_TEXT
        if len(recorded) == 2 and not videos and reads_text:
            both = tuple(one.whole for one in recorded)
            motions, end = tuple(one.motion for one in both), max(one.motion.duration for one in both)
            return [WindowInput(question, motions, (), 0.0, end, compared=both, tokens=False)]
        if len(recorded) != 1 or len(videos) > 1:
            motions, shown = tuple(one.motion for one in recorded), tuple(self._video(clip) for clip in videos)
            end = max([*(clip.duration for clip in motions), *(clip.duration for clip in shown), 0.0])
            one = recorded[0].whole if len(recorded) == 1 else None
            return [WindowInput(question, motions, shown, 0.0, end, one, one)]
        found = []
        whole = recorded[0]
        if len(whole.windows) > 1 and reads_text:
            # One answer for a whole recording: facts and actions are read as text, the tokens of windows are not.
            motion = whole.whole.motion
            return [WindowInput(question, (motion,), (), 0.0, motion.duration, whole.whole, whole.whole, tokens=False)]
        for clip, start, end in recorded[0].windows:
            shown = self._beside(videos, start, end)
            found.append(WindowInput(question, (clip.motion,), shown, start, end, clip, recorded[0].whole))
        return found

    def recorded(self, motion: Any) -> RecordedMotion:
        """Read a motion once.

        Raises:
            InputError: it cannot be read, or is of a kind that the model does not read.
        """
        key = motion if isinstance(motion, (str, os.PathLike)) else id(motion)
        if key not in self._motions:
            clip = as_motion(motion, fps=self.fps)
            # Keep the object: once it is freed, its id may name another.
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
        """Read the video frames of one window; none after the end of the video."""
        if not videos or (start > 0 and self._video(videos[0]).duration <= start):
            return ()
        return (self._video(videos[0], start, end),)

    def _without_tower(self, motion: Any, video: Any) -> Any:
        """Return the movement for a model without a video tower: the motion, or the keypoints of the video."""
        if motion is not None:
            return motion
        reason = "frames hold no joints"
        if all(isinstance(clip, (str, bytes, os.PathLike)) for clip in several(video, 4)):
            try:
                return [self.recorded(clip).motion for clip in several(video, 4)]
            except InputError as error:
                reason = str(error).rstrip(".")
        raise InputError(
            f"this model ({self.name}) has no video tower, and the video gives no movement ({reason}); "
            "give a motion, or use a model with a video tower."
        )


def several(clips: Any, dimensions: int) -> tuple[Any, ...]:
    """List the clips of an argument: None, one clip (an array of `dimensions` is one), or a list of clips."""
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

    A last window shorter than a quarter of a full one holds too little to answer about: the last two then share their
    frames evenly.
    """
    if frames <= longest:
        return [(0, frames)]
    starts = list(range(0, frames, longest))
    if frames - starts[-1] < longest // 4:
        starts[-1] = (starts[-2] + frames) // 2
    return list(zip(starts, [*starts[1:], frames], strict=True))
