"""Postures over time of generated movements and of poses set by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion.kinematics import measure


def labels(action: str, seed: int, **parameters: object) -> list[str]:
    posture = measure(generate(action, seed=seed, **parameters)[0]).posture
    assert posture is not None
    return [p.label for p in posture if p.label != "airborne"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("action", "sequence"),
    [
        ("walk", ["standing"]),
        ("run", ["standing"]),
        ("sit_down", ["standing", "sitting"]),
        ("stand_up", ["sitting", "standing"]),
        ("crouch", ["standing", "crouching", "standing"]),
        ("crawl", ["on all fours"]),
    ],
)
def test_sequence_of_postures(action: str, sequence: list[str], seed: int) -> None:
    assert labels(action, seed) == sequence


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_kneeling(side: str, seed: int) -> None:
    assert labels("kneel", seed, side=side)[-1] == "kneeling"


@pytest.mark.parametrize("seed", range(5))
def test_bowing_bends_the_trunk(seed: int) -> None:
    motion, truth = generate("bow", seed=seed, degrees=75.0)
    facts = measure(motion)
    assert facts.trunk_inclination == pytest.approx(truth["trunk_bend"], abs=20.0)
    assert labels("bow", seed, degrees=75.0) == ["standing", "bending", "standing"]


@pytest.mark.parametrize(
    ("direction", "detail"),
    [
        ("forward", "face down"),
        ("backward", "face up"),
        ("left", "on the left side"),
        ("right", "on the right side"),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_how_someone_lies_after_a_fall(direction: str, detail: str, seed: int) -> None:
    posture = measure(generate("fall", seed=seed, direction=direction)[0]).posture
    assert posture is not None
    assert (posture[-1].label, posture[-1].detail) == ("lying", detail)


def test_upside_down() -> None:
    motion, _ = generate("stand", seed=0, place=False)
    flipped = motion.joints * np.array([1, -1, -1], np.float32) + np.array([0, 2.0, 0], np.float32)
    posture = measure(replace(motion, joints=flipped.astype(np.float32))).posture
    assert posture is not None and [p.label for p in posture] == ["upside down"]


def test_postures_fill_the_recording_without_gaps_or_flicker() -> None:
    for action in ("squats", "jumps", "lie_down", "fall"):
        motion, _ = generate(action, seed=4)
        noisy = motion.joints + np.random.default_rng(0).normal(0, 0.012, motion.joints.shape)
        facts = measure(replace(motion, joints=noisy.astype(np.float32)))
        posture = facts.posture
        assert posture is not None
        assert posture[0].start == 0.0 and posture[-1].end == pytest.approx(facts.duration)
        for one, two in pairwise(posture):
            assert one.end == two.start and one.label != two.label
        assert all(p.end - p.start >= 0.2 for p in posture if p.label != "airborne")


def test_certainty_is_low_near_a_threshold() -> None:
    deep = measure(generate("squats", seed=1, count=2, depth=0.5)[0]).posture
    slight = measure(generate("squats", seed=1, count=2, depth=0.235)[0]).posture
    assert deep is not None and slight is not None
    clear = [p.certainty for p in deep if p.label == "crouching"]
    near = [p.certainty for p in slight if p.label == "crouching"]
    assert min(clear) > 0.5
    assert not near or max(near) < 0.5
