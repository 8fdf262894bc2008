"""No comparison in code that asks or claims holds a number of its own: thresholds stand in categories.py alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import vimonet

ROOT = Path(vimonet.__file__).parent
FILES = [
    *sorted(ROOT.glob("vimos/annotators/kinematic/*.py")),
    ROOT / "vimos" / "annotators" / "annotate.py",
    ROOT / "vimos" / "label_consistency.py",
    *sorted(ROOT.glob("evidence/**/*.py")),
    ROOT / "motion" / "kinematics" / "description.py",
]


def loose_thresholds(source: str) -> list[str]:
    """List the comparisons that hold a float, or an int above 3; draws (`rng.random() < 0.5`) are no thresholds."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and "rng.random()" not in ast.unparse(node):
            loose = any(
                (isinstance(number, float) and number != 0.0) or (isinstance(number, int) and number > 3)
                for number in numbers(node)
            )
            if loose:
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def numbers(node: ast.AST) -> Iterator[object]:
    """Yield the constants under a node, except those of a value that a category is asked to decide."""
    if isinstance(node, ast.Constant):
        yield node.value
    elif not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "decide"):
        for child in ast.iter_child_nodes(node):
            yield from numbers(child)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_comparison_holds_a_threshold(path: Path) -> None:
    assert loose_thresholds(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("added", ["facts.net_turn > 35", "0.2 < ratio", "abs(x) >= 0.5 * leg", "len(steps) <= 20"])
def test_an_added_threshold_is_caught(added: str) -> None:
    source = (ROOT / "vimos" / "annotators" / "kinematic" / "locomotion_questions.py").read_text(encoding="utf-8")
    assert len(loose_thresholds(f"{source}\n\ndef added(facts, ratio, x, leg, steps):\n    return {added}\n")) == 1


def test_counts_and_draws_are_no_thresholds() -> None:
    assert loose_thresholds("len(steps) >= 2 or rng.random() < 0.5 or value > TURNED.yes or speed > 0.0") == []
