"""Draw question-answer pairs and batches of similar length, from (seed, epoch) alone."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Iterator, Mapping, Sequence
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
    """Make a random generator that depends on nothing but the key (integers or words)."""
    return np.random.default_rng([zlib.crc32(part.encode()) if isinstance(part, str) else int(part) for part in key])


class QAPairSampler(Dataset[Sample]):
    """Draw at most `limit` question-answer pairs per clip of a dataset, anew each epoch, in random order.

    With `dropout`, a paired sample loses its motion or its video (one as often as the other) with that probability, by
    a draw from seed, epoch and index: a model that always had both would lean on one, and be lost without it.
    """

    def __init__(self, dataset: Any, limit: int, seed: int, dropout: float = 0.0) -> None:
        self.dataset, self.limit, self.seed, self.dropout, self.epoch = dataset, limit, seed, dropout, 0

    def __len__(self) -> int:
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Make the draws (and the dataset's own augmentation) those of `epoch`."""
        self.epoch = epoch
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = self.dataset[index]
        pairs = sample["qa_pairs"]
        order = rng_of(self.seed, self.epoch, index, "turns").permutation(len(pairs))[: self.limit]
        sample = {**sample, "qa_pairs": [pairs[i] for i in order]}  # type: ignore[typeddict-item]
        if self.dropout and group_of(sample) == ModalityGroup.PAIRED:
            chance, coin = rng_of(self.seed, self.epoch, index, "modality").random(2)
            if chance < self.dropout:
                lost: Sample = {"video": None} if coin < 0.5 else {"joints": None, "confidence": None, "spans": ()}
                sample = {**sample, **lost}
        return sample

    def lengths(self) -> NDArray[np.int64]:
        """Estimate the number of tokens of each sample, for batches that need little padding."""
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
        """Survey tokens and group of every sample in one pass, for datasets that do not tell."""
        if hasattr(self.dataset, "set_epoch"):
            # Samples that change every epoch: a pass would be slow, and wrong from the second epoch on. No grouping
            # then.
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
    """Base of datasets that give something of the 3D clips of another, one by one; batches are not grouped.

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
        """Return equal lengths: nothing is grouped."""
        return np.zeros(len(self), np.int64)

    def modality_groups(self) -> NDArray[np.int64]:
        """Return 3D motion for each."""
        return np.zeros(len(self), np.int64)


class ModalityFilter(Dataset[Sample]):
    """Filter the samples of a dataset by the towers of a model.

    Motions of which it has no tower are taken off; samples that then have no clip are left out.

    Args:
        dataset: see the module.
        motion, keypoints: whether the model reads 3D motion, 2D keypoints.

    Raises:
        InputError: nothing is left.
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
            raise InputError(f"the data holds nothing but {kinds}, and the model has no tower for it.")
        self._groups, self._lengths = groups[self._rows], 4 * view.lengths()[self._rows]  # in frames again
        self.videos = getattr(dataset, "videos", ())
        self.actions = getattr(dataset, "actions", ())

    def __len__(self) -> int:
        return len(self._rows)

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on."""
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def lengths(self) -> NDArray[np.int64]:
        """Estimate the frames of each."""
        return self._lengths

    def modality_groups(self) -> NDArray[np.int64]:
        """Return the `ModalityGroup` of each, before motions are taken off."""
        return self._groups

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = self.dataset[int(self._rows[index])]
        if sample.get("joints") is not None and not self._reads[2 if sample.get("dimensions") == 2 else 3]:
            lost: Sample = {"joints": None, "confidence": None, "spans": ()}
            return {**sample, **lost}
        return sample


class TextDataset(Dataset[Sample]):
    """Give text alone, several texts to a sample, so that short texts share a row of the batch.

    Args:
        texts: plain sentences, or mappings with ``question`` and ``answer``.
        per_sample: texts packed into one sample.
        seed: of the drawing of companions, which changes every epoch.
    """

    def __init__(self, texts: Sequence[Any], per_sample: int, seed: int) -> None:
        self.texts = [text if isinstance(text, str) else (text["question"], text["answer"]) for text in texts]
        self.per_sample, self.seed = per_sample, seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle which texts share a sample."""
        self.order = rng_of(self.seed, epoch, "texts").permutation(len(self.texts))

    def __len__(self) -> int:
        return -(-len(self.texts) // self.per_sample)

    def lengths(self) -> NDArray[np.int64]:
        """Return equal lengths: nothing is grouped."""
        return np.zeros(len(self), np.int64)

    def modality_groups(self) -> NDArray[np.int64]:
        """Return text for each."""
        return np.full(len(self), int(ModalityGroup.TEXT))

    def __getitem__(self, index: int) -> Sample:
        chosen = self.order[index * self.per_sample : (index + 1) * self.per_sample]
        texts = [self.texts[i] for i in chosen]
        return {"joints": None, "qa_pairs": [(None, t) if isinstance(t, str) else t for t in texts], "source": "text"}


class LengthGroupedSampler(Sampler[int]):
    """Draw indices in batches of similar length, the batches in random order; the same in every process of a run.

    Unlike the sampler of transformers, whose batches run from long to short within a mega-batch, the order of the
    batches is shuffled, so that the step's cost and the loss have no sawtooth; every batch holds its share of each
    modality group, so that groups can be weighed against each other within it; and the draw depends on (seed, epoch)
    only.

    Args:
        lengths: length of each sample.
        groups: modality group of each sample.
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
            pool = pool[np.argsort(self._rank_in_group(pool), kind="stable")]
            batches += [pool[i : i + self.batch_size] for i in range(0, len(pool), self.batch_size)]
        batches = [batches[i] for i in rng.permutation(len(batches))]
        # Inside a batch the order is shuffled, so that processes that share it get alike parts.
        return iter([int(i) for batch in batches for i in rng.permutation(batch)])

    def _rank_in_group(self, pool: NDArray[np.int64]) -> NDArray[np.float64]:
        """Rank each sample among those of its group by length, from 0 to 1."""
        rank = np.zeros(len(pool))
        for group in np.unique(self.groups[pool]):
            members = np.flatnonzero(self.groups[pool] == group)
            members = members[np.argsort(self.lengths[pool[members]], kind="stable")]
            rank[members] = (np.arange(len(members)) + 0.5) / len(members)
        return rank


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch: the weights drawn from here on are repeatable."""
    import random

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def call_with_data(function: Any, settings: Mapping[str, Any]) -> Any:
    """Call a dataset function with the settings of a ``data`` branch.

    Raises:
        InputError: a setting the function does not know.
    """
    known = list(inspect.signature(function).parameters)
    for key in settings:
        known_key(key, known, "data")
    return function(**settings)
