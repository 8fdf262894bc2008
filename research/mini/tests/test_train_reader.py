"""What the question reader learns from, and that layers learn it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_language import saved_reader

from research.mini import train_reader
from research.mini.train_reader import COUNT, Asked, examples, fit, questions, right, save, tune
from vimonet.model.question_reader import QuestionReader, embed, open_encoder
from vimonet.training.data.question_readings import FoldedReader


def world() -> Any:
    """Stand for a dataset: actions, and questions as (form, answer, words, closed, detail)."""
    walks = {"do": "walk", "does": "walks", "doing": "walking"}
    asked = [("yes_no", "yes", walks, True, ""), ("used_hand", "the left hand", {"a": "waving"}, False, "")]
    return SimpleNamespace(
        actions=["walk", "wave"], questions=[[*asked, ("steps", "8", {}, False, ""), ("x", "", "Who?", False, "")]]
    )


def test_every_wording_and_paraphrase_is_asked_with_what_it_asks() -> None:
    asked = list(questions(world()))
    by_plain: dict[str, set[str]] = {}
    for one in asked:
        by_plain.setdefault(one.plain, set()).add(one.action)
    assert "walk" in by_plain["Does the person {do}?"] and "clap" in by_plain["Does the person {do}?"]
    assert "wave" in by_plain["Which hand is used for {doing}?"]
    assert by_plain["How many steps are there?"] == {""}  # names no action
    assert "" in by_plain  # captions and small talk are said as they are
    assert len(asked) > 30_000 and not any("{" in one.text for one in asked)
    assert asked == list(questions(world()))


def test_wordings_are_dealt_whole_and_layers_learn_the_others(tmp_path: Path) -> None:
    kinds = [("Does the person {do}?", "walk"), ("Does the person {do}?", "wave"), ("How many steps are there?", "")]
    asked = [
        Asked(f"{k} {n}", plain, action, f"{k} {n // 2}") for n in range(80) for k, (plain, action) in enumerate(kinds)
    ]
    torch.manual_seed(0)
    vectors = torch.nn.functional.one_hot(torch.tensor([int(one.text[0]) for one in asked]), 32).float()
    of = examples(asked, vectors)
    for number in (0, 1, 100):
        same = [int(fold) for fold, one in zip(of.fold, asked, strict=True) if one.wording == asked[number].wording]
        assert len(same) == 2 and len(set(same)) == 1
    assert len(set(of.fold.tolist())) == COUNT
    rows = (of.fold != 0).nonzero()[:, 0]
    layers = fit(of, rows, steps=150)
    assert right(of, layers, (of.fold == 0).nonzero()[:, 0]) == (1.0, 1.0, 1.0)
    encoder = saved_reader(tmp_path / "encoder", {"a walk": (0, 0)})
    save(tmp_path / "reader", encoder, of, layers, {}, [layers] * COUNT)
    reader, folded = QuestionReader.open(tmp_path / "reader"), FoldedReader.open(tmp_path / "reader")
    assert reader.forms == of.forms and reader.actions == [("walk", "walking"), ("wave", "waving")]
    torch.testing.assert_close(folded.scores(vectors[:6]), reader.scores(vectors[:6]), atol=1e-2, rtol=1e-2)


def test_a_tuned_encoder_learns_and_is_kept_as_its_gain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_reader, "EPOCHS", 4)
    monkeypatch.setattr(train_reader, "TUNE_RATE", 2e-3)
    texts = {
        f"{who} {verb}": (0, number) for who in ("he", "she", "it") for number, verb in enumerate(("walk", "wave"))
    }
    encoder = saved_reader(tmp_path / "encoder", texts)
    asked = [
        Asked(text, "Does the person {do}?", ("walk", "wave")[action], text) for text, (_, action) in texts.items()
    ]
    model, tokenizer = open_encoder(encoder)
    before = embed(model, tokenizer, [one.text for one in asked])
    of, rows = examples(asked, before.clone()), torch.arange(len(asked)).repeat(200)
    torch.manual_seed(0)
    layers = torch.nn.Linear(32, 3)
    tuned = tune(model, tokenizer, asked, of, rows, layers)
    after = embed(model, tokenizer, [one.text for one in asked])
    assert right(of._replace(vectors=after.clone()), layers, torch.arange(6)) == (1.0, 1.0, 1.0)
    assert not torch.allclose(before, after, atol=0.05)
    assert {name.rpartition(".")[2] for name in tuned} == {"down", "up"} and not any("pooler" in name for name in tuned)
    save(tmp_path / "reader", encoder, of, layers, tuned, [layers] * COUNT)
    kept, _ = open_encoder(tmp_path / "reader")
    torch.testing.assert_close(embed(kept, tokenizer, ["he walk"]), after[:1], atol=1e-2, rtol=1e-2)
    untuned = FoldedReader.open(tmp_path / "reader").encoder
    torch.testing.assert_close(embed(untuned, tokenizer, ["he walk"]), before[:1])
