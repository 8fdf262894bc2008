"""Categories: thresholds decide outside their dead zones only, and name what the embedded recordings show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from vimonet.motion import load
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics import measure
from vimonet.motion.kinematics.facts import Facts


@pytest.fixture(scope="module")
def facts() -> dict[str, Facts]:
    names = ("walk", "turn_left", "turn_right", "wave_right", "raise_left", "squats", "fall", "jumps", "sit")
    return {name: measure(load(f"sample:{name}")) for name in names}


def test_a_threshold_claims_nothing_in_its_dead_zone() -> None:
    assert [c.TURNED.decide(value) for value in (None, 10.0, 15.0, 20.0, 35.0, 40.0)] == [
        None,
        False,
        None,
        None,
        None,
        True,
    ]
    lower_is_yes = c.GOES_LOW
    assert [lower_is_yes.decide(value) for value in (0.5, 0.7, 0.9)] == [True, None, False]


def test_a_scale_has_gaps() -> None:
    named = [c.TRAVEL_SPEED.name(value) for value in (0.0, 0.2, 0.5, 0.85, 1.4, 2.0, 3.0)]
    assert named == ["still", None, "slow", None, "walking", None, "running"]


def test_what_the_samples_show(facts: dict[str, Facts]) -> None:
    assert c.displacement_class(facts["walk"]) == "forward" and c.moves_away(facts["walk"]) is True
    assert c.displacement_class(facts["squats"]) == "in place" and c.speed_class(facts["squats"]) == "still"
    assert c.turn_class(facts["turn_left"]) == "left" and c.turn_class(facts["turn_right"]) == "right"
    assert c.turn_class(facts["walk"]) == "none"
    assert [c.raised_hand(facts["wave_right"], side) for side in ("left", "right")] == [False, True]
    assert c.falls(facts["fall"]) is True and c.falls(facts["walk"]) is False
    assert c.jumps(facts["jumps"]) is True and c.jumps(facts["walk"]) is False
    assert c.steps_countable(facts["walk"]) is True and c.steps_countable(facts["wave_right"]) is False


def test_directions_have_dead_zones_of_length_and_of_angle() -> None:
    assert c.direction_class(0.1, 0.0, 0.8) == "in place"
    assert c.direction_class(0.3, 0.0, 0.8) is None  # more than a shift of weight, less than a step
    assert [c.direction_class(2.0, angle, 0.8) for angle in (0.0, 90.0, 180.0, -90.0, 40.0)] == [
        *("forward", "left", "backward", "right"),
        None,  # between forward and left
    ]


def test_two_limbs_alike_are_both(facts: dict[str, Facts]) -> None:
    assert [c.more_of_two(*pair) for pair in ((1.0, 0.5), (0.5, 1.0), (1.0, 1.05), (1.0, 0.75), (0.1, 0.02))] == [
        *("left", "right", "both"),
        *(None, None),
    ]
    assert c.arms_or_legs(facts["wave_right"]) == "arms"


def test_a_fast_drop_that_is_no_fall_is_left_open(facts: dict[str, Facts]) -> None:
    assert c.falls(replace(facts["walk"], peak_drop_speed=1.2)) is None


def test_a_third_needs_a_brief_event_away_from_the_limits() -> None:
    assert [c.third_of(start, start + 1.0, 9.0) for start in (1.0, 4.0, 7.0, 2.5)] == [
        "beginning",
        "middle",
        "end",
        None,
    ]
    assert c.third_of(0.0, 5.0, 9.0) is None and c.third_of(0.2, 0.4, 1.0) is None


def test_the_page_shows_the_table() -> None:
    root = Path(__file__).parents[3]
    table = subprocess.run(
        [sys.executable, str(root / "scripts" / "categories_table.py")],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(root / "src")},
    ).stdout  # fmt: skip
    assert table.count("\n") > 60
    assert table in (root / "docs" / "kinematics.md").read_text(encoding="utf-8")


def test_every_category_of_the_page_decides_something() -> None:
    package = Path(__file__).parents[3] / "src" / "vimonet"
    tables = [file for file in package.glob("motion/kinematics/*categories.py")]
    texts = [file.read_text("utf-8") for file in package.rglob("*.py")]
    for name in re.findall(
        r"^([A-Z_]+): Final = (?:Threshold|Scale)\(", "".join(f.read_text("utf-8") for f in tables), re.M
    ):
        assert sum(len(re.findall(rf"\b{name}\b", text)) for text in texts) > 1, name
