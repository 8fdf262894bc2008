"""Read yes, no, negation and abstention in texts."""

from __future__ import annotations

import re

from vimonet.language.normalisation import normalise_answer

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
    """Tell whether a text (`normalise_question`) says what is not the case."""
    return bool(_NEGATION.search(text))


def declines(answer: str) -> bool:
    """Tell whether an answer (`normalise_question`) declines in any words: evidence then holds nothing against it.

    Wider than `is_abstention`: people write "it is not visible which", and nothing is lost by reading that as such.
    """
    return bool(_DECLINES.search(answer))


def is_abstention(text: str) -> bool:
    """Tell whether an answer is "cannot tell" or a plain variant ("I can't say", "not sure").

    Narrower than `declines`: the benchmark counts it as right or wrong, so it must be the whole answer's beginning.
    """
    return bool(_ABSTENTIONS.match(normalise_answer(text)))
