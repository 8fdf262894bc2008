"""Hours of a watch in seconds: memory stays flat, whatever the source does."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from watch_world import Scripted, kinds, seen, standing_at

from benchmarks.watch import day
from vimonet.watch import Event, PoseFrame
from vimonet.watch.loop import Watch
from vimonet.watch.pose_window import PoseWindow


class Windows:
    """A detector with a window for every person."""

    def __init__(self):
        self.windows = {}

    def push(self, frame: PoseFrame) -> list[Event]:
        self.windows.setdefault(frame.person, PoseWindow(5.0)).push(frame)
        return []

    def gone(self, person, time: float) -> list[Event]:
        self.windows.pop(person, None)
        return []


@pytest.mark.slow
def test_nothing_piles_up_over_hours_of_people_who_come_and_go():
    hours, fps = 2.0, 1.0
    held = []  # objects, every half hour

    def script():
        rng = np.random.default_rng(0)
        for number in range(int(hours * 3600 * fps)):
            at = number / fps
            if number % int(1800 * fps) == 0:
                gc.collect()
                held.append(len(gc.get_objects()))
            if at % 900 < 5:
                continue  # the camera fails for five seconds every quarter of an hour
            back = 3000.0 if at > 1800 * hours else 0.0  # its clock is set back once
            turn = at % 60
            people = [standing_at(100 + 8 * turn) + rng.normal(0, 0.3, (17, 3))] if turn < 45 else []
            yield seen(at - back, *people)

    detector = Windows()
    watch = Watch(Scripted(script, pictures=False), [detector])
    reports = sum(1 for _ in watch.events())
    assert watch.summary.events["clock_jumped"] == 1
    assert watch.summary.events["source_lost"] == pytest.approx(4 * hours, abs=2)
    assert watch.summary.people >= 55 * hours
    assert reports > 100 * hours
    assert not detector.windows  # everybody is gone at the end
    assert len(held) == 2 * hours
    assert held[-1] - held[1] < 2000


@pytest.mark.slow
def test_nothing_piles_up_in_the_detectors_rules_and_sinks():
    """Visitors walk, fall, wave, squat and lie down for 24 minutes, as benchmarks.watch --day replays for a day."""
    found = day(0.4, 2.5, True, every=300.0)
    assert found["events"]["fall"] and found["events"]["source_lost"] and found["lines_of_the_log"] > 5
    first, last = found["every_hour"][1], found["every_hour"][-1]
    assert last["hour"] > first["hour"] + 0.1
    assert (last["threads"], last["files"]) == (first["threads"], first["files"])
    assert last["people"] <= 4 and last["open_events"] <= first["open_events"] + 16
    assert last["objects"] - first["objects"] < 3000


def test_thousands_of_ids_do_not_pile_up():
    def script():
        for number in range(3000):
            yield seen(number / 10, (standing_at(300 + number % 7), f"track-{number}"))

    watch = Watch(Scripted(script, pictures=False))
    events = list(watch.events())
    assert watch.summary.people == 3000
    assert kinds(events).count("leaves") > 2900
    assert len(watch.presence._people) == 0


def test_a_crowd_is_bounded():
    def script():
        for number in range(20):
            crowd = [standing_at(10 * one, wobble=number) for one in range(200)]
            yield seen(number / 10, *((one, index) for index, one in enumerate(crowd)))

    watch = Watch(Scripted(script, pictures=False))
    list(watch.events())
    assert watch.summary.people == 64
