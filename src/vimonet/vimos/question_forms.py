"""Declare every question form once: style, share, needs, right answers under the controls, what an answer denies.

    declare("turn_count", "direction", needs=("depth", "legs"), reversed=SAME, frozen="0", denies={"0": "turn"})

A form of one's own is one declaration that brings its wordings and its generator along::

    declare("hand_speed", "speed", frozen="0", wordings={"seen": [...], "unseen": [...]}, ask=questions_of_facts)

The annotators, the builders, training, the label check and the benchmark's controls read what is declared here. The
wordings of the package's own forms are data and stand in wordings.yaml under the form's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, ParamSpec

from vimonet.motion.kinematics.categories import TURNED
from vimonet.vimos.action_labels import participle

if TYPE_CHECKING:
    from vimonet.motion.kinematics import Facts
    from vimonet.vimos.types import Question

SAME: Final = "="
"""The right answer stays as it is."""
MIRRORED: Final = "<>"
"""The right answer names the other side."""

Change = Callable[[str, str, Mapping[str, Any]], str | None]
"""(normalised answer, event, evidence) -> right answer on the changed motion, SAME, MIRRORED, or None: unknown."""


Fields = ParamSpec("Fields")


@dataclass(frozen=True, slots=True)
class QuestionForm:
    """Hold what is known of a question form.

    Attributes:
        name: in records, `form`.
        style: of the benchmark (sequence, direction, body_part, reasoning, hallucination), or a further one.
        weight: how often it is asked in training, relative to the others.
        needs: 'depth' where one camera does not show the answer (metres, small turns, ways along the line of sight),
            'side' where the answer names a side, so that left and right of the source must be trusted, 'legs' where
            trunk and arms alone do not tell.
        reversed, frozen: right answer on the motion played backwards, and with its first pose held: an answer, SAME,
            MIRRORED, a function, or None where it does not follow. Mirrored, a side becomes the other one in any form.
        denies: answer -> what it denies; a label that says so is believed, and the question is not asked.
        wordings: ``seen`` and ``unseen``; None: they stand in wordings.yaml.
        ask: makes its questions of measured facts, for a form that no module of `annotators.kinematic` makes.
    """

    name: str
    style: str
    weight: float = 0.5
    needs: tuple[str, ...] = ("legs",)
    reversed: str | Change | None = None
    frozen: str | Change | None = None
    denies: Mapping[str, str] = field(default_factory=dict)
    wordings: Mapping[str, list[str]] | None = None
    ask: Callable[[Facts], Iterator[Question]] | None = None


FORMS: dict[str, QuestionForm] = {}
"""Every declared form by name."""


def _declared(make: Callable[Fields, QuestionForm]) -> Callable[Fields, QuestionForm]:
    """Keep every form that `make` makes in `FORMS`; the type checker sees the arguments of `make`."""

    def declare(*args: Fields.args, **settings: Fields.kwargs) -> QuestionForm:
        form = make(*args, **settings)
        FORMS[form.name] = form
        return form

    return declare


declare: Final = _declared(QuestionForm)
"""Declare a question form; arguments as the fields of :class:`QuestionForm`."""


def style_of(form: str) -> str:
    """Name the style of a form."""
    return FORMS[form].style


def needs(form: str, what: str) -> bool:
    """Tell whether a form needs 'depth', 'side' or 'legs'; a form that is not declared needs nothing but legs."""
    return what in FORMS[form].needs if form in FORMS else what == "legs"


def needs_no_legs(form: str, do: str = "") -> bool:
    """Tell whether trunk and arms alone give the answer; `do` is what a question of yes or no asks about."""
    if form == "fact_yes_no":
        return do.startswith(("move", "turn", "raise", "bend"))
    return not needs(form, "legs")


def changed_answer(form: str, control: str, answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    """Derive the right answer on the reversed or frozen motion: an answer, SAME, MIRRORED, or None: unknown.

    Args:
        form: name; one that is not declared has no answer.
        control: ``reversed`` or ``frozen``.
        answer: to the motion as recorded, normalised.
        event: what the form asks about ("turn" in ``when:turn``).
        evidence: what the answer rests on.
    """
    if form not in FORMS:
        return None
    rule = FORMS[form].reversed if control == "reversed" else FORMS[form].frozen
    return rule(answer, event, evidence) if callable(rule) else rule


_EVENTS = ("turn", "jump", "fall", "turn to the left", "turn to the right", "move backward", "move to another place")
_ONE_WAY = ("sit", "stand", "lie", "get up", "fall", "pick", "put", "throw", "catch", "kneel", "crouch", "climb")
"""Beginnings of actions that played backwards are another action (or, like a throw, none)."""
_WAYS = frozenset(("forward", "forwards", "backward", "backwards", "turn", "spin", "clockwise", "counterclockwise"))
"""Words of actions that are named after a way, which turns around."""
_EXCHANGED = {"before": "after", "after": "before", "yes": "no", "no": "yes"}
_WHEN = {"at beginning": "at the end", "at end": "at the beginning", "in middle": "in the middle"}
"""Keys as normalised: without articles."""
_PACE = {"speeds up": "slows down", "slows down": "speeds up", "keeps its pace": "keeps its pace"}


def _pace_reversed(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    return _PACE.get(answer)


def _when_reversed(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    return _WHEN.get(answer) if event in ("turn", "raise a hand", "jump") else None


def _third_reversed(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    return _WHEN.get(answer)


def _fact_reversed(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    if event in ("turn", "jump", "move to another place", "bend over"):
        return SAME
    turned = evidence.get("net_turn_deg")
    if event in ("turn to the left", "turn to the right") and isinstance(turned, (int, float)):
        sign = 1 if event.endswith("left") else -1
        return "yes" if TURNED.decide(-sign * turned) else "no"
    return None


def _fact_frozen(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    return "no" if event in _EVENTS else None


def _reversible(evidence: Mapping[str, Any]) -> list[str]:
    """List the actions in order where each is the same action backwards; empty where one is not."""
    actions = [str(part[0]) for part in evidence.get("parts", ())]
    one_way = any(a.startswith(_ONE_WAY) or _WAYS & set(a.split()) for a in actions)
    return [] if len(actions) < 2 or one_way else actions


def _order_reversed(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    return _EXCHANGED.get(answer) if _reversible(evidence) else None


def _first_reversed(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    actions = _reversible(evidence)
    return participle(actions[-1]) if actions else None


def _last_reversed(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    actions = _reversible(evidence)
    return participle(actions[0]) if actions else None


def _turn_reversed(evidence: Mapping[str, Any], index: int) -> str | None:
    turns = evidence.get("turns")
    return ("right" if float(turns[index][0]) > 0 else "left") if turns else None


def _first_turn_reversed(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    return _turn_reversed(evidence, -1)


def _last_turn_reversed(answer: str, event: str, evidence: Mapping[str, Any]) -> str | None:
    return _turn_reversed(evidence, 0)


# sequence
declare("first", "sequence", 5.0, reversed=_first_reversed)
declare("last", "sequence", 5.0, reversed=_last_reversed)
declare("after", "sequence", 4.0)
declare("before", "sequence", 4.0)
declare("order", "sequence", 5.0, reversed=_order_reversed)
declare("order_yes_no", "sequence", 5.0, reversed=_order_reversed)
declare("second_action", "sequence", 1.5)
declare("third_action", "sequence", 1.5)
declare("between", "sequence", 1.5)
declare("last_of_two", "sequence", 2.0)
declare("first_of_two", "sequence", 3.0)
declare("longer_action", "sequence")
declare("posture_change", "sequence")
# direction
declare("displacement", "direction", 3.5, needs=("side",), frozen="stays in place")
declare("distance", "direction", 2.5, needs=("depth", "legs"), reversed=SAME, frozen="stays in place")
declare("turn", "direction", 2.5, needs=("side",), reversed=MIRRORED, frozen="does not turn")
declare("turn_amount", "direction", 2.0, needs=("depth", "side", "legs"), reversed=MIRRORED, frozen="does not turn")
declare("sideways_drift", "direction", needs=("depth", "side", "legs"), frozen="neither side")
declare("returns", "direction", needs=("depth", "legs"))
declare("path_length", "direction", needs=("depth", "legs"), reversed=SAME)
declare("first_half", "direction", 0.5, needs=("side",), frozen="stays in place")
declare("second_half", "direction", 0.5, needs=("side",), frozen="stays in place")
declare("same_facing", "direction", needs=("depth", "legs"), reversed=SAME, frozen="yes")
declare("turns_both_ways", "direction", needs=("depth", "legs"), reversed=SAME, frozen="no")
declare("first_turn", "direction", needs=("side",), reversed=_first_turn_reversed)
declare("last_turn", "direction", needs=("side",), reversed=_last_turn_reversed)
# body_part
declare("raised_hand", "body_part", 2.0, needs=("side",))
declare("more_active_arm", "body_part", 2.0, needs=("side",), reversed=SAME)
declare("more_active_leg", "body_part", 0.8, needs=("side", "legs"), reversed=SAME)
declare("arms_or_legs", "body_part", 0.5, reversed=SAME)
declare("limb_moves", "body_part", 0.2, needs=("side", "legs"), reversed=SAME, frozen="no")
declare("higher_hand", "body_part", needs=("side",), reversed=SAME)
declare("hand_over_head", "body_part", needs=(), reversed=SAME, denies={"no": "reach"})
declare("first_hand_up", "body_part", needs=("side",))
declare("arms_alike", "body_part", needs=(), reversed=SAME)
declare("most_active_limb", "body_part", needs=("side", "legs"), reversed=SAME)
declare("repeated_limb", "body_part", needs=("side", "legs"), reversed=SAME)
declare("higher_foot", "body_part", needs=("side", "legs"), reversed=SAME)
declare("more_bent_knee", "body_part", needs=("side", "legs"), reversed=SAME)
declare("first_step", "body_part", needs=("side", "legs"))
# reasoning
declare("yes_no", "reasoning", 2.5)
declare("fact_yes_no", "reasoning", 1.5, needs=(), reversed=_fact_reversed, frozen=_fact_frozen)
declare("leaves_circle", "reasoning", needs=("depth", "legs"), frozen="no")
declare("danger", "reasoning", frozen="no", denies={"no": "fall"})
declare("both_feet_off", "reasoning", reversed=SAME, frozen="no", denies={"no": "jump"})
declare("one_leg", "reasoning", reversed=SAME)
declare("repeated", "reasoning", reversed=SAME, frozen="no", denies={"no": "repeat"})
declare("holds_still", "reasoning", reversed=SAME, frozen="yes", denies={"yes": "move"})
declare("activity", "reasoning", 0.8)
declare("choice", "reasoning", 1.2)
# hallucination
declare("unknowable", "hallucination", 0.3, needs=(), reversed=SAME, frozen=SAME)
declare("choice_or_none", "hallucination", 1.5)
declare("not_happening", "hallucination", 1.5)
declare("at_beginning", "hallucination", 1.5)
declare("at_end", "hallucination", 1.5)
declare("used_hand", "hallucination", 1.6, needs=("side", "legs"))
declare("when_or_never", "hallucination", 1.0)
# count
declare("count", "count", 12.0)
declare("count_named", "count", 8.0)
declare("steps", "count", 9.0, frozen="0")
declare("turn_count", "count", 0.8, needs=("depth", "legs"), reversed=SAME, frozen="0", denies={"0": "turn"})
declare("raise_count", "count", 1.0, needs=(), reversed=SAME, denies={"0": "raise"})
declare("jump_count", "count", 1.0, reversed=SAME, frozen="0", denies={"0": "jump"})
declare("jump_again", "count", reversed=SAME, frozen="no")
declare("turn_again", "count", needs=("depth", "legs"), reversed=SAME, frozen="no")
declare("action_number", "count", 0.6, reversed=SAME)
declare("jump_height", "count", needs=("depth", "legs"))
# duration
declare("duration", "duration", 0.8, reversed=SAME, frozen=SAME)
declare("hand_up_time", "duration", 1.0, needs=("side",), reversed=SAME)
declare("posture_time", "duration")
declare("turn_time", "duration", 0.6, needs=(), reversed=SAME)
declare("cycle_time", "duration", reversed=SAME)
declare("part_time", "duration", 0.6)
# speed
declare("speed", "speed", 1.2, reversed=SAME, frozen="does not travel")
declare("pace_change", "speed", reversed=_pace_reversed)
declare("top_speed", "speed", needs=("depth", "legs"), reversed=SAME)
# posture
declare("posture_start", "posture", 1.0, frozen=SAME)
declare("posture_end", "posture", 1.0)
declare("posture", "posture", 0.4)
declare("lying_side", "posture", needs=("side", "legs"))
declare("stays_on_feet", "posture", denies={"yes": "low"})
declare("torso", "posture", 0.8)
declare("goes_low", "posture", reversed=SAME, denies={"no": "low"})
# timing
declare("when", "timing", 1.5, reversed=_when_reversed)
declare("start_second", "timing", 0.8)
declare("end_second", "timing", 0.8)
declare("part_start", "timing", 0.8)
declare("part_end", "timing", 0.8)
# caption
declare("caption", "caption", 1.2)
# action
declare("action", "action", 10.0)
declare("action_of_kind", "action", 3.0)
# ---- what people ask: labels in everyday forms, facts by yes or no, and declined forms
declare("near_yes_no", "reasoning", 5.0)
declare("fact_check", "reasoning", 2.0, needs=("side", "legs"))
declare("side_check", "reasoning", 1.2, needs=("side", "legs"))
declare("either_or", "reasoning", 2.0)
declare("false_premise", "hallucination", 0.8, needs=("side", "legs"))
declare("why_action", "hallucination", 0.4)
declare("list_actions", "sequence", 1.0)
declare("takes_longest", "sequence", 0.4)
declare("timeline", "timing", 0.8)
declare("at_time", "timing", 0.6)
declare("describe_for_blind", "caption", 0.4)
declare("how_to", "caption", 0.4)
for _form in ("sport_or_everyday", "which_sport", "which_exercise", "dance_style", "held_object"):
    declare(_form, "action", 0.4)
declare("fight", "hallucination", 0.4)
for _form in (
    *("age", "gender", "emotion", "intention", "thoughts", "identity", "weather", "place", "indoors_outdoors"),
    *("scene_objects", "clothes_colour", "calories", "tired", "injured", "diagnosis", "safe", "skill_level"),
    *("interaction", "taller", "on_the_beat", "load_weight", "body_weight", "fall_cause", "suspicious"),
    *("real_or_synthetic", "compare_clips", "next_action", "off_topic", "other_language"),
    *("help", "small_talk", "people_count"),
):
    declare(_form, "hallucination", 0.3, needs=(), reversed=SAME, frozen=SAME)
declare("camera_direction", "hallucination", 0.4, needs=("depth",), reversed=SAME, frozen=SAME)

# gait, path, moments, falls, the recording (annotators.kinematic.gait_questions and moment_questions)
declare("cadence", "count", 0.5, reversed=SAME, frozen="there are no steps", denies={"there are no steps": "walk"})
declare("tempo_steady", "speed", reversed=SAME)
for _form in ("step_length", "step_width"):
    declare(
        _form,
        "count",
        0.4,
        needs=("depth", "legs"),
        reversed=SAME,
        frozen="there are no steps",
        denies={"there are no steps": "walk"},
    )
declare("limp", "reasoning", needs=("depth", "legs"), denies={"no": "limp"})
declare("movement_symmetry", "reasoning", needs=("depth", "legs"), reversed=SAME, denies={"yes": "limp"})
declare("left_right_count", "count", needs=("side", "legs"), reversed=SAME)
declare("stance_width", "posture", needs=("depth", "legs"), reversed=SAME)
declare("front_foot", "body_part", needs=("depth", "side", "legs"), reversed=SAME)
declare("balance_steady", "reasoning", needs=("depth", "legs"), reversed=SAME)
declare("standing_leg", "body_part", needs=("side", "legs"), reversed=SAME)
declare("one_leg_time", "duration", reversed=SAME)
declare("on_the_spot", "direction", 0.4, needs=("depth", "legs"), frozen="on the spot")
declare("farthest_from_start", "direction", needs=("depth", "legs"), frozen="stays in place")
declare("walk_pattern", "direction", 0.4, needs=("depth", "legs"), reversed=SAME, frozen="stays in place")
declare("speed_number", "speed", 4.0, needs=("depth", "legs"), reversed=SAME, frozen="does not travel")
declare("pauses", "reasoning", reversed=SAME)
declare("pause_time", "duration", reversed=SAME)
declare("fastest_moment", "timing", needs=("depth", "legs"))
declare("landing", "body_part", needs=("side", "legs"), frozen="there is no jump", denies={"there is no jump": "jump"})
declare(
    "takeoff_foot", "body_part", needs=("side", "legs"), frozen="there is no jump", denies={"there is no jump": "jump"}
)
declare("fall_time", "timing", frozen="there is no fall", denies={"there is no fall": "fall"})
declare("fall_direction", "direction", 0.4, needs=("side", "legs"), denies={"there is no fall": "fall"})
declare("head_hits", "reasoning", frozen="no", denies={"no": "fall"})
declare("gets_up_again", "reasoning", denies={"there is no fall": "fall"})
declare("sits_how_often", "count", reversed=SAME, denies={"0": "sit"})
declare("get_up_time", "duration", denies={"does not get up": "stand up"})
declare("floor_support", "posture", reversed=SAME)
declare("last_reps", "reasoning", needs=("depth", "legs"))
declare("loopable", "reasoning", needs=("depth", "legs"), reversed=SAME, frozen="yes")
declare("foot_slide", "reasoning", needs=("depth", "legs"), reversed=SAME)
declare("frames", "count", 0.15, needs=(), reversed=SAME, frozen=SAME)
declare("recording_quality", "reasoning", 0.15, needs=(), reversed=SAME)
declare("body_height", "count", 0.15, needs=("depth", "legs"), reversed=SAME, frozen=SAME)
# How the body is held: arms, hands, joints, legs, trunk, and the pose at a moment
declare("arms_position", "body_part", 0.8, needs=("side",), reversed=SAME)
declare("arms_during", "body_part", 0.6, needs=("side",))
declare("hands_together", "body_part", 0.4, needs=(), reversed=SAME)
declare("hand_to_body", "body_part", 0.4, reversed=SAME)
declare("which_hand_to_body", "body_part", 0.4, needs=("side", "legs"), reversed=SAME)
declare("hand_height", "body_part", 0.8, needs=("depth", "legs"), reversed=SAME)
declare("arm_straight", "body_part", 0.4, needs=("depth",), reversed=SAME)
declare("knee_straight", "body_part", 0.4, needs=("depth", "legs"), reversed=SAME)
declare("joint_angle", "body_part", 1.2, needs=("depth", "side", "legs"), reversed=SAME)
declare("range_of_motion", "body_part", 0.6, needs=("depth", "side", "legs"), reversed=SAME)
declare("which_joint_moves_most", "body_part", 0.4, needs=("side", "legs"), reversed=SAME)
declare("least_active_limb", "body_part", 0.4, needs=("side", "legs"), reversed=SAME)
declare("what_is_seen", "body_part", 0.2, needs=("side", "legs"), reversed=SAME, frozen=SAME)
declare("legs_position", "posture", 0.6, needs=("depth", "side", "legs"), reversed=SAME)
declare("squat_depth", "posture", 0.4, needs=("depth", "legs"), reversed=SAME)
declare("knee_caving", "posture", 0.4, needs=("depth", "legs"), reversed=SAME)
declare("knees_over_toes", "posture", 0.4, needs=("depth", "legs"), reversed=SAME)
declare("back_straight", "posture", 0.4, needs=("depth", "legs"), reversed=SAME)
declare("lean_side", "posture", 0.4, needs=("depth", "side", "legs"), reversed=SAME)
declare("trunk_lean", "body_part", 0.8, needs=("depth", "side", "legs"), reversed=SAME)
declare("used_leg", "body_part", 1.6, needs=("side", "legs"))
declare("hands_to_get_up", "reasoning", 0.4, needs=("depth", "legs"))
declare("action_way", "direction", 2.5, needs=("side", "legs"))
declare("looks_where", "direction", 0.4, needs=("depth", "legs"), reversed=SAME)
declare("technique_tip", "reasoning", 0.4, needs=("depth", "legs"), reversed=SAME)
declare("form_score", "reasoning", 0.4, needs=("depth", "legs"), reversed=SAME)
declare("effort", "speed", 0.4, reversed=SAME)
declare("manner", "speed", 0.4, needs=("depth", "legs"))
declare("change_at", "sequence", 0.6, needs=("depth", "side", "legs"))
declare("compare_halves", "sequence", 0.6, needs=("depth", "side", "legs"), frozen="they are alike")
declare("peak_of_jump", "timing")
declare("peak_of_hand", "timing", 0.6, needs=())
declare("lowest_moment", "timing", 0.8)
# Courses: which way hips, trunk and hands go, and when they are at their peak (annotators.kinematic.course_questions)
declare("peak_third", "timing", 2.0, needs=("side", "legs"), reversed=_third_reversed)
declare("peak_half", "timing", 1.5, needs=("side", "legs"))
declare("way_first", "direction", 0.8, needs=("side", "legs"))
declare("way_course", "direction", 1.2, needs=("side", "legs"))
declare("way_net", "direction", 1.2, needs=("side", "legs"))
declare("course_count", "count", 2.5, needs=("side", "legs"), reversed=SAME)
declare("hand_up_first", "body_part", 0.8, needs=("side",), frozen=SAME)
declare("hand_up_last", "body_part", 0.8, needs=("side",))
declare("posture_order", "sequence", 2.0)
declare("posture_end_of", "timing", 2.0)
