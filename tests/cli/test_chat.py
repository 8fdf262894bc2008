"""`vimonet chat`: questions from standard input, one a line, each after the earlier ones."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from vimonet.cli import main
from vimonet.samples import sample_path


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


def test_a_chat_reads_as_ask_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    film = tmp_path / "people.json"
    film.write_bytes(sample_path("squats_coco17").read_bytes())
    question = "What is the person doing?"
    assert main(["ask", str(film), question, "-m", "nano"]) == 0
    asked = capsys.readouterr()
    assert chat(monkeypatch, f"{question}\n", str(film)) == 0
    chatted = capsys.readouterr()
    assert (chatted.out, chatted.err) == (asked.out, asked.err)


def test_a_chat_is_about_one_person(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert chat(monkeypatch, "", "sample:walk", "--person", "all") == 2
    assert "--person" in capsys.readouterr().err
