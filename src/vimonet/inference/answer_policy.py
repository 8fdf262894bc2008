"""What is answered where the model's words cannot be taken: what is measured, or that it cannot be told.

A model trained to name actions names one for whatever it is shown. Its words are put aside

- where they name an action and it was less sure than the floor of its config (chosen on validation answers:
  `scripts/fit_abstention_thresholds.py`), or where it declined to;
- where the recording does not show the limbs that make the action, or that the question is about;
- where joints tracked in a picture plainly deny them: which hand is up, which arm moves more, whether somebody leaves
  the place or turns (`in_picture`); or where it declines to say which hand or arm, and they plainly show one;
- where an answer about joints in a picture is less sure than its floor, and they do not bear it out;
- where people or things are counted, or an answer about joints in a picture is none that the question offers, and more
  likely wrong than right by its own confidence.

A question of what is done in the whole recording is then answered by `describe`, what joints in a picture show by what
they show, any other by "cannot tell".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from vimonet.evidence import AGREES, CONTRADICTS, Evidence, describe, examine
from vimonet.evidence.parsing import ARM, LEG, SUBJECT, declines, normalise, polarity, side_of_limb
from vimonet.evidence.topics import asks_action, asks_part, counts_things, of_question
from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.preparation import SIDES, limbs_seen

MODEL, MEASURED, WITHHELD = "model", "measured", "withheld"
"""Where the text of an answer comes from: the model's words, the joints, or words put aside for "cannot tell"."""
CANNOT_TELL = "cannot tell"

_OF_ARMS = (
    r"(wav|clap|beckon|point|show|answer|rais|swip|draw|throw|catch|punch|box|(push|pull)(?!\w* up)|knock|strum|play"
    r"|curl|drink|reach|serv|swing|slash|sign|salut|hold|conduct)\w*"
)
_OF_LEGS = r"(walk|run|sprint|jog|step|kick|hop|jump|march|climb|squat|lung)\w*"
_OF_TRUNK = {"turn", "direction", "distance", "speed", "raised hand", "limb", "arms", "legs"}
"""Topics that the trunk shows, or that ask for their limbs by name."""
_SHOWN = {"raised hand", "arms", "direction", "turn"}
"""Topics on which `in_picture` lets the joints speak."""
_MEASURED = {"raised hand", "more active arm", "direction", "turn"}
"""The same, as evidence names them."""
_WHICH = re.compile(rf"\b(which|what) {ARM}\b")
_NEITHER = re.compile(r"\b(both|neither|none|not|equal\w*|same|alike|all|in place|keeps|stays)\b")
"""What may be answered to any choice."""
_BETWEEN = {"a", "an", "the", "to", "of", "in", "on", "at", "with", "and", "or", "it", "is", "are", "does", "person"}
_SENTENCE = re.compile(SUBJECT + r"\w+s\b")
_NAME = re.compile(r"\w+(?<!th)ing\b")


def instead(
    question: str,
    answer: str,
    confidence: float,
    motion: Motion,
    action_floor: float = 0.0,
    caption_floor: float = 0.0,
    picture_floor: float = 0.0,
    facts: Callable[[Motion], Facts] = measure,
) -> tuple[str, str] | None:
    """What stands in for the model's words.

    Args:
        question, answer: in the asker's and in the model's words.
        confidence: of the answer, 0..1.
        motion: the movement that was asked about.
        action_floor, caption_floor: confidence below which a name of an action, a sentence about one, is not taken.
        picture_floor: the same for any other answer about joints in a picture (2D), unless these bear it out or it is
            a number.
        facts: measures a movement; called only where its words are needed.

    Returns:
        Text and where it comes from (MEASURED or WITHHELD); None where the model's words are to stand.
    """
    asked, said = normalise(question), normalise(answer)
    seen = limbs_seen(motion.confidence)
    yes = polarity(said)
    found = _of_picture(question, answer, motion, facts)
    shown = in_picture(found, asked, said)
    if isinstance(shown, str):
        return shown, MEASURED
    if declines(said):
        if _WHICH.search(asked) and (limb := _limb_shown(found)):
            return limb, MEASURED
        likely = False
    elif (
        counts_things(asked)
        or any(not seen[limb] for limb in _limbs_asked(asked))
        or (motion.dimensions == 2 and confidence < 0.5 and _off_the_choice(asked, said))
    ):
        return CANNOT_TELL, WITHHELD
    elif (motion.dimensions == 2 and confidence < picture_floor) and not (shown or numeric(said) or asks_action(asked)):
        # "Forward" is neither borne out nor denied by a picture, in which somebody plainly moves to the right.
        truths = [item.truth for item in found if item.truth and yes is None]
        return (truths[0], MEASURED) if truths else (CANNOT_TELL, WITHHELD)
    elif yes is not None or re.search(r"\bor\b", asked):
        # A choice among answers; "yes" to an action is a name for it all the same.
        hidden = yes and not set(of_question(asked)) & _OF_TRUNK and not _made_by_seen(asked, seen)
        return (CANNOT_TELL, WITHHELD) if hidden else None
    elif asks_action(asked) or _names(asked, said):
        floor = caption_floor if _SENTENCE.match(said) else action_floor
        likely = confidence >= floor and _made_by_seen(said, seen)
    else:
        return None
    if likely:
        return None
    described = describe(motion, facts(motion)) if asks_action(asked) and not asks_part(asked) else None
    if described is not None:
        return described, MEASURED
    return None if declines(said) else (CANNOT_TELL, WITHHELD)


def in_picture(found: list[Evidence], asked: str, said: str) -> str | bool:
    """What joints tracked in a picture (2D) show of an answer about hands, arms, way or turn.

    One camera tells these plainly or not at all, while a model trained on projected recordings sees depth in them that
    it can only guess.

    Args:
        found: what they say (`_of_picture`).
        asked, said: question and answer, normalised.

    Returns:
        What they show where they deny the answer; True where they bear it out, False where they leave it open.
    """
    yes = polarity(said)
    for item in found:
        if item.verdict == CONTRADICTS:
            if yes is not None and not re.search(r"\bor\b", asked):
                return "no" if yes else "yes"
            if item.truth:
                return item.truth
    return any(item.verdict == AGREES for item in found)


def _of_picture(question: str, answer: str, motion: Motion, facts: Callable[[Motion], Facts]) -> list[Evidence]:
    """What joints tracked in a picture (2D) say on the topics that one camera shows."""
    if motion.dimensions != 2 or not set(of_question(normalise(question))) & _SHOWN:
        return []
    return [item for item in examine(question, answer, motion, facts=facts(motion)) if item.topic in _MEASURED]


def _limb_shown(found: list[Evidence]) -> str:
    """The hand or arm that joints in a picture plainly show to be up, or to move more; empty where they do not."""
    return next((item.truth for item in found if side_of_limb(item.truth, ARM)), "")


def numeric(said: str) -> bool:
    """Whether an answer is a count, a length or a time: these can be nearly right, and their confidence says so."""
    return bool(re.search(r"\d", said))


def _names(asked: str, said: str) -> bool:
    """Whether an answer names an action: "standing" and "running" also answer questions of posture and pace."""
    return bool(_SENTENCE.match(said) or _NAME.match(said)) and of_question(asked) not in (["posture"], ["speed"])


def _off_the_choice(asked: str, said: str) -> bool:
    """Whether a question says what there is to choose from, and an answer that claims something names none of it."""
    if not re.search(r"\bor\b", asked) or polarity(said) is not None or numeric(said) or _NEITHER.search(said):
        return False
    return not {_stem(word) for word in said.split()} & {_stem(word) for word in asked.split()} - _BETWEEN


def _stem(word: str) -> str:
    stem = re.sub(r"(?<=\w{3})(ing|ly|ed|es|s|wards?)$", "", re.sub(r"\W", "", word))
    return re.sub(r"([^aeiou])\1$", r"\1", stem)  # sits, sitting


def _limbs_asked(asked: str) -> list[str]:
    """The limbs without which a (normalised) question about limbs has no answer."""
    topic = next(iter(of_question(asked)), "")
    limb, pattern = ("arm", ARM) if topic in ("raised hand", "arms") else ("leg", LEG)
    if topic == "arms or legs":
        return [f"{side} {limb}" for limb in ("arm", "leg") for side in SIDES]
    if topic == "limb" and side_of_limb(asked, ARM) in SIDES:
        limb, pattern = "arm", ARM
    if topic not in ("raised hand", "arms", "legs", "steps", "limb"):
        return []
    one = side_of_limb(asked, pattern)
    return [f"{side} {limb}" for side in ((one,) if one in SIDES else SIDES)]


def _made_by_seen(action: str, seen: dict[str, bool]) -> bool:
    """Whether an action can be told by the limbs in view: without arms only one of legs, without legs one of arms."""
    arms, legs = (any(seen[f"{side} {limb}"] for side in SIDES) for limb in ("arm", "leg"))
    if arms and legs:
        return True
    made_by = _OF_ARMS if arms else _OF_LEGS if legs else None
    return made_by is not None and bool(re.search(rf"\b{made_by}", action))


__all__ = ["CANNOT_TELL", "MEASURED", "MODEL", "WITHHELD", "in_picture", "instead", "numeric"]
