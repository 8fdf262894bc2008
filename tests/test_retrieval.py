from __future__ import annotations

import numpy as np
import pytest
from tiny import tiny_motion
from tiny_evaluator import tiny_evaluator

from vimonet.retrieval.r_precision import retrieval, retrieval_of_vectors
from vimonet.utils.errors import InputError

N = 60
WORDS = ("walks", "jumps", "kicks", "bows", "waves", "sits", "turns", "crawls", "climbs", "throws")


def texts(count: int = N) -> list[str]:
    """Sentences no two of which say the same."""
    return [f"a person {WORDS[i % 10]} then {WORDS[i // 10]} {i}" for i in range(count)]


def unit(rng: np.random.Generator, count: int = N, dim: int = 16) -> np.ndarray:
    values = rng.standard_normal((count, dim)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_perfect_vectors_are_found_and_random_pairs_are_not() -> None:
    vectors = unit(np.random.default_rng(0))
    found = retrieval_of_vectors(vectors, vectors, texts(), range(N))
    assert {k: figure.value for k, figure in found.r_precision.items()} == {1: 1.0, 2: 1.0, 3: 1.0}
    assert found.mm_dist.value == pytest.approx(0, abs=1e-6)
    for k, figure in found.random_r_precision.items():
        assert figure.value == pytest.approx(k / 32, abs=0.06)
    assert found.random_mm_dist.value > 1
    assert (found.n, found.recordings, found.ranks.shape) == (N, N, (N, 20))


def test_unrelated_vectors_give_chance() -> None:
    rng = np.random.default_rng(1)
    count = 200
    told = [f"{text} {i}" for i, text in enumerate(texts(100) * 2)]
    found = retrieval_of_vectors(unit(rng, count), unit(rng, count), told, range(count))
    for k, figure in found.r_precision.items():
        assert figure.interval.low < k / 32 < figure.interval.high
        assert figure.value == pytest.approx(k / 32, abs=0.04)


def test_rank_and_distance_are_those_of_a_plain_count() -> None:
    rng = np.random.default_rng(2)
    motions, words = unit(rng, 32), unit(rng, 32)
    found = retrieval_of_vectors(motions, words, texts(32), range(32), draws=3)  # each pool must be all the others
    distances = np.sqrt(((motions[:, None] - words[None]) ** 2).sum(-1))
    expected = 1 + (distances < distances.diagonal()[:, None]).sum(1)
    assert found.ranks.tolist() == np.repeat(expected[:, None], 3, 1).tolist()
    assert found.r_precision[3].value == pytest.approx((expected <= 3).mean())
    assert found.mm_dist.value == pytest.approx(distances.diagonal().mean(), rel=1e-5)


def test_random_pairs_are_wrong_pairs() -> None:
    vectors = unit(np.random.default_rng(7))
    told = texts()
    told[:20] = ["a person walks"] * 20  # dealt at random among themselves, these would be right
    vectors[:20] = vectors[0]
    found = retrieval_of_vectors(vectors, vectors, told, range(N))
    assert found.r_precision[1].value == 1.0
    assert found.random_r_precision[1].value < 0.1


def test_it_is_seeded() -> None:
    rng = np.random.default_rng(3)
    motions, words = unit(rng), unit(rng)
    once, again, other = (
        retrieval_of_vectors(motions, words, texts(), range(N), seed=seed).ranks.tolist() for seed in (0, 0, 1)
    )
    assert once == again != other


def test_what_says_the_same_or_is_of_the_same_clip_is_no_wrong_answer() -> None:
    vectors = unit(np.random.default_rng(4))
    told = texts()
    told[1] = told[0].replace("a person", "someone")
    vectors[1] = vectors[0]  # says the same: as near as the right one, and still no error
    vectors[3] = vectors[2]
    clips = [*range(3), 2, *range(4, N)]  # two captions of one clip
    found = retrieval_of_vectors(vectors, vectors, told, range(N), clips=clips)
    assert found.r_precision[1].value == 1.0
    worse = retrieval_of_vectors(vectors, vectors, told, range(N))
    assert worse.r_precision[1].value < 1.0


def test_the_same_caption_for_every_clip_gains_nothing() -> None:
    rng = np.random.default_rng(5)
    references = unit(rng)
    same = np.repeat(unit(rng, 1), N, axis=0)
    found = retrieval_of_vectors(references, references, texts(), range(N), candidates=same)
    assert found.r_precision[1].value < 0.1
    copied = np.repeat(references[:1], N, axis=0)  # the reference of the first clip, told of all
    found = retrieval_of_vectors(references, references, texts(), range(N), candidates=copied)
    assert found.r_precision[1].value < 0.1


def test_with_an_evaluator_and_several_captions_of_a_clip() -> None:
    evaluator = tiny_evaluator()
    motions = [tiny_motion(20, seed=i) for i in range(20)]
    paired = [motions[i // 2] for i in range(40)]
    found = retrieval(evaluator, paired, texts(40), [i // 2 for i in range(40)], draws=2)
    assert found.n == 40
    assert found.recordings == 20
    scored = found.to_dict()
    assert scored["pool"] == 32
    assert scored["r_precision@1"]["low"] <= scored["r_precision@1"]["value"] <= scored["r_precision@1"]["high"]
    generated = retrieval(evaluator, paired, texts(40), [i // 2 for i in range(40)], candidates=texts(40), draws=2)
    assert generated.ranks.tolist() == found.ranks.tolist()


def test_too_few_descriptions_for_a_pool() -> None:
    vectors = unit(np.random.default_rng(6), 20)
    with pytest.raises(InputError, match=r"needs 31 descriptions .* there are 19"):
        retrieval_of_vectors(vectors, vectors, texts(20), range(20))
    assert retrieval_of_vectors(vectors, vectors, texts(20), range(20), pool=16).r_precision[1].value == 1.0
    with pytest.raises(ValueError, match="one length"):
        retrieval(tiny_evaluator(), [tiny_motion()], [], [])
