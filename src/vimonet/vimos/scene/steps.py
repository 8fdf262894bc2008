"""The steps to the answers of questions that need movement and picture: each is one look at one stream, or compares or
turns round two words that were said.
"""

from __future__ import annotations

from vimonet.vimos.scene.description import Lamp, Prop, Scene

_OTHER = {"left": "right", "right": "left"}


def by_lamp(lamp: Lamp, colour: str) -> str:
    """When the lamp has a colour, and what is asked about happens."""
    number = [name for _, name in lamp.colours].index(colour)
    if number == 0:
        return "at the beginning"
    return "at the end" if number == len(lamp.colours) - 1 else "in the middle"


def by_hand(side: str, of: str, prop: Prop, hand: str, left_in_picture: bool) -> str:
    """Which limb or way it is, and on which hand of the person a prop stands.

    Args:
        side: ``left`` or ``right``: what the movement tells.
        of: what is left or right: ``hand``, ``arm``, ``way``.
        prop, hand: a prop, and the hand of the person on which it stands.
        left_in_picture: whether the prop is left of the other one in the picture.
    """
    return f"{side} {of}, {on_hand(prop, hand, left_in_picture)}, {prop.kind} on the {hand} hand"


def on_hand(prop: Prop, hand: str, left_in_picture: bool) -> str:
    """Why a prop is on that hand: who is seen from the front has to the left what stands right in the picture."""
    side = "left" if left_in_picture else "right"
    return f"seen from the {'back' if side == hand else 'front'}, {prop.kind} {side}"


def same_person(scene: Scene, person: int, of: int = 0) -> str:
    """Whether the person with number `of` is the one asked about by the colour of the shirt."""
    given, asked = scene.people[of].shirt, scene.people[person].shirt
    return f"given {given}, asked {asked}, {'same' if person == of else 'other'}"


def by_person(scene: Scene, person: int, given: str) -> str:
    """Who is asked about, and the answer for the person whose movement is given."""
    return f"{same_person(scene, person)}, given {given}"


def by_shirt(person: int, given: str, asked: str, side: str) -> str:
    """Whether the one whose movement is given does what is asked, and where the one who does it stands.

    Args:
        person: number of the person who does it.
        given: what the person whose movement is given does.
        asked: what is asked.
        side: of the picture on which the person with the given movement stands.
    """
    where = side if person == 0 else _OTHER[side]
    return f"given {given}, asked {asked}, {'same' if person == 0 else 'other'}, on the {where}"
