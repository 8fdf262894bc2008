"""Word questions: every form has wordings for training and wordings kept for the test.

Beside the wordings of `wordings.yaml` stand those that people would type, in twelve registers
(`questions/wordings.jsonl`, written for this project, CC0). Training draws from them too; evaluation of the older forms
does not, so that figures stay comparable.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

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

_GREETINGS = (
    *("hi! ", "hey, ", "ok so ", "quick question: ", "hello, ", "sorry, ", "so ", "right, ", "well, ", "one more: "),
    *("um, ", "please: ", "for my notes: ", "good morning. ", "now, "),
)
_THANKS = (
    *(" pls", " please", " thanks", " thank you", " short answer", " in a few words please", " I can't see it", "??"),
    *(" just curious", " asking for the report", " be brief", " if you can tell"),
)
_YES_OR_NO = (" yes or no?", " just yes or no", " y/n", " or not?", " or what?", " (yes/no)", " tell me yes or no")
"""What people put before and after a question."""

_SMALL = frozenset(
    ("the", "a", "is", "does", "do", "of", "in", "to", "this", "here", "there", "it", "that", "any", "at")
)

_FILLERS = (
    *("actually", "exactly", "really", "maybe", "please", "now", "then", "just", "clearly", "roughly", "apparently"),
    *("in general", "by the way", "again", "perhaps", "say", "well", "so", "okay", "from what you see", "if you can"),
    *("on the whole", "in your view", "mainly", "mostly", "basically", "overall", "quite", "simply", "surely"),
)

_HELD_OUT = ("plain", "polite", "foreign")
"""Registers whose last wording is kept for the test, of each form without wordings in wordings.yaml."""

_AS_IT_IS = ("typo", "foreign")
"""Registers whose texts are asked as they are."""

_ALSO = {"near_yes_no": "yes_no", "fact_check": "fact_yes_no"}
"""Form -> form whose wordings it shares."""

_NAMING = {"count_named": "count"}
"""Form -> form whose wordings it shares as far as they name the action."""

_TOO = {"false_premise": "why_action"}
"""Form -> form whose `people` wordings can ask it too."""

_LED = frozenset(("plain", "expert", "coach", "care", "esl"))
"""Registers whose questions read well behind a lead-in."""

_OPENERS = frozenset(
    (
        *("what", "which", "who", "where", "when", "how", "why", "is", "are", "was", "were", "do", "does", "did"),
        *("has", "have", "can", "could", "would", "will", "at", "in", "on", "by", "from", "to", "with", "after"),
    )
)


class _Wordings(Mapping[str, dict[str, list[str]]]):
    """Hold the wordings of every form, read when first asked for."""

    def __getitem__(self, form: str) -> dict[str, list[str]]:
        return _lists()[0][form]

    def __iter__(self) -> Iterator[str]:
        return iter(_lists()[0])

    def __len__(self) -> int:
        return len(_lists()[0])


WORDINGS = _Wordings()
"""Question form -> ``seen`` and ``unseen`` wordings, and what ``people`` type (empty where nobody wrote any)."""


def read_people(name: str) -> list[dict[str, Any]]:
    """Read one of the files of `questions/`: wordings, dialogues or contrasts."""
    text = resources.files("vimonet.vimos").joinpath("questions", f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@cache
def _lists() -> tuple[dict[str, dict[str, list[str]]], dict[str, str]]:
    """Read the wordings of every form, and the register of each text that people type."""
    own = yaml.safe_load(resources.files("vimonet.vimos").joinpath("wordings.yaml").read_text(encoding="utf-8"))
    rows = read_people("wordings")
    typed: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        typed.setdefault(row["form"].removeprefix("new:"), []).append(row)
    lists = {form: {**wordings, "people": []} for form, wordings in own.items()}
    for form, texts in typed.items():
        if form not in lists:
            by_register = {row["register"]: row["text"] for row in texts}
            held = [by_register[register] for register in _HELD_OUT if register in by_register]
            texts = [row for row in texts if row["text"] not in held]
            lists[form] = {"seen": [row["text"] for row in texts if row["register"] != "typo"], "unseen": held}
        lists[form]["people"] = [row["text"] for row in texts]
    for form, other in _TOO.items():
        lists[form]["people"] = [*lists[form]["people"], *lists[other]["people"]]
    for form, other in _ALSO.items():
        lists[form] = lists[other]
    for form, other in _NAMING.items():
        lists[form] = {key: [text for text in texts if "{do" in text] for key, texts in lists[other].items()}
    return lists, {row["text"]: row["register"] for row in rows}


def asked_as(form: str) -> str:
    """Name the form whose wordings a form is asked in, mostly the form itself."""
    return _ALSO.get(form) or _NAMING.get(form, form)


def ask(
    form: str, rng: random.Random, *, unseen: bool = False, plain: bool = False, people: bool = False, **slots: str
) -> str:
    """Word a question of a form.

    Args:
        form: a declared form with wordings, or a key of `WORDINGS`.
        rng: random generator.
        unseen: draw from the wordings kept for the test.
        plain: leave out lead-ins and typing errors, as evaluations do.
        people: draw from what people type, where the form has such wordings.
        slots: values of `do`, `does`, `doing`, `a`, `b`, `c`, `limb`, `hand`, `posture`, `part`, `joint`, `t` that the
            form needs; without `noun` ("a wave"), no wording is drawn that has it.
    """
    declared = FORMS[form].wordings if form in FORMS else None
    lists = declared or WORDINGS[form]
    part = "people" if people and lists.get("people") else "unseen" if unseen else "seen"
    wording = rng.choice(lists[part] if declared or "noun" in slots else _without_noun(form, part))
    who = "the person" if plain else rng.choice(WHO)
    text = wording.format(who=who, **slots)
    register = _lists()[1].get(wording)
    if register is None or wording.startswith("{"):
        text = text[:1].upper() + text[1:]
    if plain or register in _AS_IT_IS:
        return text
    if register is None:
        return _as_typed(text, rng)
    closed = form.endswith("yes_no") or form in ("fact_check", "limb_moves", "at_beginning", "at_end")
    return _as_people_type(text, register, rng, closed)


@cache
def _without_noun(form: str, part: str) -> list[str]:
    """List the wordings of one part of a form that need no noun of an action."""
    return [text for text in WORDINGS[form][part] if "{noun}" not in text]


def as_written(text: str, rng: random.Random, *, closed: bool = True) -> str:
    """Perturb a question that somebody wrote whole, as people type it; `closed` if it is one of yes or no."""
    return _as_people_type(text, "casual", rng, closed)


def _as_typed(text: str, rng: random.Random) -> str:
    """Perturb a question as people type it: a lead-in, no question mark, other case, a typing error."""
    if rng.random() < 0.15:
        text = _led(text, rng)
    text = _slipped(text, rng)
    if rng.random() < 0.12:
        text = _loosen(text, rng)
    return text


def _as_people_type(text: str, register: str, rng: random.Random, closed: bool) -> str:
    """Perturb a wording of people less: what stands around a question, no question mark, other case, a typing error."""
    if register in _LED and text.endswith("?") and text.split(maxsplit=1)[0].lower() in _OPENERS and rng.random() < 0.1:
        text = _led(text, rng)
    if rng.random() < 0.08:
        text = rng.choice(_GREETINGS) + text[:1].lower() + text[1:]
    text = _slipped(text, rng)
    if rng.random() < 0.1:
        text += rng.choice(_YES_OR_NO if closed and rng.random() < 0.7 else _THANKS)
    return text


def _led(text: str, rng: random.Random) -> str:
    lead = rng.choice(_LEADS)
    return lead + (text[:1].lower() + text[1:] if lead.endswith((", ", ": ")) else text)


def _slipped(text: str, rng: random.Random) -> str:
    if rng.random() < 0.2:
        text = text.rstrip("?.")
    if rng.random() < 0.15:
        text = text.lower()
    elif rng.random() < 0.03:
        text = text.upper()
    return typo(text, rng) if rng.random() < 0.12 else text


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
