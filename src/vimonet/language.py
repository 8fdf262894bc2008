"""Read and rewrite the English of questions and answers: numbers, inflections, normal forms, polarity, sides.

Three normal forms serve three readers:

- `normalise_question`: evidence; keeps every word and number, so that patterns see the whole sentence.
- `normalise_answer`: exact match of the benchmark; drops articles, writes numbers in digits (its rules are published).
- `normalise_prompt`: the language model; keeps contractions and hyphens, as the model was trained on them.

A pattern may hold ``word~`` for a word in all its inflections: ``bend~`` matches bend, bends, bending and bent, and
never "bender".
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

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
    """Test whether a pattern, its ``word~`` expanded, occurs in a lower-case text."""
    return _compiled(pattern).search(text) is not None


_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})
_ARTICLES = frozenset({"a", "an", "the"})
_OPENING = re.compile(r"^\s*(yes|no)\s*[,.;:!]")
# After hyphens became blanks; longest first.
_PHRASES = (
    (re.compile(r"\b(?:anti ?clockwise|counter clockwise)\b"), "counterclockwise"),
    (re.compile(r"\b(?:can ?not|can't|cant)\b"), "cannot"),
)


def normalise_question(text: str) -> str:
    """Lower the case, write contractions in full, and replace line breaks and hyphens between words by spaces."""
    text = " ".join(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())
    text = text.replace("can't", "cannot").replace("n't", " not")
    # "1.1-1.4" stays a range of two numbers, "left-hand" becomes two words.
    return " ".join(re.sub(r"(?<=[a-z])-(?=[a-z])|(?<=\d)-(?=\d)", " ", text).split())


@lru_cache(maxsize=1 << 16)  # a benchmark compares the same few thousand answers over and over
def normalise_answer(text: str) -> str:
    """Bring an answer into the form that exact match compares.

    Rules, in order:

    1. Unicode NFKC, case folded, typographic apostrophes made plain.
    2. An answer that opens with "yes" or "no" and a punctuation mark is that one word ("Yes, twice." is "yes").
    3. Hyphens and every other character but letters, digits, apostrophes, blanks, a sign or a point inside a number
       become blanks.
    4. "anticlockwise", "anti-clockwise", "counter-clockwise" become "counterclockwise"; "can not" and "can't" become
       "cannot".
    5. The articles a, an, the are dropped, unless nothing else is left (the option "A").
    6. Number words from zero to twenty become digits; a number's leading zeros and trailing ".0" are dropped.
    7. Runs of blanks become one; none at the ends.

    There are no synonyms, no stemming and no partial credit. The function is idempotent.
    """
    text = unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES)
    if opening := _OPENING.match(text):
        return opening.group(1)
    text = re.sub(r"(?<!\d)\.|\.(?!\d)", " ", text)  # a point stays inside a number only
    text = re.sub(r"(?<![\s(])-|-(?!\d)", " ", text)  # a minus stays before a number only
    text = re.sub(r"[^\w\s'.\-]|_", " ", text)
    text = re.sub(r"(?<!\w)'|'(?!\w)", " ", text)
    text = " ".join(text.split())
    for pattern, replacement in _PHRASES:
        text = pattern.sub(replacement, text)
    words = [word for word in text.split() if word not in _ARTICLES] or text.split()
    return " ".join(_plain_number(DIGITS_OF.get(word, word)) for word in words)


def normalise_prompt(text: str) -> str:
    """Unify Unicode forms and quotation marks, replace control characters and runs of blanks by one blank."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    return "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)


def fold_prompt(text: str) -> str:
    """Drop case and closing punctuation of a question; a text of nothing but punctuation stays."""
    return text.lower().rstrip(" ?!.…,;:") or text.lower()


def _plain_number(word: str) -> str:
    if re.fullmatch(r"-?[0-9]+", word):
        return str(int(word)) if len(word) < 20 else word
    if re.fullmatch(r"-?[0-9]+\.0+", word):
        return _plain_number(word.split(".")[0])
    return word


ABSTENTION = "cannot tell"
_YES = re.compile(r"(yes|yeah|yep|true|correct)\b")
_NO = re.compile(r"(no|nope|false)(\s*[,.;:!]|\s*$|\s+(he|she|it|they|the|there|this|that|someone)\b)")
_NEGATION = re.compile(r"\b(not|no|without|never|nothing|none|neither|nor)\b")
_DECLINES = re.compile(
    r"(cannot|can not|could not|not possible to|unable to|impossible to) (be )?(tell|told|say|know|determine|see|judge)"
    r"|unknown|unclear|not sure|not (visible|seen|shown|known)|not (say|tell|know)\b"
)
_ABSTENTIONS = re.compile(
    r"^(?:i |we |one |it )?"
    r"(?:cannot (?:tell|say|be (?:told|determined))|cannot$|unknown$|do not know|don't know|not sure$)"
)


def polarity(answer: str) -> bool | None:
    """Return True for yes, False for no, None where the answer (`normalise_question`) begins with neither."""
    if _YES.match(answer):
        return True
    return False if _NO.match(answer) else None


def negated(text: str) -> bool:
    """Test whether a text (`normalise_question`) contains a negation."""
    return bool(_NEGATION.search(text))


def declines(answer: str) -> bool:
    """Test whether an answer (`normalise_question`) declines in any words; evidence then contradicts nothing.

    This is wider than `is_abstention`: "it is not visible which" declines, too.
    """
    return bool(_DECLINES.search(answer))


def is_abstention(text: str) -> bool:
    """Test whether an answer is "cannot tell" or a plain variant ("I can't say", "not sure").

    This is narrower than `declines`: the benchmark scores it, so the answer must begin with it.
    """
    return bool(_ABSTENTIONS.match(normalise_answer(text)))


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
    """Test whether mirroring changes a text: it names one side, not both alike ("left and right")."""
    return bool(_SIDE.search(text)) and sorted(_SIDE.findall(text.lower())) != sorted(
        _SIDE.findall(mirror_text(text).lower())
    )


_THEN = ", then "
_SUBJECT = re.compile(r"(?:(?:a|the) (?:person|man|woman)|someone) ", re.IGNORECASE)


def without_repeats(answer: str) -> str:
    """Drop parts, joined by ", then ", that equal the part before: "kicking, then kicking" becomes "kicking".

    Small models repeat themselves; answers and captions of `vimos-open` never do. The first part of a sentence is
    compared without its subject: "a person kicks, then kicks."
    """
    text = answer.rstrip(".")
    first, *others = text.split(_THEN)
    subject = _SUBJECT.match(first)
    last = first[subject.end() :] if subject else first
    kept = [first]
    for part in others:
        if part != last:
            kept.append(part)
        last = part
    return _THEN.join(kept) + answer[len(text) :]


class GrowingText:
    """Give on the text of a stream without repeats; hold a part back until it is known to be new."""

    def __init__(self) -> None:
        self._text = self.given = ""

    def add(self, piece: str) -> str:
        """Take in a piece, and return what is certain now and was not before."""
        self._text = (self._text + piece).lstrip()
        head, then, _ = self._text.rpartition(_THEN)
        # The first part is given as it grows, except a full stop and a comma that may become ", then ".
        return self._grown(without_repeats(head) if then else _certain_part(self._text))

    def rest(self) -> str:
        """Return what is left at the end."""
        return self._grown(without_repeats(self._text.strip()))

    def _grown(self, text: str) -> str:
        if not text.startswith(self.given):
            return ""
        new, self.given = text[len(self.given) :], text
        return new


def _certain_part(text: str) -> str:
    """Return the beginning of a first part that stays whatever follows."""
    last = text.rfind(",")
    return (text if last < 0 else text[:last] if _THEN.startswith(text[last:]) else text).rstrip(" .")
