"""Draw question-answer pairs and batches of similar length, from (seed, epoch) alone."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from vimonet.training.data import ModalityGroup, Sample, group_of
from vimonet.utils.errors import InputError
from vimonet.utils.settings import known_key

TOKENS_PER_QA_PAIR = 20


def rng_of(*key: int | str) -> np.random.Generator:
    """Make a random generator from a key of integers and words alone."""
    return np.random.default_rng([zlib.crc32(part.encode()) if isinstance(part, str) else int(part) for part in key])


class QAPairSampler(Dataset[Sample]):
    """Draw at most `limit` question-answer pairs per clip of a dataset, anew each epoch, in random order.

    With probability `dropout` a paired sample loses its motion or its video, each as often, so that the model does not
    come to depend on one of them. `drop_parts` draws the parts of the prompt that a sample loses, from the key (seed,
    epoch, index).
    """

    def __init__(
        self,
        dataset: Any,
        limit: int,
        seed: int,
        dropout: float = 0.0,
        drop_parts: Callable[..., tuple[str, ...]] | None = None,
    ) -> None:
        self.dataset, self.limit, self.seed, self.dropout, self.epoch = dataset, limit, seed, dropout, 0
        self.drop_parts = drop_parts

    def __len__(self) -> int:
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the draws and of the dataset's augmentation."""
        self.epoch = epoch
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = self.dataset[index]
        pairs = sample["qa_pairs"]
        order = rng_of(self.seed, self.epoch, index, "turns").permutation(len(pairs))[: self.limit]
        sample = {**sample, "qa_pairs": [pairs[i] for i in order]}
        if self.dropout and group_of(sample) == ModalityGroup.PAIRED:
            chance, coin = rng_of(self.seed, self.epoch, index, "modality").random(2)
            if chance < self.dropout:
                lost: Sample = {"video": None} if coin < 0.5 else {"joints": None, "confidence": None, "spans": ()}
                sample = {**sample, **lost}
        if self.drop_parts is not None:
            sample = {**sample, "dropped": self.drop_parts(self.seed, self.epoch, index)}
        return sample

    def lengths(self) -> NDArray[np.int64]:
        """Estimate the number of tokens of each sample, for grouping by length."""
        frames = getattr(self.dataset, "lengths", None)
        if frames is not None:
            return np.asarray(frames() if callable(frames) else frames) // 4
        return self._survey[:, 0]

    def modality_groups(self) -> NDArray[np.int64]:
        """Return the `ModalityGroup` of each sample."""
        groups = getattr(self.dataset, "modality_groups", None)
        if groups is not None:
            return np.asarray(groups() if callable(groups) else groups)
        return self._survey[:, 1]

    @cached_property
    def _survey(self) -> NDArray[np.int64]:
        """Compute tokens and group of every sample in one pass, for datasets without `lengths`."""
        if hasattr(self.dataset, "set_epoch"):
            # Samples that change every epoch are not grouped: the pass would hold for the first epoch only.
            return np.zeros((len(self.dataset), 2), np.int64)
        found = []
        for index in range(len(self.dataset)):
            sample = self.dataset[index]
            frames = 0 if sample.get("joints") is None else len(sample["joints"])
            found.append(
                (frames // 4 + TOKENS_PER_QA_PAIR * min(len(sample["qa_pairs"]), self.limit), group_of(sample))
            )
        return np.asarray(found, np.int64)


class Motion3DDataset(Dataset[Any]):
    """Derive one item per 3D clip of another dataset; batches are not grouped by length."""

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset, self.seed, self.epoch = dataset, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the draws."""
        self.epoch = epoch
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def lengths(self) -> NDArray[np.int64]:
        """Return equal lengths, which turns grouping off."""
        return np.zeros(len(self), np.int64)

    def modality_groups(self) -> NDArray[np.int64]:
        """Return `ModalityGroup.MOTION` for each clip."""
        return np.zeros(len(self), np.int64)


class ModalityFilter(Dataset[Sample]):
    """Remove motions that a model has no tower for, and samples that have no other clip.

    Args:
        dataset: samples (`vimonet.training.data`).
        motion, keypoints: whether the model reads 3D motion, 2D keypoints.

    Raises:
        InputError: no sample is left.
    """

    def __init__(self, dataset: Any, *, motion: bool, keypoints: bool) -> None:
        self.dataset, self._reads = dataset, {2: keypoints, 3: motion}
        view = QAPairSampler(dataset, 1, 0)
        groups = view.modality_groups()
        kept = np.ones(len(groups), bool)
        kept[groups == ModalityGroup.MOTION] = motion
        kept[groups == ModalityGroup.KEYPOINT] = keypoints
        self._rows = np.flatnonzero(kept)
        if not len(self._rows):
            kinds = "3D motion" if keypoints else "2D keypoints" if motion else "motion"
            raise InputError(f"the data holds only {kinds}, and the model has no tower for it; choose other data.")
        self._groups, self._lengths = groups[self._rows], 4 * view.lengths()[self._rows]  # in frames again
        self.videos = getattr(dataset, "videos", ())
        self.actions = getattr(dataset, "actions", ())

    def __len__(self) -> int:
        return len(self._rows)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the dataset."""
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def lengths(self) -> NDArray[np.int64]:
        """Estimate the frames of each sample."""
        return self._lengths

    def modality_groups(self) -> NDArray[np.int64]:
        """Return the `ModalityGroup` of each sample before motions are removed."""
        return self._groups

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = self.dataset[int(self._rows[index])]
        if sample.get("joints") is not None and not self._reads[2 if sample.get("dimensions") == 2 else 3]:
            lost: Sample = {"joints": None, "confidence": None, "spans": ()}
            return {**sample, **lost}
        return sample


class TextDataset(Dataset[Sample]):
    """Group texts into samples, so that short texts share a row of the batch.

    Args:
        texts: plain sentences, or mappings with ``question`` and ``answer``.
        per_sample: texts per sample.
        seed: seed of the grouping, which changes every epoch.
    """

    def __init__(self, texts: Sequence[Any], per_sample: int, seed: int) -> None:
        self.texts = [text if isinstance(text, str) else (text["question"], text["answer"]) for text in texts]
        self.per_sample, self.seed = per_sample, seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle the texts for `epoch`."""
        self.order = rng_of(self.seed, epoch, "texts").permutation(len(self.texts))

    def __len__(self) -> int:
        return -(-len(self.texts) // self.per_sample)

    def lengths(self) -> NDArray[np.int64]:
        """Return equal lengths, which turns grouping off."""
        return np.zeros(len(self), np.int64)

    def modality_groups(self) -> NDArray[np.int64]:
        """Return `ModalityGroup.TEXT` for each sample."""
        return np.full(len(self), int(ModalityGroup.TEXT))

    def __getitem__(self, index: int) -> Sample:
        chosen = self.order[index * self.per_sample : (index + 1) * self.per_sample]
        texts = [self.texts[i] for i in chosen]
        return {"joints": None, "qa_pairs": [(None, t) if isinstance(t, str) else t for t in texts], "source": "text"}


class LengthGroupedSampler(Sampler[int]):
    """Draw indices in batches of similar length, from (seed, epoch) alone: the same in every process.

    The sampler of transformers orders batches from long to short within a mega-batch. Here their order is shuffled, so
    that cost and loss have no sawtooth, and every batch holds its share of each modality group.

    Args:
        lengths: length of each sample, [N].
        groups: modality group of each sample, [N].
        batch_size: samples of one optimiser step, over all processes and accumulation.
        seed: seed of the draw.
        group: False for a plain shuffle.
    """

    def __init__(
        self, lengths: NDArray[np.int64], groups: NDArray[np.int64], batch_size: int, seed: int, *, group: bool = True
    ) -> None:
        self.lengths, self.groups, self.batch_size, self.seed, self.group = lengths, groups, batch_size, seed, group
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the order."""
        self.epoch = epoch

    def __len__(self) -> int:
        count = len(self.lengths)
        # Whole batches only: processes would pad the last one with repetitions. The remainder changes every epoch.
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
            pool = pool[np.argsort(self._rank_in_group(pool), kind="stable")]
            batches += [pool[i : i + self.batch_size] for i in range(0, len(pool), self.batch_size)]
        batches = [batches[i] for i in rng.permutation(len(batches))]
        # Shuffle inside a batch, so that the processes that share it get similar parts.
        return iter([int(i) for batch in batches for i in rng.permutation(batch)])

    def _rank_in_group(self, pool: NDArray[np.int64]) -> NDArray[np.float64]:
        """Rank each sample by length within its group, from 0 to 1."""
        rank = np.zeros(len(pool))
        for group in np.unique(self.groups[pool]):
            members = np.flatnonzero(self.groups[pool] == group)
            members = members[np.argsort(self.lengths[pool[members]], kind="stable")]
            rank[members] = (np.arange(len(members)) + 0.5) / len(members)
        return rank


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    import random

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def call_with_data(function: Any, settings: Mapping[str, Any]) -> Any:
    """Call a dataset function with the settings of a ``data`` branch.

    Raises:
        InputError: a setting that is no parameter of the function.
    """
    known = list(inspect.signature(function).parameters)
    for key in settings:
        known_key(key, known, "data")
    return function(**settings)
