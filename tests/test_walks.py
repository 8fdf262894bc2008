"""The walk of `vimonet ask`: how many files it enters, and that a recording is read, measured and asked once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from call_tracer import PACKAGE, entered

from vimonet.cli import main, shared
from vimonet.inference import answer as answers
from vimonet.inference import generating
from vimonet.inference.assistant import Assistant, load
from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.samples import sample_path

QUESTION = "Does the person move forward?"


@pytest.fixture(scope="module")
def nano() -> Assistant:
    return load("nano")


@pytest.fixture
def walk(nano: Assistant, monkeypatch: pytest.MonkeyPatch) -> str:
    """A BVH recording; the shipped model is loaded already."""
    monkeypatch.setattr(shared, "assistant", lambda args: nano)
    return str(sample_path("walk"))


def count(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list[object]:
    """Note the calls of a function."""
    calls: list[object] = []
    original = getattr(owner, name)

    def noted(*args, **kwargs):  # type: ignore[no-untyped-def]
        calls.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, noted)
    return calls


def test_ask_walks_through_few_files(walk: str) -> None:
    assert main(["ask", walk, QUESTION]) == 0  # what is loaded once per process is no part of the walk
    files = entered(lambda: main(["ask", walk, QUESTION]))
    assert {name for name in files if name.startswith("inference/")} == {
        f"inference/{name}.py" for name in ("answer", "answer_policy", "assistant", "generating", "greedy", "windows")
    }
    assert len(files) <= 64, sorted(files)


def test_three_questions_are_one_batch_about_one_reading(
    nano: Assistant, walk: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = count(monkeypatch, answers, "measure")
    extracted = count(monkeypatch, MotionFeatureExtractor, "extract")
    generated = count(monkeypatch, generating, "greedy")
    questions = [QUESTION, "Which way does the person turn?", "What is the person doing?"]
    assert main(["ask", walk, *questions, "--facts", "--evidence"]) == 0
    assert "moves: forward 4.2 m" in capsys.readouterr().out
    assert (len(measured), len(extracted), len(generated)) == (1, 1, 1)


def test_raw_words_cost_no_measuring(nano: Assistant, walk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = count(monkeypatch, answers, "measure")
    found = nano.ask(QUESTION, walk, answer_policy="raw")
    assert found.text == found.model_text and not measured
    assert found.facts is not None and found.evidence is not None and len(measured) == 1


@pytest.mark.parametrize(
    ("question", "text"),
    [("Does the person move forward?", "yes"), ("Does the person go forward?", "yes"),
     ("Does the person walk in place?", "no"), ("Is the person walking backwards?", "no"),
     ("Does the person move backward?", "no")],
)  # fmt: skip
def test_a_straight_walk_of_a_motion_capture_studio(nano: Assistant, shared: Path, question: str, text: str) -> None:
    path = shared.parent / "cases" / "07-forward-yes-no-contradicts-measurement" / "walk.bvh"
    if not path.is_file():
        pytest.skip("the recording is not there")
    assert nano.ask(question, path).text == text


def test_the_walks_of_the_page_are_true(walk: str) -> None:
    page = (PACKAGE.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8").split("## Five walks")[1]
    named = re.findall(r"`([a-z_/0-9]+\.py)`", page)
    assert (
        len(named) > 30
        and [name for name in named if name != "tests/test_walks.py" and not (PACKAGE / name).is_file()] == []
    )
    first = re.findall(r"`([a-z_/0-9]+\.py)`", page.split("**A training sample**")[0].split("**A question")[1])
    assert set(first) <= entered(lambda: main(["ask", walk, QUESTION]))
