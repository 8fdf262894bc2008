"""Inflect action phrases, stored in the base form ("wave the right hand")."""

from __future__ import annotations

import re
from collections.abc import Callable

_IRREGULAR = {
    "lie": "lying",
    "tie": "tying",
    "box": "boxing",
    "bow": "bowing",
    "draw": "drawing",
    "throw": "throwing",
    "squat": "squatting",
    "tiptoe": "tiptoeing",
    "goose-step": "goose-stepping",
    "uppercut": "uppercutting",
}
_NO_DOUBLING = ("w", "x", "y")


def participle(phrase: str) -> str:
    """Inflect "wave the right hand" to "waving the right hand", with every verb joined by "and"."""
    return _inflect(phrase, _ing)


def third_person(phrase: str) -> str:
    """Inflect the first verbs of "wave the right hand": "waves the right hand"."""
    return _inflect(phrase, _s)


def verb_slots(phrase: str) -> dict[str, str]:
    """Inflect an action phrase for the slots of a wording: `do`, `does`, `doing`."""
    return {"do": phrase, "does": third_person(phrase), "doing": participle(phrase)}


def _inflect(phrase: str, inflect: Callable[[str], str]) -> str:
    # Only these words are verbs after "and" in this vocabulary; "hands and knees" holds none.
    parts = re.split(r" and (?=(?:turn|jump|spin|throw|stand|sit)\b)", phrase)
    return " and ".join(_inflect_first(part, inflect) for part in parts)


def _inflect_first(phrase: str, inflect: Callable[[str], str]) -> str:
    verb, _, rest = phrase.partition(" ")
    if verb == "bench":
        return f"bench {inflect('press')}"
    return inflect(verb) + (f" {rest}" if rest else "")


def _ing(verb: str) -> str:
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    one_syllable = len(re.findall(r"[aeiou]+", verb)) == 1
    if one_syllable and re.search(r"[^aeiou][aeiou][^aeiou]$", verb) and not verb.endswith(_NO_DOUBLING):
        return verb + verb[-1] + "ing"
    return verb + "ing"


def _s(verb: str) -> str:
    if re.search(r"(s|x|z|ch|sh|o)$", verb):
        return verb + "es"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ies"
    return verb + "s"
