"""Tell which actions one action contains, and which it excludes, by pairs that people take for each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics.categories import speed_class
from vimonet.vimos.label_consistency import absent_from, may_happen
from vimonet.vimos.types import Part
from vimonet.vimos.wordings import read_people

_BY_SPEED = {("walk", "slow"): "stroll"}
"""(action, speed category) -> another name for it."""

_GAITS = ("walk", "run", "jog", "sprint", "stroll")
"""Gaits; a pair denies them only where the measured speed does, too."""

TOO_NEAR = frozenset(("stand", "bend over", "step forward", "step back", "lean forward", "high five"))
"""Actions that people may see in many others: they are neither affirmed nor denied."""


@cache
def _relations() -> dict[str, dict[str, str]]:
    """Read action -> other action -> how the other relates: ``excluded``, ``contained`` or ``open``."""
    found: dict[str, dict[str, str]] = {}
    for pair in read_people("contrasts"):
        a, b, relation = pair["a"], pair["b"], pair["relation"]
        of_a, of_b = ("excluded", "excluded") if relation == "exclusive" else ("open", "open")
        if relation == "a_implies_b":
            # Who does it with one hand does not do it with both, unless the facts allow that (`_measured`).
            of_a, of_b = "contained", "excluded" if _one_of_both(b, a) else "open"
        elif relation == "b_implies_a":
            of_b = "contained"
        found.setdefault(a, {})[b] = of_a
        found.setdefault(b, {})[a] = of_b
    return found


def _one_of_both(action: str, other: str) -> bool:
    """Tell whether an action is of one side and the other is of both: raise the left hand, raise both hands."""
    return "both" in other.split() and bool({"left", "right"} & set(action.split()))


def relation(action: str, other: str) -> str | None:
    """Look up how another action relates to one that is done: ``contained``, ``excluded``, ``open``; None: no pair."""
    return _relations().get(action, {}).get(other)


def contained(action: str, facts: Facts | None = None) -> list[str]:
    """List what an action surely is as well: a sprint is a run, waving a hand is waving."""
    names = [other for other, relation in _relations().get(action, {}).items() if relation == "contained"]
    speed = None if facts is None else speed_class(facts)
    if speed is not None and (action, speed) in _BY_SPEED:
        names.append(_BY_SPEED[action, speed])
    words = set(action.split())
    return sorted(n for n in set(names) - TOO_NEAR if "both" in words or {"left", "right"} & set(n.split()) <= words)


def denied(parts: Sequence[Part], facts: Facts | None) -> list[str]:
    """List near misses of the parts: actions that surely do not happen.

    Each is excluded by one part at least, absent from every other, and not allowed by the facts.
    """
    actions = sorted({part.action for part in parts})
    happening = {*actions, *(name for action in actions for name in contained(action, facts))}
    relations = [_relations().get(action, {}) for action in actions]
    candidates = {other for known in relations for other, relation in known.items() if relation == "excluded"}
    return [
        other
        for other in sorted(candidates - happening - TOO_NEAR)
        if not _measured(other, facts)
        and all(
            known.get(other) == "excluded" or (other not in known and absent_from(other, {action}))
            for action, known in zip(actions, relations, strict=True)
        )
    ]


def _measured(action: str, facts: Facts | None) -> bool:
    """Tell whether the facts allow an action that a label denies."""
    if facts is None:
        return False
    verb = action.split()[0]
    if action not in _GAITS:
        return may_happen(action, facts) or verb in _GAITS
    speed = speed_class(facts)
    return speed == ("slow" if verb == "stroll" else "running" if verb in ("run", "jog", "sprint") else "walking")
