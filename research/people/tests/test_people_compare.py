"""Questions about two recordings: both orders are asked, and answers are read as a person would."""

from __future__ import annotations

import json

from research.people import compare
from vimonet.motion import Motion, load
from vimonet.vimos.types import Clip, Question
from vimonet.vimos.wordings import read_people


def clips() -> list[Clip]:
    made = []
    for name, action in (
        ("walk", "walk"),
        ("jumps", "jump"),
        ("raise_left", "raise the left hand"),
        ("sit", "sit down"),
    ):
        made.append(Clip(name, "samples", name, "test", Motion(load(f"sample:{name}").joints, name=name), action))
    return made


def test_both_orders_are_asked() -> None:
    asked = list(compare.questions_of(clips(), 12, 0))
    orders: dict[int, set[tuple[str, ...]]] = {}
    for one in asked:
        orders.setdefault(one["pair"], set()).add(tuple(one["clips"]))
    assert orders and all(len(both) == 2 for both in orders.values())
    assert all("{" not in one["question"] for one in asked)
    assert {one["of"].form for one in asked} >= {"compare_action", "compare_of", "compare_longer"}


def test_answers_are_read() -> None:
    which = Question(
        "comparison", "compare_faster", "the first clip", {}, ("the first clip", "the second clip", "about the same")
    )
    assert compare.is_right(which, "1.20 m/s and 0.31 m/s: the first clip") and compare.is_right(which, "The first.")
    assert not compare.is_right(which, "the second clip") and not compare.is_right(which, "yes")


def test_no_wording_of_training_is_asked() -> None:
    taught = {row["text"].lower().strip(" ?.!") for row in read_people("comparisons")}
    kept = [json.loads(line)["text"] for line in compare.WORDINGS.read_text("utf-8").splitlines()]
    assert len(kept) == 98 and not [text for text in kept if text.lower().strip(" ?.!") in taught]
