"""Ask what arms and legs do (which one, how high, how much, how alike) and how the body is held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.vimos.action_labels import verb_slots
from vimonet.vimos.annotators.kinematic.closed_answers import (
    ARMS,
    CANNOT_TELL,
    HANDS,
    LEGS,
    LIMBS,
    POSTURES,
    UP_TO_FOUR,
    YES_NO,
    about,
    halves,
    yes_no,
)
from vimonet.vimos.types import Question


def limbs(facts: Facts) -> Iterator[Question]:
    """Ask about arms, then about legs."""
    yield from _arms(facts)
    yield from _legs(facts)
    if all(facts.seen.get(arm, True) for arm in ("left arm", "right arm")):
        yield from _hands(facts)
    if all(facts.seen.get(limb, True) for limb in LIMBS):
        yield from _most(facts)
    yield from _feet(facts)


def _arms(facts: Facts) -> Iterator[Question]:
    left, right = facts.seen.get("left arm", True), facts.seen.get("right arm", True)
    if not (left and right):
        yield Question("raised_hand", "raised_hand", CANNOT_TELL, {}, HANDS, {"arms_seen": [left, right]})
        yield Question("more_active_arm", "more_active_arm", CANNOT_TELL, {}, ARMS, {"arms_seen": [left, right]})
        return
    up = {side: height for side, height in facts.hand_height.items()}
    state = {side: c.raised_hand(facts, side) for side in up}
    evidence: dict[str, Any] = {"hand_over_shoulder_m": up}
    if len(state) == 2 and None not in state.values():
        answer = {
            (True, True): "both hands",
            (True, False): "left hand",
            (False, True): "right hand",
            (False, False): "neither hand",
        }[bool(state["left"]), bool(state["right"])]
        yield Question("raised_hand", "raised_hand", answer, {}, HANDS, evidence)
    for side, value in state.items():
        if value is not None:
            slots = verb_slots(f"raise the {side} hand")
            yield Question("yes_no", "fact_yes_no", yes_no(value), slots, YES_NO, evidence)
    activity = facts.limb_activity
    if "left arm" in activity and "right arm" in activity:
        yield from _pair("arm", activity["left arm"], activity["right arm"])
        for limb in ("left arm", "right arm"):
            yield from _moves(limb, activity[limb])


def _legs(facts: Facts) -> Iterator[Question]:
    left, right = facts.seen.get("left leg", True), facts.seen.get("right leg", True)
    if not (left and right):
        unseen = {"legs_seen": [left, right]}
        yield Question("more_active_leg", "more_active_leg", CANNOT_TELL, {}, LEGS, unseen)
        yield Question("steps", "steps", CANNOT_TELL, {}, (), unseen)
        return
    activity = facts.limb_activity
    if "left leg" not in activity or "right leg" not in activity:
        return
    yield from _pair("leg", activity["left leg"], activity["right leg"])
    for limb in ("left leg", "right leg"):
        yield from _moves(limb, activity[limb])
    if more := c.arms_or_legs(facts):
        arms, legs = (max(activity[f"left {limb}"], activity[f"right {limb}"]) for limb in ("arm", "leg"))
        evidence = {"arms_m_s": arms, "legs_m_s": legs}
        yield Question("arms_or_legs", "arms_or_legs", more, {}, ("arms", "legs"), evidence)


def _pair(limb: str, left: float, right: float) -> Iterator[Question]:
    form, options = f"more_active_{limb}", ARMS if limb == "arm" else LEGS
    if more := c.more_of_two(left, right):
        answer = "both equally" if more == "both" else f"{more} {limb}"
        yield Question(form, form, answer, {}, options, {"left_m_s": left, "right_m_s": right})


def _moves(limb: str, activity: float) -> Iterator[Question]:
    moves = c.LIMB_MOVES.decide(activity)
    if moves is not None:
        yield Question("yes_no", "limb_moves", yes_no(moves), {"limb": limb}, YES_NO, {"activity_m_s": activity})


def _hands(facts: Facts) -> Iterator[Question]:
    height, raises = facts.hand_height, facts.raised_hands
    if len(height) < 2:
        return
    evidence: dict[str, Any] = {"hand_over_shoulder_m": height, "joints": ["left_wrist", "right_wrist"]}
    apart, top = height["left"] - height["right"], max(height.values())
    differ = c.HIGHER_HAND.decide(abs(apart))
    if c.COMPARABLE_HANDS.decide(top) and differ is not None:
        higher = f"{c.side_of(apart)} hand" if differ else "both equally"
        yield Question("hand_height", "higher_hand", higher, {}, ("left hand", "right hand", "both equally"), evidence)
    above = any(r.above_head for r in raises)
    over = c.HAND_OVER_HEAD.decide(top)
    if (above and over) or (not raises and over is False):
        yield Question("yes_no", "hand_over_head", yes_no(above), {}, YES_NO, evidence)
    clear = all(c.RAISED_HAND.decide(r.height) for r in raises)
    if not clear or (not raises and c.RAISED_HAND.decide(top) is not False):
        return
    spans = {"raises": [(r.side, round(r.start, 2), round(r.end, 2)) for r in raises]}
    by_side = {side: [r for r in raises if r.side == side] for side in ("left", "right")}
    if not (by_side["left"] and by_side["right"]) and len(raises) < len(UP_TO_FOUR):
        yield Question("count", "raise_count", str(len(raises)), {}, UP_TO_FOUR, spans)
    elif by_side["left"] and by_side["right"]:
        left, right = by_side["left"][0].start, by_side["right"][0].start
        ordered = c.FIRST_HAND.decide(abs(left - right))
        if c.WHOLE_EVENT.decide(min(left, right)) and ordered is not None:
            first = f"{'left' if left < right else 'right'} hand" if ordered else "both at once"
            options = ("left hand", "right hand", "both at once")
            yield Question("raised_hand", "first_hand_up", first, {}, options, spans)
    for side, found in by_side.items():
        if len(found) == 1 and c.RAISE_HELD.decide(found[0].end - found[0].start):
            span = {"start": found[0].start, "end": found[0].end, "joints": [f"{side}_wrist"]}
            seconds = about(halves(found[0].end - found[0].start), "second")
            yield Question("duration", "hand_up_time", seconds, {"hand": f"{side} hand"}, (), span)
    yield from _alike(facts)


def _alike(facts: Facts) -> Iterator[Question]:
    """Ask whether the arms mirror each other; a walk, whose arms swing in turn a little, is left out."""
    apart, arms = facts.arm_asymmetry, [facts.limb_activity.get(arm, 0.0) for arm in LIMBS[:2]]
    if apart is None or c.ARMS_COMPARED.decide(max(arms)) is False:
        return
    mirrored = c.ARMS_MIRRORED.decide(apart)
    alike = mirrored and c.BOTH_ARMS_MOVE.decide(min(arms)) and len(facts.steps or ()) < 3
    if alike or mirrored is False:
        evidence = {"arm_asymmetry": apart, "joints": ["left arm", "right arm"]}
        yield Question("yes_no", "arms_alike", yes_no(alike), {}, YES_NO, evidence)


def _most(facts: Facts) -> Iterator[Question]:
    activity = {limb: facts.limb_activity[limb] for limb in LIMBS if limb in facts.limb_activity}
    if len(activity) < len(LIMBS):
        return
    ranked = sorted(LIMBS, key=lambda limb: -activity[limb])
    evidence = {"activity_m_s": activity, "joints": [ranked[0]]}
    most, leg = activity[ranked[0]], facts.leg_length or 1.0
    if c.ARMS_OR_LEGS.decide(most) and c.MOST_ACTIVE.decide(most / max(activity[ranked[1]], 1e-9)):
        yield Question("limb", "most_active_limb", ranked[0], {}, LIMBS, evidence)
    stays = facts.path_length is not None and c.LEAVES_PLACE.decide(facts.path_length / leg) is False
    moves = c.LIMB_MOVES.decide(most)
    if moves or (stays and c.QUIET_LIMB.decide(most) is False):
        yield Question("yes_no", "holds_still", yes_no(not moves), {}, YES_NO, evidence)
    again = facts.repetitions
    if again is None or not c.REPEATS.decide(again.regularity) or again.count < 3:
        return
    walking = c.STEP_AWAY.decide((facts.path_length or 0.0) / leg) or len(facts.steps or ()) > 2
    options = ("left arm", "right arm", "both arms", "whole body")
    other = {"left arm": "right arm", "right arm": "left arm"}.get(again.limb)
    alone = other is None or c.ONE_ARM_REPEATS.decide(activity[again.limb] / max(activity[other], 1e-9))
    if again.limb in options and not walking and alone:
        with_times = {"regularity": again.regularity, "start": again.start, "end": again.end, "joints": [again.limb]}
        yield Question("limb", "repeated_limb", again.limb, {}, options, with_times)


def _feet(facts: Facts) -> Iterator[Question]:
    leg, height, knees = facts.leg_length, facts.foot_height, facts.knee_flexion
    if leg is None or height is None or knees is None:
        return
    down = any(p.label not in ("standing", "airborne", "bending", "crouching") for p in facts.posture or ())
    apart = height["left"] - height["right"]
    differ = c.HIGHER_FOOT.decide(abs(apart) / leg)
    if not down and (differ or (differ is False and c.LIFTED_FEET.decide(max(height.values()) / leg))):
        foot = f"{c.side_of(apart)} foot" if differ else "both equally"
        evidence: dict[str, Any] = {"ankle_over_floor_m": height, "joints": ["left_ankle", "right_ankle"]}
        yield Question("foot_height", "higher_foot", foot, {}, ("left foot", "right foot", "both equally"), evidence)
    apart = knees["left"] - knees["right"]
    differ = c.MORE_BENT_KNEE.decide(abs(apart))
    if c.COMPARABLE_KNEES.decide(max(knees.values())) and differ is not None:
        knee = f"{c.side_of(apart)} knee" if differ else "both equally"
        bend = {"knee_bend_deg": knees, "joints": ["left_knee", "right_knee"]}
        yield Question("knee", "more_bent_knee", knee, {}, ("left knee", "right knee", "both equally"), bend)
    steps = facts.steps or ()
    turns = len(steps) >= 3 and steps[0].side != steps[1].side != steps[2].side
    if turns and c.STEPS_APART.decide(steps[1].time - steps[0].time):
        first = f"{steps[0].side} foot"
        with_times = {"start": steps[0].time, "steps_s": [round(s.time, 2) for s in steps], "joints": [first]}
        yield Question("step", "first_step", first, {}, ("left foot", "right foot"), with_times)


TORSO = ("stays upright", "leans", "bends far over")
SAME = "it stays the same"
CHANGES = (
    SAME,
    *(f"from standing to {low}" for low in POSTURES[1:]),
    *(f"from {low} to standing" for low in POSTURES[1:]),
)
LIES = ("face up", "face down", "on the left side", "on the right side")


def posture(facts: Facts) -> Iterator[Question]:
    """Ask about postures, their changes and times, the trunk, and how low the body goes."""
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
        with_times = {**evidence, "start": first.end, "end": last.start} if len(spans) > 1 else evidence
        yield Question("posture", "posture_change", change, {}, CHANGES, with_times)
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
