"""Define the categories of gait, path, moments, falls and recordings. See `categories` for their use."""

from __future__ import annotations

from typing import Final

from vimonet.motion.kinematics.categories import INFINITY, Scale, Threshold

# Steps.
TEMPO_STEADY: Final = Threshold(
    0.12, 0.25, "spread of the times as a share of their mean", "steady walks vary by 2 to 4 %, frames of 50 ms add 5"
)
LIMPS: Final = Threshold(
    1.4, 1.15, "ratio of left and right step times or lengths", "healthy gait stays below 1.1 (Patterson 2010)"
)
SAME_BOTH_SIDES: Final = Threshold(
    1.15, 1.5, "ratio of left and right", "a difference of a tenth is not seen, one of half is"
)
SIDES_APART: Final = Threshold(0.25, 0.25, "m/s between left and right", "as LIMB_MOVES: a smaller difference is sway")
STEP_REACHES: Final = Threshold(0.15, 0.15, "m", "shorter steps are shuffling on the spot")
FOOT_AHEAD: Final = Threshold(0.15, 0.05, "m of one ankle ahead of the other", "half a foot's length is seen")
GROUND_SLIDES: Final = Threshold(
    0.35, 0.2, "share of the time on the feet at over 0.25 m/s", "a foot that rolls off slides for a moment"
)

# Standing.
SWAYS: Final = Threshold(
    0.1,
    0.04,
    "m of the pelvis from its mean place",
    "quiet standing sways by 1 cm (Winter 1995); turning about and shifting weight by 5",
)
OTHER_LEG: Final = Threshold(2.0, 2.0, "ratio of the times on either leg", "with less, either leg may be named")

# The path.
STRAIGHT_PATH: Final = Threshold(
    0.97, 0.93, "distance of its ends as a share of its length", "an arc of 50 degrees has .97, one of 75 .93"
)
CLOSED_PATH: Final = Threshold(
    0.25, 0.6, "distance between start and end as a share of the farthest point's distance", "as RETURNS"
)
THIN_PATH: Final = Threshold(
    0.15,
    0.3,
    "extent across as a share of that along",
    "there and back on one line is thin; turning round widens it by half a metre",
)
ROUND: Final = Threshold(290.0, 200.0, "degrees turned in one sense", "a circle has 360")
CURVED: Final = Threshold(50.0, 30.0, "degrees turned in one sense", "as TURNED, for the path")
ONE_SENSE: Final = Threshold(1.25, 1.6, "degrees bent per degree turned", "a curve bends in one sense")
TURNED_BACK: Final = Threshold(
    90.0, 90.0, "degrees turned in all", "left and right bends of an eight or a zigzag cancel out"
)

# Moments.
PAUSE: Final = Threshold(0.6, 0.3, "s of calm", "a shorter halt is the end of a stride or of a swing")
LEADS: Final = Threshold(1.2, 1.2, "ratio to the next peak", "a fifth faster is the fastest moment")
RISE_TIME: Final = Threshold(0.4, 0.4, "s", "nobody gets up in less")
LAST_SMALLER: Final = Threshold(0.75, 0.9, "ratio of the last repetition's size to the first's", "a quarter is seen")
LAST_LARGER: Final = Threshold(1.33, 1.12, "ratio of the last repetition's size to the first's", "as LAST_SMALLER")
LAST_SLOWER: Final = Threshold(1.33, 1.15, "ratio of the last repetition's time to the first's", "a third is noticed")
LAST_FASTER: Final = Threshold(0.75, 0.87, "ratio of the last repetition's time to the first's", "as LAST_SLOWER")
LANDS_SOFT: Final = Scale(
    {"stiff knees": (-1.0, 35.0), "bent knees": (55.0, INFINITY)},
    "degrees of the more bent knee",
    "a walk bends the loaded knee by 20; a landing of 55 is a dip that is seen",
)

# Falls.
FALL_REACH: Final = Threshold(0.3, 0.3, "m of the neck over the ground", "a shorter way is a collapse on the spot")
HEAD_NEAR_FLOOR: Final = Threshold(
    0.27, 0.45, "m of the head joint over the floor", "the joint lies .1 to .2 m inside the head"
)
HEAD_STRIKES: Final = Threshold(1.5, 0.8, "m/s downward", "a head that is laid down is slower")
RESTS: Final = Threshold(
    0.8, 0.2, "share of the time on the floor", "a part that carries the body for most of the time"
)

# The recording.
POSE_LOOPS: Final = Threshold(0.06, 0.15, "m between the joints of the first and the last pose", "a hand's breadth")
SPEED_LOOPS: Final = Threshold(0.4, 0.4, "m/s between their speeds", "a jump of speed is seen as a jolt")
BONES_CHANGE: Final = Threshold(
    0.12, 0.04, "share of a bone's length", "skin moves markers by 1 to 3 cm (Leardini 2005)"
)
JOINTS_HIDDEN: Final = Threshold(0.1, 0.01, "share of the joints", "a tenth of them is a limb")
PLAUSIBLE_HEIGHT: Final = Threshold(1.0, 1.0, "m", "smaller bodies are not in metres")
HEIGHT_AGREES: Final = Threshold(
    1.07, 1.07, "ratio of two estimates", "hips to ankles are .491 of the stature (Drillis and Contini 1966)"
)


def stature(leg: float) -> float:
    """Estimate the stature, m, from the length of a leg, hip to ankle, m (Drillis and Contini 1966)."""
    return leg / 0.491


def alike(left: float, right: float, least: float) -> float:
    """Compute the ratio of the larger to the smaller of two values; values under `least` count as `least`."""
    left, right = max(left, least), max(right, least)
    return max(left, right) / min(left, right)


def path_name(
    turned: float, bent: float, straightness: float, closing: float, thinness: float, swings: int
) -> str | None:
    """Name the shape of a path: 'straight', 'curve', 'circle', 'there and back', 'figure of eight' or 'zigzag'.

    Args:
        turned, bent, straightness, closing, thinness, swings: as in `path_shape.PathShape`.

    Returns:
        The name; None where no name is clear.
    """
    closed = CLOSED_PATH.decide(closing)
    if STRAIGHT_PATH.decide(straightness):
        return "straight"
    if STRAIGHT_PATH.decide(straightness) is None:
        return None
    if closed and THIN_PATH.decide(thinness):
        return "there and back"
    one_sense = ONE_SENSE.decide(bent / max(abs(turned), 1.0))
    if closed and one_sense and ROUND.decide(abs(turned)):
        return "circle"
    balanced = TURNED_BACK.decide(abs(turned)) is False
    if closed and balanced and ROUND.decide(bent / 2.0) is not False and swings in (2, 3):
        return "figure of eight"
    if closed is False and balanced and swings >= 3:
        return "zigzag"
    curved = CURVED.decide(abs(turned)) and ROUND.decide(abs(turned)) is False
    return "curve" if closed is False and one_sense and curved else None
