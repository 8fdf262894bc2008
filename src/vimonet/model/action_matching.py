"""Weigh "yes" against "no" by matching what a question asks about with the actions that are recognised.

A small language model tells the action and misjudges the question: "no, the person raises both hands" to "hands in the
air, yes?". An `ActionMatcher` reads the vectors of the question and of an action phrase as sentence pairs are read
for natural language inference (Conneau et al., 2017, arXiv 1705.02364), and tells whether a person who does that makes
the answer yes, makes it no, or leaves it open. Its log-odds and those of the language model are summed by weights, a
logarithmic opinion pool (Genest and Zidek, 1986). Whether an answer begins with yes or no, and all that follows, stays
with the language model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from vimonet.model.action_recognition import Recognised
from vimonet.model.weight_files import check_finite

FILE: Final = "matcher.safetensors"
"""File of a question reader's folder that holds its matcher; a reader without it weighs nothing."""

YES, NO, OPEN = range(3)

SCALE: Final = 4.0
"""Length that the unit vectors are given before any layers, so that plain learning rates fit."""

_DROPOUT = 0.2


class ActionMatcher(nn.Module):
    """Tell what it means for the answer to a question if a person does an action.

    Args:
        width: of the vectors of the sentence encoder.
        inner: of the vectors that are compared.
        hidden: of the first hidden layer; the second has half of it.
    """

    def __init__(self, width: int = 384, inner: int = 192, hidden: int = 512) -> None:
        super().__init__()
        self.question, self.action = nn.Linear(width, inner), nn.Linear(width, inner)
        self.linear_1 = nn.Linear(4 * inner + width, hidden)
        self.linear_2 = nn.Linear(hidden, hidden // 2)
        self.head = nn.Linear(hidden // 2, 3)
        self.drop = nn.Dropout(_DROPOUT)

    @classmethod
    def open(cls, folder: Path, reader: str) -> Self:
        """Open the matcher of a question reader in eval mode and float32; its sizes are those of its tensors.

        Args:
            folder: of the question reader.
            reader: file of the reader's layers in it.

        Raises:
            ValueError: it learnt from the vectors of another reader.
        """
        with safe_open(folder / FILE, framework="pt") as file:
            learnt_from = (file.metadata() or {}).get("reader")
        if learnt_from != _digest(folder / reader):
            raise ValueError("its matcher learnt from another reader, run research.mini.train_matcher")
        state = {name: value.float() for name, value in load_file(folder / FILE).items()}
        check_finite(state, folder / FILE)
        (inner, width), (hidden, _) = state["question.weight"].shape, state["linear_1.weight"].shape
        with torch.device("meta"):
            matcher = cls(width, inner, hidden)
        matcher.load_state_dict(state, assign=True)
        return matcher.eval().requires_grad_(False)

    def save(self, folder: Path, reader: str) -> None:
        """Write the matcher into the folder of a question reader, weights as float16; arguments as of `open`."""
        half = {name: value.detach().to(torch.float16).contiguous() for name, value in self.state_dict().items()}
        save_file(half, folder / FILE, metadata={"format": "pt", "reader": _digest(folder / reader)})

    def forward(self, questions: Tensor, actions: Tensor) -> Tensor:
        """Compute the logits of yes, no and open, [..., 3].

        Args:
            questions, actions: unit vectors of questions and of `action_question`, [..., width].
        """
        asked, done = SCALE * questions, SCALE * actions
        u, v = self.question(asked), self.action(done)
        pair = torch.cat([u, v, u * v, (u - v).abs(), asked], -1)
        hidden = self.drop(F.gelu(self.linear_1(pair)))
        logits: Tensor = self.head(self.drop(F.gelu(self.linear_2(hidden))))
        return logits

    @torch.inference_mode()
    def log_odds(self, question: Tensor, spans: Sequence[Recognised], vectors: Sequence[Tensor]) -> float:
        """Compute log(P(yes) / P(no)), multiplied by the probability that the answer is not left open.

        P(yes) is that of the span of time whose actions make yes likeliest; P(open) is the mean over spans by their
        length; the rest is P(no). In a span each action counts by its probability among those that are named there.

        Args:
            question: unit vector, [width].
            spans: recognised actions.
            vectors: of the actions of each span, [actions, width].
        """
        found = []
        for span, actions in zip(spans, vectors, strict=True):
            shares = torch.tensor([share for _, share in span.actions]).clamp(min=_LEAST)
            told = self(question.expand(len(actions), -1), actions).softmax(-1)
            found.append((told * (shares / shares.sum())[:, None]).sum(0))
        yes = max(float(told[YES]) for told in found)
        seconds = torch.tensor([span.end - span.start for span in spans])
        left_open = float((torch.stack(found)[:, OPEN] * seconds).sum() / seconds.sum())
        decided = max(1.0 - left_open, yes)
        likely = min(max(yes / decided, _LEAST), 1.0 - _LEAST)
        return decided * float(torch.logit(torch.tensor(likely)))


_LEAST = 0.02
"""Least probability of yes and of no: a matcher is never surer."""


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def action_question(action: str) -> str:
    """Word an action phrase as the question whose vector a matcher reads."""
    return f"does the person {action}"


def weigh(logits: Tensor, log_odds: Tensor, yes: int, no: int, weights: Sequence[float] = (1.0, 1.0)) -> Tensor:
    """Weigh yes against no in the rows whose likeliest first token is one of them.

    Args:
        logits: of the first token of each answer, [B, V].
        log_odds: log(P(yes) / P(no)) by the matcher, [B]; a row whose value is exactly 0 stays as it is.
        yes, no: id of the first token of each word.
        weights: of the language model's log-odds (the difference of both logits) and of `log_odds`.

    Returns:
        Logits in float32 or a wider type. A row whose likeliest token is neither yes nor no stays as it is; in every
        other row the likeliest token is still one of the two.
    """
    weighed = logits.to(torch.promote_types(logits.dtype, torch.float32), copy=True)
    first, log_odds = weighed.argmax(1), log_odds.to(logits.device)
    rows = ((first == yes) | (first == no)) & (log_odds != 0)
    pair = weighed[rows][:, [yes, no]]
    odds = weights[0] * (pair[:, 0] - pair[:, 1]) + weights[1] * log_odds[rows]
    pair = pair.logsumexp(1, keepdim=True) + torch.stack([F.logsigmoid(odds), F.logsigmoid(-odds)], 1)
    # Split more evenly, neither might be the likeliest token any more.
    pair += (weighed[rows].amax(1) - pair.amax(1)).clamp(min=0)[:, None]
    weighed[rows.nonzero(), torch.tensor([yes, no], device=logits.device)] = pair
    return weighed
