"""Measure what questions about events ask: jumps, falls, counts."""

from __future__ import annotations

from vimonet.evidence.claims import ARM, BY_LIMBS, JUMP, LEG, TURN, Measure, Query, Span
from vimonet.evidence.locomotion_checks import turn_spans
from vimonet.motion.kinematics import Repetitions
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics.tolerances import COUNT_TOLERANCE, EXACT, FAST_COUNT_TOLERANCE, JUMP_TOLERANCE, Tolerance


def jump(q: Query) -> Measure | None:
    """Measure jumps and their height."""
    if q.facts.jumps is None:
        return None
    truth, highest = c.jumps(q.facts), max((j.height for j in q.facts.jumps), default=None)
    values = {"jumps": len(q.facts.jumps), "height_m": highest}
    if highest is None or not q.asks(r"\b(high|height|centimet\w+)\b"):
        return Measure(truth, truth, _jump_spans(q), values)
    words, bounds = f"{highest:.2f} m", (highest, highest)
    return Measure(truth, truth, _jump_spans(q), values, words, bounds, JUMP_TOLERANCE)


def fall(q: Query) -> Measure | None:
    """Measure falls."""
    truth, drops = c.falls(q.facts), q.facts.falls
    if drops is None:
        return None
    spans = [q.span(f.start, f.end, "pelvis", label=f"-{f.drop:.2f} m") for f in drops]
    return Measure(truth, truth, spans, {"drop_speed_m_s": q.facts.peak_drop_speed})


def count(q: Query) -> Measure | None:
    """Measure counts: of jumps and turns by their events, of other movements by their repetitions."""
    again = q.facts.repetitions
    turned = c.turn_class(q.facts) and all(c.CLEAR_TURN.decide(abs(t.degrees)) for t in q.facts.turns or ())
    for pattern, events, spans, clear in (
        (rf"{TURN}|changes of facing", q.facts.turns, turn_spans(q), bool(turned)),
        (JUMP, q.facts.jumps, _jump_spans(q), all(c.CLEAR_JUMP.decide(j.height) for j in q.facts.jumps or ())),
    ):
        if q.asks(pattern):
            return None if events is None else _counted(len(events), spans, clear=clear)
    if again is None or q.yes is not None:
        return None
    spans = [q.span(again.start, again.end, *_joints(again.limb), label=f"{again.count}×")]
    near = FAST_COUNT_TOLERANCE if again.fast else COUNT_TOLERANCE
    return _counted(again.count, spans, clear=_counts(q, again), tolerance=near)


def _counted(number: int, spans: list[Span], *, clear: bool, tolerance: Tolerance = EXACT) -> Measure:
    if not clear:
        return Measure(None, None, spans, {"count": number})
    return Measure(str(number), number > 1, spans, {"count": number}, "", (number, number), tolerance)


def _counts(q: Query, again: Repetitions) -> bool:
    """Test whether the repetitions of a limb can be those of the counted action."""
    facts, limb = q.facts, again.limb
    if c.REPEATS.decide(again.regularity) is False or c.repeats_steps(facts):
        return False
    if q.asks(r"\b(walk~|run~|step~|go~|turn~)"):
        return False  # strides of a walk are not meant by a question about repetitions
    for name, pattern in (("arm", ARM), ("leg", LEG)):
        if q.asks(rf"\b{pattern}\b") and name not in limb and ("arm" in limb or "leg" in limb):
            return False
    if q.asks(r"\bsquat~"):  # hops and steps flex the knees as well
        bent = c.KNEE_BENT.decide(max((facts.knee_flexion or {}).values(), default=0.0)) is True
        return bent and "arm" not in limb and not facts.jumps and not facts.steps
    return not q.asks(BY_LIMBS)


def _jump_spans(q: Query) -> list[Span]:
    jumps = q.facts.jumps or ()
    return [q.span(j.start, j.end, "left_ankle", "right_ankle", label=f"+{j.height:.2f} m") for j in jumps]


def _joints(limb: str) -> tuple[str, ...]:
    """List the joints that count a limb's repetitions."""
    for name, joint in {"arm": "wrist", "leg": "ankle"}.items():
        if name in limb:
            return tuple(f"{side}_{joint}" for side in ("left", "right") if side in limb or "both" in limb)
    return ("spine3",) if limb == "trunk" else ("pelvis",)
