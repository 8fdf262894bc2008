"""Ask in everyday words what labels answer: this or that, when, how to do it, which sport, what is held."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics.pose_at import held_at
from vimonet.vimos.action_labels import participle, third_person, verb_slots
from vimonet.vimos.action_names import has_names, way_of
from vimonet.vimos.annotators.kinematic.closed_answers import CANNOT_TELL, YES_NO, about, halves
from vimonet.vimos.contrasts import contained, denied
from vimonet.vimos.types import DETAIL, Part, Question

NEITHER = "neither"
DOMAINS = ("sport", "exercise", "dance", "everyday movement")

_SPORTS = {
    "bowl": "bowling",
    "shoot a basketball": "basketball",
    "dribble a basketball": "basketball",
    "serve in tennis": "tennis",
    "swing a tennis racket": "tennis",
    "pitch a baseball": "baseball",
    "swing a baseball bat": "baseball",
    "swing a golf club": "golf",
    "box": "boxing",
    "kick a ball": "football",
    "lift a barbell overhead": "weightlifting",
    "do a backflip": "gymnastics",
    "do a side flip": "gymnastics",
    "do a cartwheel": "gymnastics",
}
_EXERCISES = {
    "squat": "squats",
    "lunge": "lunges",
    "lunge forward": "lunges",
    "do push-ups": "push-ups",
    "do pull-ups": "pull-ups",
    "do sit-ups": "sit-ups",
    "do jumping jacks": "jumping jacks",
    "bench press": "bench presses",
    "curl both arms": "arm curls",
    "jump rope": "rope jumping",
    "run in place": "running in place",
    "twist with hands on hips": "twisting with the hands on the hips",
    "lean to the side with hands on hips": "leaning to the side with the hands on the hips",
    "touch the toes": "toe touches",
    "lift the left leg to the side": "side leg raises",
    "lift the right leg to the side": "side leg raises",
}
_EVERYDAY = (
    *("walk", "sit down", "stand up", "pick something up", "throw something away", "wash oneself", "wave", "beckon"),
    *("show someone the way", "push a button", "point forward", "answer with a gesture", "bow", "clap", "sneak"),
    *("lie down", "get up", "carry", "put", "drink", "eat", "open"),
)
"""Beginnings of the action phrases of daily life."""
_DANCE = "dance"
_HELD = {
    "swing a golf club": "a golf club",
    "swing a baseball bat": "a baseball bat",
    "swing a tennis racket": "a tennis racket",
    "serve in tennis": "a tennis racket",
    "pitch a baseball": "a baseball",
    "shoot a basketball": "a basketball",
    "dribble a basketball": "a basketball",
    "throw a ball": "a ball",
    "bench press": "a barbell",
    "lift a barbell overhead": "a barbell",
    "jump rope": "a skipping rope",
    "strum a guitar": "a guitar",
    "swing a sword": "a sword",
    "fight with a sword": "a sword",
    "fight with a shield": "a shield",
}
_BLOWS = ("punch", "kick", "box", "strike", "slash", "fight", "do a spinning kick", "slap", "stab", "swing a sword")
_MOST_PAIRS = 3
_NEARER = 4
"""Weight that each word shared with the label adds to a near miss, which starts at 1."""
_SMALL = frozenset(("the", "a", "an", "on", "in", "with", "to", "up", "of", "and", "someone", "something", "do"))
_COUNTED_ONCE = 0.25
"""Share of the clips of one event about which is asked how often it happens."""

_ONCE = (
    *("bow", "kick", "throw", "raise", "sit down", "stand up", "get up", "fall", "pick", "put", "catch", "squat"),
    *("pitch", "serve", "shoot", "slap", "lie down", "kneel", "crouch", "jump", "bend", "swing a", "turn", "curtsy"),
)
"""Beginnings of actions that are over when they are done; a short recording without repetition holds one."""
_UNCOUNTED = (
    *("walk", "run", "sprint", "sneak", "dance", "crawl", "swim", "climb"),
    *("stand", "sit", "fight", "roll", "spin"),
)
"""Beginnings of actions that go on: what repeats in them, a step or a stroke, is no further one of them."""


def told(parts: Sequence[Part]) -> str:
    """Say what the person does: "the person walks, then waves"; the first three of more."""
    return "the person " + ", then ".join(third_person(part.action) for part in parts[:3])


def from_labels(parts: Sequence[Part], facts: Facts | None, rng: random.Random) -> Iterator[Question]:
    """Ask what the labels of a clip answer, in everyday forms.

    Args:
        parts: stretches with their actions, all verb phrases, in order of time, none at the same time as another.
        facts: measured on the movement; what was measured is not denied.
        rng: source of chance.
    """
    if not parts:
        return
    evidence: dict[str, Any] = {"parts": [(p.action, round(p.start, 2), round(p.end, 2)) for p in parts]}
    absent = denied(parts, facts)
    yield from _near(parts, absent, facts, rng, evidence)
    yield from _either(parts, absent, rng, evidence)
    yield from _premises(parts, absent, rng, evidence)
    yield from _in_time(parts, facts, rng, evidence)
    yield from _told(parts, facts, evidence)
    yield from _counted(parts, absent, facts, rng, evidence)
    yield from _ways(parts, evidence)
    yield from _comes_back(parts, facts)
    if len({part.action for part in parts}) == 1:
        yield from _kinds(parts, rng, evidence)


def _detailed(evidence: Mapping[str, Any], detail: str) -> dict[str, Any]:
    return {**evidence, DETAIL: detail}


def _near(
    parts: Sequence[Part], absent: list[str], facts: Facts | None, rng: random.Random, evidence: dict[str, Any]
) -> Iterator[Question]:
    """Ask by yes or no for actions that happen, under their other names too, and for near misses."""
    actions = sorted({part.action for part in parts})
    names = sorted({name for action in actions for name in contained(action, facts)} - set(actions))
    yes = [rng.choice(actions), *rng.sample(names, min(len(names), _MOST_PAIRS - 1))]
    for action in yes:
        yield Question("yes_no", "near_yes_no", "yes", verb_slots(action), YES_NO, evidence)
    no = _detailed(evidence, told(parts))
    asked, words = len(yes) + 2, {word.rstrip("s") for action in actions for word in action.split()} - _SMALL
    # Near misses that share words with the label are drawn more often (Efraimidis and Spirakis, 2006).
    near = {other: 1 + _NEARER * len(words & {word.rstrip("s") for word in other.split()}) for other in absent}
    absent = sorted(absent, key=lambda other: -(rng.random() ** (1 / near[other])))
    labels, others = ([action for action in absent if has_names(action) is named] for named in (True, False))
    # At least half of the denied actions are labels: nearer misses, each affirmed of other clips.
    labels = labels[: max(asked - len(others), (asked + 1) // 2)]
    for action in labels + others[: asked - len(labels)]:
        yield Question("yes_no", "near_yes_no", "no", verb_slots(action), YES_NO, no)


def _either(
    parts: Sequence[Part], absent: list[str], rng: random.Random, evidence: dict[str, Any]
) -> Iterator[Question]:
    """Ask which of two actions happens, the label or a near miss; seldom two near misses, of which neither does."""
    if len({part.action for part in parts}) > 1 or not absent:
        return
    right = participle(parts[0].action)
    wrong = [participle(action) for action in rng.sample(absent, min(len(absent), 2))]
    pair, answer, why = [right, wrong[0]], right, evidence
    if len(wrong) > 1 and rng.random() < 0.2:
        pair, answer, why = wrong, NEITHER, _detailed(evidence, told(parts))
    rng.shuffle(pair)
    yield Question("choice", "either_or", answer, {"a": pair[0], "b": pair[1]}, (*pair, NEITHER), why)


def _premises(
    parts: Sequence[Part], absent: list[str], rng: random.Random, evidence: dict[str, Any]
) -> Iterator[Question]:
    """Ask why something happens that does not, and why something does that does."""
    if absent:
        slots = verb_slots(rng.choice(absent))
        answer = f"the person does not {slots['do']}"
        yield Question("premise", "false_premise", answer, slots, (), _detailed(evidence, told(parts)))
    slots = verb_slots(rng.choice(parts).action)
    because = f"the person {slots['does']}, but joints do not show why"
    yield Question("premise", "why_action", CANNOT_TELL, slots, (), _detailed(evidence, because))


def _in_time(
    parts: Sequence[Part], facts: Facts | None, rng: random.Random, evidence: dict[str, Any]
) -> Iterator[Question]:
    """Ask for all actions, for their times, for one moment and for the longest."""
    doing = [participle(part.action) for part in parts]
    yield Question("order", "list_actions", ", then ".join(doing), {}, (), evidence)
    lines = [f"{name} from {_second(p.start)} to {_second(p.end)}" for name, p in zip(doing, parts, strict=True)]
    yield Question("timing", "timeline", ", then ".join(lines) + " seconds", {}, (), evidence)
    part = rng.choice(parts)
    moment = round(part.start + part.end) / 2
    if c.WHOLE_EVENT.decide(moment - part.start) and c.WHOLE_EVENT.decide(part.end - moment):
        span = {**evidence, "start": part.start, "end": part.end}
        pose = facts and held_at(facts, moment)
        yield Question("timing", "at_time", participle(part.action), {"t": f"{moment:g}"}, (), {
            **span, **({DETAIL: pose} if pose else {}),
        })  # fmt: skip
    if len(set(doing)) == 1:
        return
    lasts: dict[str, float] = {}
    for name, p in zip(doing, parts, strict=True):
        lasts[name] = lasts.get(name, 0.0) + p.end - p.start
    (longest, most), (_, next_most) = sorted(lasts.items(), key=lambda item: -item[1])[:2]
    if c.LONGER_ACTION.decide(most / max(next_most, 1e-9)) and c.LONGER_BY.decide(most - next_most):
        detail = _detailed(evidence, about(halves(most), "second"))
        yield Question("order", "takes_longest", longest, {}, (), detail)


def _counted(
    parts: Sequence[Part], absent: list[str], facts: Facts | None, rng: random.Random, evidence: dict[str, Any]
) -> Iterator[Question]:
    """Count the labelled action, up to two that it contains, and at times an absent one."""
    if facts is None or len(parts) > 1:
        return
    again, action = facts.repetitions, parts[0].action
    if again is None:
        # Most clips hold one event: asked of each, every count would be learnt as "1".
        if action.startswith(_ONCE) and c.ONE_EVENT.decide(facts.duration) is False and rng.random() < _COUNTED_ONCE:
            yield Question("count", "count", "1", verb_slots(action), (), evidence)
    elif c.REPEATS.decide(again.regularity) and again.count > 1 and not action.startswith(_UNCOUNTED):
        found = {**evidence, "period_s": again.period, "limb": again.limb}
        names = [name for name in contained(action, facts) if not name.startswith(_UNCOUNTED)]
        for name in (action, *rng.sample(names, min(len(names), 2))):
            yield Question("count", "count", str(again.count), verb_slots(name), (), found)
    if absent and rng.random() < 0.25:
        none = _detailed(evidence, told(parts))
        yield Question("count", "count_named", "0", verb_slots(rng.choice(absent)), (), none)


def _ways(parts: Sequence[Part], evidence: dict[str, Any]) -> Iterator[Question]:
    """Ask in which direction the one labelled action goes, where it always goes there."""
    if len(parts) == 1 and (found := way_of(parts[0].action)):
        do, way = found
        yield Question("direction", "action_way", way, verb_slots(do), (), evidence)


_RETURNS = (
    ("hand", "up, then down", ("raise the left hand", "raise the right hand"), "lowering the hand"),
    ("hand", "up, then down", ("raise both hands",), "lowering the hands"),
    ("trunk", "up, then down", ("bow", "bend over", "bend forward"), "straightening up again"),
    ("hips", "down, then up", ("squat", "crouch", "kneel", "sit down", "pick ", "touch the toes"), "standing up again"),
)
"""What moves, its course, the first words of actions whose labels leave out the way back, and the way back."""


def _comes_back(parts: Sequence[Part], facts: Facts | None) -> Iterator[Question]:
    """Ask what follows one labelled action, and what comes last, where the body is measured to come back from it."""
    if facts is None or len(parts) > 1:
        return
    action = parts[0].action
    for moves, way, actions, back in _RETURNS:
        found = [one for one in facts.courses if one.part.endswith(moves) and one.times == 1 and one.way() == way]
        if action.startswith(actions) and found:
            span = {"start": found[0].peak_end, "end": facts.duration}
            yield Question("order", "after", back, {"a": participle(action)}, (), span)
            yield Question("order", "last", back, {}, (), span)


def _second(time: float) -> str:
    return f"{round(time * 2) / 2:g}"


def _told(parts: Sequence[Part], facts: Facts | None, evidence: dict[str, Any]) -> Iterator[Question]:
    """Ask for a description in words alone, and for instructions."""
    ways = [_way(part, facts) if len(parts) == 1 else "" for part in parts]
    long = [f" for {about(halves(part.end - part.start), 'second')}" for part in parts]
    does = [third_person(p.action) + way + time for p, way, time in zip(parts, ways, long, strict=True)]
    posture = [] if facts is None or not facts.posture else [facts.posture[0].label, facts.posture[-1].label]
    text = f"The person {', then '.join(does)}."
    first = [p.action + way + time for p, way, time in zip(parts, ways, long, strict=True)]
    steps = f"{', then '.join(first)}."
    steps = steps[0].upper() + steps[1:]
    if posture and "airborne" not in posture and "other" not in posture:
        changes = posture[0] != posture[1]
        text += f" The person begins {posture[0]} and ends {posture[1]}." if changes else ""
        steps = f"Begin {posture[0]}. {steps}" + (f" End {posture[1]}." if changes else "")
    yield Question("caption", "describe_for_blind", text, {}, (), evidence)
    yield Question("caption", "how_to", steps, {}, (), evidence)


def _way(part: Part, facts: Facts | None) -> str:
    if facts is None or part.action not in ("walk", "run", "sprint", "sneak"):
        return ""
    way = c.displacement_class(facts)
    return f" {way}" if way in ("forward", "backward") else f" to the {way}" if way in ("left", "right") else ""


def _kinds(parts: Sequence[Part], rng: random.Random, evidence: dict[str, Any]) -> Iterator[Question]:
    """Ask of which kind the one action of a clip is: sport, exercise, dance, fight; and what is held."""
    action, what = parts[0].action, told(parts)
    detail = _detailed(evidence, what)
    sport, exercise = _SPORTS.get(action), _EXERCISES.get(action)
    everyday = any(action == begin or action.startswith(begin + " ") for begin in _EVERYDAY) and " and " not in action
    dances = action.split()[0] == _DANCE
    domain = "sport" if sport else "exercise" if exercise else _DANCE if dances else DOMAINS[-1] if everyday else None
    if domain:
        yield Question("activity", "sport_or_everyday", domain, {}, DOMAINS, detail)
        yield Question("activity", "which_sport", sport or "no sport", {}, (), evidence if sport else detail)
        if not sport:
            name = exercise or "no exercise"
            yield Question("activity", "which_exercise", name, {}, (), evidence if exercise else detail)
        style = (CANNOT_TELL, "joints show a dance, but not its style") if dances else ("no dance", what)
        yield Question("activity", "dance_style", style[0], {}, (), _detailed(evidence, style[1]))
    blow = action.startswith(_BLOWS)
    if blow and not sport:
        apart = _detailed(evidence, f"{what}, but only one person is recorded")
        yield Question("yes_no", "fight", CANNOT_TELL, {}, YES_NO, apart)
    elif domain:
        yield Question("yes_no", "fight", "no", {}, YES_NO, detail)
    held = _HELD.get(action)
    shown = "judging by the movement" if held else "joints show no objects"
    yield Question("object", "held_object", held or CANNOT_TELL, {}, (), _detailed(evidence, shown))
