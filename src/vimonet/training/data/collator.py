"""Samples to batches: clips to features, questions to tokens of the model's own chat form, packed into rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vimonet.model.chat_templates import CHAT_TEMPLATE
from vimonet.model.configuration_vimonet import KEYPOINT_TOKEN, MOTION_TOKEN, VIDEO_TOKEN
from vimonet.model.video_processing_vimonet import ViMoNetVideoProcessor
from vimonet.motion import FPS
from vimonet.training.data.chat_encoding import Block, Clips, TurnWriter
from vimonet.training.data.frame_cache import video_frames_of
from vimonet.training.data.packing import Piece, block_mask, fill_rows, write_rows
from vimonet.training.data.sampling import Sample, Video, cell_of
from vimonet.training.objective import IGNORE
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames


@dataclass
class Collator:
    """Samples to one padded batch.

    Args:
        tokenizer: with the special tokens of ViMoNet.
        feature_extractor: a MotionFeatureExtractor; None for text alone.
        fold_questions: as the processor's: questions are folded exactly as in use.
        chat_template: of the processor (see `vimonet.training.data.chat_encoding`).
        supervise: 'answer' learns the answer and its end; 'all' also learns the question (language stage).
        max_tokens: longest row; questions that do not fit are left out, the first is cut.
        packing: 'questions', 'rows' or 'none' (see `vimonet.training.data.packing`).
        phrases: action phrases by which motion tokens are labelled (`vimonet.training.token_alignment`); () for none.
        frame_processor: of the model's processor; None for a model that sees no video.
        video_frames: gives the frames of a sample's video, such as a `FrameCache`; None to decode them every time.

    The batch, of B rows: ``input_ids``, ``position_ids``, ``labels`` [B, L] int64 (labels not shifted, -100 = not
        learnt), ``attention_mask`` [B, 1, L, L] bool (True = may look), or [B, L] with packing 'none', ``cells`` [B]
        int64 (index into CELLS), or [B, L] with packing 'rows', and where the
        batch has clips ``motion_values`` [N, T, D], ``motion_mask`` [N, T], ``keypoint_values``, ``keypoint_mask``,
        ``video_values`` [N, F, 3, H, W], ``video_mask``, ``video_times`` [N, F];
        with `phrases` also ``motion_phrases``, ``keypoint_phrases`` [N, tokens], -100 where no action is named.

    Raises:
        InputError: a clip longer than the feature extractor's window, a video that cannot be read or that the model
            does not see, or clips that leave no room for a question.
    """

    tokenizer: Any
    feature_extractor: Any = None
    fold_questions: bool = True
    chat_template: str = CHAT_TEMPLATE
    supervise: str = "answer"
    max_tokens: int = 1024
    packing: str = "questions"
    phrases: Sequence[str] = ()
    frame_processor: ViMoNetVideoProcessor | None = None
    video_frames: Callable[[Video], VideoFrames] | None = None

    def __post_init__(self) -> None:
        self._writer = TurnWriter(self.tokenizer, self.chat_template, self.fold_questions, self.supervise)
        self._pad = int(self.tokenizer.pad_token_id)

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Pack `samples` (see the class)."""
        cells = np.array([cell_of(sample) for sample in samples], np.int64)
        features = [None if sample.get("joints") is None else self.features(sample) for sample in samples]
        video_frames = [self._video_frames(sample) for sample in samples]
        pieces = [
            piece
            for number, sample in enumerate(samples)
            for piece in self._pieces(number, sample, features[number], video_frames[number])
        ]
        rows = fill_rows(pieces, self.packing, self.max_tokens)
        arrays = write_rows(rows, self._pad)
        blocks = torch.from_numpy(arrays["blocks"])
        if self.packing == "none":
            mask = blocks >= 0
        else:
            alone = all(len(row) == 1 for row in rows)
            mask = block_mask(blocks, None if alone else torch.from_numpy(arrays["pieces"]))
        if self.packing == "rows":
            cells = cells[arrays["samples"]]
        else:
            cells = cells[[row[0].sample for row in rows]]
        batch = {
            "input_ids": torch.from_numpy(arrays["ids"]),
            "attention_mask": mask,
            "position_ids": torch.from_numpy(arrays["positions"]),
            "labels": torch.from_numpy(arrays["labels"]),
            "cells": torch.from_numpy(cells),
        }
        # Clips stand in the order of their placeholders, as often as there are copies of them.
        order = [piece.sample for row in rows for piece in row]
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
        """Index of the phrase that names what happens at each motion token: [N, tokens], `IGNORE` where none does."""
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
        """Normalised features [T', D] of the sample's clip."""
        joints = sample["joints"]
        assert joints is not None
        if len(joints) > self.feature_extractor.max_frames:
            raise InputError(
                f"a clip of source {sample.get('source', '?')!r} has {len(joints)} frames, more than the model's "
                f"window of {self.feature_extractor.max_frames}; cut clips in the dataset or raise motion.max_frames."
            )
        return self.feature_extractor.extract_joints(
            np.asarray(joints, np.float32), sample.get("confidence"), sample.get("dimensions", 3)
        )

    def _clips(self, sample: Sample, features: NDArray[np.float32] | None, video_frames: VideoFrames | None) -> Clips:
        """Placeholders of a sample's clips, motion before video as `ViMoNetProcessor.messages` has them."""
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
            raise InputError(f"{clip[0]}: a sample has this video, and the model sees none; set video.checkpoint.")
        return video_frames_of(clip, self.frame_processor) if self.video_frames is None else self.video_frames(clip)

    def _pieces(
        self, number: int, sample: Sample, features: NDArray[np.float32] | None, video_frames: VideoFrames | None
    ) -> list[Piece]:
        """The pieces of a sample: one, or one per question where questions cannot share a copy of the clips."""
        clips = self._clips(sample, features, video_frames)
        prefix = self._writer.prefix(clips)
        taken = sum(count for _, count in clips)
        if taken + 2 > self.max_tokens or len(prefix) + 2 > self.max_tokens:
            raise InputError(
                f"the clips of a sample of source {sample.get('source', '?')!r} become {max(taken, len(prefix))} "
                f"tokens, and schedule.max_tokens is {self.max_tokens}: no question fits behind them."
            )
        blocks: list[Block] = []
        room = self.max_tokens - len(prefix)
        for question, answer in sample["turns"]:
            ids, learnt = self._writer.block(question, answer, clips)
            if len(ids) > room:
                if blocks:
                    continue
                ids, learnt = ids[:room], learnt[:room]
            blocks.append((ids, learnt))
            if self.packing != "none":
                room -= len(ids)
        if self.packing == "none" or (clips and not prefix):
            return [Piece(number, prefix, [block]) for block in blocks]
        return [Piece(number, prefix, blocks)]


def _is_flat(sample: Sample) -> bool:
    return sample.get("dimensions", 3) == 2
