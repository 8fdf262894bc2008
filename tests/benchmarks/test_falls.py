"""Falls: complaints are counted by the names of activities, and the time until a fall is told from three moments."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.falls import COMPLAINTS, complaints, hit, waits, watched
from research.falls.material import Sample, synthetic


def test_a_fall_is_told_after_its_fastest_moment() -> None:
    fall = next(sample for sample in synthetic("test") if sample.fall is not None)
    told = hit(fall, watched(fall))
    assert told is not None
    found = waits(fall, told)
    assert list(found) == ["start", "fastest moment", "end"]
    assert found["start"] > found["fastest moment"] > found["end"]
    assert found["start"] - found["end"] == pytest.approx(fall.fall[1] - fall.fall[0])


def test_complaints_are_counted_by_name() -> None:
    base = replace(next(iter(synthetic("test"))), fall=None)
    labels = ["sit down", "do sit-ups", "pick something up with one hand", "stand up", "do push-ups", "leave the room"]
    clips: list[tuple[Sample, int]] = [(replace(base, source="a", label=label), 1) for label in labels]
    clips += [(replace(base, source="a>2d", label="sit down"), 2), (replace(base, source="sbu_interaction"), 0)]
    rows = complaints(clips)
    assert rows.keys() == COMPLAINTS.keys()
    counted = {name: (row["clips"], row["alarms"], row["views"], row["view_alarms"]) for name, row in rows.items()}
    assert counted["sitting down"] == (1, 1, 1, 2)
    assert counted["picking something up"] == counted["push-ups"] == counted["leaving at the picture's edge"]
    assert counted["push-ups"] == (1, 1, 0, 0) and counted["a second person in view"] == (1, 0, 0, 0)
    assert counted["tying shoes"] == counted["yoga"] == (0, 0, 0, 0)
