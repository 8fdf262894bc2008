"""Name actions as people do: labels have other verb phrases, nouns, and questions that paraphrase them.

Other names are data in `questions/names.jsonl`; whole questions (whether, how often, by which hand or leg) in
`questions/asks.jsonl`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache

from vimonet.vimos.action_labels import participle, verb_slots
from vimonet.vimos.wordings import read_people

_RENAMED = 0.5
"""Share of the questions that name an action in other words than its label's."""

_PARTICIPLES = ("a", "b", "c")
"""Slots of a wording that hold a participle."""


@cache
def _names() -> dict[str, tuple[list[str], list[str]]]:
    return {row["action"]: (row["names"], row["nouns"]) for row in read_people("names")}


@cache
def _told() -> dict[str, dict[str, tuple[str, str]]]:
    rows = read_people("names")
    return {key: {row["action"]: (row[key][0], row[key][1]) for row in rows if key in row} for key in ("way", "limb")}


def way_of(action: str) -> tuple[str, str] | None:
    """Return an action and where it always goes: "swipe to the left" -> ("swipe", "to the left"); None for others."""
    return _told()["way"].get(action)


def limb_of(action: str) -> tuple[str, str] | None:
    """Return an action of one limb without its side, and the limb: "raise the left knee" -> ("raise a knee", "leg")."""
    return _told()["limb"].get(action)


@cache
def _of_participle() -> dict[str, str]:
    return {participle(action): action for action in _names()}


@cache
def _without_side() -> dict[str, str]:
    return {participle(phrase): phrase for phrase, _ in _told()["limb"].values()}


@cache
def _asks() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in read_people("asks"):
        found.setdefault((row.get("form", "yes_no"), row["action"]), []).append(row["text"])
    return found


def paraphrased(action: str, rng: random.Random, form: str = "yes_no") -> str | None:
    """Draw a paraphrase, a whole question about an action; None where nobody wrote one.

    Args:
        action: verb phrase ("clap"); for ``used_hand`` a participle that names no side ("raising a knee").
        rng: random generator.
        form: what is asked: ``yes_no`` whether it happens, ``count`` how often, ``used_hand`` by which hand or leg.
    """
    texts = _asks().get((form, _without_side().get(action, action)))
    return rng.choice(texts) if texts else None


def has_names(action: str) -> bool:
    """Test whether an action is a label with other names."""
    return action in _names()


def renamed(slots: Mapping[str, str], answer: str, rng: random.Random) -> tuple[dict[str, str], str]:
    """Replace, with a probability of one half, the actions that a question names by other names of them.

    Args:
        slots: what fills the question's wording: one action as `do`, `does`, `doing` ("clap", "claps", "clapping"), or
            up to three as participles `a`, `b`, `c`; others stay as they are.
        answer: right answer. An action in it that the question names takes the same new name.
        rng: random generator.

    Returns:
        Slots and answer. Where the action has nouns ("applause"), one is added as the slot `noun`, always.
    """
    found = dict(slots)
    names, nouns = _names().get(slots.get("do", ""), ([], []))
    if nouns:
        found["noun"] = rng.choice(nouns)
    if rng.random() >= _RENAMED:
        return found, answer
    if names:
        do = rng.choice(names)
        found |= verb_slots(do)
        if answer.endswith(f" not {slots['do']}"):
            answer = answer.removesuffix(slots["do"]) + do
    for slot in _PARTICIPLES:
        action = _of_participle().get(slots.get(slot, ""))
        if action is not None:
            found[slot] = participle(rng.choice(_names()[action][0]))
            answer = found[slot] if answer == slots[slot] else answer
    return found, answer
