"""`vimonet data annotate` against an endpoint on this machine: whole, killed and given again, and with failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("httpx2")
from fake_endpoint import FakeEndpoint, status

import vimonet
from research.vimos_open.synthesis import generate
from vimonet.cli import main
from vimonet.vimos.annotators.llm_annotator import PROMPT_VERSION
from vimonet.vimos.parquet import Record
from vimonet.vimos.reading import read_records

ROWS = ("walk", "wave", "jumps", "squats")
PER_ROW = 6  # captions and five styles


def writes(body: dict[str, Any]) -> str:
    """A model that cites the first fact or frame it is shown."""
    content = body["messages"][1]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    if "different captions" in text:
        name = "V1" if "V1:" in text else "F1"
        return json.dumps({"items": [{"text": f"Somebody moves, by {name}.", "evidence": [name]}]})
    style = text.split('in the style "')[1].split('"')[0]
    row = {"question": f"Is it {style}?", "answer": "yes", "options": ["yes", "no"], "evidence": ["F1"]}
    return json.dumps({"items": [row, {**row, "evidence": ["F99"]}]})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four movements and a video."""
    from video_clips import make

    root = tmp_path_factory.mktemp("recordings")
    for number, action in enumerate(ROWS):
        np.save(root / f"{action}.npy", generate(action, seed=number)[0].joints)
    make(root / "film.mp4", 20)
    out = root.parent / "vimos"
    assert main(["data", "build", "folder", "--root", str(root), "-o", str(out), "--workers", "0"]) == 0
    return out


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def annotate(dataset: Path, fake: FakeEndpoint, out: Path, *more: str) -> list[str]:
    command = ["data", "annotate", str(dataset), "--base-url", fake.url, "--llm-model", "llm-1", "-o", str(out)]
    return [*command, "--workers", "1", *more]


def rows(folder: Path) -> dict[str, Record]:
    splits = json.loads((folder / "vimos.json").read_text())["rows"]
    return {record.id: record for split in splits for record in read_records(folder, split)}


def test_rows_gain_what_the_model_wrote_and_keep_what_they_had(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeEndpoint(writes) as fake:
        assert main(annotate(dataset, fake, tmp_path / "out")) == 0
        asked = len(fake.bodies)
    before, after = rows(dataset), rows(tmp_path / "out")
    assert after.keys() == before.keys() and asked == PER_ROW * len(ROWS) + 1
    generator = f"llm:llm-1/{PROMPT_VERSION}"
    for name, record in after.items():
        added = record.instructions[len(before[name].instructions) :]
        assert record.instructions[: -len(added) or None] == before[name].instructions
        moves = record.motion is not None
        assert [one.question for one in added] == [
            f"Is it {style}?" for style in ("sequence", "direction", "body part", "reasoning", "hallucination") if moves
        ]
        assert {one.generator for one in added} == ({generator} if moves else set())
        caption = record.captions[-1]
        assert (caption.text, caption.generator) == (f"Somebody moves, by {'F1' if moves else 'V1'}.", generator)
    error = capsys.readouterr().err
    assert f"dropped {5 * len(ROWS)} answers: evidence that was not shown" in error
    assert generator in (tmp_path / "out" / "README.md").read_text()
    assert main(["data", "validate", str(tmp_path / "out")]) == 0


def test_killed_and_given_again_it_comes_out_the_same_and_asks_nothing_twice(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def slowly(body: dict[str, Any]) -> str:
        time.sleep(0.05)
        return writes(body)

    environment = {**os.environ, "PYTHONPATH": str(Path(vimonet.__file__).parents[1])}
    with FakeEndpoint(slowly) as fake:
        command = [sys.executable, "-m", "vimonet", *annotate(dataset, fake, out)]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while len(fake.bodies) < 9 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert 9 <= len(fake.bodies) < PER_ROW * len(ROWS) and not (out / "vimos.json").exists()
        assert main(annotate(dataset, fake, out)) == 0
        # The request under way when the process died is asked again; all that were answered are not.
        assert len(fake.bodies) <= PER_ROW * len(ROWS) + 1 + 1
        whole = tmp_path / "whole"
        assert main(annotate(dataset, fake, whole)) == 0
    assert json.loads((out / "vimos.json").read_text()) == json.loads((whole / "vimos.json").read_text())


def test_what_failed_is_named_and_asked_again_with_the_same_command(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with FakeEndpoint(writes, [None, status(400, text="filtered")]) as fake:
        assert main(annotate(dataset, fake, out, "--styles", "sequence", "direction")) == 2
        asked, error = len(fake.bodies), capsys.readouterr().err
        failed = error[error.index("vimonet: 1 ") :].splitlines()
        assert len(failed) == 2 and "sequence: " in failed[1] and "filtered" in failed[1]
        assert sum(len(one.instructions) for one in rows(out).values()) == (
            sum(len(one.instructions) for one in rows(dataset).values()) + 2 * len(ROWS) - 1
        )
        assert main(annotate(dataset, fake, out, "--styles", "sequence", "direction")) == 0
        assert len(fake.bodies) == asked + 1 and "failed" not in capsys.readouterr().err
        assert json.loads((out / "vimos.json").read_text())["skipped"] == []


def test_other_splits_are_copied(dataset: Path, tmp_path: Path) -> None:
    split = next(iter(json.loads((dataset / "vimos.json").read_text())["rows"]))
    with FakeEndpoint(writes) as fake:
        assert main(annotate(dataset, fake, tmp_path / "out", "--splits", split, "--num-questions", "0")) == 0
    before, after = rows(dataset), rows(tmp_path / "out")
    for name, record in after.items():
        assert len(record.captions) - len(before[name].captions) == (1 if record.split == split else 0)
        assert record.instructions == before[name].instructions


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--styles", "poem"], "there is no style 'poem'"),
        (["--splits", "nothing"], "no split 'nothing'"),
        (["--frames", "0"], "0 key frames show nothing"),
        (["--num-questions", "-1"], "-1 questions"),
    ],
)
def test_bad_options_are_told_in_a_sentence(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], text: str
) -> None:
    with FakeEndpoint(writes) as fake:
        assert main(annotate(dataset, fake, tmp_path / "out", *more)) == 2
        assert text in capsys.readouterr().err and not (tmp_path / "out").exists() and not fake.bodies
        assert main(annotate(dataset, fake, dataset)) == 2
        assert "this is the dataset itself" in capsys.readouterr().err
