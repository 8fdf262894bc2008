"""Describe a movement in words from its joints alone, without naming an action.

    describe(motion)  # "stands, keeps both hands in front of the chest, moves mostly the arms, stays in place"

Every clause is a measurement outside its dead zone. A body that lowers its hips five times "goes up and down 5 times".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics.arm_places import kept_place
from vimonet.motion.kinematics.image_plane import TRUNK, ImagePlane, image_plane
from vimonet.motion.kinematics.limbs import own_frame
from vimonet.motion.kinematics.preparation import (
    ANKLE,
    NECK,
    PELVIS,
    SHOULDER,
    SIDES,
    VISIBLE,
    WRIST,
    Array,
    norm,
    prepare,
    share_seen,
    trunk_inclination,
)
from vimonet.motion.kinematics.trajectory import heading

_DIRECTIONS = {"forward": "forward", "backward": "backward", "left": "to its left", "right": "to its right"}
_POSTURES = {
    "bending": "bends over",
    "sitting": "sits",
    "crouching": "crouches",
    "kneeling": "kneels",
    "on all fours": "is on all fours",
    "lying": "lies",
    "hanging": "hangs by the hands",
    "climbing": "climbs",
    "upside down": "is upside down",
    "low": "sits, crouches or kneels",
    "level": "holds the trunk level",
}
"""Posture -> clause; 'low' and 'level' are the postures of 2D."""
_BETWEEN = {"low": "a low posture", "level": "a level trunk"}


def describe(motion: Motion, facts: Facts | None = None) -> str | None:
    """Describe posture, hands, moving limbs, repetitions, locomotion and turn of a 3D or 2D movement in one line.

    Directions are relative to the body in 3D and to the image in 2D, where a panning camera looks like locomotion.

    Args:
        motion: the movement.
        facts: its facts, if they are measured already.

    Returns:
        Clauses in the third person, joined by commas; None if too little of the body is seen: neither the trunk in half
        of the frames nor a whole arm of a person in view for most of the time.
    """
    facts = facts or measure(motion)
    trunk = share_seen(motion.confidence, TRUNK) >= c.TRUNK_SEEN.yes
    arms = [side for side in SIDES if facts.seen[f"{side} arm"]]
    if not trunk and not (arms and _in_view(motion) >= c.IN_VIEW.yes):
        return None
    joints = prepare(motion).joints
    plane = image_plane(motion) if motion.dimensions == 2 else None
    pose = facts.calibration_pose()
    clauses = [
        *([f"stands with the arms out ({pose.name}) for {pose.end:.1f} s at first"] if pose else []),
        *_posture(joints, facts, plane if trunk else None),
        *_hands(motion, joints, facts, plane, trunk),
        *_moving(facts),
        *_repeated(facts),
        *_locomotion(facts, plane),
        *_not_seen(facts),
    ]
    return ", ".join(clauses) or None


def _in_view(motion: Motion) -> float:
    return 1.0 if motion.confidence is None else float((motion.confidence > VISIBLE).any(axis=1).mean())


def _posture(joints: Array, facts: Facts, plane: ImagePlane | None) -> Iterator[str]:
    fallen = facts.fallen()
    if fallen:
        yield f"drops to the ground and {'gets up again' if fallen[-1][2] else 'stays down'}"
    if facts.posture:
        spans = [(p.label, p.end - p.start) for p in facts.posture if p.label != "airborne"]
        travels = len(facts.steps or ()) > 1 and c.moves_away(facts) is True
    elif plane is not None and facts.seen["left leg"] and facts.seen["right leg"]:
        spans, travels = _flat_postures(joints), plane.travels is not False
    else:
        return
    total = sum(length for _, length in spans)
    held: dict[str, float] = {}
    for label, length in spans:
        held[label] = held.get(label, 0.0) + length
    main = max(held, key=lambda label: held[label], default="")
    upright = {"standing": "is upright" if travels else "stands"}
    clause = upright.get(main) or _POSTURES.get(main)
    if clause is None:
        return
    fell = bool(fallen) and main == "standing"  # a fall is never hidden behind the standing before and after it
    first, last = spans[0][0], spans[-1][0]
    if held[main] > c.KEPT_LONG.yes * total and not fell:
        yield clause
    elif first != last and first and last:
        yield f"goes from {_BETWEEN.get(first, first)} to {_BETWEEN.get(last, last)}"
    elif held[main] > c.KEPT.yes * total and not fell:
        yield f"is mostly{clause.removeprefix('is')}" if clause.startswith("is ") else f"mostly {clause}"


def _flat_postures(joints: Array) -> list[tuple[str, float]]:
    """Classify each third of a 2D movement as standing, low, level or '' (neither), with its length in frames.

    The classes follow from the inclination of the trunk and the height of the pelvis over the lower ankle (1.7 torsos
    when standing).
    """
    torso = max(float(np.median(norm(joints[:, NECK] - joints[:, PELVIS]))), 1e-6)
    ankles = np.minimum(joints[:, ANKLE["left"], 1], joints[:, ANKLE["right"], 1])
    height, tilt = (joints[:, PELVIS, 1] - ankles) / torso, trunk_inclination(joints)
    found = []
    for part in np.array_split(np.arange(len(joints)), min(3, len(joints))):
        high, lean = float(np.median(height[part])), float(np.median(tilt[part]))
        level = c.LEVEL_TRUNK.decide(lean)
        upright = c.STANDING_HEIGHT.decide(high)
        label = "level" if level else "" if level is None or upright is None else "standing" if upright else "low"
        found.append((label, float(len(part))))
    return found


def _hands(motion: Motion, joints: Array, facts: Facts, plane: ImagePlane | None, trunk: bool) -> Iterator[str]:
    clauses: dict[str, str] = {}
    upright = trunk and bool(np.median(trunk_inclination(joints)) < c.LEVEL_TRUNK.no)
    across = _across(motion, joints, plane) if upright else None
    for side in SIDES:
        if not facts.seen[f"{side} arm"]:
            continue
        place = None if across is None else kept_place(joints, side, across[side])
        raised = [hand for hand in facts.raised_hands if hand.side == side]
        if (
            place in ("over the head", "at head height")
            or sum(hand.end - hand.start for hand in raised) < c.RAISED_TIME.yes
        ):
            if place is not None:
                clauses[side] = f"keeps {{}} {place}"
        elif c.RAISED_HAND.decide(max(hand.height for hand in raised)):
            clauses[side] = "raises {} over the head" if any(hand.above_head for hand in raised) else "raises {}"
    if len(clauses) == 2 and all(words.startswith("raises") for words in clauses.values()):
        yield min(clauses.values(), key=len).format("both hands")
    elif len(clauses) == 2 and clauses["left"] == clauses["right"]:
        yield clauses["left"].format("both hands")
    else:
        yield from (words.format(f"the {side} hand") for side, words in clauses.items())


def _across(motion: Motion, joints: Array, plane: ImagePlane | None) -> dict[str, NDArray[np.bool_] | None]:
    """Test per side whether the hand is in front of the trunk, bool [T]; None if the view does not show it."""
    if motion.dimensions == 3:
        local = own_frame(prepare(motion), heading(joints, motion.fps))
        arm = norm(joints[:, WRIST["left"]] - joints[:, SHOULDER["left"]]).max()
        return {side: local[:, WRIST[side], 2] - local[:, NECK, 2] > c.BEFORE_TRUNK.yes * arm for side in SIDES}
    if plane is None or plane.shows not in ("front", "back"):
        return dict.fromkeys(SIDES)
    edges = joints[:, [SHOULDER["left"], SHOULDER["right"]], 0]
    low, high = edges.min(axis=1), edges.max(axis=1)
    return {side: (joints[:, WRIST[side], 0] > low) & (joints[:, WRIST[side], 0] < high) for side in SIDES}


def _moving(facts: Facts) -> Iterator[str]:
    speeds = facts.limb_activity
    fast = {
        limb: max((speeds[f"{side} {limb}"] for side in SIDES if f"{side} {limb}" in speeds), default=None)
        for limb in ("arm", "leg")
    }
    known = {limb: value for limb, value in fast.items() if value is not None}
    if not known:
        return
    main = max(known, key=lambda limb: known[limb])
    other = known.get("leg" if main == "arm" else "arm")
    moves = c.ARMS_OR_LEGS.decide(known[main])
    if moves is False:
        yield "hardly moves"
    elif moves and (other is None or c.MUCH_MORE_ACTIVE.decide(known[main] / max(other, 1e-9))):
        left, right = speeds.get(f"left {main}"), speeds.get(f"right {main}")
        mostly = "" if other is None else "mostly "
        if left is None or right is None:
            yield f"moves the {_only(left)} {main}"
        elif c.MORE_ACTIVE.decide(max(left, right) / max(min(left, right), 1e-3)):
            yield f"moves mostly the {'left' if left > right else 'right'} {main}"
        else:
            yield f"moves {mostly}the {main}s"
    elif moves:
        yield "moves arms and legs"


def _only(left: float | None) -> str:
    return "right" if left is None else "left"


def _repeated(facts: Facts) -> Iterator[str]:
    again = facts.repetitions
    if again is None or c.REPEATS.decide(again.regularity) is False or facts.jumps:
        return
    # A walk repeats steps, which other clauses state.
    if c.repeats_steps(facts):
        return
    about = "about " if again.fast else ""
    if again.limb == "whole body":
        yield f"goes up and down {about}{again.count} times"
    elif again.limb == "trunk":
        yield f"bends and straightens the trunk {about}{again.count} times"
    else:
        limb = again.limb if again.limb.startswith("both") else f"the {again.limb}"
        yield f"repeats a movement of {limb} {about}{again.count} times"


def _locomotion(facts: Facts, plane: ImagePlane | None) -> Iterator[str]:
    if plane is not None:
        yield from _locomotion_in_image(plane)
        return
    if facts.displacement is None or facts.leg_length is None or facts.net_turn is None:
        return
    travels = c.moves_away(facts)
    if travels is False:
        stays = (facts.path_length or 0.0) < c.WANDERS.yes * facts.leg_length
        yield "stays in place" if stays else "moves about and comes back"
    elif travels and facts.locomotion_direction in _DIRECTIONS:
        steps = f" with {len(facts.steps)} steps" if facts.steps and len(facts.steps) > 1 else ""
        yield f"moves {_DIRECTIONS[facts.locomotion_direction]} by {facts.displacement:.1f} m{steps}"
    if c.TURNED.decide(abs(facts.net_turn)):
        yield f"turns to the {c.side_of(facts.net_turn)}"
    if facts.jumps:
        yield f"leaves the ground {len(facts.jumps)} times" if len(facts.jumps) > 1 else "leaves the ground once"


def _locomotion_in_image(plane: ImagePlane) -> Iterator[str]:
    if words := plane.displacement_words():
        yield words
    if plane.turns:
        yield "turns"


def _not_seen(facts: Facts) -> Iterator[str]:
    for limb in ("arm", "leg"):
        hidden = [side for side in SIDES if not facts.seen[f"{side} {limb}"]]
        if len(hidden) == 2:
            yield f"the {limb}s are not seen"
        elif hidden:
            yield f"the {hidden[0]} {limb} is not seen"
