"""Jumps and falls, and what is neither."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from research.vimos_open.synthesis import ACTIONS, generate
from vimonet.motion.kinematics import measure


@pytest.mark.parametrize("seed", range(6))
def test_jumps_are_counted_timed_and_measured(seed: int) -> None:
    motion, truth = generate("jumps", seed=seed)
    jumps = measure(motion).jumps
    assert jumps is not None and len(jumps) == truth["jumps"]
    for jump, off, on in zip(jumps, truth["take_offs"], truth["landings"], strict=True):
        assert jump.start == pytest.approx(off, abs=0.16)
        assert jump.end == pytest.approx(on, abs=0.16)
        assert 0.4 * truth["height"] < jump.height < 1.2 * truth["height"] + 0.05


def test_a_jump_forward() -> None:
    motion, truth = generate("jumps", seed=1, count=2, distance=0.6)
    facts = measure(motion)
    assert facts.jumps is not None and len(facts.jumps) == 2
    assert facts.displacement == pytest.approx(truth["displacement"], abs=0.1)
    assert facts.displacement_direction == "forward"


@pytest.mark.parametrize("action", [a for a in ACTIONS if a not in {"jumps", "jumping_jacks"}])
def test_nothing_else_is_a_jump(action: str) -> None:
    assert all(not measure(generate(action, seed=seed)[0]).jumps for seed in range(3))


@pytest.mark.parametrize("direction", ["forward", "backward", "left", "right"])
@pytest.mark.parametrize("seed", range(4))
def test_falls(direction: str, seed: int) -> None:
    facts = measure(generate("fall", seed=seed, direction=direction)[0])
    assert facts.falls is not None and len(facts.falls) == 1
    assert facts.falls[0].drop > 0.4 and facts.falls[0].speed == pytest.approx(facts.peak_drop_speed)


@pytest.mark.parametrize("action", [a for a in ACTIONS if a != "fall"])
def test_nothing_else_is_a_fall(action: str) -> None:
    assert all(not measure(generate(action, seed=seed)[0]).falls for seed in range(3))


def test_a_slow_fall_is_lying_down() -> None:
    motion, _ = generate("fall", seed=0, direction="backward")
    slow = np.repeat(motion.joints, 4, axis=0)
    assert measure(replace(motion, joints=slow)).falls == ()


def test_jitter_of_a_depth_sensor_makes_no_events() -> None:
    rng = np.random.default_rng(1)
    for seed in range(5):
        motion, _ = generate("stand", seed=seed)
        noisy = replace(motion, joints=(motion.joints + rng.normal(0, 0.02, motion.joints.shape)).astype(np.float32))
        facts = measure(noisy)
        assert not facts.jumps and not facts.falls and not facts.turns and facts.raised() == "none"
        assert len(facts.steps or ()) == 0 and facts.displacement_direction == "in place"
