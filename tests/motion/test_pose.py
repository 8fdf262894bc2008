"""Keypoints from video: who is followed, through gaps and crowds, at which rate; and the estimators themselves.

A made-up estimator reads people out of the pictures' numbers, so that every truth is known.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from video_clips import make, number_of

import vimonet
import vimonet.motion.pose as estimation
from vimonet.cli import main
from vimonet.motion import load
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.pose import Person, estimate, estimator_of
from vimonet.motion.pose.tracking import Tracker, apart, follow
from vimonet.utils.errors import InputError

COCO = LAYOUTS["coco17"]
SIZE = (640, 360)

# A standing figure, 1 high, head at the top, feet at 0: x, y in COCO's order.
FIGURE = np.array(
    [
        *[(0, 0.95), (0.02, 0.97), (-0.02, 0.97), (0.04, 0.96), (-0.04, 0.96), (0.1, 0.82), (-0.1, 0.82)],
        *[(0.13, 0.66), (-0.13, 0.66), (0.14, 0.5), (-0.14, 0.5), (0.07, 0.5), (-0.07, 0.5)],
        *[(0.07, 0.27), (-0.07, 0.27), (0.07, 0.03), (-0.07, 0.03)],
    ]
)


def person(x: float, height: float = 200.0, foot: float = 340.0, confidence: float = 0.9) -> Person:
    points = np.stack([x + FIGURE[:, 0] * height, foot - FIGURE[:, 1] * height], axis=1)
    return Person(points, np.full(17, confidence))


class Fake:
    """People as a function of the frame's number."""

    layout = "coco17"
    name = "fake 1, for tests"

    def __init__(self, scene) -> None:
        self.scene, self.shown, self.closed = scene, [], False

    def people(self, image):
        number = number_of(image)
        self.shown.append(number)
        return self.scene(number)

    def close(self) -> None:
        self.closed = True


def middle(poses) -> np.ndarray:
    """Horizontal place of the hips per frame."""
    return poses.points[:, 11:13, 0].mean(axis=1)


def run(tmp_path: Path, scene, frames: int = 50, **options):
    fake = Fake(scene)
    clip = make(tmp_path / "clip.mp4", frames, size=SIZE, **options)
    return estimate(clip, lambda: fake), fake


def test_one_person_walks(tmp_path: Path) -> None:
    poses, fake = run(tmp_path, lambda n: [person(100 + 4 * n)])
    assert poses.points.shape == (50, 17, 2) and poses.fps == 25 and poses.seen == 1.0 and not poses.gaps
    np.testing.assert_allclose(middle(poses)[3:-3], 100 + 4 * np.arange(50)[3:-3], atol=0.2)
    assert fake.closed and fake.shown == list(range(50))


def test_the_largest_and_most_central_is_followed_whatever_the_order(tmp_path: Path) -> None:
    def scene(n: int) -> list[Person]:
        people = [person(330 + n), person(60, height=120), person(600, height=200)]
        return people if n % 2 else people[::-1]

    poses, _ = run(tmp_path, scene)
    assert poses.people == 3
    np.testing.assert_allclose(middle(poses)[3:-3], 330 + np.arange(50)[3:-3], atol=0.2)
    assert any("3 people" in note for note in poses.notes)
    second = estimate(tmp_path / "clip.mp4", lambda: Fake(scene), person=2)
    np.testing.assert_allclose(middle(second), 600, atol=0.2)
    with pytest.raises(InputError, match="no person 4"):
        estimate(tmp_path / "clip.mp4", lambda: Fake(scene), person=4)


def test_a_hand_taken_for_a_body_does_not_go_on_as_the_person(tmp_path: Path) -> None:
    """From one picture to the next the body collapses onto a place inside it, as estimators do on close-ups."""
    poses, _ = run(tmp_path, lambda n: [person(300) if n < 35 else person(310, height=60, foot=280)])
    assert poses.gaps == ((1.4, 2.0),) and np.isnan(poses.points[35:]).all()
    assert np.isfinite(poses.points[:35]).all()


def test_two_who_cross_keep_their_identity(tmp_path: Path) -> None:
    """They pass each other at different heights in the picture, detected in changing order."""

    def scene(n: int) -> list[Person]:
        people = [person(150 + 6 * n, height=220), person(450 - 6 * n, height=150, foot=300)]
        return people[:: 1 if n % 3 else -1]

    poses, _ = run(tmp_path, scene)
    np.testing.assert_allclose(middle(poses)[3:-3], 150 + 6 * np.arange(50)[3:-3], atol=1)


def test_short_gaps_are_filled_and_long_ones_reported(tmp_path: Path) -> None:
    poses, _ = run(tmp_path, lambda n: [] if n in (10, 11, 12) or 25 <= n < 40 else [person(200 + n)])
    assert poses.gaps == ((1.0, 1.6),)
    assert np.isnan(poses.points[25:40]).all() and (poses.confidence[25:40] == 0).all()
    np.testing.assert_allclose(middle(poses)[10:13], [210, 211, 212], atol=0.3)
    assert (poses.confidence[10:13] < poses.confidence[9]).all() and (poses.confidence[10:13] > 0).all()
    assert any("1.0-1.6 s" in note for note in poses.notes) and any("3 frames" in note for note in poses.notes)


def test_a_stranger_does_not_take_over_after_a_gap(tmp_path: Path) -> None:
    """The person leaves; somebody of another size comes in elsewhere."""
    poses, _ = run(tmp_path, lambda n: [person(200)] if n < 30 else [person(560, height=90)] if n >= 34 else [])
    assert poses.people == 2 and poses.gaps == ((1.2, 2.0),)
    assert np.isnan(poses.points[34:]).all()


def test_a_flicker_is_nobody(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody is seen"):
        run(tmp_path, lambda n: [person(200)] if n in (3, 20) else [])
    with pytest.raises(InputError, match="nobody is seen"):
        run(tmp_path, lambda n: [])


def test_trembling_is_smoothed_and_unseen_joints_stay_unseen(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 3, (50, 17, 2))

    def scene(n: int) -> list[Person]:
        still = person(300)
        confidence = still.confidence.copy()
        confidence[15:] = 0
        return [Person(still.points + noise[n], confidence)]

    poses, _ = run(tmp_path, scene)
    jitter = np.diff(poses.points[:, :15], axis=0).std()
    assert jitter < 0.6 * np.diff(noise[:, :15], axis=0).std()
    assert (poses.confidence[:, 15:] == 0).all() and (poses.confidence[:, :15] > 0).all()


def test_a_fast_video_is_thinned_and_an_uneven_one_made_even(tmp_path: Path) -> None:
    fast, fake = run(tmp_path, lambda n: [person(100 + 3 * n)], frames=60, rate=60)
    assert fast.fps == 30 and fake.shown == list(range(0, 60, 2))
    times = np.cumsum(np.tile([20, 60], 30)).tolist()  # 25 frames/s on average
    # At an even speed of 100 pixels a second.
    uneven, _ = run(tmp_path, lambda n: [person(100 + 0.1 * (times[n] - times[0]))], frames=60, times=times)
    assert uneven.fps == pytest.approx(25, rel=0.02)
    inside = middle(uneven)[4:-4]
    np.testing.assert_allclose(np.diff(inside), 100 / uneven.fps, atol=0.6)


def test_a_hole_in_the_time_stamps_is_a_gap_at_its_time(tmp_path: Path) -> None:
    """A camera that stops for two seconds: what follows stands at its own time, and nothing is made up between."""
    times = [40 * k + 2000 * (k >= 40) for k in range(80)]
    poses, _ = run(tmp_path, lambda n: [person(100 + 0.02 * times[n])], frames=80, times=times)
    assert poses.fps == pytest.approx(25, rel=0.01) and len(poses.points) == pytest.approx(130, abs=1)
    assert np.isnan(poses.points[41:88]).all() and not (poses.confidence[41:88] > 0).any()
    places = middle(poses)
    assert places[20] == pytest.approx(100 + 0.8 * 20, abs=1) and places[110] == pytest.approx(100 + 0.8 * 110, abs=1)
    assert poses.gaps == ((pytest.approx(1.56, abs=0.03), pytest.approx(3.6, abs=0.03)),)
    assert "no pictures at 1.6-3.6 s" in poses.notes


def test_keypoint_json_becomes_a_motion_at_20_frames(tmp_path: Path) -> None:
    poses, _ = run(tmp_path, lambda n: [] if 20 <= n < 35 else [person(200 + 4 * n)])
    path = tmp_path / "clip.json"
    path.write_text(poses.to_json())
    motion = load(path)
    assert motion.dimensions == 2 and motion.fps == 20 and motion.frames == 40 and motion.source == "coco17"
    assert motion.confidence is not None
    assert (motion.confidence[17:27] == 0).all() and (motion.confidence[:15, 4] > 0).all()
    # Torso 0.5 for 0.32 of the figure's 200 pixels: the walk is 4 px * 25 / s in that unit.
    speed = (motion.joints[14, 0, 0] - motion.joints[4, 0, 0]) / 0.5
    assert speed == pytest.approx(100 * 0.5 / 64, rel=0.05)
    assert motion.joints[5, 15, 1] > motion.joints[5, 7, 1]  # y points up


@pytest.fixture
def fake_estimator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The product with a made-up estimator, and a cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    calls: list[str] = []

    def make_one(name: str) -> Fake:
        calls.append(name)
        return Fake(lambda n: [person(200 + 2 * n)])

    monkeypatch.setattr(estimation, "estimator_of", make_one)
    return calls


def test_every_command_reads_a_video(tmp_path: Path, fake_estimator: list[str], capsys) -> None:
    clip = make(tmp_path / "clip.mp4", 50, size=SIZE)
    assert main(["pose", str(clip), "-o", str(tmp_path / "keys.json"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["frames"] == 50 and summary["seen"] == 1.0 and summary["people"] == 1
    assert main(["inspect", str(clip), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["dimensions"] == 2 and described["frames"] == 40
    assert main(["render", str(clip), "-o", str(tmp_path / "clip.png")]) == 0
    assert (tmp_path / "clip.png").stat().st_size > 1000
    np.testing.assert_array_equal(load(clip).joints, load(tmp_path / "keys.json").joints)
    np.testing.assert_array_equal(load(clip.read_bytes()).joints, load(clip).joints)
    assert len(fake_estimator) == 1, "estimated once, then remembered"


def test_remembered_by_content(tmp_path: Path, fake_estimator: list[str]) -> None:
    clip = make(tmp_path / "clip.mp4", 30, size=SIZE)
    load(clip)
    clip.rename(tmp_path / "renamed.mp4")
    load(tmp_path / "renamed.mp4")
    assert len(fake_estimator) == 1
    load(make(tmp_path / "clip.mp4", 32, size=SIZE))
    assert len(fake_estimator) == 2
    kept = next((tmp_path / "cache" / "vimonet" / "poses").glob("*.npz"))
    for spoilt in (tmp_path / "cache" / "vimonet" / "poses").glob("*.npz"):
        spoilt.write_bytes(kept.read_bytes()[:400])
    load(tmp_path / "clip.mp4")
    assert len(fake_estimator) == 3
    estimation.estimate_people_cached(tmp_path / "clip.mp4", remember=False)
    assert len(fake_estimator) == 4


def test_command_line_refusals(tmp_path: Path, fake_estimator: list[str], capsys) -> None:
    clip = make(tmp_path / "clip.mp4", 20, size=SIZE)
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    for arguments in (
        [str(text), "-o", str(tmp_path / "a.json")],
        [str(tmp_path / "missing.mp4"), "-o", str(tmp_path / "a.json")],
        [str(clip), "-o", str(tmp_path / "a.txt")],
        [str(clip), "-o", str(tmp_path / "nowhere" / "a.json")],
        [str(clip), "-o", str(tmp_path / "a.json"), "--person", "0"],
    ):
        assert main(["pose", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("vimonet: ") and error.count("\n") == 1
    assert not (tmp_path / "a.json").exists() and not list(tmp_path.glob("*.part"))
    assert main(["pose", str(clip)]) == 0 and (tmp_path / "clip.json").exists()
    assert main(["pose", str(clip)]) == 2, "an existing file is not overwritten unasked"


def test_without_the_extra_one_sentence_says_how_to_install_it(tmp_path: Path, monkeypatch, capsys) -> None:
    import sys

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VIMONET_POSE", raising=False)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    clip = make(tmp_path / "clip.mp4", 10, size=SIZE)
    assert main(["inspect", str(clip)]) == 2
    error = capsys.readouterr().err
    assert "uv pip install" in error and "pose" in error and error.count("\n") == 1


def test_unknown_estimators(tmp_path: Path) -> None:
    for name in ("openpose", "vitpose:", f"vitpose:{tmp_path / 'nothing'}"):
        with pytest.raises(InputError):
            estimator_of(name)


def test_pieces_of_a_track_are_joined() -> None:
    """Three pieces of one person beside a person who stays, whose tracks hold the same frames."""
    tracker = Tracker(10.0)
    for frame in range(60):
        others = [person(560, height=120)]
        unseen = 15 <= frame < 25 or 40 <= frame < 50
        tracker.add(others if unseen else [person(300 + frame), *others], frame / 10)
    first, second = tracker.ranked(*SIZE)
    assert sorted(first.people) == [f for f in range(60) if not (15 <= f < 25 or 40 <= f < 50)]
    assert len(second.people) == 60


def test_a_close_up_whose_joints_come_and_go_is_one_person() -> None:
    rng = np.random.default_rng(0)
    tracker = Tracker(25.0)
    for frame in range(50):
        whole = person(300)
        seen = np.where(rng.random(17) < 0.4, 0.9, 0.0)
        seen[:3] = 0.9
        tracker.add([Person(whole.points + rng.normal(0, 15, (17, 2)), seen)], frame / 25)
    assert len(tracker.tracks) == 1


def test_tracker_ranks_and_follow_reports() -> None:
    tracker = Tracker(10.0)
    for frame in range(20):
        tracker.add([person(320), person(40, height=80)] if frame < 12 else [person(40, height=80)], frame / 10)
    first, second = tracker.ranked(*SIZE)
    assert first.last == 11 and second.last == 19
    assert follow(first, tracker.times).gaps == ((12, 20),)
    assert apart(person(100), person(100)) == 0 and apart(person(100), person(100, confidence=0)) == float("inf")


def test_spans_of_a_video_of_uneven_rate_are_measured_in_time() -> None:
    """Someone leaves; pictures come at 30 a second, then once a second: seconds count, not frames."""
    quick, slow = np.arange(30) / 30, 1.0 + np.arange(4)
    tracker = Tracker(10.0)  # the mean rate
    for time in quick:
        tracker.add([person(100), person(500)], float(time))
    for time in slow:  # 4 pictures without the first person: 4 s, not .4
        tracker.add([person(500)], float(time))
    tracker.add([person(100), person(500)], 5.0)
    assert len(tracker.tracks) == 3, "who is away for more than 0.7 s begins anew"
    left = next(track for track in tracker.ranked(*SIZE) if track.last < 30)
    assert len(left.people) == 30, "pieces 4 s apart are not joined"
    assert tracker.seconds(left) == pytest.approx(1.0)
    assert follow(left, tracker.times).gaps == ((30, 35),)

    again = Tracker(10.0)  # 7 pictures at 30 a second are .23 s: a short gap is filled, evenly in time
    times = [*np.arange(10) / 30, *0.3 + np.arange(1, 8) ** 2 / 200, *0.56 + np.arange(10) / 30]
    for k, time in enumerate(times):
        again.add([person(500)] if 10 <= k < 17 else [person(300 + 60 * time), person(500)], time)
    walker = next(track for track in again.ranked(*SIZE) if len(track.people) == 20)
    followed = follow(walker, times)
    assert not followed.gaps and followed.filled == 7
    truth = np.array([person(300 + 60 * time).points[:, 0] for time in times])
    np.testing.assert_allclose(followed.points[..., 0], truth, atol=0.01)


def test_a_hole_without_pictures_is_time_unseen() -> None:
    """A camera that stalls for 2 s: who stands where they stood is the same person, who is elsewhere another."""
    tracker = Tracker(5.0)
    for time in (*np.arange(20) / 20, *(3.0 + np.arange(20) / 20)):
        tracker.add([person(100 if time < 2 else 110), person(300 if time < 2 else 600)], float(time))
    assert sorted(len(track.people) for track in tracker.ranked(*SIZE)) == [20, 20, 40]


# Real estimators.


def test_mediapipe_on_real_video(shared: Path) -> None:
    pytest.importorskip("mediapipe")
    poses = estimate(shared / "video" / "clips" / "mllm_COBRA_PUSH_UPS_clip2.mp4")
    assert poses.layout == "mediapipe33" and poses.points.shape == (53, 33, 2) and poses.seen > 0.95
    # Lying face down, then the chest comes up: the nose rises by a good part of the body, the ankles stay.
    nose, ankles = poses.points[:, 0, 1], poses.points[:, 27:29, 1].mean(axis=1)
    assert nose[:5].mean() - nose[-5:].mean() > 40
    assert abs(ankles[:5].mean() - ankles[-5:].mean()) < 15


def test_mediapipe_sees_nobody_in_noise(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    clip = make(tmp_path / "clip.mp4", 10)
    with pytest.raises(InputError, match="nobody is seen"):
        estimate(clip)
    dot = np.full((2, 2, 3), 200, np.uint8)
    with pytest.raises(InputError, match="nobody is seen"):
        estimate(make(tmp_path / "dot.mp4", 4, size=(2, 2), draw=lambda _: dot))


@pytest.fixture(scope="module")
def tiny_vitpose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random ViTPose of two layers, saved as a hub checkpoint is."""
    torch = pytest.importorskip("torch")
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation
    from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

    torch.manual_seed(0)
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], hidden_size=32, num_hidden_layers=2, num_attention_heads=2, out_indices=[2]
    )
    model = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=17))
    folder = tmp_path_factory.mktemp("vitpose")
    model.save_pretrained(folder)
    VitPoseImageProcessorPil(size={"height": 64, "width": 48}).save_pretrained(folder)
    return folder


def test_vitpose_from_disk(tmp_path: Path, tiny_vitpose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights say nothing about people, so only what surrounds the model can be tested: boxes, scale, scores."""
    from vimonet.motion.pose.vitpose import ViTPose

    estimator = ViTPose(tiny_vitpose, threshold=0.0)
    image = np.random.default_rng(0).integers(0, 255, (120, 90, 3), dtype=np.uint8)
    found = estimator.people(image)
    assert len(found) == 1 and found[0].points.shape == (17, 2)
    assert estimator.layout == "coco17" and np.isfinite(found[0].points).all()
    estimator.close()


def test_vitpose_reads_the_peak_of_its_heatmaps(tiny_vitpose: Path) -> None:
    """With heatmaps that peak at known places, the joints come back in the picture's pixels."""
    torch = pytest.importorskip("torch")
    from vimonet.motion.pose.vitpose import ViTPose

    estimator = ViTPose(tiny_vitpose)
    maps = torch.zeros(1, 17, 16, 12)  # a quarter of the 64 x 48 input
    for joint in range(17):
        rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(12.0), indexing="ij")
        maps[0, joint] = 0.9 * torch.exp(-((rows - 8) ** 2 + (columns - 2 - joint / 3) ** 2) / 4)
    real = estimator._model.forward
    estimator._model.forward = lambda **inputs: type(real(**inputs))(heatmaps=maps)
    (found,) = estimator.people(np.zeros((160, 120, 3), np.uint8))
    # The box is the whole picture, which the processor widens by 1.25; the first and last columns lie on its edges.
    x = -15 + (2 + np.arange(17) / 3) / 11 * 150
    assert (found.confidence > 0.5).all()
    np.testing.assert_allclose(found.points[:, 0], x, atol=5)  # a quarter cell
    np.testing.assert_allclose(found.points[:, 1], -20 + 8 / 15 * 200, atol=1)
    assert estimator._following(120, 160)[2] < 150  # from now on around the joints


def test_ask_follows_in_a_process_of_its_own(shared: Path, tmp_path: Path) -> None:
    """The command line alone does so: the same answer as in one process, and a film without anybody is told of."""
    pytest.importorskip("mediapipe")
    clip = shared / "video" / "clips" / "mllm_COBRA_PUSH_UPS_clip2.mp4"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "vimonet", "ask", "--json"]
    question = "Does the person turn around?"
    done = subprocess.run([*command, str(clip), question], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["text"] == vimonet.load().ask(question, str(clip)).text
    nobody = tmp_path / "nobody.mp4"
    make(nobody, 8)
    done = subprocess.run([*command, str(nobody), question], env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "nobody is seen" in done.stderr and "Traceback" not in done.stderr
