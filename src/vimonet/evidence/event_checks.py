"""Check claims about events: jumps, falls, counts, durations, times, order."""

from __future__ import annotations

import re
from collections.abc import Callable

from vimonet.evidence.claims import (
    AGREES,
    ARM,
    CONTRADICTS,
    DURATION_TOLERANCE,
    EVENT_TOLERANCE,
    FALL,
    JUMP,
    JUMP_TOLERANCE,
    LEG,
    MADE_BY,
    MOMENT_TOLERANCE,
    NOT_CLAIMED,
    NOT_MEASURABLE,
    RAISE,
    RAISE_TOLERANCE,
    TURN,
    Evidence,
    Query,
    Span,
    alternatives,
    compare,
    compare_numbers,
    finding,
    side_of_limb,
    side_of_turn,
)
from vimonet.evidence.limb_checks import POSTURES
from vimonet.language import number, numbers
from vimonet.motion.kinematics import categories as c

_PARTS = {
    "beginning": r"\b(beginning|start|early|first)\b",
    "middle": r"\b(middle|midway|halfway)\b",
    "end": r"\b(end|late|last|finally)\b",
}
_PART_ANSWERS = {"beginning": "at the beginning", "middle": "in the middle", "end": "at the end"}


def jump(q: Query) -> Evidence | None:
    """Check jumps and their height."""
    if q.facts.jumps is None:
        return finding("jump", "not measurable: the legs are not seen, or the recording is 2D", NOT_MEASURABLE)
    spans = _jumps(q)
    heights = [j.height for j in q.facts.jumps]
    parts = [f"{q.when(j.start, j.end)}, pelvis up by {j.height:.2f} m" for j in q.facts.jumps]
    measured = f"both feet off the ground {'; '.join(parts)}" if parts else "both feet never leave the ground together"
    truth = c.jumps(q.facts)
    high = number(q.answer, r"m|cm|met(?:er|re)s?|centimet(?:er|re)s?") if q.asks(r"how high") else None
    if high is not None and heights:
        high = high / 100 if re.search(r"\bcm|centim", q.answer) else high
        verdict = compare_numbers(max(heights), high, *JUMP_TOLERANCE.bounds(max(heights)))
        return finding("jump", measured, verdict, f"{max(heights):.2f} m", spans, {"height_m": max(heights)})
    values = {"jumps": len(heights), "height_m": max(heights, default=None)}
    return finding("jump", measured, compare(truth, q.claims(JUMP)), truth, spans, values)


def fall(q: Query) -> Evidence | None:
    """Check falls."""
    drops, speed = q.facts.falls, q.facts.peak_drop_speed
    if drops is None or speed is None:
        return finding("fall", "not measurable: the legs are not seen, or the recording is 2D", NOT_MEASURABLE)
    parts = [f"{q.when(f.start, f.end)}, by {f.drop:.2f} m at up to {f.speed:.1f} m/s" for f in drops]
    measured = (
        f"the pelvis drops {'; '.join(parts)}" if parts else f"no fall; the pelvis sinks at {speed:.1f} m/s at most"
    )
    truth = c.falls(q.facts)
    return finding("fall", measured, compare(truth, q.claims(FALL)), truth, _falls(q), {"drop_speed_m_s": speed})


def count(q: Query) -> Evidence | None:
    """Check counts: jumps and turns by their events, other movements by their repetitions."""
    claim = number(q.answer, r"times?|repetitions?|reps|cycles|rounds|jumps?|turns?")
    found = events_named(q, q.question) if q.asks(rf"{JUMP}|{TURN}|changes of facing") else None
    if found is not None:
        name, spans = found
        sure = _undisputed(q, name)
        if q.yes is not None:
            verdict = compare(len(spans) > 1 if sure else None, q.yes)
        else:
            verdict = compare_numbers(float(len(spans)) if sure else None, claim, 0.0, 0.0)
        measured = f"{len(spans)} {name}{'' if len(spans) == 1 else 's'}" + (f": {_times(spans)}" if spans else "")
        return finding("count", measured, verdict, str(len(spans)), spans, {"count": len(spans)})
    if q.yes is not None:
        return None
    again = q.facts.repetitions
    if again is None:
        return finding("count", "not measurable: no movement repeats regularly", NOT_MEASURABLE)
    named = [name for name, limb in (("arm", ARM), ("leg", LEG)) if q.asks(rf"\b{limb}\b")]
    off = [name for name in named if name not in again.limb and ("arm" in again.limb or "leg" in again.limb)]
    limb = again.limb if again.limb.startswith("both") else f"the {again.limb}"
    measured = (
        f"{limb} repeats {again.count} times, one in {again.period:.1f} s, {q.when(again.start, again.end)} "
        f"(regularity {again.regularity:.2f} of 1)"
    )
    # Strides of a walk are not meant by a question about repetitions.
    steady = c.REPEATS.decide(again.regularity) is not False
    sure = steady and not c.repeats_steps(q.facts) and not off and not q.asks(r"\b(walk~|run~|step~|go~|turn~)")
    sure = sure and _counts(q, again.limb)
    near = 1.0 if again.fast else 0.0
    verdict = compare_numbers(float(again.count) if sure else None, claim, near, near + 1.0)
    spans = [q.span(again.start, again.end, *_joints(again.limb), label=f"{again.count}×")]
    values = {"count": again.count, "period_s": again.period, "regularity": again.regularity}
    return finding("count", measured, verdict, str(again.count), spans, values)


def _counts(q: Query, limb: str) -> bool:
    """Test whether the repetitions of a limb can be those of the counted action."""
    facts = q.facts
    part = next((part for part, actions in MADE_BY.items() if q.asks(rf"\b({actions})")), "")
    if not part:
        return True
    leg = facts.leg_length or 1.0
    if part == "knees":
        # Hops and steps flex the knees as well.
        bent = c.KNEE_BENT.decide(max((facts.knee_flexion or {}).values(), default=0.0)) is True
        return bent and "arm" not in limb and not facts.jumps and not facts.steps
    if part == "leg":
        highest = max((facts.foot_height or {}).values(), default=0.0)
        return "leg" in limb and c.KICK_HEIGHT.decide(highest / leg) is True
    # Punches, claps and curls look alike; only a wave has its hand over the shoulder.
    return q.asks(r"\bwave~") and any(f"{hand.side} arm" in limb for hand in facts.raised_hands)


def duration(q: Query) -> Evidence | None:
    """Check the duration of the recording, or of an event in it."""
    claim = number(q.answer, r"s|sec|secs|seconds?")
    found = events_named(q, q.question)
    if found is not None:
        name, spans = found
        if q.asks(r"\braising\b|\blifting\b"):
            return None  # the duration of the raising itself is not measured
        seconds = _together(spans)
        if not spans:
            return finding("duration", f"no {name} is measured", NOT_MEASURABLE)
        measured = f"{name} for {seconds:.1f} s: {_times(spans)}"
        verdict = compare_numbers(seconds, claim, *EVENT_TOLERANCE.bounds(seconds))
        return finding("duration", measured, verdict, f"{seconds:.1f} s", spans, {"duration_s": seconds})
    if q.asks(rf"\b{ARM}\b|\b{LEG}\b|\b(?!recording|going|during|moving|everything|timing)\w+ing\b"):
        return None  # a duration of an action that is not measured
    seconds = q.facts.duration
    # A clip under half a second is still "about a second".
    verdict = compare_numbers(max(seconds, 0.5), claim, *DURATION_TOLERANCE.bounds(seconds))
    whole = [q.span(0.0, seconds, label=f"{seconds:.1f} s")]
    return finding("duration", f"lasts {seconds:.1f} s", verdict, f"{seconds:.1f} s", whole, {"duration_s": seconds})


def when(q: Query) -> Evidence | None:
    """Check the time of an event: the third of the recording, or the second."""
    found = events_named(q, q.question)
    if found is None:
        return None
    name, spans = found
    never = bool(re.search(r"\b(never|not happen|not at all|does not|no)\b", q.answer))
    if not spans or never:
        truth = bool(spans) if _undisputed(q, name) else None
        claim = False if never else True if q.answer else None
        measured = f"{name} at {_times(spans)}" if spans else f"no {name}"
        return finding(
            "when", measured, compare(truth, claim), "that does not happen" if truth is False else truth, spans
        )
    length = q.facts.duration
    measured = f"{name} at {_times(spans)}, of {q.when(0.0, length)}"
    third = None
    if len(spans) == 1:
        third = c.third_of(spans[0].start - q.offset, spans[0].end - q.offset, length)
    times = numbers(q.answer) if re.search(r"\d", q.answer) else []
    if times:
        # Times in the answer are relative to the segment.
        at = sum(times) / len(times) + q.offset
        edge = "end" if q.asks(r"\b(end|stop\w*|done|finish\w*|cease\w*|over|until|by which)\b") else "start"
        if q.asks(r"\b(start\w*|begin\w*)\b") or edge == "end":
            far = min(abs(at - (s.start if edge == "start" else s.end)) for s in spans)
        else:
            far = min(max(s.start - at, at - s.end, 0.0) for s in spans)
        # A hand moves up and down before and after it is above the shoulder.
        limit = RAISE_TOLERANCE if name == "raised hand" else MOMENT_TOLERANCE
        verdict = AGREES if far <= limit.near else CONTRADICTS if far > limit.far else NOT_MEASURABLE
        if name == "raised hand" and q.asks(r"\b(raising|lifting) (the|both)\b"):
            verdict = NOT_MEASURABLE  # only a part of the raising is above the shoulder
    else:
        named_parts = [part for part, pattern in _PARTS.items() if re.search(pattern, q.answer)]
        verdict = NOT_CLAIMED if len(named_parts) != 1 else compare(third, named_parts[0])
    return finding(
        "when",
        measured,
        verdict,
        _PART_ANSWERS.get(third or "", ""),
        spans,
        {"start_s": spans[0].start, "end_s": spans[0].end},
    )


def events_named(q: Query, text: str) -> tuple[str, list[Span]] | None:
    """Find the measured events that a text names: their name and spans; None if it names none."""
    named: list[tuple[str, Callable[[], list[Span]], bool]] = [
        ("turn", lambda: _turns(q, side_of_turn(text)), q.facts.turns is not None),
        ("raised hand", lambda: _raises(q, side_of_limb(text, ARM)), True),
        ("jump", lambda: _jumps(q), q.facts.jumps is not None),
        ("fall", lambda: _falls(q), q.facts.falls is not None),
    ]
    if re.search(r"\b(walk|run|jog)\w* and turn", text):
        return None  # such an event begins and ends with the walk
    patterns = {
        "turn": rf"{TURN}|changes of facing",
        "raised hand": rf"{RAISE}.*\b{ARM}\b|\b{ARM}\b.*({RAISE}|\bup\b)",
        "jump": JUMP,
        "fall": FALL,
    }
    for name, spans, measured in named:
        if re.search(patterns[name], text):
            return (name, spans()) if measured else None
    for label in ("sitting", "crouching", "kneeling", "lying"):
        if re.search(POSTURES[label], text) and q.facts.posture is not None:
            parts = [p for p in q.facts.posture if p.label == label]
            return label, [q.span(p.start, p.end, "pelvis", label=label) for p in parts]
    return None


def order(q: Query) -> Evidence | None:
    """Check the order of two measured events."""
    pair = alternatives(q.question)
    if pair is None:
        return None
    found = [events_named(q, name) for name in pair]
    if any(item is None or not item[1] for item in found):
        return finding("order", f"the order of {pair[0]} and {pair[1]} is not measured", NOT_MEASURABLE)
    spans = [item[1] for item in found if item]
    late = q.asks(r"\b(last|later|second)\b")
    times = [max(s.end for s in group) if late else min(s.start for s in group) for group in spans]
    measured = "; ".join(f"{name} {_times(group)}" for name, group in zip(pair, spans, strict=True))
    sure = c.ORDERED.decide(abs(times[0] - times[1]))
    first = pair[0 if (times[0] < times[1]) != late else 1] if sure else None
    named = [name for name in pair if name.split()[0] in q.answer.split()]
    verdict = compare(first, named[0] if len(named) == 1 else None)
    return finding("order", measured, verdict, first, [span for group in spans for span in group])


def _together(spans: list[Span]) -> float:
    """Compute the seconds covered by spans that may overlap (both hands raised)."""
    total, until = 0.0, float("-inf")
    for span in sorted(spans, key=lambda span: span.start):
        total += max(span.end - max(span.start, until), 0.0)
        until = max(until, span.end)
    return total


def _times(spans: list[Span]) -> str:
    return ", ".join(f"{span.start:.1f}-{span.end:.1f} s" for span in spans)


def _undisputed(q: Query, name: str) -> bool:
    """Test whether all events of a name, or their absence, lie outside the dead zones."""
    facts = q.facts
    if name == "raised hand":
        states = [c.raised_hand(facts, side) for side in ("left", "right")]
        clear = all(c.RAISED_HAND.decide(hand.height) for hand in facts.raised_hands)
        return clear if facts.raised_hands else states == [False, False]
    if name == "turn":
        turns = facts.turns or ()
        clear = all(c.CLEAR_TURN.decide(abs(t.degrees)) for t in turns)
        return clear if turns else c.TURNED.decide(abs(facts.net_turn or 0.0)) is False
    if name == "jump":
        return all(c.CLEAR_JUMP.decide(j.height) for j in facts.jumps or ())
    if name == "fall":
        return c.falls(facts) is not None
    return all(c.POSTURE_SURE.decide(p.certainty) for p in facts.posture or () if p.label == name)


def _turns(q: Query, side: str | None) -> list[Span]:
    signs = {"left": (1,), "right": (-1,)}.get(side or "", (1, -1))
    return [
        q.span(t.start, t.end, "pelvis", "left_shoulder", "right_shoulder", label=f"{abs(t.degrees):.0f}°")
        for t in q.facts.turns or ()
        if any(sign * t.degrees > 0 for sign in signs)
    ]


def _raises(q: Query, side: str | None) -> list[Span]:
    sides = (side,) if side in ("left", "right") else ("left", "right")
    return [
        q.span(r.start, r.end, f"{r.side}_wrist", label=f"{r.side} +{r.height:.2f} m")
        for r in q.facts.raised_hands
        if r.side in sides
    ]


def _jumps(q: Query) -> list[Span]:
    return [
        q.span(j.start, j.end, "left_ankle", "right_ankle", label=f"+{j.height:.2f} m") for j in q.facts.jumps or ()
    ]


def _falls(q: Query) -> list[Span]:
    return [q.span(f.start, f.end, "pelvis", label=f"-{f.drop:.2f} m") for f in q.facts.falls or ()]


def _joints(limb: str) -> tuple[str, ...]:
    """List the joints that count a limb's repetitions."""
    ends = {"arm": "wrist", "leg": "ankle"}
    for name, joint in ends.items():
        if name in limb:
            return tuple(f"{side}_{joint}" for side in ("left", "right") if side in limb or "both" in limb)
    return ("spine3",) if limb == "trunk" else ("pelvis",)
