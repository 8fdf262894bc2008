"""Measure how a body is held: joint angles, places of arms and legs, what hands come near, the lean of the trunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics import held_categories as h
from vimonet.motion.kinematics.arm_places import arm_places, arm_words, both_arms_words
from vimonet.motion.kinematics.joint_angles import (
    JointAngle,
    extremes,
    head_pitch,
    joint_angles,
    spine_bend,
    trunk_leans,
)
from vimonet.motion.kinematics.leg_form import DeepBend, LegPose, deep_bend, hands_in_rise, leg_pose
from vimonet.motion.kinematics.preparation import SIDES, WRIST, Array, Body, median, norm, runs, speed

PARTS = {
    **{"head": 15, "neck": 12, "chest": 9, "left shoulder": 16, "right shoulder": 17, "left elbow": 18},
    **{"right elbow": 19, "left knee": 4, "right knee": 5, "left foot": 7, "right foot": 8},
}
"""Parts of the body that a hand may come near -> joint; not the hips, which lie beside every hanging hand."""
POINTS = {
    **{"left wrist": 20, "right wrist": 21, "left elbow": 18, "right elbow": 19},
    **{"left knee": 4, "right knee": 5, "left ankle": 7, "right ankle": 8, "head": 15},
}
"""Joints whose speeds are compared."""
_LIMB = {"wrist": "arm", "elbow": "arm", "shoulder": "arm", "knee": "leg", "ankle": "leg", "foot": "leg"}


@dataclass(frozen=True, slots=True)
class ArmSpan:
    """Hold a time in which an arm keeps one place: code of `arm_places.PLACES`, s, and elbow flexion in degrees."""

    code: int
    start: float
    end: float
    elbow: float

    @property
    def words(self) -> str:
        """Return the words for the place."""
        return arm_words(self.code, self.elbow) or ""


@dataclass(frozen=True, slots=True)
class Nearest:
    """Hold how near a hand comes to a part of the body: the least distance, arm lengths, and its time, s."""

    distance: float
    time: float


@dataclass(frozen=True, slots=True)
class HandTop:
    """Hold the highest point of a wrist over the floor: height in m, its time, and how long it stays there, s."""

    height: float
    time: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Lean:
    """Hold the lean of an upright trunk, degrees: means and extremes, forward and to the left positive.

    `most_forward` also holds deep bows.
    """

    forward: float
    side: float
    most_forward: float
    most_left: float
    most_right: float

    def line(self) -> str:
        """Return a readable line."""
        ahead = f"{abs(self.forward):.0f} degrees {'forward' if self.forward > 0 else 'back'}"
        side = f"{abs(self.side):.0f} to the {'left' if self.side > 0 else 'right'}"
        sides = f"{max(self.most_left, 0.0):.0f} left, {max(self.most_right, 0.0):.0f} right"
        return f"trunk: leans {ahead}, {side} on average; at most {max(self.most_forward, 0.0):.0f} forward, {sides}"


@dataclass(frozen=True)
class Track:
    """Hold the pose over time, [T] each.

    Attributes:
        fps: frames per second.
        angles: of `joint_angles.JOINTS`, degrees [T, 8].
        places: codes of the arms' places [T, 2].
        forward, sideways: lean of the trunk forward and to the left, degrees.
        pace: horizontal speed of the pelvis, m/s.
        limb_speed: speed of wrists (left, right) and ankles in the body's own frame, m/s [T, 4].
    """

    fps: float
    angles: Array
    places: NDArray[np.int8]
    forward: Array
    sideways: Array
    pace: Array
    limb_speed: Array


@dataclass(frozen=True)
class HeldBody:
    """Hold how the body is held over a 3D recording.

    Attributes:
        angles: joint -> extremes of its angle.
        arms: side -> places of the arm over time.
        legs: usual place of the legs; None where a leg is not seen.
        deep_bend: deepest bend of both knees; None if there is none.
        rise_hands: see `leg_form.hands_in_rise`.
        wrists: how near the wrists come to each other; None where an arm is not seen.
        touches: side of the hand -> part of the body -> how near it comes.
        hand_top: side -> highest point of the wrist over the floor.
        lean: lean of the trunk while it is nearer to upright than to level; None if it never is.
        spine_bend: greatest angle between lower and upper spine, degrees.
        head_pitch: median angle of neck-head forward of the vertical, degrees; None where no head is seen.
        joint_speed: joint -> mean speed in the body's own frame, m/s.
        track: the pose at each moment.
    """

    angles: dict[str, JointAngle]
    arms: dict[str, tuple[ArmSpan, ...]]
    legs: LegPose | None
    deep_bend: DeepBend | None
    rise_hands: float | None
    wrists: Nearest | None
    touches: dict[str, dict[str, Nearest]]
    hand_top: dict[str, HandTop]
    lean: Lean | None
    spine_bend: float
    head_pitch: float | None
    joint_speed: dict[str, float]
    track: Track

    def lines(self) -> list[str]:
        """Return readable facts with units, one per line."""
        out = []
        for joint, verb in (("knee", "bent"), ("elbow", "bent"), ("hip", "bent"), ("shoulder", "lifted")):
            both = {s: a for s in SIDES if (a := self.angles.get(f"{s} {joint}"))}
            found = [f"{side} {angle.least:.0f} to {angle.most:.0f}" for side, angle in both.items()]
            if found:
                out.append(f"{joint}s, degrees {verb}: {', '.join(found)}")
        if arms := self._arms_line():
            out.append(f"arms: {arms}")
        if self.legs is not None and (legs := leg_words(self.legs)):
            out.append(f"legs, usually: {legs}")
        if self.wrists is not None and h.HANDS_TOGETHER.decide(self.wrists.distance):
            out.append(f"hands together at {self.wrists.time:.1f} s")
        near = [
            f"{hand} hand at the {part} at {found.time:.1f} s"
            for hand, parts in self.touches.items()
            for part, found in parts.items()
            if touches(part, found)
        ]
        out += [f"near: {', '.join(near)}"] if near else []
        if self.hand_top:
            tops = ", ".join(f"{side} {top.height:.2f} m at {top.time:.1f} s" for side, top in self.hand_top.items())
            out.append(f"highest hand over the floor: {tops}")
        if deep := self.deep_bend:
            words = h.DEPTH.name(deep.depth)
            knees = f"knees bent {deep.knees['left']:.0f} and {deep.knees['right']:.0f} degrees"
            out.append(f"deepest bend: {deep.time:.1f} s, {knees}{f', thighs {words}' if words else ''}")
        out += [self.lean.line()] if self.lean else []
        return out

    def _arms_line(self) -> str:
        left, right = self.arms.get("left", ()), self.arms.get("right", ())
        if left and right and [span.words for span in left] == [span.words for span in right]:
            joined = [replace(a, end=max(a.end, b.end)) for a, b in zip(left, right, strict=True)]
            return _spans_words(joined, [both_arms_words(span.words) for span in joined])
        sides = {side: _spans_words(spans, [span.words for span in spans]) for side, spans in self.arms.items()}
        return ", ".join(f"{side} {words}" for side, words in sides.items() if words)


def _spans_words(spans: Sequence[ArmSpan], words: list[str]) -> str:
    if len(spans) < 2:
        return "".join(words)
    if len(spans) <= 3:
        return ", then ".join(f"{w} {s.start:.1f}-{s.end:.1f} s" for w, s in zip(words, spans, strict=True))
    length = {place: sum(s.end - s.start for s, w in zip(spans, words, strict=True) if w == place) for place in words}
    return f"mostly {max(length, key=lambda place: length[place])}"


def leg_words(held: LegPose) -> str | None:
    """Word the place of the legs: "straight, feet hip-width apart"; None if knees and feet are in dead zones."""
    bent = {side: h.KNEES_BENT.decide(flexion) for side, flexion in held.knees.items()}
    words = []
    if bent["left"] == bent["right"] and bent["left"] is not None:
        words.append("bent" if bent["left"] else "straight")
    elif None not in bent.values():
        words.append(f"{'left' if bent['left'] else 'right'} knee bent, the other straight")
    if h.LEGS_CROSSED.decide(-held.apart):
        words.append("crossed")
    elif h.FOOT_BEFORE.decide(abs(held.ahead)):
        words.append(f"{'left' if held.ahead > 0 else 'right'} foot in front")
    elif h.FOOT_BEFORE.decide(abs(held.ahead)) is False and (apart := h.FEET.name(held.apart)):
        words.append(f"feet {apart}")
    return ", ".join(words) or None


def measure_held(body: Body, local: Array, own_pace: Array) -> HeldBody:
    """Measure how the body is held.

    Args:
        body: prepared 3D recording.
        local: its joints [T, 22, 3], m, in the body's own frame.
        own_pace: their speed there, m/s [T, 22].
    """
    angles = joint_angles(body.sharp)
    forward, sideways = trunk_leans(local)
    places = arm_places(body, local, angles[:, 2:4], body.tilt)
    legs = body.seen["left leg"] and body.seen["right leg"]
    arms = [side for side in SIDES if body.seen[f"{side} arm"]]
    ends = own_pace[:, list(POINTS.values())]
    means = ends.mean(axis=0)
    planted = h.FEET_PLANTED.decide(float(body.pace[:, 7:9].mean()))
    head = head_pitch(local) if body.seen["head"] else None
    return HeldBody(
        angles=extremes(angles, body),
        arms={side: _spans(places[:, i], angles[:, 2 + i], body.fps) for i, side in enumerate(SIDES) if side in arms},
        legs=leg_pose(body, local, angles) if legs and planted else None,
        deep_bend=deep_bend(body, local, angles, forward) if legs else None,
        rise_hands=hands_in_rise(body) if legs and len(arms) == 2 else None,
        wrists=_nearest(norm(body.joints[:, 20] - body.joints[:, 21]), body) if len(arms) == 2 else None,
        touches={side: _touches(body, side) for side in arms},
        hand_top={side: _top(body, side) for side in arms},
        lean=_lean(forward, sideways),
        spine_bend=float(spine_bend(body.joints).max()),
        head_pitch=None if head is None else median(head),
        joint_speed={name: float(means[i]) for i, name in enumerate(POINTS) if _seen(body, name)},
        track=Track(
            body.fps,
            angles,
            places,
            forward,
            sideways,
            speed(body.joints[:, 0, [0, 2]], body.fps),
            ends[:, [0, 1, 6, 7]],
        ),
    )


def _seen(body: Body, part: str) -> bool:
    """Tell whether the recording shows a joint or part of the body; neck and chest are in every one."""
    side, _, name = part.rpartition(" ")
    return body.seen["head"] if part == "head" else not side or body.seen[f"{side} {_LIMB[name]}"]


_FOLDED = 120.0
"""Degrees that a trunk leans at most when somebody touches the toes; beyond, the body turns over."""


def _lean(forward: Array, sideways: Array) -> Lean | None:
    upright = (np.abs(forward) < c.LEVEL_TRUNK.yes) & (np.abs(sideways) < c.LEVEL_TRUNK.yes)
    if not upright.any():
        return None
    ahead, aside = forward[upright], sideways[upright]
    # A deep bow leans more than a level trunk; frames face down count too, a somersault does not.
    bent = forward[(np.abs(sideways) < c.LEVEL_TRUNK.yes) & (np.abs(forward) < _FOLDED)]
    return Lean(float(ahead.mean()), float(aside.mean()), float(bent.max()), float(aside.max()), float(-aside.min()))


def _top(body: Body, side: str) -> HandTop:
    height = body.joints[:, WRIST[side], 1] - body.floor
    top = int(height.argmax())
    a, b = next((a, b) for a, b in runs(height >= height[top] - h.AT_TOP.yes * body.arm) if a <= top < b)
    return HandTop(float(height[top]), top / body.fps, a / body.fps, b / body.fps)


def _nearest(distance: Array, body: Body) -> Nearest:
    at = int(distance.argmin())
    return Nearest(float(distance[at]) / body.arm, at / body.fps)


def _touches(body: Body, hand: str) -> dict[str, Nearest]:
    """Measure how near a wrist comes, for a fifth of a second, to each seen part but its own shoulder and elbow."""
    distance = norm(body.joints[:, list(PARTS.values())] - body.joints[:, WRIST[hand], None])
    lasts = min(round(0.2 * body.fps), body.frames - 1)
    kept = np.maximum(distance[lasts:], distance[: body.frames - lasts])
    own = (f"{hand} shoulder", f"{hand} elbow")
    frames = kept.argmin(axis=0)
    return {
        part: Nearest(float(kept[frames[i], i]) / body.arm, int(frames[i]) / body.fps)
        for i, part in enumerate(PARTS)
        if part not in own and _seen(body, part)
    }


def touches(part: str, nearest: Nearest) -> bool | None:
    """Decide whether a hand that comes this near touches the part (contact is not recorded); None in the dead zone."""
    return (h.TOUCHES_HEAD if part == "head" else h.TOUCHES).decide(nearest.distance)


def _spans(codes: NDArray[np.int8], elbow: Array, fps: float) -> tuple[ArmSpan, ...]:
    """List the stretches of one place that last at least `PLACE_LASTS`, equal neighbours joined."""
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    out: list[ArmSpan] = []
    for a, b in pairwise(edges):
        if codes[a] < 0 or (b - a) / fps < min(h.PLACE_LASTS.yes, len(codes) / fps):
            continue
        bend = median(elbow[a:b])
        if out and out[-1].code == codes[a]:
            out[-1] = ArmSpan(out[-1].code, out[-1].start, b / fps, bend)
        else:
            out.append(ArmSpan(int(codes[a]), a / fps, b / fps, bend))
    return tuple(out)
