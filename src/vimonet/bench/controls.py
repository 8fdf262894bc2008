"""Control conditions: the same questions with the evidence removed, exchanged or turned around.

A score counts by how far it stands above the same model under these conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench.scoring.answer_formats import rule_of
from vimonet.bench.scoring.counterfactual_answers import expected_answer
from vimonet.bench.video_span import Video
from vimonet.language.mirroring import has_side, mirror_text
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.motion import Motion
    from vimonet.vimos.types import Item

MOTION = "motion"
"""Name of the condition that is no control: the question with its own movement."""


@dataclass(frozen=True)
class Query:
    """One question as it is put to the model under a condition.

    Attributes:
        item: what it was made from.
        question: its words under the condition.
        motion: what is shown (a Motion or a Video), or None.
        options: to choose among by likelihood; empty: the model answers in its own words.
    """

    item: Item
    question: str
    motion: Any
    options: tuple[str, ...] = ()


def queries(condition: str, items: Sequence[Item], seed: int = 0) -> list[Query]:
    """The questions of a condition, a pure function of items and seed.

    ``motion`` the item as it is; ``blind`` no movement at all; ``mirrored`` the mirrored movement, and the question
    mirrored where it names one side, for the items whose answer or question depends on a side; ``shuffled`` the
    movement of another recording, of an item of the same source and kind where there is one, always of the same
    dimensions; ``frozen`` the first pose held for the whole length; ``reversed`` the movement played backwards, for
    the items whose answer then is known (:func:`vimonet.bench.scoring.counterfactual_answers.expected_answer`).

    Raises:
        InputError: the condition is unknown.
    """
    if condition not in CONDITIONS:
        raise InputError(
            f"the control {condition!r} is unknown; known are {', '.join(sorted(set(CONDITIONS) - {MOTION}))}"
        )
    return CONDITIONS[condition](items, seed)


def mirror(motion: Any) -> Any:
    """The movement (or the video) as seen in a mirror."""
    return motion.changed("mirrored") if isinstance(motion, Video) else motion.mirrored()


def freeze(motion: Any) -> Any:
    """The first pose (or picture) held for the whole length."""
    if isinstance(motion, Video):
        return motion.changed("frozen")
    joints = np.repeat(motion.joints[:1], motion.frames, axis=0)
    seen = None if motion.confidence is None else np.repeat(motion.confidence[:1], motion.frames, axis=0)
    return replace(motion, joints=joints, confidence=seen)


def reverse(motion: Any) -> Any:
    """The movement (or the video) played backwards."""
    if isinstance(motion, Video):
        return motion.changed("reversed")
    seen = None if motion.confidence is None else motion.confidence[::-1].copy()
    return replace(motion, joints=motion.joints[::-1].copy(), confidence=seen)


def _query(item: Item, question: str, motion: Any) -> Query:
    return Query(item, question, motion, tuple(item.options) if rule_of(item).format == "likelihood" else ())


def _each(change: Callable[[Any], Motion | Video | None]) -> Callable[[Sequence[Item], int], list[Query]]:
    def build(items: Sequence[Item], seed: int) -> list[Query]:
        done: dict[int, Any] = {}  # items about one recording share the changed movement
        for item in items:
            if id(item.motion) not in done:
                done[id(item.motion)] = change(item.motion)
        return [_query(item, item.question, done[id(item.motion)]) for item in items]

    return build


def _mirrored(items: Sequence[Item], seed: int) -> list[Query]:
    asked = [item for item in items if has_side(item.answer) or has_side(item.question)]
    flipped = _each(mirror)(asked, seed)
    return [
        replace(q, question=mirror_text(q.question), options=tuple(map(mirror_text, q.options)))
        if has_side(q.question)
        else q
        for q in flipped
    ]


def _reversed(items: Sequence[Item], seed: int) -> list[Query]:
    return _each(reverse)([item for item in items if expected_answer(item, "reversed") is not None], seed)


def _shuffled(items: Sequence[Item], seed: int) -> list[Query]:
    rng = np.random.default_rng(seed)
    cells: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        for cell in (item.source, item.motion.dimensions, item.kind), (item.motion.dimensions,):
            cells.setdefault(cell, []).append(item)
    found: list[Query] = []
    for item in items:
        for cell in (item.source, item.motion.dimensions, item.kind), (item.motion.dimensions,):
            pool = cells[cell]
            drawn = (pool[int(k)] for k in rng.integers(len(pool), size=64))
            donor = next((other for other in drawn if other.recording != item.recording), None)
            if donor is not None:
                found.append(_query(item, item.question, donor.motion))
                break
    return found


CONDITIONS: dict[str, Callable[[Sequence[Item], int], list[Query]]] = {
    MOTION: _each(lambda motion: motion),
    "blind": _each(lambda motion: None),
    "mirrored": _mirrored,
    "shuffled": _shuffled,
    "frozen": _each(freeze),
    "reversed": _reversed,
}
