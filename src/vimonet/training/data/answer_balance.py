"""Balance the answers of question forms, so that the words of a question do not reveal its answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError
from vimonet.vimos.annotators.kinematic import CANNOT_TELL
from vimonet.vimos.question_forms import FORMS
from vimonet.vimos.wordings import asked_as

Choice = tuple[str, str, Any, bool, str]
"""Question form, answer, slots of its wordings (or the question as written), whether the set of answers is closed, and
the detail of the spoken answer."""

BY_SUBJECT = frozenset(("yes_no", "near_yes_no", "fact_check", "fact_yes_no", "when", "when_or_never", "limb_moves"))
"""Forms whose answers are balanced per action or limb; otherwise the words of the question would reveal the answer."""

_ONE_ANSWER = "one answer"
"""Stands for all the actions and limbs of a form that are only affirmed or only denied."""


def _subject(question: Choice) -> tuple[str, str]:
    """Name what a question is balanced with: its form, and in some forms the action or limb."""
    form, _, words, _, _ = question
    subject = "" if isinstance(words, str) else words.get("do", words.get("limb", ""))
    return asked_as(form), subject if form in BY_SUBJECT else ""


_MASTERED, _FAILED = 0.25, 4.25
"""Factors of a form of which a model gets everything right, and of one of which it gets nothing right."""


def read_scores(path: str) -> dict[str, float]:
    """Read the share of each form that a model gets right.

    Raises:
        InputError: no file, or not a JSON object of shares.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        scores = {str(form): float(share) for form, share in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        raise InputError(
            f"{path}: not a JSON file of forms and the share right of each; see data.form_scores."
        ) from None
    if bad := [form for form, share in scores.items() if not 0.0 <= share <= 1.0]:
        raise InputError(f"{path}: the share of '{bad[0]}' is {scores[bad[0]]:g}, not between 0 and 1.")
    return scores


def balance(rows: list[list[Choice]], scores: Mapping[str, float] = MappingProxyType({})) -> list[NDArray[np.float64]]:
    """Weight the questions of all rows, so that the answers to the questions of one form are drawn about equally often.

    A rare answer is drawn at most 12 times as often as it occurs (6 times where the set of answers is open).

    Args:
        rows: questions of each row of a dataset.
        scores: share of each form that a model gets right. The weight of a form is multiplied by 4.25 at a share of
            0, by 0.25 at 1, linearly between; a form that is not there keeps its weight.

    Returns:
        Weights of the questions of each row, [Q].
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    closed: dict[tuple[str, str], bool] = {}
    subjects = [[_subject(question) for question in row] for row in rows]
    answers: dict[tuple[str, str], set[str]] = {}
    for row, own in zip(rows, subjects, strict=True):
        for question, subject in zip(row, own, strict=True):
            answers.setdefault(subject, set()).add(question[1])
    # An action or limb whose questions all have one answer would be answered by its name, without a look at the
    # movement. Within a form, all of these are balanced together: as many are affirmed as denied.
    grouped = {subject: (subject[0], _ONE_ANSWER) for subject, found in answers.items() if found in ({"yes"}, {"no"})}
    keys = [[grouped.get(subject, subject) for subject in own] for own in subjects]
    for row, own in zip(rows, keys, strict=True):
        for question, key in zip(row, own, strict=True):
            counts.setdefault(key, Counter())[question[1]] += 1
            closed[key] = closed.get(key, False) or question[3]
    factor: dict[tuple[tuple[str, str], str], float] = {}
    for key, counter in counts.items():
        total = sum(counter.values())
        if closed[key]:
            share = total / len(counter)
            # "cannot tell" is easily learnt (a missing limb, a very short clip), so it is not upweighted.
            mass = {answer: min(share, n if answer == CANNOT_TELL else 12.0 * n) for answer, n in counter.items()}
            # A rare answer limits the weight of the other: repeating its few clips would overfit them.
            limit = 2.0 * min(mass.values()) if len(counter) == 2 else float("inf")
            if len(counter) == 1 and counter.keys() <= {"yes", "no"}:
                limit = 0.0  # the group of such subjects has one answer, too
            for answer, n in counter.items():
                factor[key, answer] = min(mass[answer], limit) / n
        else:
            typical = total / len(counter)
            for answer, n in counter.items():
                factor[key, answer] = min(6.0, (typical / n) ** (1.0 if answer.isdecimal() else 0.6))
    weights = []
    for row, own in zip(rows, keys, strict=True):
        per_form = Counter(question[0] for question in row)
        shares = [
            (FORMS[q[0]].weight if q[0] in FORMS else 1.0)
            * (_FAILED + (_MASTERED - _FAILED) * scores[q[0]] if q[0] in scores else 1.0)
            * factor[key, q[1]]
            / per_form[q[0]] ** 0.5
            for q, key in zip(row, own, strict=True)
        ]
        weights.append(np.array(shares))
    return weights
