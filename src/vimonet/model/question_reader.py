"""Read what a question asks with a sentence encoder, and say it in plain words behind the question.

    reader = QuestionReader.open(folder)
    reader(["Is he lobbing something?"])  # ["Is he lobbing something (does the person throw or throw a ball)"]

A language model of 135 million parameters knows an action by its usual names; a sentence encoder, trained on a billion
pairs of sentences, knows that lobbing is a way of throwing. Two linear classifiers on its vector tell the form of
the question and the actions that it may name (`research.mini.train_reader`). The language model reads both, the asker's
words and these, and weighs them. A reader may have an `ActionMatcher`, which weighs yes against no.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vimonet.language import fold_prompt
from vimonet.model.action_matching import FILE as MATCHER
from vimonet.model.action_matching import SCALE, ActionMatcher, action_question
from vimonet.model.action_recognition import Recognised
from vimonet.model.weight_files import check_finite
from vimonet.utils.errors import InputError, first_line
from vimonet.utils.files import read_object

FOLDER: Final = "question_reader"
"""Folder of a model folder that holds its question reader; a model without it reads questions as they are."""

WEIGHTS: Final = "model.safetensors"
ENCODER_FILES: Final = ("config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json")
HEADS, NAMES = "reader.safetensors", "reader.json"

LEAST_FORM = 0.35
"""A form that is less probable is not said."""

LEAST_ACTION = 0.15
"""An action that is less probable is not said; at most `_MOST_ACTIONS` are."""

_LONGEST = 64  # word pieces of a question that are read
_BATCH, _MOST_ACTIONS = 64, 3
_REMEMBERED = 2048  # vectors


class QuestionReader:
    """Say in plain words what questions ask.

    Args:
        encoder: a transformers encoder; a question's vector is the mean of its last hidden states, of length 1.
        tokenizer: of the encoder.
        heads: ``weight`` [forms + actions, width] and ``bias`` [forms + actions] of both layers.
        names: ``forms``, the plain question of each form, in which ``{do}`` and ``{doing}`` stand for the action;
            ``actions``, each as [verb phrase, participle].
        matcher: weighs yes against no; None for a reader without.
    """

    FILE, WEIGHTS = HEADS, WEIGHTS

    def __init__(
        self,
        encoder: Any,
        tokenizer: Any,
        heads: Mapping[str, Tensor],
        names: Mapping[str, Any],
        matcher: ActionMatcher | None = None,
    ) -> None:
        self.encoder, self.tokenizer, self.matcher = encoder.eval(), tokenizer, matcher
        self._known: dict[str, Tensor] = {}
        self.weight, self.bias = heads["weight"].float(), heads["bias"].float()
        self.forms: list[str] = list(names["forms"])
        self.actions: list[tuple[str, str]] = [(do, doing) for do, doing in names["actions"]]
        count = len(self.forms) + len(self.actions)
        if self.weight.shape[-2:] != (count, encoder.config.hidden_size) or self.bias.shape[-1] != count:
            raise ValueError(f"layers of shape {list(self.weight.shape)} for {count} names")
        for form in self.forms:
            form.format(do="", doing="")
        if matcher is not None and matcher.question.in_features != encoder.config.hidden_size:
            raise ValueError(f"a matcher of vectors of {matcher.question.in_features} numbers")

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a reader: an encoder's files, its layers and their names, and its matcher if it has one.

        Raises:
            InputError: a file is missing or damaged.
        """
        folder = Path(folder)
        try:
            names = read_object(folder / NAMES, "copy or make the reader again")
            heads = load_file(folder / cls.FILE)
            check_finite(heads, folder)
            matcher = ActionMatcher.open(folder, HEADS) if (folder / MATCHER).is_file() else None
            return cls(*open_encoder(folder, cls.WEIGHTS), heads, names, matcher)
        except InputError:
            raise
        except Exception as error:  # tokenizers raises no narrower one
            raise InputError(
                f"{folder}: not a question reader ({first_line(error)}); run 'vimonet fetch mini' again for that of "
                "mini, python -m research.mini.train_reader for one of your own."
            ) from None

    def __call__(self, questions: Sequence[str]) -> list[str]:
        """Write each question with its reading behind it; one that is not understood stays as it is."""
        if not questions:
            return []
        vectors = self._embedded(questions)
        scores = self.scores(torch.stack(list(vectors.values())))
        said = dict(zip(vectors, map(self._say, scores), strict=True))
        return [with_reading(text, said[text]) for text in questions]

    def log_odds(self, asked: Sequence[tuple[str, Sequence[Recognised]]]) -> Tensor:
        """Compute by which log-odds recognised actions weigh yes against no, [N]; 0 without actions or matcher.

        Args:
            asked: questions with the recognised actions of their recordings.
        """
        weighed = torch.zeros(len(asked))
        if self.matcher is None:
            return weighed
        names = {name for _, spans in asked for span in spans for name, _ in span.actions}
        vectors = self._embedded([question for question, _ in asked] + [action_question(name) for name in names])
        for row, (question, spans) in enumerate(asked):
            if spans:
                of_spans = [torch.stack([vectors[action_question(name)] for name, _ in one.actions]) for one in spans]
                weighed[row] = self.matcher.log_odds(vectors[question], spans, of_spans)
        return weighed

    def _embedded(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Embed texts; the vectors of the last few thousand are remembered."""
        known = {text: self._known[text] for text in texts if text in self._known}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            known.update(zip(batch, embed(self.encoder, self.tokenizer, batch), strict=True))
        self._known = dict(list((self._known | known).items())[-_REMEMBERED:])
        return known

    def scores(self, vectors: Tensor) -> Tensor:
        """Score forms and actions for the vectors [N, width] of questions: [N, forms + actions]."""
        return torch.nn.functional.linear(SCALE * vectors, self.weight, self.bias)

    def _say(self, scores: Tensor) -> str:
        forms, actions = scores.split((len(self.forms), len(self.actions)))
        share, form = forms.softmax(0).max(0)
        if share < LEAST_FORM:
            return ""
        plain = self.forms[int(form)]
        if "{" not in plain:
            return plain
        shares, best = actions.softmax(0).topk(min(_MOST_ACTIONS, len(self.actions)))
        named = [self.actions[i] for i, p in zip(best.tolist(), shares.tolist(), strict=True) if p >= LEAST_ACTION]
        do, doing = (" or ".join(words) for words in zip(*(named or [("do that", "that")]), strict=True))
        return plain.format(do=do, doing=doing)


def copy_reader(model: Path, reader: Path) -> None:
    """Copy a question reader into the folder of a model."""
    (model / FOLDER).mkdir()
    for name in (*ENCODER_FILES, HEADS, NAMES, *_if_there(reader)):
        shutil.copyfile(reader / name, model / FOLDER / name)


def _if_there(folder: Path) -> tuple[str, ...]:
    return (MATCHER,) if (folder / MATCHER).is_file() else ()


def join_reader(model: Path, encoder: Path, shipped: Path) -> None:
    """Make a question reader in the folder of a model, of a released encoder and of what was trained on it."""
    (model / FOLDER).mkdir()
    for name in (HEADS, NAMES, *_if_there(shipped)):
        shutil.copyfile(shipped / name, model / FOLDER / name)
    write_encoder(model / FOLDER, encoder, load_file(shipped / HEADS))


def write_encoder(folder: Path, encoder: Path, heads: Mapping[str, Tensor]) -> None:
    """Write an encoder whose weights gain the products of low-rank matrices, into a folder.

    Args:
        folder: where to.
        encoder: folder of the encoder as it is released.
        heads: among others ``<module>.down`` [rank, in] and ``<module>.up`` [out, rank] of each module that was tuned.
    """
    for name in ENCODER_FILES:
        if name != WEIGHTS:
            shutil.copyfile(encoder / name, folder / name)
    state = load_file(encoder / WEIGHTS)
    for name in [name.removesuffix(".down") for name in heads if name.endswith(".down")]:
        gain = heads[f"{name}.up"].float() @ heads[f"{name}.down"].float()
        weight = state[f"{name}.weight"]
        state[f"{name}.weight"] = (weight.float() + gain).to(weight.dtype)
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})


def with_reading(question: str, reading: str) -> str:
    """Write a question with its reading behind it."""
    if not reading:
        return question
    return f"{question.rstrip(' ?!.…,;:') or question} ({fold_prompt(reading)})"


def open_encoder(folder: str | Path, weights: str = WEIGHTS) -> tuple[Any, Any]:
    """Open a sentence encoder of transformers in float32, and its tokenizer, from a folder's files alone."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer
    from transformers.initialization import no_init_weights

    files: Any = {"local_files_only": True, "trust_remote_code": False}
    with no_init_weights():
        encoder: Any = AutoModel.from_config(AutoConfig.from_pretrained(folder, **files), trust_remote_code=False)
    state = load_file(Path(folder, weights))
    check_finite(state, Path(folder))
    encoder.load_state_dict(state, assign=True)
    return encoder.float().eval(), AutoTokenizer.from_pretrained(folder, **files)


@torch.inference_mode()
def embed(encoder: Any, tokenizer: Any, texts: Sequence[str]) -> Tensor:
    """Embed questions as unit vectors, [N, width]."""
    return vectors_of(encoder, tokenizer, texts)


def vectors_of(encoder: Any, tokenizer: Any, texts: Sequence[str]) -> Tensor:
    """Compute the mean of the last hidden states (Reimers and Gurevych, 2019), of length 1; with a gradient.

    Case and closing punctuation are dropped, so that a question reads the same before it is normalised and after.
    """
    folded = [fold_prompt(text) for text in texts]
    inputs = tokenizer(folded, padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt")
    hidden = encoder(**inputs).last_hidden_state
    held = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
    return torch.nn.functional.normalize((hidden * held).sum(1) / held.sum(1), dim=-1)
