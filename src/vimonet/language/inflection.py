"""Match whole words in all their inflections: ``bend~`` matches bend, bends, bending and bent, and never "bender"."""

from __future__ import annotations

import re
from functools import lru_cache

_IRREGULAR = {
    "bend": "bent",
    "catch": "caught",
    "do": "does|did|done",
    "fall": "fell|fallen",
    "go": "goes|went|gone",
    "hold": "held",
    "kneel": "knelt",
    "leap": "leapt",
    "leave": "left",
    "lie": "lying|lay|lain",
    "ride": "rode|ridden",
    "rise": "rose|risen",
    "run": "ran",
    "sit": "sat",
    "slide": "slid",
    "spin": "spun",
    "stand": "stood",
    "stride": "strode|stridden",
    "swing": "swung",
    "take": "took|taken",
    "throw": "threw|thrown",
    "tie": "tying",
}


def inflections(word: str) -> str:
    """Return the pattern of a verb, noun or adjective in every ending of English, without word boundaries."""
    if word.endswith("e"):
        regular = rf"{word[:-1]}(?:e[sd]?|ing|ely)"
    elif re.search(r"[^aeiou]y$", word):
        regular = rf"{word[:-1]}(?:y|ies|ied|ying)"
    else:
        doubled = rf"|{word[-1]}(?:ed|ing)" if re.search(r"[aeiou][bdgklmnprt]$", word) else ""
        regular = rf"{word}(?:s|es|ed|ing|ly{doubled})?"
    return "|".join(filter(None, (regular, _IRREGULAR.get(word))))


def whole_words(pattern: str) -> str:
    """Expand every ``word~`` of a regular expression into the word's inflections, ended by a word boundary."""
    return re.sub(r"(?<!\\)([a-z]+)~", lambda match: rf"(?:{inflections(match[1])})\b", pattern)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(whole_words(pattern))


def mentions(pattern: str, text: str) -> bool:
    """Tell whether a pattern, its ``word~`` expanded, occurs in a text of lower case."""
    return _compiled(pattern).search(text) is not None
