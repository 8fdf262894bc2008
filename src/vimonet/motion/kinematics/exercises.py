"""Count the repetitions of a named exercise: when each is done, how deep, and at which tempo.

    count = count_exercise(load("squats.mp4"), "squat")
    count.repetitions[0].depth, count.tempo

An exercise is counted by what varies in it: the height of the hips in a squat, the angle of the elbow in a curl. One
repetition leaves the place at rest by at least the exercise's least size and by half of what the others do, and comes
back. `count_exercise` reads no more than the frames it is given, so that a live window is counted by the same call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.excursions import excursions
from vimonet.motion.kinematics.limbs import knee_flexion
from vimonet.motion.kinematics.preparation import (
    ANKLE,
    ELBOW,
    HEAD,
    NECK,
    PELVIS,
    SHOULDER,
    SIDES,
    WRIST,
    Array,
    Body,
    prepare,
    rank,
    smooth,
    unit,
)
from vimonet.utils.errors import InputError

ANY: Final = "any"
OF_OTHERS: Final = 0.5  # least size of a repetition as a share of the median one: half of a squat is none


@dataclass(frozen=True, slots=True)
class Repetition:
    """Describe one repetition.

    Attributes:
        start, end: s.
        time: of its deepest or farthest point, s.
        depth: how far it goes, in the unit of the exercise; None where nothing names it.
    """

    start: float
    end: float
    time: float
    depth: float | None


@dataclass(frozen=True, slots=True)
class Count:
    """Hold the repetitions of one exercise in one recording.

    Attributes:
        exercise: name out of `EXERCISES`, or 'any'.
        what: what repeats: 'the hips go down', 'both arms' ...
        repetitions: in order of time.
        unit: unit of their depth; empty where they have none.
        tempo: repetitions per minute, from the median time between their farthest points; None for fewer than two.
    """

    exercise: str
    what: str
    repetitions: tuple[Repetition, ...]
    unit: str
    tempo: float | None

    def tempo_at(self, index: int) -> float | None:
        """Compute the tempo of a repetition, per minute, from the time since the one before; None for the first."""
        gap = self.repetitions[index].time - self.repetitions[index - 1].time if index else 0.0
        return 60 / gap if gap > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary: numbers to a thousandth."""
        whole = [{**asdict(one), "tempo_per_minute": self.tempo_at(i)} for i, one in enumerate(self.repetitions)]
        rows = [{key: value if value is None else round(value, 3) for key, value in one.items()} for one in whole]
        return {
            "exercise": self.exercise,
            "count": len(rows),
            "what": self.what,
            "tempo_per_minute": None if self.tempo is None else round(self.tempo, 1),
            "unit": self.unit,
            "repetitions": rows,
        }


@dataclass(frozen=True, slots=True)
class Exercise:
    """Define an exercise by its signal.

    Attributes:
        what: what varies, in words.
        signal: body -> signal [T] that rises as the exercise goes away from rest; its unit is that of `least`.
        least: body -> least size of a repetition.
        depth: body -> [T] whose greatest value within a repetition is its depth; None takes the size of the signal.
        unit: of the depth.
        needs: limbs that the recording must show.
    """

    what: str
    signal: Callable[[Body], Array]
    least: Callable[[Body], float]
    unit: str
    needs: tuple[str, ...]
    depth: Callable[[Body], Array] | None = None


_LEGS, _ARMS = ("left leg", "right leg"), ("left arm", "right arm")


def _sides(body: Body, limb: str) -> list[str]:
    return [side for side in SIDES if body.seen[f"{side} {limb}"]]


def _hips_down(body: Body) -> Array:
    ankles = [ANKLE[side] for side in _sides(body, "leg")]
    return np.asarray(body.joints[:, ankles, 1].mean(axis=1) - body.joints[:, PELVIS, 1])


def _knee(body: Body) -> Array:
    flexion = knee_flexion(body.joints)
    return np.max([flexion[side] for side in _sides(body, "leg")], axis=0)


def _elbows(body: Body) -> Array:
    """Measure the flexion of each seen elbow, degrees [T, 1 or 2]."""
    out = []
    for side in _sides(body, "arm"):
        upper = unit(body.joints[:, ELBOW[side]] - body.joints[:, SHOULDER[side]])
        fore = unit(body.joints[:, WRIST[side]] - body.joints[:, ELBOW[side]])
        out.append(np.degrees(np.arccos(np.clip(np.einsum("ti,ti->t", upper, fore), -1.0, 1.0))))
    return smooth(np.stack(out, axis=1), 0.1, body.fps)


def _busier(values: Array) -> Array:
    """Take the column that varies more."""
    return np.asarray(values[:, int(np.argmax(np.ptp(values, axis=0)))])


def _hands_up(body: Body) -> Array:
    high = [body.joints[:, WRIST[side], 1] - body.joints[:, SHOULDER[side], 1] for side in _sides(body, "arm")]
    return np.mean(high, axis=0)


def _busier_hand_up(body: Body) -> Array:
    high = [body.joints[:, WRIST[side], 1] - body.joints[:, SHOULDER[side], 1] for side in _sides(body, "arm")]
    return _busier(np.stack(high, axis=1))


def _chest_down(body: Body) -> Array:
    hands = body.joints[:, [WRIST[side] for side in _sides(body, "arm")], 1].mean(axis=1)
    # From the side one shoulder is hidden, and with it the neck between the two.
    chest = body.joints[:, [NECK, HEAD] if body.seen["head"] else [NECK], 1].mean(axis=1)
    return np.asarray(hands - chest)


def _trunk_up(body: Body) -> Array:
    if not body.seen["head"]:
        return 90.0 - body.tilt
    up = unit(body.joints[:, HEAD] - body.joints[:, PELVIS])[:, 1]
    return np.asarray(np.degrees(np.arcsin(np.clip(up, -1.0, 1.0))))


def _foot_up(body: Body) -> Array:
    feet = [body.joints[:, ANKLE[side], 1] for side in _sides(body, "leg")]
    high = np.stack(feet, axis=1)
    return _busier(high) - rank(high.min(axis=1), 0.1)


def _hips_up(body: Body) -> Array:
    return np.asarray(body.joints[:, PELVIS, 1])


EXERCISES: Final[dict[str, Exercise]] = {
    "squat": Exercise("the hips go down", _hips_down, lambda b: 0.15 * b.leg, "degrees of the knee", _LEGS, _knee),
    "lunge": Exercise("the hips go down", _hips_down, lambda b: 0.12 * b.leg, "degrees of the knee", _LEGS, _knee),
    "push-up": Exercise("the chest goes down", _chest_down, lambda b: 0.25 * b.arm, "share of the arm", _ARMS),
    "sit-up": Exercise("the trunk comes up", _trunk_up, lambda b: 30.0, "degrees", ()),
    "jumping jack": Exercise("both hands go up", _hands_up, lambda b: 0.8 * b.arm, "share of the arm", _ARMS),
    "press": Exercise("a hand goes up", _busier_hand_up, lambda b: 0.3 * b.arm, "share of the arm", _ARMS),
    "curl": Exercise("an elbow bends", lambda b: _busier(_elbows(b)), lambda b: 40.0, "degrees of the elbow", _ARMS),
    "kick": Exercise("a foot swings up", _foot_up, lambda b: 0.3 * b.leg, "m", _LEGS),
    "jump": Exercise("the hips go up", _hips_up, lambda b: 0.12 * b.leg, "m", _LEGS),
    "step": Exercise("a foot is set down", _foot_up, lambda b: 0.05 * b.leg, "", _LEGS),
}
"""Exercises that can be counted by name; `ANY` counts whatever repeats."""


def count_exercise(motion: Motion, exercise: str | None = None, facts: Facts | None = None) -> Count:
    """Count the repetitions of an exercise, or of whatever repeats.

    Args:
        motion: 3D or 2D; kicks, jumps and steps of 3D motions are those of `measure`.
        exercise: name out of `EXERCISES`, or 'any'; None is 'any'.
        facts: facts of the motion, if they are measured already.

    Raises:
        InputError: an unknown exercise, or one whose limbs the recording does not show.
    """
    name = canonical(exercise)
    if name == ANY:
        return _count_any(facts or measure(motion))
    known, body = EXERCISES[name], prepare(motion)
    if known.needs and not any(body.seen[limb] for limb in known.needs):
        raise InputError(
            f"{motion.name or 'recording'}: shows no {known.needs[0].split()[1]}, so that no {name} can be counted; "
            "choose another exercise, or film the whole body."
        )
    if name in ("kick", "jump", "step") and motion.dimensions == 3:
        return _count_events(name, facts or measure(motion))
    if name == "step":
        raise InputError(f"{motion.name or 'recording'}: steps are counted in 3D only; give a 3D recording.")
    return _count_signal(name, known, body)


def canonical(exercise: str | None) -> str:
    """Return the name in `EXERCISES` of what a user typed: "Push ups" is 'push-up'.

    Raises:
        InputError: no exercise has that name.
    """
    if exercise is None:
        return ANY
    plain = "".join(letter for letter in exercise.lower() if letter.isalpha())
    for name in (*EXERCISES, ANY):
        bare = "".join(letter for letter in name if letter.isalpha())
        of_part = plain.removeprefix("shoulder").removeprefix("bicep").removeprefix("s")
        if {plain, of_part} & {bare, bare + "s", bare + "es"}:
            return name
    raise InputError(f"{exercise}: unknown exercise; choose one of {', '.join((*EXERCISES, ANY))}.")


def _count_signal(name: str, known: Exercise, body: Body) -> Count:
    x = known.signal(body)
    least = known.least(body)
    n, middle = max(1, len(x) // 10), 0.5 * (rank(x, 0.05) + rank(x, 0.95))
    if min(float(np.median(x[:n])), float(np.median(x[-n:]))) > middle:
        x = -x  # the recording begins and ends at the far point: at the bottom of a push-up
    peaks, spans, sizes = excursions(x, least, body.fps)
    if len(sizes):
        kept = sizes >= max(least, OF_OTHERS * float(np.median(sizes)))
        peaks, spans, sizes = peaks[kept], spans[kept], sizes[kept]
    deep = known.depth(body) if known.depth else None
    scale = 1.0 / max(body.arm, 1e-6) if known.unit == "share of the arm" else 1.0
    found = tuple(
        Repetition(
            a / body.fps,
            b / body.fps,
            int(top) / body.fps,
            float(size) * scale if deep is None else float(deep[a : b + 1].max()),
        )
        for top, (a, b), size in zip(peaks, spans.tolist(), sizes, strict=True)
    )
    return Count(name, known.what, found, known.unit, _tempo(found))


def _count_events(name: str, facts: Facts) -> Count:
    if name == "kick":
        kicks = [swing for swing in facts.leg_swings or () if swing.kick is not False]
        found = [Repetition(one.start, one.end, one.time, one.height) for one in kicks]
    elif name == "jump":
        found = [Repetition(one.start, one.end, 0.5 * (one.start + one.end), one.height) for one in facts.jumps or ()]
    else:
        found = [Repetition(step.time, step.time, step.time, None) for step in facts.steps or ()]
    known = EXERCISES[name]
    return Count(name, known.what, tuple(found), known.unit, _tempo(tuple(found)))


def _count_any(facts: Facts) -> Count:
    again = facts.repetitions
    if again is None:
        return Count(ANY, "nothing repeats", (), "", None)
    tops = np.array(again.times)
    middles = 0.5 * (tops[1:] + tops[:-1])
    edges = [again.start, *middles.tolist(), again.end]
    found = tuple(Repetition(a, b, top, None) for a, b, top in zip(edges[:-1], edges[1:], tops.tolist(), strict=True))
    limb = again.limb if again.limb.startswith("both") else f"the {again.limb}"
    return Count(ANY, limb, found[: again.count], "", _tempo(found))


def _tempo(found: tuple[Repetition, ...]) -> float | None:
    if len(found) < 2:
        return None
    return 60.0 / max(float(np.median(np.diff([one.time for one in found]))), 1e-6)
