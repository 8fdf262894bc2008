from __future__ import annotations

import pytest

from vimonet.bench.tasks import (
    EXACT,
    Rule,
    choice_of,
    list_options,
    number_in,
    overlap,
    span_in,
    time_in,
)

OPTIONS = ("left hand", "right hand", "both hands")


@pytest.mark.parametrize(
    ("said", "index"),
    [
        ("right hand", 1),
        ("The right hand.", 1),
        ("B", 1),
        ("(B) right hand", 1),
        ("b.", 1),
        ("Answer: C", 2),
        ("The best answer is (A)", 0),
        ("It is the left hand that moves", 0),
        ("left hand or right hand", None),
        ("D", None),
        ("Because", None),
        ("", None),
    ],
)
def test_choice_by_text_or_letter(said: str, index: int | None) -> None:
    assert choice_of(said, OPTIONS) == index


def test_letter_rule_and_its_list() -> None:
    rule = Rule("letter")
    assert list_options(OPTIONS).splitlines()[1] == "(B) right hand"
    assert list_options([str(k) for k in range(30)]).startswith("Answer with one of: 0, 1")
    assert rule.score("B)", "right hand", OPTIONS) == 1 and rule.score("A", "right hand", OPTIONS) == 0
    assert rule.score("nothing of these", "right hand", OPTIONS) == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("about 1.5 seconds", 1.5),
        ("three steps", 3),
        ("2s", 2),
        ("-4 degrees", -4),
        ("1.5 to 2", None),
        ("none", None),
        ("2 and two", 2),
    ],
)
def test_number_in(text: str, number: float | None) -> None:
    assert number_in(text) == number


def test_number_within_tolerance() -> None:
    rule = Rule("number", tolerance=0.5, relative=0.1)
    assert rule.score("about 3.5 seconds", "about 3 seconds") == 1
    assert rule.score("4 s", "about 3 seconds") == 0
    assert rule.score("111", "100") == 0 and rule.score("110.4", "100") == 1
    assert rule.score("cannot tell", "3") == 0
    assert rule.score("does not travel", "does not travel") == 1  # words are matched exactly
    assert rule.score("I can't tell", "cannot tell") == 1


def test_time_and_span() -> None:
    assert time_in("at 1:30") == 90 and time_in("at 2 seconds") == 2 and time_in("1:30 or 1:40") is None
    assert Rule("time", tolerance=0.5).score("2 s", "at 1.5 seconds") == 1
    assert span_in("from 1.0 to 2.5 s") == (1, 2.5) and span_in("1-2 s") == (1, 2) and span_in("0:01-0:03") == (1, 3)
    assert span_in("2 to 1") is None and span_in("at 2") is None
    assert Rule("span").score("1 to 3 seconds", "2 to 4 seconds") == pytest.approx(1 / 3)
    assert overlap((0, 1), (2, 3)) == 0 and overlap(None, (0, 1)) == 0 and overlap((1, 1), (1, 1)) == 0


def test_exact_is_the_normaliser() -> None:
    assert EXACT.score("The left hand.", "left hand") == 1 and EXACT.score("hand", "left hand") == 0
