"""A byte-level BPE trained on the corpus: no word is unknown, and the vocabulary is no larger than needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vimonet.model.configuration_vimonet import SPECIAL_TOKENS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def train_bpe(texts: Iterable[str], vocab_size: int = 4096, *, lowercase: bool = False) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer (Sennrich et al. 2016; byte alphabet as in GPT-2).

    Digits stand alone, so that every number is spelled from the same ten tokens.

    Args:
        texts: the corpus.
        vocab_size: upper bound, special tokens and the 256 bytes included.
        lowercase: fold case on the way in (answers then come out in lower case).

    Returns:
        A fast tokenizer with the special tokens of ViMoNet; padding on the left, ``<|end|>`` as end of sequence.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    steps = [normalizers.NFC()] + ([normalizers.Lowercase()] if lowercase else [])
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL_TOKENS[0],
        eos_token=SPECIAL_TOKENS[1],
        additional_special_tokens=list(SPECIAL_TOKENS[2:]),
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )
