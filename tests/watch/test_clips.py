"""Films of what was reported: only where they are asked for, and showing what came before and after."""

from __future__ import annotations

import numpy as np
import pytest
from video_clips import make
from watch_world import RED, SIZE, BoxEstimator, Recorder, Scripted, view

from vimonet.utils.errors import InputError
from vimonet.video import frames, probe
from vimonet.watch import Event
from vimonet.watch.clips import AFTER, BEFORE, ClipKeeper
from vimonet.watch.loop import Watch
from vimonet.watch.readings import Picture
from vimonet.watch.sources import source_of


def test_a_clip_shows_the_seconds_before_and_after(tmp_path):
    keeper = ClipKeeper(tmp_path / "clips")
    for number in range(600):
        time = 1000 + number / 25
        keeper.picture(time, view((RED, number // 2, 60), size=SIZE))
        if number == 300:
            keeper.keep(Event("fall", 1011.5, None, 1))
        if number == 320:
            keeper.keep(Event("fall", 1011.5, 1012.5, 1))  # over: no second clip
    keeper.close()
    (clip,) = (tmp_path / "clips").iterdir()
    assert clip.name.startswith("001011.50s_fall_")
    info = probe(clip)
    assert info.duration == pytest.approx(BEFORE + 0.5 + AFTER, abs=0.2)
    shots = list(frames(clip))
    red = [np.nonzero((np.abs(shot.image[100].astype(int) - RED) < 60).all(axis=1))[0] for shot in shots]
    first, last = float(red[0].min()), float(red[-1].min())
    assert first == pytest.approx((1011.5 - BEFORE - 1000) * 12.5, abs=4)
    assert last == pytest.approx((1012 + AFTER - 1000) * 12.5, abs=4)


def test_nothing_is_stored_without_being_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIMONET_CACHE", str(tmp_path / "cache"))
    film = make(tmp_path / "film.mp4", 30, size=SIZE, draw=lambda one: view((RED, 100 + one, 60), noise=one))
    list(Watch(source_of(str(film)), estimator=BoxEstimator).events())
    assert [path.name for path in tmp_path.rglob("*")] == ["film.mp4"]


def test_memory_holds_some_seconds_alone(tmp_path):
    keeper = ClipKeeper(tmp_path)
    for number in range(2000):
        keeper.picture(number / 10, np.zeros((8, 8, 3), np.uint8))
    assert len(keeper._ring) < 160
    keeper.close()


def test_a_folder_that_cannot_be_is_refused_and_a_full_one_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.*cannot be made"):
        ClipKeeper(tmp_path / "file")
    said = []
    keeper = ClipKeeper(tmp_path / "clips", said.append)
    keeper.picture(1.0, view())
    (tmp_path / "clips").rmdir()
    keeper.keep(Event("fall", 1.0))
    keeper.close()
    assert "cannot be written" in said[0]


def test_clips_are_taken_from_a_watch_that_runs(tmp_path):
    keeper = ClipKeeper(tmp_path / "clips")

    def script():
        for number in range(100):
            yield Picture(number / 10, view((RED, 100 + number % 5, 60), noise=number))

    watch = Watch(Scripted(script), [Recorder()], estimator=BoxEstimator, on_picture=[keeper.picture])
    for event in watch.events():
        if event.kind == "enters":
            keeper.keep(event)
    keeper.close()
    assert keeper.written == 1
