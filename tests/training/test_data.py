from __future__ import annotations

from itertools import chain

import numpy as np
from training_world import Clips

from vimonet.training.data import group_of
from vimonet.training.data.sampling import LengthGroupedSampler, QAPairSampler, TextDataset


def test_cells() -> None:
    clips = Clips(12, text=True)
    assert [group_of(clips[i]) for i in range(4)] == [0, 1, 0, 2]
    assert QAPairSampler(clips, 3, 0).modality_groups().tolist() == [group_of(clips[i]) for i in range(12)]


def test_turns_depend_on_seed_epoch_and_index_only() -> None:
    view = QAPairSampler(Clips(4), 2, seed=1)
    first = [view[i]["qa_pairs"] for i in (0, 1)]
    view.set_epoch(1)
    second = [view[i]["qa_pairs"] for i in (1, 0)]
    view.set_epoch(0)
    assert [view[i]["qa_pairs"] for i in (0, 1)] == first
    assert first != second[::-1]
    assert all(len(turns) == 2 for turns in first)


def test_every_text_once_an_epoch_with_other_companions() -> None:
    texts = TextDataset([f"text {i}" for i in range(10)], per_sample=4, seed=0)
    assert len(texts) == 3

    def epoch() -> list[list[str]]:
        return [[answer for _, answer in texts[i]["qa_pairs"]] for i in range(len(texts))]

    first = epoch()
    texts.set_epoch(1)
    assert sorted(chain(*first)) == sorted(chain(*epoch())) == sorted(f"text {i}" for i in range(10))
    assert first != epoch()


def test_batches_are_alike_in_length_and_share_the_cells() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(10, 200, 1000)
    cells = (rng.random(1000) < 0.25).astype(int)
    sampler = LengthGroupedSampler(lengths, cells, 32, seed=0)
    order = np.asarray(list(sampler))
    assert len(order) == len(sampler) == 992
    assert len(set(order)) == 992
    batches = order.reshape(-1, 32)
    spread = np.mean([np.ptp(lengths[batch]) for batch in batches])
    assert spread < 0.25 * np.ptp(lengths)
    keypoints = [cells[batch].sum() for batch in batches]
    assert min(keypoints) >= 6
    assert max(keypoints) <= 10
    # Not from short to long: the order of batches is shuffled.
    means = np.asarray([lengths[batch].mean() for batch in batches])
    assert np.abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5
    assert list(sampler) == order.tolist()
    sampler.set_epoch(1)
    assert list(sampler) != order.tolist()


def test_fewer_samples_than_a_batch_are_kept() -> None:
    sampler = LengthGroupedSampler(np.ones(5, int), np.zeros(5, int), 8, seed=0)
    assert sorted(sampler) == [0, 1, 2, 3, 4]
