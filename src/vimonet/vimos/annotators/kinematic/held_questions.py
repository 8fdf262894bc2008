"""Ask how legs and trunk are held, how well a squat is done, when a peak is reached, and how the body is held then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics import held_categories as h
from vimonet.motion.kinematics.held_body import HeldBody, leg_words
from vimonet.motion.kinematics.leg_form import DeepBend
from vimonet.motion.kinematics.pose_at import arms_over, changes_at, compare_halves, held_at, same_halves
from vimonet.motion.kinematics.preparation import SIDES
from vimonet.vimos.action_labels import participle
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO, about, yes_no
from vimonet.vimos.annotators.kinematic.joint_questions import at_time, drawn, listed, seconds
from vimonet.vimos.types import Part, Question

DEPTHS = tuple(h.DEPTH.classes)
LEANS = ("left", "right", "neither side")
INTENSITIES = tuple(h.INTENSITY.classes)


def held(facts: Facts) -> Iterator[Question]:
    """Ask how a 3D body is held: legs, squat, trunk, moments, halves."""
    if facts.held is None:
        return
    yield from _legs(facts, facts.held)
    yield from _trunk(facts, facts.held)
    yield from _peaks(facts, facts.held)
    yield from _moments(facts)
    yield from _manner(facts, facts.held)


def _legs(facts: Facts, body: HeldBody) -> Iterator[Question]:
    if body.legs is not None and (words := leg_words(body.legs)):
        stance = {
            "knees_deg": body.legs.knees,
            "apart_leg_lengths": body.legs.apart,
            "joints": ["left leg", "right leg"],
        }
        yield Question("legs", "legs_position", words, {}, (), stance)
    if body.deep_bend is not None and _on_feet(facts):
        yield from _squat(facts, body.deep_bend)
    rise = h.HAND_SUPPORTS.decide(body.rise_hands)
    sat = any(p.label in ("sitting", "lying", "kneeling", "on all fours") for p in facts.posture or ())
    # In squats, hands hang beside the thighs on every rise.
    if rise is not None and sat and facts.repetitions is None:
        evidence = {"wrist_to_thigh_or_floor_arm_lengths": body.rise_hands, "joints": ["left_wrist", "right_wrist"]}
        yield Question("yes_no", "hands_to_get_up", yes_no(rise), {}, YES_NO, evidence)


def _on_feet(facts: Facts) -> bool:
    return bool(facts.posture) and all(
        p.label in ("standing", "bending", "crouching", "airborne") for p in facts.posture or ()
    )


def _squat(facts: Facts, deep: DeepBend) -> Iterator[Question]:
    knees = f"knees bent {deep.knees['left']:.0f} and {deep.knees['right']:.0f} degrees {at_time(deep.time)}"
    evidence: dict[str, Any] = {"knees_deg": deep.knees, "start": deep.time, "joints": ["left_knee", "right_knee"]}
    squats = any(p.label == "crouching" for p in facts.posture or ()) and not facts.jumps
    if squats and (depth := h.DEPTH.name(deep.depth)):
        yield Question("depth", "squat_depth", depth, {}, DEPTHS, {**evidence, "thigh": deep.depth, "detail": knees})
    caves = _caves(deep)
    if caves is not None:
        side = max(deep.inward, key=lambda s: deep.inward[s])
        detail = {"detail": f"the {side} knee, {at_time(deep.time)}"} if caves else {}
        yield Question(
            "yes_no", "knee_caving", yes_no(caves), {}, YES_NO, {**evidence, "inward": deep.inward, **detail}
        )
    past = h.KNEE_PAST_TOES.decide(max(deep.past_toes.values()))
    if squats and past is not None:
        over = {**evidence, "past_toes": deep.past_toes, "detail": at_time(deep.time)}
        yield Question("yes_no", "knees_over_toes", yes_no(past), {}, YES_NO, over)
    deviations = _deviations(deep)
    if deviations is None or facts.repetitions is None or not squats:
        return
    found = f"measured: {listed(deviations)}" if deviations else "no deviation is measured"
    yield Question("technique", "technique_tip", found, {}, (), evidence)
    yield Question("technique", "form_score", f"no score; {found}", {}, (), evidence)


def _caves(deep: DeepBend) -> bool | None:
    return h.KNEE_INWARD.decide(max(deep.inward.values()))


def _deviations(deep: DeepBend) -> list[str] | None:
    """List the usual criteria of a squat that are not met; None where one of them is in its dead zone."""
    depth, caves, lean = h.DEPTH.name(deep.depth), _caves(deep), c.TRUNK_BENDS.decide(deep.trunk)
    apart = deep.knees["left"] - deep.knees["right"]
    uneven = c.MORE_BENT_KNEE.decide(abs(apart))
    if None in (depth, caves, uneven):
        return None
    return [
        words
        for words, off in (
            ("thighs stay above parallel", depth == DEPTHS[-1]),
            ("a knee caves in", caves),
            (f"the {c.side_of(apart)} knee bends {abs(apart):.0f} degrees more", uneven),
            (f"the trunk leans {deep.trunk:.0f} degrees", lean),
        )
        if off
    ]


def _trunk(facts: Facts, body: HeldBody) -> Iterator[Question]:
    lean = body.lean
    if (
        lean is None
        or facts.posture is None
        or any(p.label in ("lying", "upside down", "on all fours") for p in facts.posture)
    ):
        return
    held_over, most = h.SIDE_LEAN.decide(abs(lean.side)), max(lean.most_left, lean.most_right)
    bends = h.SIDE_BEND.decide(most)
    evidence: dict[str, Any] = {"side_lean_deg": lean.side, "most_deg": most, "joints": ["pelvis", "neck"]}
    one_side = h.SIDE_BEND.decide(min(lean.most_left, lean.most_right)) is False
    if held_over is False and bends is False:
        yield Question("side", "lean_side", LEANS[2], {}, LEANS, evidence)
    elif one_side and (held_over or bends):
        side = "left" if lean.most_left > lean.most_right else "right"
        yield Question("side", "lean_side", side, {}, LEANS, {**evidence, "detail": f"up to {most:.0f} degrees"})
    if c.TRUNK_LEANS.decide(lean.most_forward):
        degrees = about(round(lean.most_forward), "degree")
        yield Question("angle", "trunk_lean", degrees, {}, (), {"most_deg": lean.most_forward, "joints": ["spine"]})
    rounded = h.ROUNDED.decide(body.spine_bend)
    if rounded is not None and c.TRUNK_LEANS.decide(facts.trunk_inclination):
        answer = "strongly rounded" if rounded else "no strong rounding"
        yield Question(
            "back", "back_straight", answer, {}, (), {"spine_bend_deg": body.spine_bend, "joints": ["spine"]}
        )
    down = h.HEAD_DOWN.decide(body.head_pitch)
    still = c.turn_class(facts) == "none"
    if down or (down is False and still):
        answer = "down" if down else "straight ahead"
        looks = {
            "head_pitch_deg": body.head_pitch,
            "detail": "by the head and trunk; eyes are not tracked",
            "joints": ["head"],
        }
        yield Question("direction", "looks_where", answer, {}, (), looks)


def _peaks(facts: Facts, body: HeldBody) -> Iterator[Question]:
    """Ask when a single clear peak is reached: a jump, a hand, the deepest bend."""
    if facts.jumps and len(facts.jumps) == 1 and c.CLEAR_JUMP.decide(facts.jumps[0].height):
        jump = facts.jumps[0]
        yield Question(
            "timing",
            "peak_of_jump",
            seconds((jump.start + jump.end) / 2),
            {},
            (),
            {"start": jump.start, "end": jump.end},
        )
    if len(facts.raised_hands) == 1 and c.RAISED_HAND.decide(facts.raised_hands[0].height):
        top = body.hand_top.get(facts.raised_hands[0].side)
        if top is not None:
            kept = h.TOP_HELD.decide(top.end - top.start)
            when = f"from {top.start:.1f} to {top.end:.1f} seconds" if kept else seconds(top.time)
            yield Question(
                "timing", "peak_of_hand", when, {}, (), {"height_m": top.height, "start": top.start, "end": top.end}
            )
    deep = body.deep_bend
    once = facts.repetitions is None and sum(p.label == "crouching" for p in facts.posture or ()) == 1
    if deep is not None and once and _on_feet(facts):
        yield Question(
            "timing", "lowest_moment", seconds(deep.time), {}, (), {"start": deep.time, "joints": ["pelvis"]}
        )


def held_in_parts(parts: Sequence[Part], facts: Facts | None) -> Iterator[Question]:
    """Ask where the arms are during a labelled action; without labels, how the body is held at two moments."""
    if facts is None or facts.held is None:
        return
    if not parts:
        clear = [t for t in _marks(facts) if held_at(facts, float(t))]
        for t in drawn(facts, clear, 2):
            yield Question("timing", "at_time", str(held_at(facts, float(t))), {"t": t}, (), {"start": float(t)})
    actions = [part.action for part in parts]
    for part in parts:
        words = arms_over(facts, part.start, part.end)
        if words and actions.count(part.action) == 1 and c.LONG_CLIP.decide(part.end - part.start):
            span = {"start": part.start, "end": part.end, "joints": ["left arm", "right arm"]}
            yield Question("arms", "arms_during", words, {"a": participle(part.action)}, (), span)


def _marks(facts: Facts) -> list[str]:
    """List the half seconds inside a recording."""
    return [f"{k / 2:g}" for k in range(1, int(facts.duration * 2))]


def _moments(facts: Facts) -> Iterator[Question]:
    """Ask what changes at a moment, and between the halves."""
    inside = [t for t in _marks(facts) if min(float(t), facts.duration - float(t)) > h.AROUND]
    found = {t: changes for t in inside if (changes := changes_at(facts, float(t)))}
    for t in drawn(facts, list(found), 1):
        yield Question("change", "change_at", "; ".join(found[t][:3]), {"t": t}, (), {"start": float(t)})
    if not c.LONG_CLIP.decide(facts.duration):
        return
    halves = compare_halves(facts)
    if halves or same_halves(facts):
        answer = "; ".join(halves[:3]) or "they are alike"
        yield Question("halves", "compare_halves", answer, {}, (), {"differences": halves})


def _manner(facts: Facts, body: HeldBody) -> Iterator[Question]:
    speeds = {limb: v for limb, v in facts.limb_activity.items() if limb != "head"}
    if not speeds:
        return
    limb = max(speeds, key=lambda name: speeds[name])
    intensity = h.INTENSITY.name(speeds[limb])
    if intensity:
        detail = f"as the {limb} moves at {speeds[limb]:.1f} m/s on average; force is not measured"
        yield Question("effort", "effort", intensity, {}, INTENSITIES, {"activity_m_s": speeds, "detail": detail})
    pace, lean = c.speed_class(facts), body.lean
    if pace is None or pace == "still" or lean is None or not _on_feet(facts):
        return
    runs = None if facts.peak_speed is None else c.RUNS.decide(facts.peak_speed / (facts.leg_length or 1.0))
    if runs is not False and pace != "running":
        return
    words = [{"slow": "slowly", "walking": "at walking pace", "running": "at running pace"}[pace]]
    arms = [speeds[f"{side} arm"] for side in SIDES if f"{side} arm" in speeds]
    if arms and (size := h.INTENSITY.name(max(arms))):
        words.append({"low": "with quiet arms", "moderate": "with moving arms", "high": "with fast arms"}[size])
    forward = h.FORWARD_LEAN.decide(abs(lean.forward))
    if forward is not None:
        way = "forward" if lean.forward > 0 else "back"
        words.append(f"leaning {way} {abs(lean.forward):.0f} degrees" if forward else "trunk upright")
    if len(words) > 1:
        yield Question("manner", "manner", ", ".join(words), {}, (), {"mean_speed_m_s": facts.mean_speed})
