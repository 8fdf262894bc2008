"""The house keeps its plan: few rooms in a fixed order, no import upwards, no circle, no name twice."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import vimonet

PACKAGE = Path(vimonet.__file__).parent
FLOORS = (
    *(
        "utils",
        "language",
        "video",
        "samples",
        "weights",
        "motion",
        "evidence",
        "model",
        "inference",
        "llm",
        "retrieval",
    ),
    *("vimos", "training", "bench", "page", "serve", "watch", "cli"),
)
"""Rooms from the ground up: a module imports from its own room and from those before it (docs/architecture.md)."""
# Model folders hold a file for hub users who have not installed the package: no module of ours.
FILES = sorted(file for file in PACKAGE.rglob("*.py") if file.name != "vimonet_classes.py")
MODULES = {
    ".".join(("vimonet", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): file
    for file in FILES
}


def imports(tree: ast.AST) -> Iterator[str]:
    """Modules of ours that a file imports, inside functions too; not what is there for the type checker alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "vimonet":
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "vimonet")
        yield from imports(node)


ARROWS = {name: sorted(set(imports(ast.parse(file.read_text("utf-8")))) - {name}) for name, file in MODULES.items()}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_points_upwards(module: str) -> None:
    if room(module) in ("", "__main__"):
        return  # the door: `import vimonet` opens what is asked for
    floor = FLOORS.index(room(module))
    assert [name for name in ARROWS[module] if room(name) and FLOORS.index(room(name)) > floor] == []


def test_no_import_runs_in_a_circle() -> None:
    # A package and its modules count apart; importing `vimonet` itself (its version, `load`) is no arrow.
    graph = {name: [arrow for arrow in arrows if arrow != "vimonet"] for name, arrows in ARROWS.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_few_modules_lie_loose_at_the_top() -> None:
    assert sum(file.parent == PACKAGE for file in FILES) <= 6


def test_no_module_name_stands_twice() -> None:
    names = Counter(file.stem for file in FILES if not file.stem.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []


TABLES = {"motion/kinematics/categories.py": 700}
"""Files that are one long table, with their own limit."""


def test_the_package_stays_small() -> None:
    assert len(FILES) <= 339
    # 38,700 before the pretrained model, the new formats and the server; a new line has to earn its place.
    assert sum(len(file.read_text("utf-8").splitlines()) for file in FILES) <= 64_320


def test_evidence_explains_and_checks_in_few_lines() -> None:
    # The model answers; rules that answer for it grow without end.
    assert sum(len(file.read_text("utf-8").splitlines()) for file in FILES if file.parent.name == "evidence") <= 1_200


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_file_is_read_in_one_sitting(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= TABLES.get(str(file.relative_to(PACKAGE)), 430)
