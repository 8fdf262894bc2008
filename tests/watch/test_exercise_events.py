"""Repetitions as they are done: each once, with count, depth and tempo."""

from __future__ import annotations

import numpy as np
import pytest
from test_body_events import frames, still

from research.vimos_open.synthesis import generate
from vimonet.motion.kinematics.exercises import ANY, EXERCISES
from vimonet.motion.motion import Motion
from vimonet.motion.projection import project
from vimonet.utils.errors import InputError
from vimonet.watch.alarms import Alarms
from vimonet.watch.detectors import detectors_for
from vimonet.watch.rules import parse_rules


def counted(motion: Motion, exercise: str = "exercise: squat") -> list[dict]:
    (detector,) = detectors_for(parse_rules("rules:\n  - {event: repetition, " + exercise + "}\n"))
    events = [event for frame in frames(motion) for event in detector.push(frame)]
    events += detector.gone(1, motion.duration)
    assert all(event.kind == "repetition" and event.end is not None for event in events)
    return [event.value for event in events]


def squats(seed: int) -> tuple[Motion, int]:
    motion, truth = generate("squats", seed=seed)
    rest = still(motion.joints[-1], 2)
    return Motion(np.concatenate([motion.joints, rest])), truth["count"]


@pytest.mark.parametrize("flat", [False, True], ids=["3D", "picture"])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_squat_is_told_once(flat: bool, seed: int) -> None:
    motion, count = squats(seed)
    values = counted(project(motion, 60.0, 5.0, 6.0) if flat else motion)
    assert [value["count"] for value in values] == list(range(1, count + 1))
    assert all(value["exercise"] == "squat" and value["seconds"] > 0.5 and value["depth"] > 0 for value in values)
    assert values[-1]["tempo_per_minute"] == pytest.approx(60 / np.median([v["seconds"] for v in values]), rel=0.5)


def test_walking_and_standing_are_no_squats() -> None:
    assert counted(generate("walk", seed=1)[0]) == []
    assert counted(Motion(still(generate("stand", seed=1)[0].joints[0], 5))) == []


def test_an_unknown_exercise_is_told_with_its_line() -> None:
    with pytest.raises(InputError, match="line 3: sqat: unknown exercise; choose one of squat"):
        parse_rules("rules:\n  - event: repetition\n    exercise: sqat\n")


def test_every_exercise_can_be_named_by_a_rule_of_its_own() -> None:
    names = [*EXERCISES, ANY, "Push ups", "bicep curls"]
    lines = "".join(f"  - {{event: repetition, exercise: {name}}}\n" for name in names[:-2])
    rules = parse_rules("rules:\n" + lines + "  - event: repetition\n")
    assert [rule.name for rule in rules.rules] == [*(f"repetition {name}" for name in names[:-2]), "repetition"]
    assert [found.exercise for found in detectors_for(rules)] == [*names[:-2], ANY]
    for name, plain in (("Push ups", "push-up"), ("bicep curls", "curl")):
        (found,) = detectors_for(parse_rules(f"rules:\n  - {{event: repetition, exercise: {name}}}\n"))
        assert found.exercise == plain


def test_a_rule_is_told_of_its_own_exercise_alone() -> None:
    rules = parse_rules(
        "rules:\n  - {event: repetition, exercise: squats, cool_down: 0}\n  - {event: repetition, cool_down: 0}\n"
    )
    motion, count = squats(1)
    told = dict.fromkeys(("repetition squats", "repetition"), 0)
    for detector in detectors_for(rules):
        alarms = Alarms(rules.rules, {}, live=False)
        events = [event for frame in frames(motion) for event in detector.push(frame)]
        for event in (*events, *detector.gone(1, motion.duration)):
            for alarm in alarms.event(event):
                told[alarm.rule.name] += 1
                assert alarm.event.value["exercise"] == (alarm.rule.exercise or ANY)
        alarms.close()
    assert told["repetition squats"] == count and told["repetition"] > 0
