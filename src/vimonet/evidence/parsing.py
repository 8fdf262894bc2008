"""What questions and answers say: yes or no, sides, numbers, and the words by which topics are known."""

from __future__ import annotations

import re

ARM = r"(?:hands?|arms?|wrists?|fists?)"
LEG = r"(?:legs?|foot|feet|ankles?)"
TURN = r"\b(?:turn|rotat|spin|spun|pivot|twirl)\w*"
_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_WORTH = {word: float(value) for value, word in enumerate(_NUMBERS)} | {"once": 1.0, "twice": 2.0, "thrice": 3.0}
_NUMBER = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)?|{'|'.join(_WORTH)})(?![\w])")
_YES = re.compile(r"(yes|yeah|yep|true|correct)\b")
_NO = re.compile(r"(no|nope|false)(\s*[,.;:!]|\s*$|\s+(he|she|it|they|the|there|this|that|someone)\b)")
_DECLINES = re.compile(
    r"(cannot|can not|could not|not possible to|unable to|impossible to) (be )?(tell|told|say|know|determine|see|judge)"
    r"|unknown|unclear|not sure|not (visible|seen|shown|known)|not (say|tell|know)\b"
)
_NEGATION = re.compile(r"\b(not|no|without|never|nothing|none|neither|nor)\b")

SUBJECT = r"(?:(?:a|the) (?:person|man|woman)|someone|he|she) "
"""Pattern of what a sentence about a movement begins with."""


def normalise(text: str) -> str:
    """Lower case, contractions written out, hyphens and line breaks as spaces, question words untouched."""
    text = " ".join(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())
    text = text.replace("can't", "cannot").replace("n't", " not")
    # "1.1-1.4" stays a range of two numbers, "left-hand" becomes two words.
    return " ".join(re.sub(r"(?<=[a-z])-(?=[a-z])|(?<=\d)-(?=\d)", " ", text).split())


def polarity(answer: str) -> bool | None:
    """True for yes, False for no, None where the (normalised) answer begins with neither."""
    if _YES.match(answer):
        return True
    return False if _NO.match(answer) else None


def declines(answer: str) -> bool:
    """Whether the answer is that it cannot be told."""
    return bool(_DECLINES.search(answer))


def negated(text: str) -> bool:
    """Whether the text says what is not the case."""
    return bool(_NEGATION.search(text))


def numbers(text: str, unit: str = "") -> list[float]:
    """The numbers in a text, in digits or words; with ``unit`` (a pattern) those before it, or all if none is."""
    found = [
        (_WORTH.get(match[1]) if match[1] in _WORTH else float(match[1]), match.end())
        for match in _NUMBER.finditer(text)
    ]
    values = [(value, end) for value, end in found if value is not None]
    if unit:
        with_unit = [value for value, end in values if re.match(rf"\s*(?:{unit})\b", text[end:])]
        if with_unit:
            return with_unit
    return [value for value, _ in values]


def number(text: str, unit: str = "") -> float | None:
    """The one number of a text; None where there is none or several that differ."""
    found = set(numbers(text, unit))
    return found.pop() if len(found) == 1 else None


def side(text: str) -> str | None:
    """``left``, ``right``, ``both`` or ``neither`` in an answer that names a side; None where it is not plain."""
    left, right = bool(re.search(r"\bleft", text)), bool(re.search(r"\bright", text))
    if re.search(r"\b(neither|none|no (hand|arm|leg|foot|one))\b", text):
        return "neither"
    if re.search(r"\b(both|equal\w*|same)\b", text) or (left and right and re.search(r"\b(left|right) and\b", text)):
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
        "forward": r"\b(forwards?|ahead|straight on|advanc\w+)\b",
        "backward": r"\b(backwards?|back|retreat\w*)\b",
        "left": rf"\bleft(wards?)?\b(?! (?:{ARM}|{LEG}))",
        "right": rf"\bright(wards?)?\b(?! (?:{ARM}|{LEG}))",
        "in place": r"\b(in place|on the spot|nowhere|does not (move|go|travel|walk)|stays|not moving|stands still)\b",
    }
    found = [name for name, pattern in patterns.items() if re.search(pattern, text)]
    return found[0] if len(found) == 1 else None
