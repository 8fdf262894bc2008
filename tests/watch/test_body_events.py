"""Events of bodies: what other fall alarms are blamed for by name, stillness, beds, hands."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from research.vimos_open.synthesis import generate
from vimonet.motion.motion import Motion
from vimonet.motion.projection import detector_noise, project
from vimonet.watch.body_events import BodyEvents
from vimonet.watch.stream import Event, PoseFrame

WIDE, HIGH, PIXELS = 1280, 720, 240.0  # of the picture; pixels per unit of a 2D motion


def frames(motion: Motion, person: int = 1, start: float = 0.0, x: float = 640.0) -> list[PoseFrame]:
    confidence = np.ones(motion.joints.shape[:2], np.float32) if motion.confidence is None else motion.confidence
    joints = motion.joints
    if motion.dimensions == 2:
        joints = joints * np.array([PIXELS, -PIXELS, 0], np.float32) + np.array([x, 650, 0], np.float32)
    size = (WIDE, HIGH) if motion.dimensions == 2 else None
    return [
        PoseFrame(start + i / motion.fps, person, joints[i].astype(np.float32), confidence[i], size, motion.dimensions)
        for i in range(motion.frames)
    ]


def run(*streams: list[PoseFrame], kinds: Sequence[str] = ("fall",), gone: bool = True, **settings) -> list[Event]:
    detector = BodyEvents(kinds, **settings)
    every = sorted((frame for stream in streams for frame in stream), key=lambda frame: frame.time)
    events = [event for frame in every for event in detector.push(frame)]
    if gone:
        for person in {frame.person for frame in every}:
            events += detector.gone(person, every[-1].time + 0.1)
    return events


def acted(*actions: str, seed: int = 3, pace: float = 1.0) -> Motion:
    """Join generated actions into one movement: each begins where and as the one before ends."""
    parts: list[np.ndarray] = []
    for action in actions:
        joints = generate(action, seed=seed)[0].joints
        if parts:
            joints = joints + (parts[-1][-1, 0] - joints[0, 0]) * np.array([1, 0, 1], np.float32)
        parts.append(joints)
    return Motion(np.concatenate(parts), fps=20.0 * pace)


def seen_by_a_camera(motion: Motion, azimuth: float = 30.0) -> Motion:
    return detector_noise(project(motion, azimuth, 10.0, 5.0), np.random.default_rng(0), 0.01)


VIEWS = pytest.mark.parametrize("flat", [False, True], ids=["3D", "picture"])


def viewed(motion: Motion, flat: bool) -> Motion:
    return seen_by_a_camera(motion) if flat else motion


@VIEWS
@pytest.mark.parametrize("direction", ["forward", "backward", "left", "right"])
def test_a_fall_is_found_within_a_second_and_a_half(direction: str, flat: bool) -> None:
    motion = viewed(generate("fall", seed=5, direction=direction)[0], flat)
    neck = motion.joints[:, 12, 1]
    landed = (int(np.argmax(neck < neck.min() + 0.15 * np.ptp(neck)))) / motion.fps
    detector, found = BodyEvents(("fall",)), None
    for frame in frames(motion):
        for event in detector.push(frame):
            found = found or (event, frame.time)
    assert found is not None
    event, told = found
    assert event.kind == "fall" and event.end is None and event.person == 1
    assert event.time <= landed and told - landed <= 1.5


@VIEWS
def test_a_fall_is_over_when_the_person_is_up_again(flat: bool) -> None:
    fall = generate("fall", seed=5, direction="left")[0].joints
    up = acted("get_up", "stand", seed=5).joints
    up = up + (fall[-1, 0] - up[0, 0]) * np.array([1, 0, 1], np.float32)
    motion = viewed(Motion(np.concatenate([fall, up])), flat)
    events = run(frames(motion), gone=False)
    assert [event.end is None for event in events] == [True, False]
    assert events[0].id == events[1].id and events[1].text == "person 1 is up again"


ORDINARY = {
    "tying shoes": ("crouch", "stand"),
    "kneeling": ("kneel", "stand"),
    "sitting down heavily": ("sit_down",),
    "lying down on purpose": ("lie_down",),
    "picking something up": ("bow", "bow"),
    "squatting": ("squats",),
    "crawling": ("crawl",),
    "jumping": ("jumps",),
    "getting up": ("get_up", "stand"),
    "walking": ("walk", "turn_in_place", "walk"),
}


@VIEWS
@pytest.mark.parametrize("what", ORDINARY)
def test_is_no_fall(what: str, flat: bool) -> None:
    pace = 1.4 if what == "sitting down heavily" else 1.0
    for seed in (1, 2, 3):
        motion = viewed(acted(*ORDINARY[what], seed=seed, pace=pace), flat)
        assert run(frames(motion)) == [], (what, seed)


def push_ups() -> Motion:
    """A body on its hands that goes down and up six times, level as a plank."""
    stand = generate("stand", seed=1)[0].joints[0]
    flat = (stand - stand[0]) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32).T
    down = 0.25 * (1 - np.cos(np.arange(180) / 20 * 2 * np.pi * 0.7)) / 2
    joints = np.repeat(flat[None], 180, axis=0)
    joints[:, :, 1] += (0.45 - down)[:, None]
    joints[:, [20, 21], 1] = 0.02
    return Motion(joints.astype(np.float32))


@VIEWS
def test_push_ups_are_no_fall(flat: bool) -> None:
    motion = push_ups()
    assert run(frames(seen_by_a_camera(motion, 90.0) if flat else motion)) == []


def yoga(seconds: float = 1.5) -> Motion:
    """A sun salutation: stand, bend down, plank, lie face down, plank, bend, stand; each held for a second."""
    stands, plank = generate("stand", seed=1)[0].joints[0], push_ups().joints[0]
    bows = generate("bow", seed=1)[0].joints
    bends = bows[int(np.argmin(bows[:, 12, 1]))]
    lies = plank - np.array([0, 0.3, 0], np.float32)
    poses = [stands, bends, plank, lies, plank, bends, stands]
    parts: list[np.ndarray] = []
    for one, following in itertools.pairwise(poses):
        u = (1 - np.cos(np.linspace(0, np.pi, round(20 * seconds))))[:, None, None] / 2
        parts += [np.repeat(one[None], 20, axis=0), one + u * (following - one)]
    return Motion(np.concatenate([*parts, np.repeat(stands[None], 20, axis=0)]).astype(np.float32))


@VIEWS
@pytest.mark.parametrize("azimuth", [30.0, 90.0])
def test_yoga_is_no_fall(flat: bool, azimuth: float) -> None:
    assert run(frames(seen_by_a_camera(yoga(), azimuth) if flat else yoga())) == []


@VIEWS
def test_a_fall_from_which_the_person_gets_up_at_once_is_a_fall(flat: bool) -> None:
    fall = generate("fall", seed=5, direction="forward")[0].joints
    landed = int(np.argmax(fall[:, 12, 1] < fall[:, 12, 1].min() + 0.05)) + 24
    up = acted("get_up", "stand", seed=5).joints[10:]
    up = up + (fall[landed, 0] - up[0, 0]) * np.array([1, 0, 1], np.float32)
    events = run(frames(viewed(Motion(np.concatenate([fall[:landed], up])), flat)), gone=False)
    assert [event.end is None for event in events] == [True, False]


@pytest.mark.parametrize(("action", "kind"), [("raise_hand", "raised_hand"), ("wave", "waving"), ("fall", "fall")])
def test_the_poses_of_a_camera_tell_what_every_frame_tells(action: str, kind: str) -> None:
    """12.5 poses a second, as the watch estimates them in 25 frames/s."""
    for seed in (4, 5, 6):
        every = frames(project(generate(action, seed=seed)[0], 30.0 if kind == "fall" else 0.0, 10.0, 5.0))
        spaced = [every[i] for i in np.arange(0, len(every), 1.6).astype(int)]
        told, hardly = run(every, kinds=(kind,)), run(spaced, kinds=(kind,))
        assert len(told) == len(hardly) > 0
        assert all(abs(a.time - b.time) < 0.25 for a, b in zip(told, hardly, strict=True))


def test_leaving_at_the_edge_of_the_picture_is_no_fall() -> None:
    walk = project(generate("walk", seed=2)[0], 90.0, 0.0, 5.0)
    stream = []
    for i, frame in enumerate(frames(walk)):
        joints = frame.joints + np.array([i * 12.0, 0, 0], np.float32)
        outside = joints[:, 0] > WIDE
        # A detector squeezes what is outside into the picture, or loses it.
        joints[outside, 0] = WIDE - 1
        stream.append(replace(frame, joints=joints, confidence=np.where(outside, 0, frame.confidence)))
    stream = [frame for frame in stream if frame.confidence.any()]
    assert len(stream) > 10
    assert run(stream) == []


def test_a_second_person_in_view_neither_hides_nor_ends_a_fall() -> None:
    fall = seen_by_a_camera(generate("fall", seed=5, direction="left")[0])
    helper = seen_by_a_camera(acted("stand", "stand", "stand", seed=2))
    events = run(frames(fall), frames(helper, person=2, x=300.0), gone=False)
    assert [(event.person, event.end) for event in events] == [(1, None)]


def test_a_fall_is_not_over_because_the_detector_loses_the_body() -> None:
    fall = seen_by_a_camera(generate("fall", seed=5, direction="left")[0])
    detector = BodyEvents(("fall",))
    found = [event for frame in frames(fall) for event in detector.push(frame)]
    assert len(found) == 1 and list(detector.gone(1, 9.0)) == []
    up = seen_by_a_camera(acted("stand", "stand", "stand", "stand", "stand", seed=2))
    later = [event for frame in frames(up, person=2, start=20.0) for event in detector.push(frame)]
    assert up.duration > 12 and [event.id for event in later] == [found[0].id] and later[0].end is not None


def still(pose: np.ndarray, seconds: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 0.004, (round(seconds * 20), 22, 3))
    return (pose[None] + noise).astype(np.float32)


@VIEWS
def test_lying_still_begins_and_ends(flat: bool) -> None:
    lies = generate("lie_down", seed=2)[0].joints
    up = generate("get_up", seed=2)[0].joints
    up = up + (lies[-1, 0] - up[0, 0]) * np.array([1, 0, 1], np.float32)
    motion = viewed(Motion(np.concatenate([lies, still(lies[-1], 8), up])), flat)
    events = run(frames(motion), kinds=("lying_still",), gone=False)
    assert [event.end is None for event in events] == [True, False]
    assert abs(events[0].time - len(lies) / 20) < 1.5
    assert abs(events[1].end - (len(lies) / 20 + 8)) < 3.0


@VIEWS
def test_standing_still_is_not_moving_but_no_lying(flat: bool) -> None:
    pose = generate("stand", seed=2)[0].joints[0]
    stands = Motion(still(pose, 6))
    events = run(frames(project(stands) if flat else stands), kinds=("lying_still", "not_moving"), gone=False)
    assert {event.kind for event in events} == {"not_moving"}
    walk = viewed(generate("walk", seed=2)[0], flat)
    assert run(frames(walk), kinds=("lying_still", "not_moving")) == []


def test_out_of_bed_and_back() -> None:
    lies, up = generate("lie_down", seed=2)[0].joints[-1], generate("stand", seed=2)[0].joints[0]
    away, back = up + np.array([2, 0, 0], np.float32), lies
    joints = np.concatenate([still(lies, 7), still(away, 5), still(back, 5)])
    bed = (float(lies[0, 0] - 0.5), float(lies[0, 2] - 0.5), float(lies[0, 0] + 0.5), float(lies[0, 2] + 0.5))
    events = run(frames(Motion(joints)), kinds=(), gone=False, beds=[("bed", bed)])
    assert [(event.kind, event.value["bed"], event.end is None) for event in events] == [
        ("out_of_bed", "bed", True),
        ("out_of_bed", "bed", False),
    ]
    assert abs(events[0].time - 7) < 0.5 and abs(events[1].end - 14) < 0.5
    # Whoever only passes by was never in bed.
    assert run(frames(Motion(np.concatenate([still(lies, 2), still(away, 5)]))), kinds=(), beds=[("bed", bed)]) == []


@VIEWS
def test_a_raised_hand_begins_and_ends(flat: bool) -> None:
    motion, truth = generate("raise_hand", seed=4)
    events = run(frames(viewed(motion, flat)), kinds=("raised_hand",), gone=False)
    sides = {"left", "right"} if truth["side"] == "both" else {truth["side"]}
    assert {event.value["side"] for event in events} == sides
    assert all(events[k].end is None for k in range(len(sides)))
    assert run(frames(viewed(generate("walk", seed=4)[0], flat)), kinds=("raised_hand",)) == []


@VIEWS
def test_a_wave_is_told_from_a_raised_hand(flat: bool) -> None:
    motion, truth = generate("wave", seed=4)
    view = project(motion, 0.0, 0.0, 5.0) if flat else motion
    sides = {"left", "right"} if truth["side"] == "both" else {truth["side"]}
    assert {event.value["side"] for event in run(frames(view), kinds=("waving",))} == sides
    raised = generate("raise_hand", seed=4)[0]
    assert run(frames(project(raised, 0.0, 0.0, 5.0) if flat else raised), kinds=("waving",)) == []


def test_nothing_is_said_of_a_person_hardly_seen() -> None:
    motion = seen_by_a_camera(generate("fall", seed=5)[0])
    hidden = replace(motion, confidence=np.zeros_like(motion.confidence))
    every = ("fall", "lying_still", "not_moving", "raised_hand", "waving")
    assert run(frames(hidden), kinds=every) == []
    head = hidden.confidence.copy()
    head[:, 15] = 1
    assert run(frames(replace(hidden, confidence=head)), kinds=every) == []
