"""Stage 0, for a language model made from scratch: text alone. Also how any stage comes by its language model."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from vimonet.model.processing_vimonet import add_special_tokens, normalise_question
from vimonet.training.bpe import train_bpe
from vimonet.training.config import LanguageConfig, TrainingConfig
from vimonet.training.data.collator import Collator
from vimonet.training.data.sampling import TextDataset, ask_data, seed_everything
from vimonet.training.data.vimos_dataset import training_samples
from vimonet.training.run_folder import Run
from vimonet.training.trainer import AnswerTrainer
from vimonet.utils.errors import InputError
from vimonet.vimos.builders.vimos_open.sources import data_folder


def run_language(
    config: TrainingConfig, texts: Sequence[Any] | None = None, validation: Sequence[Any] | None = None
) -> Path:
    """Train a causal language model on text alone; from scratch with a byte-level BPE, or from a checkpoint.

    Args:
        config: settings; reads ``language``, ``schedule``, ``learning_rate.language_model``, ``data``,
            ``validation``.
        texts: the corpus, sentences or {question, answer}; None asks `text_corpus` with ``config.data``.
        validation: held-out texts; None asks with ``config.validation`` on top, when there is such a branch.

    Returns:
        The output folder: model and tokenizer in the layout of transformers.
    """
    run = Run(config, "language")
    seed_everything(config.seed)
    if texts is None:
        texts = ask_data(text_corpus, config.data)
        if config.validation:
            validation = ask_data(text_corpus, {**config.data, **config.validation})
    if not texts:
        raise InputError(f"the corpus is empty: text_corpus found nothing for data={config.data}.")
    model, tokenizer = load_or_make_language_model(config, texts)
    turns = config.schedule.turns_per_clip
    trainer = AnswerTrainer(
        config,
        model,
        run.folder,
        head=model.get_output_embeddings(),
        parts={"language_model": [model]},
        train_dataset=TextDataset(texts, turns, config.seed),
        eval_dataset=TextDataset(validation, turns, config.seed) if validation else None,
        data_collator=Collator(
            tokenizer,
            supervise=config.language.supervise,
            max_tokens=config.schedule.max_tokens,
            packing=config.schedule.packing,
        ),
        callbacks=run.callbacks(),
    )
    run.train(trainer)

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return run.finish(save, {"texts": len(texts), "vocabulary": len(tokenizer), "parameters": model.num_parameters()})


def language_shape(language: LanguageConfig, vocab_size: int, **tokens: int | None) -> Any:
    """Config of a new language model; `tokens` are the ids of its special ones.

    Raises:
        ValueError: an architecture that transformers does not know, or a shape it refuses.
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
    """Model and tokenizer of ``config.language``: its checkpoint, or a new one with a vocabulary made from `texts`.

    Raises:
        InputError: a checkpoint that cannot be loaded, or neither checkpoint nor texts.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    language = config.language
    if language.checkpoint:
        check_folder(language.checkpoint, "language.checkpoint", "the output of 'vimonet train language', or a hub id")
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
            "there is no language model: set language.checkpoint to the output of 'vimonet train language' or a hub id."
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
    """Raise InputError when `path` is meant as a folder and is none; else one waits a minute for a hub to say so."""
    first = Path(path).parts[0] if path else ""
    meant = path.startswith((".", "/", "~")) or path.count("/") > 1 or Path(first).is_dir() or first == "runs"
    if meant and not Path(path).is_dir():
        raise InputError(f"{key} {path!r}: there is no such folder; it should be {wanted}.")


def corpus_strings(texts: Sequence[Any]) -> list[str]:
    """Texts as the model will read them: questions folded, answers as they are."""
    strings: list[str] = []
    for text in texts:
        strings += [text] if isinstance(text, str) else [normalise_question(text["question"]), text["answer"]]
    return strings


def text_corpus(
    dataset: str = "data/vimos-open",
    *,
    pairs: int = 60000,
    root: str | None = None,
    kit: bool = True,
    seed: int = 0,
) -> list[str | dict[str, str]]:
    """Collect sentences about movement and question-answer pairs without the movement.

    Args:
        dataset: folder of the VIMOS dataset whose questions are drawn.
        pairs: number of question-answer pairs.
        root: folder of the recordings with the KIT captions; None takes the environment variable VIMONET_DATA.
        kit: whether those captions are read too.
        seed: of the draw.

    Returns:
        Sentences (KIT Motion-Language captions, MIT-licensed index) and ``{"question", "answer"}`` mappings.
    """
    rng = random.Random(seed)
    texts: list[str | dict[str, str]] = []
    if kit:
        texts += _kit(data_folder(root))
    samples = training_samples(dataset, "train", seed=seed)
    pairs_drawn = (samples.draw_text(rng) for _ in range(pairs))
    return texts + [{"question": question, "answer": answer} for question, answer in pairs_drawn]


def _kit(folder: Path) -> list[str | dict[str, str]]:
    """Read the KIT captions of its train split alone, so that no test caption is seen."""
    path = folder / "text" / "kitml_annotations_tmr.json"
    try:
        annotations: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        train = set((folder / "text" / "kitml_train.txt").read_text(encoding="utf-8").split())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the KIT-ML annotations of the training data ({error}).") from error
    return [
        a["text"].strip().lower() for key, entry in annotations.items() if key in train for a in entry["annotations"]
    ]
