from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dataset_world import write_vimos

import vimonet
from vimonet.bench import Options, run
from vimonet.bench.report import SECTIONS, score_sections
from vimonet.bench.scoring.score_table import RunAnswers, Section

PACKAGE = Path(vimonet.__file__).parent
NANO = PACKAGE / "weights" / "nano"


def entered(work: Callable[[], object]) -> set[str]:
    """Collect the files of the package in which a function is called while `work` runs."""
    found: set[str] = set()

    def note(frame, event, _):  # type: ignore[no-untyped-def]
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(f"{PACKAGE}/") and frame.f_code.co_name != "<module>":
            found.add(str(Path(name).relative_to(PACKAGE)))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


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
    assert len(files) <= 58, sorted(files)  # to be lowered as other rooms merge; the goal is 40


def test_a_section_is_one_entry_of_a_list(monkeypatch: pytest.MonkeyPatch, items) -> None:  # type: ignore[no-untyped-def]
    assert len({section.name for section in SECTIONS}) == len(SECTIONS)
    own = Section("count", "Count", "", lambda run: [{"n": len(run.items)}], lambda rows: f"{rows[0]['n']} asked")
    monkeypatch.setattr("vimonet.bench.report.SECTIONS", (own,))
    sections = score_sections(RunAnswers(items, {"motion": {}}))
    assert sections == {"count": [{"n": 36}]} and own.table(sections["count"]) == "36 asked"
