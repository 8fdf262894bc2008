"""Bring questions and answers into the form in which they are read, compared or shown to a model.

Three forms stand side by side because they serve three readers:

- `normalise_question`: evidence; keeps every word and number, so that patterns see the asker's own sentence.
- `normalise_answer`: exact match of the benchmark; drops articles, writes numbers in digits (its rules are published).
- `normalise_prompt`: the language model; keeps contractions and hyphens, as the model was trained on them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from vimonet.language.numbers import DIGITS_OF

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
    """Write a text in lower case, contractions in full, hyphens between words and line breaks as spaces."""
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
    5. The articles a, an, the are dropped, unless nothing else is said (the option "A").
    6. Number words from zero to twenty become digits; a number's leading zeros and trailing ".0" are dropped.
    7. Runs of blanks become one; none at the ends.

    Nothing else is forgiven: no synonyms, no stemming, no partial credit. Idempotent.
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
