"""Define the categories of how a body is held: joints, arms, legs, hands, trunk. See `categories` for their use."""

from __future__ import annotations

from typing import Final

from vimonet.motion.kinematics.categories import INFINITY, Scale, Threshold

# Joints: 0 degrees of flexion is straight.
ELBOW_STRAIGHT: Final = Threshold(
    20.0, 40.0, "degrees of flexion at the straightest", "a relaxed hanging arm keeps 10 to 20; 40 is seen as bent"
)
KNEE_STRAIGHT: Final = Threshold(
    15.0, 28.0, "degrees of flexion at the straightest", "standing people keep up to 10; 28 is a bent knee"
)
KNEE_KEPT_STRAIGHT: Final = Threshold(25.0, 60.0, "degrees of flexion at the most bent", "as KNEE_BENT")
ARM_BENT: Final = Threshold(50.0, 30.0, "degrees of flexion of the elbow, held", "a hanging arm keeps up to 30")
KNEES_BENT: Final = Threshold(45.0, 25.0, "degrees of flexion of the knee, held", "as KNEE_BENT, for a pose")
JOINT_MOVES: Final = Threshold(15.0, 15.0, "degrees of range", "less is sway and the error of markers (5 degrees)")

# Hands, in arm lengths (shoulder to wrist); a hand is a third of an arm long.
TOUCHES: Final = Threshold(
    0.22, 0.6, "arm lengths from the wrist to a joint, kept for a fifth of a second", "less than a hand's length"
)
TOUCHES_HEAD: Final = Threshold(
    0.35, 0.7, "arm lengths from the wrist to the head joint", "the face lies a hand's breadth off the head joint"
)
NEARER_HAND: Final = Threshold(0.2, 0.2, "arm lengths between the distances of the hands", "two thirds of a hand")
AT_TOP: Final = Threshold(0.1, 0.1, "arm lengths under the highest point of a hand", "lower, a hand is on its way")
TOP_HELD: Final = Threshold(0.5, 0.5, "s", "a hand that stays at its top for longer has no one highest moment")
HANDS_TOGETHER: Final = Threshold(
    0.25, 0.6, "arm lengths between the wrists", "palms or fingers meet below it; folded arms lie between"
)
HAND_SUPPORTS: Final = Threshold(
    0.22, 0.5, "arm lengths from the wrist to thigh or floor", "a hand that presses down lies on it"
)
HANGS_DOWN: Final = Threshold(
    0.5,
    0.5,
    "arm lengths of the wrist below its shoulder",
    "half of a hanging arm; the arm of somebody who lies hangs less",
)
ON_HIP: Final = Threshold(0.4, 0.4, "arm lengths from the wrist to the hip", "the hand rests above the hip joint")
ELBOW_OUT: Final = Threshold(
    0.2, 0.2, "arm lengths of the elbow outward of its shoulder", "an arm akimbo points outward"
)
OVER_MIDLINE: Final = Threshold(0.02, 0.02, "arm lengths of a wrist beyond the midline", "folded arms cross it")
BEHIND_TRUNK: Final = Threshold(
    0.15, 0.15, "arm lengths of the wrist behind the pelvis", "a hanging arm swings back by less with a straight elbow"
)
PLACE_LASTS: Final = Threshold(0.3, 0.3, "s", "a hand passes through a place in less")

# Legs, in leg lengths unless said otherwise.
FEET: Final = Scale(
    {"together": (-1.0, 0.14), "hip-width apart": (0.18, 0.34), "wide apart": (0.42, INFINITY)},
    "leg lengths between the ankles, sideways",
    "hips are .2 leg lengths apart",
)
FOOT_BEFORE: Final = Threshold(0.35, 0.18, "leg lengths between the ankles, fore and aft", "half a step")
LEGS_CROSSED: Final = Threshold(0.06, 0.0, "leg lengths of the ankles past each other", "a foot's breadth")
KNEES_DEEP: Final = Threshold(
    60.0, 45.0, "degrees of flexion of both knees", "a squat, a landing or sitting down; no stride"
)
DEPTH: Final = Scale(
    {"below parallel": (-INFINITY, -0.1), "at parallel": (-0.06, 0.1), "above parallel": (0.2, INFINITY)},
    "thigh lengths of the hip over the knee",
    "parallel is a level thigh; joint centres of hip and knee are known to a twentieth",
)
KNEE_INWARD: Final = Threshold(
    0.05, 0.02, "leg lengths of the knee inside the line of hip and ankle", "4 cm; 2 are the error of markers"
)
KNEE_PAST_TOES: Final = Threshold(
    0.16, 0.04, "leg lengths of the knee before the ball of the foot", "toes end .09 leg lengths before the ball"
)

# Trunk.
SIDE_LEAN: Final = Threshold(10.0, 5.0, "degrees sideways, on average", "standing people sway by 2 to 4")
SIDE_BEND: Final = Threshold(20.0, 8.0, "degrees sideways, at most", "a stride tilts the trunk by up to 8")
FORWARD_LEAN: Final = Threshold(15.0, 10.0, "degrees forward or back", "a brisk walk leans by up to 15")
ROUNDED: Final = Threshold(
    45.0, 30.0, "degrees between the lower and the upper spine", "three spine joints show a strong rounding only"
)
HEAD_DOWN: Final = Threshold(
    60.0, 35.0, "degrees of neck-head forward of upright", "the head joint lies up to 30 degrees before the neck"
)

AROUND: Final = 0.75
"""Seconds before and after a moment that are compared."""

# Intensity and differences between the halves.
FEET_PLANTED: Final = Threshold(0.15, 0.3, "m/s of the ankles, on average", "feet that step have no place to name")
MOVES_NOW: Final = Threshold(0.6, 0.3, "leg lengths/s of the pelvis", "as TRAVEL_SPEED, at a moment")
INTENSITY: Final = Scale(
    {"low": (-1.0, 0.2), "moderate": (0.6, 1.2), "high": (1.7, INFINITY)},
    "m/s of the fastest limb, on average",
    "idle limbs move below .2, those of a brisk walk at 1, of a run at 2 and more",
)
HALF_MORE: Final = Threshold(1.6, 1.15, "ratio of the two halves", "as PACE_CHANGES")
HALF_LEAN: Final = Threshold(20.0, 8.0, "degrees between the halves", "a change of the trunk that is seen")
