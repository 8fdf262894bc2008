"""Measure what questions about the body ask: raised hands, activity, posture, jumps, falls, counts."""

from __future__ import annotations

import re

from vimonet.evidence.claims import ARM, BY_LIMBS, JUMP, LEG, TURN, Measure, Query, Span, side_of_limb
from vimonet.evidence.locomotion_checks import turn_spans
from vimonet.motion.kinematics import Repetitions
from vimonet.motion.kinematics import categories as c

SIDES = ("left", "right")
POSTURES = {
    "standing": r"\b(stand\w*|stood|upright)\b",
    "sitting": r"\b(sit|sits|sitting|sat|seated)\b",
    "crouching": r"\b(crouch\w*|squat\w*)\b",
    "kneeling": r"\b(kneel\w*|knelt)\b",
    "lying": r"\b(lie|lies|lying|lay|lies down)\b",
    "on all fours": r"\b(all fours|hands and knees|crawl\w*)\b",
    "bending": r"\b(bend\w*|bent)\b",
}
_HIGHER = r"\b(higher|further|highest point|up more|greater height)\b"
_MOVES = r"\b(mov\w*|us(e|es|ing|ed)|active|in (use|motion)|motion|anything|take part|part of)\b"


def raised_hand(q: Query) -> Measure:
    """Measure which hands are raised, or which is higher."""
    facts, asked = q.facts, side_of_limb(q.question, ARM)
    state = {name: c.raised_hand(facts, name) if facts.seen.get(f"{name} arm", True) else None for name in SIDES}
    left, right = (state[name] if name in facts.hand_height else None for name in SIDES)
    truth: str | None = None
    if q.asks(_HIGHER) and len(facts.hand_height) == 2 and q.yes is None:
        apart = facts.hand_height["left"] - facts.hand_height["right"]
        higher = c.HIGHER_HAND.decide(abs(apart))
        truth = "both" if higher is False else c.side_of(apart) if higher else None
    elif left is not None and right is not None:
        truth = "both" if left and right else "left" if left else "right" if right else "neither"
    held: bool | None
    if q.asks(r"\bhead\b"):
        sided = [r for r in facts.raised_hands if asked not in SIDES or r.side == asked]
        high = c.HAND_OVER_HEAD.decide(max(facts.hand_height.values(), default=0.0))
        held = True if high and any(r.above_head for r in sided) else False if not sided and high is False else None
    elif asked in SIDES:
        held = left if asked == "left" else right
    elif asked == "both":
        held = None if truth is None else truth == "both"
    else:
        held = True if True in (left, right) else None if None in (left, right) else False
    if q.claim and held is False and not facts.raised_hands:
        held = None  # "raising a hand to a door handle" keeps it under the shoulder
    spans = [q.span(r.start, r.end, f"{r.side}_wrist", label=f"{r.side} +{r.height:.2f} m") for r in facts.raised_hands]
    values: dict[str, float | None] = {f"{n}_wrist_over_shoulder_m": height for n, height in facts.hand_height.items()}
    words = {"both": "both hands", "neither": "neither hand"}.get(truth or "", f"{truth} hand" if truth else "")
    return Measure(truth, held, spans, values, words)


def more_active(q: Query, limb: str) -> Measure | None:
    """Measure which of two limbs (``arm`` or ``leg``) moves more."""
    left, right = (q.facts.limb_activity.get(f"{name} {limb}") for name in SIDES)
    if left is None or right is None:
        return None
    truth = c.more_of_two(left, right)
    words = "both equally" if truth == "both" else f"{truth} {limb}" if truth else ""
    return Measure(truth, values={"left_m_s": left, "right_m_s": right}, words=words)


def limb(q: Query) -> Measure | None:
    """Measure whether a named limb moves, or could make an action that is said to be done with it."""
    named = {name: side_of_limb(q.question, pattern) for name, pattern in (("arm", ARM), ("leg", LEG))}
    part, asked = next(((name, found) for name, found in named.items() if found in SIDES), ("", ""))
    activity = q.facts.limb_activity.get(f"{asked} {part}")
    if activity is None:
        return None
    opposite = q.facts.limb_activity.get(f"{'right' if asked == 'left' else 'left'} {part}", 0.0)
    truth = c.LIMB_MOVES.decide(activity)
    if q.asks(r"\b(?!mov|us|do|be)\w+ing\b") or not q.asks(_MOVES):
        # An action needs its limb, but a moving limb does not make the action, and a short action moves it little.
        other_did = c.ARMS_OR_LEGS.decide(opposite) and c.ONLY_LIMB.decide(opposite / max(activity, 1e-9))
        truth = False if truth is False and other_did and q.yes else None
        if q.yes and c.ARMS_OR_LEGS.decide(activity) and c.MORE_ACTIVE.decide(activity / max(opposite, 1e-9)):
            truth = True
    return Measure(truth, truth, values={"activity_m_s": activity, "other_m_s": opposite})


def posture(q: Query) -> Measure | None:
    """Measure the posture at the start, at the end, for most of the time, or at any time."""
    spells = q.facts.posture
    share: dict[str, float] = {}
    asked = [label for label, pattern in POSTURES.items() if q.asks(pattern)]
    if not spells or (q.yes is not None and len(asked) != 1):
        return None
    for p in spells:
        share[p.label] = share.get(p.label, 0.0) + p.end - p.start
    main = max(share, key=lambda label: share[label])
    truth = main if c.POSTURE_MAIN.decide(share[main] / max(q.facts.duration, 1e-9)) else None
    edge = {"start": spells[0], "end": spells[-1]}.get(_part_of_clip(q.question) or "")
    if edge is not None:
        truth = edge.label if c.POSTURE_EDGE.decide(edge.end - edge.start) else None
    values: dict[str, float | None] = {f"{label}_s": seconds for label, seconds in share.items()}
    wanted = asked[0] if q.yes is not None else main
    shown = [edge] if edge else [p for p in spells if p.label == wanted]
    spans = [q.span(p.start, p.end, "pelvis", label=p.label) for p in shown]
    if q.yes is None:
        return Measure(truth if truth in POSTURES else None, None, spans, values)
    held = c.POSTURE_HELD.decide(share[wanted]) if wanted in share else False
    if edge is not None:
        held = None if truth is None else truth == wanted
    elif wanted in ("standing", "bending"):
        held = held or None  # "stands up" and "bends over" are more than postures
    held = None if q.asks(r"\bsquat") and not q.yes else held
    return Measure(held, held, spans, values)


def _part_of_clip(question: str) -> str | None:
    if re.search(r"\b(most|main|mainly|overall|usual|prevail\w*|dominat\w*)\b", question):
        return None
    if re.search(r"\b(start\w*|begin\w*|first|initial\w*|outset|open\w*)\b", question):
        return "start"
    return "end" if re.search(r"\b(end|ends|ending|final\w*|at last|last|clos\w*|finish\w*)\b", question) else None


def jump(q: Query) -> Measure | None:
    """Measure jumps and their height."""
    if q.facts.jumps is None:
        return None
    truth, highest = c.jumps(q.facts), max((j.height for j in q.facts.jumps), default=None)
    values = {"jumps": len(q.facts.jumps), "height_m": highest}
    if highest is None or not q.asks(r"\b(high|height|centimet\w+)\b"):
        return Measure(truth, truth, _jump_spans(q), values)
    words, bounds = f"{highest:.2f} m", (highest, highest)
    return Measure(truth, truth, _jump_spans(q), values, words, bounds, c.JUMP_TOLERANCE)


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
    near = c.FAST_COUNT_TOLERANCE if again.fast else c.COUNT_TOLERANCE
    return _counted(again.count, spans, clear=_counts(q, again), tolerance=near)


def _counted(number: int, spans: list[Span], *, clear: bool, tolerance: c.Tolerance = c.EXACT) -> Measure:
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
