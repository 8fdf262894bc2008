"""Random language models small enough for a test, saved to disk with a tokenizer of their family's kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tiny import TEXTS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from vimonet.model.question_reader import HEADS, NAMES, SCALE, embed, open_encoder

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


def saved_reader(folder: Path, taught: dict[str, tuple[int, int]]) -> Path:
    """Folder of a question reader around a random encoder: it knows the taught questions by heart.

    Args:
        folder: where to write it.
        taught: question -> index of its form (0: names an action, 1: names none) and of its action (0: walk, 1: wave).
    """
    words = sorted({word for text in (*TEXTS, *taught) for word in text.lower().split()})
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=len(vocabulary), **sizes)).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    vectors = embed(*open_encoder(folder), list(taught))
    wanted = torch.zeros(len(taught), 4)
    for row, (form, action) in enumerate(taught.values()):
        wanted[row, form] = wanted[row, 2 + action] = 8.0
    weight = (torch.linalg.pinv(SCALE * vectors) @ wanted).T.contiguous()
    save_file({"weight": weight, "bias": torch.zeros(4)}, folder / HEADS)
    names = {"forms": ["Does the person {do}?", "How many steps are there?"]}
    (folder / NAMES).write_text(json.dumps({**names, "actions": [["walk", "walking"], ["wave", "waving"]]}))
    return folder
