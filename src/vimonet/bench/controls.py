"""Put items under control conditions: the same questions with the motion removed, exchanged or changed.

A score counts by its margin over the same model under these conditions. Some controls have right answers: on the
mirrored motion the left hand must become the right one, and three steps must stay three. `expected_answer` derives the
right answer on the changed motion from the one on the recorded motion and its evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench.items import VideoSpan
from vimonet.bench.scoring.text_metrics import canonical
from vimonet.bench.tasks import rule_of, topic_of
from vimonet.language import has_side, mirror_text
from vimonet.utils.errors import InputError
from vimonet.vimos.question_forms import MIRRORED, SAME, changed_answer

if TYPE_CHECKING:
    from vimonet.motion import Motion
    from vimonet.vimos.types import Item

MOTION = "motion"
"""Condition without a change: the question with its own movement."""


@dataclass(frozen=True)
class ControlledItem:
    """Hold an item under an input condition.

    Attributes:
        item: the original item.
        question: wording under the condition.
        motion: input of the model: a Motion, a VideoSpan or None.
        options: options to choose among by likelihood; empty for a free answer.
    """

    item: Item
    question: str
    motion: Any
    options: tuple[str, ...] = ()


def under_condition(condition: str, items: Sequence[Item], seed: int = 0) -> list[ControlledItem]:
    """Put items under an input condition.

    - ``motion``: the item unchanged;
    - ``blind``: no movement;
    - ``mirrored``: the mirrored movement and question, for items whose question or answer names a side;
    - ``shuffled``: the movement of another recording, of the same dimensions, if possible of the same source and kind;
    - ``frozen``: the first pose held for the whole length;
    - ``reversed``: the movement played backwards, for items with a known answer (`expected_answer`).

    Args:
        condition: one of the names above.
        items: items to ask.
        seed: seed of the draws.

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
        done: dict[int, Any] = {}  # items of one recording share the changed movement
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
    groups: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        for group in (item.source, item.motion.dimensions, item.kind), (item.motion.dimensions,):
            groups.setdefault(group, []).append(item)
    found: list[ControlledItem] = []
    for item in items:
        for group in (item.source, item.motion.dimensions, item.kind), (item.motion.dimensions,):
            pool = groups[group]
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
    form = item.form.partition(":")[0]
    if canonical(item.answer) == "cannot tell" and topic_of(item) == "cannot_tell" and form != "action":
        return item.answer
    return _declared(item, "reversed")


def _answer_frozen(item: Item) -> str | None:
    return _declared(item, "frozen")


def _declared(item: Item, control: str) -> str | None:
    """Take the answer that the item's question form declares for a control."""
    form, _, event = item.form.partition(":")
    answer = changed_answer(form, control, canonical(item.answer), event, item.evidence)
    return item.answer if answer == SAME else mirror_text(item.answer) if answer == MIRRORED else answer
