"""Compute R-precision and MM-Dist between captions and movements (Guo et al., CVPR 2022, arXiv 2204.14109).

The pool of a movement holds its own description and 31 random mismatched ones, ranked by Euclidean distance to the
movement in the encoder's space. R-precision@k is the share of movements whose description is among the first k; MM-Dist
is the mean distance between a movement and its description. The definition leaves choices open; this module decides:

- a description is mismatched if it belongs to another clip and its words mean something else (the rule of the
  encoder's training), so "a person walks" is no wrong answer for "someone is walking";
- several pools are drawn and averaged, because a single draw shifts the score by points;
- at equal distance the mismatched description ranks first, so a caption that fits every clip gains nothing;
- a generated caption replaces the reference in the pool of references, so all systems meet the same pools, and equal
  captions for every clip gain nothing by emptying their pools;
- intervals are over recordings, and every score has a random-pair control (about k / 32): the same captions dealt to
  other recordings.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError
from vimonet.utils.statistics import Interval, bootstrap_interval

if TYPE_CHECKING:
    from vimonet.motion import Motion
    from vimonet.retrieval.text_motion_encoder import TextMotionEncoder

POOL = 32
TOP = (1, 2, 3)


@dataclass(frozen=True)
class Figure:
    """Hold a mean over items with its interval over recordings."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Retrieval:
    """Hold the result of `retrieval`.

    Attributes:
        r_precision: share of movements whose description is among the first k, for k of `TOP`.
        mm_dist: mean Euclidean distance of unit vectors, 0..2, which compares only within one encoder.
        random_r_precision, random_mm_dist: the same for descriptions dealt to other recordings.
        n, recordings: numbers of descriptions and of their recordings.
        pool, draws, seed, encoder: settings of the measurement.
        ranks: [n, draws] rank of each description in its pools, from 1.
    """

    r_precision: dict[int, Figure]
    mm_dist: Figure
    random_r_precision: dict[int, Figure]
    random_mm_dist: Figure
    n: int
    recordings: int
    pool: int
    draws: int
    seed: int
    encoder: str
    ranks: NDArray[np.int64]

    def to_dict(self) -> dict[str, Any]:
        """Convert to a JSON-ready mapping, without the ranks."""
        return {
            **{f"r_precision@{k}": _plain(figure) for k, figure in self.r_precision.items()},
            "mm_dist": _plain(self.mm_dist),
            **{f"random_r_precision@{k}": _plain(figure) for k, figure in self.random_r_precision.items()},
            "random_mm_dist": _plain(self.random_mm_dist),
            "n": self.n,
            "recordings": self.recordings,
            "pool": self.pool,
            "draws": self.draws,
            "seed": self.seed,
            "evaluator": self.encoder,
        }


def retrieval(
    encoder: TextMotionEncoder,
    motions: Sequence[Motion],
    references: Sequence[str],
    recordings: Sequence[Hashable],
    *,
    candidates: Sequence[str] | None = None,
    clips: Sequence[Hashable] | None = None,
    pool: int = POOL,
    draws: int = 20,
    seed: int = 0,
) -> Retrieval:
    """Measure how well descriptions find their movements.

    Args:
        encoder: text-motion encoder that was trained on other recordings.
        motions: [N] movement of each description, repeated for a clip with several.
        references: [N] descriptions by people (or labels).
        recordings: [N] recording of each, the unit of the intervals.
        candidates: [N] generated captions to score in place of the references; None scores the references.
        clips: [N] clip of each; None takes descriptions of one `Motion` object as one clip.
        pool: descriptions per pool.
        draws: pools per description.
        seed: seed of the pools and of the random pairs.

    Returns:
        The scores with their random-pair controls.

    Raises:
        InputError: there are too few mismatched descriptions for a pool.
        ValueError: lengths differ.
    """
    if not len(motions) == len(references) == len(recordings) == len(candidates or references):
        raise ValueError("motions, references, recordings and candidates must be of one length")
    distinct = {id(motion): motion for motion in motions}
    place = {key: row for row, key in enumerate(distinct)}
    found = encoder.motions(list(distinct.values()))
    return retrieval_of_vectors(
        found[[place[id(motion)] for motion in motions]],
        encoder.texts(references),
        references,
        recordings,
        candidates=None if candidates is None else encoder.texts(candidates),
        clips=[id(motion) for motion in motions] if clips is None else clips,
        pool=pool,
        draws=draws,
        seed=seed,
        encoder=encoder.fingerprint,
    )


def retrieval_of_vectors(
    motions: NDArray[np.float32],
    references: NDArray[np.float32],
    texts: Sequence[str],
    recordings: Sequence[Hashable],
    *,
    candidates: NDArray[np.float32] | None = None,
    clips: Sequence[Hashable] | None = None,
    pool: int = POOL,
    draws: int = 20,
    seed: int = 0,
    encoder: str = "",
) -> Retrieval:
    """Measure as `retrieval`, from unit vectors.

    Args:
        motions, references: [N, E] vectors of movements and references.
        texts: [N] words of the references.
        recordings, clips, pool, draws, seed: as in `retrieval`.
        candidates: [N, E] vectors of generated captions, or None.
        encoder: fingerprint of the text-motion encoder.
    """
    mismatched = _mismatched(texts, recordings if clips is None else clips, pool)
    chosen = references if candidates is None else candidates
    dealt = _deal(mismatched, recordings, seed)
    ranks = _ranks(motions, chosen, references, mismatched, pool, draws, seed)
    # The pool belongs to the description, and the movement to another recording.
    random_ranks = _ranks(motions[dealt], chosen, references, mismatched, pool, draws, seed)

    def top(ranks: NDArray[np.int64]) -> dict[int, Figure]:
        return {k: _figure((ranks <= k).mean(1), recordings, seed) for k in TOP}

    return Retrieval(
        top(ranks),
        _figure(np.linalg.norm(motions - chosen, axis=1), recordings, seed),
        top(random_ranks),
        _figure(np.linalg.norm(motions[dealt] - chosen, axis=1), recordings, seed),
        len(texts),
        len(set(recordings)),
        pool,
        draws,
        seed,
        encoder,
        ranks,
    )


def _mismatched(texts: Sequence[str], clips: Sequence[Hashable], pool: int) -> NDArray[np.bool_]:
    """Tell, bool [N, N], where description j is a wrong answer for the clip of description i."""
    groups: dict[Hashable, list[int]] = {}
    for i, clip in enumerate(clips):
        groups.setdefault(clip, []).append(i)
    number = {clip: k for k, clip in enumerate(groups)}
    owner = np.array([number[clip] for clip in clips], dtype=np.int64)
    fits = may_describe(texts, [[texts[i] for i in members] for members in groups.values()])  # text by clip
    wrong = ~fits.T[owner] & (owner[:, None] != owner[None])
    fewest = int(wrong.sum(1).min()) if len(texts) else 0
    if fewest < pool - 1:
        raise InputError(
            f"retrieval: a pool of {pool} needs {pool - 1} descriptions that mean something else, and there are "
            f"{fewest}; give more clips, or a smaller pool."
        )
    return wrong


def _ranks(
    motions: NDArray[np.float32],
    chosen: NDArray[np.float32],
    references: NDArray[np.float32],
    mismatched: NDArray[np.bool_],
    pool: int,
    draws: int,
    seed: int,
) -> NDArray[np.int64]:
    """Rank [N, draws] each description among the mismatched ones of its pools."""
    rng = np.random.default_rng([seed, 0])
    ranks = np.empty((len(motions), draws), np.int64)
    for i, motion in enumerate(motions):
        wrong = np.flatnonzero(mismatched[i])
        distances = np.linalg.norm(references[wrong] - motion, axis=1)
        own = np.linalg.norm(chosen[i] - motion)
        for draw in range(draws):
            # The tolerance makes equal sentences tie, whatever batch encoded them.
            others = distances[rng.choice(len(wrong), pool - 1, replace=False)]
            ranks[i, draw] = 1 + int((others <= own + 1e-5).sum())
    return ranks


def _deal(mismatched: NDArray[np.bool_], recordings: Sequence[Hashable], seed: int) -> NDArray[np.int64]:
    """Deal each description a random movement of another recording that it does not describe, else its own."""
    rng = np.random.default_rng([seed, 1])
    number = {recording: k for k, recording in enumerate(dict.fromkeys(recordings))}
    owner = np.array([number[recording] for recording in recordings], dtype=np.int64)
    dealt = np.arange(len(owner))
    for i in range(len(owner)):
        others = np.flatnonzero((owner != owner[i]) & mismatched[:, i])
        if len(others):
            dealt[i] = rng.choice(others)
    return dealt


def _figure(values: NDArray[np.floating[Any]], recordings: Sequence[Hashable], seed: int) -> Figure:
    return Figure(float(values.mean()), bootstrap_interval(values, recordings, seed))


def _plain(figure: Figure) -> dict[str, Any]:
    low, high = (None if math.isnan(bound) else round(bound, 4) for bound in figure.interval)
    return {"value": round(figure.value, 4), "low": low, "high": high}


SAME_WORDS = 0.8
"""Smallest Jaccard index of the features of two captions that mean the same.

TMR (arXiv 2305.00976) leaves a pair out of the negatives when a sentence model gives its captions a cosine above 0.8.
This index compares stemmed content words and pairs of neighbouring ones instead, so that the order of two actions and
the side of the body count.
"""

_IGNORED = frozenset(
    [
        *("a", "an", "the", "person", "someone", "somebody", "man", "woman", "figure", "human", "people"),
        *("individual", "their", "his", "her", "its", "is", "are", "be", "being", "this", "that", "they", "he"),
        *("she", "it", "of", "in", "on", "at", "to", "with", "and", "there"),
    ]
)
_ENDINGS = re.compile(r"(ing|es|s|ed|e)$")


@lru_cache(maxsize=65536)
def _features(caption: str) -> frozenset[str]:
    """Split a caption into stemmed content words and pairs of neighbouring ones."""
    words = [_stem(word) for word in re.findall(r"[a-z0-9]+", caption.lower()) if word not in _IGNORED]
    return frozenset(words) | frozenset(f"{a} {b}" for a, b in itertools.pairwise(words))


def _stem(word: str) -> str:
    cut = _ENDINGS.sub("", word)
    if len(cut) < 3:
        return word
    return cut[:-1] if cut[-1] == cut[-2] else cut


def caption_overlap(captions: Sequence[str], others: Sequence[str]) -> NDArray[np.float32]:
    """Compute the Jaccard index of the words of N captions with those of M others: [N, M] in 0..1."""
    ours, theirs = [_features(c) for c in captions], [_features(c) for c in others]
    number = {feature: i for i, feature in enumerate({f for group in ours for f in group})}
    a, b = _indicators(ours, number), _indicators(theirs, number)
    shared = a @ b.T
    sizes = np.array([len(f) for f in ours])[:, None] + np.array([len(f) for f in theirs])[None]
    return shared / np.maximum(sizes - shared, 1)


def _indicators(groups: Iterable[frozenset[str]], number: dict[str, int]) -> NDArray[np.float32]:
    groups = list(groups)
    found = np.zeros((len(groups), max(1, len(number))), np.float32)
    for row, group in enumerate(groups):
        found[row, [number[feature] for feature in group if feature in number]] = 1
    return found


def may_describe(texts: Sequence[str], captions: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
    """Tell which texts mean the same as a caption of a motion.

    Args:
        texts: N texts.
        captions: all captions of each of M motions.

    Returns:
        bool [N, M].
    """
    owners = np.repeat(np.arange(len(captions)), [len(group) for group in captions])
    alike = caption_overlap(texts, [caption for group in captions for caption in group]) >= SAME_WORDS
    found = np.zeros((len(texts), len(captions)), bool)
    for column, owner in enumerate(owners):
        found[:, owner] |= alike[:, column]
    return found
