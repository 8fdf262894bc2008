"""Write a caption from the actions and the measured facts of a movement."""

from __future__ import annotations

import random

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics.categories import CAPTION_PACE, CAPTION_TURN, side_of
from vimonet.vimos.action_labels import third_person
from vimonet.vimos.types import Part

_TRAVELLING = ("walk", "run", "sprint", "sneak", "crawl", "jog")


def caption(parts: list[Part], facts: Facts, rng: random.Random) -> str:
    """Write a caption such as "a person walks forward and turns left".

    Direction, pace and turning are mentioned where the facts are clear, and then at random, because people's captions
    mention only some of them.

    Args:
        parts: actions in order of time.
        facts: measured on the whole movement.
        rng: random generator.
    """
    phrases = []
    for part in parts:
        words = third_person(part.action)
        verb = part.action.split()[0]
        if verb in _TRAVELLING and len(parts) == 1 and words == third_person(verb):
            words += _manner(facts, rng)
        phrases.append(words)
    subject = rng.choice(("a person", "a person", "a person", "the person", "someone", "a man"))
    return f"{subject} {', then '.join(phrases)}."


def _manner(facts: Facts, rng: random.Random) -> str:
    out = ""
    relative = (facts.mean_speed or 0) / (facts.leg_length or 1)
    if facts.locomotion_direction in ("forward", "backward"):
        out += " forward" if facts.locomotion_direction == "forward" else " backward"
    elif facts.locomotion_direction in ("left", "right"):
        out += f" sideways to the {facts.locomotion_direction}"
    if relative and rng.random() < 0.4:
        pace = CAPTION_PACE.name(relative)
        out += f" {pace}" if pace else ""
    turns = None if facts.net_turn is None else CAPTION_TURN.decide(abs(facts.net_turn))
    if turns:
        out += f" and turns {side_of(facts.net_turn or 0.0)}"
    elif turns is False and rng.random() < 0.2:
        out += " in a straight line"
    return out
