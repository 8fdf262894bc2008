"""`vimonet count` prints repetitions as text, JSON and CSV, and refuses what it cannot count."""

from __future__ import annotations

import csv
import io
import json

import pytest

from vimonet.cli import main


def test_text_json_and_csv_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "sample:squats", "--exercise", "squat"]) == 0
    text = capsys.readouterr().out.splitlines()
    assert text[0].startswith("sample:squats: 5 squats (the hips go down), ") and text[0].endswith(" a minute")
    assert len(text) == 6 and "degrees of the knee" in text[1]
    assert main(["count", "sample:squats", "--exercise", "squat", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["count"] == 5 == len(record["repetitions"]) and record["exercise"] == "squat"
    assert main(["count", "sample:squats", "--exercise", "squat", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["repetition"] for row in rows] == ["1", "2", "3", "4", "5"]
    tempos = [one["tempo_per_minute"] for one in record["repetitions"]]
    first, second = record["repetitions"][:2]
    assert tempos[0] is None and tempos[1] == pytest.approx(60 / (second["time"] - first["time"]), abs=0.1)
    assert [row["tempo_per_minute"] for row in rows] == ["", *(f"{tempo:.1f}" for tempo in tempos[1:])]
    assert float(rows[0]["time_s"]) == pytest.approx(record["repetitions"][0]["time"], abs=0.01)


def test_nothing_repeats_in_a_raise(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "sample:raise_left"]) == 0
    assert capsys.readouterr().out == "sample:raise_left: 0 repetitions (nothing repeats)\n"


@pytest.mark.parametrize("camera", ["0", "rtsp://user:secret@camera/live"])
def test_a_camera_is_left_to_the_rule_of_the_watch(camera: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", camera]) == 2
    said = capsys.readouterr().err
    assert "'repetition'" in said and "vimonet watch" in said and "secret" not in said


def test_a_bad_recording_does_not_end_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "nowhere.bvh", "sample:squats", "--exercise", "squat"]) == 2
    said = capsys.readouterr()
    assert "nowhere.bvh" in said.err and "5 squats" in said.out


def test_an_unknown_exercise_is_told_before_anything_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "nowhere.mp4", "--exercise", "burpee"]) == 2
    said = capsys.readouterr().err
    assert "burpee" in said and "squat" in said and "nowhere" not in said
