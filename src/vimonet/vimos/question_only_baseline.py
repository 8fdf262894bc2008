"""Fit a question-only baseline: it reads the question, and no movement, options or form.

Words and word pairs are hashed into features. One softmax regression predicts the question form, and one per form
predicts the answer. For forms whose questions name the answers ("A, B or C?"), the answer is the named phrase that was
right most often, given phrase and position.
"""

from __future__ import annotations

import random
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

Triple = tuple[str, str, str]
"""Question, answer, form."""

BUCKETS = 1 << 14
_WORD = re.compile(r"[\w'-]+")
_PER_FORM, _FOR_FORMS, _CLASSES = 4000, 24000, 60
_NAMED = 0.6


class QuestionOnly:
    """Fit on (question, answer, form) triples and answer from questions alone.

    Args:
        seed: seed of the training subsample (at most 4,000 questions and 60 answers per form).
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._forms: _Softmax | None = None
        self._answers: dict[str, _Softmax | _Named] = {}
        self.majority: dict[str, str] = {}
        """Form -> its commonest training answer."""

    def fit(self, triples: Iterable[Triple]) -> QuestionOnly:
        """Fit the model and return it.

        Raises:
            ValueError: there are no triples.
        """
        groups: dict[str, list[tuple[str, str]]] = {}
        for question, answer, form in triples:
            groups.setdefault(form, []).append((question, answer))
        if not groups:
            raise ValueError("a question-only model needs at least one question")
        rng = random.Random(self.seed)
        questions: list[str] = []
        labels: list[str] = []
        share = max(50, _FOR_FORMS // len(groups))
        for form in sorted(groups):
            pairs = groups[form]
            self.majority[form] = _commonest(answer for _, answer in pairs)
            if len(pairs) > _PER_FORM:
                pairs = rng.sample(pairs, _PER_FORM)
            self._answers[form] = _Named.of(pairs) or _Softmax(pairs)
            for question, _ in pairs[:share] if len(pairs) <= share else rng.sample(pairs, share):
                questions.append(question)
                labels.append(form)
        self._forms = _Softmax(list(zip(questions, labels, strict=True)), classes=len(groups))
        return self

    def forms(self, questions: Sequence[str]) -> list[str]:
        """Predict the form of each question from its words."""
        if self._forms is None:
            raise ValueError("fit the model before it is asked")
        return self._forms.answers(questions)

    def answers(self, questions: Sequence[str]) -> list[str]:
        """Answer each question."""
        forms = self.forms(questions)
        found = [""] * len(questions)
        for form in set(forms):
            places = [i for i, own in enumerate(forms) if own == form]
            for i, answer in zip(places, self._answers[form].answers([questions[i] for i in places]), strict=True):
                found[i] = answer
        return found

    def answer(self, question: str) -> str:
        """Answer one question."""
        return self.answers([question])[0]


def _commonest(values: Iterable[str]) -> str:
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _features(questions: Sequence[str]) -> Any:
    """Count hashed words and word pairs (0 or 1), a row per question, scaled to length one, and a constant."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for row, question in enumerate(questions):
        words = ["<", *_WORD.findall(question.lower()), ">"]
        grams = [*words[1:-1], *(f"{a} {b}" for a, b in pairwise(words))]
        found = sorted({zlib.crc32(gram.encode()) % BUCKETS for gram in grams})
        rows += [row] * (len(found) + 1)
        columns += [*found, BUCKETS]
        values += [1.0 / max(1, len(found)) ** 0.5] * len(found) + [1.0]
    return csr_matrix((values, (rows, columns)), (len(questions), BUCKETS + 1))


class _Softmax:
    """Softmax regression over the commonest answers, fitted by L-BFGS with a ridge penalty."""

    def __init__(self, pairs: Sequence[tuple[str, str]], classes: int = _CLASSES) -> None:
        counts = Counter(answer for _, answer in pairs)
        self.classes = sorted(counts, key=lambda answer: (-counts[answer], answer))[:classes]
        number = {answer: i for i, answer in enumerate(self.classes)}
        known = [(question, number[answer]) for question, answer in pairs if answer in number]
        x = _features([question for question, _ in known])
        self.columns = np.unique(x.indices)
        x = x[:, self.columns]
        y = np.array([label for _, label in known])
        self.weights = _fit(x, y, len(self.classes))

    def answers(self, questions: Sequence[str]) -> list[str]:
        scores = np.asarray(_features(questions)[:, self.columns] @ self.weights)
        return [self.classes[i] for i in scores.argmax(axis=1)]


def _fit(x: Any, y: NDArray[np.int64], classes: int, ridge: float = 1e-4) -> NDArray[np.float64]:
    """Fit weights [columns, classes] of least penalised mean cross-entropy."""
    n, columns = x.shape
    if classes == 1:
        return np.zeros((columns, 1))
    transposed = x.T.tocsr()
    rows = np.arange(n)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(columns, classes)
        scores = x @ weights
        scores -= scores.max(axis=1, keepdims=True)
        chances = np.exp(scores)
        total = chances.sum(axis=1, keepdims=True)
        value = float((np.log(total[:, 0]) - scores[rows, y]).mean() + 0.5 * ridge * (flat @ flat))
        chances /= total
        chances[rows, y] -= 1.0
        return value, (transposed @ (chances / n)).ravel() + ridge * flat

    start = np.zeros(columns * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60, "maxcor": 5})
    return np.asarray(found.x).reshape(columns, classes)


@dataclass
class _Named:
    """Choose the phrase named in the question that was right most often, by phrase and by position."""

    known: re.Pattern[str]
    phrase: dict[str, float]
    place: dict[int, float]
    majority: str

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> _Named | None:
        """Fit on a form's pairs; return None for a form whose questions rarely name their answer."""
        answers = {answer.lower() for _, answer in pairs}
        naming = sum(answer.lower() in question.lower() for question, answer in pairs)
        if naming < _NAMED * len(pairs) or len(answers) < 2 or len(answers) > 2000:
            return None
        longest = sorted(answers, key=lambda answer: (-len(answer), answer))
        known = re.compile("|".join(rf"(?<!\w){re.escape(answer)}(?!\w)" for answer in longest))
        named: Counter[str] = Counter()
        right: Counter[str] = Counter()
        places: Counter[int] = Counter()
        firsts: Counter[int] = Counter()
        for question, answer in pairs:
            for place, phrase in enumerate(known.findall(question.lower())):
                named[phrase] += 1
                places[place] += 1
                if phrase == answer.lower():
                    right[phrase] += 1
                    firsts[place] += 1
        phrase_odds = {p: float(np.log((right[p] + 1) / (n - right[p] + 2))) for p, n in named.items()}
        place_odds = {p: float(np.log((firsts[p] + 1) / (n - firsts[p] + 2))) for p, n in places.items()}
        return cls(known, phrase_odds, place_odds, _commonest(answer for _, answer in pairs))

    def answers(self, questions: Sequence[str]) -> list[str]:
        return [self._answer(question) for question in questions]

    def _answer(self, question: str) -> str:
        named = self.known.findall(question.lower())
        if not named:
            return self.majority
        scores = [self.phrase.get(p, -1.0) + self.place.get(i, -1.0) for i, p in enumerate(named)]
        return str(named[int(np.argmax(scores))])
