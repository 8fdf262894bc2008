"""Random language models small enough for a test, saved to disk with a tokenizer of their family's kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tiny import TEXTS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

TOKENS = {
    "vicuna": ["<unk>", "<s>", "</s>"],
    "llama3": ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    "qwen": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    "vimonet": ["<eos>"],
}
BOS = {"vicuna": "<s>", "llama3": "<|begin_of_text|>"}
EOS = {"vicuna": "</s>", "llama3": "<|end_of_text|>", "qwen": "<|endoftext|>", "vimonet": "<eos>"}
SHAPE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


def byte_level_tokenizer(family: str) -> PreTrainedTokenizerFast:
    """BPE over bytes, as Llama 3 and Qwen have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=TOKENS[family], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=EOS[family], bos_token=BOS.get(family))


def sentencepiece_tokenizer(legacy: bool = False) -> LlamaTokenizer:
    """BPE with marks for spaces and single bytes to fall back on, as Llama 2 and Vicuna have it.

    With `legacy` (Vicuna's own setting) text behind a special token gets a space of its own.
    """
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    trained.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=120, show_progress=False))
    state = json.loads(trained.to_str())["model"]
    names = [*TOKENS["vicuna"], *(f"<0x{byte:02X}>" for byte in range(256)), *state["vocab"]]
    merges: Any = [tuple(merge) for merge in state["merges"]]
    return LlamaTokenizer(vocab={name: index for index, name in enumerate(names)}, merges=merges, legacy=legacy)


def saved_language_model(family: str, folder: Path, *, tokenizer: Any = None, **shape: Any) -> Path:
    """Folder of a saved tiny model: Llama-shaped, or Qwen-shaped with rows of embeddings to spare, as the real ones."""
    path = folder / family
    tokenizer = tokenizer or byte_level_tokenizer(family)
    torch.manual_seed(0)
    kind, config = (Qwen2ForCausalLM, Qwen2Config) if family == "qwen" else (LlamaForCausalLM, LlamaConfig)
    rows = 400 if family == "qwen" else len(tokenizer)
    model = kind(config(vocab_size=rows, num_key_value_heads=2, **{**SHAPE, **shape}))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
