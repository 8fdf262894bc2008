"""A camera that freezes, goes black, changes size, rate or clock says so; a person in it never "stands still"."""

from __future__ import annotations

import numpy as np
import pytest
from watch_world import GREEN, RED, BoxEstimator, Recorder, Scripted, kinds, seen, standing_at, view

from vimonet.utils.errors import InputError
from vimonet.watch.loop import POSE_EVERY, Watch
from vimonet.watch.readings import Picture, SourceLost
from vimonet.watch.source_health import RisingClock


def watched(script, recorder=None, **settings):
    recorder = recorder or Recorder()
    watch = Watch(Scripted(script), [recorder], estimator=BoxEstimator, **settings)
    return list(watch.events()), recorder, watch.summary


def person(number, left=140, time=None, **settings):
    return Picture(number / 10 if time is None else time, view((RED, left, 60), noise=number, **settings))


def test_a_frozen_camera_is_told_and_shows_nobody_who_stands_still():
    def script():
        yield from (person(number) for number in range(30))
        stuck = person(29).image
        yield from (Picture(number / 10, stuck) for number in range(30, 130))
        yield from (person(number) for number in range(130, 160))

    events, recorder, _ = watched(script)
    frozen = [event for event in events if event.kind == "picture_frozen"]
    assert [event.end for event in frozen] == [None, pytest.approx(13.0)]
    assert frozen[0].id == frozen[1].id
    assert frozen[0].time == pytest.approx(2.9, abs=0.11)
    assert frozen[1].value["seconds"] == pytest.approx(10.0, abs=0.3)
    assert not [frame for frame in recorder.frames if 3.0 <= frame.time < 12.9]
    assert len(recorder.left) == 2  # at the freeze, and at the end
    assert "leaves" not in kinds(events) and "nobody" not in kinds(events)


@pytest.mark.parametrize("colour, word", [((3, 3, 3), "black"), ((0, 0, 255), "of one colour")])
def test_a_black_or_blank_picture_is_told(colour, word):
    rng = np.random.default_rng(0)

    def script():
        yield from (person(number) for number in range(30))
        for number in range(30, 60):
            noise = rng.integers(0, 3, (180, 320, 3), dtype=np.uint8)
            yield Picture(number / 10, np.full((180, 320, 3), colour, np.uint8) // 2 + noise)
        yield from (person(number) for number in range(60, 80))

    events, recorder, _ = watched(script)
    black = [event for event in events if event.kind == "picture_black"]
    assert word in black[0].text
    assert (black[0].time, black[0].end, black[1].end) == (pytest.approx(3.0), None, pytest.approx(6.0))
    assert not [frame for frame in recorder.frames if 3.0 <= frame.time < 6.0]


def test_a_new_size_is_told_and_people_are_followed_anew():
    built = []

    def build():
        built.append(BoxEstimator())
        return built[-1]

    def script():
        yield from (person(number) for number in range(20))
        yield from (person(number, size=(640, 360)) for number in range(20, 40))

    recorder = Recorder()
    events = list(Watch(Scripted(script), [recorder], estimator=build).events())
    changed = next(event for event in events if event.kind == "size_changed")
    assert changed.value == {"width": 640, "height": 360}
    assert {frame.size for frame in recorder.frames} == {(320, 180), (640, 360)}
    assert len(built) == 2 and all(one.closed for one in built)


def test_a_new_rate_is_told_once():
    def script():
        yield from (person(number, time=number / 25) for number in range(400))
        yield from (person(number, time=16 + number / 8) for number in range(120))

    events, _, _ = watched(script)
    changed = [event for event in events if event.kind == "rate_changed"]
    assert len(changed) == 1
    assert changed[0].value["before"] == pytest.approx(25, abs=0.5)
    assert changed[0].value["fps"] == pytest.approx(8, abs=0.5)


def test_a_clock_that_goes_back_is_told_and_time_rises_for_detectors():
    def script():
        yield from (person(number) for number in range(100, 150))
        yield from (person(number) for number in range(50))

    events, recorder, _ = watched(script)
    jump = next(event for event in events if event.kind == "clock_jumped")
    assert jump.value["seconds"] == pytest.approx(-14.9)
    times = [frame.time for frame in recorder.frames]
    assert times == sorted(times) and len(times) > 80
    assert len(recorder.left) == 2


def test_late_frames_are_left_out_and_counted():
    order = [*range(10), 12, 11, 13, 14, 16, 15, *range(17, 30)]
    events, _, summary = watched(lambda: (person(number) for number in order))
    assert summary.late == 2
    assert "clock_jumped" not in kinds(events)


def test_a_gap_in_a_recording_is_a_loss_and_not_a_person_who_stood_still():
    def script():
        yield from (person(number) for number in range(30))
        yield from (person(number) for number in range(630, 660))

    events, recorder, _ = watched(script)
    lost = [event for event in events if event.kind == "source_lost"]
    assert (lost[0].time, lost[1].end) == (pytest.approx(2.9), pytest.approx(63.0))
    assert recorder.left[0] == (1, pytest.approx(2.9))


def test_a_stream_that_repeats_one_pose_is_frozen():
    still = standing_at(300)

    def script():
        yield from (seen(number / 20, standing_at(300, wobble=number % 3)) for number in range(60))
        yield from (seen(number / 20, still) for number in range(60, 260))

    recorder = Recorder()
    events = list(Watch(Scripted(script, pictures=False), [recorder]).events())
    assert "picture_frozen" in kinds(events)
    assert max(frame.time for frame in recorder.frames) < 3.2


def test_a_lost_camera_is_told_and_comes_back_by_itself():
    def script():
        for number in range(20):
            yield Picture(number / 20, view((RED, 140, 60), noise=number))
            yield 0.05
        yield SourceLost("the cable is out")
        yield SourceLost("no such device")
        for number in range(20):
            yield Picture(number / 20, view((RED, 140, 60), noise=number))
            yield 0.05

    source = Scripted(script, live=True)
    recorder = Recorder()
    watch = Watch(source, [recorder], estimator=BoxEstimator, backoff=(0.05, 0.1))
    events = list(watch.events())
    assert source.opened == 3
    lost = [event for event in events if event.kind == "source_lost"]
    assert lost[0].text == "the cable is out" and lost[0].end is None
    assert lost[1].id == lost[0].id and lost[1].end > lost[0].time
    assert len(recorder.left) == 2 and len(recorder.frames) > 10
    assert recorder.frames[0].time > 1.7e9  # since 1970


@pytest.mark.parametrize(("fps", "poses"), [(10, 30), (20, 60), (25, 38), (30, 45), (60, 60)])
def test_people_are_looked_for_in_as_many_pictures_as_events_need(fps: int, poses: int):
    """All frames of a camera are looked at, and 12 to 20 poses a second estimated; those of a film in all frames."""

    def watched(pose_every: float | None) -> Watch:
        script = [Picture(number / fps, view((RED, 140, 60), noise=number)) for number in range(3 * fps)]
        watch = Watch(Scripted(lambda: script), [], estimator=BoxEstimator, pose_every=pose_every)
        list(watch.events())
        return watch

    assert watched(None).summary.estimated == 3 * fps
    camera = watched(POSE_EVERY).summary
    assert camera.looked_at == 3 * fps and camera.estimated == poses


def test_a_silent_camera_is_lost_after_the_stall():
    def script():
        for number in range(5):
            yield Picture(number / 20, view(noise=number))
            yield 0.05
        yield 0.8
        for number in range(5):
            yield Picture(1 + number / 20, view(noise=number))
            yield 0.05

    events = list(Watch(Scripted(script, live=True), estimator=BoxEstimator, stall=0.3).events())
    assert kinds(events)[:2] == ["source_lost", "source_lost+"]
    assert events[1].value["seconds"] == pytest.approx(0.8, abs=0.4)


def test_a_camera_that_is_not_there_is_an_error_unless_it_is_waited_for():
    def script():
        yield SourceLost("there is no such camera")
        yield from (Picture(number / 20, view(noise=number)) for number in range(3))

    with pytest.raises(InputError, match="there is no such camera"):
        list(Watch(Scripted(script, live=True), estimator=BoxEstimator).events())
    events = list(Watch(Scripted(script, live=True), estimator=BoxEstimator, wait=True, backoff=(0.01, 0.02)).events())
    assert kinds(events) == ["source_lost", "source_lost+"]
    assert events[0].time > 1.7e9


def test_the_newest_picture_wins_and_drops_are_counted_and_told():
    def script():
        for number in range(600):
            yield Picture(number / 25, view((RED, 140, 60), noise=number))
            yield 0.002

    recorder = Recorder()
    watch = Watch(Scripted(script, live=True), [recorder], estimator=lambda: BoxEstimator(0.02))
    events = list(watch.events())
    summary = watch.summary
    assert summary.given == 600
    assert summary.dropped > 200
    assert summary.looked_at + summary.dropped == pytest.approx(600, abs=60)  # some repeat the one before
    assert "behind" in kinds(events)
    assert np.median(summary.lags) < 0.2


def test_a_clock_follows_the_source_within_the_time_that_passes():
    clock = RisingClock(live=True, anchored=True)
    assert clock.take(5.0, 100.0, 1000.0) == (1000.0, [])
    assert clock.take(5.04, 100.5, 1000.5)[0] == pytest.approx(1000.04)
    time, events = clock.take(3605.0, 100.6, 1000.6)
    assert time == pytest.approx(1000.14) and events[0].value["seconds"] > 3500
    assert clock.take(3605.1, 100.7, 1000.7)[0] == pytest.approx(1000.24)
    assert RisingClock(live=True, anchored=False).take(5.0, 100.0, 1000.0)[0] == 5.0
    assert RisingClock(live=True, anchored=False).take(None, 100.0, 1000.0)[0] == 1000.0


def test_two_people_are_told_apart_while_one_camera_sees_both():
    def script():
        for number in range(60):
            yield Picture(number / 10, view((RED, 20 + 2 * number, 60), (GREEN, 260 - 2 * number, 70), noise=number))

    _, recorder, summary = watched(script)
    assert summary.people == 2
    first = [frame.joints[0, 0] for frame in recorder.frames if frame.person == 1]
    assert first[0] < 60 and first[-1] > 130
