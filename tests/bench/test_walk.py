from __future__ import annotations

from pathlib import Path

import pytest
from call_tracer import PACKAGE, entered
from dataset_world import write_vimos

from vimonet.bench import Options, run
from vimonet.bench.report import SECTIONS, score_sections
from vimonet.bench.scoring.score_table import RunAnswers, Section

NANO = PACKAGE / "weights" / "nano"


@pytest.mark.skipif(not NANO.is_dir(), reason="no model is shipped yet")
def test_a_run_walks_through_few_files(tmp_path: Path) -> None:
    options = Options(
        write_vimos(tmp_path / "data"),
        ("body_part", "reasoning", "captioning"),
        out=tmp_path / "out",
        limit=12,
        controls=("blind", "mirrored"),
        samples=50,
        progress=False,
    )
    run(options)  # what is loaded once per process is no part of the walk
    files = entered(lambda: run(Options(**{**vars(options), "out": tmp_path / "again"})))
    assert len([name for name in files if name.startswith("bench/")]) <= 16, sorted(files)
    assert len(files) <= 83, sorted(files)  # to be lowered as other rooms merge; the goal is 40


def test_a_section_is_one_entry_of_a_list(monkeypatch: pytest.MonkeyPatch, items) -> None:  # type: ignore[no-untyped-def]
    assert len({section.name for section in SECTIONS}) == len(SECTIONS)
    own = Section("count", "Count", "", lambda run: [{"n": len(run.items)}], lambda rows: f"{rows[0]['n']} asked")
    monkeypatch.setattr("vimonet.bench.report.SECTIONS", (own,))
    sections = score_sections(RunAnswers(items, {"motion": {}}))
    assert sections == {"count": [{"n": 36}]} and own.table(sections["count"]) == "36 asked"
