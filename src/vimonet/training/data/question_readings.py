"""Read each training question with layers that did not learn from its wording, so that readings are as wrong as later.

A question reader is nearly always right about wordings that it learnt from. A language model trained with such readings
would learn to trust them blindly. So the wordings are split into folds, and for each fold layers are trained on the
other folds. To find the fold of a question, the wording nearest to it as a vector is taken; that is nearly always its
own, and the few exceptions differ only in the action.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vimonet.model.question_reader import SCALE, QuestionReader

FOLDS = "folds.safetensors"
"""File of the folds' layers beside a reader's own; it serves training alone."""

UNTUNED = "untuned.safetensors"
"""File of the encoder as it is released, on which the folds' layers learnt: tuned, it has seen every wording."""

_UNREAD = 0.15
"""Share of questions without a reading, so that the model can do without."""


class FoldedReader(QuestionReader):
    """Read questions of training; see the module.

    Args:
        encoder, tokenizer, names: as for `QuestionReader`; training weighs no answers, so `matcher` is not used.
        heads: ``weight`` [K, forms + actions, width] and ``bias`` [K, forms + actions] of the K folds' layers, and
            ``vectors`` [N, width] and ``fold`` [N] of the wordings that they learnt from.
    """

    FILE, WEIGHTS = FOLDS, UNTUNED

    def __init__(
        self, encoder: Any, tokenizer: Any, heads: Mapping[str, Tensor], names: Mapping[str, Any], matcher: Any = None
    ) -> None:
        super().__init__(encoder, tokenizer, heads, names)
        self._vectors, self._fold = heads["vectors"].float(), heads["fold"].long()

    def __call__(self, questions: Sequence[str]) -> list[str]:
        """Write each question with its reading behind it, but some without."""
        read = super().__call__(questions)
        return [asked if _unread(asked) else said for asked, said in zip(questions, read, strict=True)]

    def scores(self, vectors: Tensor) -> Tensor:
        """Score forms and actions by the layers that did not learn from the nearest wording."""
        fold = self._fold[(vectors @ self._vectors.T).argmax(1)]
        weight, bias = self.weight[fold], self.bias[fold]
        return SCALE * torch.einsum("nd,ncd->nc", vectors, weight) + bias


def _unread(question: str) -> bool:
    return hashlib.sha256(question.encode()).digest()[0] < 256 * _UNREAD
