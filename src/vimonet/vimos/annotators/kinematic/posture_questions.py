"""How the body is held: standing, sitting, lying, bent, low, on one leg."""

from __future__ import annotations

from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.vimos.annotators.kinematic.closed_answers import POSTURES, YES_NO, about, halves, verb_slots
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
    if first.label in POSTURES and first.end - first.start > 0.35:
        yield Question("posture", "posture_start", first.label, {}, POSTURES, evidence)
    if last.label in POSTURES and last.end - last.start > 0.35:
        yield Question("posture", "posture_end", last.label, {}, POSTURES, evidence)
    share: dict[str, float] = {}
    for p in spans:
        share[p.label] = share.get(p.label, 0.0) + p.end - p.start
    main = max(share, key=lambda label: share[label])
    if share[main] > 0.75 * facts.duration:
        yield Question("posture", "posture", main, {}, POSTURES, evidence)
    for label, do in (
        ("sitting", "sit"),
        ("crouching", "crouch"),
        ("lying", "lie on the ground"),
        ("kneeling", "kneel"),
    ):
        seconds = share.get(label, 0.0)
        if seconds == 0 or seconds > 0.4:
            yield Question("yes_no", "fact_yes_no", "yes" if seconds else "no", verb_slots(do), YES_NO, evidence)


def _held(facts: Facts) -> Iterator[Question]:
    spans = facts.posture
    if not spans:
        return
    evidence = {"posture": [(p.label, round(p.start, 2), round(p.end, 2)) for p in spans]}
    first, last = spans[0], spans[-1]
    certain = all(p.certainty > 0.3 and p.end - p.start > 0.35 for p in (first, last))
    change = SAME if len(spans) == 1 else f"from {first.label} to {last.label}"
    if certain and change in CHANGES and first.label in POSTURES:
        told = {**evidence, "start": first.end, "end": last.start} if len(spans) > 1 else evidence
        yield Question("posture", "posture_change", change, {}, CHANGES, told)
    for label in ("sitting", "crouching", "kneeling", "lying"):
        held = [p for p in spans if p.label == label]
        if len(held) == 1 and held[0].certainty > 0.3 and held[0].end - held[0].start > 0.4 and len(spans) > 1:
            span = {**evidence, "start": held[0].start, "end": held[0].end}
            seconds = about(halves(held[0].end - held[0].start), "second")
            yield Question("duration", "posture_time", seconds, {"posture": label}, (), span)
    lies = {p.detail for p in spans if p.label == "lying" and p.certainty > 0.3 and p.end - p.start > 0.5}
    if len(lies) == 1 and lies <= set(LIES):
        yield Question("posture", "lying_side", min(lies), {}, LIES, evidence)
    off_feet = sum(p.end - p.start for p in spans if p.label in POSTURES[1:] and p.label != "crouching")
    upright = all(p.label in ("standing", "airborne", "bending", "crouching") for p in spans)
    if upright or off_feet > 0.5:
        yield Question("yes_no", "stays_on_feet", "yes" if upright else "no", {}, YES_NO, evidence)
    bend = facts.trunk_inclination
    if bend is not None and all(p.label in ("standing", "bending", "crouching", "airborne", "sitting") for p in spans):
        torso = TORSO[0] if bend < 18 else TORSO[1] if 30 < bend < 50 else TORSO[2] if bend > 62 else None
        if torso:
            yield Question("torso", "torso", torso, {}, TORSO, {"trunk_bend_deg": bend, "joints": ["pelvis", "neck"]})


def _low(facts: Facts) -> Iterator[Question]:
    lowest, single = facts.lowest_pelvis, facts.one_leg_time
    if lowest is not None and (lowest < 0.62 or lowest > 0.82):
        evidence = {"lowest_pelvis_share": lowest, "joints": ["pelvis"]}
        yield Question("yes_no", "goes_low", "yes" if lowest < 0.62 else "no", {}, YES_NO, evidence)
    if single is not None and (single > 0.9 or single < 0.35):
        seconds = {"one_leg_s": single, "joints": ["left_ankle", "right_ankle"]}
        yield Question("yes_no", "one_leg", "yes" if single > 0.9 else "no", {}, YES_NO, seconds)
