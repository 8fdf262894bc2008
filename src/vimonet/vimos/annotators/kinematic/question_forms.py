"""Every question form: its style, how often it is asked, and what one camera or an unknown side takes from it."""

from __future__ import annotations

_FORMS = {
    "sequence": (
        "first",
        "last",
        "after",
        "before",
        "order",
        "order_yes_no",
        "second_action",
        "third_action",
        "between",
        "last_of_two",
        "longer_action",
        "posture_change",
    ),
    "direction": (
        "displacement",
        "distance",
        "turn",
        "turn_amount",
        "sideways_drift",
        "returns",
        "path_length",
        "first_half",
        "second_half",
        "same_facing",
        "turns_both_ways",
        "first_turn",
        "last_turn",
    ),
    "body_part": (
        "raised_hand",
        "more_active_arm",
        "more_active_leg",
        "arms_or_legs",
        "limb_moves",
        "higher_hand",
        "hand_over_head",
        "first_hand_up",
        "arms_alike",
        "most_active_limb",
        "repeated_limb",
        "higher_foot",
        "more_bent_knee",
        "first_step",
    ),
    "reasoning": (
        "yes_no",
        "fact_yes_no",
        "leaves_circle",
        "danger",
        "both_feet_off",
        "one_leg",
        "repeated",
        "holds_still",
        "activity",
        "choice",
    ),
    "hallucination": (
        "unknowable",
        "choice_or_none",
        "not_happening",
        "at_beginning",
        "at_end",
        "used_hand",
        "when_or_never",
    ),
    "count": (
        "count",
        "steps",
        "turn_count",
        "raise_count",
        "jump_count",
        "jump_again",
        "turn_again",
        "action_number",
        "jump_height",
    ),
    "duration": (
        "duration",
        "hand_up_time",
        "posture_time",
        "turn_time",
        "cycle_time",
        "part_time",
    ),
    "speed": (
        "speed",
        "pace_change",
        "top_speed",
    ),
    "posture": (
        "posture_start",
        "posture_end",
        "posture",
        "lying_side",
        "stays_on_feet",
        "torso",
        "goes_low",
    ),
    "timing": (
        "when",
        "start_second",
        "end_second",
        "part_start",
        "part_end",
    ),
    "caption": ("caption",),
    "action": ("action",),
}

STYLES: dict[str, str] = {form: style for style, forms in _FORMS.items() for form in forms}
"""Form -> style: the five of the benchmark (sequence, direction, body_part, reasoning, hallucination), and further."""

_ESTABLISHED = {
    **{"action": 6.0, "caption": 1.2, "yes_no": 2.2, "fact_yes_no": 0.8, "limb_moves": 0.2},
    **{"displacement": 1.5, "distance": 0.5, "turn": 1.2, "turn_amount": 0.4, "speed": 1.2},
    **{"raised_hand": 1.5, "more_active_arm": 2.0, "more_active_leg": 0.8, "arms_or_legs": 0.3},
    **{"posture_start": 0.5, "posture_end": 0.5, "posture": 0.4},
    **{"count": 1.2, "steps": 1.5, "duration": 0.3, "when": 1.0},
    **{"first": 5.0, "last": 5.0, "after": 4.0, "before": 4.0, "order": 7.0, "order_yes_no": 5.0},
    **{"part_start": 0.5, "part_end": 0.5, "unknowable": 0.3},
    **{"choice": 0.8, "choice_or_none": 1.5, "not_happening": 1.5, "used_hand": 0.8},
    **{"at_beginning": 1.5, "at_end": 1.5},
    **{"second_action": 1.5, "third_action": 1.5, "between": 1.5, "last_of_two": 1.5, "action_number": 0.6},
    **{"when_or_never": 1.0, "start_second": 0.5, "end_second": 0.5, "part_time": 0.4, "turn_time": 0.4},
}
_OTHERS = 0.3

FORM_WEIGHTS: dict[str, float] = {form: _ESTABLISHED.get(form, _OTHERS) for form in STYLES}
"""How often each form is asked, relative to the others; those without a weight of their own share one."""

DEPTH_FORMS = frozenset(
    (
        *("distance", "turn_amount", "path_length", "top_speed", "leaves_circle", "sideways_drift", "same_facing"),
        *("jump_height", "returns", "turn_count", "turns_both_ways", "turn_again"),
    )
)
"""Forms that ask for what one camera does not show: lengths in metres, small turns, ways along the line of sight."""

SIDED_FORMS = frozenset(
    (
        *("raised_hand", "more_active_arm", "more_active_leg", "turn", "turn_amount", "displacement", "limb_moves"),
        *("sideways_drift", "first_half", "second_half", "first_turn", "last_turn", "higher_hand", "first_hand_up"),
        *("hand_up_time", "most_active_limb", "repeated_limb", "higher_foot", "more_bent_knee", "first_step"),
        *("lying_side", "used_hand"),
    )
)
"""Forms whose answer names a side: not asked where left and right of a source cannot be trusted."""

_LEGLESS_FORMS = frozenset(
    (
        *("displacement", "turn", "first_half", "second_half", "first_turn", "last_turn", "turn_time", "unknowable"),
        *("raised_hand", "more_active_arm", "higher_hand", "hand_over_head", "first_hand_up", "arms_alike"),
        *("raise_count", "hand_up_time"),
    )
)
_LEGLESS_FACTS = ("move", "turn", "raise", "bend")


def needs_no_legs(form: str, do: str = "") -> bool:
    """Whether trunk and arms alone tell the answer to a form; `do` is what a question of yes or no asks about."""
    return form in _LEGLESS_FORMS or (form == "fact_yes_no" and do.startswith(_LEGLESS_FACTS))
