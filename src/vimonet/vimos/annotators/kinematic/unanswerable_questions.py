"""Questions whose right answer is "cannot tell"."""

from __future__ import annotations

import random
from collections.abc import Iterator

from vimonet.vimos.annotators.kinematic.closed_answers import CANNOT_TELL
from vimonet.vimos.types import Question


def unknowable(rng: random.Random) -> Question:
    """A question no movement answers (colours, names, places): the right answer is "cannot tell"."""
    return Question(
        "cannot_tell",
        "unknowable",
        CANNOT_TELL,
        {"n": str(rng.randrange(10**6))},
        (),
        {"reason": "not in the movement"},
    )


def all_unknown(reason: str) -> Iterator[Question]:
    """What nothing can be said about: a clip of a few frames."""
    for form in ("action", "turn", "displacement", "raised_hand", "steps", "caption", "speed"):
        yield Question("cannot_tell", form, CANNOT_TELL, {}, (), {"reason": reason})
