"""Questions about a movement whose answers follow from measured facts, labels and the order of joined parts.

Every generator abstains where the measure is near its threshold: a question whose answer a person could dispute is not
asked. Wording is left open (`vimonet.vimos.wordings`), so that one question can be asked in many ways.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from vimonet.motion.kinematics import Facts
from vimonet.vimos.consistency import absent_from, may_happen
from vimonet.vimos.labels import participle, third_person
from vimonet.vimos.schema import Part, Question

CANNOT_TELL = "cannot tell"
DIRECTIONS = ("forward", "backward", "left", "right", "stays in place")
SIDES = ("left", "right", "does not turn")
HANDS = ("left hand", "right hand", "both hands", "neither hand")
ARMS = ("left arm", "right arm", "both equally")
LEGS = ("left leg", "right leg", "both equally")
SPEEDS = ("does not travel", "slowly", "at walking pace", "at running pace")
POSTURES = ("standing", "sitting", "crouching", "kneeling", "lying", "on all fours")
ANGLES = (0, 45, 90, 180, 270, 360)
YES_NO = ("yes", "no")
WHEN = ("at the beginning", "in the middle", "at the end")


def verb_slots(phrase: str) -> dict[str, str]:
    """`do`, `does`, `doing` of an action phrase."""
    return {"do": phrase, "does": third_person(phrase), "doing": participle(phrase)}


def from_facts(facts: Facts) -> Iterator[Question]:
    """Questions that measured facts answer. Works for 2D motions too, with what their facts hold."""
    yield from _travel(facts)
    yield from _turn(facts)
    yield from _arms(facts)
    yield from _legs(facts)
    yield from _posture(facts)
    yield from _counts(facts)
    yield from _events(facts)


def _travel(facts: Facts) -> Iterator[Question]:
    if facts.displacement is None or facts.leg_length is None or facts.displacement_angle is None:
        return
    ratio = facts.displacement / facts.leg_length
    evidence = {"displacement_m": facts.displacement, "angle_deg": facts.displacement_angle}
    direction = None
    if ratio < 0.25:
        direction = "stays in place"
    elif ratio > 0.5 and abs((facts.displacement_angle + 45) % 90 - 45) < 33:
        direction = facts.displacement_direction
    if direction:
        yield Question("displacement", "displacement", direction, {}, DIRECTIONS, evidence)
        backward = verb_slots("move backward")
        yield Question("yes_no", "fact_yes_no", "yes" if direction == "backward" else "no", backward, YES_NO, evidence)
    metres = facts.displacement
    if ratio < 0.2:
        yield Question("distance", "distance", "stays in place", {}, (), evidence)
    elif ratio > 0.5:
        rounded = round(metres * 2) / 2 if metres < 3 else float(round(metres))
        yield Question(
            "distance", "distance", f"about {rounded:g} metre{'s' if rounded != 1 else ''}", {}, (), evidence
        )
    if ratio < 0.25 or ratio > 0.6:
        moved = "yes" if ratio > 0.6 else "no"
        yield Question("yes_no", "fact_yes_no", moved, verb_slots("move to another place"), YES_NO, evidence)
    speed, path = facts.mean_speed, facts.path_length
    if speed is not None and path is not None:
        relative = speed / facts.leg_length  # leg lengths per second: a child's walk is a walk
        answer = None
        if relative < 0.14 or path < 0.3 * facts.leg_length:
            answer = "does not travel"
        elif 0.28 < relative < 0.75:
            answer = "slowly"
        elif 0.95 < relative < 1.85:
            answer = "at walking pace"
        elif relative > 2.3:
            answer = "at running pace"
        if answer:
            yield Question("speed", "speed", answer, {}, SPEEDS, {"mean_speed_m_s": speed})


def _turn(facts: Facts) -> Iterator[Question]:
    if facts.net_turn is None or facts.turns is None:
        return
    evidence = {"net_turn_deg": facts.net_turn}
    size = abs(facts.net_turn)
    both_ways = any(t.degrees > 0 for t in facts.turns) and any(t.degrees < 0 for t in facts.turns)
    if size < 15 and not facts.turns:
        yield Question("turn", "turn", "does not turn", {}, SIDES, evidence)
        yield Question("turn_amount", "turn_amount", "does not turn", {}, (), evidence)
    elif size > 35 and not both_ways:
        side = "left" if facts.net_turn > 0 else "right"
        yield Question("turn", "turn", side, {}, SIDES, evidence)
        nearest = min(ANGLES, key=lambda a: abs(a - size))
        if abs(nearest - size) < (13 if nearest <= 90 else 27):
            yield Question("turn_amount", "turn_amount", f"about {nearest} degrees to the {side}", {}, (), evidence)
    else:
        return
    if not both_ways:
        for side, sign in (("left", 1), ("right", -1)):
            answer = "yes" if sign * facts.net_turn > 35 else "no"
            yield Question("yes_no", "fact_yes_no", answer, verb_slots(f"turn to the {side}"), YES_NO, evidence)
        yield Question("yes_no", "fact_yes_no", "yes" if size > 35 else "no", verb_slots("turn"), YES_NO, evidence)


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
    if facts.trunk_bend is not None and (facts.trunk_bend > 55 or facts.trunk_bend < 25):
        bend = {"trunk_bend_deg": facts.trunk_bend}
        yield Question(
            "yes_no", "fact_yes_no", "yes" if facts.trunk_bend > 55 else "no", verb_slots("bend over"), YES_NO, bend
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


def from_parts(
    parts: list[Part], rng: random.Random, others: list[str], facts: Facts | None = None
) -> Iterator[Question]:
    """Questions about which action happens, and in which order.

    Args:
        parts: stretches with their actions, in order of time.
        rng: source of chance (which negatives are asked).
        others: action phrases from which the absent ones are drawn; what happens here, or may, is left out.
        facts: measured on the movement: nothing is called absent that was measured.
    """
    doing = [participle(part.action) for part in parts]
    evidence = {"parts": [(part.action, round(part.start, 2), round(part.end, 2)) for part in parts]}
    whole = ", then ".join(doing)
    yield Question("action" if len(parts) == 1 else "action_composed", "action", whole, {}, (), evidence)
    happening = {part.action for part in parts}
    for action in sorted(happening):  # a set has another order in every process, and the draws below depend on it
        yield Question("yes_no", "yes_no", "yes", verb_slots(action), YES_NO, evidence)
    absent = [other for other in others if absent_from(other, happening) and not (facts and may_happen(other, facts))]
    for action in rng.sample(absent, min(len(absent), len(happening) + 1)):
        yield Question("yes_no", "yes_no", "no", verb_slots(action), YES_NO, evidence)
    if len(parts) < 2 or any(a == b for a, b in pairwise(doing)):
        return
    yield Question("order", "first", doing[0], {}, (), evidence)
    yield Question("order", "last", doing[-1], {}, (), evidence)
    if len(set(doing)) < len(doing):
        return
    at = rng.randrange(len(doing) - 1)
    yield Question("order", "after", doing[at + 1], {"a": doing[at]}, (), evidence)
    yield Question("order", "before", doing[at], {"a": doing[at + 1]}, (), evidence)
    first, second = doing[at], doing[at + 1]
    if rng.random() < 0.5:
        yield Question("order", "order", "before", {"a": first, "b": second}, ("before", "after"), evidence)
    else:
        yield Question("order", "order", "after", {"a": second, "b": first}, ("before", "after"), evidence)
    a, b, answer = (first, second, "yes") if rng.random() < 0.5 else (second, first, "no")
    yield Question("order", "order_yes_no", answer, {"a": a, "b": b}, YES_NO, evidence)


def unknowable(rng: random.Random) -> Question:
    """A question no movement answers (colours, names, places): the right answer is "cannot tell"."""
    return Question(
        "cannot_tell",
        "unknowable",
        CANNOT_TELL,
        {"n": str(rng.randrange(10**6))},
        (),
        {"reason": "not in the movement"},
    )


def all_unknown(reason: str) -> Iterator[Question]:
    """What nothing can be said about: a clip of a few frames."""
    for form in ("action", "turn", "displacement", "raised_hand", "steps", "caption", "speed"):
        yield Question("cannot_tell", form, CANNOT_TELL, {}, (), {"reason": reason})
