"""A wrong frame rate is told by the gravity that it makes: bodies whose gravity is known, and real ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vimonet.motion import JOINT_NAMES, Motion, load
from vimonet.motion.io.rate_check import check_rate, show_gravity
from vimonet.motion.kinematics.preparation import MASS
from vimonet.motion.skeleton import T_POSE

J = {name: index for index, name in enumerate(JOINT_NAMES)}
LEGS = [J[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle", "foot")]
HEIGHT = 0.9  # m of the body's centre


def pendulum_walk(fps: float, *, step: float = 0.6, lasts: float = 0.55, steps: int = 8, g: float = 9.81) -> np.ndarray:
    """A body that falls from each foot to the next like a pendulum turned upside down, [T, 22, 3].

    The centre's path over a foot at p solves x'' = g / height (x - p) exactly.
    """
    rate = np.sqrt(g / HEIGHT)
    frames = round(steps * lasts * fps)
    clock = np.arange(frames) / fps
    number = np.minimum((clock / lasts).astype(int), steps - 1)
    within = clock - (number + 0.5) * lasts
    centre = np.stack(
        [
            np.where(number % 2, -1, 1) * 0.1 * (1 - np.cosh(rate * within) / np.cosh(rate * lasts / 2)),
            np.full(frames, HEIGHT),
            (number + 0.5 * np.sinh(rate * within) / np.sinh(rate * lasts / 2)) * step,
        ],
        axis=1,
    )
    body = np.repeat(T_POSE[None].astype(float), frames, axis=0)
    share = within / lasts + 0.5
    for side, (name, x) in enumerate((("left", 0.1), ("right", -0.1))):
        stands = number % 2 == side
        along = np.where(stands, number, number - 1 + 2 * share - np.sin(2 * np.pi * share) / np.pi) * step
        lift = np.where(stands, 0.0, 0.1 * np.sin(np.pi * share) ** 2)
        body[:, J[f"{name}_ankle"]] = np.stack([np.full(frames, x), 0.05 + lift, along], axis=1)
        body[:, J[f"{name}_foot"]] = body[:, J[f"{name}_ankle"]] + [0, -0.03, 0.01]
        body[:, J[f"{name}_knee"]] = body[:, J[f"{name}_ankle"]] + [0, 0.4, 0.05]
    rest = [joint for joint in range(22) if joint not in LEGS]
    off = centre - body.transpose(0, 2, 1) @ MASS
    body[:, rest] += off[:, None] / MASS[rest].sum()
    return body


def doubt(motion: Motion) -> str:
    return next((note for note in motion.notes if "probably wrong" in note), "")


def gravity(joints: np.ndarray, rate: float) -> dict[str, tuple[float, int]]:
    return {what: (one.value, one.number) for what, one in show_gravity(joints.astype(float), rate).items()}


@pytest.mark.parametrize("fps", [20, 30, 120])
@pytest.mark.parametrize("g", [9.81, 1.62])
def test_gravity_is_measured_on_one_foot(fps: float, g: float) -> None:
    (value, count) = gravity(pendulum_walk(fps, g=g), fps)["steps"]
    assert value == pytest.approx(g, rel=0.12) and count == 8


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0])
@pytest.mark.parametrize("lasts", [0.4, 0.55, 0.9])
def test_a_walk_at_a_wrong_rate_is_noted_and_the_right_rate_named(factor: float, lasts: float) -> None:
    joints = pendulum_walk(60, lasts=lasts)
    assert not doubt(load(joints, fps=60))
    note = doubt(load(joints, fps=60 * factor))
    assert f"the rate of {60 * factor:g} frames/s is probably wrong; --fps corrects it" in note
    fits = float(note.split(" frames/s would fit")[0].rsplit("(", 1)[1])
    assert fits == pytest.approx(60, rel=0.08)
    assert ("unless this is slow motion" in note) == (factor < 1)


def test_jumps_fall_with_the_gravity_that_made_them() -> None:
    joints = load("sample:jumps", target_fps=None).joints
    value, count = gravity(joints, 30)["jumps"]
    assert value == pytest.approx(9.81, rel=0.08) and count == 3
    assert not doubt(load(joints, fps=30))
    assert "2.0 times too slowly (29 frames/s would fit" in doubt(load(joints, fps=15))
    assert "2.0 times too fast" in doubt(load(joints, fps=60))
    assert "gravity: 10.3 m/s2 by 3 jumps" in load("sample:jumps").details["health"]


def test_the_rate_of_the_file_is_named_where_frames_are_left_out() -> None:
    text = Path(load.__code__.co_filename).parents[2] / "samples" / "jumps.bvh"
    assert "the rate of 60 frames/s is probably wrong" in doubt(load(text, fps=60))


def test_what_does_not_fall_shows_no_gravity() -> None:
    walk = pendulum_walk(30)
    assert gravity(walk - walk[:, :1], 30) == {}, "held at the origin"
    lean = np.repeat(walk[20:21], 60, axis=0)  # leans on something, off the one foot, and swings the other
    lean[:, [J["right_ankle"], J["right_foot"]], 2] += np.sin(np.arange(60) / 3)[:, None] * 0.4
    assert "steps" not in gravity(lean, 30)
    lifted = np.repeat(walk[20:21], 60, axis=0)
    lifted[10:50, :, 1] += np.sin(np.linspace(0, np.pi, 40))[:, None] * 0.5  # a lift: no parabola
    assert gravity(lifted, 30) == {}
    stands = lifted.copy()
    stands[:, [J["left_ankle"], J["left_foot"]]] = lifted[30, [J["left_ankle"], J["left_foot"]]]  # on a box
    assert gravity(stands, 30) == {}


def test_estimates_with_a_confidence_are_judged_by_their_speed_alone() -> None:
    joints = pendulum_walk(30).astype(np.float32)
    notes: list[str] = []
    check_rate(joints, np.zeros(0, int), 10.0, notes, measured=False)
    assert notes == []


def test_three_hundred_real_clips_are_not_doubted_and_slower_ones_are(shared: Path) -> None:
    told, doubted, walks, found = 0, 0, 0, 0
    index = json.loads((shared / "labelled" / "index.json").read_text())
    rows = [("labelled", name, row) for name in ("kinder_gator", "utd_mhad", "deepmimic") for row in index[name][::8]]
    for name in ("cmu20", "bnr20"):
        every = json.loads((shared / "motion" / f"{name}.index.json").read_text())
        rows += [("motion", name, row) for row in every[:: max(1, len(every) // 100)]]
    files = {name: np.load(shared / folder / f"{name}.npz") for folder, name, _ in rows}
    arrays = {name: (file["joints"], float(file["scale"]) if "scale" in file else 1.0) for name, file in files.items()}
    for _, name, row in rows:
        values, scale = arrays[name]
        joints = values[row["start"] : row["start"] + row["frames"]].astype(np.float32) * np.float32(scale)
        notes: dict[float, list[str]] = {20.0: [], 10.0: [], 5.0: []}
        for rate, said in notes.items():
            check_rate(joints, np.zeros(0, int), rate, said)
        told += 1
        doubted += bool(notes[20.0])
        if name == "cmu20" and row["cmu_description"] in ("walk", "run"):
            walks += 1
            found += bool(notes[10.0]) and bool(notes[5.0])
    assert told > 300 and doubted <= 0.01 * told
    assert walks > 50 and found > 0.8 * walks
