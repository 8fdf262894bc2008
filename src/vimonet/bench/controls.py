"""Put items under control conditions: the same questions with the motion removed, exchanged or changed.

A score counts by how far it stands above the same model under these conditions. A control says more than "the score
falls": mirrored, the left hand must become the right one, and three steps must stay three. :func:`expected_answer`
gives the right answer on the changed motion wherever it follows from the one on the recorded motion (and the values it
was measured with).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench.items import VideoSpan
from vimonet.bench.scoring.text_metrics import canonical
from vimonet.bench.tasks import rule_of, topic_of
from vimonet.language import has_side, mirror_text
from vimonet.motion.kinematics.categories import TURNED
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.motion import Motion
    from vimonet.vimos.types import Item

MOTION = "motion"
"""Name of the condition that is no control: the question with its own movement."""


@dataclass(frozen=True)
class ControlledItem:
    """Hold an item as it is put to the model under an input condition.

    Attributes:
        item: what it was made from.
        question: its words under the condition.
        motion: what is shown (a Motion or a VideoSpanSpan), or None.
        options: to choose among by likelihood; empty: the model answers in its own words.
    """

    item: Item
    question: str
    motion: Any
    options: tuple[str, ...] = ()


def under_condition(condition: str, items: Sequence[Item], seed: int = 0) -> list[ControlledItem]:
    """Put items under a condition, a pure function of items and seed.

    ``motion`` the item as it is; ``blind`` no movement at all; ``mirrored`` the mirrored movement, and the question
    mirrored where it names one side, for the items whose answer or question depends on a side; ``shuffled`` the
    movement of another recording, of an item of the same source and kind where there is one, always of the same
    dimensions; ``frozen`` the first pose held for the whole length; ``reversed`` the movement played backwards, for
    the items whose answer then is known (:func:`expected_answer`).

    Raises:
        InputError: the condition is unknown.
    """
    if condition not in CONDITIONS:
        raise InputError(
            f"the control {condition!r} is unknown; known are {', '.join(sorted(set(CONDITIONS) - {MOTION}))}"
        )
    return CONDITIONS[condition](items, seed)


def mirror(motion: Any) -> Any:
    """Mirror the motion (or the video)."""
    return motion.changed("mirrored") if isinstance(motion, VideoSpan) else motion.mirrored()


def freeze(motion: Any) -> Any:
    """Hold the first pose (or frame) for the whole length."""
    if isinstance(motion, VideoSpan):
        return motion.changed("frozen")
    joints = np.repeat(motion.joints[:1], motion.frames, axis=0)
    seen = None if motion.confidence is None else np.repeat(motion.confidence[:1], motion.frames, axis=0)
    return replace(motion, joints=joints, confidence=seen)


def reverse(motion: Any) -> Any:
    """Play the motion (or the video) backwards."""
    if isinstance(motion, VideoSpan):
        return motion.changed("reversed")
    seen = None if motion.confidence is None else motion.confidence[::-1].copy()
    return replace(motion, joints=motion.joints[::-1].copy(), confidence=seen)


def _put(item: Item, question: str, motion: Any) -> ControlledItem:
    return ControlledItem(item, question, motion, tuple(item.options) if rule_of(item).format == "likelihood" else ())


def _each(change: Callable[[Any], Motion | VideoSpan | None]) -> Callable[[Sequence[Item], int], list[ControlledItem]]:
    def build(items: Sequence[Item], seed: int) -> list[ControlledItem]:
        done: dict[int, Any] = {}  # items about one recording share the changed movement
        for item in items:
            if id(item.motion) not in done:
                done[id(item.motion)] = change(item.motion)
        return [_put(item, item.question, done[id(item.motion)]) for item in items]

    return build


def _mirrored(items: Sequence[Item], seed: int) -> list[ControlledItem]:
    asked = [item for item in items if has_side(item.answer) or has_side(item.question)]
    flipped = _each(mirror)(asked, seed)
    return [
        replace(q, question=mirror_text(q.question), options=tuple(map(mirror_text, q.options)))
        if has_side(q.question)
        else q
        for q in flipped
    ]


def _reversed(items: Sequence[Item], seed: int) -> list[ControlledItem]:
    return _each(reverse)([item for item in items if expected_answer(item, "reversed") is not None], seed)


def _shuffled(items: Sequence[Item], seed: int) -> list[ControlledItem]:
    rng = np.random.default_rng(seed)
    cells: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        for cell in (item.source, item.motion.dimensions, item.kind), (item.motion.dimensions,):
            cells.setdefault(cell, []).append(item)
    found: list[ControlledItem] = []
    for item in items:
        for cell in (item.source, item.motion.dimensions, item.kind), (item.motion.dimensions,):
            pool = cells[cell]
            drawn = (pool[int(k)] for k in rng.integers(len(pool), size=64))
            donor = next((other for other in drawn if other.recording != item.recording), None)
            if donor is not None:
                found.append(_put(item, item.question, donor.motion))
                break
    return found


CONDITIONS: dict[str, Callable[[Sequence[Item], int], list[ControlledItem]]] = {
    MOTION: _each(lambda motion: motion),
    "blind": _each(lambda motion: None),
    "mirrored": _mirrored,
    "shuffled": _shuffled,
    "frozen": _each(freeze),
    "reversed": _reversed,
}


# ------------------------------- right answers on the changed motion

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
"""Answers about a body that does not move."""

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
    """Derive the right answer to an item's question (as the control puts it) on the changed motion; None: unknown.

    Args:
        item: with its form, answer and evidence.
        control: ``mirrored``, ``reversed`` or ``frozen``; any other control has no right answer.
    """
    rule = {"mirrored": _answer_mirrored, "reversed": _answer_reversed, "frozen": _answer_frozen}.get(control)
    return None if rule is None or topic_of(item) == "caption" else rule(item)


def _answer_mirrored(item: Item) -> str | None:
    # The question is mirrored with the movement, so that yes stays yes.
    return mirror_text(item.answer) if has_side(item.answer) else item.answer


def _answer_reversed(item: Item) -> str | None:
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
        return "yes" if TURNED.decide(-sign * turned) else "no"
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


def _answer_frozen(item: Item) -> str | None:
    form, _, event = item.form.partition(":")
    if form in ("posture_start", "unknowable", "duration"):
        return item.answer
    if form == "fact_yes_no":
        return "no" if event in _EVENTS else None
    return _STILL.get(form)
