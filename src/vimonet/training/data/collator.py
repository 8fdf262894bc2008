"""Collate samples to batches: motion features, cached key frames, question-answer pairs packed into rows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from vimonet.model.chat_templates import CHAT_TEMPLATE
from vimonet.model.configuration_vimonet import KEYPOINT_TOKEN, MOTION_TOKEN, VIDEO_TOKEN
from vimonet.model.video_processing_vimonet import ViMoNetVideoProcessor, as_video_frames
from vimonet.motion import FPS
from vimonet.training.data import Sample, Video, group_of
from vimonet.training.data.contexts import TOKENS
from vimonet.training.data.packing import (
    IGNORE,
    ChatEncoder,
    Clips,
    PackedSample,
    Segment,
    fill_rows,
    segment_mask,
    write_rows,
)
from vimonet.utils.errors import InputError
from vimonet.utils.files import whole_file
from vimonet.video import VideoFrames


@dataclass
class Collator:
    """Collate samples to one padded batch.

    A batch of B rows holds ``input_ids``, ``position_ids``, ``labels`` [B, L] int64 (not shifted, -100 = not learnt),
    ``attention_mask`` [B, 1, L, L] bool (True = attend), or [B, L] with packing 'none', and ``modality_groups`` [B]
    int64 (`ModalityGroup`), or [B, L] with packing 'multi_sample'. N clips add ``motion_values`` [N, T, D] and
    ``motion_mask`` [N, T], the same two for ``keypoint``, or ``video_values`` [N, F, 3, H, W], ``video_mask`` and
    ``video_times`` [N, F]; `phrases` adds ``motion_phrases`` and ``keypoint_phrases`` [N, tokens], -100 = no label.

    Args:
        tokenizer: a tokenizer with ViMoNet's special tokens.
        feature_extractor: a MotionFeatureExtractor; None for text alone.
        fold_questions: as in the processor: fold the case of questions as inference does.
        chat_template: chat template of the processor.
        supervise: 'answer' learns the answer and its end; 'all' also learns the question (pretrain-lm).
        max_tokens: longest row; questions that do not fit are dropped, the first one is truncated.
        packing: 'shared_prefix', 'multi_sample' or 'none' (see `vimonet.training.data.packing`).
        phrases: action phrases that label motion tokens (`vimonet.training.objective`); () for no labels.
        frame_processor: video processor of the model; None for a model without a video tower.
        video_frames: function from a sample's video to its frames, such as a `FrameCache`; None: decode every time.
        context: function from a sample, its features, its key frames and the features of the clip beside it to the
            context of its prompt, such as a `ContextWriter`; None: no context.
        question_reader: function from questions about one clip to what is written for each, such as a
            `QuestionReader`; None: the questions as they are.

    Raises:
        InputError: a clip longer than the feature extractor's window, an unreadable video, a video without a video
            tower, or clips that leave no room for a question.
    """

    tokenizer: Any
    feature_extractor: Any = None
    fold_questions: bool = True
    chat_template: str = CHAT_TEMPLATE
    supervise: str = "answer"
    max_tokens: int = 1024
    packing: str = "shared_prefix"
    phrases: Sequence[str] = ()
    frame_processor: ViMoNetVideoProcessor | None = None
    video_frames: Callable[[Video], VideoFrames] | None = None
    context: Callable[..., str] | None = None
    question_reader: Callable[[Sequence[str]], list[str]] | None = None

    def __post_init__(self) -> None:
        self._encoder = ChatEncoder(self.tokenizer, self.chat_template, self.fold_questions, self.supervise)
        self._pad = int(self.tokenizer.pad_token_id)

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Collate `samples` to a batch (see the class)."""
        groups = np.array([group_of(sample) for sample in samples], np.int64)
        extracted = [None if sample.get("joints") is None else self.features(sample) for sample in samples]
        decoded = [self._video_frames(sample) for sample in samples]
        beside = [self.features(sample["beside"]) if "beside" in sample else None for sample in samples]
        contexts = [
            "" if self.context is None else self.context(*of)
            for of in zip(samples, extracted, decoded, beside, strict=True)
        ]
        # Questions about two clips are answered from text alone, as at inference.
        tokens = [TOKENS not in sample.get("dropped", ()) and "beside" not in sample for sample in samples]
        features = [values if kept else None for values, kept in zip(extracted, tokens, strict=True)]
        video_frames = [frames if kept else None for frames, kept in zip(decoded, tokens, strict=True)]
        packed = [
            one
            for number, sample in enumerate(samples)
            for one in self._pack(number, sample, features[number], video_frames[number], contexts[number])
        ]
        rows = fill_rows(packed, self.packing, self.max_tokens)
        arrays = write_rows(rows, self._pad)
        segments = torch.from_numpy(arrays["segments"])
        if self.packing == "none":
            mask = segments >= 0
        else:
            alone = all(len(row) == 1 for row in rows)
            mask = segment_mask(segments, None if alone else torch.from_numpy(arrays["packed"]))
        groups = groups[arrays["samples"] if self.packing == "multi_sample" else [row[0].sample for row in rows]]
        batch = {
            "input_ids": torch.from_numpy(arrays["ids"]),
            "attention_mask": mask,
            "position_ids": torch.from_numpy(arrays["positions"]),
            "labels": torch.from_numpy(arrays["labels"]),
            "modality_groups": torch.from_numpy(groups),
        }
        # Clips are in the order of their placeholders, once per copy.
        order = [one.sample for row in rows for one in row]
        for name, flat in (("motion", False), ("keypoint", True)):
            clips = [
                (values, samples[number])
                for number in order
                if (values := features[number]) is not None and _is_flat(samples[number]) == flat
            ]
            if clips:
                values, mask = self.feature_extractor.pad([clip for clip, _ in clips])
                batch[f"{name}_values"], batch[f"{name}_mask"] = torch.from_numpy(values), torch.from_numpy(mask)
                if self.phrases:
                    spans = [sample.get("spans", ()) for _, sample in clips]
                    batch[f"{name}_phrases"] = self._phrases(spans, self.feature_extractor.num_tokens(values.shape[1]))
        shown = [frames for number in order if (frames := video_frames[number]) is not None]
        if shown:
            assert self.frame_processor is not None
            batch |= {name: torch.from_numpy(values) for name, values in self.frame_processor(shown).items()}
        return batch

    def _phrases(self, clips: Sequence[Sequence[tuple[str, float, float]]], tokens: int) -> torch.Tensor:
        """Label each motion token with the index of the phrase at its time: [N, tokens], `IGNORE` without a phrase."""
        labels = np.full((len(clips), tokens), IGNORE, np.int64)
        index = {phrase: number for number, phrase in enumerate(self.phrases)}
        seconds = self.feature_extractor.ratio / FPS
        middle = (np.arange(tokens) + 0.5) * seconds
        for row, spans in zip(labels, clips, strict=True):
            for phrase, start, end in spans:
                if phrase in index:
                    row[(start <= middle) & (middle < end)] = index[phrase]
        return torch.from_numpy(labels)

    def features(self, sample: Sample) -> NDArray[np.float32]:
        """Extract the normalised features [T', D] of a sample's motion."""
        joints = sample["joints"]
        assert joints is not None
        if len(joints) > self.feature_extractor.max_frames:
            raise InputError(
                f"a clip of source {sample.get('source', '?')!r} has {len(joints)} frames, more than the model's "
                f"window of {self.feature_extractor.max_frames}; shorten the clips or raise motion.max_frames."
            )
        return self.feature_extractor.extract_joints(
            np.asarray(joints, np.float32), sample.get("confidence"), sample.get("dimensions", 3)
        )

    def _clips(self, sample: Sample, features: NDArray[np.float32] | None, video_frames: VideoFrames | None) -> Clips:
        """List the placeholders of a sample's clips, motion before video as in `ViMoNetProcessor.messages`."""
        clips: Clips = ()
        if features is not None:
            token = KEYPOINT_TOKEN if _is_flat(sample) else MOTION_TOKEN
            clips += ((token, int(self.feature_extractor.num_tokens(len(features)))),)
        if video_frames is not None:
            assert self.frame_processor is not None
            clips += ((VIDEO_TOKEN, self.frame_processor.num_tokens(len(video_frames.images))),)
        return clips

    def _video_frames(self, sample: Sample) -> VideoFrames | None:
        clip = sample.get("video")
        if clip is None:
            return None
        if self.frame_processor is None:
            raise InputError(f"{clip[0]}: the model has no video tower to read this video; set video.checkpoint.")
        return video_frames_of(clip, self.frame_processor) if self.video_frames is None else self.video_frames(clip)

    def _pack(
        self,
        number: int,
        sample: Sample,
        features: NDArray[np.float32] | None,
        video_frames: VideoFrames | None,
        context: str,
    ) -> list[PackedSample]:
        """Pack a sample: all questions behind one copy of its clips, or one copy per question if they cannot share."""
        clips = self._clips(sample, features, video_frames)
        prefix = self._encoder.prefix(clips, context)
        taken = sum(count for _, count in clips)
        if taken + 2 > self.max_tokens or len(prefix) + 2 > self.max_tokens:
            raise InputError(
                f"the clips of a sample of source {sample.get('source', '?')!r} become {max(taken, len(prefix))} "
                f"tokens, which leaves no room for a question in trainer.max_tokens={self.max_tokens}; raise it."
            )
        segments: list[Segment] = []
        room = self.max_tokens - len(prefix)
        for question, answer, *more in self._read(sample):
            ids, learnt = self._encoder.segment(question, str(answer), clips, context, tuple(more))
            if len(ids) > room:
                if segments:
                    continue
                ids, learnt = ids[:room], learnt[:room]
            segments.append((ids, learnt))
            if self.packing != "none":
                room -= len(ids)
        if self.packing == "none" or ((clips or context) and not prefix):
            return [PackedSample(number, prefix, [segment]) for segment in segments]
        return [PackedSample(number, prefix, segments)]

    def _read(self, sample: Sample) -> Sequence[tuple[Any, ...]]:
        """Return the chats of a sample with what is read behind each question, as inference does."""
        chats: Sequence[tuple[Any, ...]] = sample["qa_pairs"]
        if self.question_reader is None or "beside" in sample:
            return chats
        asked = [text for chat in chats for text in chat[::2] if text]
        said = dict(zip(asked, self.question_reader(asked), strict=True))
        return [tuple(said.get(text, text) if i % 2 == 0 else text for i, text in enumerate(chat)) for chat in chats]


def _is_flat(sample: Sample) -> bool:
    return sample.get("dimensions", 3) == 2


class FrameCache:
    """Cache the decoded key frames of video clips on disk.

    Decoding and scaling eight frames costs more than a small model's step on them. Scaled frames are stored as uint8 in
    one memory map, which all epochs, loader processes and resumed runs share.

    Args:
        folder: folder of the memory map, created with the first clip. The file name is a hash of clips and settings, so
            runs may share a folder.
        clips: all clips that the cache will hold.
        prepare: video processor of the model.

    Raises:
        InputError: a missing video file.
    """

    def __init__(self, folder: str | Path, clips: Sequence[Video], prepare: ViMoNetVideoProcessor) -> None:
        self.folder, self.prepare = Path(folder), prepare
        self._place = {clip: number for number, clip in enumerate(dict.fromkeys(clips))}
        # Fitted frames without normalisation, from 0 to 1.
        self._plain = ViMoNetVideoProcessor(**{**prepare.to_dict(), "image_mean": (0.0,) * 3, "image_std": (1.0,) * 3})
        self._row = np.dtype(
            [
                ("done", "?"),
                ("times", "<f4", (prepare.num_frames,)),
                ("images", "u1", (prepare.num_frames, prepare.side, prepare.side, 3)),
            ]
        )
        self._file = self.folder / f"frames-{self._digest()}.npy"
        self._rows: Any = None

    def __call__(self, clip: Video) -> VideoFrames:
        """Return the key frames of a clip, uint8 [F, side, side, 3], with their times (s) since its start.

        Raises:
            InputError: an unreadable video, or too little disk space.
        """
        if clip not in self._place:
            return video_frames_of(clip, self.prepare)
        if self._rows is None:
            self._rows = self._open()
        row = self._rows[self._place[clip]]
        if not row["done"]:
            video_frames = video_frames_of(clip, self.prepare)
            row["images"] = (self._plain.pixels(video_frames.images) * 255).round().byte().permute(0, 2, 3, 1).numpy()
            row["times"] = video_frames.times
            row["done"] = True  # last, so that an interrupted write is repeated
        return VideoFrames(np.array(row["images"]), np.array(row["times"], np.float64), Path(clip[0]).name)

    def _open(self) -> Any:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._file.exists():
            need = self._row.itemsize * len(self._place)
            # The file is sparse at first; a write to a memory map on a full disk kills the process without a message.
            if shutil.disk_usage(self.folder).free < need:
                raise InputError(
                    f"{self.folder}: the frames of {len(self._place):,} videos need {need / 2**30:.1f} GiB, and the "
                    "disk has less; set video.cache to a folder on a larger disk, or lower video.frames."
                )
            with whole_file(self._file, suffix=".part") as part:
                open_memmap(part, "w+", self._row, (len(self._place),)).flush()
        return open_memmap(self._file, "r+")

    def _digest(self) -> str:
        """Hash the clips, the size and time of their files, and the settings of the video processor."""
        files = {}
        for path in {clip[0] for clip in self._place}:
            try:
                state = os.stat(path)
            except OSError:
                raise InputError(f"{path}: this video of the dataset is missing.") from None
            files[path] = (os.path.abspath(path), state.st_size, state.st_mtime_ns)
        prepare = self.prepare
        settings = [prepare.side, prepare.num_frames, prepare.fit, prepare.resample, prepare.antialias]
        content = json.dumps([settings, [(*files[path], start, end) for path, start, end in self._place]])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def video_frames_of(clip: Video, prepare: ViMoNetVideoProcessor) -> VideoFrames:
    """Decode the key frames of a clip."""
    path, start, end = clip
    return as_video_frames(path, prepare.num_frames, start=start, end=end)
