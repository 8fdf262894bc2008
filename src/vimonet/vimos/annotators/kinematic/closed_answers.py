"""Word the answers of closed forms, times and lengths, and ask what no movement tells."""

from __future__ import annotations

import random
from collections.abc import Iterator

from vimonet.motion.kinematics.categories import PARTS, WHOLE_METRES, third_of
from vimonet.vimos.label_consistency import NEVER as NEVER
from vimonet.vimos.types import DETAIL, Question

CANNOT_TELL = "cannot tell"
DIRECTIONS = ("forward", "backward", "left", "right", "stays in place")
SIDES = ("left", "right", "does not turn")
HANDS = ("left hand", "right hand", "both hands", "neither hand")
ARMS = ("left arm", "right arm", "both equally")
LEGS = ("left leg", "right leg", "both equally")
LIMBS = ("left arm", "right arm", "left leg", "right leg")
SPEEDS = ("does not travel", "slowly", "at walking pace", "at running pace")
POSTURES = ("standing", "sitting", "crouching", "kneeling", "lying", "on all fours")
ANGLES = (0, 45, 90, 180, 270, 360)
YES_NO = ("yes", "no")
WHEN = ("at the beginning", "in the middle", "at the end")
UP_TO_FOUR = ("0", "1", "2", "3", "4")
UP_TO_SIX = ("0", "1", "2", "3", "4", "5", "6")


def yes_no(holds: bool | None) -> str:
    """Say yes or no."""
    return "yes" if holds else "no"


def about(number: float, unit: str) -> str:
    """Say "about 1.5 seconds"; one has no plural."""
    return f"about {number:g} {unit}{'' if number == 1 else 's'}"


def halves(seconds: float) -> float:
    """Round to half a unit, 0.5 at least."""
    return max(0.5, round(seconds * 2) / 2)


def metres(length: float) -> str:
    """Say a length: to half a metre, a longer one to whole metres."""
    return about(float(round(length)) if WHOLE_METRES.decide(length) else round(length * 2) / 2, "metre")


def third(start: float, end: float, duration: float) -> str | None:
    """Say in which third of a recording an event happens; None where that can be disputed."""
    part = third_of(start, end, duration)
    return None if part is None else WHEN[PARTS.index(part)]


def at(seconds: float) -> str:
    """Say "at 1.5 seconds", rounded to half seconds."""
    time = round(seconds * 2) / 2
    return f"at {time:g} second{'' if time == 1 else 's'}"


def seconds(word: str, time: float) -> str:
    """Say "at 1.2 seconds" or "about 1.2 seconds", to a tenth, as the lines of `Facts` do."""
    tenths = round(time, 1)
    return f"{word} {tenths:g} second{'' if tenths == 1 else 's'}"


def unknowable(rng: random.Random) -> Question:
    """Ask what no movement answers (colours, names, places): the right answer is "cannot tell"."""
    return Question(
        "cannot_tell",
        "unknowable",
        CANNOT_TELL,
        {"n": str(rng.randrange(10**6))},
        (),
        {"reason": "not in the movement", DETAIL: "a recording of joints does not show that"},
    )


def aside(rng: random.Random) -> random.Random:
    """Make a generator from the state of another, which stays as it is: what is drawn later does not shift."""
    return random.Random(str(rng.getstate()))


def all_unknown(reason: str) -> Iterator[Question]:
    """Ask of a clip of a few frames, about which nothing can be said."""
    for form in ("action", "turn", "displacement", "raised_hand", "steps", "caption", "speed"):
        yield Question("cannot_tell", form, CANNOT_TELL, {}, (), {"reason": reason})
