"""Steps, standing, path, moments and the recording itself: true values of made-up and embedded movements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from research.vimos_open.synthesis import generate
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.gait_categories import GROUND_SLIDES, LIMPS, alike


def walk(seed: int = 0, **given: float) -> Facts:
    return measure(generate("walk", seed=seed, **given)[0])


@pytest.mark.parametrize("action", ["walk", "run", "walk_backward"])
@pytest.mark.parametrize("seed", range(4))
def test_a_step_is_as_long_as_the_pelvis_goes_in_its_time(action: str, seed: int) -> None:
    motion, truth = generate(action, seed=seed)
    gait = measure(motion).gait
    assert gait is not None and gait.length is not None and gait.width is not None
    step_time = 60.0 / gait.cadence
    assert gait.length == pytest.approx(truth["speed"] * step_time, rel=0.12)
    assert 0.1 < gait.width < 0.3
    assert alike(gait.side_time["left"], gait.side_time["right"], 0.1) < LIMPS.no


def test_the_embedded_walk() -> None:
    gait = measure(load("sample:walk")).gait
    assert gait is not None and gait.length is not None
    assert gait.cadence == pytest.approx(122, abs=4) and gait.unevenness < 0.1
    assert gait.length == pytest.approx(1.2 * 60.0 / gait.cadence, abs=0.03)
    assert gait.lines()[0].startswith(
        "gait: cadence 122 per minute, length 0.59 m (left 0.59, right 0.60), width 0.20 m"
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("held", ["ground", "all"])
def test_a_walk_whose_root_is_held_has_as_many_and_as_long_steps(seed: int, held: str) -> None:
    motion, truth = generate("walk", seed=seed)
    joints = motion.joints.copy()
    joints[..., [0, 2]] -= joints[:, :1, [0, 2]]
    if held == "all":
        joints[..., 1] -= joints[:, :1, 1] - joints[0, 0, 1]
    free, fixed = measure(motion), measure(replace(motion, joints=joints))
    assert fixed.steps is not None and free.gait is not None and fixed.gait is not None
    assert abs(len(fixed.steps) - truth["steps"]) <= 1
    assert free.gait.length is not None
    assert fixed.gait.length == pytest.approx(free.gait.length, rel=0.15)
    assert fixed.displacement_direction == "in place"
    assert fixed.check is not None and free.check is not None
    assert GROUND_SLIDES.decide(fixed.check.foot_slide) is True and GROUND_SLIDES.decide(free.check.foot_slide) is False


@pytest.mark.parametrize("seed", range(3))
def test_stepping_on_the_spot_is_left_as_it_is(seed: int) -> None:
    for action in ("kick", "jumping_jacks", "squats", "wave", "turn_in_place"):
        facts = measure(generate(action, seed=seed)[0])
        assert facts.gait is None or facts.gait.length is None or facts.gait.length < 0.2


def test_a_swing_that_the_end_cuts_off_is_no_step() -> None:
    motion, _ = generate("walk", seed=1)
    strikes = measure(motion).steps
    assert strikes is not None
    middle = round((strikes[3].time + strikes[4].time) / 2 * motion.fps)
    cut = measure(motion.window(0, middle)).steps
    assert cut is not None and len(cut) == 4


def test_a_limp_is_seen_in_the_times_of_the_steps() -> None:
    motion, _ = generate("walk", seed=2, duration=5.0)
    strikes = measure(motion).steps
    assert strikes is not None
    clock, now = [0.0], 0.0
    for k in range(1, motion.frames):  # the time runs slower before each strike of the left foot
        side = next((s.side for s in strikes if s.time >= k / 20), "right")
        now += 1.8 if side == "left" else 1.0
        clock.append(now)
    old = np.interp(np.arange(round(now)), clock, np.arange(motion.frames))
    low = old.astype(int)
    share = (old - low)[:, None, None]
    joints = motion.joints[low] * (1 - share) + motion.joints[np.minimum(low + 1, motion.frames - 1)] * share
    gait = measure(Motion(joints.astype(np.float32))).gait
    assert gait is not None
    assert LIMPS.yes < gait.side_time["left"] / gait.side_time["right"] < 1.9


@pytest.mark.parametrize(("side", "sign"), [("left", 1.0), ("right", -1.0)])
def test_the_foot_ahead_and_the_width_of_a_stance(side: str, sign: float) -> None:
    motion, _ = generate("stand", seed=0, place=False)
    joints = motion.joints.copy()
    joints[:, [7, 10], 2] += 0.15 * sign
    joints[:, [8, 11], 2] -= 0.15 * sign
    apart = float(np.median(np.linalg.norm((joints[:, 7] - joints[:, 8])[:, [0, 2]], axis=-1)))
    stance = measure(replace(motion, joints=joints)).stance
    assert stance is not None and stance.left_ahead is not None
    assert stance.left_ahead == pytest.approx(0.3 * sign, abs=0.03)
    assert stance.width == pytest.approx(apart, abs=0.01) and stance.leg is None
    assert f"{side} foot 0.30 m ahead" in stance.lines()[0]


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_leg_stood_on_while_the_other_kicks(side: str) -> None:
    stance = measure(generate("kick", seed=1, side=side)[0]).stance
    assert stance is not None and stance.leg == {"left": "right", "right": "left"}[side]
    assert 0.4 <= stance.leg_end - stance.leg_start < 1.5


def shaped(line: Callable[[NDArray[np.floating]], NDArray[np.floating]], seconds: float = 12.0) -> str | None:
    """Name the shape of a body that glides along a line given for times 0..1."""
    motion, _ = generate("stand", seed=0, place=False)
    frames = round(seconds * 20)
    joints = np.repeat(motion.joints[:1], frames, axis=0)
    joints[..., [0, 2]] += line(np.linspace(0.0, 1.0, frames))[:, None]
    shape = measure(Motion(joints.astype(np.float32))).shape
    return shape and shape.name


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("straight", lambda t: np.stack([2 * t, 5 * t], axis=-1)),
        ("curve", lambda t: 4 * np.stack([1 - np.cos(1.6 * t), np.sin(1.6 * t)], axis=-1)),
        ("circle", lambda t: 1.5 * np.stack([1 - np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], axis=-1)),
        ("there and back", lambda t: np.stack([0 * t, 4 * np.sin(np.pi * t)], axis=-1)),
        ("figure of eight", lambda t: 2 * np.stack([np.sin(4 * np.pi * t), 2 * np.sin(2 * np.pi * t)], axis=-1)),
        ("zigzag", lambda t: np.stack([1.2 * np.abs((5 * t) % 2 - 1), 6 * t], axis=-1)),
    ],
)
def test_the_shape_of_the_path(name: str, line: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> None:
    assert shaped(line) == name


def test_a_pause_and_the_fastest_moment() -> None:
    moments = measure(load("sample:raise_left")).moments
    assert moments is not None and len(moments.pauses) == 1
    start, end = moments.pauses[0]
    assert start == pytest.approx(1.1, abs=0.2) and end == pytest.approx(3.0, abs=0.2)
    assert moments.fastest == "left hand"


@pytest.mark.parametrize(("way", "angle"), [("forward", 0.0), ("left", 90.0), ("backward", 180.0), ("right", -90.0)])
@pytest.mark.parametrize("seed", range(3))
def test_where_a_fall_goes_and_that_the_head_comes_down(way: str, angle: float, seed: int) -> None:
    facts = measure(generate("fall", seed=seed, direction=way)[0])
    assert facts.moments is not None and len(facts.moments.landings) == 1
    landing = facts.moments.landings[0]
    assert abs((landing.angle - angle + 180) % 360 - 180) < 30
    assert landing.head_height < 0.35 and landing.head_speed > 1.0 and landing.up_again is None


def test_getting_up_lasts_from_the_rise_to_the_stand() -> None:
    moments = measure(generate("stand_up", seed=1)[0]).moments
    assert moments is not None and len(moments.rises) == 1
    start, end = moments.rises[0]
    assert 0.8 < end - start < 2.5
    squats = measure(load("sample:squats")).moments
    assert squats is not None and squats.rises == ()


def test_jumps_leave_and_land_on_both_feet_and_repetitions_stay_alike() -> None:
    jumps = measure(load("sample:jumps")).moments
    assert jumps is not None and len(jumps.flights) == 3
    assert {(f.takes_off, f.lands) for f in jumps.flights} == {("both", "both")}
    squats = measure(load("sample:squats")).moments
    assert squats is not None and squats.trend is not None
    assert squats.trend.size == pytest.approx(1.0, abs=0.1) and squats.trend.unevenness < 0.1


def test_faults_of_a_recording_are_listed() -> None:
    motion, _ = generate("wave", seed=0, side="left", place=False)
    clean = measure(motion).check
    assert clean is not None and clean.leaps == () and clean.bone_change < 0.02
    joints = motion.joints.copy()
    joints[30, 21] += 0.6
    faulty = measure(replace(motion, joints=joints)).check
    assert faulty is not None and faulty.leaps == ((1.5, "right wrist"),)
    assert "right wrist leaps at 1.5 s" in faulty.lines()[1]


def test_a_body_is_as_tall_as_its_bones() -> None:
    for seed in range(4):
        motion, _ = generate("stand", seed=seed)
        check = measure(motion).check
        top = float(np.median(motion.joints[:, 15, 1]))  # the head joint of a standing body, on a floor at 0
        assert check is not None and check.body_height is not None
        assert 0.0 < check.body_height - top < 0.25


def test_two_dimensions_and_unseen_legs_have_no_gait() -> None:
    motion, _ = generate("walk", seed=0, place=False)
    image = motion.joints.copy()
    image[..., 2] = 0
    flat = measure(replace(motion, joints=image, dimensions=2))
    assert flat.gait is None and flat.stance is None and flat.moments is None and flat.shape is None
    assert flat.check is not None and flat.check.body_height is None and flat.to_dict()["gait"] is None
