"""Ask what happens at a moment, how often and how long: jumps, falls, turns, raised hands, steps, repetitions."""

from __future__ import annotations

from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.vimos.action_labels import verb_slots
from vimonet.vimos.annotators.kinematic.closed_answers import (
    NEVER,
    UP_TO_SIX,
    WHEN,
    YES_NO,
    about,
    at,
    halves,
    third,
    yes_no,
)
from vimonet.vimos.types import Question

Span = tuple[float, float]


def events(facts: Facts) -> Iterator[Question]:
    """Ask about counts, events and their times."""
    yield from _counts(facts)
    yield from _events(facts)
    yield from _times(facts)
    yield from _jumps(facts)
    yield from _danger(facts)
    yield from _cycle(facts)


def _counts(facts: Facts) -> Iterator[Question]:
    yield Question(
        "duration",
        "duration",
        f"about {max(1, round(facts.duration))} second{'s' if round(facts.duration) > 1 else ''}",
        {},
        (),
        {"duration_s": facts.duration},
    )
    steps = facts.steps or ()
    if c.steps_countable(facts) is not None and not c.MANY_STEPS.decide(len(steps)):
        yield Question("steps", "steps", str(len(steps)), {}, (), {"steps_s": [round(s.time, 2) for s in steps]})


def _events(facts: Facts) -> Iterator[Question]:
    for do, happens, evidence in (
        ("jump", c.jumps(facts), {"jump_heights_m": [j.height for j in facts.jumps or ()]}),
        ("fall", c.falls(facts), {"peak_drop_speed_m_s": facts.peak_drop_speed}),
        ("bend over", c.TRUNK_BENDS.decide(facts.trunk_inclination), {"trunk_bend_deg": facts.trunk_inclination}),
    ):
        if happens is not None:
            yield Question("yes_no", "fact_yes_no", yes_no(happens), verb_slots(do), YES_NO, evidence)
    for do, spans in (
        ("raise a hand", [(r.start, r.end) for r in facts.raised_hands]),
        ("turn", [(t.start, t.end) for t in facts.turns or ()]),
        ("jump", [(j.start, j.end) for j in facts.jumps or ()]),
        ("fall", [(f.start, f.end) for f in facts.falls or ()]),
    ):
        if len(spans) == 1 and (answer := third(*spans[0], facts.duration)):
            yield Question("when", "when", answer, verb_slots(do), WHEN, {"span_s": spans[0]})


def _clear_events(facts: Facts) -> dict[str, list[Span]]:
    """Find the stretches of each event; one whose presence is in a dead zone is left out."""
    out: dict[str, list[Span]] = {}
    top = max(facts.hand_height.values(), default=0.0)
    arms = len(facts.hand_height) == 2
    clear = all(c.RAISED_HAND.decide(r.height) for r in facts.raised_hands)
    if arms and clear and (facts.raised_hands or c.RAISED_HAND.decide(top) is False):
        out["raise a hand"] = [(r.start, r.end) for r in facts.raised_hands]
    turns = facts.turns
    straight = c.TURNED.decide(abs(facts.net_turn or 0.0)) is False
    if turns is not None and all(c.CLEAR_TURN.decide(abs(t.degrees)) for t in turns) and (turns or straight):
        out["turn"] = [(t.start, t.end) for t in turns]
    if facts.jumps is not None and all(c.CLEAR_JUMP.decide(j.height) for j in facts.jumps):
        out["jump"] = [(j.start, j.end) for j in facts.jumps]
    if facts.falls is not None and (facts.falls or c.DROPS.decide(facts.peak_drop_speed or 0.0) is False):
        out["fall"] = [(f.start, f.end) for f in facts.falls]
    return out


def _times(facts: Facts) -> Iterator[Question]:
    if c.LONG_CLIP.decide(facts.duration) is False:
        return
    for do, spans in _clear_events(facts).items():
        slots = verb_slots(do)
        options = (*WHEN, NEVER)
        if not spans:
            yield Question("when", "when_or_never", NEVER, slots, options, {"events": []})
        if do in ("jump", "turn") and spans:
            often = {"events_s": [(round(a, 2), round(b, 2)) for a, b in spans]}
            yield Question("yes_no", f"{do}_again", yes_no(len(spans) > 1), {}, YES_NO, often)
        if len(spans) != 1:
            continue
        start, end = spans[0]
        span = {"start": start, "end": end}
        if answer := third(start, end, facts.duration):
            yield Question("when", "when_or_never", answer, slots, options, span)
        if c.AFTER_START.decide(start):
            yield Question("timing", "start_second", at(start), slots, (), span)
        if do == "turn" and c.AFTER_START.decide(facts.duration - end):
            yield Question("timing", "end_second", at(end), slots, (), span)
        if do == "turn" and c.WHOLE_EVENT.decide(min(start, facts.duration - end)):
            yield Question("duration", "turn_time", about(halves(end - start), "second"), {}, (), span)


def _jumps(facts: Facts) -> Iterator[Question]:
    jumps, leg = facts.jumps, facts.leg_length
    if jumps is None or leg is None or any(c.CLEAR_JUMP.decide(j.height) is False for j in jumps):
        return
    evidence = {
        "jump_heights_m": [j.height for j in jumps],
        "times_s": [(round(j.start, 2), round(j.end, 2)) for j in jumps],
    }
    if len(jumps) < len(UP_TO_SIX):
        yield Question("count", "jump_count", str(len(jumps)), {}, UP_TO_SIX, evidence)
    if jumps:
        highest = max(j.height for j in jumps)
        centimetres = 100 * highest
        between = c.BETWEEN_TENS.decide(abs((centimetres + 5) % 10 - 5))
        if between is False and c.PLAUSIBLE_JUMP.decide(highest) is False:
            rounded = max(10, 10 * round(centimetres / 10))
            yield Question("height", "jump_height", about(rounded, "centimetre"), {}, (), evidence)
        yield Question("yes_no", "both_feet_off", "yes", {}, YES_NO, evidence)
        return
    # A running stride is off the ground too: only slow movement on the feet is sure never to leave it.
    slow = facts.peak_speed is not None and c.NOT_FAST.decide(facts.peak_speed / leg) is False
    grounded = facts.contacts is not None and c.GROUNDED.decide(float(facts.contacts.any(axis=1).mean()))
    if slow and grounded and all(p.label == "standing" for p in facts.posture or ()):
        yield Question("yes_no", "both_feet_off", "no", {}, YES_NO, evidence)


def _danger(facts: Facts) -> Iterator[Question]:
    if facts.falls is None or not facts.posture or facts.peak_drop_speed is None:
        return
    last = facts.posture[-1].label
    evidence = {"falls": len(facts.falls), "peak_drop_speed_m_s": facts.peak_drop_speed, "last_posture": last}
    if facts.falls and last in ("lying", "on all fours", "sitting"):
        span = {"start": facts.falls[-1].start, "end": facts.duration}
        yield Question("yes_no", "danger", "yes", {}, YES_NO, {**evidence, **span})
    elif c.falls(facts) is False:
        yield Question("yes_no", "danger", "no", {}, YES_NO, evidence)


def _cycle(facts: Facts) -> Iterator[Question]:
    again = facts.repetitions
    if again is None:
        still = facts.steps is not None and len(facts.steps) < 2 and not facts.jumps
        if still and c.LONG_CLIP.decide(facts.duration):
            yield Question("yes_no", "repeated", "no", {}, YES_NO, {"repetitions": 0})
        return
    if c.REPEATS.decide(again.regularity) and again.count >= 3:
        span = {"count": again.count, "period_s": again.period, "start": again.start, "end": again.end}
        yield Question("yes_no", "repeated", "yes", {}, YES_NO, span)
        if c.CYCLE_SHOWN.decide(again.period) and c.CYCLE_LASTS.decide((again.end - again.start) / facts.duration):
            seconds = round(again.period * 5) / 5 if again.period < 1 else halves(again.period)
            yield Question("duration", "cycle_time", about(seconds, "second"), {}, (), span)
