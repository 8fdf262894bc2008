"""What happens at a moment, how often and how long: jumps, falls, turns, raised hands, steps, repetitions."""

from __future__ import annotations

from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.vimos.annotators.kinematic.closed_answers import NEVER, WHEN, YES_NO, about, at, halves, verb_slots
from vimonet.vimos.types import Question

Span = tuple[float, float]


def events(facts: Facts) -> Iterator[Question]:
    """Counts, events and their times."""
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
    steps = facts.steps
    if steps is not None and facts.mean_speed is not None and facts.leg_length is not None and len(steps) <= 20:
        walking = facts.mean_speed > 0.5 * facts.leg_length and len(steps) >= 2
        still = facts.path_length is not None and facts.path_length < 0.2 * facts.leg_length and not steps
        if walking or still:
            yield Question("steps", "steps", str(len(steps)), {}, (), {"steps_s": [round(s.time, 2) for s in steps]})


def _events(facts: Facts) -> Iterator[Question]:
    if facts.jumps is not None:
        heights = [j.height for j in facts.jumps]
        if not heights or max(heights) > 0.08:
            yield Question(
                "yes_no",
                "fact_yes_no",
                "yes" if heights else "no",
                verb_slots("jump"),
                YES_NO,
                {"jump_heights_m": heights},
            )
    if facts.falls is not None and facts.peak_drop_speed is not None and (facts.falls or facts.peak_drop_speed < 0.9):
        fell = {"peak_drop_speed_m_s": facts.peak_drop_speed}
        yield Question("yes_no", "fact_yes_no", "yes" if facts.falls else "no", verb_slots("fall"), YES_NO, fell)
    if facts.trunk_inclination is not None and (facts.trunk_inclination > 55 or facts.trunk_inclination < 25):
        bend = {"trunk_bend_deg": facts.trunk_inclination}
        yield Question(
            "yes_no",
            "fact_yes_no",
            "yes" if facts.trunk_inclination > 55 else "no",
            verb_slots("bend over"),
            YES_NO,
            bend,
        )
    for do, spans in (
        ("raise a hand", [(r.start, r.end) for r in facts.raised_hands]),
        ("turn", [(t.start, t.end) for t in facts.turns or ()]),
        ("jump", [(j.start, j.end) for j in facts.jumps or ()]),
        ("fall", [(f.start, f.end) for f in facts.falls or ()]),
    ):
        if len(spans) == 1 and facts.duration > 1.5:
            middle = (spans[0][0] + spans[0][1]) / 2 / facts.duration
            short = spans[0][1] - spans[0][0] < 0.5 * facts.duration
            if short and min(abs(middle - 1 / 3), abs(middle - 2 / 3)) > 0.07:
                answer = WHEN[min(2, int(middle * 3))]
                yield Question("when", "when", answer, verb_slots(do), WHEN, {"span_s": spans[0]})


def _clear_events(facts: Facts) -> dict[str, list[Span]]:
    """Stretches of each event whose presence or absence is beyond dispute; one near its threshold is left out."""
    out: dict[str, list[Span]] = {}
    top = max(facts.hand_height.values(), default=0.0)
    arms = len(facts.hand_height) == 2
    if arms and all(r.height > 0.12 for r in facts.raised_hands) and (facts.raised_hands or top < -0.04):
        out["raise a hand"] = [(r.start, r.end) for r in facts.raised_hands]
    turns = facts.turns
    if turns is not None and all(abs(t.degrees) > 45 for t in turns) and (turns or abs(facts.net_turn or 0.0) < 15):
        out["turn"] = [(t.start, t.end) for t in turns]
    if facts.jumps is not None and all(j.height > 0.08 for j in facts.jumps):
        out["jump"] = [(j.start, j.end) for j in facts.jumps]
    if facts.falls is not None and (facts.falls or (facts.peak_drop_speed or 0.0) < 0.9):
        out["fall"] = [(f.start, f.end) for f in facts.falls]
    return out


def _times(facts: Facts) -> Iterator[Question]:
    if facts.duration < 1.5:
        return
    for do, spans in _clear_events(facts).items():
        slots = verb_slots(do)
        options = (*WHEN, NEVER)
        if not spans:
            yield Question("when", "when_or_never", NEVER, slots, options, {"events": []})
        if do in ("jump", "turn") and spans:
            often = {"events_s": [(round(a, 2), round(b, 2)) for a, b in spans]}
            yield Question("yes_no", f"{do}_again", "yes" if len(spans) > 1 else "no", {}, YES_NO, often)
        if len(spans) != 1:
            continue
        start, end = spans[0]
        span = {"start": start, "end": end}
        middle = (start + end) / 2 / facts.duration
        if end - start < 0.5 * facts.duration and min(abs(middle - 1 / 3), abs(middle - 2 / 3)) > 0.07:
            yield Question("when", "when_or_never", WHEN[min(2, int(middle * 3))], slots, options, span)
        if start > 0.2:
            yield Question("timing", "start_second", at(start), slots, (), span)
        if do == "turn" and end < facts.duration - 0.2:
            yield Question("timing", "end_second", at(end), slots, (), span)
        if do == "turn" and start > 0.1 and end < facts.duration - 0.1:
            yield Question("duration", "turn_time", about(halves(end - start), "second"), {}, (), span)


def _jumps(facts: Facts) -> Iterator[Question]:
    jumps, leg = facts.jumps, facts.leg_length
    if jumps is None or leg is None or any(j.height < 0.08 for j in jumps):
        return
    evidence = {
        "jump_heights_m": [j.height for j in jumps],
        "times_s": [(round(j.start, 2), round(j.end, 2)) for j in jumps],
    }
    if len(jumps) <= 6:
        options = ("0", "1", "2", "3", "4", "5", "6")
        yield Question("count", "jump_count", str(len(jumps)), {}, options, evidence)
    if jumps:
        highest = 100 * max(j.height for j in jumps)
        # Half a metre is what athletes reach: more is a leap off something, or a sensor gone wrong.
        if abs((highest + 5) % 10 - 5) < 3.5 and highest < 60:
            rounded = max(10, 10 * round(highest / 10))
            yield Question("height", "jump_height", about(rounded, "centimetre"), {}, (), evidence)
        yield Question("yes_no", "both_feet_off", "yes", {}, YES_NO, evidence)
        return
    # A running stride is off the ground too: only slow movement on the feet is sure never to leave it.
    slow = facts.peak_speed is not None and facts.peak_speed < 1.9 * leg
    grounded = facts.contacts is not None and float(facts.contacts.any(axis=1).mean()) > 0.95
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
    elif not facts.falls and facts.peak_drop_speed < 0.9:
        yield Question("yes_no", "danger", "no", {}, YES_NO, evidence)


def _cycle(facts: Facts) -> Iterator[Question]:
    again = facts.repetitions
    if again is None:
        if facts.duration > 1.5 and facts.steps is not None and len(facts.steps) < 2 and not facts.jumps:
            yield Question("yes_no", "repeated", "no", {}, YES_NO, {"repetitions": 0})
        return
    if again.regularity > 0.7 and again.count >= 3:
        span = {"count": again.count, "period_s": again.period, "start": again.start, "end": again.end}
        yield Question("yes_no", "repeated", "yes", {}, YES_NO, span)
        if again.period > 0.35 and again.end - again.start > 0.6 * facts.duration:
            seconds = round(again.period * 5) / 5 if again.period < 1 else halves(again.period)
            yield Question("duration", "cycle_time", about(seconds, "second"), {}, (), span)
