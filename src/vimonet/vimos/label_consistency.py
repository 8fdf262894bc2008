"""Compare labels with measurements, so that no question is asked whose answer the other would contradict."""

from __future__ import annotations

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics.categories import MAY_BEND, MAY_WALK
from vimonet.vimos.question_forms import FORMS
from vimonet.vimos.types import Question

NEVER = "that does not happen"
"""Answer to a question about an absent event."""

_STEM = {"sprint": "run", "dash": "run", "jog": "run", "box": "punch", "hop": "jump", "slash": "swing"}


def absent_from(other: str, happening: set[str]) -> bool:
    """Tell whether the action `other` is certainly absent: no action in `happening` shares its verb and side."""
    stem = _STEM.get(other.split()[0], other.split()[0])
    for action in happening:
        words = action.split()
        stems = {_STEM.get(word, word) for word in words}
        sided = ("left" in words) != ("left" in other.split()) and ("right" in words) != ("right" in other.split())
        if stem in stems and not (sided and "both" not in action + other):
            return False
    return True


def may_happen(action: str, facts: Facts) -> bool:
    """Tell whether the facts allow an action that no label names."""
    words = action.split()
    verb = words[0]
    relative = (facts.mean_speed or 0.0) / (facts.leg_length or 1.0)
    if verb in ("jump", "hop", "vault") or "jump" in words:
        return bool(facts.jumps)
    if verb in ("turn", "spin", "dance") or "turn" in words:
        return bool(facts.turns) and (verb != "dance")
    if verb in ("raise", "reach", "wave", "lift", "signal"):
        sides = {r.side for r in facts.raised_hands}
        if "both" in words:
            return len(sides) > 1
        return bool(sides & set(words)) if {"left", "right"} & set(words) else bool(sides)
    if verb == "kick":
        return any(swing.kick for swing in facts.leg_swings or ())
    if verb in ("walk", "run", "sprint", "sneak"):
        return bool(MAY_WALK.decide(relative)) or len(facts.steps or ()) > 3
    if verb in ("bow", "pick", "touch", "bend"):
        return bool(MAY_BEND.decide(facts.trunk_inclination))
    if verb in ("squat", "sit", "lunge", "stand", "crouch", "kneel", "lie", "fall"):
        low = any(p.label not in ("standing", "airborne") for p in facts.posture or ())
        return low or verb == "stand" or bool(facts.falls)
    return False


def _denies(question: Question) -> str | None:
    """Look up the event that a question's answer denies."""
    return FORMS[question.form].denies.get(question.answer) if question.form in FORMS else None


_REPEATED = frozenset(
    ("walk", "run", "jog", "sprint", "wave", "clap", "jacks", "rope", "crawl", "squat", "dribble", "dance", "climb")
)
_LOW = frozenset(
    ("sit", "squat", "kneel", "lie", "crouch", "crawl", "fall", "roll", "lunge", "pick", "push-ups", "sit-ups")
)
_STILL = frozenset(("stand", "sit", "lie", "kneel", "crouch"))


def _denied_by_count(question: Question, happening: set[str]) -> bool:
    """Tell whether an answer of "none" or "still" contradicts a label."""
    denied = _denies(question)
    words = {word for action in happening for word in action.split()}
    if denied == "low":
        return bool(words & _LOW) or any("get up" in action or "stand up" in action for action in happening)
    if denied == "repeat":
        return bool(words & _REPEATED)
    if denied == "move":
        return any(action.split()[0] not in _STILL for action in happening)
    if denied == "raise" or denied == "reach":
        return bool(words & ({"raise", "wave", "reach", "signal"} if denied == "raise" else {"reach", "overhead"}))
    return False


def contradicts(question: Question, happening: set[str]) -> bool:
    """Tell whether a measured answer contradicts a label: no jump in "jump rope", standing throughout "sit down"."""
    if question.kind == "posture":
        low = {"sit", "squat", "kneel", "lie", "crouch", "crawl", "fall", "roll", "lunge", "pick"}
        upright = {label for label, _, _ in question.evidence["posture"]} <= {"standing", "airborne"}
        return upright and any(
            low & set(action.split()) or action in ("stand up", "do push-ups", "do sit-ups") or "get up" in action
            for action in happening
        )
    if _denied_by_count(question, happening):
        return True
    denied = _denies(question)
    never = question.form == "when_or_never" and question.answer == NEVER
    if never or (question.form == "fact_yes_no" and question.answer == "no"):
        denied = question.slots["do"]
    if denied is None:
        return False
    asked = denied.split()
    for action in happening:
        words = set(action.split())
        sides = {"left", "right"} & set(asked)
        if asked[0] in words | {_STEM.get(w, w) for w in words} and (not sides or sides & words or "both" in words):
            return True
        if asked[0] == "jump" and words & {"flip", "side", "jacks", "backflip", "rope"}:
            return True
        if asked[0] == "bend" and words & {"bow", "pick", "touch"}:
            return True
        if asked[0] == "crouch" and "squat" in words:
            return True
    return False
