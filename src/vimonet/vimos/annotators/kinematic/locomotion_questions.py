"""Ask where someone goes and turns: over the ground by 3D measures, and by what one camera shows of a whole body.

A camera that pans moves the joints in the picture, and the answers with them: those are about what is seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics.categories import ACROSS, KNEES_ASIDE, NEARER, SEEN_KEYPOINT
from vimonet.motion.kinematics.image_plane import ImagePlane, image_plane
from vimonet.motion.kinematics.preparation import ANKLE, HIP, KNEE, NECK, PELVIS
from vimonet.motion.kinematics.preparation import SIDES as BODY_SIDES
from vimonet.vimos.action_labels import verb_slots
from vimonet.vimos.annotators.kinematic.closed_answers import (
    ANGLES,
    DIRECTIONS,
    SIDES,
    SPEEDS,
    UP_TO_FOUR,
    YES_NO,
    about,
    halves,
    metres,
    yes_no,
)
from vimonet.vimos.types import Question


def travel(facts: Facts) -> Iterator[Question]:
    """Ask about direction, distance, path and speed over the ground."""
    yield from _travel(facts)
    yield from _path(facts)


def turning(facts: Facts) -> Iterator[Question]:
    """Ask about turns: which way, how far, how many."""
    yield from _turn(facts)
    yield from _turns(facts)


def _travel(facts: Facts) -> Iterator[Question]:
    if facts.displacement is None or facts.leg_length is None or facts.displacement_angle is None:
        return
    evidence = {"displacement_m": facts.displacement, "angle_deg": facts.displacement_angle}
    if direction := _said(c.displacement_class(facts)):
        yield Question("displacement", "displacement", direction, {}, DIRECTIONS, evidence)
        backward = verb_slots("move backward")
        yield Question("yes_no", "fact_yes_no", yes_no(direction == "backward"), backward, YES_NO, evidence)
    moved = c.moves_away(facts)
    if moved is not None:
        distance = metres(facts.displacement) if moved else "stays in place"
        yield Question("distance", "distance", distance, {}, (), evidence)
        slots = verb_slots("move to another place")
        yield Question("yes_no", "fact_yes_no", yes_no(moved), slots, YES_NO, evidence)
    if speed := c.speed_class(facts):
        answer = SPEEDS[list(c.TRAVEL_SPEED.classes).index(speed)]
        yield Question("speed", "speed", answer, {}, SPEEDS, {"mean_speed_m_s": facts.mean_speed})


def _said(direction: str | None) -> str | None:
    return "stays in place" if direction == "in place" else direction


def _turn(facts: Facts) -> Iterator[Question]:
    way = c.turn_class(facts)
    if facts.net_turn is None or way is None or way == "both":
        return
    evidence = {"net_turn_deg": facts.net_turn}
    if way == "none":
        yield Question("turn", "turn", "does not turn", {}, SIDES, evidence)
        yield Question("turn_amount", "turn_amount", "does not turn", {}, (), evidence)
    else:
        yield Question("turn", "turn", way, {}, SIDES, evidence)
        size = abs(facts.net_turn)
        nearest = min(ANGLES, key=lambda a: abs(a - size))
        between = c.BETWEEN_SMALL_ANGLES if nearest in ANGLES[:3] else c.BETWEEN_ANGLES
        if between.decide(abs(nearest - size)) is False:
            yield Question("turn_amount", "turn_amount", f"about {nearest} degrees to the {way}", {}, (), evidence)
    for side in ("left", "right"):
        slots = verb_slots(f"turn to the {side}")
        yield Question("yes_no", "fact_yes_no", yes_no(way == side), slots, YES_NO, evidence)
    yield Question("yes_no", "fact_yes_no", yes_no(way != "none"), verb_slots("turn"), YES_NO, evidence)


def _path(facts: Facts) -> Iterator[Question]:
    path, leg, length, displacement = facts.path, facts.leg_length, facts.path_length, facts.displacement
    if path is None or leg is None or length is None or displacement is None:
        return
    yield from _drift(facts, leg)
    evidence = {"path_m": length, "displacement_m": displacement, "farthest_m": path.farthest}
    went_out = c.WENT_OUT.decide(path.farthest / leg)
    back = c.RETURNS.decide(displacement / path.farthest) if went_out else None
    for form, holds in (("returns", back), ("leaves_circle", c.LEAVES_CIRCLE.decide(path.farthest))):
        if holds is not None:
            yield Question("yes_no", form, yes_no(holds), {}, YES_NO, evidence)
    if c.LONG_PATH.decide(length / leg):
        yield Question("distance", "path_length", metres(max(length, 0.5)), {}, (), evidence)
    yield from _halves(facts)


def _drift(facts: Facts, leg: float) -> Iterator[Question]:
    aside = c.sideways(facts) or 0.0
    drifts = c.DRIFTS.decide(abs(aside) / leg)
    if drifts is not None:
        side = c.side_of(aside) if drifts else "neither side"
        options = ("left", "right", "neither side")
        yield Question("displacement", "sideways_drift", side, {}, options, {"to_the_left_m": aside})


def _halves(facts: Facts) -> Iterator[Question]:
    path, leg, duration = facts.path, facts.leg_length, facts.duration
    if path is None or leg is None or c.LONG_CLIP.decide(duration) is False:
        return
    for i, form in enumerate(("first_half", "second_half")):
        distance, angle = path.half_distance[i], path.half_angle[i]
        evidence = {
            "distance_m": distance,
            "angle_deg": angle,
            "start": i * duration / 2,
            "end": (i + 1) * duration / 2,
        }
        if direction := _said(c.direction_class(distance, angle, leg)):
            yield Question("displacement", form, direction, {}, DIRECTIONS, evidence)
    if pace := c.pace_change(facts):
        options = ("speeds up", "slows down", "keeps its pace")
        yield Question("speed", "pace_change", pace, {}, options, {"speed_of_halves_m_s": list(path.half_speed)})
    if facts.peak_speed is not None and c.TOP_SPEED.decide(facts.peak_speed):
        top = about(halves(facts.peak_speed), "metre") + " per second"
        yield Question("speed", "top_speed", top, {}, (), {"peak_speed_m_s": facts.peak_speed})


def _turns(facts: Facts) -> Iterator[Question]:
    turns, net = facts.turns, facts.net_turn
    if turns is None or net is None:
        return
    same = c.SAME_FACING.decide(abs((net + 180) % 360 - 180))
    if same is not None:
        yield Question("yes_no", "same_facing", yes_no(same), {}, YES_NO, {"net_turn_deg": net})
    small = any(c.CLEAR_TURN.decide(abs(turn.degrees)) is False for turn in turns)
    if small or (not turns and c.TURNED.decide(abs(net)) is not False):
        return  # what turned so little may count as a turn or not
    found = [(round(t.degrees), round(t.start, 2), round(t.end, 2)) for t in turns]
    with_times = {"turns": found}
    if len(turns) < len(UP_TO_FOUR):
        yield Question("count", "turn_count", str(len(turns)), {}, UP_TO_FOUR, with_times)
    if not turns:
        return
    sides = [c.side_of(turn.degrees) for turn in turns]
    yield Question("yes_no", "turns_both_ways", yes_no(len(set(sides)) == 2), {}, YES_NO, with_times)
    if len(turns) > 1:
        for form, i in (("first_turn", 0), ("last_turn", -1)):
            span = {**with_times, "start": turns[i].start, "end": turns[i].end}
            yield Question("turn", form, sides[i], {}, ("left", "right"), span)


def from_picture(motion: Motion) -> Iterator[Question]:
    """Ask about way and turn as the image plane of a 2D Motion shows them; nothing where the trunk is not seen."""
    plane = image_plane(motion)
    if plane is None:
        return
    evidence = {"across_torsos": round(plane.across, 2), "size_end_to_start": round(plane.nearer, 2)}
    if plane.travels is not None:
        moved = "yes" if plane.travels else "no"
        yield Question("yes_no", "fact_yes_no", moved, verb_slots("move to another place"), YES_NO, evidence)
        way = _way(plane, motion) if plane.travels else "stays in place"
        if way is not None:
            yield Question("displacement", "displacement", way, {}, DIRECTIONS, evidence)
    if plane.turns is not None:
        turned = "yes" if plane.turns else "no"
        yield Question("yes_no", "fact_yes_no", turned, verb_slots("turn"), YES_NO, {})
        if not plane.turns:
            yield Question("turn", "turn", "does not turn", {}, SIDES, {})


def _way(plane: ImagePlane, motion: Motion) -> str | None:
    """Name the way as the body sees it; None where that is not plain."""
    moves = ACROSS.decide(abs(plane.across))
    across = moves and abs(plane.across) > 2 * abs(plane.rise)
    resized = NEARER.decide(max(plane.nearer, 1.0 / max(plane.nearer, 1e-6)))
    if plane.shows in ("front", "back"):
        sign = 1 if plane.shows == "front" else -1
        if across and resized is False:
            return "left" if sign * plane.across > 0 else "right"
        if moves is False and resized:
            return "forward" if sign * (plane.nearer - 1) > 0 else "backward"
    if plane.shows == "side" and across and (ahead := _ahead(motion)):
        return "forward" if ahead * plane.across > 0 else "backward"
    return None


def _ahead(motion: Motion) -> int:
    """Find the side to which knees bend, seen from the side: 1 right in the picture, -1 left, 0 if not plain."""
    joints = motion.joints[..., :2]
    torso = max(float(np.median(np.linalg.norm(joints[:, NECK] - joints[:, PELVIS], axis=-1))), 1e-6)
    out = []
    for side in BODY_SIDES:
        hip, knee, ankle = HIP[side], KNEE[side], ANKLE[side]
        seen = slice(None)
        if motion.confidence is not None:
            seen = motion.confidence[:, [hip, knee, ankle]].min(axis=1) > SEEN_KEYPOINT.yes
        out.append((joints[seen, knee, 0] - 0.5 * (joints[seen, hip, 0] + joints[seen, ankle, 0])) / torso)
    bent = np.concatenate(out)
    middle = float(bent.mean()) if len(bent) else 0.0
    return 0 if KNEES_ASIDE.decide(abs(middle)) is False else 1 if middle > 0 else -1
