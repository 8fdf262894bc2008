"""Measure what questions about locomotion ask: direction, distance, speed, gait, turns, steps.

A body in 2D is measured in the image plane, which gives no verdict on movement along the line of sight or on angles of
turns.
"""

from __future__ import annotations

from vimonet.evidence.claims import AWAY, Measure, Query, Span, direction_of, side_of_turn
from vimonet.motion.kinematics import categories as c

_SPEEDS = {"still": "does not travel", "slow": "slowly", "walking": "at walking pace", "running": "at running pace"}
_WAYS = ("forward", "backward", "left", "right")


def direction(q: Query) -> Measure | None:
    """Measure the direction of the displacement, which is relative to the facing direction at the start."""
    facts, asked = q.facts, direction_of(q.question)
    if facts.displacement is None or facts.displacement_angle is None:
        return _direction_seen(q, asked)
    moved, truth = c.moves_away(facts), c.displacement_class(facts)
    underway = truth if truth == "in place" else facts.locomotion_direction
    held = None
    if q.asks(AWAY):
        held = moved
    elif truth is not None and asked is not None and (truth == underway or asked not in (truth, underway)):
        held = asked == truth  # a direction in only one of the two frames of reference may be meant in either
    values = {"displacement_m": facts.displacement, "angle_deg": facts.displacement_angle}
    unclear = () if truth == underway or underway is None else (underway,)
    return Measure(truth, held, values=values, unclear=unclear)


def _direction_seen(q: Query, asked: str | None) -> Measure | None:
    """Measure the displacement in the image; only staying in place contradicts a direction."""
    plane = q.facts.image
    if plane is None:
        return None
    words, stays = plane.displacement_words(), None if plane.travels is None else not plane.travels
    held = plane.travels if q.asks(AWAY) else stays if asked == "in place" else False if stays and asked else None
    values = {"across_torsos": plane.across, "size_ratio": plane.nearer}
    truth = None if stays is None else "in place" if stays else "moves"
    return Measure(truth, held, values=values, words=words, unclear=() if stays else _WAYS)


def distance(q: Query) -> Measure | None:
    """Measure the displacement and the length of the path: "how far" may mean either."""
    metres = q.facts.displacement
    if metres is None:
        return None
    path = q.facts.path_length or metres
    whole = q.asks(r"\b(path|route|bends|detours?|in all|altogether|adding up|total way|whole way)\b")
    values = {"displacement_m": metres, "path_m": q.facts.path_length}
    truth = "stays" if c.moves_away(q.facts) is False else "moves"
    words, bounds = f"{path if whole else metres:.1f} m", (min(metres, path), max(metres, path))
    return Measure(truth, values=values, words=words, stated=bounds, tolerance=c.DISTANCE_TOLERANCE)


def speed(q: Query) -> Measure | None:
    """Measure the mean and the greatest speed; the classes of speed are relative to leg length."""
    mean, peak = q.facts.mean_speed, q.facts.peak_speed
    if mean is None or peak is None:
        return None
    truth = _SPEEDS.get(c.speed_class(q.facts) or "")
    top = q.asks(r"\b(top|peak|highest|greatest|fastest|most|maximum)\b")
    bounds = (peak if top else mean, peak)
    values = {"mean_m_s": mean, "peak_m_s": peak}
    return Measure(truth, values=values, stated=bounds, tolerance=c.SPEED_TOLERANCE)


def gait(q: Query) -> Measure | None:
    """Measure whether somebody walks, by the steps, or runs, by the speed."""
    facts = q.facts
    if facts.steps is None or facts.mean_speed is None or facts.leg_length is None or facts.path_length is None:
        return None
    pace, top = facts.mean_speed / facts.leg_length, (facts.peak_speed or 0.0) / facts.leg_length
    legs = max((facts.limb_activity.get(f"{side} leg", 0.0) for side in ("left", "right")), default=0.0)
    truth = None
    stays = c.STAYS_ON_PATH.decide(facts.path_length / facts.leg_length) is False
    if not facts.steps and stays and c.LIMB_MOVES.decide(legs) is False:
        truth = False  # also not on the spot
    elif q.asks(r"\b(run|runs|running|sprint\w*|jog\w*|dash\w*)\b"):
        truth = c.RUNS.decide(top)
        if truth is False and c.RUN_LEGS.decide(legs):
            truth = None  # on the spot
    elif len(facts.steps) >= 3 and pace > c.TRAVEL_SPEED.classes["slow"][0]:
        truth = True
    edges = [(facts.steps[0].time, facts.steps[-1].time)] if facts.steps else []
    spans = [q.span(*edge, "left_ankle", "right_ankle", label="steps") for edge in edges]
    # Steps alone make no walk, so they do not contradict "no".
    return Measure(truth, truth if q.yes else None, spans, {"mean_m_s": facts.mean_speed, "steps": len(facts.steps)})


def turn(q: Query) -> Measure | None:
    """Measure the side and the angle of turns; 2D keypoints show that a body turns, not to which side."""
    net, turns, asked = q.facts.net_turn, q.facts.turns, side_of_turn(q.question)
    if net is None or turns is None:
        seen = None if q.facts.image is None else q.facts.image.turns
        if seen is None:
            return None
        held, unclear = None if seen and asked else seen, ("left", "right") if seen else ()
        return Measure("turns" if seen else "does not turn", held, unclear=unclear)
    sides = {c.side_of(turn.degrees) for turn in turns}
    truth = {"none": "does not turn", "left": "left", "right": "right"}.get(c.turn_class(q.facts) or "")
    held = None if truth is None else truth == asked if asked else truth != "does not turn"
    if len(sides) == 2:
        held = None if asked else c.CLEAR_TURN.decide(max(abs(t.degrees) for t in turns)) or None
    size = (abs(net), abs(net)) if len(sides) < 2 else None
    return Measure(truth, held, turn_spans(q), {"net_turn_deg": net}, "", size, c.ANGLE_TOLERANCE)


def turn_spans(q: Query) -> list[Span]:
    """Mark the turns."""
    joints = ("pelvis", "left_shoulder", "right_shoulder")
    turns = q.facts.turns or ()
    return [q.span(t.start, t.end, *joints, label=f"{abs(t.degrees):.0f}° {c.side_of(t.degrees)}") for t in turns]


def steps(q: Query) -> Measure | None:
    """Measure the number of steps, to within one, of a clear walk or a clear stand."""
    taken = q.facts.steps
    if taken is None or q.facts.mean_speed is None:
        return None
    truth, bounds = (
        (str(len(taken)), (len(taken), len(taken))) if c.steps_countable(q.facts) is not None else (None, None)
    )
    spans = [
        q.span(step.time - 0.1, step.time + 0.1, f"{step.side}_ankle", label=f"{number}")
        for number, step in enumerate(taken, start=1)
    ]
    return Measure(truth, None, spans, {"steps": len(taken)}, "", bounds, c.STEPS_TOLERANCE)
