"""Where someone goes and turns: questions about the way over the ground and about the heading."""

from __future__ import annotations

import math
from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.vimos.annotators.kinematic.closed_answers import (
    ANGLES,
    DIRECTIONS,
    SIDES,
    SPEEDS,
    YES_NO,
    about,
    halves,
    verb_slots,
)
from vimonet.vimos.types import Question


def travel(facts: Facts) -> Iterator[Question]:
    """Ask about direction, distance, path and speed over the ground."""
    yield from _travel(facts)
    yield from _path(facts)


def turning(facts: Facts) -> Iterator[Question]:
    """Turns: which way, how far, how many."""
    yield from _turn(facts)
    yield from _turns(facts)


def _travel(facts: Facts) -> Iterator[Question]:
    if facts.displacement is None or facts.leg_length is None or facts.displacement_angle is None:
        return
    ratio = facts.displacement / facts.leg_length
    evidence = {"displacement_m": facts.displacement, "angle_deg": facts.displacement_angle}
    direction = None
    if ratio < 0.25:
        direction = "stays in place"
    elif ratio > 0.5 and abs((facts.displacement_angle + 45) % 90 - 45) < 33:
        direction = facts.displacement_direction
    if direction:
        yield Question("displacement", "displacement", direction, {}, DIRECTIONS, evidence)
        backward = verb_slots("move backward")
        yield Question("yes_no", "fact_yes_no", "yes" if direction == "backward" else "no", backward, YES_NO, evidence)
    metres = facts.displacement
    if ratio < 0.2:
        yield Question("distance", "distance", "stays in place", {}, (), evidence)
    elif ratio > 0.5:
        rounded = round(metres * 2) / 2 if metres < 3 else float(round(metres))
        yield Question(
            "distance", "distance", f"about {rounded:g} metre{'s' if rounded != 1 else ''}", {}, (), evidence
        )
    if ratio < 0.25 or ratio > 0.6:
        moved = "yes" if ratio > 0.6 else "no"
        yield Question("yes_no", "fact_yes_no", moved, verb_slots("move to another place"), YES_NO, evidence)
    speed, path = facts.mean_speed, facts.path_length
    if speed is not None and path is not None:
        relative = speed / facts.leg_length  # leg lengths per second: a child's walk is a walk
        answer = None
        if relative < 0.14 or path < 0.3 * facts.leg_length:
            answer = "does not travel"
        elif 0.28 < relative < 0.75:
            answer = "slowly"
        elif 0.95 < relative < 1.85:
            answer = "at walking pace"
        elif relative > 2.3:
            answer = "at running pace"
        if answer:
            yield Question("speed", "speed", answer, {}, SPEEDS, {"mean_speed_m_s": speed})


def _turn(facts: Facts) -> Iterator[Question]:
    if facts.net_turn is None or facts.turns is None:
        return
    evidence = {"net_turn_deg": facts.net_turn}
    size = abs(facts.net_turn)
    both_ways = any(t.degrees > 0 for t in facts.turns) and any(t.degrees < 0 for t in facts.turns)
    if size < 15 and not facts.turns:
        yield Question("turn", "turn", "does not turn", {}, SIDES, evidence)
        yield Question("turn_amount", "turn_amount", "does not turn", {}, (), evidence)
    elif size > 35 and not both_ways:
        side = "left" if facts.net_turn > 0 else "right"
        yield Question("turn", "turn", side, {}, SIDES, evidence)
        nearest = min(ANGLES, key=lambda a: abs(a - size))
        if abs(nearest - size) < (13 if nearest <= 90 else 27):
            yield Question("turn_amount", "turn_amount", f"about {nearest} degrees to the {side}", {}, (), evidence)
    else:
        return
    if not both_ways:
        for side, sign in (("left", 1), ("right", -1)):
            answer = "yes" if sign * facts.net_turn > 35 else "no"
            yield Question("yes_no", "fact_yes_no", answer, verb_slots(f"turn to the {side}"), YES_NO, evidence)
        yield Question("yes_no", "fact_yes_no", "yes" if size > 35 else "no", verb_slots("turn"), YES_NO, evidence)


def _path(facts: Facts) -> Iterator[Question]:
    path, leg, length, displacement = facts.path, facts.leg_length, facts.path_length, facts.displacement
    if path is None or leg is None or length is None or displacement is None:
        return
    yield from _drift(facts, displacement, leg)
    evidence = {"path_m": length, "displacement_m": displacement, "farthest_m": path.farthest}
    if path.farthest > 1.0 * leg and (displacement < 0.25 * path.farthest or displacement > 0.7 * path.farthest):
        back = "yes" if displacement < 0.25 * path.farthest else "no"
        yield Question("yes_no", "returns", back, {}, YES_NO, evidence)
    if path.farthest > 1.3 or path.farthest < 0.75:
        left = "yes" if path.farthest > 1.3 else "no"
        yield Question("yes_no", "leaves_circle", left, {}, YES_NO, evidence)
    if length > 1.2 * leg:
        metres = halves(length) if length < 3 else float(round(length))
        yield Question("distance", "path_length", about(metres, "metre"), {}, (), evidence)
    yield from _halves(facts)


def _drift(facts: Facts, displacement: float, leg: float) -> Iterator[Question]:
    aside = displacement * math.sin(math.radians(facts.displacement_angle or 0.0))
    if abs(aside) > 0.5 * leg or abs(aside) < 0.15 * leg:
        side = "neither side" if abs(aside) < 0.15 * leg else "left" if aside > 0 else "right"
        yield Question(
            "displacement", "sideways_drift", side, {}, ("left", "right", "neither side"), {"to_the_left_m": aside}
        )


def _halves(facts: Facts) -> Iterator[Question]:
    path, leg, duration = facts.path, facts.leg_length, facts.duration
    if path is None or leg is None or duration < 1.5:
        return
    for i, form in enumerate(("first_half", "second_half")):
        distance, angle = path.half_distance[i], path.half_angle[i]
        evidence = {
            "distance_m": distance,
            "angle_deg": angle,
            "start": i * duration / 2,
            "end": (i + 1) * duration / 2,
        }
        if distance < 0.2 * leg:
            yield Question("displacement", form, "stays in place", {}, DIRECTIONS, evidence)
        elif distance > 0.5 * leg and abs((angle + 45) % 90 - 45) < 30:
            name = DIRECTIONS[(0, 2, 1, 3)[round(angle / 90) % 4]]
            yield Question("displacement", form, name, {}, DIRECTIONS, evidence)
    first, second = path.half_speed
    if max(first, second) > 0.5 * leg:
        ratio = second / max(first, 1e-3)
        pace = "speeds up" if ratio > 1.6 else "slows down" if ratio < 1 / 1.6 else None
        if 1 / 1.15 < ratio < 1.15:
            pace = "keeps its pace"
        if pace:
            options = ("speeds up", "slows down", "keeps its pace")
            yield Question("speed", "pace_change", pace, {}, options, {"speed_of_halves_m_s": [first, second]})
    if facts.peak_speed is not None and facts.peak_speed > 0.8:
        top = about(halves(facts.peak_speed), "metre") + " per second"
        yield Question("speed", "top_speed", top, {}, (), {"peak_speed_m_s": facts.peak_speed})


def _turns(facts: Facts) -> Iterator[Question]:
    turns, net = facts.turns, facts.net_turn
    if turns is None or net is None:
        return
    away = abs((net + 180) % 360 - 180)
    if away < 20 or away > 65:
        evidence = {"net_turn_deg": net}
        yield Question("yes_no", "same_facing", "yes" if away < 20 else "no", {}, YES_NO, evidence)
    if any(abs(turn.degrees) < 45 for turn in turns) or (not turns and abs(net) > 15):
        return  # what turned so little may count as a turn or not
    found = [(round(t.degrees), round(t.start, 2), round(t.end, 2)) for t in turns]
    told = {"turns": found}
    if len(turns) <= 4:
        yield Question("count", "turn_count", str(len(turns)), {}, ("0", "1", "2", "3", "4"), told)
    if not turns:
        return
    sides = ["left" if turn.degrees > 0 else "right" for turn in turns]
    both = "yes" if len(set(sides)) == 2 else "no"
    yield Question("yes_no", "turns_both_ways", both, {}, YES_NO, told)
    if len(turns) > 1:
        for form, i in (("first_turn", 0), ("last_turn", -1)):
            span = {**told, "start": turns[i].start, "end": turns[i].end}
            yield Question("turn", form, sides[i], {}, ("left", "right"), span)
