"""Name actions as people do: labels have other verb phrases, nouns, and questions that paraphrase them.

Other names are data in `questions/names.jsonl`; whole questions (whether, which, how often, by which hand or leg, which
way) in `questions/asks.jsonl`.
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


@cache
def _of_way() -> dict[tuple[str, str], str]:
    """Map an action without its direction, and that direction, to their label, where only one label has both."""
    labels: dict[tuple[str, str], list[str]] = {}
    for action, way in _told()["way"].items():
        labels.setdefault(way, []).append(action)
    return {way: actions[0] for way, actions in labels.items() if len(actions) == 1}


def paraphrased(form: str, slots: Mapping[str, str], answer: str, rng: random.Random) -> str | None:
    """Draw a paraphrase, a whole question about an action; None where nobody wrote one.

    Args:
        form: what is asked: ``yes_no`` whether an action happens, ``action`` which one does, ``count`` how often,
            ``used_hand`` by which hand or leg, ``way`` in which direction.
        slots: what names the action: `do`, a verb phrase ("clap"), or `a`, a participle ("raising a knee").
        answer: right answer, which names the action or its direction for ``action`` and ``way``.
        rng: random generator.
    """
    action: str | None = slots.get("do", slots.get("a", ""))
    if form == "action":
        action = _of_participle().get(answer)
    elif form == "way":
        action = _of_way().get((slots["do"], answer))
    elif form == "used_hand":
        action = _without_side().get(slots.get("a", ""), action)
    texts = _asks().get((form, action or ""))
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
