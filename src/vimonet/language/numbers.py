"""Read numbers in texts, in digits and in words."""

from __future__ import annotations

import re

_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
VALUE_OF = {word: value for value, word in enumerate(_WORDS)}
"""Number words from zero to twenty and their values."""
DIGITS_OF = {word: str(value) for word, value in VALUE_OF.items()}
_VALUES = VALUE_OF | {"once": 1, "twice": 2, "thrice": 3}
_NUMBER = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)?|{'|'.join(_VALUES)})(?![\w])")


def numbers(text: str, unit: str = "") -> list[float]:
    """Return the numbers of a text; with ``unit`` (a pattern) those before it, or all if none is."""
    found = [
        (float(_VALUES[match[1]] if match[1] in _VALUES else match[1]), match.end()) for match in _NUMBER.finditer(text)
    ]
    with_unit = [value for value, end in found if unit and re.match(rf"\s*(?:{unit})\b", text[end:])]
    return with_unit or [value for value, _ in found]


def number(text: str, unit: str = "") -> float | None:
    """Return the one number of a text; None where there is none or several that differ."""
    found = set(numbers(text, unit))
    return found.pop() if len(found) == 1 else None
