"""Pretrain a causal language model on text alone, from scratch or from a checkpoint."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vimonet.model.configuration_vimonet import SPECIAL_TOKENS
from vimonet.model.processing_vimonet import add_special_tokens, normalise_question
from vimonet.training.config import LanguageConfig, TrainingConfig
from vimonet.training.data.collator import Collator
from vimonet.training.data.sampling import TextDataset, call_with_data, seed_everything
from vimonet.training.data.vimos_dataset import training_samples
from vimonet.training.run_folder import Run, check_attention
from vimonet.training.stages import ANSWER_KEYS, RUN_KEYS, Stage
from vimonet.training.trainer import AnswerTrainer
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def run_pretrain_lm(
    config: TrainingConfig, texts: Sequence[Any] | None = None, validation: Sequence[Any] | None = None
) -> Path:
    """Train a causal language model on text alone, from scratch with a byte-level BPE or from a checkpoint.

    Args:
        config: settings.
        texts, validation: sentences or {question, answer}; None calls `text_corpus`.

    Returns:
        The output folder: model and tokenizer in the layout of transformers.
    """
    check_attention(config)
    run = Run(config, "pretrain-lm")
    seed_everything(config.seed)
    if texts is None:
        texts = call_with_data(text_corpus, config.data)
        if config.validation:
            validation = call_with_data(text_corpus, {**config.data, **config.validation})
    if not texts:
        raise InputError(f"the corpus is empty for data={config.data}; set data.captions, or data.pairs above 0.")
    model, tokenizer = load_or_make_language_model(config, texts)
    per_row = config.trainer.qa_pairs_per_clip
    trainer = AnswerTrainer(
        config,
        model,
        run.folder,
        head=model.get_output_embeddings(),
        parts={"language_model": [model]},
        train_dataset=TextDataset(texts, per_row, config.seed),
        eval_dataset=TextDataset(validation, per_row, config.seed) if validation else None,
        data_collator=Collator(
            tokenizer,
            supervise=config.language.supervise,
            max_tokens=config.trainer.max_tokens,
            packing=config.trainer.packing,
        ),
        callbacks=run.callbacks(),
    )
    run.train(trainer)

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return run.finish(save, {"texts": len(texts), "vocabulary": len(tokenizer), "parameters": model.num_parameters()})


def language_shape(language: LanguageConfig, vocab_size: int, **tokens: int | None) -> Any:
    """Return the config of a new language model; `tokens` are the ids of its special tokens.

    Raises:
        ValueError: an unknown architecture, or an invalid shape.
    """
    from transformers import AutoConfig

    return AutoConfig.for_model(
        language.architecture,
        vocab_size=vocab_size,
        hidden_size=language.hidden_size,
        num_hidden_layers=language.layers,
        num_attention_heads=language.heads,
        num_key_value_heads=language.kv_heads,
        intermediate_size=language.intermediate_size,
        max_position_embeddings=language.max_positions,
        attention_dropout=language.dropout,
        tie_word_embeddings=True,
        **tokens,
    )


def load_or_make_language_model(config: TrainingConfig, texts: Sequence[Any] | None = None) -> tuple[Any, Any]:
    """Load the model and tokenizer of ``config.language``, or create new ones with a vocabulary from `texts`.

    Raises:
        InputError: an unreadable checkpoint, or neither checkpoint nor texts.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    language = config.language
    if language.checkpoint:
        check_folder(
            language.checkpoint, "language.checkpoint", "the output of 'vimonet train pretrain-lm', or a hub id"
        )
        try:
            tokenizer = AutoTokenizer.from_pretrained(language.checkpoint)
            model = AutoModelForCausalLM.from_pretrained(language.checkpoint, dtype=torch.float32)
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise InputError(
                f"language.checkpoint {language.checkpoint!r} cannot be loaded ({first}); "
                "give a folder of transformers or a hub id."
            ) from error
        add_special_tokens(tokenizer)
        embeddings: Any = model.get_input_embeddings()
        if len(tokenizer) > embeddings.num_embeddings:
            model.resize_token_embeddings(len(tokenizer))
        return model, tokenizer
    if texts is None:
        raise InputError(
            "there is no language model: set language.checkpoint to the output of 'vimonet train pretrain-lm', or a "
            "hub id."
        )
    tokenizer = train_bpe(corpus_strings(texts), language.vocab_size, lowercase=language.lowercase)
    try:
        shape = language_shape(
            language,
            vocab_size=len(tokenizer),
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        model = AutoModelForCausalLM.from_config(shape)
    except ValueError as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"language.architecture {language.architecture!r} cannot be built with this shape: {first}"
        ) from error
    return model, tokenizer


def check_folder(path: str, key: str, wanted: str) -> None:
    """Raise InputError if `path` looks like a folder and is none; the hub would take a minute to reject it."""
    first = Path(path).parts[0] if path else ""
    meant = path.startswith((".", "/", "~")) or path.count("/") > 1 or Path(first).is_dir() or first == "runs"
    if meant and not Path(path).is_dir():
        raise InputError(f"{key} {path!r}: there is no such folder; it should be {wanted}.")


def corpus_strings(texts: Sequence[Any]) -> list[str]:
    """List questions, folded as at inference, and answers."""
    strings: list[str] = []
    for text in texts:
        strings += [text] if isinstance(text, str) else [normalise_question(text["question"]), text["answer"]]
    return strings


def text_corpus(
    dataset: str = "data/vimos-open", *, pairs: int = 60000, captions: str = "", seed: int = 0
) -> list[str | dict[str, str]]:
    """Collect sentences about movement and question-answer pairs without their clips.

    Args:
        dataset: folder of the VIMOS dataset whose questions are drawn.
        pairs: number of question-answer pairs.
        captions: text file of further sentences, one a line (UTF-8); empty for none.
        seed: of the draw.

    Returns:
        The sentences, and ``{"question", "answer"}`` mappings.

    Raises:
        InputError: a file that cannot be read as text.
    """
    rng = random.Random(seed)
    texts: list[str | dict[str, str]] = list(_sentences(captions)) if captions else []
    samples = training_samples(dataset, "train", seed=seed)
    pairs_drawn = (samples.draw_text(rng) for _ in range(pairs))
    return texts + [{"question": question, "answer": answer} for question, answer in pairs_drawn]


def _sentences(path: str) -> list[str]:
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(
            f"data.captions {path!r} cannot be read ({error}); give a text file with one sentence a line, or ''."
        ) from error
    return [line.strip() for line in lines if line.strip()]


def train_bpe(texts: Iterable[str], vocab_size: int = 4096, *, lowercase: bool = False) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer (Sennrich et al., arXiv 1508.07909; byte alphabet of GPT-2).

    Each digit is a token, so that all numbers are spelled with the same ten tokens.

    Args:
        texts: the corpus.
        vocab_size: upper bound, special tokens and the 256 bytes included.
        lowercase: lowercase every text (answers are then in lower case too).

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


STAGE = Stage(
    run_pretrain_lm,
    reads=(
        *RUN_KEYS,
        *ANSWER_KEYS,
        *("language.checkpoint", "language.architecture", "language.hidden_size", "language.layers", "language.heads"),
        *("language.kv_heads", "language.intermediate_size", "language.max_positions", "language.dropout"),
        *("language.vocab_size", "language.lowercase", "language.supervise", "optim.lr.language_model"),
    ),
)
