"""Define every category of movement, with its threshold and dead zone.

    TURNED.decide(20.0)        # None: 20 degrees lie in the dead zone between "does not turn" (15) and "turns" (35)
    displacement_class(facts)  # "in place", "forward", "backward", "left", "right", or None in the dead zone

Questions, evidence, descriptions and captions share these names and numbers. Values between "no" and "yes" form the
dead zone, in which two observers could disagree: nothing is asked or contradicted there. Lengths are in leg lengths if
the size of the body matters. Bounds without a source are judgements, each with its reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vimonet.motion.kinematics.facts import Facts


@dataclass(frozen=True, slots=True)
class Threshold:
    """Decide one yes-no category of a measured value.

    Attributes:
        yes: the category holds beyond this value (above it, or below it if `yes` is less than `no`).
        no: the category does not hold on the other side of this value.
        unit: unit of both.
        why: the reason for the two numbers.
    """

    yes: float
    no: float
    unit: str
    why: str

    def decide(self, value: float | None) -> bool | None:
        """Decide whether the category holds; None in the dead zone and for None."""
        if value is None:
            return None
        sign = 1.0 if self.yes >= self.no else -1.0
        return True if sign * value > sign * self.yes else False if sign * value < sign * self.no else None


@dataclass(frozen=True, slots=True)
class Scale:
    """Name the class of a measured value on a scale with dead zones between its classes.

    Attributes:
        classes: name -> (lower, upper) bound, both exclusive.
        unit: unit of the bounds.
        why: the reason for the numbers.
    """

    classes: dict[str, tuple[float, float]]
    unit: str
    why: str

    def name(self, value: float | None) -> str | None:
        """Name the class that holds a value; None in a dead zone and for None."""
        if value is None:
            return None
        return next((name for name, (low, high) in self.classes.items() if low < value < high), None)


INFINITY: Final = float("inf")

# Locomotion.
TRAVELS: Final = Threshold(
    0.5,
    0.25,
    "leg lengths",
    "a step is .7 to .9 leg lengths long; shifting the weight on the spot moves the pelvis by up to .2",
)
SECTOR: Final = Threshold(
    33.0, 45.0, "degrees off an axis", "a direction has a name within 33 degrees of it; 45 is as far from two"
)
TRAVEL_SPEED: Final = Scale(
    {"still": (-1.0, 0.14), "slow": (0.28, 0.75), "walking": (0.95, 1.85), "running": (2.3, INFINITY)},
    "leg lengths/s",
    "people walk at 1.3 to 1.6 leg lengths/s and change to running near 2.3 (Froude number .5, Alexander 1989)",
)
CAPTION_PACE: Final = Scale(
    {"slowly": (0.0, 0.75), "quickly": (1.9, INFINITY)},
    "leg lengths/s",
    "as TRAVEL_SPEED, for labelled walks: a brisk walk is quick, too",
)
STAYS_ON_PATH: Final = Threshold(
    0.3, 0.3, "leg lengths of path", "the pelvis of a standing person sways by less in ten seconds"
)
STRIDES: Final = Threshold(
    0.5, 0.5, "leg lengths/s of mean speed", "slower feet strike without a walk, and counts of steps are ambiguous"
)
NO_STEP: Final = Threshold(0.2, 0.2, "leg lengths of path", "less path than a quarter of a step holds no step")
RETURNS: Final = Threshold(
    0.25, 0.7, "share of the farthest distance", "back within a quarter of the farthest distance, or not"
)
WENT_OUT: Final = Threshold(1.0, 1.0, "leg lengths", "a shorter excursion is no excursion")
WANDERS: Final = Threshold(1.5, 1.5, "leg lengths of path", "shifting about is less, a walk there and back more")
LEAVES_CIRCLE: Final = Threshold(1.3, 0.75, "m", "the circle that is asked about has a radius of one metre")
DRIFTS: Final = Threshold(0.5, 0.15, "leg lengths aside", "like TRAVELS, for the sideways part of the displacement")
LONG_PATH: Final = Threshold(1.2, 1.2, "leg lengths", "a shorter path is stated in steps, not metres")
WHOLE_METRES: Final = Threshold(3.0, 3.0, "m", "shorter paths are stated to half a metre, longer ones to a metre")
MAY_WALK: Final = Threshold(
    0.3, 0.3, "leg lengths/s of mean speed", "faster, a walk that no label names may be among the actions"
)
LEAVES_PLACE: Final = Threshold(0.15, 0.15, "leg lengths of path", "the sway of a person standing still")
STEP_AWAY: Final = Threshold(0.7, 0.7, "leg lengths of path", "a step's length: what repeats may be a walk")
MANY_STEPS: Final = Threshold(20.0, 20.0, "steps", "more are not counted by eye")
STEPS_APART: Final = Threshold(0.2, 0.2, "s between two steps", "closer ones are a hop or a missed contact")
PACE_CHANGES: Final = Threshold(
    1.6, 1.15, "ratio of the halves' speeds", "a fifth faster passes unnoticed, twice as fast does not"
)
PACE_MEASURED: Final = Threshold(
    0.5, 0.5, "leg lengths in the faster half", "below it the ratio of two speeds is noise"
)
TOP_SPEED: Final = Threshold(0.8, 0.8, "m/s", "slower peaks are sway and trunk inclination")
NOT_FAST: Final = Threshold(
    1.9, 1.9, "leg lengths/s of peak speed", "faster may be a run, whose strides leave the ground"
)
RUN_LEGS: Final = Threshold(1.0, 1.0, "m/s of the ankles in the body's frame", "a run on the spot moves them faster")
RUNS: Final = Threshold(2.3, 1.7, "leg lengths/s of peak speed", "as TRAVEL_SPEED; a brisk walk reaches 1.7")

# Turning.
TURNED: Final = Threshold(
    35.0, 15.0, "degrees", "a walk swings the trunk by up to 15; `measure` counts turns from 30 on"
)
CLEAR_TURN: Final = Threshold(45.0, 45.0, "degrees", "a smaller turn may be counted or not")
BETWEEN_SMALL_ANGLES: Final = Threshold(
    13.0, 13.0, "degrees from 0, 45 or 90", "nearer to the middle of two angles, both are as right"
)
BETWEEN_ANGLES: Final = Threshold(27.0, 27.0, "degrees from 180, 270 or 360", "as for the small angles")
CAPTION_TURN: Final = Threshold(40.0, 12.0, "degrees", "a caption names only a turn that nobody overlooks")
SAME_FACING: Final = Threshold(
    20.0, 65.0, "degrees between start and end", "a quarter turn is another facing, a swing is not"
)

# Hands and arms.
RAISED_HAND: Final = Threshold(
    0.12,
    -0.04,
    "m of the wrist above its shoulder",
    "a wrist is 10 cm thick with its hand; hands at chest height stay below",
)
HAND_OVER_HEAD: Final = Threshold(
    0.32, 0.1, "m of the wrist above its shoulder", "the crown lies .3 m above the shoulders"
)
HIGHER_HAND: Final = Threshold(0.2, 0.04, "m between the wrists", "less than a wrist's thickness is level")
COMPARABLE_HANDS: Final = Threshold(
    -0.1, -0.1, "m of the higher wrist above its shoulder", "hanging hands are not compared"
)
FIRST_HAND: Final = Threshold(
    0.35, 0.12, "s between the raises", "people perceive order from a third of a second on in plain view"
)
ARMS_MIRRORED: Final = Threshold(
    0.12, 0.28, "arm lengths between mirrored arms", "arms that swing in turn a little are near too"
)
ARMS_COMPARED: Final = Threshold(0.3, 0.3, "m/s of the faster arm", "hanging arms are not compared")
BOTH_ARMS_MOVE: Final = Threshold(0.2, 0.2, "m/s of the slower arm", "arms that do the same both move")

# Activity of limbs: mean speed of the end joint in the body's own frame.
LIMB_MOVES: Final = Threshold(0.4, 0.12, "m/s", "sensors and sway give up to .1; a slow wave .4")
MOVING_LIMB: Final = Threshold(0.15, 0.15, "m/s", "below it two limbs are compared by noise")
ARMS_OR_LEGS: Final = Threshold(
    0.2, 0.1, "m/s", "the more active of two pairs of limbs moves at least this fast; a tenth is hardly moving"
)
MORE_ACTIVE: Final = Threshold(1.5, 1.12, "ratio of two speeds", "half as fast again is seen; an eighth is not")
MUCH_MORE_ACTIVE: Final = Threshold(
    1.6, 1.6, "ratio of two speeds", "arms and legs differ in length: their ratio must be larger"
)
MOST_ACTIVE: Final = Threshold(1.35, 1.35, "ratio to the next limb", "the most active of four limbs leads by a third")
QUIET_LIMB: Final = Threshold(0.1, 0.1, "m/s", "the limit of sensors")
ONLY_LIMB: Final = Threshold(3.0, 3.0, "ratio of two speeds", "the other limb did it")
ONE_ARM_REPEATS: Final = Threshold(2.0, 2.0, "ratio to the other arm's speed", "the other arm only follows")

# Places of a hand: height as a share of the distance from the pelvis (0) up to the shoulder (1), reach in torsos.
HAND_PLACES: Final[dict[str, tuple[float, float]]] = {
    "chest": (0.45, 1.1),
    "waist": (-0.1, 0.45),
    "shoulder level": (0.7, 1.3),
    "side": (-INFINITY, 0.25),
    "head": (1.1, INFINITY),
}
STRETCHED_ARM: Final = Threshold(0.75, 0.5, "torsos from shoulder to wrist, level", "an arm is 1.1 torsos long")
BEFORE_TRUNK: Final = Threshold(0.3, 0.3, "arm lengths in front of the neck", "a hanging arm swings by less")
OVER_CROWN: Final = Threshold(0.2, 0.2, "torsos above the head joint", "the crown lies .2 torsos above it")
KEPT: Final = Threshold(0.6, 0.6, "share of the time", "a place of the hands, or a posture, that is kept")
KEPT_LONG: Final = Threshold(0.85, 0.85, "share of the time", "the rest is a moment at the start or the end")
RAISED_TIME: Final = Threshold(0.5, 0.5, "s", "a shorter raise may be a few misplaced frames")
RAISE_HELD: Final = Threshold(0.4, 0.4, "s", "a shorter raise has no length that people would name")
IN_VIEW: Final = Threshold(0.8, 0.8, "share of the frames", "without a trunk in view, arms must be there for most")
TRUNK_SEEN: Final = Threshold(0.5, 0.5, "share of the frames", "half of them give a median")

# Legs, trunk and posture.
HIGHER_FOOT: Final = Threshold(0.2, 0.025, "leg lengths between the ankles", "a lifted foot clears the other ankle")
LIFTED_FEET: Final = Threshold(0.25, 0.25, "leg lengths above the floor", "feet on the floor are not compared")
KICK_SPEED: Final = Threshold(
    3.4, 2.3, "leg lengths/s of the ankle against the pelvis", "kicks reach 4 to 6; a leg is lifted aside at 1 to 3"
)
FULL_TURN: Final = Threshold(330.0, 330.0, "degrees", "a full turn ends within a step's width of where it began")
KNEE_BENT: Final = Threshold(
    60.0, 25.0, "degrees of flexion", "a swinging leg in a walk reaches 60, a standing one 10 to 20"
)
MORE_BENT_KNEE: Final = Threshold(30.0, 5.0, "degrees between the knees", "5 is the error of marker-based angles")
COMPARABLE_KNEES: Final = Threshold(35.0, 35.0, "degrees of the more bent knee", "straight knees are not compared")
TRUNK_LEANS: Final = Threshold(30.0, 18.0, "degrees from upright", "a brisk walk leans by up to 15")
TRUNK_BENDS: Final = Threshold(55.0, 25.0, "degrees from upright", "reaching the knees takes 50 to 60")
MAY_BEND: Final = Threshold(45.0, 45.0, "degrees from upright", "more may be the bow that a label left out")
TRUNK: Final = Scale(
    {"upright": (-1.0, 18.0), "leaning": (30.0, 50.0), "bent far over": (62.0, INFINITY)},
    "degrees from upright",
    "as the two above",
)
LEVEL_TRUNK: Final = Threshold(60.0, 35.0, "degrees from upright, in the image plane", "one camera foreshortens a lean")
STANDING_HEIGHT: Final = Threshold(
    1.3, 0.9, "torsos of the pelvis over the lower ankle, in the image plane", "1.7 when standing, .8 on a chair"
)
ACROSS: Final = Threshold(1.0, 0.5, "torsos across the image", "like TRAVELS: a standing leg is 1.7 torsos long")
NEARER: Final = Threshold(
    1.35, 1.12, "ratio of the body's sizes at start and end", "keypoints give a size to a tenth; a third is an approach"
)
KNEES_ASIDE: Final = Threshold(0.06, 0.06, "torsos off the line of hip and ankle", "straight legs show no side")
SEEN_KEYPOINT: Final = Threshold(0.3, 0.3, "confidence, 0..1", "detectors score a keypoint they guess lower")
GOES_LOW: Final = Threshold(
    0.62, 0.82, "share of the standing height of the pelvis", "a chair's height is .6, a lunge .75"
)
ONE_LEG: Final = Threshold(
    0.9, 0.35, "s", "a stride stands on one leg for .4 s (single support, Perry & Burnfield 2010)"
)
POSTURE_HELD: Final = Threshold(0.4, 0.0, "s", "shorter is a pass through it")
POSTURE_EDGE: Final = Threshold(0.35, 0.35, "s", "a shorter posture at start or end is a cut")
POSTURE_MAIN: Final = Threshold(0.75, 0.75, "share of the time", "three quarters of the time name the whole")
POSTURE_SURE: Final = Threshold(0.3, 0.3, "certainty of `postures`, 0..1", "below it two postures fit alike")
LIES_LONG: Final = Threshold(0.5, 0.5, "s", "shorter is a roll over one side")
OFF_FEET: Final = Threshold(0.5, 0.5, "s not on the feet", "shorter may be a deep crouch")

# Events.
CLEAR_JUMP: Final = Threshold(0.08, 0.08, "m of the pelvis's rise", "a running stride rises by 5 to 8 cm")
PLAUSIBLE_JUMP: Final = Threshold(
    0.6, 0.6, "m of the pelvis's rise", "athletes reach .5; more is a leap off something or a sensor's fault"
)
BETWEEN_TENS: Final = Threshold(
    3.5, 3.5, "cm from a multiple of ten", "nearer to the middle of two tens, both are as right"
)
DROPS: Final = Threshold(
    0.9,
    0.9,
    "m/s of the sinking pelvis",
    "sitting down stays below; falls reach 1.5 and more (Bourke 2008 detects them at 1.3)",
)
GROUNDED: Final = Threshold(0.95, 0.95, "share of the time with a foot down", "the rest is missed contacts")
REPEATS: Final = Threshold(
    0.7, 0.6, "regularity of `repetitions`, 0..1", "autocorrelation of the movement with its period"
)
CYCLE_SHOWN: Final = Threshold(0.35, 0.35, "s a cycle", "shorter cycles are shaking, at the limit of 20 frames/s")
CYCLE_LASTS: Final = Threshold(
    0.6, 0.6, "share of the time", "a part that repeats for less does not give the clip its tempo"
)
WALKED_PATH: Final = Threshold(1.0, 1.0, "m of path", "legs that repeat along a path are steps, not an exercise")
LONG_CLIP: Final = Threshold(1.5, 1.5, "s", "a shorter clip has no beginning, middle and end")
AFTER_START: Final = Threshold(
    0.2, 0.2, "s from the clip's edge", "earlier, an event may have begun before the recording"
)
WHOLE_EVENT: Final = Threshold(
    0.1, 0.1, "s from the clip's edge", "two frames inside the clip show both ends of an event"
)
ONE_EVENT: Final = Threshold(6.0, 6.0, "s of the clip", "a longer clip may hold a movement twice without a rhythm")
BRIEF_EVENT: Final = Threshold(0.5, 0.5, "share of the time", "a longer event does not happen in one third of the clip")
NEAR_THIRD: Final = Threshold(
    0.07, 0.07, "share of the time from the limit of two thirds", "a 15th of the clip either way"
)
LONGER_ACTION: Final = Threshold(1.35, 1.35, "ratio of two durations", "a third longer is noticed")
LONGER_BY: Final = Threshold(0.5, 0.5, "s", "cuts between actions are known to a quarter of a second")

# Watching: what a camera tells about a person over seconds.
LYING_TRUNK: Final = Threshold(
    0.5, 0.7, "vertical share of the trunk", "a trunk 60 degrees from upright; sitting back is up to 40"
)
LYING_HEIGHT: Final = Threshold(
    0.5, 0.6, "body lengths of the neck over the ankles", "a bent body standing has .6 and more, a lying one .1"
)
UP_AGAIN: Final = Threshold(
    0.75, 0.7, "vertical share of the trunk", "a trunk within 40 degrees of upright: sitting up, kneeling, standing"
)
UP_FOR: Final = Threshold(1.0, 1.0, "s", "a body that is thrown about, or a detector, is upright for less")
UP_ALONE_FOR: Final = Threshold(
    10.0, 10.0, "s", "a detector gives who gets up a new number; whoever is up alone for so long has seen to it"
)
MOVES: Final = Threshold(
    0.08, 0.08, "body lengths between median places a second long", "detectors wander by .03, breathing moves .02"
)
STILL_FOR: Final = Threshold(3.0, 3.0, "s", "people pause for a second or two in whatever they do")
IN_BED_FOR: Final = Threshold(5.0, 5.0, "s", "whoever walks past a bed is over it for less")
OUT_OF_BED_FOR: Final = Threshold(2.0, 2.0, "s", "whoever turns over in bed is beyond its edge for less")
WAVES: Final = Threshold(
    3.0, 2.0, "swings in 2.5 s", "hands swing to and fro once or twice a second; a gesture has one or two swings"
)
WAVE_EVEN: Final = Threshold(
    2.5, 2.5, "ratio of the longest to the shortest swing", "a wave keeps its time; three frames of 20 a second blur it"
)
WAVE_SWING: Final = Threshold(0.12, 0.12, "arm lengths of one swing", "a still hand trembles by less in a detector")

DIRECTIONS: Final = ("forward", "left", "backward", "right")
"""Names of the quarters, counter-clockwise from where the body faces."""
SEEN: Final = Threshold(0.05, 0.05, "mean probability", "of 1,000 classes; lower, the names of real videos are chance")
PARTS: Final = ("beginning", "middle", "end")
"""Names of the thirds of a recording."""


def quarter(angle: float) -> str:
    """Name the quarter of a direction, degrees to the left of where the body faces."""
    return DIRECTIONS[round(angle / 90.0) % 4]


def direction_class(distance: float, angle: float, leg: float) -> str | None:
    """Name the direction of a displacement, or 'in place'; None in the dead zones of length and angle.

    Args:
        distance: m over the ground.
        angle: degrees to the left of where the body faces.
        leg: leg length, m.
    """
    travels = TRAVELS.decide(distance / leg)
    if travels is None:
        return None
    if not travels:
        return "in place"
    return quarter(angle) if SECTOR.decide(abs((angle + 45.0) % 90.0 - 45.0)) else None


def displacement_class(facts: Facts) -> str | None:
    """Name the direction of the displacement from the facing direction at the start, or 'in place'."""
    if facts.displacement is None or facts.leg_length is None or facts.displacement_angle is None:
        return None
    return direction_class(facts.displacement, facts.displacement_angle, facts.leg_length)


def moves_away(facts: Facts) -> bool | None:
    """Decide whether the body ends at another place than it started."""
    if facts.displacement is None or facts.leg_length is None:
        return None
    return TRAVELS.decide(facts.displacement / facts.leg_length)


def speed_class(facts: Facts) -> str | None:
    """Name the mean speed over the ground: 'still', 'slow', 'walking' or 'running'."""
    if facts.mean_speed is None or facts.path_length is None or facts.leg_length is None:
        return None
    if STAYS_ON_PATH.decide(facts.path_length / facts.leg_length) is False:
        return "still"
    return TRAVEL_SPEED.name(facts.mean_speed / facts.leg_length)


def pace_change(facts: Facts) -> str | None:
    """Compare the speeds of the halves: 'speeds up', 'slows down' or 'keeps its pace'; None if slow or in between."""
    if facts.path is None or facts.leg_length is None or LONG_CLIP.decide(facts.duration) is False:
        return None
    first, second = facts.path.half_speed
    if not PACE_MEASURED.decide(max(first, second) / facts.leg_length):
        return None
    ratio = second / max(first, 1e-3)
    changes = PACE_CHANGES.decide(max(ratio, 1.0 / max(ratio, 1e-9)))
    if changes is None:
        return None
    return ("speeds up" if ratio > 1 else "slows down") if changes else "keeps its pace"


def sideways(facts: Facts) -> float | None:
    """Measure the sideways part of the displacement, m to the left of the facing direction at the start."""
    if facts.displacement is None:
        return None
    return facts.displacement * math.sin(math.radians(facts.displacement_angle or 0.0))


def turn_class(facts: Facts) -> str | None:
    """Name the net turn: 'left', 'right', 'none' or 'both' (turns both ways); None in the dead zone."""
    if facts.net_turn is None or facts.turns is None:
        return None
    sides = {side_of(turn.degrees) for turn in facts.turns}
    turned = TURNED.decide(abs(facts.net_turn))
    if turned is False and not sides:
        return "none"
    if len(sides) == 2:
        return "both"
    return side_of(facts.net_turn) if turned else None


def side_of(degrees: float) -> str:
    """Name the side of a turn or angle: positive is to the left (counter-clockwise from above)."""
    return "left" if degrees > 0 else "right"


def raised_hand(facts: Facts, side: str) -> bool | None:
    """Decide whether a hand is raised at some time; None in the dead zone and for an unseen arm."""
    raised = RAISED_HAND.decide(facts.hand_height.get(side))
    return None if raised and all(each.side != side for each in facts.raised_hands) else raised


def more_of_two(left: float, right: float) -> str | None:
    """Name the larger of two activities of a left and a right limb: 'left', 'right' or 'both' for alike.

    Args:
        left, right: m/s; None is returned where neither moves and in the dead zone.
    """
    if not max(left, right) >= MOVING_LIMB.yes:
        return None
    ratio = left / max(right, 1e-3)
    if MORE_ACTIVE.decide(ratio):
        return "left"
    if MORE_ACTIVE.decide(1.0 / max(ratio, 1e-9)):
        return "right"
    return "both" if MORE_ACTIVE.decide(max(ratio, 1.0 / max(ratio, 1e-9))) is False else None


def arms_or_legs(facts: Facts) -> str | None:
    """Name the pair of limbs that moves more: 'arms' or 'legs'; None if they are close or not seen."""
    speeds = facts.limb_activity
    if any(f"{side} {limb}" not in speeds for side in ("left", "right") for limb in ("arm", "leg")):
        return None
    arms, legs = (max(speeds[f"left {limb}"], speeds[f"right {limb}"]) for limb in ("arm", "leg"))
    if not ARMS_OR_LEGS.decide(max(arms, legs)):
        return None
    if MUCH_MORE_ACTIVE.decide(arms / max(legs, 1e-9)):
        return "arms"
    return "legs" if MUCH_MORE_ACTIVE.decide(legs / max(arms, 1e-9)) else None


def falls(facts: Facts) -> bool | None:
    """Decide whether the body falls; None if the pelvis drops fast without staying down, and in 2D if none is seen."""
    if facts.falls is None or facts.peak_drop_speed is None:
        return True if facts.fallen() else None
    return True if facts.falls else False if DROPS.decide(facts.peak_drop_speed) is False else None


def jumps(facts: Facts) -> bool | None:
    """Decide whether the body jumps; None if every flight is as low as a running stride's."""
    if facts.jumps is None:
        return None
    highest = max((jump.height for jump in facts.jumps), default=None)
    return False if highest is None else CLEAR_JUMP.decide(highest) or None


def steps_countable(facts: Facts) -> bool | None:
    """Decide whether steps can be counted: True for a walk, False for standing, None between."""
    if facts.steps is None or facts.mean_speed is None or facts.leg_length is None or facts.path_length is None:
        return None
    if STRIDES.decide(facts.mean_speed / facts.leg_length) and len(facts.steps) >= 2:
        return True
    still = NO_STEP.decide(facts.path_length / facts.leg_length) is False and not facts.steps
    return False if still else None


def repeats_steps(facts: Facts) -> bool:
    """Test whether the repetitions are the strides of a walk, which a question about repetitions does not mean."""
    again = facts.repetitions
    return again is not None and "leg" in again.limb and bool(WALKED_PATH.decide(facts.path_length or 0.0))


def third_of(start: float, end: float, duration: float) -> str | None:
    """Name the third of a recording in which an event happens: 'beginning', 'middle' or 'end', else None.

    Args:
        start, end: of the event, s.
        duration: of the recording, s.
    """
    if not LONG_CLIP.decide(duration) or BRIEF_EVENT.decide((end - start) / duration) is not False:
        return None
    middle = (start + end) / 2.0 / duration
    if not NEAR_THIRD.decide(min(abs(middle - 1 / 3), abs(middle - 2 / 3))):
        return None
    return PARTS[min(2, int(middle * 3))]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Compare a stated quantity with the measured one: near it agrees, far from it contradicts, between neither.

    Attributes:
        near, far: least distances, in `unit`.
        near_share, far_share: distances as a share of the measured value; the larger of the two counts.
        unit: unit of `near` and `far`.
        why: the reason for the numbers.
    """

    near: float
    far: float
    near_share: float
    far_share: float
    unit: str
    why: str

    def bounds(self, value: float) -> tuple[float, float]:
        """Compute the distances within which a statement agrees and beyond which it contradicts."""
        return max(self.near, self.near_share * value), max(self.far, self.far_share * value)


# Quantities that an answer states.
DISTANCE_TOLERANCE: Final = Tolerance(
    0.35, 0.6, 0.15, 0.25, "m", "people round to half a metre, long distances to metres"
)
SPEED_TOLERANCE: Final = Tolerance(0.2, 0.2, 0.25, 0.25, "m/s", "mean and peak speed are both called the speed")
ANGLE_TOLERANCE: Final = Tolerance(25.0, 40.0, 0.0, 0.0, "degrees", "people name eighths of a turn")
STEPS_TOLERANCE: Final = Tolerance(1.0, 1.0, 0.15, 0.15, "steps", "the first and the last step are counted or not")
JUMP_TOLERANCE: Final = Tolerance(0.12, 0.24, 0.3, 0.6, "m", "pelvis, head and feet rise by different heights")
EXACT: Final = Tolerance(0.0, 0.0, 0.0, 0.0, "jumps or turns", "each stands alone")
COUNT_TOLERANCE: Final = Tolerance(0.0, 1.0, 0.0, 0.0, "repetitions", "one that is cut off is counted or not")
FAST_COUNT_TOLERANCE: Final = Tolerance(1.0, 2.0, 0.0, 0.0, "fast repetitions", "the eye loses one")
