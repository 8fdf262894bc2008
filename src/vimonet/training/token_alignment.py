"""Motion tokens drawn to the words for what happens in them: the dense half of stage 1.

Captions and answers say what a clip shows, but leave the model to find out where. Where a dataset knows when an action
happens, each translated motion token is asked which of all action phrases it belongs to, by its cosine with the mean
word embedding of every phrase (InfoNCE over the phrases; van den Oord et al., arXiv 1807.03748). There are no weights
of its own: the language model's embeddings are the classifier, and they are not moved by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vimonet.model import ViMoNetForConditionalGeneration
from vimonet.training.objective import IGNORE
from vimonet.utils.errors import InputError

TEMPERATURE = 0.05


class PhraseAlignment:
    """Watches a model's translators and compares their tokens with phrases.

    Args:
        model: the model, bare; its translators give one token per feature.
        tokenizer: of its language model.
        phrases: action phrases, in the order of the labels.

    Raises:
        InputError: an attentive translator, whose tokens belong to no moment.
    """

    def __init__(self, model: ViMoNetForConditionalGeneration, tokenizer: Any, phrases: Sequence[str]) -> None:
        if model.config.projector == "attentive":
            raise InputError("objective.alignment needs a linear or mlp translator: an attentive one has no moments.")
        self._embeddings = model.get_input_embeddings()
        rows = [tokenizer(" " + phrase, add_special_tokens=False)["input_ids"] for phrase in phrases]
        share = torch.zeros(len(rows), model.config.text_config.vocab_size)
        for number, ids in enumerate(rows):
            share[number].index_add_(0, torch.tensor(ids), torch.full((len(ids),), 1.0 / len(ids)))
        self._share = share.to_sparse()
        self._tokens: dict[str, Tensor] = {}
        for name, translator in model.vimonet.translators.named_children():
            if name in ("motion", "keypoint"):
                translator.register_forward_hook(self._watch(name))

    def _watch(self, name: str) -> Any:
        def keep(module: nn.Module, inputs: Any, output: tuple[Tensor, Any]) -> None:
            self._tokens[name] = output[0]

        return keep

    def __call__(self, labels: Mapping[str, Tensor]) -> Tensor:
        """Summed cross-entropy (nats) of the tokens that the last forward pass translated.

        Args:
            labels: ``motion_phrases`` and ``keypoint_phrases``, [N, tokens] indices, -100 where nothing is named.
        """
        weight: Any = self._embeddings.weight
        words: Tensor = weight.detach().float()
        if self._share.device != words.device:
            self._share = self._share.to(words.device)
        phrases = torch.sparse.mm(self._share, words)
        # What all phrases share ("the", "with") tells nothing apart.
        phrases = F.normalize(phrases - phrases.mean(0), dim=-1)
        total = words.new_zeros(())
        for name, tokens in self._tokens.items():
            wanted = labels.get(f"{name}_phrases")
            if wanted is not None:
                named = wanted != IGNORE
                cosine = F.normalize(tokens[named].float(), dim=-1) @ phrases.T
                total = total + F.cross_entropy(cosine / TEMPERATURE, wanted[named], reduction="sum")
        self._tokens.clear()
        return total


def named_tokens(batch: Mapping[str, Tensor]) -> Tensor:
    """Number of tokens a batch has a phrase for, float64 []."""
    counts = [(batch[key] != IGNORE).sum() for key in ("motion_phrases", "keypoint_phrases") if key in batch]
    return torch.stack(counts).sum().double() if counts else batch["labels"].new_zeros((), dtype=torch.float64)
