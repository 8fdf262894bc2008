"""Repetition counts: exact where the movement is slow, within one where it is fast, None where nothing repeats."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion import Motion
from vimonet.motion.kinematics import measure
from vimonet.motion.kinematics.repetitions import find_chain, find_swings


@pytest.mark.parametrize("count", [2, 3, 5, 8])
@pytest.mark.parametrize(
    ("action", "limb"), [("squats", "whole body"), ("jumps", "whole body"), ("jumping_jacks", "both arms")]
)
def test_slow_repetitions_are_exact(action: str, limb: str, count: int) -> None:
    for seed in range(4):
        found = measure(generate(action, seed=seed, count=count)[0]).repetitions
        assert found is not None and found.count == count
        assert found.limb in {limb, "both arms"} and found.regularity >= 0.5
        assert 0.3 < found.period < 3.0


def test_fast_repetitions_are_within_one_most_times() -> None:
    errors = []
    for seed in range(12):
        for action, count in (("wave", 6), ("punch", 5)):
            motion, truth = generate(action, seed=seed, count=count)
            found = measure(motion).repetitions
            errors.append(99 if found is None else abs(found.count - count))
            if found is not None:
                assert found.limb in {f"{truth['side']} arm", "both arms"}
    assert np.mean(np.array(errors) <= 1) >= 0.8


def test_the_first_swing_of_a_wave_is_told_from_the_raise_of_the_hand() -> None:
    errors = []
    for seed in range(40, 52):
        for count in (4, 6, 9):
            found = measure(generate("wave", seed=seed, count=count)[0]).repetitions
            errors.append(99 if found is None else abs(found.count - count))
            assert found is None or len(found.times) == found.count
    assert np.mean(np.array(errors) == 0) >= 0.6 and np.mean(np.array(errors) <= 1) >= 0.95


def test_waves_of_three_swings_are_counted_behind_the_raise_of_the_hand() -> None:
    found = [measure(generate("wave", seed=seed, count=3)[0]).repetitions for seed in range(24)]
    counts = [1 if one is None else one.count for one in found]
    assert counts.count(3) >= 20 and max(counts) <= 4, counts


@pytest.mark.parametrize(("halves", "count"), [(3, None), (4, 3), (5, 3), (6, 3), (7, 4), (9, 5)])
def test_swings_behind_a_raise_are_counted_by_their_halves(halves: int, count: int | None) -> None:
    turns = [0.9 if k % 2 == 0 else 0.7 for k in range(halves + 1)]  # from the end of the raise to the return
    places = [0.0, *turns, 0.0 if turns[-1] == 0.9 else 1.6]
    x = np.interp(np.arange(6 * halves + 31), [0, *range(15, 6 * halves + 16, 6), 6 * halves + 30], places)
    chain = find_swings(x, x[:, None] * np.array([0.3, 1.0, 0.2]), 0.05)
    assert (None if chain is None else len(chain.peaks)) == count


def test_halves_that_differ_are_no_swings() -> None:
    x = np.interp(np.arange(80), [0, 15, 20, 26, 30, 36, 41, 60], [0.0, 0.9, 0.75, 0.85, 0.6, 0.8, 0.6, 0.0])
    assert find_swings(x, x[:, None] * np.array([0.3, 1.0, 0.2]), 0.05) is None


@pytest.mark.parametrize(("missing", "count"), [(0, 2), (3, 2), (8, None)])
def test_two_repetitions_come_back(missing: int, count: int | None) -> None:
    x = np.concatenate([np.zeros(10), np.tile(0.2 - 0.2 * np.cos(np.arange(24) / 12 * np.pi), 2)])
    x = x[: len(x) - missing]  # without its last 8 frames the second one comes back by a quarter
    chain = find_chain(x, x[:, None] * np.array([0.3, 1.0, 0.2]), 0.1, 20.0)
    assert (None if chain is None else len(chain.peaks)) == count


@pytest.mark.parametrize("action", ["stand", "bow", "kick", "raise_hand", "sit_down", "crouch", "fall", "lie_down"])
def test_nothing_repeats(action: str) -> None:
    assert sum(measure(generate(action, seed=seed)[0]).repetitions is not None for seed in range(6)) <= 1


def test_noise_does_not_change_the_count() -> None:
    rng = np.random.default_rng(3)
    for seed in range(5):
        motion, truth = generate("squats", seed=seed, count=4)
        noisy = replace(motion, joints=(motion.joints + rng.normal(0, 0.015, motion.joints.shape)).astype(np.float32))
        found = measure(noisy).repetitions
        assert found is not None and found.count == truth["count"]


@pytest.mark.parametrize(
    ("source", "key", "count", "limb"),
    [
        ("kinder_gator", "p169_23", 6, "both arms"),  # jumping jacks, counted on the picture
        ("kinder_gator", "p169_27", 6, "both arms"),  # flies like a bird
        ("kinder_gator", "p934_17", 6, "both legs"),  # walks in place, per leg
        ("kinder_gator", "p474_29", 5, "both arms"),  # swims
        ("utd_mhad", "a17_s1_t1", None, ""),  # one tennis serve
        ("utd_mhad", "a15_s1_t1", None, ""),  # one swing of a bat
        ("kinder_gator", "p565_49", None, ""),  # one kick
        ("kinder_gator", "p337_05", None, ""),  # one bow, in which the arms swing and are cut off
    ],
)
def test_counts_made_by_hand(shared: Path, source: str, key: str, count: int | None, limb: str) -> None:
    row = next(
        r for r in json.loads((shared / "labelled" / "index.json").read_text())[source] if r["id"].startswith(key)
    )
    file = np.load(shared / "labelled" / f"{source}.npz")
    joints = file["joints"][row["start"] : row["start"] + row["frames"]].astype(np.float32)
    found = measure(Motion(joints * np.float32(file["scale"]))).repetitions
    assert (found.count if found else None, found.limb if found else "") == (count, limb)
    if found:
        assert len(found.times) == count and list(found.times) == sorted(found.times)
