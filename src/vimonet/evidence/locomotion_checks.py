"""Check claims about locomotion: direction, distance, speed, gait, turns, steps.

A body in 2D is checked by `image_plane`, which gives no verdict on movement along the line of sight or on angles of
turns. A panning camera moves the person in the image, so the words of the evidence name the image.
"""

from __future__ import annotations

import re

from vimonet.evidence.claims import (
    AGREES,
    ANGLE_TOLERANCE,
    ARM,
    AWAY,
    CONTRADICTS,
    DISTANCE_TOLERANCE,
    LEG,
    NOT_MEASURABLE,
    SPEED_TOLERANCE,
    STEPS_TOLERANCE,
    Evidence,
    Query,
    Span,
    compare,
    compare_numbers,
    direction_of,
    finding,
    side,
    side_of_turn,
)
from vimonet.language import number
from vimonet.motion.kinematics import Turn
from vimonet.motion.kinematics import categories as c

FLAT = "not measurable: 2D keypoints do not show the ground"
_SPEEDS = {
    "still": "does not travel",
    "slow": "slowly",
    "walking": "at walking pace",
    "running": "at running pace",
}
_PLACE = r"\b(in place|on the spot|nowhere|not (travel|move|go)|stays?|still)\b"


def direction(q: Query) -> Evidence | None:
    """Check the direction of the displacement, which is relative to the facing direction at the start."""
    facts = q.facts
    if facts.displacement is None or facts.leg_length is None or facts.displacement_angle is None:
        return direction_seen(q)
    angle, moved, truth = facts.displacement_angle, c.moves_away(facts), c.displacement_class(facts)
    to = "" if moved is False else f", {abs(angle):.0f} degrees to the {c.side_of(angle)} of straight ahead"
    if moved is not False and c.OFF_STRAIGHT.decide(min(abs(angle), 180.0 - abs(angle))) is False:
        to = ", straight " + ("ahead" if c.quarter(angle) == "forward" else "back")
    measured = f"the pelvis ends {facts.displacement:.2f} m from its start{to}"
    if truth not in (None, "in place") and facts.locomotion_direction != truth:
        measured += f"; relative to where the body faces underway it goes {facts.locomotion_direction}"
    asked = direction_of(q.question)
    verdict = NOT_MEASURABLE
    if q.yes is not None:
        if q.asks(AWAY):
            verdict = compare(moved, q.yes)
        elif asked is None:
            return None
        elif truth is not None:
            held = asked in (truth, facts.locomotion_direction if truth != "in place" else truth)
            # A direction in only one of the two frames of reference may be meant in either.
            doubtful = held and truth != facts.locomotion_direction and truth != "in place"
            verdict = NOT_MEASURABLE if doubtful else compare(held, q.yes)
    else:
        claim = direction_of(q.answer)
        verdict = compare(truth, claim)
        if verdict == CONTRADICTS and claim == facts.locomotion_direction and truth != "in place":
            verdict = NOT_MEASURABLE
    spans = [q.span(0.0, facts.duration, "pelvis", label=truth or "displacement")]
    values = {"displacement_m": facts.displacement, "angle_deg": angle}
    return finding("direction", measured, verdict, truth, spans, values)


def distance(q: Query) -> Evidence | None:
    """Check the displacement, or the length of the path."""
    metres, leg = q.facts.displacement, q.facts.leg_length
    if metres is None or leg is None:
        return finding("distance", FLAT, NOT_MEASURABLE)
    path = q.facts.path_length or metres
    measured = f"the pelvis ends {metres:.2f} m from its start, along a path of {path:.2f} m"
    whole = q.asks(r"\b(path|route|bends|detours?|in all|altogether|adding up|total way|whole way)\b")
    asked, other = (path, metres) if whole else (metres, path)
    claim = _length(q.answer)
    if claim is None and re.search(_PLACE, q.answer):
        claim = 0.0
        moved = c.moves_away(q.facts)
        verdict = compare(None if moved is None else not moved, True)
    else:
        verdict = compare_numbers(asked, claim, *DISTANCE_TOLERANCE.bounds(asked))
        if verdict == CONTRADICTS and compare_numbers(other, claim, *DISTANCE_TOLERANCE.bounds(other)) == AGREES:
            verdict = NOT_MEASURABLE  # "how far" may mean the displacement or the path length
    spans = [q.span(0.0, q.facts.duration, "pelvis", label=f"{metres:.2f} m")]
    values = {"displacement_m": metres, "path_m": q.facts.path_length}
    return finding("distance", measured, verdict, f"{asked:.1f} m", spans, values)


def _length(text: str) -> float | None:
    """Read a length, m, in an answer."""
    if re.search(r"\b(cm|centimet(er|re)s?)\b", text):
        value = number(text, r"cm|centimet(?:er|re)s?")
        return None if value is None else value / 100
    if re.search(r"\bhalf a met(er|re)", text):
        return 0.5
    return number(text, r"m|met(?:er|re)s?")


def speed(q: Query) -> Evidence | None:
    """Check the speed; its classes are relative to leg length."""
    facts = q.facts
    if facts.mean_speed is None or facts.path_length is None or facts.leg_length is None:
        return finding("speed", FLAT, NOT_MEASURABLE)
    truth = _SPEEDS.get(c.speed_class(facts) or "")
    measured = (
        f"the pelvis moves over the ground at {facts.mean_speed:.2f} m/s on average, {facts.peak_speed:.2f} at most"
    )
    value = number(q.answer, r"m/s|met(?:er|re)s? (?:a|per) second") if re.search(r"m/s|second", q.answer) else None
    if value is not None:
        low = high = facts.peak_speed or facts.mean_speed
        if not q.asks(r"\b(top|peak|highest|greatest|fastest|most|maximum)\b"):
            low = facts.mean_speed
        off = SPEED_TOLERANCE
        below, above = low - off.near - off.near_share * low, high + off.near + off.near_share * high
        verdict = AGREES if below <= value <= above else CONTRADICTS
    else:
        claims = {
            "does not travel": rf"{_PLACE}|\bdoes not\b",
            "slowly": r"\bslow",
            "at walking pace": r"\bwalk",
            "at running pace": r"\brun|\bjog|\bsprint",
        }
        found = [name for name, pattern in claims.items() if re.search(pattern, q.answer)]
        verdict = compare(truth, found[0] if len(found) == 1 and q.yes is None else None)
    spans = [q.span(0.0, facts.duration, "pelvis", label=f"{facts.mean_speed:.2f} m/s")]
    return finding(
        "speed", measured, verdict, truth, spans, {"mean_m_s": facts.mean_speed, "peak_m_s": facts.peak_speed}
    )


def gait(q: Query) -> Evidence | None:
    """Check a claimed walk by its steps, a claimed run by its speed."""
    facts = q.facts
    if facts.steps is None or facts.mean_speed is None or facts.leg_length is None or facts.path_length is None:
        return finding("gait", "not measurable: the legs or the ground are not seen", NOT_MEASURABLE)
    pace, top = facts.mean_speed / facts.leg_length, (facts.peak_speed or 0.0) / facts.leg_length
    legs = max((facts.limb_activity.get(f"{side} leg", 0.0) for side in ("left", "right")), default=0.0)
    running = q.asks(r"\b(run|runs|running|sprint\w*|jog\w*|dash\w*)\b")
    truth = None
    stays = c.STAYS_ON_PATH.decide(facts.path_length / facts.leg_length) is False
    if not facts.steps and stays and c.LIMB_MOVES.decide(legs) is False:
        truth = False  # also not on the spot
    elif running:
        truth = c.RUNS.decide(top)
        if truth is False and c.RUN_LEGS.decide(legs):
            truth = None  # on the spot
    elif len(facts.steps) >= 3 and pace > c.TRAVEL_SPEED.classes["slow"][0]:
        truth = True
    measured = f"{len(facts.steps)} steps, {facts.mean_speed:.2f} m/s over the ground on average, ankles {legs:.2f} m/s"
    # Steps alone make no walk, so they do not contradict "no".
    verdict = compare(truth, True if q.yes else None)
    spans = []
    if facts.steps:
        spans = [q.span(facts.steps[0].time, facts.steps[-1].time, "left_ankle", "right_ankle", label="steps")]
    return finding("gait", measured, verdict, truth, spans, {"mean_m_s": facts.mean_speed, "steps": len(facts.steps)})


def turn(q: Query) -> Evidence | None:
    """Check the side of a turn, and its angle if that is asked or claimed."""
    net, turns = q.facts.net_turn, q.facts.turns
    if net is None or turns is None:
        return turn_seen(q)
    sides = {c.side_of(turn.degrees) for turn in turns}
    truth = {"none": "does not turn", "left": "left", "right": "right"}.get(c.turn_class(q.facts) or "")
    parts = [f"{abs(t.degrees):.0f} degrees to the {c.side_of(t.degrees)}, {q.when(t.start, t.end)}" for t in turns]
    whole = (
        f"the heading changes by {abs(net):.0f} degrees"
        + (f" to the {c.side_of(net)}" if abs(net) >= 1 else "")
        + " in all"
    )
    measured = f"turns {'; '.join(parts)}; {whole}" if parts else f"no turn of 30 degrees or more; {whole}"
    spans = [_turn_span(q, t) for t in turns]
    values = {"net_turn_deg": net}
    degrees = number(q.answer, r"degrees?|deg|°") if re.search(r"deg|°", q.answer) else None
    if (
        degrees is None
        and q.asks(r"degree|angle|how (far|much|large|big|wide|great|strongly)|by what")
        and q.yes is None
    ):
        degrees = number(q.answer)
    if len(sides) == 2 and (edge := re.search(r"\b(first|last|final\w*)\b", q.question)):
        chosen = turns[0 if edge[0] == "first" else -1]
        truth = c.side_of(chosen.degrees) if c.CLEAR_TURN.decide(abs(chosen.degrees)) else None
    claim = side_of_turn(q.answer) or (None if re.search(rf"\b({ARM}|{LEG})\b", q.answer) else side(q.answer))
    claim = claim if claim in ("left", "right") else None
    if claim is None and re.search(r"\b(not|no|neither|none|straight)\b", q.answer):
        claim = "does not turn"
    if q.yes is not None:
        asked = side_of_turn(q.question)
        if len(sides) == 2:
            held: bool | None = None if asked else c.CLEAR_TURN.decide(max(abs(t.degrees) for t in turns)) or None
        else:
            held = None if truth is None else truth == asked if asked else truth != "does not turn"
        return finding("turn", measured, compare(held, q.yes), truth, spans, values)
    verdict = compare(truth, claim)
    if degrees is not None and verdict != CONTRADICTS and len(sides) < 2:
        size = compare_numbers(abs(net), abs(degrees), *ANGLE_TOLERANCE.bounds(abs(net)))
        verdict = AGREES if size == AGREES and verdict != NOT_MEASURABLE else size
    elif q.asks(r"how (far|much|many|large|big|wide|great|strongly)|degree|angle") and claim in ("left", "right"):
        verdict = verdict if verdict == CONTRADICTS else compare(truth, None)
    truth_words = f"about {abs(net):.0f} degrees to the {truth}" if degrees is not None and truth in sides else truth
    return finding("turn", measured, verdict, truth_words, spans, values)


def steps(q: Query) -> Evidence | None:
    """Check the number of steps, to within one, of a clear walk or a clear stand."""
    facts = q.facts
    if facts.steps is None or facts.mean_speed is None or facts.leg_length is None or facts.path_length is None:
        return finding("steps", "not measurable: the legs or the ground are not seen", NOT_MEASURABLE)
    count = len(facts.steps)
    left = sum(step.side == "left" for step in facts.steps)
    countable = c.steps_countable(facts)
    measured = f"{count} steps, {left} with the left foot and {count - left} with the right"
    claim = number(q.answer, r"steps?")
    if claim is None and re.search(r"\bno steps?\b|\bnone\b", q.answer):
        claim = 0.0
    off = STEPS_TOLERANCE.bounds(count) if countable else (0.0, 0.0)
    verdict = compare_numbers(None if countable is None else float(count), claim, *off)
    spans = [
        q.span(step.time - 0.1, step.time + 0.1, f"{step.side}_ankle", label=f"{number}")
        for number, step in enumerate(facts.steps, start=1)
    ]
    return finding("steps", measured, verdict, str(count), spans, {"steps": count})


def _turn_span(q: Query, turn: Turn) -> Span:
    label = f"{abs(turn.degrees):.0f}° {c.side_of(turn.degrees)}"
    return q.span(turn.start, turn.end, "pelvis", "left_shoulder", "right_shoulder", label=label)


def direction_seen(q: Query) -> Evidence:
    """Check the displacement in the image; only staying in place contradicts a direction."""
    plane = q.plane
    if plane is None:
        return finding("direction", "not measurable: the trunk is not seen for long enough", NOT_MEASURABLE)
    side = "right" if plane.across > 0 else "left"
    measured = f"in the image the trunk ends {abs(plane.across):.1f} torsos to the {side} of its start"
    measured += f", {plane.nearer:.1f} times as large"
    asked, claim, verdict = direction_of(q.question), direction_of(q.answer), NOT_MEASURABLE
    if q.yes is not None:
        if re.search(AWAY, q.question):
            verdict = compare(plane.travels, q.yes)
        elif asked == "in place":
            verdict = compare(None if plane.travels is None else not plane.travels, q.yes)
        elif asked is not None:
            verdict = compare(False if plane.travels is False else None, q.yes)
    elif plane.travels is False or claim in (None, "in place"):
        stays = None if plane.travels is None else not plane.travels
        verdict = compare(stays, None if claim is None else claim == "in place")
    values = {"across_torsos": plane.across, "size_ratio": plane.nearer}
    spans = [q.span(0.0, q.facts.duration, "pelvis", "neck", label=plane.displacement_words() or "displacement")]
    return finding("direction", measured, verdict, plane.displacement_words(), spans, values)


def turn_seen(q: Query) -> Evidence:
    """Check whether the body shows front and back in turn; 2D keypoints do not show the side of the turn."""
    turns = None if q.plane is None else q.plane.turns
    if q.plane is None or turns is None:
        return finding("turn", "not measurable: 2D keypoints do not show the heading", NOT_MEASURABLE)
    measured = "shows front and back in turn" if turns else "shows the same side throughout"
    claim = q.yes
    if claim is None and q.answer:
        claim = not re.search(r"\b(not|no|neither|none|straight)\b", q.answer)
    if q.yes is not None and side_of_turn(q.question) and turns:
        claim = None  # its side is not known
    return finding("turn", measured, compare(turns, claim), "turns" if turns else "does not turn")
