from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from vimonet.llm.motion_to_text import count_tokens, describe_motion
from vimonet.motion import Motion, load
from vimonet.motion.skeleton import T_POSE
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError


def table(text: str) -> tuple[list[str], np.ndarray]:
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("t,"))
    return lines[start].split(","), np.array([[float(x) for x in line.split(",")] for line in lines[start + 1 :]])


def column(text: str, name: str) -> np.ndarray:
    names, values = table(text)
    return values[:, names.index(name)]


def test_facts_alone_hold_no_series_and_no_name() -> None:
    motion = load(sample_path("turn_left"))
    text = describe_motion(motion, "facts")
    assert re.search(r"turns: left \d+ degrees", text)
    assert "knee_L" not in text and "turn_left" not in text
    assert text == describe_motion(motion, "facts")


def test_the_series_says_what_was_recorded() -> None:
    turning = describe_motion(load(sample_path("turn_left")), "series")
    assert column(turning, "head")[-1] > 45
    waving = describe_motion(load(sample_path("wave_right")), "series")
    assert column(waving, "hand_up_R").max() > 10 > column(waving, "hand_up_L").max()
    assert column(waving, "arm_R").max() > 60 > column(waving, "arm_L").max()
    squats = describe_motion(load(sample_path("squats")), "series", max_tokens=8000)
    assert column(squats, "knee_L").max() > 70 and column(squats, "knee_L").min() < 30
    assert np.diff(column(squats, "t")) == pytest.approx(0.25)


def test_angles_of_a_known_pose() -> None:
    """T-pose, walking 1 m to the +X side while facing +Z: that is to the left; arms at 90 degrees, nothing bent."""
    joints = np.repeat(T_POSE[None], 41, axis=0)
    joints[:, :, 0] += np.linspace(0, 1, 41)[:, None]
    text = describe_motion(Motion(joints), "series")
    assert column(text, "left")[-1] == pytest.approx(100, abs=6)  # smoothing holds the ends back a little
    assert abs(column(text, "ahead")).max() <= 1
    for side in "LR":
        assert column(text, f"arm_{side}") == pytest.approx(90, abs=6)
        assert column(text, f"elbow_{side}") == pytest.approx(0, abs=1)
        assert column(text, f"knee_{side}").max() < 5
        assert column(text, f"hand_out_{side}") == pytest.approx(52, abs=2)


@pytest.mark.parametrize("budget", [900, 1500, 4000])
def test_keeps_to_its_budget(budget: int) -> None:
    long = Motion(np.concatenate([load(sample_path("squats")).joints] * 8))
    text = describe_motion(long, "series", max_tokens=budget)
    assert count_tokens(text) <= budget
    times = column(text, "t")
    assert times[0] == 0 and (budget == 900 or times[-1] == pytest.approx(long.duration, abs=0.1))
    assert budget < 1500 or len(times) > 5
    assert count_tokens(describe_motion(long, "facts", max_tokens=100)) <= 100


def test_left_out_facts_are_counted() -> None:
    long = Motion(np.concatenate([load(sample_path("squats")).joints] * 8))
    whole, short = describe_motion(long, "facts", max_tokens=9000), describe_motion(long, "facts", max_tokens=150)
    missing = re.search(r"\((\d+) further facts left out\)", short)
    assert missing is not None and "left out" not in whole
    assert short.count("\n- ") - 1 + int(missing[1]) == whole.count("\n- ")
    assert "duration" in short


def test_two_dimensions_and_single_frames() -> None:
    flat = np.repeat(T_POSE[None], 30, axis=0) * 0.5 / 0.51
    flat[..., 2] = 0
    text = describe_motion(Motion(flat, dimensions=2), "series")
    assert "hundredths of the trunk's length" in text and "hips" not in table(text)[0]
    assert len(table(describe_motion(Motion(T_POSE[None]), "series"))[1]) == 1


def test_unseen_limbs_have_no_column() -> None:
    confidence = np.ones((30, 22), dtype=np.float32)
    confidence[:, [18, 20]] = 0
    text = describe_motion(Motion(np.repeat(T_POSE[None], 30, axis=0), confidence=confidence), "series")
    names, _ = table(text)
    assert "elbow_L" not in names and "elbow_R" in names and "not seen: left arm" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"level": "poem"}, "no level 'poem'; there are facts and series"),
        ({"max_tokens": 10}, "10 tokens are too few"),
        ({"rate": 0.0}, "rate of the series is 0"),
        ({"rate": float("nan")}, "rate of the series is nan"),
    ],
)
def test_bad_arguments(arguments: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        describe_motion(Motion(T_POSE[None]), **arguments)


def test_real_recordings(shared: Path) -> None:
    text = describe_motion(load(next(iter(sorted((shared / "samples" / "bvh_bnr").glob("*.bvh"))))), "series")
    assert count_tokens(text) <= 2000 and len(table(text)[1]) > 3
