"""The right answer when the movement is changed: what must turn around under a mirror, in reverse or in a still.

A control says more than "the score falls": mirrored, the left hand must become the right one, and three steps must stay
three. For every question form whose answer on the changed movement follows from the answer on the recorded one (and the
values it was measured with), that answer is given here; where nothing is known the item is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vimonet.bench.scoring.answer_formats import topic_of
from vimonet.bench.scoring.text_metrics import canonical
from vimonet.language.mirroring import has_side, mirror_text

if TYPE_CHECKING:
    from vimonet.vimos.types import Item

_STAYS_REVERSED = frozenset(
    (
        *("duration", "distance", "path_length", "speed", "top_speed", "holds_still", "unknowable"),
        *("turn_count", "turns_both_ways", "turn_again", "same_facing", "turn_time"),
        *("more_active_arm", "more_active_leg", "arms_or_legs", "limb_moves", "most_active_limb", "arms_alike"),
        *("higher_hand", "hand_over_head", "raise_count", "hand_up_time", "higher_foot", "more_bent_knee"),
        *("repeated", "repeated_limb", "cycle_time", "goes_low", "both_feet_off", "one_leg"),
        *("jump_count", "jump_again", "action_number"),
    )
)
"""Measures that do not know the direction of time."""

_STILL: dict[str, str] = {
    **{"turn": "does not turn", "turn_amount": "does not turn", "turn_count": "0", "steps": "0", "jump_count": "0"},
    **{"displacement": "stays in place", "distance": "stays in place", "first_half": "stays in place"},
    **{"second_half": "stays in place", "speed": "does not travel", "sideways_drift": "neither side"},
    **{"limb_moves": "no", "holds_still": "yes", "repeated": "no", "same_facing": "yes", "leaves_circle": "no"},
    **{"jump_again": "no", "turn_again": "no", "turns_both_ways": "no", "both_feet_off": "no", "danger": "no"},
}
"""What is said of a body that does not move."""

_EVENTS = ("turn", "jump", "fall", "turn to the left", "turn to the right", "move backward", "move to another place")
_ONE_WAY = ("sit", "stand", "lie", "get up", "fall", "pick", "put", "throw", "catch", "kneel", "crouch", "climb")
"""Beginnings of actions that played backwards are another action (or, like a throw, none)."""
_WAYS = frozenset(("forward", "forwards", "backward", "backwards", "turn", "spin", "clockwise", "counterclockwise"))
"""Words of actions that are named after a way, which turns around."""

_EXCHANGED = {"before": "after", "after": "before", "yes": "no", "no": "yes"}
_WHEN = {"at beginning": "at the end", "at end": "at the beginning", "in middle": "in the middle"}
"""Keys as normalised: without articles."""
_PACE = {"speeds up": "slows down", "slows down": "speeds up", "keeps its pace": "keeps its pace"}


def expected_answer(item: Item, control: str) -> str | None:
    """The right answer to an item's question (as the control puts it) on the changed movement; None: not known.

    Args:
        item: with its form, answer and evidence.
        control: ``mirrored``, ``reversed`` or ``frozen``; any other control has no right answer.
    """
    rule = {"mirrored": _mirrored, "reversed": _reversed, "frozen": _frozen}.get(control)
    return None if rule is None or topic_of(item) == "caption" else rule(item)


def _mirrored(item: Item) -> str | None:
    # The question is mirrored with the movement, so that yes stays yes.
    return mirror_text(item.answer) if has_side(item.answer) else item.answer


def _reversed(item: Item) -> str | None:
    form, _, event = item.form.partition(":")
    answer, evidence = canonical(item.answer), item.evidence
    if form in _STAYS_REVERSED or (answer == "cannot tell" and topic_of(item) == "cannot_tell" and form != "action"):
        return item.answer
    if form == "pace_change":
        return _PACE.get(answer)
    if form in ("turn", "turn_amount"):  # yaw turns back
        return mirror_text(item.answer)
    if form in ("first_turn", "last_turn"):
        return _other_turn(evidence, last=form == "first_turn")
    if form == "when" and event in ("turn", "raise a hand", "jump"):
        return _WHEN.get(answer)
    if form == "fact_yes_no":
        return _event_reversed(item, event, evidence)
    if form in ("order", "order_yes_no", "first", "last"):
        return _order_reversed(item, form, answer, evidence)
    return None


def _event_reversed(item: Item, event: str, evidence: Mapping[str, Any]) -> str | None:
    if event in ("turn", "jump", "move to another place", "bend over"):
        return item.answer
    turned = evidence.get("net_turn_deg")
    if event in ("turn to the left", "turn to the right") and isinstance(turned, (int, float)):
        sign = 1 if event.endswith("left") else -1
        return "yes" if -sign * turned > 35 else "no"
    return None


def _order_reversed(item: Item, form: str, answer: str, evidence: Mapping[str, Any]) -> str | None:
    actions = [str(part[0]) for part in evidence.get("parts", ())]
    if len(actions) < 2 or any(a.startswith(_ONE_WAY) or _WAYS & set(a.split()) for a in actions):
        return None
    if form in ("order", "order_yes_no"):
        return _EXCHANGED.get(answer)
    from vimonet.vimos.action_labels import participle

    return participle(actions[-1] if form == "first" else actions[0])


def _other_turn(evidence: Mapping[str, Any], last: bool) -> str | None:
    turns = evidence.get("turns")
    if not turns:
        return None
    degrees = float(turns[-1 if last else 0][0])
    return "right" if degrees > 0 else "left"


def _frozen(item: Item) -> str | None:
    form, _, event = item.form.partition(":")
    if form in ("posture_start", "unknowable", "duration"):
        return item.answer
    if form == "fact_yes_no":
        return "no" if event in _EVENTS else None
    return _STILL.get(form)
