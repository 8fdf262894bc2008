"""Write measured facts as short lines that people and language models read: `Facts.lines`.

Each line has a topic before its colon and the class of a measure before its number, so that a reader need not know the
thresholds. A class in its dead zone is left out; a measure that the recording does not allow has no line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vimonet.motion.kinematics import categories as c

if TYPE_CHECKING:
    from vimonet.motion.kinematics.facts import Facts

_SPANS = 6  # events of one kind that are listed with their times
_LISTED = 4  # postures that are listed with their times; of more, each with how often it is taken


def fact_lines(facts: Facts) -> list[str]:
    """Write the facts as lines, the most general first."""
    lines = [f"duration: {facts.duration:.1f} s"]
    for topic, parts in (
        ("moves", _moves(facts)),
        ("speed", _speed(facts)),
        ("turns", _turns(facts)),
        ("posture", _posture(facts)),
        ("trunk", _trunk(facts)),
        ("steps", _steps(facts)),
        ("jumps", _jumps(facts)),
        ("falls", _falls(facts)),
        ("kicks", _kicks(facts)),
        ("lifts a leg", _lifts(facts)),
        ("hands", _hands(facts)),
        ("activity", _activity(facts)),
        ("repeats", _repeats(facts)),
        ("feet", _feet(facts)),
        ("not seen", [limb for limb, seen in facts.seen.items() if not seen]),
    ):
        told = ", ".join(part for part in parts if part)
        if told:
            lines.append(f"{topic}: {told}")
    if pose := facts.calibration_pose():
        lines.append(f"begins with: {pose.name} {_span(pose.start, pose.end)}")
    lines += [course.line(facts.duration) for course in facts.courses]
    for record in (facts.shape, facts.gait, facts.stance, facts.moments, facts.check):
        lines += record.lines() if record is not None else []
    return lines


def times(count: int) -> str:
    """Write how often: "once", "twice", "3 times"."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _span(start: float, end: float) -> str:
    return f"{start:.1f}-{end:.1f} s"


def lasting(start: float, end: float) -> str:
    """Write a span with its length, that of the times as they are written: "1.0-4.4 s (3.4 s)"."""
    return f"{_span(start, end)} ({round(end, 1) - round(start, 1):.1f} s)"


def _moves(facts: Facts) -> Iterator[str]:
    if facts.image is not None:
        yield facts.image.displacement_words()
        yield f"seen from the {facts.image.shows}" if facts.image.shows else ""
    if facts.displacement is None or facts.leg_length is None:
        return
    away = c.moves_away(facts)
    where = c.displacement_class(facts)
    way = "stays in place" if away is False else where or facts.displacement_direction or ""
    travelled = facts.locomotion_direction
    if (
        facts.held_root_speed is not None
        and len(facts.steps or ()) > 2
        and c.TURNED.decide(abs(facts.net_turn or 0.0)) is False
    ):
        yield f"stays in place as on a treadmill of {facts.held_root_speed:.1f} m/s"
    elif away is False:
        yield way
    elif away and travelled not in (None, "in place", way):
        # Around a corner the body moves forward, and ends to the side of where it faced at first.
        yield f"travels {travelled}, ends {facts.displacement:.1f} m {way} of the start"
    else:
        yield f"{way} {facts.displacement:.1f} m"
    path = facts.path
    if path is None or facts.path_length is None:
        return
    if c.LONG_PATH.decide(facts.path_length / facts.leg_length):
        yield f"path {facts.path_length:.1f} m"
    if c.WENT_OUT.decide(path.farthest / facts.leg_length):
        back = c.RETURNS.decide(facts.displacement / path.farthest)
        yield {True: "comes back", False: "does not come back", None: ""}[back]
        yield f"at most {path.farthest:.1f} m from the start"
    aside = c.sideways(facts)
    if aside is not None and c.DRIFTS.decide(abs(aside) / facts.leg_length) and where in ("forward", "backward"):
        yield f"drifts {c.side_of(aside)}"
    if c.LONG_CLIP.decide(facts.duration) is not False:
        halves = [
            c.direction_class(path.half_distance[i], path.half_angle[i], facts.leg_length) or "unclear" for i in (0, 1)
        ]
        yield f"first half {halves[0]}, second half {halves[1]}"


def _speed(facts: Facts) -> Iterator[str]:
    if facts.mean_speed is None:
        return
    yield c.speed_class(facts) or ""
    yield f"mean {facts.mean_speed:.2f} m/s"
    yield f"top {facts.peak_speed:.1f} m/s"
    yield c.pace_change(facts) or ""


def _turns(facts: Facts) -> Iterator[str]:
    if facts.image is not None and facts.image.turns is not None:
        yield "turns round" if facts.image.turns else "none"
    if facts.turns is None or facts.net_turn is None:
        return
    if not facts.turns:
        yield "none" if c.TURNED.decide(abs(facts.net_turn)) is False else "slight"
    for turn in facts.turns[:_SPANS]:
        size = abs(turn.degrees)
        round_ = f" ({times(round(size / 360))} round)" if c.FULL_TURN.decide(size) else ""
        yield f"{c.side_of(turn.degrees)} {size:.0f} degrees{round_} {lasting(turn.start, turn.end)}"
    if facts.turns:
        yield f"{len(facts.turns)} in all"
    if c.TURNED.decide(abs(facts.net_turn)) is not False:
        yield f"net {abs(facts.net_turn):.0f} degrees {c.side_of(facts.net_turn)}"
    same = c.SAME_FACING.decide(abs((facts.net_turn + 180) % 360 - 180))
    if same is not None:
        yield "faces the same way at the end" if same else "faces another way at the end"


def _posture(facts: Facts) -> Iterator[str]:
    spans = facts.posture or ()
    if len({span.label for span in spans}) == 1:
        yield f"{spans[0].label} throughout" + (f" {spans[0].detail}" if spans[0].detail else "")
    elif len(spans) <= _LISTED:
        for span in spans:
            yield f"{span.label}{f' {span.detail}' if span.detail else ''} {lasting(span.start, span.end)}"
    else:
        labels = [span.label for span in spans]
        for label in dict.fromkeys(labels):
            yield f"{label} {labels.count(label)} times"
        yield f"starts {labels[0]}, ends {labels[-1]}"
    if facts.lowest_pelvis is not None and c.GOES_LOW.decide(facts.lowest_pelvis) is not False:
        yield f"hips down to {100 * facts.lowest_pelvis:.0f} % of standing height"
    if c.ONE_LEG.decide(facts.one_leg_time):
        yield f"on one leg for {facts.one_leg_time:.1f} s"


def _trunk(facts: Facts) -> Iterator[str]:
    if facts.trunk_inclination is not None:
        yield c.TRUNK.name(facts.trunk_inclination) or f"{facts.trunk_inclination:.0f} degrees from upright at most"


def _steps(facts: Facts) -> Iterator[str]:
    if facts.steps is None:
        return
    if not facts.steps:
        yield "none"
        return
    left = sum(step.side == "left" for step in facts.steps)
    yield f"{len(facts.steps)} ({left} left, {len(facts.steps) - left} right)"
    yield f"first with the {facts.steps[0].side} foot"


def _jumps(facts: Facts) -> Iterator[str]:
    if facts.jumps is None:
        return
    clear = [jump for jump in facts.jumps if c.CLEAR_JUMP.decide(jump.height)]
    yield f"{len(clear)}" if clear else "none"
    for jump in clear[:_SPANS]:
        yield f"{100 * jump.height:.0f} cm high {_span(jump.start, jump.end)}"


def _falls(facts: Facts) -> Iterator[str]:
    found = facts.fallen()
    if facts.falls is not None and not found:
        yield "none"
    for start, end, _ in found:
        yield f"falls {_span(start, end)}"
    if found:
        yield "gets up again" if found[-1][2] else "stays down"


def _kicks(facts: Facts) -> Iterator[str]:
    found = [swing for swing in facts.leg_swings or () if swing.kick]
    if len(found) > 1:
        yield times(len(found))
    for kick in found[:_SPANS]:
        yield f"{kick.side} leg at {kick.time:.1f} s, foot {kick.height:.1f} m high, {kick.speed:.0f} m/s"


def _lifts(facts: Facts) -> Iterator[str]:
    found = [swing for swing in facts.leg_swings or () if not swing.kick]
    for swing in found[:_SPANS]:
        yield f"{swing.side} leg {_span(swing.start, swing.end)}, foot {swing.height:.1f} m high"


def _hands(facts: Facts) -> Iterator[str]:
    for side in facts.hand_height:
        raises = [hand for hand in facts.raised_hands if hand.side == side]
        raised = c.raised_hand(facts, side)
        if raised and raises:
            level = "above the head" if any(hand.above_head for hand in raises) else "above the shoulder"
            times = " and ".join(lasting(hand.start, hand.end) for hand in raises[:_SPANS])
            last = "down" if c.AFTER_START.decide(facts.duration - raises[-1].end) else "raised"
            yield f"{side} raised {level} {times}, {last} at the end"
        elif raised is False:
            yield f"{side} not raised"
    if len(facts.hand_height) == 2:
        apart = facts.hand_height["left"] - facts.hand_height["right"]
        if c.COMPARABLE_HANDS.decide(max(facts.hand_height.values())) and c.HIGHER_HAND.decide(abs(apart)):
            yield f"{c.side_of(apart)} goes higher"
    if facts.arm_asymmetry is not None and facts.limb_activity and len(facts.hand_height) == 2:
        moving = max(facts.limb_activity.get(f"{side} arm", 0.0) for side in ("left", "right"))
        if c.ARMS_COMPARED.decide(moving):
            alike = c.ARMS_MIRRORED.decide(facts.arm_asymmetry)
            yield {True: "arms move alike", False: "arms move differently", None: ""}[alike]


def _activity(facts: Facts) -> Iterator[str]:
    speeds = facts.limb_activity
    limbs = [limb for limb in speeds if limb != "head"]
    for limb in sorted(limbs, key=lambda name: -speeds[name]):
        still = " still" if c.LIMB_MOVES.decide(speeds[limb]) is False else ""
        yield f"{limb} {speeds[limb]:.1f}{still}"
    for limb in ("arm", "leg"):
        if f"left {limb}" in speeds and f"right {limb}" in speeds:
            more = c.more_of_two(speeds[f"left {limb}"], speeds[f"right {limb}"])
            if more:
                yield f"{limb}s equal" if more == "both" else f"more the {more} {limb}"
    if more := c.arms_or_legs(facts):
        yield f"mostly {more}"
    if speeds and all(c.QUIET_LIMB.decide(speeds[limb]) is False for limb in limbs):
        yield "holds still"


def _repeats(facts: Facts) -> Iterator[str]:
    again = facts.repetitions
    if again is None:
        yield "no"
        return
    limb = again.limb if again.limb.startswith("both") else f"the {again.limb}"
    yield f"{again.count} times with {limb}"
    yield f"every {again.period:.1f} s"
    yield _span(again.start, again.end)


def _feet(facts: Facts) -> Iterator[str]:
    if facts.foot_height and facts.leg_length:
        apart = facts.foot_height["left"] - facts.foot_height["right"]
        if c.HIGHER_FOOT.decide(abs(apart) / facts.leg_length):
            yield f"{c.side_of(apart)} goes higher, {max(facts.foot_height.values()):.1f} m"
