"""How alike two captions are by their words: which of them may describe the same movement.

TMR (arXiv 2305.00976) leaves a pair out of the negatives when a sentence model finds its captions alike (cosine above
0.8). Here words do it: content words with their endings cut off, and pairs of neighbouring ones, so that the order of
two actions and the side of the body count.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.8
"""Jaccard index of the features of two captions from which on they are taken to say the same."""

_IGNORED = frozenset(
    [
        "a",
        "an",
        "the",
        "person",
        "someone",
        "somebody",
        "man",
        "woman",
        "figure",
        "human",
        "people",
        "individual",
        "their",
        "his",
        "her",
        "its",
        "is",
        "are",
        "be",
        "being",
        "this",
        "that",
        "they",
        "he",
        "she",
        "it",
        "of",
        "in",
        "on",
        "at",
        "to",
        "with",
        "and",
        "there",
    ]
)
_ENDINGS = re.compile(r"(ing|es|s|ed|e)$")


@lru_cache(maxsize=65536)
def features(caption: str) -> frozenset[str]:
    """Content words (endings cut off) of a caption and the pairs of neighbouring ones."""
    words = [_stem(word) for word in re.findall(r"[a-z0-9]+", caption.lower()) if word not in _IGNORED]
    return frozenset(words) | frozenset(f"{a} {b}" for a, b in itertools.pairwise(words))


def _stem(word: str) -> str:
    cut = _ENDINGS.sub("", word)
    if len(cut) < 3:
        return word
    return cut[:-1] if cut[-1] == cut[-2] else cut


def overlap(captions: Sequence[str], others: Sequence[str]) -> NDArray[np.float32]:
    """Jaccard index of the features of every caption with every other: [N, M] in 0..1."""
    ours, theirs = [features(c) for c in captions], [features(c) for c in others]
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


def may_describe(texts: Sequence[str], told: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
    """Which texts say the same as one of the texts of a motion.

    Args:
        texts: [N].
        told: for each of M motions, everything said about it.

    Returns:
        bool [N, M].
    """
    owners = np.repeat(np.arange(len(told)), [len(captions) for captions in told])
    alike = overlap(texts, [caption for captions in told for caption in captions]) >= THRESHOLD
    found = np.zeros((len(texts), len(told)), bool)
    for column, owner in enumerate(owners):
        found[:, owner] |= alike[:, column]
    return found
