from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench_world import Observer

from vimonet.bench.controls import under_condition
from vimonet.bench.predictions import Prediction, PredictionLog, ask
from vimonet.utils.errors import InputError
from vimonet.vimos.types import Item

RUN = {"checkpoint": "abc", "seed": 0}


def test_log_is_written_as_it_goes_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "predictions.jsonl"
    with PredictionLog(path, RUN) as log:
        log.add([Prediction("i1", "motion", "left\u2028ear", 0.5)])
        assert len(path.read_text().splitlines()) >= 2  # before it is closed
        log.add([Prediction("i1", "blind", "right", None)])
    with PredictionLog(path, RUN) as log:
        assert log.get("motion", "i1") == Prediction("i1", "motion", "left\u2028ear", 0.5)
        assert log.get("blind", "i1") == Prediction("i1", "blind", "right", None)
        assert log.get("motion", "i2") is None and len(log) == 2


def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with PredictionLog(path, RUN) as log:
        log.add([Prediction(f"i{k}", "motion", "é", 1.0) for k in range(3)])
    whole = path.read_bytes()
    for cut in (1, 10, 40):
        path.write_bytes(whole[:-cut])
        with PredictionLog(path, RUN) as log:
            assert len(log) == 2
            log.add([Prediction("i2", "motion", "é", 1.0)])
        assert path.read_bytes() == whole
    path.write_bytes(whole[:12])  # killed while the first line was written
    with PredictionLog(path, RUN) as log:
        assert len(log) == 0
    assert json.loads(path.read_text()) == {"run": RUN}


def test_a_log_of_another_run_or_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    PredictionLog(path, RUN)
    with pytest.raises(InputError, match="checkpoint differ"):
        PredictionLog(path, {**RUN, "checkpoint": "other"})
    for text in ("hello\n", "hello", '{"a": 1}\n', "[1]\n", '{"run": {"checkpoint": "abc", "seed": 0}}\n{"x": 1}\n'):
        path.write_text(text)
        with pytest.raises(InputError, match="no predictions"):
            PredictionLog(path, RUN)
        assert path.read_text() == text


def test_equal_blind_questions_are_asked_once(tmp_path: Path, items: list[Item], observer: Observer) -> None:
    with PredictionLog(tmp_path / "p.jsonl", RUN) as log:
        said = ask(observer, "blind", under_condition("blind", items), log, batch_size=2, progress=False)
        assert observer.asked == 3 and len(said) == len(items)
        said_of = {item.kind: said[item.id].text for item in items}
        assert said_of == {"raised": "The left hand.", "yes_no": "Yes.", "caption": "a person stands."}


def test_a_killed_run_continues_where_it_stopped(tmp_path: Path, items: list[Item]) -> None:
    asked = under_condition("motion", items)
    dying = Observer(fail_after=12)
    with pytest.raises(KeyboardInterrupt), PredictionLog(tmp_path / "p.jsonl", RUN) as log:
        ask(dying, "motion", asked, log, batch_size=4, progress=False)
    again = Observer()
    with PredictionLog(tmp_path / "p.jsonl", RUN) as log:
        said = ask(again, "motion", asked, log, batch_size=4, progress=False)
    assert dying.asked == 12 and again.asked == len(items) - 12 and len(said) == len(items)
    with PredictionLog(tmp_path / "whole.jsonl", RUN) as log:
        assert ask(Observer(), "motion", asked, log, batch_size=36, progress=False) == said


def test_a_wrong_number_of_answers_is_noticed(tmp_path: Path, items: list[Item]) -> None:
    class Short(Observer):
        def ask_batch(self, questions):  # type: ignore[no-untyped-def]
            return super().ask_batch(questions)[:-1]

    with PredictionLog(tmp_path / "p.jsonl", RUN) as log, pytest.raises(RuntimeError, match="3 answers to 4"):
        ask(Short(), "motion", under_condition("motion", items), log, batch_size=4, progress=False)
