"""Answer by baselines: the majority answer of a form, the answer of the nearest clip, a question-only model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from vimonet.bench.tasks import plain_question

if TYPE_CHECKING:
    from vimonet.motion import Motion
    from vimonet.vimos.question_only_baseline import QuestionOnly
    from vimonet.vimos.types import Item

BASELINES = ("majority", "nearest", "question_only")
_SEGMENTS = 4
# Metres, metres or radians per second. Standardisation must not amplify features that vary less than sensor noise.
_LEAST_SPREAD = 0.02


class MajorityAnswer:
    """Answer by the commonest training answer of a form, else of its kind, else overall; ties break alphabetically."""

    def __init__(self, train_items: Sequence[Item]) -> None:
        counts: dict[tuple[str, str], Counter[str]] = {}
        for item in train_items:
            for key in (("form", item.form), ("kind", item.kind), ("all", "")):
                counts.setdefault(key, Counter())[item.answer] += 1
        self._answers = {key: min(counter, key=lambda text: (-counter[text], text)) for key, counter in counts.items()}

    def answer(self, item: Item) -> str:
        """Answer an item from its form and kind."""
        for key in (("form", item.form), ("kind", item.kind), ("all", "")):
            if key in self._answers:
                return self._answers[key]
        return ""


class NearestNeighbour:
    """Answer by retrieval from the training clips: the nearest clip's answer to the same question form.

    A clip becomes a vector: mean and standard deviation over time of its body features (retargeted to one skeleton),
    their means over four equal segments, the last frame (with the integrated path and heading), and the logarithm of
    its length, each standardised over the training clips. The distance is Euclidean; 2D and 3D clips are separate.

    A question with a subject ("Does the person **clap**?"), given as ``evidence["subject"]``, prefers training items of
    that subject, so that the neighbour answers the same question.
    """

    def __init__(
        self, train_items: Sequence[Item], vector: Callable[[Motion], NDArray[np.float32]] | None = None
    ) -> None:
        self._vector = vector or pooled_body_features
        self._train = list(train_items)
        self._groups: dict[tuple[str, ...], list[int]] = {}
        by_dimensions: dict[int, list[NDArray[np.float32]]] = {}
        rows: list[int] = []
        row_of: dict[int, int] = {}
        for index, item in enumerate(self._train):
            space = by_dimensions.setdefault(item.motion.dimensions, [])
            if id(item.motion) not in row_of:
                row_of[id(item.motion)] = len(space)
                space.append(np.asarray(self._vector(item.motion), dtype=np.float32))
            rows.append(row_of[id(item.motion)])
            for key in _keys(item):
                self._groups.setdefault(key, []).append(index)
        self._rows = np.array(rows, dtype=np.int64)
        self._scale: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        self._spaces: dict[int, NDArray[np.float32]] = {}
        for dimensions, vectors in by_dimensions.items():
            matrix = np.stack(vectors)
            mean, std = matrix.mean(axis=0), matrix.std(axis=0)
            # A feature that is constant in training carries no information.
            self._scale[dimensions] = (
                mean,
                np.where(std > 1e-6, 1 / np.maximum(std, _LEAST_SPREAD), 0).astype(np.float32),
            )
            self._spaces[dimensions] = (matrix - mean) * self._scale[dimensions][1]
        self._norms = {d: np.square(space).sum(axis=1) for d, space in self._spaces.items()}
        self._last: tuple[Motion, NDArray[np.float32]] | None = None

    def answer(self, item: Item) -> str | None:
        """Answer by the nearest training clip of the same form and dimensions, or None without one."""
        index = self.nearest(item)
        return None if index is None else self._train[index].answer

    def nearest(self, item: Item) -> int | None:
        """Find the index of the nearest training item, or None."""
        for key in _keys(item):
            candidates = self._groups.get(key)
            if candidates:
                distances = self._to_train(item.motion)[self._rows[candidates]]
                return candidates[int(np.argmin(distances))]
        return None

    def _to_train(self, motion: Motion) -> NDArray[np.float32]:
        """Compute squared distances to all training clips, up to a constant."""
        if self._last is None or self._last[0] is not motion:  # consecutive items mostly share a movement
            mean, scale = self._scale[motion.dimensions]
            own = (np.asarray(self._vector(motion), dtype=np.float32) - mean) * scale
            space = self._spaces[motion.dimensions]
            self._last = (motion, self._norms[motion.dimensions] - 2 * (space @ own))
        return self._last[1]


def baseline_answers(
    items: Sequence[Item], train_items: Sequence[Item], names: Sequence[str], seed: int = 0, progress: bool = True
) -> dict[str, dict[str, str]]:
    """Answer items by baselines that learn from training items.

    Args:
        items: items to answer.
        train_items: training items.
        names: baselines, out of :data:`BASELINES`.
        seed: seed of the question-only baseline.
        progress: show a progress bar.

    Returns:
        Answers by baseline and item id.
    """
    answers: dict[str, dict[str, str]] = {}
    if "majority" in names:
        majority = MajorityAnswer(train_items)
        answers["majority"] = {item.id: majority.answer(item) for item in items}
    if "nearest" in names:
        nearest, common = NearestNeighbour(train_items), MajorityAnswer(train_items)
        answers["nearest"] = {}
        for item in tqdm(items, desc="nearest", unit="item", disable=not progress):
            retrieved = nearest.answer(item)
            # A form that training lacks for such clips gets the majority answer.
            answers["nearest"][item.id] = common.answer(item) if retrieved is None else retrieved
    if "question_only" in names:
        predicted = fit_question_only(train_items, seed).answers([plain_question(item) for item in items])
        answers["question_only"] = {item.id: answer for item, answer in zip(items, predicted, strict=True)}
    return answers


def fit_question_only(train_items: Sequence[Item], seed: int = 0) -> QuestionOnly:
    """Fit a question-only model, the fair blind control of a model that answers "cannot tell" without input."""
    from vimonet.vimos.question_only_baseline import QuestionOnly

    return QuestionOnly(seed).fit([(plain_question(i), i.answer, i.form.partition(":")[0]) for i in train_items])


def pooled_body_features(motion: Motion) -> NDArray[np.float32]:
    """Pool the D body features of each frame into one vector of a clip, float32 [7 * D + 1]."""
    from vimonet.motion.features.body_features import body_features

    frames = body_features(motion.joints, motion.confidence, motion.dimensions)
    bounds = np.linspace(0, len(frames), _SEGMENTS + 1).astype(int)
    segments = [frames[min(a, len(frames) - 1) : max(b, a + 1)].mean(axis=0) for a, b in pairwise(bounds)]
    length = np.array([np.log(len(frames))], dtype=np.float32)
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0), *segments, frames[-1], length]).astype(np.float32)


def _keys(item: Item) -> list[tuple[str, ...]]:
    dimensions = str(item.motion.dimensions)
    subject = item.evidence.get("subject")
    exact = [] if subject is None else [(dimensions, item.form, str(subject))]
    return [*exact, (dimensions, item.form)]
