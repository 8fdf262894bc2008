"""How the body is held: standing, sitting, lying, bent, low, on one leg."""

from __future__ import annotations

from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.vimos.annotators.kinematic.closed_answers import POSTURES, YES_NO, about, halves, verb_slots, yes_no
from vimonet.vimos.types import Question

TORSO = ("stays upright", "leans", "bends far over")
SAME = "it stays the same"
CHANGES = (
    SAME,
    *(f"from standing to {low}" for low in POSTURES[1:]),
    *(f"from {low} to standing" for low in POSTURES[1:]),
)
LIES = ("face up", "face down", "on the left side", "on the right side")


def posture(facts: Facts) -> Iterator[Question]:
    """Postures, their changes and times, the trunk, and how low the body goes."""
    yield from _posture(facts)
    yield from _held(facts)
    yield from _low(facts)


def _posture(facts: Facts) -> Iterator[Question]:
    if not facts.posture:
        return
    spans = [p for p in facts.posture if p.label in POSTURES]
    if not spans:
        return
    first, last = facts.posture[0], facts.posture[-1]
    evidence = {"posture": [(p.label, round(p.start, 2), round(p.end, 2)) for p in facts.posture]}
    if first.label in POSTURES and c.POSTURE_EDGE.decide(first.end - first.start):
        yield Question("posture", "posture_start", first.label, {}, POSTURES, evidence)
    if last.label in POSTURES and c.POSTURE_EDGE.decide(last.end - last.start):
        yield Question("posture", "posture_end", last.label, {}, POSTURES, evidence)
    share: dict[str, float] = {}
    for p in spans:
        share[p.label] = share.get(p.label, 0.0) + p.end - p.start
    main = max(share, key=lambda label: share[label])
    if c.POSTURE_MAIN.decide(share[main] / facts.duration):
        yield Question("posture", "posture", main, {}, POSTURES, evidence)
    for label, do in (
        ("sitting", "sit"),
        ("crouching", "crouch"),
        ("lying", "lie on the ground"),
        ("kneeling", "kneel"),
    ):
        seconds = share.get(label, 0.0)
        if seconds == 0 or c.POSTURE_HELD.decide(seconds):
            yield Question("yes_no", "fact_yes_no", yes_no(seconds > 0), verb_slots(do), YES_NO, evidence)


def _held(facts: Facts) -> Iterator[Question]:
    spans = facts.posture
    if not spans:
        return
    evidence = {"posture": [(p.label, round(p.start, 2), round(p.end, 2)) for p in spans]}
    first, last = spans[0], spans[-1]
    certain = all(c.POSTURE_EDGE.decide(p.end - p.start) and c.POSTURE_SURE.decide(p.certainty) for p in (first, last))
    change = SAME if len(spans) == 1 else f"from {first.label} to {last.label}"
    if certain and change in CHANGES and first.label in POSTURES:
        told = {**evidence, "start": first.end, "end": last.start} if len(spans) > 1 else evidence
        yield Question("posture", "posture_change", change, {}, CHANGES, told)
    for label in ("sitting", "crouching", "kneeling", "lying"):
        held = [p for p in spans if p.label == label]
        if len(held) != 1 or len(spans) < 2:
            continue
        lasts = held[0].end - held[0].start
        if c.POSTURE_SURE.decide(held[0].certainty) and c.POSTURE_HELD.decide(lasts):
            span = {**evidence, "start": held[0].start, "end": held[0].end}
            seconds = about(halves(lasts), "second")
            yield Question("duration", "posture_time", seconds, {"posture": label}, (), span)
    lying = [p for p in spans if p.label == "lying" and c.POSTURE_SURE.decide(p.certainty)]
    lies = {p.detail for p in lying if c.LIES_LONG.decide(p.end - p.start)}
    if len(lies) == 1 and lies <= set(LIES):
        yield Question("posture", "lying_side", min(lies), {}, LIES, evidence)
    off_feet = sum(p.end - p.start for p in spans if p.label in POSTURES[1:] and p.label != "crouching")
    upright = all(p.label in ("standing", "airborne", "bending", "crouching") for p in spans)
    if upright or c.OFF_FEET.decide(off_feet):
        yield Question("yes_no", "stays_on_feet", yes_no(upright), {}, YES_NO, evidence)
    bend = facts.trunk_inclination
    seen = all(p.label in ("standing", "bending", "crouching", "airborne", "sitting") for p in spans)
    if seen and (name := c.TRUNK.name(bend)):
        torso = TORSO[list(c.TRUNK.classes).index(name)]
        yield Question("torso", "torso", torso, {}, TORSO, {"trunk_bend_deg": bend, "joints": ["pelvis", "neck"]})


def _low(facts: Facts) -> Iterator[Question]:
    low, single = c.GOES_LOW.decide(facts.lowest_pelvis), c.ONE_LEG.decide(facts.one_leg_time)
    if low is not None:
        evidence = {"lowest_pelvis_share": facts.lowest_pelvis, "joints": ["pelvis"]}
        yield Question("yes_no", "goes_low", yes_no(low), {}, YES_NO, evidence)
    if single is not None:
        seconds = {"one_leg_s": facts.one_leg_time, "joints": ["left_ankle", "right_ankle"]}
        yield Question("yes_no", "one_leg", yes_no(single), {}, YES_NO, seconds)
