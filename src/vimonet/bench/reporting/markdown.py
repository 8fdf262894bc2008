"""Cells and tables of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def show(score: Row | None, digits: int = 2) -> str:
    """A score as text: ``.93 (.90-.95)``, or ``.93 ± .01`` over seeds; a dash where there is none."""
    if score is None:
        return "–"
    if "mean" in score:
        if score["mean"] is None:
            return "–"
        spread = "" if score["std"] is None else f" ± {_number(score['std'], digits)}"
        return _number(score["mean"], digits) + spread
    if score.get("value") is None:
        return "–"
    bounds = ""
    if score.get("low") is not None and score.get("high") is not None:
        low, high = _number(score["low"], digits), _number(score["high"], digits)
        bounds = f" ({low}–{high})" if score["low"] >= 0 else f" ({low} to {high})"
    return _number(score["value"], digits) + bounds


def value(score: Row | None, digits: int = 2) -> str:
    """A score without its interval."""
    if score is None:
        return "–"
    number = score.get("mean", score.get("value"))
    return "–" if number is None else _number(number, digits)


def _number(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars and line breaks in cells are made harmless."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows)])


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
