"""Read sides, limbs, turns and directions in questions and answers."""

from __future__ import annotations

import re

from vimonet.language import whole_words

ARM = r"(?:hands?|arms?|wrists?|fists?)"
LEG = r"(?:legs?|foot|feet|ankles?)"
TURN = whole_words(r"\b(?:turn~|rotate~|rotations?\b|spin~|pivot~|twirl~)")
SUBJECT = r"(?:(?:a|the) (?:person|man|woman)|someone|he|she) "
"""Pattern of what a sentence about a movement begins with."""


def side(text: str) -> str | None:
    """``left``, ``right``, ``both`` or ``neither`` in an answer that names a side; None where it is not plain."""
    left, right = bool(re.search(r"\bleft(?:wards?)?\b", text)), bool(re.search(r"\bright(?:wards?)?\b", text))
    if re.search(r"\b(neither|none|no (hand|arm|leg|foot|one))\b", text):
        return "neither"
    if re.search(r"\b(both|equal(?:ly)?|same)\b", text) or (
        left and right and re.search(r"\b(left|right) and\b", text)
    ):
        return "both"
    return None if left == right else "left" if left else "right"


def side_of_limb(text: str, limb: str) -> str | None:
    """The side that stands before a limb (ARM or LEG) in a text: left, right, both; None for none or two."""
    found = set(re.findall(rf"\b(left|right|both)(?: the| of the)? {limb}\b", text))
    return found.pop() if len(found) == 1 else None


def side_of_turn(text: str) -> str | None:
    """The side of a turn in a text; None where it names none or both."""
    after = re.findall(rf"{TURN}(?: (?!and\b|then\b)\w+){{0,4}}? (left|right)\b(?! (?:{ARM}|{LEG}))", text)
    found = set(after) | set(re.findall(r"\b(left|right) turn", text))
    return found.pop() if len(found) == 1 else None


def way(text: str) -> str | None:
    """A direction of travel in a text: forward, backward, left, right, in place; None where it is not plain."""
    text = re.sub(
        rf"{TURN}( (?!and\b|then\b)\w+){{0,4}}? (left|right)\b", " ", text
    )  # where one turns, not where one goes
    patterns = {
        "forward": r"\b(forwards?|ahead|straight on|advance[sd]?|advancing)\b",
        "backward": r"\b(backwards?|back|retreat(?:s|ed|ing)?)\b",
        "left": rf"\bleft(wards?)?\b(?! (?:{ARM}|{LEG}))",
        "right": rf"\bright(wards?)?\b(?! (?:{ARM}|{LEG}))",
        "in place": r"\b(in place|on the spot|nowhere|does not (move|go|travel|walk)|stays|not moving|stands still)\b",
    }
    found = [name for name, pattern in patterns.items() if re.search(pattern, text)]
    return found[0] if len(found) == 1 else None
