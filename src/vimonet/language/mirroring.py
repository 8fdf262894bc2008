"""Left and right in a text: exchanging them, and telling whether a text depends on it."""

from __future__ import annotations

import re

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
