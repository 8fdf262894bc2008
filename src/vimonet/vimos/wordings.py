"""Word questions: every form has wordings for training and wordings kept for the test."""

from __future__ import annotations

import random
from importlib import resources

import yaml

from vimonet.vimos.question_forms import FORMS

WHO = (
    *("the person", "the person", "the person", "someone", "he", "she", "the figure", "the subject", "the actor"),
    *("this person", "the man", "the woman", "the human", "the character", "the performer", "the body", "the dancer"),
    *("the patient", "the user", "the player"),
)

_LEADS = (
    *("In this clip, ", "Tell me, ", "In this recording, ", "Please tell me: ", "Question: ", "Look closely. ", "Hi, "),
    *("In the motion, ", "Can you say: ", "Watch the movement. ", "I would like to know: ", "Based on the motion, "),
)

_SMALL = frozenset(
    ("the", "a", "is", "does", "do", "of", "in", "to", "this", "here", "there", "it", "that", "any", "at")
)

_FILLERS = (
    *("actually", "exactly", "really", "maybe", "please", "now", "then", "just", "clearly", "roughly", "apparently"),
    *("in general", "by the way", "again", "perhaps", "say", "well", "so", "okay", "from what you see", "if you can"),
    *("on the whole", "in your view", "mainly", "mostly", "basically", "overall", "quite", "simply", "surely"),
)

WORDINGS: dict[str, dict[str, list[str]]] = yaml.safe_load(
    resources.files("vimonet.vimos").joinpath("wordings.yaml").read_text(encoding="utf-8")
)
"""Question form -> ``seen`` and ``unseen`` wordings (wordings.yaml)."""


def ask(form: str, rng: random.Random, *, unseen: bool = False, plain: bool = False, **slots: str) -> str:
    """Word a question of a form.

    Args:
        form: a declared form with wordings, or a key of `WORDINGS`.
        rng: random generator.
        unseen: draw from the wordings kept for the test.
        plain: leave out lead-ins and typing errors, as evaluations do.
        slots: values of `do`, `does`, `doing`, `a`, `b`, `c`, `limb`, `hand`, `posture` that the form needs.
    """
    declared = FORMS[form].wordings if form in FORMS else None
    wording = rng.choice((declared or WORDINGS[form])["unseen" if unseen else "seen"])
    who = "the person" if plain else rng.choice(WHO)
    text = wording.format(who=who, **slots)
    text = text[:1].upper() + text[1:]
    return text if plain else _as_typed(text, rng)


def _as_typed(text: str, rng: random.Random) -> str:
    """Perturb a question as people type it: a lead-in, no question mark, other case, a typing error."""
    if rng.random() < 0.15:
        lead = rng.choice(_LEADS)
        text = lead + (text[:1].lower() + text[1:] if lead.endswith((", ", ": ")) else text)
    if rng.random() < 0.2:
        text = text.rstrip("?.")
    if rng.random() < 0.15:
        text = text.lower()
    elif rng.random() < 0.03:
        text = text.upper()
    if rng.random() < 0.12:
        text = typo(text, rng)
    if rng.random() < 0.12:
        text = _loosen(text, rng)
    return text


def _loosen(text: str, rng: random.Random) -> str:
    """Drop a function word or insert a filler, so that a model cannot rely on one word of a wording."""
    words = text.split(" ")
    small = [i for i, word in enumerate(words) if word.lower() in _SMALL]
    if small and rng.random() < 0.5:
        del words[rng.choice(small)]
    else:
        words.insert(rng.randint(0, len(words)), rng.choice(_FILLERS))
    return " ".join(words)


def typo(text: str, rng: random.Random) -> str:
    """Make one typing error in a word of five letters or more: swap two letters, drop one or double one.

    Words that carry meaning (left, right, before ...) stay intact, because an error there can change the question.
    """
    words = text.split(" ")
    spared = {"left", "right", "before", "after", "first", "last", "above"}
    spared |= {"second", "third", "start", "begin", "between", "beginning", "higher", "longer", "later", "never"}
    places = [i for i, word in enumerate(words) if len(word) >= 5 and word.isalpha() and word.lower() not in spared]
    if not places:
        return text
    place = rng.choice(places)
    word = words[place]
    at = rng.randrange(1, len(word) - 2)
    kind = rng.random()
    if kind < 0.4:
        word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif kind < 0.75:
        word = word[:at] + word[at + 1 :]
    else:
        word = word[:at] + word[at] + word[at:]
    words[place] = word
    return " ".join(words)
