"""The questions hold together, and the scorer reads answers as a person would."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from research.people import score
from vimonet.vimos.wordings import read_people

QUESTIONS = score.load_questions()
BY_ID = {question["id"]: question for question in QUESTIONS}


def test_every_question_is_asked_once_and_its_patterns_compile() -> None:
    assert len(BY_ID) == len(QUESTIONS)
    wordings = Counter(question["question"].lower().strip(" ?.!") for question in QUESTIONS)
    assert wordings.most_common(1)[0][1] == 1
    for question in QUESTIONS:
        assert question["kind"] in score.KINDS
        for pattern in [*question["accept"], *question.get("reject", ())]:
            re.compile(pattern)
        assert question["accept"] or question["range"]


def test_no_question_of_training_is_asked() -> None:
    others = [
        q for name in ("second", "third") for q in score.load_questions(score.QUESTIONS.with_name(f"{name}.jsonl"))
    ]
    asked = {question["question"].lower().strip(" ?.!") for question in [*QUESTIONS, *others]}
    taught = [row["text"] for name in ("wordings", "asks") for row in read_people(name)]
    assert len(taught) > 10_000 and not [text for text in taught if text.lower().strip(" ?.!") in asked]


def test_yes_and_no_are_balanced() -> None:
    told = Counter(question["answer"] for question in QUESTIONS if question["kind"] == "yesno")
    assert told["yes"] == told["no"]


def test_own_answers_are_right_and_of_the_right_kind() -> None:
    for question in QUESTIONS:
        assert score.is_right(question, question["answer"]), question["id"]
        assert not score.is_wrong_kind(question, question["answer"]), question["id"]


def test_triples_are_three_and_their_truth_is_whole() -> None:
    triples = defaultdict(list)
    for question in QUESTIONS:
        if "triple" in question:
            triples[question["triple"]].append((question, question["answer"]))
    assert len(triples) == 25
    for triple in triples.values():
        assert len(triple) == 3 and len({question["clip"] for question, _ in triple}) == 1
        assert not score.contradicts_itself(triple)
        turned = [(q, {"yes": "no", "no": "yes"}.get(a, a)) for q, a in triple]
        assert score.contradicts_itself(turned)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes, they are.", "yes"),
        ("No.", "no"),
        ("They do not.", "no"),
        ("They are walking.", None),
        ("I can't tell", None),
        ("I don't know", None),
        ("Right hand", None),
        ("0.0-3.2 s: yes; 3.2-5.0 s: no", "yes"),
    ],
)
def test_polarity(text: str, said: str | None) -> None:
    assert score.polarity(score.plain(text)) == said


@pytest.mark.parametrize(
    ("text", "unit", "values"),
    [
        ("about 90 cm", "m", [0.9]),
        ("in 3.2 s she covers 4.5 metres", "m", [4.5]),
        ("twice", None, [2]),
        ("twenty-two steps", None, [22]),
        ("They take 14 steps.", None, [14]),
        ("5 km/h", "m/s", [5 / 3.6]),
        ("90° to the left", "deg", [90]),
        ("they walk", None, []),
        ("102 steps per minute", "/min", [102]),
        ("no jumps", None, [0]),
        ("no", None, []),
    ],
)
def test_numbers(text: str, unit: str | None, values: list[float]) -> None:
    assert score.numbers(text, unit) == pytest.approx(values)


def test_a_paraphrase_is_right_and_a_denial_is_not() -> None:
    runs = next(question for question in QUESTIONS if question["kind"] == "action" and question["answer"] == "running")
    assert score.is_right(runs, "Someone jogs forward.")
    assert not score.is_right(runs, "They are not running.")
    assert not score.is_right(runs, "cannot tell") and not score.is_wrong_kind(runs, "cannot tell")
    assert score.is_wrong_kind(runs, "Yes.")


def test_counts_of_windows_add_up() -> None:
    steps = next(question for question in QUESTIONS if question["kind"] == "count" and question["answer"] == "22")
    assert score.is_right(steps, "0.0-5.3 s: 10; 5.3-10.8 s: 12")
    assert score.is_right(steps, "22 steps") and not score.is_right(steps, "0.0-5.3 s: 22; 5.3-10.8 s: 12")


@pytest.mark.parametrize(
    ("name", "count", "triples"),
    [("questions.jsonl", 475, 25), ("second.jsonl", 260, 15), ("third.jsonl", 240, 15), ("dev.jsonl", 351, 0)],
)
def test_a_file_of_predictions_is_scored(
    name: str, count: int, triples: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "predictions.jsonl"
    rows = [{"id": q["id"], "text": q["answer"]} for q in score.load_questions(score.QUESTIONS.with_name(name))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert score.main(["--questions", name, str(path)]) == 0
    told = capsys.readouterr().out
    assert f"| all | {count} | 1.00" in told
    assert not triples or f"0 of {triples} contradict themselves; {triples} are right" in told
    assert score.main(["--questions", "fourth.jsonl", str(path)]) == 1


def test_plain_wordings_stand_beside_the_questions_of_dev(capsys: pytest.CaptureFixture[str]) -> None:
    asked = score.load_questions(score.QUESTIONS.with_name("dev.jsonl"))
    assert all(question["plain"] and question["plain"] != question["question"] for question in asked)
    assert score.main(["--questions", "second.jsonl", "--plain"]) == 1
    assert "no plain wordings" in capsys.readouterr().err


def test_confidence_is_held_against_what_is_right() -> None:
    said = score._trust([(0.9, 1.0), (0.9, 1.0), (0.8, 0.0), (0.2, 0.0), (0.1, 0.0)])
    assert "right by fifth of confidence: .00 .00 .00 1.00 1.00" in said
    assert ".33 of the 3 answers of confidence .7 or more are wrong" in said
