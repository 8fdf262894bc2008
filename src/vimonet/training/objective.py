"""Compute the losses: cross-entropy of answers, averaged per modality group, and the token-phrase contrastive loss."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vimonet.model import ViMoNetForConditionalGeneration
from vimonet.model.action_recognition import TEMPERATURE, phrase_embeddings, phrase_tokens
from vimonet.training.data import ModalityGroup
from vimonet.training.data.packing import IGNORE
from vimonet.utils.errors import InputError


def supervised(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Find the positions whose output enters the loss, and their targets.

    Args:
        labels: [B, L], not shifted, -100 where there is no loss.

    Returns:
        keep [B, L] bool (position t is kept when the label of t + 1 is learnt), targets [N] in row order.
    """
    keep = torch.zeros_like(labels, dtype=torch.bool)
    keep[:, :-1] = labels[:, 1:] != IGNORE
    return keep, labels[:, 1:][keep[:, :-1]]


def token_weights(labels: Tensor, first: float = 1.0, numbers: float = 1.0, digits: Tensor | None = None) -> Tensor:
    """Weight the learnt tokens that decide an answer: the first one (yes or no, a side) and those of numbers.

    Args:
        labels: [B, L], not shifted, -100 where there is no loss.
        first: weight of the first token of each answer; the others have weight 1.
        numbers: weight of tokens that hold a digit; a first token with a digit has the larger of both.
        digits: [V] bool, the tokens of the vocabulary that hold a digit (`digit_tokens`); None: `numbers` is not used.

    Returns:
        [B, L] float64: position t holds the weight of the label of t + 1, 0 where that is not learnt.
    """
    weights = torch.zeros(labels.shape, dtype=torch.float64, device=labels.device)
    learnt = labels != IGNORE
    share = torch.where(learnt[:, :-1], 1.0, first)
    if digits is not None:
        number = digits.to(labels.device)[labels[:, 1:].clamp(min=0)]
        share = torch.where(number, torch.where(learnt[:, :-1], numbers, max(first, numbers)), share)
    weights[:, :-1] = learnt[:, 1:] * share
    return weights


def digit_tokens(tokenizer: Any) -> Tensor:
    """Mark the tokens of a vocabulary that hold a digit: [V] bool; special tokens and those of bytes hold none."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    special = set(tokenizer.all_special_ids)
    held = [bool(re.search(r"^(?!<).*[0-9]", token or "")) for token in tokens]
    return torch.tensor([number and i not in special for i, number in enumerate(held)])


def group_counts(weights: Tensor, groups: Tensor) -> Tensor:
    """Sum the weights of the learnt tokens per modality group: weights [B, L], groups [B] or [B, L] -> [G] float64."""
    summed, groups = (weights.sum(1), groups) if groups.ndim == 1 else (weights.flatten(), groups.flatten())
    return torch.zeros(len(ModalityGroup), dtype=torch.float64, device=weights.device).index_add_(0, groups, summed)


def group_sums(logits: Tensor, targets: Tensor, keep: Tensor, groups: Tensor, weights: Tensor) -> Tensor:
    """Sum the weighted cross-entropy (nats) per modality group.

    Args:
        logits, targets: [N, V] and [N], of the N positions that `keep` [B, L] marks (see `supervised`).
        groups: index of the modality group of each row [B] or position [B, L].
        weights: of the token that each position predicts, [B, L] (see `token_weights`).

    Returns:
        A sum per modality group, [G].
    """
    nll = F.cross_entropy(logits.float(), targets, reduction="none") * weights[keep].to(logits.device, torch.float32)
    # A position and the one it predicts belong to the same question, hence to the same group.
    of_token = (groups[:, None].expand_as(keep) if groups.ndim == 1 else groups)[keep]
    return torch.zeros(len(ModalityGroup), dtype=nll.dtype, device=nll.device).index_add(0, of_token, nll)


def group_weights(weighting: str, factors: Mapping[str, float], counts: Tensor, sums: Tensor) -> Tensor:
    """Compute the weight [G] of each group's mean loss; weights sum to 1 over the groups that are present.

    Args:
        weighting: ``equal``; ``proportional`` to the group's tokens (the weighted mean); or ``uncertainty``:
            inverse to the group's loss, the closed form (Kirchdorfer et al., arXiv 2408.07985) of homoscedastic
            uncertainty weighting (Kendall et al., arXiv 1705.07115).
        factors: further factor per group name; 1 where absent.
        counts: summed weights of the learnt tokens per group in the whole optimiser step, [G].
        sums: detached summed loss per group, [G], over the same tokens (read by ``uncertainty`` only).
    """
    if weighting == "equal":
        weight = torch.ones_like(counts)
    elif weighting == "proportional":
        weight = counts.clone()
    elif weighting == "uncertainty":
        weight = 1 / (sums.to(counts) / counts.clamp(min=1)).clamp(min=1e-3)
    else:
        raise InputError(f"objective.weighting is {weighting!r}; it can be equal, proportional or uncertainty.")
    names = ModalityGroup.names()
    unknown = set(factors) - set(names)
    if unknown:
        raise InputError(f"objective.group_weights names {sorted(unknown)[0]!r}; the groups are {', '.join(names)}.")
    weight = weight * torch.tensor(
        [float(factors.get(name, 1.0)) for name in names], dtype=weight.dtype, device=weight.device
    )
    weight = torch.where(counts > 0, weight, torch.zeros_like(weight))
    return weight / weight.sum().clamp(min=1e-12)


class TokenPhraseLoss:
    """Align projected motion tokens with the phrase of the action labelled at their time: dense supervision of align.

    Each token is classified among all action phrases by its cosine with the mean word embedding of every phrase
    (InfoNCE, van den Oord et al., arXiv 1807.03748). The loss has no parameters and sends no gradient to the word
    embeddings.

    Args:
        model: the unwrapped model; its projectors give one token per feature.
        tokenizer: tokenizer of its language model.
        phrases: action phrases; labels index them.

    Raises:
        InputError: an attentive projector, whose tokens have no time.
    """

    def __init__(self, model: ViMoNetForConditionalGeneration, tokenizer: Any, phrases: Sequence[str]) -> None:
        if model.config.projector == "attentive":
            raise InputError(
                "objective.token_phrase_contrastive needs tokens with a time, which an attentive projector has not; "
                "set projector.kind to linear or mlp."
            )
        self._embeddings = model.get_input_embeddings()
        self._phrases = phrase_tokens(tokenizer, phrases)
        self._tokens: dict[str, Tensor] = {}
        translators: Any = model.vimonet.translators
        # PEFT trains a copy of a part that is saved beside the adapters.
        trained = getattr(translators, "modules_to_save", None)
        for name, projector in (translators if trained is None else trained["default"]).named_children():
            if name in ("motion", "keypoint"):
                projector.register_forward_hook(self._watch(name))

    def _watch(self, name: str) -> Any:
        def keep(module: nn.Module, inputs: Any, output: tuple[Tensor, Any]) -> None:
            self._tokens[name] = output[0]

        return keep

    def __call__(self, labels: Mapping[str, Tensor]) -> Tensor:
        """Sum the cross-entropy (nats) of the tokens of the last forward pass.

        Args:
            labels: ``motion_phrases`` and ``keypoint_phrases``, [N, tokens] indices, -100 without a label.
        """
        weight: Any = self._embeddings.weight
        phrases = phrase_embeddings(weight.detach(), self._phrases)
        total = phrases.new_zeros(())
        for name, tokens in self._tokens.items():
            targets = labels.get(f"{name}_phrases")
            if targets is not None:
                labelled = targets != IGNORE
                cosine = F.normalize(tokens[labelled].float(), dim=-1) @ phrases.T
                total = total + F.cross_entropy(cosine / TEMPERATURE, targets[labelled], reduction="sum")
        self._tokens.clear()
        return total


def named_tokens(batch: Mapping[str, Tensor]) -> Tensor:
    """Count the motion tokens of a batch that have a phrase label, float64 []."""
    counts = [(batch[key] != IGNORE).sum() for key in ("motion_phrases", "keypoint_phrases") if key in batch]
    return torch.stack(counts).sum().double() if counts else batch["labels"].new_zeros((), dtype=torch.float64)
