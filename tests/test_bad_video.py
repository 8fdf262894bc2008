"""Bad and odd video through `vimonet ask`: one clear sentence and exit code 2, or an answer, never a crash.

The estimator is a made-up one that sees the people a test puts into the picture; MediaPipe itself is asked in
tests/motion/test_pose.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_clips import make, make_sound

import vimonet.motion.pose as estimation
from vimonet.cli import main
from vimonet.motion.pose import Person
from vimonet.video import read

SIZE = (160, 120)
QUESTION = "What is the person doing?"
# A standing figure of height 1 in COCO's order: x from its middle, y from its feet up.
FIGURE = np.array(
    [
        *[(0, 0.95), (0.02, 0.97), (-0.02, 0.97), (0.04, 0.96), (-0.04, 0.96), (0.1, 0.82), (-0.1, 0.82)],
        *[(0.13, 0.66), (-0.13, 0.66), (0.14, 0.5), (-0.14, 0.5), (0.07, 0.5), (-0.07, 0.5)],
        *[(0.07, 0.27), (-0.07, 0.27), (0.07, 0.03), (-0.07, 0.03)],
    ]
)


def person(x: float, height: float = 90.0) -> Person:
    points = np.stack([x + FIGURE[:, 0] * height, 110.0 - FIGURE[:, 1] * height], axis=1)
    return Person(points, np.full(17, 0.9))


class Fake:
    """The same people in every picture."""

    layout, name = "coco17", "made up, for tests"

    def __init__(self, people: list[Person]) -> None:
        self.seen = people

    def people(self, image: np.ndarray) -> list[Person]:
        return self.seen if min(image.shape[:2]) >= 16 else []

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny import tiny_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    for part in tiny_model():
        part.save_pretrained(folder)
    return folder


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Person]:
    """Who is in view; a test changes it. The cache folder is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VIMONET_POSE", raising=False)
    seen = [person(80)]
    monkeypatch.setattr(estimation, "estimator_of", lambda name: Fake(seen))
    return seen


def many(path: Path, frames: int = 20_000, group: int = 250, rate: int = 200) -> Path:
    """One encoded group of small pictures, repeated: encoding them all would take longer than reading them."""
    piece = make(path.with_name("piece.mp4"), group, size=(32, 32), codec="mpeg4", rate=rate, gop=group)
    with av.open(str(piece)) as source, av.open(str(path), "w") as file:
        template = source.streams.video[0]
        base = Fraction(template.time_base or 1)
        packets = [(bytes(p), p.pts, p.dts, p.duration, p.is_keyframe) for p in source.demux(template) if p.size]
        stream = file.add_stream_from_template(template)
        for turn in range(frames // group):
            shift = turn * int(group / rate / base)
            for data, pts, dts, duration, key in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = stream, base, key
                packet.pts, packet.dts, packet.duration = pts + shift, dts + shift, duration
                file.mux(packet)
    return path


def no_frames(path: Path) -> None:
    """A header that announces a video, and nothing after it."""
    with av.open(str(path), "w", format="avi") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        file.start_encoding()


def dot(path: Path) -> None:
    black = np.zeros((1, 1, 3), np.uint8)
    make(path, 4, size=(1, 1), codec="ffv1", pixels="yuv444p", format="matroska", draw=lambda _: black)


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated to its head": (lambda path: path.write_bytes(make(path, 30).read_bytes()[:900]), "not a readable video"),
    "zero frames": (no_frames, "no frames"),
    "audio only": (make_sound, "only sound"),
    "one pixel": (dot, "nobody is seen"),
    "text": (lambda path: path.write_text("this is no video\n" * 40), "not a readable video"),
}


@pytest.mark.parametrize("command", ["ask", "pose"])
@pytest.mark.parametrize("kind", BAD)
def test_one_sentence(tmp_path: Path, kind: str, command: str, people, model, capsys) -> None:
    path, out = tmp_path / "clip.mp4", tmp_path / "keys.json"
    spoil, words = BAD[kind]
    spoil(path)
    arguments = [str(path), "-o", str(out)] if command == "pose" else [str(path), QUESTION, "-m", str(model)]
    assert main([command, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and printed.err.startswith("vimonet: ")
    assert "clip.mp4" in printed.err and words in printed.err
    assert not out.exists() and not list(tmp_path.glob("*.part"))


def test_nobody_in_view(tmp_path: Path, people, model, capsys) -> None:
    people.clear()
    assert main(["ask", str(make(tmp_path / "clip.mp4", 30, size=SIZE)), QUESTION, "-m", str(model)]) == 2
    assert capsys.readouterr().err.count("nobody is seen in its 30 frames; give a video that shows a person.\n") == 1


def answer(path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["ask", str(path), QUESTION, "-m", str(model), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_three_people(tmp_path: Path, people, model, capsys) -> None:
    """The largest and most central is asked about, and that there are others is said."""
    people.extend([person(20, 60), person(140, 50)])
    path = make(tmp_path / "clip.mp4", 30, size=SIZE)
    said = answer(path, model, capsys)
    assert said["end"] == pytest.approx(1.2) and said["text"]
    assert main(["inspect", str(path), "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert any("3 people in view: person 1" in note for note in notes)


def test_a_file_that_breaks_off_is_answered_as_far_as_it_goes(tmp_path: Path, people, model, capsys) -> None:
    path = make(tmp_path / "clip.mkv", 100, size=SIZE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert 1.5 < answer(path, model, capsys)["end"] < 3.5


def test_what_was_not_seen_is_said_beside_the_answer(tmp_path: Path, people, model, capsys) -> None:
    people.append(person(140, 50))
    path = make(tmp_path / "clip.mp4", 100, size=SIZE, container={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    assert main(["ask", str(path), QUESTION, "-m", str(model)]) == 0
    said = capsys.readouterr().err
    assert f"vimonet: {path}: the file breaks off: it holds " in said and " of 100 frames." in said
    assert f"vimonet: {path}: 2 people in view: person 1 by size, place and time in view is followed." in said


def test_twenty_thousand_frames(tmp_path: Path, people, model, capsys) -> None:
    path = many(tmp_path / "long.mp4")
    clip = read(path)
    assert clip.info.frames == 20_000 and clip.indices.tolist()[-1] == 19_999
    said = answer(path, model, capsys)
    assert said["end"] == pytest.approx(100, abs=0.2) and len(said["windows"]) > 25
