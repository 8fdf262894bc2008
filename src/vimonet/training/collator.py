"""Several questions about one clip in one row, behind a single copy of its motion and video tokens.

A row is ``<|user|> motion video | q1 <|assistant|> a1 <|end|> | q2 <|assistant|> a2 <|end|> | ...``. Every block sees
the prefix and itself, never another block, and its positions count on from the prefix: so each block is, number for
number, the sample ``<|user|> motion video q <|assistant|> a <|end|>`` that the chat template writes for a single
question, at a fraction of the cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vimonet.errors import InputError
from vimonet.model.configuration_vimonet import (
    ASSISTANT_TOKEN,
    END_TOKEN,
    KEYPOINT_TOKEN,
    MOTION_TOKEN,
    USER_TOKEN,
    VIDEO_TOKEN,
)
from vimonet.model.frame_processing import Footage, FrameProcessor
from vimonet.model.processing_vimonet import normalise_question
from vimonet.motion import FPS
from vimonet.training.data import Sample, Video, cell_of
from vimonet.training.frames import footage_of
from vimonet.training.objective import IGNORE

Block = tuple[list[int], list[bool]]


@dataclass
class Collator:
    """Samples to one padded batch.

    Args:
        tokenizer: with the special tokens of ViMoNet (for text alone: user, assistant and end).
        feature_extractor: a MotionFeatureExtractor; None for text alone.
        fold_questions: as the processor's: questions are folded exactly as in use.
        supervise: 'answer' learns answer and <|end|>; 'all' also learns the question (language stage).
        max_tokens: longest row; questions that do not fit are left out, the first is cut.
        phrases: action phrases by which motion tokens are labelled (`vimonet.training.alignment`); () for none.
        frame_processor: of the model's processor; None for a model that sees no video.
        footage: gives the frames of a sample's video, such as a `FrameCache`; None to decode them every time.

    The batch: ``input_ids``, ``position_ids``, ``labels`` [B, L] int64 (labels not shifted, -100 = not learnt),
        ``attention_mask`` [B, 1, L, L] bool (True = may look), ``cells`` [B] int64 (index into CELLS), and where the
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
    supervise: str = "answer"
    max_tokens: int = 1024
    phrases: Sequence[str] = ()
    frame_processor: FrameProcessor | None = None
    footage: Callable[[Video], Footage] | None = None
    _ids: dict[str, int] = field(default_factory=dict, repr=False)
    _blocks: dict[tuple[str | None, str, bool], Block] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        video = () if self.frame_processor is None else (VIDEO_TOKEN,)
        for token in (USER_TOKEN, ASSISTANT_TOKEN, END_TOKEN, MOTION_TOKEN, KEYPOINT_TOKEN, *video):
            self._ids[token] = int(self.tokenizer.convert_tokens_to_ids(token))
        self._pad = int(self.tokenizer.pad_token_id)

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Pack `samples` (see the class)."""
        cells = [cell_of(sample) for sample in samples]
        features = [None if sample.get("joints") is None else self.features(sample) for sample in samples]
        footage = [self._footage(sample) for sample in samples]
        rows = [self._row(*row) for row in zip(samples, features, footage, strict=True)]
        length = max(len(row[0]) for row in rows)
        # Multiples of 8 spare the allocator and the kernels a new shape for every batch.
        length += -length % 8
        shape = (len(rows), length)
        ids, labels = np.full(shape, self._pad, np.int64), np.full(shape, IGNORE, np.int64)
        positions, blocks = np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
        for i, (row_ids, row_labels, row_positions, row_blocks) in enumerate(rows):
            n = len(row_ids)
            ids[i, :n], labels[i, :n], positions[i, :n], blocks[i, :n] = row_ids, row_labels, row_positions, row_blocks
        batch = {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": block_mask(torch.from_numpy(blocks)),
            "position_ids": torch.from_numpy(positions),
            "labels": torch.from_numpy(labels),
            "cells": torch.tensor(cells),
        }
        for name, flat in (("motion", False), ("keypoint", True)):
            clips = [
                (values, sample)
                for values, sample in zip(features, samples, strict=True)
                if values is not None and _is_flat(sample) == flat
            ]
            if clips:
                values, mask = self.feature_extractor.pad([clip for clip, _ in clips])
                batch[f"{name}_values"], batch[f"{name}_mask"] = torch.from_numpy(values), torch.from_numpy(mask)
                if self.phrases:
                    spans = [sample.get("spans", ()) for _, sample in clips]
                    batch[f"{name}_phrases"] = self._phrases(spans, self.feature_extractor.num_tokens(values.shape[1]))
        shown = [frames for frames in footage if frames is not None]
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

    def prefix(self, sample: Sample, frames: int, pictures: int = 0) -> list[int]:
        """Token ids every question of a sample shares: ``<|user|>`` and the placeholders of a motion of so many frames,
        then of a video of so many pictures, as `ViMoNetProcessor.messages` puts them; none for text alone.
        """
        placeholders: list[int] = []
        if frames:
            token = self._ids[KEYPOINT_TOKEN if _is_flat(sample) else MOTION_TOKEN]
            placeholders += [token] * self.feature_extractor.num_tokens(frames)
        if pictures:
            assert self.frame_processor is not None
            placeholders += [self._ids[VIDEO_TOKEN]] * self.frame_processor.num_tokens(pictures)
        return [self._ids[USER_TOKEN], *placeholders] if placeholders else []

    def _footage(self, sample: Sample) -> Footage | None:
        clip = sample.get("video")
        if clip is None:
            return None
        if self.frame_processor is None:
            raise InputError(f"{clip[0]}: a sample has this video, and the model sees none; set video.checkpoint.")
        return footage_of(clip, self.frame_processor) if self.footage is None else self.footage(clip)

    def block(self, question: str | None, answer: str, *, with_user: bool) -> Block:
        """Token ids of one question with its answer, and which of them are learnt.

        The block is tokenised behind a special token, as it stands in the chat text: no merge of a BPE crosses a
            special token, and tokenizers that treat the start of a text differently (sentencepiece) see none.
        """
        key = (question, answer, with_user)
        found = self._blocks.get(key)
        if found is not None:
            return found
        if question is None:
            ids = self._encode(ASSISTANT_TOKEN + answer + END_TOKEN)
            learnt = [False] + [True] * (len(ids) - 1)
        else:
            asked = normalise_question(question, fold=self.fold_questions)
            ids = self._encode(USER_TOKEN + asked + ASSISTANT_TOKEN + answer + END_TOKEN)
            told = ids.index(self._ids[ASSISTANT_TOKEN]) + 1
            if not with_user:
                ids, told = ids[1:], told - 1
            # The first token of a block follows the shared prefix, whose last position cannot predict several
            # successors.
            learnt = [False] + [self.supervise == "all"] * (told - 1) + [True] * (len(ids) - told)
        if len(self._blocks) < 200_000:
            self._blocks[key] = (ids, learnt)
        return ids, learnt

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _row(
        self, sample: Sample, features: NDArray[np.float32] | None, footage: Footage | None
    ) -> tuple[list[int], list[int], list[int], list[int]]:
        pictures = 0 if footage is None else len(footage.images)
        prefix = self.prefix(sample, 0 if features is None else len(features), pictures)
        if len(prefix) + 2 > self.max_tokens:
            raise InputError(
                f"the clips of a sample of source {sample.get('source', '?')!r} become {len(prefix)} tokens, and "
                f"schedule.max_tokens is {self.max_tokens}: no question fits behind them."
            )
        ids, labels = list(prefix), [IGNORE] * len(prefix)
        positions, blocks = list(range(len(prefix))), [0] * len(prefix)
        for number, (question, answer) in enumerate(sample["turns"], start=1):
            tokens, learnt = self.block(question, answer, with_user=not prefix)
            room = self.max_tokens - len(ids)
            if len(tokens) > room:
                if number > 1:
                    continue
                tokens, learnt = tokens[:room], learnt[:room]
            ids += tokens
            labels += [token if take else IGNORE for token, take in zip(tokens, learnt, strict=True)]
            positions += range(len(prefix), len(prefix) + len(tokens))
            blocks += [number] * len(tokens)
        return ids, labels, positions, blocks


def _is_flat(sample: Sample) -> bool:
    return sample.get("dimensions", 3) == 2


def block_mask(blocks: torch.Tensor) -> torch.Tensor:
    """Attention mask of packed rows: [B, L] block numbers (0 prefix, 1.. questions, -1 padding) -> [B, 1, L, L] bool.

    Position i may look at j when j comes no later and is in the prefix or in i's own block. Nothing looks at padding;
    what padding looks at is of no account, but it must look at something (itself), because a row of the softmax must
    not be empty.
    """
    length = blocks.shape[1]
    mine, theirs = blocks[:, :, None], blocks[:, None, :]
    allowed = (mine == theirs) | (theirs == 0)
    allowed &= theirs >= 0
    allowed &= torch.ones(length, length, dtype=torch.bool).tril()
    allowed |= torch.eye(length, dtype=torch.bool)
    return allowed[:, None]
