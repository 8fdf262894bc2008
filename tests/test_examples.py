"""The examples run as they stand: each script in a process of its own, the notebook cell by cell."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import vimonet
from vimonet.samples import sample_path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def run(name: str, *arguments: str, cwd: Path, code: int = 0) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(vimonet.__file__).parents[1])}
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.mark.slow
def test_asking(tmp_path: Path) -> None:
    said = run("ask_a_recording.py", cwd=tmp_path)
    assert "s: left; " in said and "confidence 0." in said  # two windows, and the turn is in the first
    assert "turns: left 9" in said or "turns: left 8" in said  # the sample turns by 90 degrees


def test_measuring_needs_no_torch(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("measure_without_a_model.py", cwd=tmp_path))))
    by_name = {row["recording"]: row for row in rows}
    assert float(by_name["sample:turn_left"]["net_turn_deg"]) == pytest.approx(90, abs=8)
    assert by_name["sample:squats"]["repetitions"] == "5" and by_name["sample:fall"]["falls"] == "1"
    code = f"import runpy, sys; sys.argv = ['x']; runpy.run_path({str(EXAMPLES / 'measure_without_a_model.py')!r})\n"
    subprocess.run(
        [sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True, stdout=subprocess.DEVNULL
    )


def test_captioning_names_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "walk.bvh").write_bytes(sample_path("walk").read_bytes())
    (tmp_path / "broken.bvh").write_text("HIERARCHY\n")
    said = run("caption_a_folder.py", str(tmp_path), cwd=tmp_path, code=2)
    assert len(said.splitlines()) == 1 and "walk" in said


def test_logging_exercise(tmp_path: Path) -> None:
    events = [json.loads(line) for line in run("exercise_log.py", cwd=tmp_path).splitlines()]
    squats = [event for event in events if event["event"] == "squat"]
    assert [event["number"] for event in squats] == [1, 2, 3, 4, 5] and all(event["depth"] > 60 for event in squats)


@pytest.mark.slow
def test_training(tmp_path: Path) -> None:
    assert "answer after training:" in run("train_on_your_recordings.py", cwd=tmp_path)


@pytest.mark.slow
def test_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / "first_look.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "first_look.ipynb", "exec"), names)
    assert (tmp_path / "first_look.png").stat().st_size > 10_000
