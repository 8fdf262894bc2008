"""Ask about arms, hands and joints: where they are kept, how far they bend, what a hand comes near."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics import held_categories as h
from vimonet.motion.kinematics.held_body import HeldBody, touches
from vimonet.motion.kinematics.joint_angles import JointAngle
from vimonet.motion.kinematics.pose_at import arms_over
from vimonet.motion.kinematics.preparation import LIMBS, SIDES
from vimonet.vimos.annotators.kinematic.closed_answers import LIMBS as FOUR_LIMBS
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO, about, yes_no
from vimonet.vimos.types import Question

BOTH_HANDS = ("left hand", "right hand", "both hands")


def joints(facts: Facts) -> Iterator[Question]:
    """Ask about arms, hands and joints of a 3D movement, and of any movement which limbs are seen."""
    yield from _seen(facts)
    if facts.held is None:
        return
    yield from _arms(facts, facts.held)
    yield from _hands(facts, facts.held)
    yield from _straight(facts, facts.held)
    yield from _angles(facts, facts.held)
    yield from _most_and_least(facts, facts.held)


def drawn(facts: Facts, among: Sequence[str], count: int) -> list[str]:
    """Draw up to `count` names; the same facts always give the same ones."""
    seed = f"{facts.duration:.2f} {sum(facts.limb_activity.values()):.3f} "
    return sorted(among, key=lambda name: zlib.crc32((seed + name).encode()))[:count]


def at_time(seconds: float) -> str:
    """Say when: "at 1.2 s"."""
    return f"at {seconds:.1f} s"


def _arms(facts: Facts, held: HeldBody) -> Iterator[Question]:
    if len(held.arms) == len(SIDES) and (words := arms_over(facts)) and ("both" in words or words.count("arm ") > 1):
        spans = {
            side: [(s.words, round(s.start, 2), round(s.end, 2)) for s in spans] for side, spans in held.arms.items()
        }
        yield Question("arms", "arms_position", words, {}, (), {"arms": spans, "joints": ["left arm", "right arm"]})


def _hands(facts: Facts, held: HeldBody) -> Iterator[Question]:
    if held.wrists is not None and (meet := h.HANDS_TOGETHER.decide(held.wrists.distance)) is not None:
        evidence: dict[str, Any] = {"wrists_arm_lengths": held.wrists.distance, "joints": ["left_wrist", "right_wrist"]}
        if meet:
            evidence |= {"start": held.wrists.time, "detail": at_time(held.wrists.time)}
        yield Question("yes_no", "hands_together", yes_no(meet), {}, YES_NO, evidence)
    if held.hand_top:
        side = max(held.hand_top, key=lambda s: held.hand_top[s].height)
        top, over = held.hand_top[side], facts.hand_height.get(side)
        raised = c.RAISED_HAND.decide(over)
        level = None if raised is None else "above the shoulder" if raised else "below the shoulder"
        if c.HAND_OVER_HEAD.decide(over) and any(r.side == side and r.above_head for r in facts.raised_hands):
            level = "above the head"
        detail = ", ".join(filter(None, (f"{side} hand", level, at_time(top.time))))
        heights = {"hand_over_floor_m": top.height, "start": top.time, "detail": detail, "joints": [f"{side}_wrist"]}
        yield Question("hand_height", "hand_height", f"{top.height:.1f} metres", {}, (), heights)
    if len(held.touches) == len(SIDES):
        yield from _touches(facts, held)


def _touches(facts: Facts, held: HeldBody) -> Iterator[Question]:
    parts = {part for near in held.touches.values() for part in near}
    state = {
        part: {hand: touches(part, near[part]) for hand, near in held.touches.items() if part in near} for part in parts
    }
    touched = sorted(part for part, hands in state.items() if any(hands.values()))
    never = sorted(part for part, hands in state.items() if all(value is False for value in hands.values()))
    for part in (*drawn(facts, touched, 2), *drawn(facts, never, max(1, len(touched[:2])))):
        near = {hand: found[part] for hand, found in held.touches.items() if part in found}
        best = min(near, key=lambda hand: near[hand].distance)
        evidence: dict[str, Any] = {
            "nearest_arm_lengths": {hand: found.distance for hand, found in near.items()},
            "joints": [f"{best}_wrist"],
        }
        if part in touched:
            evidence |= {"start": near[best].time, "detail": f"the {best} hand, {at_time(near[best].time)}"}
        yield Question("yes_no", "hand_to_body", yes_no(part in touched), {"part": part}, YES_NO, evidence)
        hands = [hand for hand, value in state[part].items() if value]
        apart = abs(near["left"].distance - near["right"].distance) if len(near) == len(SIDES) else None
        if len(hands) == 2 or (hands and (apart is None or h.NEARER_HAND.decide(apart))):
            which = f"{hands[0]} hand" if len(hands) == 1 else "both hands"
            yield Question("side", "which_hand_to_body", which, {"part": part}, BOTH_HANDS, evidence)


def _straight(facts: Facts, held: HeldBody) -> Iterator[Question]:
    """Ask whether the arm that moves stretches fully, and whether the knees stay straight or never are."""
    speeds = {side: facts.limb_activity.get(f"{side} arm", 0.0) for side in SIDES}
    side = max(speeds, key=lambda s: speeds[s])
    elbow = held.angles.get(f"{side} elbow")
    if elbow is not None and c.LIMB_MOVES.decide(speeds[side]):
        straight = h.ELBOW_STRAIGHT.decide(elbow.least)
        bends = h.ARM_BENT.decide(elbow.most)
        if straight is False or (straight and bends is False):
            detail = f"the {side} elbow bends {elbow.least:.0f} to {elbow.most:.0f} degrees"
            evidence = {"elbow_deg": (elbow.least, elbow.most), "detail": detail, "joints": [f"{side}_elbow"]}
            yield Question("yes_no", "arm_straight", yes_no(straight), {}, YES_NO, evidence)
    knees = [held.angles[f"{s} knee"] for s in SIDES if f"{s} knee" in held.angles]
    if len(knees) < len(SIDES):
        return
    kept = all(h.KNEE_KEPT_STRAIGHT.decide(knee.most) for knee in knees)
    never = all(h.KNEE_STRAIGHT.decide(knee.least) is False for knee in knees)
    if kept or never:
        least, most = min(knee.least for knee in knees), max(knee.most for knee in knees)
        detail = f"they bend {least:.0f} to {most:.0f} degrees"
        both = {"knee_deg": (least, most), "detail": detail, "joints": ["left_knee", "right_knee"]}
        yield Question("yes_no", "knee_straight", yes_no(kept), {}, YES_NO, both)


def _angles(facts: Facts, held: HeldBody) -> Iterator[Question]:
    moving = [joint for joint, angle in held.angles.items() if h.JOINT_MOVES.decide(angle.range)]
    for joint in drawn(facts, moving, 2):
        angle = held.angles[joint]
        yield Question("angle", "joint_angle", between(angle), {"joint": joint}, (), {
            **_range_evidence(joint, angle), "detail": f"most {at_time(angle.most_at)}",
        })  # fmt: skip
    for joint in drawn(facts, moving[::-1], 2):
        angle = held.angles[joint]
        side, _, name = joint.partition(" ")
        other = held.angles.get(f"{'right' if side == 'left' else 'left'} {name}")
        detail = f"from {between(angle)}" + (f", the other side {other.range:.0f}" if other else "")
        yield Question("angle", "range_of_motion", f"{angle.range:.0f} degrees", {"joint": joint}, (), {
            **_range_evidence(joint, angle), "detail": detail,
        })  # fmt: skip


def between(angle: JointAngle) -> str:
    """Say the extremes of an angle: "2 to 76 degrees"."""
    return f"{angle.least:.0f} to {angle.most:.0f} degrees"


def _range_evidence(joint: str, angle: JointAngle) -> dict[str, Any]:
    return {
        "least_deg": angle.least,
        "most_deg": angle.most,
        "start": angle.most_at,
        "joints": [joint.replace(" ", "_")],
    }


def _most_and_least(facts: Facts, held: HeldBody) -> Iterator[Question]:
    ranked = sorted(held.joint_speed, key=lambda joint: -held.joint_speed[joint])
    ends = [joint for joint in ranked if joint.endswith(("wrist", "ankle"))]
    if len(ends) == len(FOUR_LIMBS) and ends[0] == ranked[0]:
        top = held.joint_speed[ends[0]]
        if c.ARMS_OR_LEGS.decide(top) and c.MOST_ACTIVE.decide(top / max(held.joint_speed[ends[1]], 1e-9)):
            evidence = {
                "speeds_m_s": held.joint_speed,
                "detail": f"at {top:.1f} m/s on average",
                "joints": [ends[0].replace(" ", "_")],
            }
            yield Question("joint", "which_joint_moves_most", ends[0], {}, (), evidence)
    speeds = {limb: facts.limb_activity[limb] for limb in FOUR_LIMBS if limb in facts.limb_activity}
    if len(speeds) == len(FOUR_LIMBS):
        least, following = sorted(speeds, key=lambda limb: speeds[limb])[:2]
        if c.MOVING_LIMB.decide(speeds[following]) and c.MORE_ACTIVE.decide(
            speeds[following] / max(speeds[least], 1e-9)
        ):
            evidence = {"activity_m_s": speeds, "detail": f"at {speeds[least]:.1f} m/s on average", "joints": [least]}
            yield Question("limb", "least_active_limb", least, {}, FOUR_LIMBS, evidence)


def _seen(facts: Facts) -> Iterator[Question]:
    if not facts.seen:
        return
    hidden = [limb for limb in LIMBS if not facts.seen.get(limb, True)]
    said = listed([f"the {limb}" for limb in hidden])
    answer = f"all but {said}" if hidden else "the whole body"
    yield Question("seen", "what_is_seen", answer, {}, (), {"seen": facts.seen})


def listed(words: Sequence[str]) -> str:
    """List words: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def seconds(time: float) -> str:
    """Say a moment's time: "about 1.5 seconds"."""
    return about(round(time, 1), "second")
