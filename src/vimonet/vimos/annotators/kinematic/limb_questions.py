"""What arms and legs do: which one, how high, how much, how alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vimonet.motion.kinematics import Facts
from vimonet.vimos.annotators.kinematic.closed_answers import (
    ARMS,
    CANNOT_TELL,
    HANDS,
    LEGS,
    LIMBS,
    YES_NO,
    about,
    halves,
    verb_slots,
)
from vimonet.vimos.types import Question


def limbs(facts: Facts) -> Iterator[Question]:
    """Questions about arms, then about legs."""
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
    # A wrist clearly above the shoulder is up, one clearly below is not; between them nothing is asked.
    state = {
        side: True if h > 0.12 and any(r.side == side for r in facts.raised_hands) else False if h < -0.04 else None
        for side, h in up.items()
    }
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
            yield Question(
                "yes_no",
                "fact_yes_no",
                "yes" if value else "no",
                verb_slots(f"raise the {side} hand"),
                YES_NO,
                evidence,
            )
    activity = facts.limb_activity
    if "left arm" in activity and "right arm" in activity:
        yield from _pair("arm", activity["left arm"], activity["right arm"], 0.15)
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
    yield from _pair("leg", activity["left leg"], activity["right leg"], 0.15)
    for limb in ("left leg", "right leg"):
        yield from _moves(limb, activity[limb])
    if "left arm" in activity and "right arm" in activity:
        arms = max(activity["left arm"], activity["right arm"])
        legs = max(activity["left leg"], activity["right leg"])
        if max(arms, legs) > 0.2 and (arms > 1.6 * legs or legs > 1.6 * arms):
            answer = "arms" if arms > legs else "legs"
            yield Question(
                "arms_or_legs", "arms_or_legs", answer, {}, ("arms", "legs"), {"arms_m_s": arms, "legs_m_s": legs}
            )


def _pair(limb: str, left: float, right: float, least: float) -> Iterator[Question]:
    form, options = f"more_active_{limb}", ARMS if limb == "arm" else LEGS
    evidence = {"left_m_s": left, "right_m_s": right}
    if max(left, right) < least:
        return
    ratio = left / max(right, 1e-3)
    if ratio > 1.5 or ratio < 1 / 1.5:
        yield Question(form, form, f"{'left' if ratio > 1 else 'right'} {limb}", {}, options, evidence)
    elif 1 / 1.12 < ratio < 1.12:
        yield Question(form, form, "both equally", {}, options, evidence)


def _moves(limb: str, activity: float) -> Iterator[Question]:
    if activity > 0.4 or activity < 0.12:
        answer = "yes" if activity > 0.4 else "no"
        yield Question("yes_no", "limb_moves", answer, {"limb": limb}, YES_NO, {"activity_m_s": activity})


def _hands(facts: Facts) -> Iterator[Question]:
    height, raises = facts.hand_height, facts.raised_hands
    if len(height) < 2:
        return
    evidence: dict[str, Any] = {"hand_over_shoulder_m": height, "joints": ["left_wrist", "right_wrist"]}
    apart, top = height["left"] - height["right"], max(height.values())
    if top > -0.1 and (abs(apart) > 0.2 or abs(apart) < 0.04):
        higher = "both equally" if abs(apart) < 0.04 else "left hand" if apart > 0 else "right hand"
        yield Question("hand_height", "higher_hand", higher, {}, ("left hand", "right hand", "both equally"), evidence)
    above = any(r.above_head for r in raises)
    if (above and top > 0.32) or (not raises and top < 0.1):
        yield Question("yes_no", "hand_over_head", "yes" if above else "no", {}, YES_NO, evidence)
    clear = [r for r in raises if r.height > 0.12]
    if len(clear) != len(raises) or (not raises and top > -0.04):
        return
    spans = {"raises": [(r.side, round(r.start, 2), round(r.end, 2)) for r in raises]}
    by_side = {side: [r for r in raises if r.side == side] for side in ("left", "right")}
    if not (by_side["left"] and by_side["right"]) and len(raises) <= 4:
        yield Question("count", "raise_count", str(len(raises)), {}, ("0", "1", "2", "3", "4"), spans)
    elif by_side["left"] and by_side["right"]:
        left, right = by_side["left"][0].start, by_side["right"][0].start
        if min(left, right) > 0.1 and (abs(left - right) > 0.35 or abs(left - right) < 0.12):
            first = "both at once" if abs(left - right) < 0.12 else "left hand" if left < right else "right hand"
            options = ("left hand", "right hand", "both at once")
            yield Question("raised_hand", "first_hand_up", first, {}, options, spans)
    for side, found in by_side.items():
        if len(found) == 1 and found[0].end - found[0].start > 0.4:
            span = {"start": found[0].start, "end": found[0].end, "joints": [f"{side}_wrist"]}
            seconds = about(halves(found[0].end - found[0].start), "second")
            yield Question("duration", "hand_up_time", seconds, {"hand": f"{side} hand"}, (), span)
    yield from _alike(facts)


def _alike(facts: Facts) -> Iterator[Question]:
    """Whether the arms mirror each other. Arms that swing in turn a little are near too: no walk is one."""
    apart, arms = facts.arm_asymmetry, [facts.limb_activity.get(arm, 0.0) for arm in LIMBS[:2]]
    if apart is None or max(arms) < 0.3:
        return
    alike = apart < 0.12 and min(arms) > 0.2 and len(facts.steps or ()) < 3
    if alike or apart > 0.28:
        evidence = {"arm_asymmetry": apart, "joints": ["left arm", "right arm"]}
        yield Question("yes_no", "arms_alike", "yes" if alike else "no", {}, YES_NO, evidence)


def _most(facts: Facts) -> Iterator[Question]:
    activity = {limb: facts.limb_activity[limb] for limb in LIMBS if limb in facts.limb_activity}
    if len(activity) < 4:
        return
    ranked = sorted(LIMBS, key=lambda limb: -activity[limb])
    evidence = {"activity_m_s": activity, "joints": [ranked[0]]}
    if activity[ranked[0]] > max(0.2, 1.35 * activity[ranked[1]]):
        yield Question("limb", "most_active_limb", ranked[0], {}, LIMBS, evidence)
    values, still = list(activity.values()), facts.path_length
    if max(values) > 0.4 or (max(values) < 0.1 and still is not None and still < 0.15 * (facts.leg_length or 1)):
        yield Question("yes_no", "holds_still", "no" if max(values) > 0.4 else "yes", {}, YES_NO, evidence)
    again = facts.repetitions
    if again is None or again.regularity < 0.7 or again.count < 3:
        return
    walking = (facts.path_length or 0.0) > 0.7 * (facts.leg_length or 1.0) or len(facts.steps or ()) > 2
    options = ("left arm", "right arm", "both arms", "whole body")
    other = {"left arm": "right arm", "right arm": "left arm"}.get(again.limb)
    if again.limb in options and not walking and (other is None or activity[other] < 0.5 * activity[again.limb]):
        told = {"regularity": again.regularity, "start": again.start, "end": again.end, "joints": [again.limb]}
        yield Question("limb", "repeated_limb", again.limb, {}, options, told)


def _feet(facts: Facts) -> Iterator[Question]:
    leg, height, knees = facts.leg_length, facts.foot_height, facts.knee_flexion
    if leg is None or height is None or knees is None:
        return
    down = any(p.label not in ("standing", "airborne", "bending", "crouching") for p in facts.posture or ())
    apart = height["left"] - height["right"]
    if not down and (abs(apart) > 0.2 * leg or (abs(apart) < 0.025 * leg and max(height.values()) > 0.25 * leg)):
        foot = "left foot" if apart > 0.2 * leg else "right foot" if apart < -0.2 * leg else "both equally"
        evidence: dict[str, Any] = {"ankle_over_floor_m": height, "joints": ["left_ankle", "right_ankle"]}
        yield Question("foot_height", "higher_foot", foot, {}, ("left foot", "right foot", "both equally"), evidence)
    apart = knees["left"] - knees["right"]
    if max(knees.values()) > 35 and (abs(apart) > 30 or abs(apart) < 5):
        knee = "both equally" if abs(apart) < 5 else "left knee" if apart > 0 else "right knee"
        bend = {"knee_bend_deg": knees, "joints": ["left_knee", "right_knee"]}
        yield Question("knee", "more_bent_knee", knee, {}, ("left knee", "right knee", "both equally"), bend)
    steps = facts.steps or ()
    if len(steps) >= 3 and steps[0].side != steps[1].side != steps[2].side and steps[1].time - steps[0].time > 0.2:
        first = f"{steps[0].side} foot"
        told = {"start": steps[0].time, "steps_s": [round(s.time, 2) for s in steps], "joints": [first]}
        yield Question("step", "first_step", first, {}, ("left foot", "right foot"), told)
