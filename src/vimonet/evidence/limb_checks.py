"""Check claims about limbs and trunk: raised hands, activity, posture, flexion."""

from __future__ import annotations

import re

from vimonet.evidence.claims import (
    ARM,
    FLEXION_TOLERANCE,
    LEG,
    NOT_MEASURABLE,
    Evidence,
    Query,
    compare,
    compare_numbers,
    finding,
    side,
    side_of_limb,
)
from vimonet.language import number
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
_JOINTS = {"arm": "wrist", "leg": "ankle"}


def raised_hand(q: Query) -> Evidence | None:
    """Check raised hands."""
    facts = q.facts
    unseen = [s for s in SIDES if not facts.seen.get(f"{s} arm", True) or s not in facts.hand_height]
    state: dict[str, bool | None] = {}
    for name in facts.hand_height:
        state[name] = c.raised_hand(facts, name)
    parts, spans = [], []
    for hand in facts.raised_hands:
        level = "over the head" if hand.above_head else "over the shoulder"
        parts.append(
            f"{hand.side} wrist {level}, {q.when(hand.start, hand.end)}, {hand.height:.2f} m above the shoulder"
        )
        spans.append(q.span(hand.start, hand.end, f"{hand.side}_wrist", label=f"{hand.side} +{hand.height:.2f} m"))
    raised = {hand.side for hand in facts.raised_hands}
    for name, height in facts.hand_height.items():
        if name not in raised:
            where = "above" if height > 0 else "below"
            parts.append(f"{name} wrist never raised: {abs(height):.2f} m {where} its shoulder at its highest")
    parts += [f"{name} arm not seen" for name in unseen]
    left, right = state.get("left"), state.get("right")
    top = max(facts.hand_height.values(), default=0.0)
    truth: str | None = None
    if q.asks(r"\b(higher|further|highest point|up more|greater height)\b") and not unseen and q.yes is None:
        apart = facts.hand_height["left"] - facts.hand_height["right"]
        higher = c.HIGHER_HAND.decide(abs(apart))
        truth = "both" if higher is False else c.side_of(apart) if higher else None
    elif q.asks(r"\b(first|before the other|leads)\b"):
        starts = {s: min((r.start for r in facts.raised_hands if r.side == s), default=None) for s in SIDES}
        known = sorted((start, s) for s, start in starts.items() if start is not None)
        if len(known) == 1 or (len(known) == 2 and c.PASSING_RAISE.decide(known[1][0] - known[0][0])):
            truth = known[0][1]
    elif left is not None and right is not None:
        truth = "both" if left and right else "left" if left else "right" if right else "neither"
    if q.yes is not None:
        asked = side_of_limb(q.question, ARM)
        held: bool | None
        if q.asks(r"\bhead\b"):
            sided = [r for r in facts.raised_hands if asked not in SIDES or r.side == asked]
            over = any(r.above_head for r in sided)
            high = c.HAND_OVER_HEAD.decide(top)
            held = True if over and high else False if not sided and high is False else None
        elif asked in SIDES:
            held = state.get(asked)
        elif asked == "both":
            held = None if truth is None else truth == "both"
        else:
            held = True if True in (left, right) else None if None in (left, right) else False
        if q.claim and held is False and not _surely_down(q, asked):
            held = None
        verdict = compare(held, q.yes)
    else:
        verdict = compare(truth, side(q.answer))
    values = {f"{name}_wrist_over_shoulder_m": height for name, height in facts.hand_height.items()}
    words = {"both": "both hands", "neither": "neither hand"}.get(truth or "", f"{truth} hand" if truth else "")
    return finding("raised hand", "; ".join(parts), verdict, words, spans, values)


def _surely_down(q: Query, asked: str | None) -> bool:
    """Test whether a hand is not even lifted: "raising a hand to a door handle" keeps it under the shoulder."""
    facts = q.facts
    up = {r.side for r in facts.raised_hands}
    if asked in SIDES:
        return c.LOW_HAND.decide(facts.hand_height[asked]) is False and (
            bool(up) or c.LIMB_MOVES.decide(facts.limb_activity.get(f"{asked} arm", 0.0)) is False
        )
    if asked == "both" and up:
        return c.LOW_HAND.decide(min(facts.hand_height.values())) is False
    fastest = max((facts.limb_activity.get(f"{name} arm", 0.0) for name in SIDES), default=0.0)
    return c.LIMB_MOVES.decide(fastest) is False


def arms(q: Query) -> Evidence | None:
    """Check which arm moves more."""
    return _more_active(q, "arm")


def legs(q: Query) -> Evidence | None:
    """Check which leg moves more."""
    return _more_active(q, "leg")


def _more_active(q: Query, limb: str) -> Evidence:
    topic = f"more active {limb}"
    left, right = (q.facts.limb_activity.get(f"{name} {limb}") for name in SIDES)
    if left is None or right is None:
        return finding(topic, f"not measurable: the recording does not show both {limb}s", NOT_MEASURABLE)
    joint = _JOINTS[limb]
    truth = c.more_of_two(left, right)
    measured = f"left {joint} {left:.2f} m/s, right {joint} {right:.2f} m/s on average, in the body's own frame"
    heights = q.facts.foot_height
    if limb == "leg" and heights is not None:
        measured += f"; ankles up to {heights['left']:.2f} m (left) and {heights['right']:.2f} m (right) over the floor"
    verdict = compare(truth, side(q.answer) if q.yes is None else None)
    more = "left" if left >= right else "right"
    spans = [q.span(0.0, q.facts.duration, f"{more}_{joint}", label=f"{max(left, right):.2f} m/s")]
    words = "both equally" if truth == "both" else f"{truth} {limb}" if truth else ""
    return finding(topic, measured, verdict, words, spans, {"left_m_s": left, "right_m_s": right})


def arms_or_legs(q: Query) -> Evidence | None:
    """Check whether the arms or the legs move more."""
    activity = q.facts.limb_activity
    if q.yes is not None:
        return None
    if any(f"{name} {limb}" not in activity for name in SIDES for limb in _JOINTS):
        return finding("arms or legs", "not measurable: the recording does not show all limbs", NOT_MEASURABLE)
    fast = {f"{limb}s": max(activity[f"{name} {limb}"] for name in SIDES) for limb in _JOINTS}
    truth = c.arms_or_legs(q.facts)
    named = [name for name, limb in (("arms", ARM), ("legs", LEG)) if re.search(rf"\b{limb}\b", q.answer)]
    one = re.search(r"\b(left|right) (arm|hand|leg|foot)\b", q.answer)
    if one or q.asks(r"\blimb\b|\bsingle one\b"):
        ranked = sorted((f"{name} {limb}" for name in SIDES for limb in _JOINTS), key=lambda limb: -activity[limb])
        first, second = activity[ranked[0]], activity[ranked[1]]
        leads = c.ARMS_OR_LEGS.decide(first) and c.MOST_ACTIVE.decide(first / max(second, 1e-9))
        truth = ranked[0] if leads else None
        named = [f"{one[1]} {one[2].replace('hand', 'arm').replace('foot', 'leg')}"] if one else []
    measured = f"wrists up to {fast['arms']:.2f} m/s, ankles up to {fast['legs']:.2f} m/s on average"
    values = {"arms_m_s": fast["arms"], "legs_m_s": fast["legs"]}
    return finding("arms or legs", measured, compare(truth, named[0] if len(named) == 1 else None), truth, (), values)


def limb(q: Query) -> Evidence | None:
    """Check the movement of a named limb, as claimed or as an action with it requires."""
    named = {name: side_of_limb(q.question, pattern) for name, pattern in (("arm", ARM), ("leg", LEG))}
    part_of, asked = next(((name, found) for name, found in named.items() if found in SIDES), ("", ""))
    if not asked:
        return None
    part, other = f"{asked} {part_of}", f"{'right' if asked == 'left' else 'left'} {part_of}"
    activity = q.facts.limb_activity.get(part)
    if activity is None:
        return finding("limb", f"not measurable: the recording does not show the {part}", NOT_MEASURABLE)
    opposite = q.facts.limb_activity.get(other, 0.0)
    truth = c.LIMB_MOVES.decide(activity)
    claim = q.yes
    done = q.asks(r"\b(?!mov|us|do|be)\w+ing\b") and not q.asks(r"\bseen moving|being moved")
    if done or not q.asks(r"\b(mov\w*|us(e|es|ing|ed)|active|in (use|motion)|motion|anything|take part|part of)\b"):
        # An action needs its limb, but a moving limb does not make the action, and a short action moves it little.
        claim = q.yes or None
        other_did = c.ARMS_OR_LEGS.decide(opposite) and c.ONLY_LIMB.decide(opposite / max(activity, 1e-9))
        truth = False if c.LIMB_MOVES.decide(activity) is False and other_did else None
        if c.ARMS_OR_LEGS.decide(activity) and c.MORE_ACTIVE.decide(activity / max(opposite, 1e-9)):
            truth = True
    joint = f"{asked}_{_JOINTS[part_of]}"
    measured = (
        f"{joint.replace('_', ' ')} {activity:.2f} m/s on average in the body's own frame, the other {opposite:.2f} m/s"
    )
    spans = [q.span(0.0, q.facts.duration, joint, label=f"{activity:.2f} m/s")]
    return finding(
        "limb", measured, compare(truth, claim), truth, spans, {"activity_m_s": activity, "other_m_s": opposite}
    )


def posture(q: Query) -> Evidence | None:
    """Check the posture at the start, at the end, for most of the time, or at any time."""
    facts = q.facts
    if not facts.posture:
        return finding("posture", "not measurable: the legs are not seen, or the recording is 2D", NOT_MEASURABLE)
    parts = [f"{p.label}{f' {p.detail}' if p.detail else ''} {q.when(p.start, p.end)}" for p in facts.posture]
    share: dict[str, float] = {}
    for p in facts.posture:
        share[p.label] = share.get(p.label, 0.0) + p.end - p.start
    where = _part_of_clip(q.question)
    truth: str | bool | None
    if q.yes is not None:
        asked = [label for label, pattern in POSTURES.items() if q.asks(pattern)]
        if len(asked) != 1:
            return None
        spans = [q.span(p.start, p.end, "pelvis", label=p.label) for p in facts.posture if p.label == asked[0]]
        seconds = share.get(asked[0], 0.0)
        if where is not None:
            edge = facts.posture[0 if where == "start" else -1]
            truth = edge.label == asked[0] if c.POSTURE_EDGE.decide(edge.end - edge.start) else None
        elif asked[0] in ("standing", "bending"):
            truth = c.POSTURE_HELD.decide(seconds) or None  # "stands up" and "bends over" are more than postures
        else:
            truth = c.POSTURE_HELD.decide(seconds) if seconds else False
        if q.asks(r"\bsquat") and not q.yes:
            truth = None
        return finding("posture", "; ".join(parts), compare(truth, q.yes), truth, spans, {f"{asked[0]}_s": seconds})
    if where is not None:
        edge = facts.posture[0 if where == "start" else -1]
        truth = edge.label if c.POSTURE_EDGE.decide(edge.end - edge.start) else None
        span = q.span(edge.start, edge.end, "pelvis", label=edge.label)
    else:
        main = max(share, key=lambda label: share[label])
        truth = main if c.POSTURE_MAIN.decide(share[main] / max(facts.duration, 1e-9)) else None
        longest = max((p for p in facts.posture if p.label == main), key=lambda p: p.end - p.start)
        span = q.span(longest.start, longest.end, "pelvis", label=main)
    found = [label for label, pattern in POSTURES.items() if re.search(pattern, q.answer)]
    truth = truth if truth in POSTURES else None
    verdict = compare(truth, found[0] if len(found) == 1 else None)
    values = {f"{label}_s": seconds for label, seconds in share.items()}
    return finding("posture", "; ".join(parts), verdict, truth, (span,), values)


def _part_of_clip(question: str) -> str | None:
    if re.search(r"\b(most|main|mainly|overall|usual|prevail\w*|dominat\w*)\b", question):
        return None
    if re.search(r"\b(start\w*|begin\w*|first|initial\w*|outset|open\w*)\b", question):
        return "start"
    return "end" if re.search(r"\b(end|ends|ending|final\w*|at last|last|clos\w*|finish\w*)\b", question) else None


def bend(q: Query) -> Evidence | None:
    """Check trunk inclination, or knee flexion if the question names knees."""
    if q.asks(r"\bknees?\b"):
        flexion = q.facts.knee_flexion
        if flexion is None:
            return finding("bend", "not measurable: the legs are not seen", NOT_MEASURABLE)
        angle = max(flexion.values())
        truth = c.KNEE_BENT.decide(angle)
        measured = f"left knee bent by up to {flexion['left']:.0f} degrees, right knee by {flexion['right']:.0f}"
        values = {f"{name}_knee_deg": value for name, value in flexion.items()}
        spans = [q.span(0.0, q.facts.duration, "left_knee", "right_knee", label=f"{angle:.0f}°")]
    else:
        trunk = q.facts.trunk_inclination
        if trunk is None:
            return finding("bend", "not measurable: 2D keypoints do not show how the trunk leans", NOT_MEASURABLE)
        angle, spans = trunk, []
        leans = q.asks(r"\blean") and q.yes is not None
        truth = (c.TRUNK_LEANS if leans else c.TRUNK_BENDS).decide(angle)
        measured = f"the trunk leans up to {angle:.0f} degrees from upright"
        if q.inclined_at is not None:
            measured += f", at {q.inclined_at + q.offset:.1f} s"
            spans = [q.span(q.inclined_at - 0.2, q.inclined_at + 0.2, "neck", "pelvis", label=f"{angle:.0f}°")]
        values = {"trunk_bend_deg": angle}
    degrees = number(q.answer, r"degrees?|°") if q.yes is None else None
    if degrees is not None:
        verdict = compare_numbers(angle, degrees, *FLEXION_TOLERANCE.bounds(angle))
    else:
        verdict = compare(truth, q.claims(r"\b(bend|bent|bow|stoop)(?!\w* far)"))
    return finding("bend", measured, verdict, truth, spans, values)
