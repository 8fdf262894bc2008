"""Compare texts: exact match after fixed rules, and the n-gram caption metrics of pycocoevalcap.

Caption metrics follow ``pycocoevalcap`` 1.2, with two differences that every report names: the tokeniser is a regular
expression instead of the Java PTB tokeniser, and METEOR and SPICE, which need Java, are missing. References are ``raw``
(the original sentences) or ``lemmatised`` (the token column of HumanML3D, as in TM2T); their scores do not compare.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vimonet.language import ABSTENTION, is_abstention, normalise_answer

TOKENISER = "lower case, tokens by the regular expression [a-z0-9']+"
CIDER_SCALE = (
    "CIDEr-D on pycocoevalcap's scale (its factor 10 included: a caption equal to all its references scores up to 10); "
    "papers often print 100 times this"
)
CAPTION_METRICS = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider")

_TOKEN = re.compile(r"[a-z0-9']+")
_INTEGER = re.compile(r"(?<![\d.])-?\d+(?![\d.]*\d)")


# ---------------------------------------------------------------- answers


def exact_match(prediction: str, answer: str) -> bool:
    """Tell whether two answers are equal after `normalise_answer`, with all abstentions equal."""
    return canonical(prediction) == canonical(answer)


@lru_cache(maxsize=1 << 16)
def canonical(text: str) -> str:
    """Normalise an answer to the class it counts under, with one class for all abstentions."""
    return ABSTENTION if is_abstention(text) else normalise_answer(text)


def count_in(text: str) -> int | None:
    """Read the single integer in an answer ("three steps" is 3); None for none or several different ones."""
    found = {int(match) for match in _INTEGER.findall(normalise_answer(text))}
    return found.pop() if len(found) == 1 else None


def within_one(prediction: str, answer: str) -> bool:
    """Tell whether a count is right to within one; abstentions match only abstentions."""
    if is_abstention(answer):
        return is_abstention(prediction)
    predicted, true = count_in(prediction), count_in(answer)
    return predicted is not None and true is not None and abs(predicted - true) <= 1


# ---------------------------------------------------------------- captions


def tokenise(text: str) -> list[str]:
    """Split a caption into tokens: lower case, maximal runs of ``[a-z0-9']``."""
    return _TOKEN.findall(text.lower())


@dataclass(frozen=True)
class CaptionScores:
    """Hold the caption metrics of a set, with the counts for resampling.

    Attributes:
        scores: ``bleu1`` .. ``bleu4`` (corpus level), ``rouge_l`` and ``cider`` (mean over captions), named in
            :data:`CAPTION_METRICS`.
        rouge_l: [N] per caption.
        cider: [N] per caption, inverse document frequencies from the references of the whole set.
        bleu_counts: [N, 10]: matched n-grams (4), proposed n-grams (4), caption length, closest reference length.
    """

    scores: dict[str, float]
    rouge_l: NDArray[np.float64]
    cider: NDArray[np.float64]
    bleu_counts: NDArray[np.float64]

    def weighted(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score B resamples, given as draws of each caption [B, N]; return [B, 6] as :data:`CAPTION_METRICS`."""
        total = weights.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (weights @ np.stack([self.rouge_l, self.cider], axis=1)) / total[:, None]
        return np.concatenate([_bleu(weights @ self.bleu_counts), means], axis=1)


def caption_scores(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """Score captions as pycocoevalcap does.

    The metrics are BLEU-1 to 4 (Papineni et al. 2002), ROUGE-L (Lin 2004, beta 1.2) and CIDEr-D (arXiv 1411.5726) on
    pycocoevalcap's scale (:data:`CIDER_SCALE`). CIDEr depends on the whole set, and is 0 for one caption.

    Args:
        predictions: N captions.
        references: one or more reference captions for each.

    Raises:
        ValueError: lengths differ, the set is empty, or a caption has no reference.
    """
    if len(predictions) != len(references) or not predictions:
        raise ValueError(
            f"{len(predictions)} captions against {len(references)} sets of references: "
            "one set for each of at least one caption is expected"
        )
    if any(isinstance(group, str) or not group for group in references):
        raise ValueError("every caption needs a list of at least one reference")
    hypotheses = [tokenise(text) for text in predictions]
    targets = [[tokenise(text) for text in group] for group in references]
    counts = np.array([_bleu_counts(h, t) for h, t in zip(hypotheses, targets, strict=True)], dtype=np.float64)
    rouge = np.array([_rouge_l(h, t) for h, t in zip(hypotheses, targets, strict=True)])
    cider = _cider(hypotheses, targets)
    values = [*_bleu(counts.sum(axis=0)[None])[0], rouge.mean(), cider.mean()]
    return CaptionScores(dict(zip(CAPTION_METRICS, map(float, values), strict=True)), rouge, cider, counts)


def _ngrams(tokens: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[k:] for k in range(n)), strict=False))


def _bleu_counts(hypothesis: list[str], references: list[list[str]]) -> list[int]:
    matched, proposed = [], []
    for n in range(1, 5):
        own = _ngrams(hypothesis, n)
        ceiling: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            ceiling |= _ngrams(reference, n)
        matched.append((own & ceiling).total())
        proposed.append(max(0, len(hypothesis) - n + 1))
    length = len(hypothesis)
    closest = min((abs(len(reference) - length), len(reference)) for reference in references)[1]
    return [*matched, *proposed, length, closest]


def _bleu(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute BLEU-1 to 4, [B, 4], from summed counts [B, 10], with pycocoevalcap's constants against zero counts."""
    tiny, small = 1e-15, 1e-9
    precision = (counts[:, :4] + tiny) / (counts[:, 4:8] + small)
    geometric = np.exp(np.cumsum(np.log(precision), axis=1) / np.arange(1, 5))
    ratio = (counts[:, 8] + tiny) / (counts[:, 9] + small)
    brevity = np.exp(np.minimum(0.0, 1.0 - 1.0 / np.maximum(ratio, tiny)))
    return geometric * brevity[:, None]


def _rouge_l(hypothesis: list[str], references: list[list[str]], beta: float = 1.2) -> float:
    if not hypothesis:
        return 0.0
    common = [_longest_common_subsequence(hypothesis, reference) for reference in references]
    precision = max(common) / len(hypothesis)
    recall = max(c / len(reference) if reference else 0.0 for c, reference in zip(common, references, strict=True))
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def _longest_common_subsequence(a: list[str], b: list[str]) -> int:
    row = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0
        for j, other in enumerate(b, 1):
            above = row[j]
            row[j] = diagonal + 1 if word == other else max(above, row[j - 1])
            diagonal = above
    return row[-1]


def _cider(hypotheses: list[list[str]], references: list[list[list[str]]], sigma: float = 6.0) -> NDArray[np.float64]:
    documents: Counter[tuple[str, ...]] = Counter()
    for group in references:
        documents.update({gram for reference in group for n in range(1, 5) for gram in _ngrams(reference, n)})
    log_total = math.log(len(references))

    def vectors(tokens: list[str]) -> list[dict[tuple[str, ...], float]]:
        return [
            {g: c * (log_total - math.log(max(1, documents[g]))) for g, c in _ngrams(tokens, n).items()}
            for n in range(1, 5)
        ]

    def norm(vector: dict[tuple[str, ...], float]) -> float:
        return math.sqrt(sum(value * value for value in vector.values()))

    scores = np.zeros(len(hypotheses))
    for index, (hypothesis, group) in enumerate(zip(hypotheses, references, strict=True)):
        own = vectors(hypothesis)
        norms = [norm(vector) for vector in own]
        total = 0.0
        for reference in group:
            # pycocoevalcap measures length in bigrams, which matters only for an empty caption.
            penalty = math.exp(-((max(0, len(hypothesis) - 1) - max(0, len(reference) - 1)) ** 2) / (2 * sigma**2))
            for vector, length, other in zip(own, norms, vectors(reference), strict=True):
                product = length * norm(other)
                if product > 0:
                    total += (
                        penalty * sum(min(v, other[g]) * other[g] for g, v in vector.items() if g in other) / product
                    )
        scores[index] = 10.0 * total / 4 / len(group)
    return scores
