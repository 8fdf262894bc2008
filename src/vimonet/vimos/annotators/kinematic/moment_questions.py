"""Ask about pauses, the fastest moment, jumps, falls, getting up and sitting, the last repetitions, the recording."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics import gait_categories as g
from vimonet.motion.kinematics.moments import Landing, Moments
from vimonet.motion.kinematics.recording_check import RecordingCheck
from vimonet.vimos.annotators.kinematic.closed_answers import UP_TO_FOUR, YES_NO, seconds, yes_no
from vimonet.vimos.types import Question

NO_FALL, NO_JUMP, NO_PAUSE = "there is no fall", "there is no jump", "there is no pause"
LANDINGS = ("on both feet", "on the left foot", "on the right foot", NO_JUMP)
TAKE_OFFS = ("both feet", "left foot", "right foot", NO_JUMP)
FALL_WAYS = ("forward", "backward", "to the left", "to the right", NO_FALL)
QUALITY = ("it is clean", "it has faults")
TRENDS = ("alike", "smaller", "larger", "slower", "faster", "smaller and slower")


def moments(facts: Facts) -> Iterator[Question]:
    """Ask about moments and events, then about the recording itself."""
    if facts.moments is not None:
        yield from _pauses(facts, facts.moments)
        yield from _fastest(facts, facts.moments)
        yield from _jumps(facts, facts.moments)
        yield from _falls(facts, facts.moments)
        yield from _postures(facts, facts.moments)
        yield from _last(facts.moments)
    yield from _floor(facts)
    if facts.check is not None:
        yield from _recording(facts, facts.check)


def _pauses(facts: Facts, found: Moments) -> Iterator[Question]:
    long = [(a, b) for a, b in found.pauses if g.PAUSE.decide(b - a)]
    if long:
        start, end = max(long, key=lambda span: span[1] - span[0])
        evidence = {"start": start, "end": end, "detail": f"from {start:.1f} to {end:.1f} s"}
        yield Question("yes_no", "pauses", "yes", {}, YES_NO, evidence)
        yield Question("duration", "pause_time", seconds("about", end - start), {}, (), evidence)
    elif not found.pauses and g.PAUSE.decide(found.longest_calm) is False:
        evidence = {"longest_calm_s": found.longest_calm}
        yield Question("yes_no", "pauses", "no", {}, YES_NO, evidence)
        yield Question("duration", "pause_time", NO_PAUSE, {}, (), evidence)


def _fastest(facts: Facts, found: Moments) -> Iterator[Question]:
    inside = c.AFTER_START.decide(min(found.fastest_time, facts.duration - found.fastest_time))
    leads = g.LEADS.decide(found.fastest_speed / max(found.next_speed, 1e-3))
    if inside and leads and c.TOP_SPEED.decide(found.fastest_speed):
        detail = f"the {found.fastest} at {found.fastest_speed:.1f} metres per second"
        evidence = {"start": found.fastest_time, "end": found.fastest_time, "detail": detail}
        yield Question("when", "fastest_moment", seconds("at", found.fastest_time), {}, (), evidence)


def _jumps(facts: Facts, found: Moments) -> Iterator[Question]:
    jumps = c.jumps(facts)
    if jumps is False:
        yield Question("jump", "landing", NO_JUMP, {}, LANDINGS, {"jumps": 0})
        yield Question("jump", "takeoff_foot", NO_JUMP, {}, TAKE_OFFS, {"jumps": 0})
        return
    flights = found.flights
    if not jumps or not facts.jumps or len(flights) != len(facts.jumps):
        return
    span = {"start": facts.jumps[0].start, "end": facts.jumps[-1].end, "joints": ["left_ankle", "right_ankle"]}
    if len({flight.lands for flight in flights}) == 1:
        feet = flights[0].lands
        answer = "on both feet" if feet == "both" else f"on the {feet} foot"
        knees = {g.LANDS_SOFT.name(flight.knee) for flight in flights}
        kept = next(iter(knees)) if len(knees) == 1 else None
        bend = f", {flights[0].knee:.0f} degrees" if len(flights) == 1 else ""
        detail = {"detail": f"with {kept}{bend}"} if kept else {}
        yield Question("jump", "landing", answer, {}, LANDINGS, {**span, **detail})
    if len({flight.takes_off for flight in flights}) == 1:
        feet = flights[0].takes_off
        answer = "both feet" if feet == "both" else f"{feet} foot"
        yield Question("jump", "takeoff_foot", answer, {}, TAKE_OFFS, span)


def _falls(facts: Facts, found: Moments) -> Iterator[Question]:
    falls = c.falls(facts)
    if falls is False:
        none = {"peak_drop_speed_m_s": facts.peak_drop_speed}
        yield Question("fall", "fall_time", NO_FALL, {}, (), none)
        yield Question("fall", "fall_direction", NO_FALL, {}, FALL_WAYS, none)
        yield Question("fall", "head_hits", "no", {}, YES_NO, {**none, "detail": NO_FALL})
        if c.GOES_LOW.decide(facts.lowest_pelvis) is False:
            yield Question("fall", "gets_up_again", NO_FALL, {}, ("yes", "no", NO_FALL), none)
        return
    if not falls or not facts.falls or not found.landings:
        return
    fall, end = facts.falls[0], found.landings[0]
    span = {"start": fall.start, "end": fall.end}
    between = {**span, "detail": f"down until {fall.end:.1f} s"}
    yield Question("fall", "fall_time", seconds("at", fall.start), {}, (), between)
    if way := _fall_way(end):
        yield Question("fall", "fall_direction", way, {}, FALL_WAYS, {**span, "angle_deg": end.angle})
    near, strikes = g.HEAD_NEAR_FLOOR.decide(end.head_height), g.HEAD_STRIKES.decide(end.head_speed)
    hits = True if near and strikes else False if near is False or strikes is False else None
    if hits is not None:
        height = max(end.head_height, 0.0)
        detail = f"the head comes down to {height:.2f} metres at {end.head_speed:.1f} metres per second"
        yield Question("fall", "head_hits", yes_no(hits), {}, YES_NO, {**span, "detail": detail, "joints": ["head"]})
    if end.up_again is not None:
        up = {**span, "detail": f"standing at {end.up_again:.1f} s"}
        yield Question("fall", "gets_up_again", "yes", {}, ("yes", "no", NO_FALL), up)
    elif facts.posture and facts.posture[-1].label in ("lying", "sitting", "on all fours"):
        yield Question("fall", "gets_up_again", "no", {}, ("yes", "no", NO_FALL), span)


def _fall_way(end: Landing) -> str | None:
    off_axis = abs((end.angle + 45.0) % 90.0 - 45.0)
    if not g.FALL_REACH.decide(end.distance) or not c.SECTOR.decide(off_axis):
        return None
    way = c.quarter(end.angle)
    return f"to the {way}" if way in ("left", "right") else way


def _postures(facts: Facts, found: Moments) -> Iterator[Question]:
    spans = facts.posture
    if not spans or not all(c.POSTURE_SURE.decide(p.certainty) for p in spans if p.label in ("sitting", "standing")):
        return
    order = [p.label for p in spans if p.label in ("sitting", "standing")]
    downs = sum(a == "standing" and b == "sitting" for a, b in pairwise(order))
    ups = sum(a == "sitting" and b == "standing" for a, b in pairwise(order))
    if downs == ups and "sitting" not in order[:1] and downs < len(UP_TO_FOUR):
        evidence = {"posture": [(p.label, round(p.start, 2), round(p.end, 2)) for p in spans]}
        yield Question("count", "sits_how_often", str(downs), {}, UP_TO_FOUR, evidence)
    if len(found.rises) == 1:
        start, end = found.rises[0]
        if g.RISE_TIME.decide(end - start):
            span = {"start": start, "end": end, "detail": f"from {start:.1f} to {end:.1f} s"}
            yield Question("duration", "get_up_time", seconds("about", end - start), {}, (), span)
    elif not found.rises and all(p.label == spans[0].label for p in spans):
        yield Question("duration", "get_up_time", "does not get up", {}, (), {"posture": spans[0].label})


def _last(found: Moments) -> Iterator[Question]:
    trend = found.trend
    if trend is None:
        return
    smaller, larger = g.LAST_SMALLER.decide(trend.size), g.LAST_LARGER.decide(trend.size)
    slower, faster = g.LAST_SLOWER.decide(trend.time), g.LAST_FASTER.decide(trend.time)
    if None in (smaller, larger, slower, faster):
        return
    words = [
        w for w, holds in (("smaller", smaller), ("larger", larger), ("slower", slower), ("faster", faster)) if holds
    ]
    detail = f"{trend.size:.0%} of the first one's size, {trend.time:.0%} of its time"
    yield Question("count", "last_reps", " and ".join(words) or "alike", {}, TRENDS, {"detail": detail})


def _floor(facts: Facts) -> Iterator[Question]:
    shares = facts.stance.rests if facts.stance is not None else None
    if shares is None:
        return
    rests = {part: g.RESTS.decide(share) for part, share in shares.items()}
    if None in rests.values() or not any(rests.values()):
        return
    parts = [part for part, holds in rests.items() if holds]
    for plural in ("foot", "knee", "hand"):
        pair = [f"left {plural}", f"right {plural}"]
        if all(part in parts for part in pair):
            both = "both feet" if plural == "foot" else f"both {plural}s"
            parts = [both if part == pair[0] else part for part in parts if part != pair[1]]
    answer = " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else parts[0]
    yield Question("contact", "floor_support", answer, {}, (), {"share": shares})


def _recording(facts: Facts, check: RecordingCheck) -> Iterator[Question]:
    source = {"detail": f"recorded at {check.source_fps:g}"} if check.source_fps != check.fps else {}
    answer = f"{check.frames} frames, {check.fps:g} per second"
    yield Question("recording", "frames", answer, {}, (), {"duration_s": facts.duration, **source})
    gap, jolt = g.POSE_LOOPS.decide(check.pose_gap), g.SPEED_LOOPS.decide(check.speed_gap)
    if gap is False or (gap and jolt is not None):
        apart = {"detail": f"the first and the last pose are {check.pose_gap:.2f} metres apart"}
        yield Question("yes_no", "loopable", yes_no(gap and jolt is False), {}, YES_NO, apart)
    slides = g.GROUND_SLIDES.decide(check.foot_slide)
    if slides is not None and check.foot_slide is not None and not (slides and (facts.jumps or not facts.steps)):
        share = {"detail": f"in {check.foot_slide:.0%} of the time on the feet"} if slides else {}
        yield Question("yes_no", "foot_slide", yes_no(slides), {}, YES_NO, {"sliding": check.foot_slide, **share})
    yield from _quality(check)
    height, leg = check.body_height, facts.leg_length
    if height is None or leg is None or not g.PLAUSIBLE_HEIGHT.decide(height):
        return
    if g.HEIGHT_AGREES.decide(g.alike(height, g.stature(leg), 1.0)) is False:
        yield Question("body", "body_height", f"about {height:.2f} metres", {}, (), {"leg_m": leg})


def _quality(check: RecordingCheck) -> Iterator[Question]:
    bones, hidden = g.BONES_CHANGE.decide(check.bone_change), g.JOINTS_HIDDEN.decide(check.hidden)
    faults = [f"the {name} leaps at {time:.1f} s" for time, name in check.leaps[:2]]
    faults += [f"bones change by {check.bone_change:.0%}"] * bool(bones)
    faults += [f"{check.hidden:.0%} of the joints are hidden"] * bool(hidden)
    if faults:
        evidence = {"detail": ", ".join(faults)}
        yield Question(
            "recording", "recording_quality", "it has faults", {}, ("it is clean", "it has faults"), evidence
        )
    elif bones is False and hidden is False:
        yield Question("recording", "recording_quality", "it is clean", {}, QUALITY, {"leaps": 0})
