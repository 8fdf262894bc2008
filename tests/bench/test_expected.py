from __future__ import annotations

from typing import Any

import pytest
from bench_world import body

from vimonet.bench.controls import expected_answer
from vimonet.vimos.types import Item

WALK_WAVE = {"parts": [("walk", 0.0, 2.0), ("wave the left hand", 2.0, 4.0)]}
SIT_WAVE = {"parts": [("sit down", 0.0, 2.0), ("wave the left hand", 2.0, 4.0)]}


def item(form: str, answer: str, evidence: dict[str, Any] | None = None, kind: str = "x") -> Item:
    return Item("i", "s", "r", kind, form, "Question?", answer, body(frames=4), evidence=evidence or {})


@pytest.mark.parametrize(
    ("control", "form", "answer", "evidence", "expected"),
    [
        ("mirrored", "raised_hand", "left hand", {}, "right hand"),
        ("mirrored", "steps", "3", {}, "3"),
        ("mirrored", "order", "left and right", {}, "left and right"),
        ("reversed", "turn", "left", {}, "right"),
        ("reversed", "turn_amount", "about 90 degrees to the left", {}, "about 90 degrees to the right"),
        ("reversed", "first_turn", "left", {"turns": [(90, 0, 1), (-80, 2, 3)]}, "left"),
        ("reversed", "last_turn", "right", {"turns": [(90, 0, 1), (-80, 2, 3)]}, "right"),
        ("reversed", "order", "before", WALK_WAVE, "after"),
        ("reversed", "order_yes_no", "yes", WALK_WAVE, "no"),
        ("reversed", "first", "walking", WALK_WAVE, "waving the left hand"),
        ("reversed", "last", "waving the left hand", WALK_WAVE, "walking"),
        ("reversed", "order", "before", SIT_WAVE, None),  # sitting down in reverse is standing up
        ("reversed", "action", "walking", WALK_WAVE, None),
        ("reversed", "when:turn", "at the beginning", {}, "at the end"),
        ("reversed", "when:fall", "at the beginning", {}, None),
        ("reversed", "fact_yes_no:turn to the left", "yes", {"net_turn_deg": 90.0}, "no"),
        ("reversed", "fact_yes_no:turn to the right", "no", {"net_turn_deg": 90.0}, "yes"),
        ("reversed", "fact_yes_no:jump", "yes", {}, "yes"),
        ("reversed", "fact_yes_no:fall", "yes", {}, None),
        ("reversed", "pace_change", "speeds up", {}, "slows down"),
        ("reversed", "more_active_arm", "left arm", {}, "left arm"),
        ("frozen", "turn", "left", {}, "does not turn"),
        ("frozen", "steps", "4", {}, "0"),
        ("frozen", "fact_yes_no:jump", "yes", {}, "no"),
        ("frozen", "fact_yes_no:bend over", "yes", {}, None),
        ("frozen", "posture_start", "sitting", {}, "sitting"),
        ("frozen", "action", "walking", {}, None),
        ("shuffled", "turn", "left", {}, None),
    ],
)
def test_expected_answers(control: str, form: str, answer: str, evidence: dict, expected: str | None) -> None:
    assert expected_answer(item(form, answer, evidence), control) == expected


def test_captions_have_no_right_answer() -> None:
    assert expected_answer(item("caption", "walks to the left", kind="caption"), "mirrored") is None
