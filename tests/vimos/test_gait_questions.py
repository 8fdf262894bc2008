"""Questions about gait, path, moments, falls and the recording: the right answers of known movements."""

from __future__ import annotations

import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import measure
from vimonet.vimos.annotators.kinematic import from_facts


def told(motion: Motion) -> dict[str, str]:
    return {q.form: q.answer for q in from_facts(measure(motion))}


@pytest.mark.parametrize(
    ("sample", "answers"),
    [
        (
            "walk",
            {
                "cadence": "122 steps per minute",
                "tempo_steady": "yes",
                "step_length": "about 0.59 metres",
                "limp": "no",
                "left_right_count": "4 left, 4 right",
                "on_the_spot": "travels",
                "farthest_from_start": "about 4.2 metres",
                "walk_pattern": "straight",
                "fall_time": "there is no fall",
                "sits_how_often": "0",
                "foot_slide": "no",
            },
        ),
        (
            "fall",
            {"fall_time": "at 0.6 seconds", "fall_direction": "to the left", "head_hits": "yes", "gets_up_again": "no"},
        ),
        (
            "raise_left",
            {
                "cadence": "there are no steps",
                "step_length": "there are no steps",
                "left_right_count": "1 left, 0 right",
                "balance_steady": "steady",
                "standing_leg": "both legs",
                "pauses": "yes",
                "on_the_spot": "on the spot",
                "loopable": "yes",
                "floor_support": "both feet",
                "movement_symmetry": "no",
            },
        ),
        ("jumps", {"landing": "on both feet", "takeoff_foot": "both feet"}),
        ("squats", {"last_reps": "alike", "tempo_steady": "yes", "front_foot": "neither foot"}),
        ("turn_left", {"walk_pattern": "a curve"}),
    ],
)
def test_the_embedded_samples_are_answered(sample: str, answers: dict[str, str]) -> None:
    found = told(load(f"sample:{sample}"))
    assert {form: found.get(form) for form in answers} == answers


def test_lying_down_and_getting_up_are_no_travelling() -> None:
    for action in ("lie_down", "get_up", "sit_down"):
        found = told(generate(action, seed=1)[0])
        assert "on_the_spot" not in found and "gets_up_again" not in found
    assert told(generate("stand_up", seed=1)[0])["get_up_time"] == "about 1.2 seconds"


def test_details_follow_the_answer() -> None:
    details = {q.form: q.evidence.get("detail") for q in from_facts(measure(load("sample:walk")))}
    assert details["step_length"] == "left 0.59, right 0.60"
    assert details["frames"] == "recorded at 30"
