"""Answers that say the steps to the result: "given blue, asked red, other, given left, so right".

A small model does not learn to compare two things and turn an answer round within one word, but it can look up one
thing after the other. The steps of an instruction, where it has some, stand in its evidence; what is judged is the
result alone. These are chains of thought (Wei et al., 2022, arXiv 2201.11903), written by the generator of the
question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SO = ", so "
"""Between the steps and the result."""

STEPS = "steps"
"""Key of an instruction's evidence."""


def with_steps(answer: str, evidence: Mapping[str, Any]) -> str:
    """The answer behind the steps that its evidence names; the bare answer where it names none."""
    steps = evidence.get(STEPS, "")
    return f"{steps}{SO}{answer}" if steps else answer


def result_of(text: str) -> str:
    """What an answer comes to: what stands behind its steps, or all of it."""
    return text.rpartition(SO)[2].strip()
