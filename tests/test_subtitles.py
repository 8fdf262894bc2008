"""Subtitles: what happens when, read back by another program; overlapping and very short cues; a file per recording."""

from __future__ import annotations

import csv
import io
import shutil
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from vimonet.cli import main
from vimonet.inference.answer import Answer
from vimonet.inference.subtitles import (
    Cue,
    measured_cues,
    one_at_a_time,
    srt_text,
    timed_cues,
    vtt_text,
    write_subtitles,
)
from vimonet.motion import load
from vimonet.motion.kinematics import measure
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError

CUES = [Cue(0.0, 6.0, "walks"), Cue(2.0, 3.5, "left hand raised"), Cue(5.0, 8.0, "turns & looks <back>")]


def by_ffmpeg(path: Path) -> list[tuple[float, float, str]]:
    """The cues as FFmpeg reads them."""
    with av.open(str(path)) as container:
        found = []
        for packet in container.demux(subtitles=0):
            if packet.size and packet.pts is not None:
                start, length = (float(t * packet.time_base) for t in (packet.pts, packet.duration))
                found.append((round(start, 3), round(start + length, 3), bytes(packet).decode().strip()))
        return found


def test_srt_shows_one_cue_at_a_time_and_loses_none(tmp_path: Path):
    found = by_ffmpeg(write_subtitles(CUES, tmp_path / "one.srt"))
    assert found == [
        (0.0, 2.0, "walks"),
        (2.0, 3.5, "walks\nleft hand raised"),
        (3.5, 5.0, "walks"),
        (5.0, 6.0, "walks\nturns & looks <back>"),
        (6.0, 8.0, "turns & looks <back>"),
    ]


def test_vtt_keeps_every_cue_with_its_own_times(tmp_path: Path):
    found = by_ffmpeg(write_subtitles(CUES, tmp_path / "one.vtt"))
    assert [one[:2] for one in found] == [(0.0, 6.0), (2.0, 3.5), (5.0, 8.0)]
    assert found[2][2] == "turns &amp; looks &lt;back&gt;"
    assert (tmp_path / "one.vtt").read_text().startswith("WEBVTT\n\n00:00:00.000 --> 00:00:06.000\nwalks\n")


def test_very_short_cues_are_shown_and_slivers_are_not(tmp_path: Path):
    short = by_ffmpeg(write_subtitles([Cue(1.0, 1.0, "a"), Cue(2.0, 2.01, "b"), Cue(3, 3.3, "c")], tmp_path / "a.srt"))
    assert short == [(1.0, 1.04, "a"), (2.0, 2.04, "b"), (3.0, 3.3, "c")]
    # The hand comes down 0.1 s after the turn begins: no cue of 0.1 s, and nothing is lost.
    pieces = one_at_a_time([Cue(0, 2.1, "hand raised"), Cue(2.0, 4.0, "turns")])
    assert pieces == [Cue(0, 2.1, "hand raised"), Cue(2.1, 4.0, "turns")]
    for cues in (CUES, [Cue(0.1 * k, 0.1 * k + 0.15, f"step {k}") for k in range(30)]):
        shown = one_at_a_time(cues)
        assert {text for cue in shown for text in cue.text.split("\n")} == {cue.text for cue in cues}
        assert all(one.end <= other.start for one, other in pairwise(shown))
        assert all(one.end > one.start for one in shown)


def test_hours_and_hostile_words():
    cues = [Cue(3599.9996, 3725.25, "falls\n\n2\n00:00:00,000 --> 00:00:09,000\x1b[31m")]
    lines = srt_text(cues).split("\n")
    assert lines[1] == "01:00:00,000 --> 01:02:05,250"
    assert len(lines) == 4 and lines[2] == "falls 2 00:00:00,000 -> 00:00:09,000 [31m"
    assert vtt_text(cues).count("-->") == 1
    assert srt_text([]) == "\n" and vtt_text([]).startswith("WEBVTT")


def test_events_stand_at_their_times():
    cues = measured_cues(measure(load("sample:jumps")))
    jumps = [cue for cue in cues if cue.text.startswith("jumps")]
    assert len(jumps) == 3 and all(0.2 < cue.end - cue.start < 0.8 for cue in jumps)
    fall = measured_cues(measure(load("sample:fall")))
    assert [cue.text for cue in fall] == ["falls", "lying on the left side"]
    turn = next(cue for cue in measured_cues(measure(load("sample:walk_turn_wave"))) if cue.text.startswith("turns"))
    assert turn.text == "turns 89 degrees to the left" and 3.5 < turn.start < turn.end < 6.0


def test_a_file_for_one_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    target = tmp_path / "walk.srt"
    assert main(["caption", "sample:walk_turn_wave", "--srt", str(target), "--vtt", str(tmp_path / "w.vtt")]) == 0
    found = by_ffmpeg(target)
    assert found[0][0] == 0.0 and found[-1][1] == pytest.approx(12.05, abs=0.2)
    assert any("turns 89 degrees to the left" in text for _, _, text in found)
    assert len(by_ffmpeg(tmp_path / "w.vtt")) >= 4
    assert "waves the left hand" in capsys.readouterr().out  # the caption is printed as ever


def test_a_file_per_recording_in_a_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    clips = tmp_path / "clips"
    (clips / "sub").mkdir(parents=True)
    shutil.copy(sample_path("walk"), clips / "walk.bvh")
    shutil.copy(sample_path("fall"), clips / "sub" / "walk.bvh")
    shutil.copy(sample_path("wave_right"), clips / "sub" / "wave.bvh")
    (clips / "sub" / "wave.json").write_text((sample_path("squats_coco17")).read_text())
    (clips / "bad.bvh").write_text("HIERARCHY")
    output = tmp_path / "captions.jsonl"
    command = ["caption", str(clips), "--srt", str(tmp_path / "subs"), "-o", str(output)]
    assert main(command) == 2  # one could not be read; the others are written
    files = sorted(path.relative_to(tmp_path / "subs").as_posix() for path in (tmp_path / "subs").rglob("*.*"))
    assert files == ["sub/walk.srt", "sub/wave.bvh.srt", "sub/wave.json.srt", "walk.srt"]
    assert "falls" in (tmp_path / "subs" / "sub" / "walk.srt").read_text()
    assert len(output.read_text().splitlines()) == 4 and "cues" not in output.read_text()
    capsys.readouterr()
    assert main(command) == 2 and "held 4 recordings already" in capsys.readouterr().err


def test_nothing_is_told_of_the_time_without_the_person():
    answer = Answer(
        "walks",
        start=0.0,
        end=9.0,
        windows=(
            Answer("walks", start=0.0, end=5.0),
            Answer("cannot tell", start=5.0, end=9.0, provenance="withheld"),
        ),
    )
    assert timed_cues(answer) == [Cue(0.0, 5.0, "walks")]
    assert timed_cues(answer, seen=(1.0, 4.0)) == [Cue(1.0, 4.0, "walks")]
    assert timed_cues(answer, seen=(6.0, 8.0)) == []
    waves = SimpleNamespace(start=2.0, end=6.5, actions=(("wave", 0.8), ("clap", 0.2)))
    assert timed_cues(answer, [waves], seen=(1.0, 4.0)) == [Cue(2.0, 4.0, "wave")]


def test_wrong_targets_are_refused_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for flags, word in (
        (["--srt", str(tmp_path / "a.vtt")], "--srt writes .srt"),
        (["sample:fall", "--srt", str(tmp_path / "a.srt")], "name a folder"),
        (["--vtt", str(tmp_path / "no" / "a.vtt")], "folder that exists"),
    ):
        assert main(["caption", "sample:walk", *flags]) == 2
        assert word in capsys.readouterr().err
    with pytest.raises(InputError, match=r"\.srt or \.vtt"):
        write_subtitles(CUES, tmp_path / "a.txt")
    assert not list(tmp_path.iterdir())


def test_inspect_prints_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    (tmp_path / "bad.bvh").write_text("HIERARCHY")
    assert main(["inspect", "sample:walk", str(tmp_path / "bad.bvh"), "sample:fall", "--csv"]) == 2
    printed = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert "bad.bvh" in printed.err and [row["file"] for row in rows] == ["sample:walk", "sample:fall"]
    facts = measure(load("sample:walk"))
    assert float(rows[0]["displacement"]) == pytest.approx(facts.displacement, abs=1e-3)
    assert float(rows[0]["knee_flexion.left"]) == pytest.approx(facts.knee_flexion["left"], abs=1e-3)
    assert int(rows[0]["steps.count"]) == len(facts.steps) > 3 and rows[1]["falls.count"] == "1"
    assert rows[0]["displacement_direction"] == "forward" and rows[0]["joints_found"] == "22"
    assert main(["inspect", "sample:walk", "--csv", "--json"]) == 2
