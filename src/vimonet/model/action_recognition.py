"""Recognise actions over time: the likeliest action phrase of each moment, joined to spans of time.

Stage ``align-tokens`` places motion tokens at the word embeddings of action phrases (`phrase_embeddings`). Comparing
tokens with phrases is zero-shot classification as CLIP does it (arXiv 2103.00020), over time and with the words of the
language model itself. A model may have an `ActionNetwork` too, which does nothing but name actions: the probabilities
of both are averaged. What is recognised stands as text in the prompt (`vimonet.model.prompt_context`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vimonet.model.action_network import ActionNetwork
from vimonet.motion import FPS

TEMPERATURE = 0.05
"""Temperature of the token-phrase contrastive loss (chosen on validation answers)."""

_SMOOTHED = 5  # tokens, one second: shorter actions are seldom labelled
_SHORTEST = 3  # tokens of a span; a shorter one joins its neighbour
_NAMED = 0.15  # least probability of a second name


@dataclass(frozen=True)
class Recognised:
    """Hold one span of a recording with the likeliest names of its action.

    Attributes:
        start, end: s.
        actions: (phrase, probability), the likeliest first; at most three.
    """

    start: float
    end: float
    actions: tuple[tuple[str, float], ...]

    def moved(self, seconds: float) -> Recognised:
        """Return the span with its times moved by `seconds`."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


MOST_SPANS = 12
"""Most spans of a recording in a prompt; of more, the shortest are left out."""


def joined_spans(spans: Sequence[Recognised], most: int) -> tuple[Recognised, ...]:
    """Join neighbouring spans of the same action, and keep the `most` longest, in order of time."""
    joined: list[Recognised] = []
    for span in spans:
        if joined and joined[-1].actions[0][0] == span.actions[0][0]:
            longer = max(joined[-1], span, key=lambda one: one.end - one.start)
            joined[-1] = replace(longer, start=joined[-1].start, end=span.end)
        else:
            joined.append(span)
    kept = sorted(joined, key=lambda span: span.start - span.end)[:most]
    return tuple(sorted(kept, key=lambda span: span.start))


def phrase_tokens(tokenizer: Any, phrases: Sequence[str]) -> list[Tensor]:
    """Encode action phrases as the token ids of words inside a sentence, int64 [tokens] each."""
    return [torch.tensor(tokenizer(" " + phrase, add_special_tokens=False)["input_ids"]) for phrase in phrases]


def phrase_embeddings(weight: Tensor, tokens: Sequence[Tensor]) -> Tensor:
    """Compute the unit embedding of each phrase from the word embeddings of a language model.

    Args:
        weight: word embeddings, [V, H].
        tokens: token ids of each phrase, from `phrase_tokens`.

    Returns:
        float32 [P, H]: the mean over the words of a phrase, less the mean over phrases, because what all phrases share
        ("the", "with") does not tell them apart.
    """
    means = torch.stack([weight[ids.to(weight.device)].float().mean(0) for ids in tokens])
    return F.normalize(means - means.mean(0), dim=-1)


class ActionRecogniser:
    """Name actions in the clips of a model whose config lists ``action_phrases``.

    Args:
        model: a `ViMoNetForConditionalGeneration`.
        tokenizer: its tokenizer.
        network: names actions beside the tokens; None: the tokens alone do.
    """

    def __init__(self, model: Any, tokenizer: Any, network: ActionNetwork | None = None) -> None:
        body = model.vimonet
        self._towers = {"motion": body.motion_tower, "keypoint": body.keypoint_tower}
        self._projectors = body.translators
        self.network = network
        of_tokens, of_network = model.config.action_phrases, () if network is None else network.phrases
        self.phrases = tuple(dict.fromkeys((*of_tokens, *of_network)))
        self._of_network = [self.phrases.index(phrase) for phrase in of_network]
        weight = model.get_input_embeddings().weight.detach()
        self._embeddings = phrase_embeddings(weight, phrase_tokens(tokenizer, of_tokens))
        self._ratio = model.config.ratio

    def frozen(self) -> ActionRecogniser:
        """Copy the recogniser with its towers, so that training the model does not change what it says."""
        twin = copy.copy(self)
        twin._towers, twin._projectors = copy.deepcopy((self._towers, self._projectors))
        for part in (*twin._towers.values(), twin._projectors):
            if part is not None:
                part.eval().requires_grad_(False)
        return twin

    def __call__(self, values: Tensor, dimensions: int) -> tuple[Recognised, ...]:
        """Recognise the actions of one clip.

        Args:
            values: normalised features, [T, D].
            dimensions: 3 for motion, 2 for keypoints.
        """
        found = self.shares(values, dimensions)
        return self.spans(self.averaged(found)) if found else ()

    @torch.no_grad()
    def shares(self, values: Tensor, dimensions: int) -> list[Tensor]:
        """Compute the probability of each phrase at each moment, [L, P], by the tokens and by the network.

        Empty for a kind of clip that the model has no tower for; arguments as in a call.
        """
        name = "motion" if dimensions == 3 else "keypoint"
        tower = self._towers[name]
        if tower is None:
            return []
        weight = tower.input.weight
        features = tower(values[None].to(weight.device, weight.dtype))
        tokens, _ = self._projectors(features, name, None)
        scores = F.normalize(tokens[0].float(), dim=-1) @ self._embeddings.T / TEMPERATURE
        found = [F.pad(_smoothed(scores), (0, len(self.phrases) - scores.shape[1]))]
        if self.network is not None:
            beside = torch.zeros_like(found[0])
            beside[:, self._of_network] = _smoothed(self.network.scores(values, name, self._ratio)).to(beside)
            found.append(beside)
        return found

    def averaged(self, found: Sequence[Tensor]) -> Tensor:
        """Average the two probabilities of each phrase at each moment.

        The motion tokens give no probability to a phrase outside ``action_phrases``. Such a phrase keeps the
        probability by the action network, and before averaging the tokens' probabilities of a moment are scaled so that
        all phrases still sum to 1.

        Args:
            found: from `shares`, [L moments, P phrases] each.
        """
        if len(found) == 1:
            return found[0]
        tokens, network = found
        others = network.clone()
        others[:, : len(self._embeddings)] = 0.0
        return (tokens * (1 - others.sum(-1, keepdim=True)) + others + network) / 2

    def spans(self, shares: Tensor) -> tuple[Recognised, ...]:
        """Join the likeliest phrases of moments to spans of time.

        Args:
            shares: probability of each phrase at each moment, [L, P].
        """
        seconds, found = self._ratio / FPS, []
        for first, last in _runs(shares.argmax(-1).tolist(), _SHORTEST):
            share = shares[first:last].mean(0)
            top = share.topk(min(3, len(share)))
            named = tuple(
                (self.phrases[index], round(value, 2))
                for value, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)
            )
            kept = named[:1] + tuple(entry for entry in named[1:] if entry[1] >= _NAMED)
            found.append(Recognised(first * seconds, last * seconds, kept))
        return tuple(found)


def _smoothed(scores: Tensor) -> Tensor:
    """Average scores [L, P] over a second, and turn them into probabilities."""
    odd = min(_SMOOTHED, len(scores) - 1 + len(scores) % 2)
    smooth = F.avg_pool1d(scores.T[None], odd, stride=1, padding=odd // 2, count_include_pad=False)[0].T
    return smooth.softmax(-1)


def _runs(labels: Sequence[int], shortest: int) -> list[tuple[int, int]]:
    """Group equal neighbours into runs (start, end); a run under `shortest` joins the longer of its neighbours."""
    bounds = [0, *(i for i in range(1, len(labels)) if labels[i] != labels[i - 1]), len(labels)]
    runs = [(a, b, labels[a]) for a, b in pairwise(bounds)]
    while len(runs) > 1:
        lengths = [end - start for start, end, _ in runs]
        least = min(range(len(runs)), key=lambda i: lengths[i])
        if lengths[least] >= shortest:
            break
        beside = [i for i in (least - 1, least + 1) if 0 <= i < len(runs)]
        other = max(beside, key=lambda i: lengths[i])
        first, last = min(least, other), max(least, other)
        runs[first : last + 1] = [(runs[first][0], runs[last][1], runs[other][2])]
        merged = [runs[0]]
        for start, end, label in runs[1:]:
            if label == merged[-1][2]:
                merged[-1] = (merged[-1][0], end, label)
            else:
                merged.append((start, end, label))
        runs = merged
    return [(start, end) for start, end, _ in runs]
