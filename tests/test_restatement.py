"""A model restates a question in plain words before it answers: what it learns, says, streams and is sure of."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
import pytest
import torch
from tiny import tiny_motion
from tiny_language import byte_level_tokenizer, saved_language_model

from vimonet.inference import generating
from vimonet.inference.assistant import Assistant
from vimonet.inference.generating import MAX_RESTATEMENT, AnswerStart
from vimonet.inference.streaming import Listener
from vimonet.language import RESTATEMENT_OPENERS, with_restatement, without_restatement
from vimonet.model import MotionFeatureExtractor, MotionVQVAE, MotionVQVAEConfig
from vimonet.model.build import compose
from vimonet.model.configuration_vimonet import RESTATEMENT
from vimonet.model.prompt_context import write_context
from vimonet.motion.features.body_features import BODY_DIM
from vimonet.training.data.packing import IGNORE
from vimonet.training.data.sampling import QAPairSampler
from vimonet.training.objective import token_weights
from vimonet.vimos.wordings import WORDINGS, restate

AT_ONCE = ("caption", "describe_for_blind", "reword", "why_answer", "certainty", "help", "small_talk", "other_language")
"""Forms that are answered without restating: descriptions, talk about an answer, other languages."""

SAID = "Does the person fall? no, the person walks"


def slots_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("form", [form for form in WORDINGS if form not in AT_ONCE])
def test_every_form_has_a_plain_question(form: str) -> None:
    known = {name for texts in WORDINGS[form].values() for text in texts for name in slots_of(text)} - {"who"}
    known |= {"does", "doing"} if "do" in known else set()
    known |= {"part", "at_peak"} if "peak" in known else set()
    asked = restate(form, **{name: "x" for name in sorted(known | {"do"})})
    assert asked.endswith("?") and asked.count("?") == 1 and asked[0].isupper()
    assert asked.split()[0] in RESTATEMENT_OPENERS
    assert without_restatement(with_restatement(asked, "yes, twice")) == "yes, twice"


def test_what_is_answered_at_once_has_none() -> None:
    assert not any(restate(form) for form in AT_ONCE)
    assert with_restatement("", "yes") == "yes" == without_restatement("yes")


class Restated:
    """One clip with a restated question and a chat."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"joints": None, "source": "x", "qa_pairs": [("He drops?", SAID), ("down?", "yes", "why?", "he slips")]}


def test_a_prompt_that_asks_for_none_teaches_none() -> None:
    def pairs(dropped: tuple[str, ...]) -> list[Any]:
        return sorted(QAPairSampler(Restated(), 2, 0, drop_parts=lambda *key: dropped)[0]["qa_pairs"])

    chat = ("down?", "yes", "why?", "he slips")
    assert pairs(()) == [("He drops?", SAID), chat]
    assert pairs((RESTATEMENT,)) == [("He drops?", "no, the person walks"), chat]
    assert "Restate" in write_context((RESTATEMENT,)) and "estate" not in write_context(("facts",))


def test_the_first_token_behind_the_question_counts_more() -> None:
    labels = torch.tensor([[IGNORE, IGNORE, 5, 6, 47, 8, 9, IGNORE, 3]])
    assert token_weights(labels, 3.0, 47).tolist() == [[0, 3, 1, 1, 3, 1, 0, 3, 0]]
    assert token_weights(labels, 3.0).tolist() == [[0, 3, 1, 1, 1, 1, 0, 3, 0]]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    root = tmp_path_factory.mktemp("parts")
    saved_language_model("qwen", root, tokenizer=byte_level_tokenizer("qwen"))
    sizes = {"width": 16, "code_dim": 24, "num_codes": 16, "depth": 1}
    MotionVQVAE(MotionVQVAEConfig(input_dim=BODY_DIM, **sizes)).save_pretrained(root / "motion")
    MotionFeatureExtractor(mean=np.zeros(BODY_DIM), std=np.ones(BODY_DIM)).save_pretrained(root / "motion")
    context = ["facts", RESTATEMENT]
    made = compose(root / "qwen", motion_tokenizer=root / "motion", context=context, projector="mlp")
    return Assistant(made.model, made.processor, "tiny")


def says(monkeypatch: pytest.MonkeyPatch, assistant: Assistant, *texts: str) -> None:
    """Let the model say these texts, one a row, with falling probabilities, and then end."""
    rows = [assistant.processor.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    end = int(assistant.processor.tokenizer.eos_token_id)
    longest = max(map(len, rows)) + 1
    tokens = torch.tensor([row + [end] * (longest - len(row)) for row in rows])

    def greedy(model: Any, inputs: Any, most: int, ends: Any, temperature: float, follow: Any) -> Any:
        said = tokens[:, :most]
        for step in said.T.tolist() if follow else ():
            follow(step)
        return said, 1.0 - 0.001 * torch.arange(said.shape[1]).repeat(len(said), 1)

    monkeypatch.setattr(generating, "greedy", greedy)
    monkeypatch.setattr(generating, "_ends", lambda assistant: [end])


@pytest.mark.parametrize("said", [SAID, "a person falls.", "no", "Does the person"])
def test_only_what_follows_is_the_answer(monkeypatch: pytest.MonkeyPatch, assistant: Assistant, said: str) -> None:
    says(monkeypatch, assistant, said)
    heard: list[str] = []
    windows = assistant.windows(assistant.builder(), "He drops?", tiny_motion(40))
    (answer,) = assistant.answer_windows([windows], answer_policy="raw", listeners=[[Listener(heard.append)]])
    asked, wanted = ("Does the person fall?", "no, the person walks") if said == SAID else ("", said)
    assert (answer.restatement, answer.text) == (asked, wanted)
    assert answer.to_dict().get("restatement", "") == asked
    if said != "Does the person":  # cut off: nothing to hand on
        assert "".join(heard) == answer.text


def test_the_limit_is_the_answers(monkeypatch: pytest.MonkeyPatch, assistant: Assistant) -> None:
    says(monkeypatch, assistant, SAID)
    tokenizer = assistant.processor.tokenizer
    start = AnswerStart(tokenizer, restates=True, max_new_tokens=3)
    ids = tokenizer(SAID, add_special_tokens=False)["input_ids"]
    assert start([]) == 0 and start(ids[:1]) is None
    assert tokenizer.decode(ids[: start(ids)]) == "Does the person fall?"
    assert start.limit(ids[:2]) == MAX_RESTATEMENT + 3 and start.limit(ids) == start(ids) + 3
    assert AnswerStart(tokenizer, restates=False, max_new_tokens=3)(ids) == 0
    heard: list[str] = []
    windows = assistant.windows(assistant.builder(), "He drops?", tiny_motion(40))
    listeners = [[Listener(heard.append)]]
    (answer,) = assistant.answer_windows([windows], max_new_tokens=4, answer_policy="raw", listeners=listeners)
    assert answer.text == "".join(heard).strip() == tokenizer.decode(ids[start(ids) :][:4]).strip()
    assert answer.confidence == pytest.approx(1.0 - 0.001 * (start(ids) + 3 / 2), abs=1e-4)  # the mean of the answer's
