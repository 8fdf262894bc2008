"""A document says what the recording and its facts say, in few bytes."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest

from vimonet.motion import Motion
from vimonet.motion.io.loading import load
from vimonet.motion.kinematics import measure
from vimonet.motion.skeleton import INDEX
from vimonet.page.document import FORMAT, thumbnail, write_document


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def joints_of(document: dict) -> np.ndarray:
    root = unpacked(document["root"], "<f4").reshape(-1, 1, 3)
    return root + unpacked(document["joints"], "<i2").reshape(len(root), 22, 3) * document["joint_scale"]


@pytest.fixture(scope="module")
def walk() -> Motion:
    return load("sample:walk_turn_wave")


@pytest.fixture(scope="module")
def document(walk: Motion) -> dict:
    return json.loads(json.dumps(write_document(walk), allow_nan=False))


def test_joints_come_back_to_a_millimetre(walk, document):
    assert document["format"] == FORMAT and document["frames"] == walk.frames == 241
    assert np.abs(joints_of(document) - walk.joints).max() <= 0.0006
    assert document["seen"] is None


def test_far_from_the_origin_a_body_is_as_sharp(walk):
    far = Motion(walk.joints + np.float32([0, 0, 900]))
    assert np.abs(joints_of(write_document(far)) - far.joints).max() <= 0.001


def test_bars_are_the_measured_events(walk, document):
    facts = measure(walk)
    bars = document["bars"]
    turn = next(bar for bar in bars if bar["row"] == "turn")
    assert turn["label"] == "89° left" and turn["start"] == pytest.approx(facts.turns[0].start, abs=1e-3)
    raised = [bar for bar in bars if bar["row"] == "left hand"]
    assert [(bar["label"], bar["joints"]) for bar in raised] == [("raised", ["left_wrist"])]
    assert [bar["start"] for bar in bars if bar["row"] == "steps"] == pytest.approx([s.time for s in facts.steps])
    assert [(b["start"], b["end"]) for b in bars if b["row"] == "pause"] == [(3.05, 4.25), (5.5, 6.9)]
    assert all(name in INDEX for bar in bars for name in bar["joints"])


def test_falls_have_a_bar():
    assert [bar["row"] for bar in write_document(load("sample:fall"))["bars"]].count("fall") == 1


def test_plots_are_the_measured_angles_and_speeds(walk, document):
    track = measure(walk).held.track
    plots = {plot["name"]: plot for plot in document["plots"]}
    values = unpacked(plots["left knee"]["values"], "<i2") * plots["left knee"]["scale"]
    assert plots["left knee"]["unit"] == "°" and np.abs(values - track.angles[:, 0]).max() <= 0.051
    speed = plots["left hand"]
    assert np.abs(unpacked(speed["values"], "<i2") * speed["scale"] - track.limb_speed[:, 0]).max() <= 0.001
    assert {"lean forward", "height of the pelvis", "pelvis over the ground"} <= plots.keys()


def test_a_minute_is_small(walk):
    minute = Motion(np.tile(walk.joints, (5, 1, 1))[:1200])
    assert minute.duration == 60
    assert len(json.dumps(write_document(minute))) < 400_000


def test_actions_and_answers_are_carried(walk):
    span = SimpleNamespace(start=1.0, end=2.5, actions=(("walk", 0.8123), ("jog", 0.1)))
    written = write_document(walk, actions=[span], answers=[{"question": "q", "text": "a"}], model="m")
    assert written["actions"][0]["names"][0] == {"label": "walk", "confidence": 0.812}
    assert written["answers"] == [{"question": "q", "text": "a"}] and written["model"] == "m"


def test_a_picture_tells_where_it_lies_around_the_joints():
    hip, neck = 300.0, 100.0
    points = np.zeros((30, 17, 3))
    points[..., 2] = 1
    points[:, :5, :2] = 400, neck - 40
    for joint, x, y in ((5, 420, neck), (6, 380, neck), (7, 430, 180), (8, 370, 180), (9, 430, 260), (10, 370, 260)):
        points[:, joint, :2] = x, y
    for joint, x, y in ((11, 415, hip), (12, 385, hip), (13, 415, 400), (14, 385, 400), (15, 415, 500), (16, 385, 500)):
        points[:, joint, :2] = x, y
    text = json.dumps({"width": 1280, "height": 720, "fps": 20, "frames": points.tolist()})
    motion = load(text.encode())
    left, top, width, height = write_document(motion)["picture"]
    # Back to pixels: x from the left edge, y from the top.
    joints = motion.joints[0]
    pixels = np.stack([(joints[:, 0] - left) / width * 1280, (top - joints[:, 1]) / height * 720], axis=1)
    assert pixels[INDEX["left_ankle"]] == pytest.approx([415, 500], abs=0.5)
    assert pixels[INDEX["right_wrist"]] == pytest.approx([370, 260], abs=0.5)


def test_unseen_joints_are_told_bit_by_bit():
    walk = load("sample:walk")
    confidence = np.ones((walk.frames, 22), np.float32)
    confidence[3, 20] = 0
    hidden = write_document(Motion(walk.joints, confidence=confidence))
    bits = np.unpackbits(unpacked(hidden["seen"], "u1"), bitorder="little")[: walk.frames * 22]
    assert np.flatnonzero(bits == 0).tolist() == [3 * 22 + 20]


def test_a_thumbnail_holds_poses_of_its_stretch(walk):
    small = thumbnail(walk, 4.0, 6.0)
    assert small["frames"] == 3 and np.abs(joints_of(small)[1] - walk.joints[100]).max() <= 0.001
