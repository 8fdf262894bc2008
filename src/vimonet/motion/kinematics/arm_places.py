"""Name the places of the hands: above the head, stretched out, in front of the chest, at the side of the body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics import held_categories as h
from vimonet.motion.kinematics.preparation import (
    ELBOW,
    HEAD,
    HIP,
    NECK,
    PELVIS,
    SHOULDER,
    SIDES,
    WRIST,
    Array,
    Body,
    norm,
)

Mask = NDArray[np.bool_]

PLACES = (
    "crossed in front of the body",
    "raised above the head",
    "stretched out to the side",
    "stretched out forward",
    "on the hip",
    "behind the back",
    "in front of the chest",
    "in front of the waist",
    "at head height",
    "at chest height",
    "hangs at the side",
    "reaches down",
)
"""Places of one arm in 3D; the first that fits counts. A code is an index of this tuple, -1 is no place."""


def hand_places(joints: Array, side: str, before: Mask | None) -> dict[str, Mask]:
    """Test each place of a hand of an upright body: place -> bool [T]; the first that holds counts.

    Heights are shares of the distance from the pelvis (0) up to the shoulder (1); reaches are horizontal, in torsos.

    Args:
        joints: [T, 22, 3], of 3D or of the image plane.
        side: 'left' or 'right'.
        before: frames in which the hand is in front of the trunk; None if the view does not show it.
    """
    shoulder, wrist, pelvis = joints[:, SHOULDER[side]], joints[:, WRIST[side]], joints[:, PELVIS]
    torso = np.maximum(norm(joints[:, NECK] - pelvis), 1e-6)
    height = (wrist[:, 1] - pelvis[:, 1]) / np.maximum(shoulder[:, 1] - pelvis[:, 1], 1e-6)
    reach = norm((wrist - shoulder)[:, [0, 2]]) / torso
    at = {name: (height > low) & (height < high) for name, (low, high) in c.HAND_PLACES.items()}
    front = np.zeros(len(joints), bool) if before is None else before
    return {
        "over the head": wrist[:, 1] > joints[:, HEAD, 1] + c.OVER_CROWN.yes * torso,
        "stretched out level": at["shoulder level"] & (reach > c.STRETCHED_ARM.yes),
        "in front of the chest": at["chest"] & front,
        "in front of the waist": at["waist"] & front,
        "at head height": at["head"],
        "at chest height": at["chest"],
        "at the side of the body": at["side"] & (reach < c.STRETCHED_ARM.no) & ~front,
    }


def kept_place(joints: Array, side: str, before: Mask | None) -> str | None:
    """Name the place where a hand is kept for most of the time, or None: see :func:`hand_places`."""
    places = hand_places(joints, side, before)
    return next((name for name, held in places.items() if held.mean() > c.KEPT.yes), None)


def arm_places(body: Body, local: Array, elbows: Array, tilt: Array) -> NDArray[np.int8]:
    """Name the place of each arm per frame: codes of `PLACES` int8 [T, 2] (left, right), -1 where none fits.

    Args:
        body: prepared 3D recording.
        local: its joints in the body's own frame, which faces +Z with +X to the left.
        elbows: flexion of the elbows, degrees [T, 2].
        tilt: inclination of the trunk, degrees [T]; an arm of a body bent over only "reaches down".
    """
    arm = body.arm
    upright = tilt < c.LEVEL_TRUNK.no
    before = {side: local[:, WRIST[side], 2] - local[:, NECK, 2] > c.BEFORE_TRUNK.yes * arm for side in SIDES}
    found = {side: hand_places(local, side, before[side]) for side in SIDES}
    over = {
        side: sign * local[:, WRIST[side], 0] < -h.OVER_MIDLINE.yes * arm
        for side, sign in (("left", 1.0), ("right", -1.0))
    }
    folded = over["left"] & over["right"] & (elbows > h.ARM_BENT.yes).all(axis=1)
    for side in SIDES:
        at = found[side]
        folded = folded & (at["in front of the chest"] | at["in front of the waist"] | at["at chest height"])
    codes = np.full((body.frames, 2), -1, dtype=np.int8)
    for i, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
        at = found[side]
        bent = elbows[:, i] > h.ARM_BENT.yes
        arm_of = local[:, WRIST[side]] - local[:, SHOULDER[side]]
        outward = sign * (local[:, ELBOW[side], 0] - local[:, SHOULDER[side], 0]) > h.ELBOW_OUT.yes * arm
        at_hip = norm(local[:, WRIST[side]] - local[:, HIP[side]]) < h.ON_HIP.yes * arm
        aside = sign * arm_of[:, 0] > np.abs(arm_of[:, 2])
        back = local[:, WRIST[side], 2] < -h.BEHIND_TRUNK.yes * arm
        places = (
            folded,
            at["over the head"],
            at["stretched out level"] & aside,
            at["stretched out level"] & (arm_of[:, 2] > np.abs(arm_of[:, 0])),
            at_hip & bent & outward,
            back & (sign * local[:, WRIST[side], 0] < sign * local[:, HIP[side], 0]) & (elbows[:, i] > h.ARM_BENT.no),
            at["in front of the chest"],
            at["in front of the waist"],
            at["at head height"],
            at["at chest height"] & bent,
            at["at the side of the body"],
        )
        for code in range(len(places) - 1, -1, -1):
            codes[places[code] & upright, i] = code
        down = -arm_of[:, 1] > h.HANGS_DOWN.yes * arm
        codes[~upright & down, i] = PLACES.index("reaches down")
    return codes


def arm_words(code: int, elbow: float | None) -> str | None:
    """Word the place of one arm: "bent in front of the chest", "hangs at the side"; None for no place."""
    if code < 0:
        return None
    place = PLACES[code]
    if not place.startswith(("in front", "at ")):
        return place
    bent = h.ARM_BENT.decide(elbow)
    return place if bent is None else f"{'bent' if bent else 'straight'} {place}"


def both_arms_words(place: str) -> str:
    """Word the place of both arms: "both arms hang at the sides", "T-pose: ..."."""
    return {
        "stretched out to the side": "T-pose: both arms stretched out level to the sides",
        "hangs at the side": "both arms hang at the sides",
        "on the hip": "both hands on the hips",
        "crossed in front of the body": "arms crossed in front of the body",
        "reaches down": "both arms reach down",
    }.get(place, f"both arms {place}")
