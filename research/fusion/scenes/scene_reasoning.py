"""The steps to the answers of questions that need movement and picture: each is one look at one stream, or compares or
turns round two words that were said.
"""

from __future__ import annotations

from collections.abc import Sequence

from research.fusion.scenes.scene import Lamp, Scene

_OTHER = {"left": "right", "right": "left"}


def by_lamp(lamp: Lamp, colour: str) -> str:
    """When the lamp has a colour, and what is asked about happens."""
    number = [name for _, name in lamp.colours].index(colour)
    if number == 0:
        return "at the beginning"
    return "at the end" if number == len(lamp.colours) - 1 else "in the middle"


def by_thing(limb: str, kinds: Sequence[str], hand: str, in_picture: str) -> str:
    """Which limb or way it is, on which hand of the person the things asked about stand, and which of them it is.

    The last step says the hand again, its thing behind it: what has to be found stands next to what it is found by.

    Args:
        limb: what the movement tells: ``left hand``, ``right arm``, ``left way``.
        kinds: of one thing, or of the two that are to choose from.
        hand: of the person, on which the first stands; the second stands on the other.
        in_picture: the side on which the first is in the picture: the other one for who is seen from the front.
    """
    seen = "back" if in_picture == hand else "front"
    hands = [f"{side} hand {kind}" for kind, side in zip(kinds, (hand, _OTHER[hand]), strict=False)]
    same = limb.startswith(hand)
    last = hands[not same] if len(hands) == 2 else f"given {limb}, {'same' if same else 'other'}"
    return ", ".join((limb, f"seen from the {seen}", f"{kinds[0]} {in_picture}", *hands, last))


def by_person(scene: Scene, person: int, given: str) -> str:
    """Whether the person asked about is the one whose movement is given, and the answer for that one."""
    shirts = [who.shirt for who in scene.people]
    return f"{_compared(shirts[0], shirts[person], person)}, given {given}"


def by_shirt(person: int, given: str, asked: str, side: str) -> str:
    """Whether the one whose movement is given does what is asked, and where the one who does it stands.

    Args:
        person: number of the person who does it.
        given: what the person whose movement is given does.
        asked: what is asked.
        side: of the picture on which the person with the given movement stands.
    """
    where = side if person == 0 else _OTHER[side]
    return f"{_compared(given, asked, person)}, on the {where}"


def _compared(given: str, asked: str, person: int) -> str:
    return f"given {given}, asked {asked}, {'same' if person == 0 else 'other'}"
