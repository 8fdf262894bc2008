"""Between a dataset and the trainer: choice of turns and batches of similar length, from (seed, epoch) alone.

Protocol of a dataset: map-style, ``len()`` and ``dataset[i]`` giving a sample::

    {"joints": float32 [T, 22, 3] or None, "confidence": [T, 22] or None, "dimensions": 3 or 2,
     "turns": [(question, answer), ...], "source": str, "spans": [(action phrase, start s, end s), ...],
     "video": (path, start s, end s) or None}

``spans`` may be absent; with them a dataset has ``actions``, all its phrases, and motion tokens can be aligned with
words. ``video`` may be absent; with it a dataset has ``videos``, all its clips, and frames are decoded only once. The
video of a sample with joints shows the same seconds: its ``start`` is the motion's time 0.

Optional: ``lengths`` (frames per sample, 0 for text) and ``cells`` (index into CELLS per sample), which spare one
pass over the data, and ``set_epoch(epoch)`` (for augmentation, which should depend on nothing but seed, epoch and
index: then a resumed run sees exactly what the interrupted one would have seen). A turn whose question is None is
plain text, all of it learnt.
"""

from __future__ import annotations

import difflib
import inspect
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from vimonet.utils.errors import InputError

CELLS = ("motion", "keypoint", "text", "video", "paired")
"""Modality cells a sample can belong to, in the order of their indices; paired is video beside motion, 3D or 2D."""

TEXT, VIDEO, PAIRED = 2, 3, 4

Video = tuple[str, float | None, float | None]
"""A video file, and the seconds of it that are meant (None: from its beginning, to its end)."""

TOKENS_PER_TURN = 20


class Sample(TypedDict, total=False):
    """One clip with its questions; see the module's protocol."""

    joints: NDArray[np.float32] | None
    confidence: NDArray[np.float32] | None
    dimensions: int
    turns: Sequence[tuple[str | None, str]]
    source: str
    spans: Sequence[tuple[str, float, float]]
    video: Video | None


def cell_of(sample: Sample) -> int:
    """Index into CELLS: 0 for 3D motion, 1 for 2D keypoints, 2 for text without a clip, 3 for video, 4 for video beside
    motion.
    """
    if sample.get("video") is not None:
        return VIDEO if sample.get("joints") is None else PAIRED
    if sample.get("joints") is None:
        return TEXT
    return 1 if sample.get("dimensions", 3) == 2 else 0


def rng_of(*key: int | str) -> np.random.Generator:
    """Random generator that depends on nothing but the key (integers or words)."""
    return np.random.default_rng([zlib.crc32(part.encode()) if isinstance(part, str) else int(part) for part in key])


class TurnSampler(Dataset[Sample]):
    """View of a dataset that draws at most `turns` questions per clip, anew each epoch, in random order.

    With `dropout`, a paired sample loses its motion or its video (one as often as the other) with that probability, by
    a draw from seed, epoch and index: a model that always had both would lean on one, and be lost without it.
    """

    def __init__(self, dataset: Any, turns: int, seed: int, dropout: float = 0.0) -> None:
        self.dataset, self.turns, self.seed, self.dropout, self.epoch = dataset, turns, seed, dropout, 0

    def __len__(self) -> int:
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Make the draws (and the dataset's own augmentation) those of `epoch`."""
        self.epoch = epoch
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = self.dataset[index]
        turns = sample["turns"]
        order = rng_of(self.seed, self.epoch, index, "turns").permutation(len(turns))[: self.turns]
        sample = {**sample, "turns": [turns[i] for i in order]}  # type: ignore[typeddict-item]
        if self.dropout and cell_of(sample) == PAIRED:
            chance, coin = rng_of(self.seed, self.epoch, index, "modality").random(2)
            if chance < self.dropout:
                lost: Sample = {"video": None} if coin < 0.5 else {"joints": None, "confidence": None, "spans": ()}
                sample = {**sample, **lost}
        return sample

    def lengths(self) -> NDArray[np.int64]:
        """Rough number of tokens of each sample, for batches that need little padding."""
        frames = getattr(self.dataset, "lengths", None)
        if frames is not None:
            return np.asarray(frames() if callable(frames) else frames) // 4
        return self._survey[:, 0]

    def cells(self) -> NDArray[np.int64]:
        """Index into CELLS of each sample."""
        cells = getattr(self.dataset, "cells", None)
        if cells is not None:
            return np.asarray(cells() if callable(cells) else cells)
        return self._survey[:, 1]

    @cached_property
    def _survey(self) -> NDArray[np.int64]:
        """Tokens and cell of every sample, for datasets that do not tell: one pass over them."""
        if hasattr(self.dataset, "set_epoch"):
            # Samples that change every epoch: a pass would be slow, and wrong from the second epoch on. No grouping
            # then.
            return np.zeros((len(self.dataset), 2), np.int64)
        found = []
        for index in range(len(self.dataset)):
            sample = self.dataset[index]
            frames = 0 if sample.get("joints") is None else len(sample["joints"])
            found.append((frames // 4 + TOKENS_PER_TURN * min(len(sample["turns"]), self.turns), cell_of(sample)))
        return np.asarray(found, np.int64)


class AlikeClips(Dataset[Any]):
    """What a stage makes of the 3D clips of a dataset, one by one: nothing by which a batch would be put together.

    Args:
        dataset: see the module.
        seed: of the draws.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset, self.seed, self.epoch = dataset, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Draw what is drawn in `epoch`."""
        self.epoch = epoch
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def lengths(self) -> NDArray[np.int64]:
        """All alike."""
        return np.zeros(len(self), np.int64)

    def cells(self) -> NDArray[np.int64]:
        """All 3D."""
        return np.zeros(len(self), np.int64)


class ReadableSamples(Dataset[Sample]):
    """The samples of a dataset as far as a model can read them.

    Motions of which it has no tower are taken off; what then has no clip left is left out.

    Args:
        dataset: see the module.
        motion, keypoints: whether the model reads 3D motion, 2D keypoints.

    Raises:
        InputError: nothing is left.
    """

    def __init__(self, dataset: Any, *, motion: bool, keypoints: bool) -> None:
        self.dataset, self._reads = dataset, {2: keypoints, 3: motion}
        view = TurnSampler(dataset, 1, 0)
        cells = view.cells()
        kept = np.ones(len(cells), bool)
        kept[cells == CELLS.index("motion")] = motion
        kept[cells == CELLS.index("keypoint")] = keypoints
        self._rows = np.flatnonzero(kept)
        if not len(self._rows):
            kinds = "3D motion" if keypoints else "2D keypoints" if motion else "motion"
            raise InputError(f"the data holds nothing but {kinds}, and the model has no tower for it.")
        self._cells, self._lengths = cells[self._rows], 4 * view.lengths()[self._rows]  # in frames again
        self.videos = getattr(dataset, "videos", ())
        self.actions = getattr(dataset, "actions", ())

    def __len__(self) -> int:
        return len(self._rows)

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on."""
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def lengths(self) -> NDArray[np.int64]:
        """Frames of each, roughly."""
        return self._lengths

    def cells(self) -> NDArray[np.int64]:
        """Index into CELLS of each, before motions are taken off."""
        return self._cells

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = self.dataset[int(self._rows[index])]
        if sample.get("joints") is not None and not self._reads[2 if sample.get("dimensions") == 2 else 3]:
            lost: Sample = {"joints": None, "confidence": None, "spans": ()}
            return {**sample, **lost}
        return sample


class TextDataset(Dataset[Sample]):
    """Text alone, as samples of several turns, so that short texts share a row of the batch.

    Args:
        texts: plain sentences, or mappings with ``question`` and ``answer``.
        turns: texts packed into one sample.
        seed: of the drawing of companions, which changes every epoch.
    """

    def __init__(self, texts: Sequence[Any], turns: int, seed: int) -> None:
        self.texts = [text if isinstance(text, str) else (text["question"], text["answer"]) for text in texts]
        self.turns, self.seed = turns, seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle which texts share a sample."""
        self.order = rng_of(self.seed, epoch, "texts").permutation(len(self.texts))

    def __len__(self) -> int:
        return -(-len(self.texts) // self.turns)

    def lengths(self) -> NDArray[np.int64]:
        """Nothing to group by."""
        return np.zeros(len(self), np.int64)

    def cells(self) -> NDArray[np.int64]:
        """All text."""
        return np.full(len(self), TEXT)

    def __getitem__(self, index: int) -> Sample:
        chosen = self.order[index * self.turns : (index + 1) * self.turns]
        texts = [self.texts[i] for i in chosen]
        return {"joints": None, "turns": [(None, t) if isinstance(t, str) else t for t in texts], "source": "text"}


class LengthGroupedSampler(Sampler[int]):
    """Indices in batches of similar length, the batches in random order; the same in every process of a run.

    Unlike the sampler of transformers, whose batches run from long to short within a mega-batch, the order of the
    batches is shuffled, so that the step's cost and the loss have no sawtooth; every batch holds its share of each
    modality cell, so that cells can be weighed against each other within it; and the draw depends on (seed, epoch)
    only.

    Args:
        lengths: length of each sample.
        cells: modality cell of each sample.
        batch_size: samples of one optimiser step, over all processes and accumulation.
        seed: seed of the draw.
        group: False for a plain shuffle.
    """

    def __init__(
        self, lengths: NDArray[np.int64], cells: NDArray[np.int64], batch_size: int, seed: int, *, group: bool = True
    ) -> None:
        self.lengths, self.cells, self.batch_size, self.seed, self.group = lengths, cells, batch_size, seed, group
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of `epoch` next."""
        self.epoch = epoch

    def __len__(self) -> int:
        count = len(self.lengths)
        # Whole batches only, or processes would fill up the last one with repetitions; who is left out changes every
        # epoch.
        return count - count % self.batch_size if count >= self.batch_size else count

    def __iter__(self) -> Iterator[int]:
        rng = rng_of(self.seed, self.epoch, "order")
        order = rng.permutation(len(self.lengths))[: len(self)]
        if not self.group or len(order) <= self.batch_size:
            return iter(order.tolist())
        mega = self.batch_size * 32
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), mega):
            pool = order[start : start + mega]
            pool = pool[np.argsort(self._rank_in_cell(pool), kind="stable")]
            batches += [pool[i : i + self.batch_size] for i in range(0, len(pool), self.batch_size)]
        batches = [batches[i] for i in rng.permutation(len(batches))]
        # Inside a batch the order is shuffled, so that processes that share it get alike parts.
        return iter([int(i) for batch in batches for i in rng.permutation(batch)])

    def _rank_in_cell(self, pool: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where each sample stands among those of its cell when they are sorted by length, from 0 to 1."""
        rank = np.zeros(len(pool))
        for cell in np.unique(self.cells[pool]):
            members = np.flatnonzero(self.cells[pool] == cell)
            members = members[np.argsort(self.lengths[pool[members]], kind="stable")]
            rank[members] = (np.arange(len(members)) + 0.5) / len(members)
        return rank


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch: the weights drawn from here on are repeatable."""
    import random

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def ask_data(function: Any, settings: Mapping[str, Any]) -> Any:
    """Call a function of vimonet.vimos with the settings of a ``data`` branch.

    Raises:
        InputError: a setting the function does not know.
    """
    known = list(inspect.signature(function).parameters)
    for key in settings:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise InputError(f"data: unknown key '{key}'; did you mean '{close[0]}'? Known are {', '.join(known)}.")
    return function(**settings)
