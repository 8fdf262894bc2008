"""Pictures are judged by what is on them: colours on the right side, sizes, times, whole files."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vimonet.motion import Motion
from vimonet.motion.render import VIEWS, Event, draw_strip, events_of, render
from vimonet.motion.render.animation import draw_frames
from vimonet.motion.render.body_drawing import LEFT, RIGHT, Camera, first_facing, floor_height
from vimonet.motion.render.strip import pose_frames
from vimonet.motion.skeleton import CANONICAL_OFFSETS, INDEX, PARENTS
from vimonet.utils.errors import InputError


def standing(frames: int = 30, heading: float = 0.0, step: float = 0.0) -> np.ndarray:
    """[T, 22, 3] a standing figure facing ``heading`` radians, gliding ``step`` m a frame forward."""
    pose = np.zeros((22, 3))
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            pose[joint] = pose[parent] + CANONICAL_OFFSETS[joint]
    pose[:, 1] -= pose[:, 1].min()
    turn = np.array(
        [[np.cos(heading), 0, np.sin(heading)], [0, 1, 0], [-np.sin(heading), 0, np.cos(heading)]]
    )  # takes +Z to (sin, 0, cos)
    way = np.arange(frames)[:, None, None] * step * turn @ np.array([0.0, 0.0, 1.0])
    return ((pose @ turn.T)[None] + way.reshape(frames, 1, 3)).astype(np.float32)


def columns_of(image: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    """x of the pixels that are nearly ``colour``, the legend (top 60 rows) left out."""
    pixels = np.asarray(image).astype(int)[60:]
    return np.nonzero(np.abs(pixels - np.array(colour)).sum(axis=-1) < 40)[1]


def test_projection_of_a_known_point() -> None:
    camera = Camera.look(np.array([0.0, 0.0, 1.0]), "front", scale=100.0, centre=(50.0, 80.0))
    pixel, depth, magnification = camera.project(np.array([0.3, 0.0, 0.0]), np.zeros(3))
    assert pixel[0] == pytest.approx(80.0)  # the person's left is on the viewer's right
    assert magnification == 1.0 and depth == pytest.approx(0.0, abs=1e-9)
    near = Camera.look(np.array([0.0, 0.0, 1.0]), "front", scale=100.0, centre=(0.0, 0.0), distance=4.0)
    assert (
        near.project(np.array([0.0, 0.0, 1.0]), np.zeros(3))[2]
        > 1.2
        > near.project(np.array([0.0, 0.0, -1.0]), np.zeros(3))[2]
    )


@pytest.mark.parametrize("view", VIEWS)
def test_cameras_are_right_handed(view: str) -> None:
    camera = Camera.look(np.array([1.0, 0.0, 0.0]), view, scale=1.0, centre=(0.0, 0.0))
    axes = np.stack([camera.right, camera.up, camera.towards])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(axes) == pytest.approx(1.0)  # -1 would show a mirror image


@pytest.mark.parametrize("heading", [0.0, 1.0, np.pi, -2.0])
def test_front_view_shows_the_left_side_on_the_right_whatever_the_world(heading: float) -> None:
    motion = Motion(standing(heading=heading))
    facing = first_facing(motion)
    np.testing.assert_allclose(facing, [np.sin(heading), 0.0, np.cos(heading)], atol=0.05)
    image = draw_strip(motion, view="front", poses=1, width=600)
    left, right = columns_of(image, LEFT), columns_of(image, RIGHT)
    assert len(left) > 200 and len(right) > 200
    assert left.mean() > right.mean() + 20


def test_a_mirrored_motion_gives_a_mirrored_picture() -> None:
    motion = Motion(standing())
    joints = motion.joints.copy()
    joints[:, INDEX["left_wrist"]] += [0.3, 0.9, 0.0]
    plain = np.asarray(draw_strip(Motion(joints, name=""), view="front", poses=1, width=601, subtitle=""))[60:400]
    other = Motion(joints, name="").mirrored()
    mirrored = np.asarray(draw_strip(other, view="front", poses=1, width=601, subtitle=""))[60:400]
    dark_plain, dark_mirrored = (image.astype(int).sum(axis=-1) < 700 for image in (plain, mirrored))
    assert (dark_plain == dark_mirrored[:, ::-1]).mean() > 0.99


def test_side_view_walks_from_left_to_right() -> None:
    motion = Motion(standing(frames=40, step=0.05, heading=2.0))
    camera = Camera.look(first_facing(motion), "side", scale=100.0, centre=(0.0, 0.0))
    pixels, _, _ = camera.project(motion.joints[:, 0].astype(float), motion.joints[0, 0].astype(float))
    assert pixels[-1, 0] == pytest.approx(195.0, abs=2.0)


def test_pose_frames_hold_first_and_last() -> None:
    frames = pose_frames(Motion(standing(90)))
    assert frames[0] == 0 and frames[-1] == 89 and 5 <= len(frames) <= 10
    assert list(pose_frames(Motion(standing(3)), 10)) == [0, 1, 2]
    assert list(pose_frames(Motion(standing(1)))) == [0]


def test_floor_ignores_one_bad_frame() -> None:
    joints = standing(60)
    joints[10, :, 1] -= 0.5
    assert floor_height(Motion(joints)) == pytest.approx(0.0, abs=0.02)


def test_unseen_joints_are_not_drawn() -> None:
    joints, confidence = standing(), np.ones((30, 22), dtype=np.float32)
    left = [index for name, index in INDEX.items() if name.startswith("left")]
    confidence[:, left] = 0.0
    image = draw_strip(Motion(joints, confidence=confidence), view="front", poses=3, width=600)
    assert len(columns_of(image, LEFT)) < 20 < len(columns_of(image, RIGHT))


def test_strip_of_2d_keypoints_keeps_the_image_plane() -> None:
    joints = standing(heading=0.0)
    joints[..., 2] = 0.0
    image = draw_strip(Motion(joints, dimensions=2, source="coco17"), view="side", poses=2, width=700)
    assert columns_of(image, LEFT).mean() > columns_of(image, RIGHT).mean()


def test_events_become_bars_of_their_length() -> None:
    motion = Motion(standing(101))
    colour = (10, 200, 30)
    image = draw_strip(motion, poses=5, width=900, events=[Event("turn", "", 1.0, 3.0, colour)])
    green = columns_of(image, colour)
    axis = 900 - 2 * 36 - 92  # margins and the row's name
    assert np.ptp(green) == pytest.approx(axis * (4 / 5) * 2.0 / 5.0, rel=0.03)


def test_path_from_above_only_when_there_is_one() -> None:
    assert draw_strip(Motion(standing(60)), poses=3, width=900).height < 800
    walked = draw_strip(Motion(standing(60, step=0.05)), poses=3, width=900)
    still = draw_strip(Motion(standing(60)), poses=3, width=900)
    corner = np.asarray(walked)[:, 900 - 36 - 170 : 900 - 36]
    assert (corner[110:200].std() > 0) and np.asarray(still)[110, 900 - 36 - 100 :].std() == 0


def test_raised_hand_is_among_the_events() -> None:
    joints = standing(60)
    for name, at in (("left_elbow", [0.05, 0.25, 0.0]), ("left_wrist", [0.05, 0.5, 0.0])):
        joints[20:40, INDEX[name]] = joints[20:40, INDEX["left_shoulder"]] + np.array(at, dtype=np.float32)
    rows = {event.row for event in events_of(Motion(joints))}
    assert "left hand" in rows and "right hand" not in rows


@pytest.mark.parametrize("kind", [".png", ".gif", ".mp4"])
def test_every_kind_is_written_whole_and_alone(tmp_path: Path, kind: str) -> None:
    motion = Motion(standing(20, step=0.03), name="walk ünïcode " + "x" * 300)
    path = render(motion, tmp_path / f"out{kind}", width=320)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if kind == ".mp4":
        with av.open(str(path)) as video:
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
            assert video.streams.video[0].average_rate == 20
            assert video.streams.video[0].codec_context.name in ("h264", "mpeg4")
        assert len(frames) == 20 and frames[0].shape == (320, 320, 3)
        assert np.abs(frames[0].astype(int) - frames[-1]).max() > 60
    elif kind == ".gif":
        with Image.open(path) as image:
            assert image.n_frames == 10 and image.info["duration"] == 100 and image.size == (320, 320)
    else:
        with Image.open(path) as image:
            assert image.width == 320


def test_single_frame_of_every_kind(tmp_path: Path) -> None:
    for kind in (".png", ".gif", ".mp4"):
        assert render(Motion(standing(1)), tmp_path / f"one{kind}", width=240).stat().st_size > 500


def test_camera_follows() -> None:
    frames = list(draw_frames(Motion(standing(60, step=0.1)), size=(240, 240)))
    for image in (frames[10], frames[50]):
        body = np.concatenate([columns_of(image, LEFT), columns_of(image, RIGHT)])
        assert abs(body.mean() - 120) < 40


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.mp4").write_bytes(b"before")

    def broken(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vimonet.motion.render.animation._draw_words", broken)
    with pytest.raises(KeyboardInterrupt):
        render(Motion(standing(5)), tmp_path / "out.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"before"


def test_mpeg4_where_there_is_no_h264(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    path = render(Motion(standing(6)), tmp_path / "out.mp4", width=200)
    with av.open(str(path)) as video:
        assert video.streams.video[0].codec_context.name == "mpeg4"
        assert sum(1 for _ in video.decode(video=0)) == 6


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("out.webp", {}, ".png, .gif or .mp4"),
        ("missing/out.png", {}, "does not exist"),
        ("out.png", {"view": "behind"}, "three-quarter"),
        ("out.png", {"poses": 0}, "at least one"),
        ("out.png", {"width": 5}, "between"),
    ],
)
def test_mistakes_are_told_before_any_work(tmp_path: Path, name: str, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        render(Motion(standing(3)), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "title", ["a\x00b\x1b[31m\x1c", "\ud800 lone", "سلام שלום 你好 🙂", "new\nline\ttab", "", "w" * 5000, "\ufffd" * 40]
)
def test_any_text_can_be_drawn(tmp_path: Path, title: str) -> None:
    motion = Motion(standing(2))
    render(motion, tmp_path / "a.png", title=title, subtitle=title, width=400)
    render(motion, tmp_path / "a.gif", title=title, width=200)
