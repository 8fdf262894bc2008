"""What an action means for an answer follows the relations of actions, and a matcher learns it."""

from __future__ import annotations

import random

import torch

from research.mini.train_matcher import Asked, Pairs, actions, questions, train
from vimonet.model.action_matching import NO, OPEN, YES


def test_every_action_is_asked_about_and_other_forms_ask_about_none() -> None:
    some = ["walk", "sprint", "wave the left hand", "sit down"]
    asked = questions(some, random.Random(0))
    assert set(some) <= {one.action for one in asked} and "" in {one.action for one in asked}
    assert not any("{" in one.text or not one.text for one in asked)
    assert asked == questions(some, random.Random(0))
    assert len(actions()) > 900 and actions() == sorted(set(actions()))


def test_relations_say_what_an_action_means() -> None:
    every = ["run", "sit down", "sprint", "stand", "walk", "wave the left hand"]
    still = Pairs([Asked("Is he standing?", "stand", "")], every).draw([0], 500, random.Random(0))
    assert OPEN in {meaning for done, meaning in zip(*still[1:], strict=True) if every[done] == "wave the left hand"}
    assert NO not in {meaning for done, meaning in zip(*still[1:], strict=True) if every[done] == "wave the left hand"}
    pairs = Pairs([Asked("Is he running?", "run", ""), Asked("How many?", "", "")], every)
    rng = random.Random(0)
    drawn = list(zip(*pairs.draw([0, 1], 4000, rng), strict=True))
    found = {every[done]: meaning for row, done, meaning in drawn if row == 0}
    assert found["run"] == found["sprint"] == YES
    assert found["walk"] == found["wave the left hand"] == NO
    assert {meaning for row, _, meaning in drawn if row == 1} == {OPEN}


def test_a_matcher_learns_pairs() -> None:
    every = ["run", "sit down", "walk"]
    asked = [Asked(f"{action} {n}", action, "") for n in range(20) for action in every]
    vectors = torch.eye(16)[[every.index(one.action) for one in asked]]
    of_actions = torch.eye(16)[[8, 9, 10]]
    matcher = train(vectors, of_actions, Pairs(asked, every), range(len(asked)), steps=150, seed=0)
    told = torch.stack([matcher(vectors[:3], of_actions[[k]].expand(3, -1)).argmax(-1) for k in range(3)])
    assert torch.equal(told == YES, torch.eye(3, dtype=torch.bool)) and int((told == NO).sum()) == 6
