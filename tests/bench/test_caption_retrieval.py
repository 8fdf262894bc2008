from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench_world import Observer
from tiny import tiny_motion
from tiny_evaluator import tiny_evaluator

from vimonet.bench import Judges, Options, evaluate, run
from vimonet.bench.adapters import MotionModel
from vimonet.bench.report import Report
from vimonet.bench.scoring.caption_scores import find_encoder, retrieval_rows
from vimonet.utils.errors import InputError
from vimonet.vimos.types import Item

WORDS = ("walks", "jumps", "kicks", "bows", "waves", "sits", "turns", "crawls", "climbs", "throws")
CLIPS = 40


class Knowing:
    """An evaluator that reads the clip's number: of a movement from its length, of a text from its last word."""

    fingerprint = "knowing"
    model = tiny_evaluator(keypoints=False).model

    def __init__(self) -> None:
        values = np.random.default_rng(0).standard_normal((CLIPS + 1, 16)).astype(np.float32)
        self.vectors = values / np.linalg.norm(values, axis=1, keepdims=True)

    def motions(self, motions):  # type: ignore[no-untyped-def]
        return self.vectors[[motion.frames - 20 for motion in motions]]

    def texts(self, sentences):  # type: ignore[no-untyped-def]
        assert all(sentences)
        return self.vectors[[int(s.split()[-1]) if s.split()[-1].isdigit() else CLIPS for s in sentences]]


def sentence(k: int) -> str:
    return f"a person {WORDS[k % 10]} then {WORDS[k // 10]} {k}"


def captions(source: str = "here", writers: tuple[str, ...] = ("people",), clips: int = CLIPS) -> list[Item]:
    return [
        Item(
            f"{source}/{k}",
            *(source, f"r{k}", "caption", "caption", "Describe.", sentence(k), tiny_motion(20 + k)),
            evidence={"references": [sentence(k), f"someone {WORDS[k % 10]} and {WORDS[k // 10]} {k}"]}
            | {"writers": list(writers)},
        )
        for k in range(clips)
    ]


def test_people_and_the_model_stand_beside_random_pairs() -> None:
    items = captions()
    right = {item.id: item.answer for item in items}
    same = {item.id: items[0].answer for item in items}
    silent = dict.fromkeys(right, " ")
    part = dict(list(right.items())[:5])
    (row,) = retrieval_rows(Knowing(), items, {"model": right, "same": same, "silent": silent, "part": part})
    assert (row["n"], row["clips"], row["pool"], row["evaluator"]) == (80, 40, 32, "knowing")
    assert list(row["systems"]) == ["people", "model", "same", "silent"]  # none of a system that lacks clips
    for name in ("people", "model"):
        scores = row["systems"][name]
        assert scores["r_precision@1"]["value"] == 1 and scores["mm_dist"]["value"] == pytest.approx(0, abs=1e-5)
        assert scores["random_r_precision@1"]["value"] < 0.1 and scores["random_mm_dist"]["value"] > 1
        assert (scores["r_precision@1"]["n"], scores["r_precision@1"]["recordings"]) == (80, 40)
    for name in ("same", "silent"):
        assert row["systems"][name]["r_precision@1"]["value"] < 0.1


def test_sources_and_what_cannot_be_ranked() -> None:
    items = captions() + captions("there", ("kinematic", "people"), clips=10)
    flat = Item("2d", "here", "r0", "caption", "caption", "Describe.", "flat", tiny_motion(30, dimensions=2))
    rows = {row["source"]: row for row in retrieval_rows(Knowing(), [*items, flat], {})}
    assert list(rows) == ["all", "here", "there"]
    assert list(rows["all"]["systems"]) == ["references"] and list(rows["here"]["systems"]) == ["people"]
    assert rows["here"]["clips"] == 40 and rows["all"]["clips"] == 50  # the 2D clip is left out
    assert rows["there"]["systems"] == {} and "needs 31 descriptions" in rows["there"]["lacking"]
    assert retrieval_rows(Knowing(), [flat], {}) == []


def test_a_report_has_the_section(tmp_path: Path) -> None:
    items = captions() + captions("there", clips=5)
    options = Options(out=tmp_path, controls=("blind",), samples=20, progress=False, evidence=False)
    report = evaluate(Observer(), items, options, judges=Judges(encoder=Knowing()))
    text = (tmp_path / "report.md").read_text()
    assert "## Captions find their motions" in text and "- evaluator: knowing" in text
    assert "| here | 80 | 40 | people | 1.00 (" in text
    assert "| here | 80 | 40 | model, random pairs |" in text and "| model, blind |" in text
    assert "there: retrieval: a pool of 32 needs 31" in text
    again = Report.load(tmp_path)
    people = next(row for row in again.sections["retrieval"] if row["source"] == "here")["systems"]["people"]
    score = people["r_precision@1"]
    assert (score["value"], score["high"], score["n"], score["recordings"]) == (1, 1, 80, 40) and 0.8 < score["low"] < 1
    assert report.provenance["evaluator"] == "knowing"


def test_the_evaluator_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    from dataset_world import write_vimos

    monkeypatch.setattr("vimonet.retrieval.text_motion_encoder.shipped_encoder", lambda: tmp_path / "none")
    assert find_encoder() is None
    tiny_evaluator().save(folder := tmp_path / "evaluator")
    dataset = write_vimos(tmp_path / "data", tests=40)
    settings = {"tasks": ("captioning",), "controls": (), "train_rows": 0, "samples": 20, "progress": False}
    without = run(Options(dataset, out=tmp_path / "a", **settings), MotionModel(Observer()))  # type: ignore[arg-type]
    assert without.sections["retrieval"] == [] and "evaluator" not in without.provenance
    ranked = run(
        Options(dataset, out=tmp_path / "b", encoder=folder, **settings),  # type: ignore[arg-type]
        MotionModel(Observer()),
    )
    assert ranked.provenance["evaluator"] == find_encoder(folder).fingerprint
    # Two sentences for 40 clips: no pool of 31 that say something else, and the report says so.
    assert "needs 31 descriptions" in ranked.sections["retrieval"][0]["lacking"]
    with pytest.raises(InputError, match="no text-motion encoder is in this place"):
        run(Options(dataset, out=tmp_path / "c", encoder=tmp_path / "nowhere", **settings), MotionModel(Observer()))  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()


def test_movements_that_an_evaluator_reads() -> None:
    evaluator = tiny_evaluator()
    items = captions()
    (row,) = retrieval_rows(evaluator, items, {"model": {item.id: item.answer for item in items}})
    assert row["systems"]["people"]["r_precision@3"]["n"] == 80
