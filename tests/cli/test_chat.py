"""`vimonet chat`: questions from standard input, one a line, each after the earlier ones."""

from __future__ import annotations

import io
import json

import pytest

from vimonet.cli import main


def chat(monkeypatch: pytest.MonkeyPatch, lines: str, *arguments: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    return main(["chat", "-m", "nano", *arguments])


def test_each_line_is_answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = "Which way does the person turn?\nHow many turns are there?\n\nnever asked\n"
    assert chat(monkeypatch, lines, "sample:turn_left", "--json") == 0
    turns = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [turn["question"] for turn in turns] == lines.split("\n")[:2]
    assert turns[0]["text"] == "left" and turns[0]["file"] == "sample:turn_left"


def test_a_bad_question_does_not_end_the_chat(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chat(monkeypatch, f"{'x' * 2001}\nWhich way does the person turn?\n", "sample:turn_left") == 0
    printed = capsys.readouterr()
    assert "at most 2,000" in printed.err and printed.out.startswith("left")


def test_the_recording_must_be_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert chat(monkeypatch, "", "-") == 2
    assert "standard input holds the questions" in capsys.readouterr().err
