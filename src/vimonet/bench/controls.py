"""Control conditions: the same questions with the evidence removed, exchanged or turned around.

A score counts by how far it stands above the same model under these conditions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vimonet.errors import InputError

if TYPE_CHECKING:
    from vimonet.motion import Motion
    from vimonet.vimos.schema import Item

MOTION = "motion"
"""Name of the condition that is no control: the question with its own movement."""

_SIDES = {
    "left": "right",
    "leftward": "rightward",
    "leftwards": "rightwards",
    "left-hand": "right-hand",
    "left-handed": "right-handed",
    "clockwise": "counterclockwise",
}
_SWAP = {**_SIDES, **{v: k for k, v in _SIDES.items()}}
_SWAP |= {"anticlockwise": "clockwise", "anti-clockwise": "clockwise", "counter-clockwise": "clockwise"}
_SIDE = re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, _SWAP), key=len, reverse=True)) + r")\b", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """One question as it is put to the model under a condition."""

    item: Item
    question: str
    motion: Motion | None


def mirror_text(text: str) -> str:
    """Exchange left and right, clockwise and counterclockwise in a text, keeping the case of the first letter."""

    def other(match: re.Match[str]) -> str:
        word = match.group()
        swapped = _SWAP[word.lower()]
        return swapped.upper() if word.isupper() else swapped.capitalize() if word[0].isupper() else swapped

    return _SIDE.sub(other, text)


def has_side(text: str) -> bool:
    """Whether a text depends on the mirror: it names a side, and not both alike ("left and right")."""
    return bool(_SIDE.search(text)) and sorted(_SIDE.findall(text.lower())) != sorted(
        _SIDE.findall(mirror_text(text).lower())
    )


def queries(condition: str, items: Sequence[Item], seed: int = 0) -> list[Query]:
    """The questions of a condition, a pure function of items and seed.

    ``motion`` the item as it is; ``blind`` no movement at all; ``mirrored`` the mirrored movement, and the question
    mirrored where it names one side, for the items whose answer names a side; ``shuffled`` the movement of another
    recording, of an item of the same source and kind where there is one, always of the same dimensions; ``frozen``
    the middle frame held for the whole length; ``reversed`` the movement played backwards.

    Raises:
        InputError: the condition is unknown.
    """
    if condition not in CONDITIONS:
        raise InputError(
            f"the control {condition!r} is unknown; known are {', '.join(sorted(set(CONDITIONS) - {MOTION}))}"
        )
    return CONDITIONS[condition](items, seed)


def freeze(motion: Motion) -> Motion:
    """The middle frame held for the whole length."""
    middle = motion.frames // 2
    joints = np.repeat(motion.joints[middle : middle + 1], motion.frames, axis=0)
    seen = (
        None if motion.confidence is None else np.repeat(motion.confidence[middle : middle + 1], motion.frames, axis=0)
    )
    return replace(motion, joints=joints, confidence=seen)


def reverse(motion: Motion) -> Motion:
    """The movement played backwards."""
    seen = None if motion.confidence is None else motion.confidence[::-1].copy()
    return replace(motion, joints=motion.joints[::-1].copy(), confidence=seen)


def _each(change: Callable[[Motion], Motion | None]) -> Callable[[Sequence[Item], int], list[Query]]:
    def build(items: Sequence[Item], seed: int) -> list[Query]:
        done: dict[int, Motion | None] = {}  # items about one recording share the changed movement
        for item in items:
            if id(item.motion) not in done:
                done[id(item.motion)] = change(item.motion)
        return [Query(item, item.question, done[id(item.motion)]) for item in items]

    return build


def _mirrored(items: Sequence[Item], seed: int) -> list[Query]:
    asked = [item for item in items if has_side(item.answer)]
    flipped = _each(lambda motion: motion.mirrored())(asked, seed)
    return [replace(q, question=mirror_text(q.question) if has_side(q.question) else q.question) for q in flipped]


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
                found.append(Query(item, item.question, donor.motion))
                break
    return found


CONDITIONS: dict[str, Callable[[Sequence[Item], int], list[Query]]] = {
    MOTION: _each(lambda motion: motion),
    "blind": _each(lambda motion: None),
    "mirrored": _mirrored,
    "shuffled": _shuffled,
    "frozen": _each(freeze),
    "reversed": _each(reverse),
}
